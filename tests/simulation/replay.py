"""
Replay: the journal of a node once more, without interruption, beside what the node stored.

In:  the folder of a node that is not running; hashes that it acknowledged.
Out: whether every batch, receipt and commit group is the same.

The engine and store here are new; the code that runs entries is the node's, for there is only one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from bridge.deployment import Deployment
from bridge.l1.devnet.accounts import account
from sequencer import entries
from sequencer.chain import Chain
from sequencer.clock import SystemClock
from sequencer.execution import Execution
from sequencer.finality import Finality
from sequencer.promises import Signer
from sequencer.sealing import Sealing
from sequencer.segments import scan
from sequencer.verifier import NativeVerifier
from state._native import Engine, VerifiedReport, VerifiedTx
from state.rows import BatchRow
from state.store import Store

PAGE = 1_000


@dataclass(slots=True)
class Replayed:
    """What the comparison found."""

    batches: int
    receipts: int
    batches_equal: bool
    receipts_equal: bool
    missing: int


def compare(folder: Path, deployment: Deployment, acknowledged: set[str]) -> Replayed:
    """Replay the journal of the node in `folder`, and compare with its store."""
    chain_id = deployment.l2_chain_id
    with Store.open(folder / "replay", chain_id=chain_id) as fresh:
        chain = _replay(folder / "node" / "journal", deployment, fresh)
        with Store.open(folder / "node" / "state", chain_id=chain_id, read_only=True) as stored:
            last = stored.last_batch()
            batches = 0 if last is None else last.record + 1
            receipts = 0 if last is None else last.first_seq + last.inputs
            batches_equal = all(
                _batches(stored, first) == _batches(fresh, first)[: batches - first]
                for first in range(0, batches, PAGE)
            )
            receipts_equal = all(
                _receipts(stored, first, receipts) == _receipts(fresh, first, receipts)
                for first in range(0, receipts, PAGE)
            ) and all(stored.group_of(seq) == fresh.group_of(seq) for seq in range(0, receipts, 7))
        missing = sum(chain.find(bytes.fromhex(each[2:])) is None for each in acknowledged)
    return Replayed(batches, receipts, batches_equal, receipts_equal, missing)


def _batches(store: Store, first: int) -> list[BatchRow]:
    """Rows of batches, but for where they landed: L1 says that, and a replay asks no L1."""
    return [replace(row, l1_block=0, l1_tx=b"") for row in store.batches(first, PAGE)]


def _receipts(store: Store, first: int, end: int) -> list[tuple[int, bytes]]:
    return store.receipts(first, min(PAGE, end - first))


def _replay(journal: Path, deployment: Deployment, store: Store) -> Chain:
    engine = Engine(deployment.l2_chain_id, deployment.inbox)
    chain = Chain(store)
    signer = Signer(account(6).key, deployment.l2_chain_id, deployment.inbox)
    execution = Execution(engine, chain, signer)
    sealing = Sealing(
        engine,
        store,
        chain,
        Finality(),
        SystemClock(),
        max_lag_ms=1,
        running_hash=lambda count: None,
    )
    verifier = NativeVerifier(engine, deployment.l2_chain_id, deployment.inbox, 2)
    for each in scan(journal, 0):
        entry = entries.decode(each.payload)
        verified = [
            input_
            for input_ in verifier.recover(entry.items)
            if isinstance(input_, VerifiedTx | VerifiedReport)
        ]
        assert len(verified) == len(entry.items)
        for sealed in execution.run(each.seq, each.term, entry, verified).sealed:
            sealing.commit_now(sealed)
    return chain
