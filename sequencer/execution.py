"""
Execution: the single writer. Runs durable entries on the native transition.

In:  `Work` (live) or entries of the journal (replay), in order.
Out: receipts, signed commit groups, sealed batches.

Where the inputs of an entry need another block, or the batch has no more room, the next one is
begun by rule: `Engine.fits` decides, from the bytes alone. Replay meets the same inputs on the same
state, so it makes the same blocks and batches. A commit group ends with its entry, or with a batch.

A reorganisation adopts what somebody else put on L1 (`advance`): it gets a block of its own.

Holds: runs in one thread; an entry runs only after it is durable; any exception here is a fault of
       ours: the node stops and keeps everything.
Not here: what inputs do (`state/stf`), roots and posting (`sequencer.sealing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bridge.records import pair, record_leaf
from sequencer import entries, metrics
from sequencer.chain import Chain, SealedRows
from sequencer.entries import Adopted, Entry, Item, SignedReport
from sequencer.ordering import Verified
from sequencer.promises import Signer
from state import errors as protocol
from state._native import (
    MAX_BLOCK_INPUTS,
    Engine,
    Executed,
    RecordOutcome,
    SealedBatch,
    VerifiedTx,
    keccak256,
)
from state.l1_records import ZERO, RecordMeta

MAX_STEPS = 100_000
_REASON = slice(2, 4)


@dataclass(frozen=True, slots=True)
class AdoptedBatch:
    """A record of L1 that is not ours, as `SealedBatch`; it is committed already."""

    record: int
    meta: bytes
    first_block: int
    outcome: RecordOutcome
    data: bytes = b""
    blocks: int = 1
    operations: int = 0
    signatures: int = 0
    page_root: bytes = ZERO

    @property
    def t_first_ms(self) -> int:
        """Time of it."""
        return RecordMeta.decode(self.meta).t_first_ms

    t_last_ms = t_first_ms

    @property
    def direct_to(self) -> int:
        """Direct inputs before this index are drained after it."""
        return RecordMeta.decode(self.meta).direct_to

    @property
    def record_leaf(self) -> bytes:
        """Leaf of the record."""
        return record_leaf(self.meta, self.data)

    @property
    def next_seq(self) -> int:
        """Sequence number after its last input."""
        return self.outcome.next_seq

    @property
    def next_block(self) -> int:
        """Block number after its block."""
        return self.first_block + 1

    def records(self) -> list[tuple[bytes, bytes]]:
        """Records that changed, for the store."""
        return self.outcome.records()


@dataclass(slots=True)
class Sealed:
    """A batch that has ended: what its commit and its posting need."""

    batch: SealedBatch | AdoptedBatch
    rows: SealedRows
    position: int
    signed_bytes: int
    direct_hash: bytes = b""


@dataclass(slots=True)
class Outcome:
    """What one entry did."""

    receipts: list[bytes] = field(default_factory=list)
    """One per input of the entry, in order; direct inputs are not among them."""
    sealed: list[Sealed] = field(default_factory=list)
    sealed_early: bool = False


class Execution:
    """Runs entries. Call it from one thread only."""

    def __init__(self, engine: Engine, chain: Chain, signer: Signer) -> None:
        self._engine = engine
        self._chain = chain
        self._signer = signer
        self._open = False
        self._blocks = 0
        self._signed_bytes = 0
        self._group: list[bytes] = []
        self._group_seq = engine.next_seq
        self.batch_time_ms = 0
        self.directs = (engine.direct_cursor, chain.direct_hash)
        """How many direct inputs ran, and their running hash; empty = an older version ran them."""

    @property
    def batch_is_open(self) -> bool:
        """Whether a batch has blocks and is not sealed."""
        return self._blocks > 0

    def run(
        self, seq: int, term: int, entry: Entry, verified: list[Verified], skip: int | None = None
    ) -> Outcome:
        """
        Run one entry.

        Parameters
        ----------
        verified :
            Its inputs, checked; one per item.
        skip :
            Its opening and so many inputs are in the stored state already (replay).
        """
        outcome = Outcome()
        opening = entry.opening
        if opening is not None and skip is None:
            self._open_block(outcome, entries.position(seq), term, opening)
        self._run_inputs(outcome, seq, term, entry.items, verified, skip or 0)
        if entry.seals:
            self._seal(outcome, entries.position(seq + 1), term)
        self._sign(term)
        return outcome

    def adopt(
        self, seq: int, term: int, adopted: list[Adopted], skip: int | None
    ) -> Iterator[Sealed]:
        """Run the records of a reorganisation's entry; the first `skip` are in the stored state."""
        for number in range(skip or 0, len(adopted)):
            is_last = number + 1 == len(adopted)
            position = entries.position(seq + 1) if is_last else entries.position(seq, number + 1)
            yield self._adopt(adopted[number], position, term)

    def _adopt(self, adopted: Adopted, position: int, term: int) -> Sealed:
        assert not self._open and not self._blocks
        engine = self._engine
        record, block = engine.record_cursor, engine.next_block
        meta = RecordMeta.decode(adopted.meta)
        # On L1 it has no block; here it gets one, so that every receipt is in exactly one.
        engine.load_header(engine.header, engine.next_seq, block + 1)
        self._chain.open_block(block, meta.t_last_ms, meta.direct_to, engine.next_seq)
        outcome = engine.apply_record(adopted.meta, b"", adopted.directs)
        assert len(outcome.receipts) == len(adopted.directs)
        self._chain.append(outcome.receipts, adopted.directs)
        self._group.extend(outcome.receipts)
        self._count_directs(adopted.directs)
        self._chain.close_block(kept=True)
        self._sign(term)
        batch = AdoptedBatch(record, adopted.meta, block, outcome)
        return Sealed(batch, self._chain.seal(record), position, 0, self.directs[1])

    def _count_directs(self, directs: list[bytes]) -> None:
        count, digest = self.directs
        if digest:
            for packed in directs:
                digest = pair(digest, keccak256(packed))
        self.directs = (count + len(directs), digest)

    def close_block(self) -> None:
        """End the open block: its receipts get their block hash. Changes no result."""
        if self._open:
            segment = self._engine.close_block()
            kept = segment is not None
            self._chain.close_block(kept=kept)
            self._blocks -= not kept
            self._open = False

    def _open_block(
        self, outcome: Outcome, position: int, term: int, opening: entries.Opening
    ) -> None:
        self.close_block()
        if self._blocks and not self._engine.batch_room():
            self._seal_early(outcome, position, term)
        engine = self._engine
        number = engine.next_block
        self._chain.open_block(number, opening.time_ms, opening.direct_to, engine.next_seq)
        executed = engine.open_block(opening.time_ms, opening.direct_to, opening.directs)
        if not self._blocks:
            self.batch_time_ms = opening.time_ms
        self._blocks += 1
        self._open = True
        self._count_directs(opening.directs)
        self._took(executed, opening.directs)

    def _run_inputs(
        self,
        outcome: Outcome,
        seq: int,
        term: int,
        items: list[Item],
        verified: list[Verified],
        done: int,
    ) -> None:
        for _ in range(MAX_STEPS):
            if done == len(items):
                return
            fitting = (
                self._engine.fits(verified[done : done + MAX_BLOCK_INPUTS]) if self._open else 0
            )
            if not fitting:
                self._make_room(outcome, entries.position(seq, done), term)
                continue
            raws = [raw_of(item) for item in items[done : done + fitting]]
            receipts = self._took(self._engine.execute(verified[done : done + fitting]), raws)
            outcome.receipts.extend(receipts)
            self._signed_bytes += sum(map(len, raws))
            done += fitting
        raise AssertionError("an input fits into no batch")

    def _make_room(self, outcome: Outcome, position: int, term: int) -> None:
        """Go on in a new block at the same time; if even that has no room, in a new batch."""
        was_fresh = self._open and self._engine.block_inputs == 0
        self.close_block()
        if was_fresh and self._blocks:
            self._seal_early(outcome, position, term)
        time_ms, direct_to = self._engine.time_ms, self._engine.direct_cursor
        self._open_block(outcome, position, term, entries.Opening(time_ms, direct_to, []))

    def _seal_early(self, outcome: Outcome, position: int, term: int) -> None:
        self._seal(outcome, position, term)
        outcome.sealed_early = True

    def _seal(self, outcome: Outcome, position: int, term: int) -> None:
        self.close_block()
        self._sign(term)
        batch = self._engine.seal_batch()
        if batch is None:
            return
        rows = self._chain.seal(batch.record)
        outcome.sealed.append(Sealed(batch, rows, position, self._signed_bytes, self.directs[1]))
        self._blocks = 0
        self._signed_bytes = 0

    def _took(self, executed: Executed, raws: list[bytes]) -> list[bytes]:
        receipts = executed.receipts
        assert len(receipts) == len(raws), "the transition gave another number of receipts"
        if receipts:
            self._chain.append(receipts, raws)
            self._group.extend(receipts)
        _count(executed, receipts)
        return receipts

    def _sign(self, term: int) -> None:
        if self._group:
            self._chain.add_group(self._signer.sign(term, self._group_seq, self._group))
            self._group_seq += len(self._group)
            self._group = []


def raw_of(item: Item) -> bytes:
    """The signed bytes of an input; a report as in docs/formats.md §3, kind 6."""
    if isinstance(item, SignedReport):
        numbers = (
            item.feed.to_bytes(4, "big"),
            item.price_e9.to_bytes(8, "big"),
            item.time_ms.to_bytes(8, "big"),
        )
        return b"".join((*numbers, item.signature))
    return item


def reason(receipt: bytes) -> int:
    """Why an input was refused when it ran; 0 = it was not."""
    return int.from_bytes(receipt[_REASON], "little")


def is_envelope(verified: Verified) -> bool:
    """Whether an input is a user's."""
    return isinstance(verified, VerifiedTx)


def _count(executed: Executed, receipts: list[bytes]) -> None:
    stats = executed.stats()
    metrics.ORDERS.labels("placed").inc(stats["placed"])
    metrics.ORDERS.labels("replaced").inc(stats["replaced"])
    metrics.CANCELS.inc(stats["cancelled"])
    metrics.TRADES.inc(stats["trades"])
    if stats["rejected"]:
        for number, count in _rejections(receipts).items():
            metrics.OPERATIONS_REJECTED.labels(protocol.by_number(number).slug).inc(count)


def _rejections(receipts: list[bytes]) -> dict[int, int]:
    """How often each reason occurs among the operations of these receipts."""
    found: dict[int, int] = {}
    for receipt in receipts:
        count = int.from_bytes(receipt[76:78], "little")
        for at in range(81, 81 + 3 * count, 3):
            number = int.from_bytes(receipt[at : at + 2], "little")
            if number:
                found[number] = found.get(number, 0) + 1
    return found
