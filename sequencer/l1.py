"""
L1 feed: what the node takes from L1.

In:  events of `bridge.follower`, `direct_depth` blocks deep.
Out: direct inputs to `ordering`; stages of batches to `finality`.

What L1 says of our batches is compared with the store. If L1 has an `advance` in the place of one,
or took back a direct input that was used, the node has to begin anew from there: `displaced` says
so. A batch that is not ours is another matter: then the node stops, for two nodes post.

Holds: a direct input is used once, and only as L1 has it; running hashes are kept until posted.
Not here: posting (`bridge.poster`), what logs mean (`bridge.derivation`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bridge.derivation import (
    AdvanceRecord,
    BatchRecord,
    Confirmed,
    DirectInput,
    EpochSealed,
    L1Event,
    Reorged,
    WithdrawalPaid,
)
from bridge.errors import L1Error
from bridge.follower import Follower
from sequencer import logs, metrics
from sequencer.finality import Finality
from sequencer.ordering import MAX_DIRECTS, Direct, Ordering
from state.rows import BatchRow
from state.store import Store

log = logs.get("l1")


class DivergedError(Exception):
    """L1 has another history than this node, and this node cannot follow: it must stop."""


class L1Feed:
    """Follows L1 for the node."""

    def __init__(
        self,
        follower: Follower,
        store: Store,
        ordering: Ordering,
        finality: Finality,
        *,
        wake: Callable[[], None],
        displaced: Callable[[], None] = lambda: None,
        poll_s: float = 0.25,
    ) -> None:
        self._follower = follower
        self._store = store
        self._ordering = ordering
        self._finality = finality
        self._wake = wake
        self._displaced = displaced
        self._poll_s = poll_s
        self._hashes: dict[int, bytes] = {}
        self._synced = asyncio.Event()
        self.reachable = False
        # By index, because a reorganisation of L1 lets events come a second time.
        self._paid: dict[int, int] = {}

    @property
    def l1_block(self) -> int:
        """Last L1 block that was read."""
        return self._follower.l1_block

    @property
    def paid_units(self) -> int:
        """Token units that the vault has paid out, as far as L1 was read."""
        return sum(self._paid.values())

    def fork(self) -> Follower:
        """A follower at the head of L1 that reads again what is not yet known to be safe."""
        records = self._finality.safe.records
        row = self._store.batch(records - 1) if records else None
        return self._follower.fork(0, records, 0 if row is None else row.direct_to)

    async def wait_synced(self) -> None:
        """Wait until everything that L1 has, at depth, is read."""
        await self._synced.wait()

    def running_hash(self, count: int) -> bytes | None:
        """Running hash of the first `count` direct inputs, once L1 has been read so far."""
        return self._hashes.get(count)

    async def run(self) -> None:
        """
        Follow L1 for ever.

        Raises
        ------
        DivergedError
            L1 has another history.
        """
        while True:
            try:
                events = await self._follower.poll()
            except L1Error as error:
                if self.reachable:
                    log.warning("l1.lost", error=str(error))
                self.reachable = False
                await asyncio.sleep(1.0)
                continue
            self.reachable = True
            for event in events:
                await self._take(event)
            if not self._follower.is_behind:
                self._synced.set()
                await asyncio.sleep(self._poll_s)

    async def _take(self, event: L1Event) -> None:
        match event:
            case DirectInput():
                await self._take_direct(event)
            case BatchRecord():
                await self._take_batch(event)
            case AdvanceRecord():
                await self._take_advance(event)
            case WithdrawalPaid():
                self._paid[event.index] = event.amount
            case EpochSealed():
                self._finality.epoch_sealed(event.epoch, event.records)
            case Confirmed():
                self._finality.epoch_confirmed(event.epoch)
            case Reorged():
                log.warning("l1.reorged", depth_blocks=event.depth, l1_block=event.l1_block)
            case _:
                pass

    async def _take_direct(self, event: DirectInput) -> None:
        before = self._hashes.get(event.index + 1)
        self._hashes[event.index + 1] = event.running_hash
        ordering = self._ordering
        if event.index < ordering.next_direct:
            if before is not None and before != event.running_hash:
                log.error("direct.taken_back", index=event.index)
                if event.index >= ordering.taken_direct:
                    ordering.replace_direct(Direct(event.index, event.packed))
                else:
                    self._displaced()
            return
        while ordering.next_direct - ordering.taken_direct >= MAX_DIRECTS:
            await asyncio.sleep(0.05)
        ordering.add_direct(Direct(event.index, event.packed))
        self._wake()

    async def _take_batch(self, event: BatchRecord) -> None:
        row = await asyncio.to_thread(self._store.batch, event.record)
        if row is None:
            metrics.REPLAY_MISMATCH.inc()
            raise DivergedError(
                f"record {event.record} on L1 is not in this node's store: its journal is older "
                "than L1, or another node posts with the same key. Restore the data folder, or "
                "start with an empty one only if no other node runs"
            )
        if row.content != event.content:
            metrics.REPLAY_MISMATCH.inc()
            raise DivergedError(
                f"batch {event.record} differs from the one on L1 (content 0x{row.content.hex()} "
                f"here, 0x{event.content.hex()} there)"
            )
        await self._landed(event, row)

    async def _take_advance(self, event: AdvanceRecord) -> None:
        row = await asyncio.to_thread(self._store.batch, event.record)
        if row is not None and row.content == event.content:
            await self._landed(event, row)
        else:
            log.error("l1.advanced", record=event.record)
            self._displaced()

    async def _landed(self, event: BatchRecord | AdvanceRecord, row: BatchRow) -> None:
        await asyncio.to_thread(
            self._store.note_landed, event.record, event.content, event.l1_block, event.tx_hash
        )
        self._finality.reach(self._finality.posted, event.record + 1)
        self._finality.reach(self._finality.safe, event.record + 1)
        for count in [each for each in self._hashes if each < row.direct_to]:
            del self._hashes[count]
