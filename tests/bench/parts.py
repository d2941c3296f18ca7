"""
What is measured: the engine, signatures, commits, the codec of batches.

In:    sizes and a seed.
Out:   one plain dictionary each, figures in the units that their names say.

Holds: only what a name says is inside its clock; signing and set-up are outside.
Not here: the command line (`__main__`), traffic (`tests.bench.market`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from state._native import Engine, SealedBatch, verify_envelopes
from state.batch import decode_body, decode_segment, encode_segment
from tests.bench.market import OPERATIONS, Market
from tests.law.native_traffic import CHAIN_ID, INBOX

Figures: TypeAlias = dict[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    traders: int = 128
    envelopes: int = 12_000
    signatures: int = 20_000
    repeats: int = 5


TINY = Sizes(traders=4, envelopes=40, signatures=100, repeats=2)


def engine(sizes: Sizes, seed: int) -> Figures:
    """Operations a second through `admit`, `execute` and the ends of blocks; batches are sealed."""
    market = Market(seed, sizes.traders)
    inputs = market.verified(market.envelopes(sizes.envelopes))
    engine = market.engine
    first = engine.next_seq
    market.executed.clear()
    started = time.perf_counter()
    assert not any(engine.admit(inputs))
    batches = market.blocks(inputs)
    seconds = time.perf_counter() - started
    assert engine.next_seq - first == len(inputs)
    trader = engine.subaccount_view(inputs[0].sender, 0)
    assert trader is not None
    assert len(trader["positions"]) > 1, "several positions make margin what it costs"
    market.seal()
    assert engine.check_invariants() == []
    operations = OPERATIONS * len(inputs)
    return {
        "operations": operations,
        "seconds": round(seconds, 4),
        "ops_per_s": round(operations / seconds),
        "batches": len(batches),
        # Cancels of orders that were filled meanwhile.
        "rejected": sum(each.stats()["rejected"] for each in market.executed),
        "trades": sum(each.stats()["trades"] for each in market.executed),
    }


def signatures(sizes: Sizes, seed: int) -> Figures:
    """Envelopes decoded and signers recovered a second, on two threads and on one."""
    market = Market(seed, sizes.traders)
    raws = market.envelopes(min(sizes.signatures, 2_000))
    raws = (raws * (sizes.signatures // len(raws) + 1))[: sizes.signatures]
    figures: Figures = {"signatures": len(raws)}
    for threads in (1, 2):
        seconds = _fastest(partial(verify_envelopes, raws, CHAIN_ID, threads), sizes.repeats)
        figures[f"recoveries_per_s_{threads}_threads"] = round(len(raws) / seconds)
    return figures


def commit(sizes: Sizes, seed: int) -> Figures:
    """Milliseconds to seal a batch of about 8,000 operations, and to commit its root."""
    market = Market(seed, sizes.traders)
    _commit(market.engine, market.seal())
    seal_ms, commit_ms, records, size = [], [], 0, 0
    envelopes = min(sizes.envelopes, 800)
    for _ in range(sizes.repeats):
        inputs = market.verified(market.envelopes(envelopes))
        assert not any(market.engine.admit(inputs))
        full = market.blocks(inputs)
        assert not full, "the operations fit into one batch"
        started = time.perf_counter()
        sealed = market.seal()
        seal_ms.append((time.perf_counter() - started) * 1_000)
        commit_ms.append(_commit(market.engine, sealed))
        records, size = len(sealed.records()), len(sealed.data)
    return {
        "operations": envelopes * OPERATIONS,
        "records": records,
        "bytes": size,
        "seal_ms": round(_median(seal_ms), 2),
        "commit_ms": round(_median(commit_ms), 2),
    }


def _commit(engine: Engine, sealed: SealedBatch) -> float:
    started = time.perf_counter()
    engine.commit(sealed)
    return (time.perf_counter() - started) * 1_000


def codec(sizes: Sizes, seed: int) -> Figures:
    """
    Megabytes of segments a second.

    Natively, encoding is the end of a block, and decoding is part of what a validator does to a
    record (decode, recover, execute, hash); the plain codec in Python does only what is named.
    """
    market = Market(seed, sizes.traders)
    first = market.seal()
    _commit(market.engine, first)
    blocks = min(sizes.envelopes, 600) // 20
    encode_s = 0.0
    direct_to = len(market.directs)
    for _ in range(blocks):
        inputs = market.verified(market.envelopes(20))
        assert not any(market.engine.admit(inputs))
        market.engine.open_block(market.time_ms, direct_to, [])
        market.engine.execute(inputs)
        started = time.perf_counter()
        market.engine.close_block()
        encode_s += time.perf_counter() - started
        market.time_ms += 20
    sealed = market.seal()
    header = sealed.t_first_ms, direct_to
    segments = decode_body(sealed.data)
    size = sum(map(len, segments))
    decoded = [decode_segment(segment, *header) for segment in segments]
    assert [encode_segment(block, *header) for block in decoded] == segments
    python_decode_s = _fastest(
        lambda: [decode_segment(segment, *header) for segment in segments], sizes.repeats
    )
    python_encode_s = _fastest(
        lambda: [encode_segment(block, *header) for block in decoded], sizes.repeats
    )
    return {
        "segments": len(segments),
        "bytes": size,
        "native_encode_mb_per_s": _mb_per_s(size, encode_s),
        "native_apply_mb_per_s": _mb_per_s(size, _apply(market, first, sealed)),
        "python_encode_mb_per_s": _mb_per_s(size, python_encode_s),
        "python_decode_mb_per_s": _mb_per_s(size, python_decode_s),
    }


def _apply(market: Market, first: SealedBatch, sealed: SealedBatch) -> float:
    """Seconds that a validator takes for the second batch."""
    validator = Engine(CHAIN_ID, INBOX)
    validator.apply_record(first.meta, first.data, market.directs)
    started = time.perf_counter()
    outcome = validator.apply_record(sealed.meta, sealed.data, [])
    seconds = time.perf_counter() - started
    assert outcome.bad is None
    assert outcome.inputs == sealed.inputs
    return seconds


def _fastest(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of several runs: the others were disturbed."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _mb_per_s(size: int, seconds: float) -> float:
    return round(size / seconds / 1e6, 2)


PARTS: dict[str, Callable[[Sizes, int], Figures]] = {
    "engine": engine,
    "signatures": signatures,
    "commit": commit,
    "codec": codec,
}
