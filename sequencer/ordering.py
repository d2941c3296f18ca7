"""
Ordering: gives every input its place.

In:  verified and admitted inputs from `sequencer.admission`, in order of arrival; direct inputs.
Out: `Work`, one journal entry each, to the journal and then to `sequencer.execution`.

Order is order of arrival, nothing else (trading.md 3.5). A block is open for `block_ms`, a batch
for `batch_ms`; direct inputs come first in a block.

Holds: block times never fall; direct inputs are taken in order, without a gap; reads no clock but
       its own.
Not here: when a block or batch has no more room (`sequencer.execution`), durability (`journal`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from sequencer.clock import Clock
from sequencer.entries import Entry, Item, Opening
from sequencer.rpc.errors import Refused
from state._native import VerifiedReport, VerifiedTx

ENTRY_INPUTS = 2_048
MAX_DIRECTS = 65_536

Verified = VerifiedTx | VerifiedReport


class Waiter(Protocol):
    """Who waits for the results of some inputs."""

    def resolve(self, position: int, result: bytes | Refused) -> None:
        """Take the result of the input at `position`: its hash, or why it was not taken."""

    def fail(self, error: Exception) -> None:
        """There will be no result."""


@dataclass(slots=True)
class Direct:
    """A direct input, deep enough on L1 to be used."""

    index: int
    packed: bytes


@dataclass(slots=True)
class Placed:
    """An input with its place, and who waits for it."""

    item: Item
    verified: Verified
    waiter: Waiter
    position: int


@dataclass(slots=True)
class Work:
    """One entry on its way through journal and execution."""

    entry: Entry = field(default_factory=Entry)
    verified: list[Verified] = field(default_factory=list)
    waiters: list[tuple[Waiter, int]] = field(default_factory=list)
    seq: int = -1
    term: int = 0
    durable: asyncio.Future[None] | None = None
    closes_block: bool = False
    """Nothing but the end of the open block: needs no entry, for it changes no result."""


class Ordering:
    """Places inputs. Lives in the event loop and calls nothing that could take long."""

    def __init__(
        self,
        clock: Clock,
        *,
        block_ms: int,
        batch_ms: int,
        directs_per_block: int,
        last_time_ms: int,
        direct_to: int,
    ) -> None:
        self._clock = clock
        self._block_ms = block_ms
        self._batch_ms = batch_ms
        self._directs_per_block = directs_per_block
        self._time_ms = last_time_ms
        self._direct_to = direct_to
        self._directs: deque[Direct] = deque()
        self._directs_end: int | None = None
        self._block_opened_ms: int | None = None
        self._batch_opened_ms: int | None = None

    def resume_batch(self, opened_ms: int) -> None:
        """After replay: a batch has been open since then."""
        self._batch_opened_ms = opened_ms

    def batch_sealed_early(self) -> None:
        """Execution ended the batch for want of room: the next one begins now."""
        if self._batch_opened_ms is not None:
            self._batch_opened_ms = self._clock.now_ms()

    @property
    def next_direct(self) -> int:
        """Index of the next direct input to be added."""
        return self._direct_to + len(self._directs)

    @property
    def taken_direct(self) -> int:
        """Direct inputs before this index are in blocks."""
        return self._direct_to

    def add_direct(self, direct: Direct) -> None:
        """Queue a direct input; they come in order of their index, without a gap."""
        assert direct.index == self.next_direct, f"{direct.index}, expected {self.next_direct}"
        assert len(self._directs) < MAX_DIRECTS
        self._directs.append(direct)

    def replace_direct(self, direct: Direct) -> None:
        """L1 has another input in this place, which no block has taken yet."""
        self._directs[direct.index - self._direct_to] = direct

    def limit_directs(self, end: int | None) -> None:
        """Take direct inputs before `end` only; None = all there are."""
        self._directs_end = end

    def place(self, inputs: list[Placed]) -> Work:
        """Place inputs in order of arrival."""
        assert 0 < len(inputs)
        work = Work()
        now_ms = self._clock.now_ms()
        if self._block_opened_ms is None or now_ms >= self._block_opened_ms + self._block_ms:
            self._open(work, now_ms)
        work.entry.items = [each.item for each in inputs]
        work.verified = [each.verified for each in inputs]
        work.waiters = [(each.waiter, each.position) for each in inputs]
        if self._batch_opened_ms is not None and now_ms >= self._batch_opened_ms + self._batch_ms:
            self._seal(work)
        return work

    def housekeep(self) -> Work | None:
        """What time asks for: a block for waiting direct inputs, the end of a batch or a block."""
        now_ms = self._clock.now_ms()
        block_over = (
            self._block_opened_ms is None or now_ms >= self._block_opened_ms + self._block_ms
        )
        batch_over = (
            self._batch_opened_ms is not None and now_ms >= self._batch_opened_ms + self._batch_ms
        )
        work = Work()
        if self._directs_ready and block_over:
            self._open(work, now_ms)
            if batch_over:
                self._seal(work)
        elif batch_over:
            self._seal(work)
        elif self._block_opened_ms is not None and block_over:
            self._block_opened_ms = None
            work.closes_block = True
        else:
            return None
        return work

    def finish(self) -> Work | None:
        """End the batch, if one is open: the node stops."""
        if self._batch_opened_ms is None:
            return None
        work = Work()
        self._seal(work)
        return work

    def due_in_ms(self) -> int | None:
        """Until `housekeep` has something to do; None = nothing is open."""
        now_ms = self._clock.now_ms()
        due = []
        if self._block_opened_ms is not None:
            due.append(self._block_opened_ms + self._block_ms)
        elif self._directs_ready:
            due.append(now_ms)
        if self._batch_opened_ms is not None:
            due.append(self._batch_opened_ms + self._batch_ms)
        return max(0, min(due) - now_ms) if due else None

    @property
    def _directs_ready(self) -> int:
        if self._directs_end is None:
            return len(self._directs)
        return max(0, min(len(self._directs), self._directs_end - self._direct_to))

    def _open(self, work: Work, now_ms: int) -> None:
        self._time_ms = max(self._time_ms, now_ms)
        count = min(self._directs_ready, self._directs_per_block)
        directs = [self._directs.popleft().packed for _ in range(count)]
        self._direct_to += count
        work.entry.opening = Opening(self._time_ms, self._direct_to, directs)
        self._block_opened_ms = now_ms
        if self._batch_opened_ms is None:
            self._batch_opened_ms = now_ms

    def _seal(self, work: Work) -> None:
        work.entry.seals = True
        self._block_opened_ms = None
        self._batch_opened_ms = None
