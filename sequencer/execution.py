"""
Execution: the single writer. Runs durable entries on the native transition.

In:  `Work` (live) or entries of the journal (replay), in order.
Out: receipts, signed commit groups, sealed batches.

Where the inputs of an entry need another block, or the batch has no more room, the next one is
begun by rule: `Engine.fits` decides, from the bytes alone. Replay meets the same inputs on the same
state, so it makes the same blocks and batches. A commit group ends with its entry, or with a batch.

Holds: runs in one thread; an entry runs only after it is durable; any exception here is a fault of
       ours: the node stops and keeps everything.
Not here: what inputs do (`state/stf`), roots and posting (`sequencer.sealing`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sequencer import entries, metrics
from sequencer.chain import Chain, SealedRows
from sequencer.entries import Entry, Item, SignedReport
from sequencer.ordering import Verified
from sequencer.promises import Signer
from state import errors as protocol
from state._native import MAX_BLOCK_INPUTS, Engine, Executed, SealedBatch, VerifiedTx

MAX_STEPS = 100_000
_REASON = slice(2, 4)


@dataclass(slots=True)
class Sealed:
    """A batch that has ended: what its commit and its posting need."""

    batch: SealedBatch
    rows: SealedRows
    position: int
    signed_bytes: int


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
            raws = [_raw(item) for item in items[done : done + fitting]]
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
        outcome.sealed.append(Sealed(batch, rows, position, self._signed_bytes))
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


def _raw(item: Item) -> bytes:
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
