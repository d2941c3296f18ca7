"""
Displacement: which batches L1 cannot take any more, and what has to be sequenced anew.

In:  where L1 stands at its head, the store, the journal.
Out: a `Move`: what L1 has of ours, from which record on to begin anew, what to adopt; the `Reorg`
     that the journal keeps of it; the inputs that it displaced, in their order.

A batch is given up only when L1 can never take it: another record is in its place, it is older than
`max_lag` by L1's own clock, or it ran direct inputs that L1 does not have.

Holds: reads only. An input that was sequenced anew before is not read a second time.
Not here: doing it (`sequencer.app`), taking batches back (`state.undo`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from bridge.derivation import AdvanceRecord, BatchRecord, DirectInput, L1Event, Reorged
from bridge.follower import Follower
from bridge.l1.client import L1, fetch_head
from sequencer import entries
from sequencer.entries import Adopted, Item, Reorg
from sequencer.journal import LocalJournal
from sequencer.l1 import DivergedError
from sequencer.ordering import ENTRY_INPUTS
from state.l1_records import RecordKind, RecordMeta
from state.rows import BatchRow
from state.store import Store

PENDING = "reorg"


class Pending(msgspec.Struct, frozen=True, array_like=True):
    """A reorganisation that the journal has as entry `seq`, and whose inputs are not all back."""

    seq: int
    reorg: Reorg


@dataclass(slots=True)
class Stand:
    """L1 at its head."""

    time_ms: int = 0
    count: int = 0
    """Records it has."""
    direct_count: int = 0
    records: dict[int, BatchRecord | AdvanceRecord] = field(default_factory=dict)
    """The newest ones: all that may differ from ours."""
    directs: dict[int, DirectInput] = field(default_factory=dict)

    def takes_directs(self, count: int, digest: bytes) -> bool:
        """Whether L1 still has the direct inputs that gave this running hash."""
        if not count or not digest:
            return True
        if count > self.direct_count:
            return False
        last = self.directs.get(count - 1)
        return last is None or last.running_hash == digest


@dataclass(frozen=True, slots=True)
class Open:
    """The batch that is not sealed."""

    time_ms: int | None
    directs: tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Move:
    """What to do: post from `posted` on; begin anew from `record`, if it is not None."""

    posted: int
    record: int | None = None
    why: str = ""
    adopted: tuple[Adopted, ...] = ()


async def look(l1: L1, follower: Follower) -> Stand:
    """Read L1 from where `follower` stands up to its head."""
    stand = Stand()
    while True:
        for event in await follower.poll():
            _take(stand, event)
        if not follower.is_behind:
            break
    stand.count = follower.chains.records.count
    stand.direct_count = follower.chains.directs.count
    stand.time_ms = (await fetch_head(l1)).time_s * 1_000
    return stand


def _take(stand: Stand, event: L1Event) -> None:
    match event:
        case BatchRecord() | AdvanceRecord():
            stand.records[event.record] = event
        case DirectInput():
            stand.directs[event.index] = event
        case Reorged():
            kept = event.l1_block
            stand.records = {k: v for k, v in stand.records.items() if v.l1_block <= kept}
            stand.directs = {k: v for k, v in stand.directs.items() if v.l1_block <= kept}
        case _:
            pass


def decide(
    stand: Stand, store: Store, open_batch: Open, displaced: int | None, max_lag_ms: int
) -> Move:
    """
    Decide what to do, given that the poster found that record `displaced` cannot land.

    Raises
    ------
    DivergedError
        L1 has a batch that is not ours, or what would have to be taken back is too old for that.
    """
    common = min(stand.records, default=stand.count)
    while common < stand.count and _same(store.batch(common), stand.records[common]):
        common += 1
    foreign = [stand.records[record] for record in range(common, stand.count)]
    if foreign:
        why = "L1 has another record in its place"
        before = store.batch(common - 1) if common else None
        move = Move(common, common, why, _adopted(stand, before, foreign))
    else:
        move = _unlandable(stand, store, open_batch, common, max_lag_ms)
        if move.record is None and displaced == common:
            move = Move(common, common, "L1 refuses it")
    last = store.last_batch()
    if move.record is not None and last is not None and move.record <= last.record:
        _check_undo(store, move.record)
    return move


def _same(row: BatchRow | None, event: BatchRecord | AdvanceRecord) -> bool:
    return row is not None and row.content == event.content


def _adopted(
    stand: Stand, before: BatchRow | None, foreign: list[BatchRecord | AdvanceRecord]
) -> tuple[Adopted, ...]:
    adopted = []
    first = 0 if before is None else before.direct_to
    for event in foreign:
        if isinstance(event, BatchRecord):
            raise DivergedError(
                f"record {event.record} on L1 is a batch that is not in this node's store: another "
                "node posts with the same key. Stop that one, and start this one with an empty "
                "folder"
            )
        end = RecordMeta.decode(event.meta).direct_to
        packed = [stand.directs[index].packed for index in range(first, end)]
        adopted.append(Adopted(event.meta, packed))
        first = end
    return tuple(adopted)


def _unlandable(stand: Stand, store: Store, open_batch: Open, first: int, max_lag_ms: int) -> Move:
    """Find the first batch behind what L1 has that it can never take."""
    oldest_ms = stand.time_ms - max_lag_ms
    record = first
    while (row := store.batch(record)) is not None:
        why = ""
        if row.meta[0] == RecordKind.ADVANCE:
            why = "L1 took back an advance"
        elif row.t_first_ms < oldest_ms:
            why = "it is older than max_lag"
        elif not stand.takes_directs(row.direct_to, row.direct_hash):
            why = "L1 took back a direct input that it used"
        if why:
            return Move(first, record, why)
        record += 1
    if open_batch.time_ms is not None and open_batch.time_ms < oldest_ms:
        return Move(first, record, "it is older than max_lag")
    if not stand.takes_directs(*open_batch.directs):
        return Move(first, record, "L1 took back a direct input that it used")
    return Move(first)


def _check_undo(store: Store, record: int) -> None:
    if not store.can_roll_back(record):
        raise DivergedError(
            f"L1 took back record {record}, deeper than this node keeps what it needs to go back. "
            "Keep the data folder, look at what happened to L1, then start with an empty folder"
        )


# --- what the journal has of it ---


def pending(store: Store) -> Pending | None:
    """Return the reorganisation that is not finished."""
    value = store.meta(PENDING)
    return msgspec.msgpack.decode(value, type=Pending) if value else None


def newest(journal: LocalJournal, position: int) -> Pending | None:
    """Return the newest reorganisation that the journal has from `position` on."""
    found = None
    for each in journal.read(entries.split_position(position)[0]):
        entry = entries.decode(each.payload)
        if entry.reorg is not None:
            found = Pending(each.seq, entry.reorg)
    return found


def plan(journal: LocalJournal, store: Store, move: Move) -> Reorg:
    """Build the entry for a move; it names exactly the inputs that no later entry has."""
    assert move.record is not None
    before = store.journal_position(move.record - 1) if move.record else 0
    assert before is not None
    unfinished = pending(store)
    first = before if unfinished is None else min(before, unfinished.reorg.first)
    skip = []
    for each in journal.read(entries.split_position(first)[0]):
        reorg = entries.decode(each.payload).reorg
        if reorg is None:
            continue
        if unfinished is None or entries.position(each.seq) < unfinished.reorg.first:
            skip.append((reorg.first, entries.position(each.seq + 1)))
    if unfinished is not None:
        skip += unfinished.reorg.skip
    return Reorg(move.record, first, skip, list(move.adopted))


@dataclass(slots=True)
class Displaced:
    """Inputs that follow each other, and how far direct inputs were drained before them."""

    direct_to: int
    items: list[Item]


def displaced(journal: LocalJournal, todo: Pending) -> Iterator[Displaced]:
    """Read what a reorganisation displaced, in order, at most an entry's worth at a time."""
    reorg = todo.reorg
    current = Displaced(0, [])
    for each in journal.read(entries.split_position(reorg.first)[0]):
        if each.seq >= todo.seq:
            break
        entry = entries.decode(each.payload)
        opening = entry.opening
        if opening is not None and opening.direct_to > current.direct_to:
            yield current
            current = Displaced(opening.direct_to, [])
        for number, item in enumerate(entry.items):
            at = entries.position(each.seq, number)
            if at < reorg.first or any(a <= at < b for a, b in reorg.skip):
                continue
            if len(current.items) == ENTRY_INPUTS:
                yield current
                current = Displaced(current.direct_to, [])
            current.items.append(item)
    yield current
