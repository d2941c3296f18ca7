"""
Admission: takes what comes in, checks its signature, and hands it on in groups.

In:  signed transactions and reports from `sequencer.rpc`, many at a time.
Out: verified inputs to `sequencer.ordering`; a future per request with one result per input.

What has arrived while the last group was checked forms the next group: no timers, small groups
when it is quiet, large ones under load. Signatures are recovered natively in threads.

Holds: the queue is bounded in inputs and bytes; a full one refuses with `retry_after_ms`; a
       byte-identical resend gets the first result.
Not here: places (`ordering`), the disk (`journal`), what inputs do (`execution`).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sequencer import metrics
from sequencer.entries import Item, SignedReport
from sequencer.ordering import ENTRY_INPUTS, Ordering, Placed, Verified, Waiter, Work
from sequencer.rpc import errors
from sequencer.rpc.errors import Refused

MAX_RAW_BYTES = 8_192  # 64 operations take under 4 KiB
MALFORMED, NONCE_TOO_LOW = 1, 11
_IDLE_S = 3_600.0
_SLOW_FROM = 0.5
"""From this share of the allowed lag on, the queue shrinks."""


@dataclass(slots=True)
class Checked:
    """The result of checking one input: what may be placed, or why not."""

    verified: Verified | None
    refused: Refused | None = None
    hash: bytes = b""


class Verifier(Protocol):
    """The slow part, off the event loop."""

    async def check(self, items: list[Item]) -> list[Checked]:
        """Check signatures and nonces, in order."""


class Pipeline(Protocol):
    """Journal and execution."""

    async def put(self, work: Work) -> None:
        """Take one entry; waits while too much is on its way."""


class Ticket:
    """One request: its inputs, and a result for each."""

    __slots__ = ("future", "items", "kind", "missing", "results", "size_bytes", "started")

    def __init__(self, items: list[Item], size_bytes: int) -> None:
        self.items = items
        self.size_bytes = size_bytes
        self.started = time.perf_counter()
        self.future: asyncio.Future[list[bytes | Refused]] = (
            asyncio.get_running_loop().create_future()
        )
        self.results: list[bytes | Refused] = [b""] * len(items)
        self.missing = len(items)
        self.kind = "report" if isinstance(items[0], SignedReport) else "envelope"

    def resolve(self, position: int, result: bytes | Refused) -> None:
        """Take one result; the last one completes the request."""
        self.results[position] = result
        self.missing -= 1
        if not self.missing and not self.future.done():
            self.future.set_result(self.results)
            metrics.ACK.labels(self.kind).observe(time.perf_counter() - self.started)

    def fail(self, error: Exception) -> None:
        """There will be no result."""
        if not self.future.done():
            self.future.set_exception(error)


class Admission:
    """The queue in front of everything."""

    def __init__(
        self,
        verifier: Verifier,
        ordering: Ordering,
        pipeline: Pipeline,
        *,
        find: Callable[[bytes], bool],
        queue_inputs: int,
        queue_bytes: int,
    ) -> None:
        self._verifier = verifier
        self._ordering = ordering
        self._pipeline = pipeline
        self._find = find
        self._queue_inputs = queue_inputs
        self._queue_bytes = queue_bytes
        self._tickets: deque[Ticket] = deque()
        # Inputs on their way, each with who else waits for its result.
        self._in_flight: dict[bytes, list[tuple[Waiter, int]] | None] = {}
        self._waiting = 0
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._closed: str | None = "starting"
        self._stopping = False
        self._lag: Callable[[], float] = lambda: 0.0

    def open(self, lag: Callable[[], float]) -> None:
        """Begin to take inputs; `lag` says how far posting is behind, 1 = as far as allowed."""
        self._lag = lag
        self._closed = None

    def close(self, phase: str) -> None:
        """Take no more inputs; what is queued still runs."""
        self._closed = phase

    def stop(self) -> None:
        """End `run` once the queue is empty."""
        self._stopping = True
        self._wake.set()

    def wake(self) -> None:
        """There is something for `Ordering.housekeep`."""
        self._wake.set()

    def fail(self, error: Exception) -> None:
        """Give up on everything that waits."""
        for ticket in self._tickets:
            ticket.fail(error)
        for followers in self._in_flight.values():
            for waiter, _ in followers or ():
                waiter.fail(error)
        self._tickets.clear()
        self._in_flight.clear()

    def landed(self, digest: bytes, result: bytes | Refused) -> None:
        """The input with this hash has its result: tell those who sent it again meanwhile."""
        for waiter, position in self._in_flight.pop(digest, None) or ():
            waiter.resolve(position, result)

    def submit(self, items: list[Item]) -> asyncio.Future[list[bytes | Refused]]:
        """
        Queue inputs; the future has, for each in order, its hash once it is durable, or a refusal.

        Raises
        ------
        RpcError
            The node is not live, the queue is full, or posting lags too far behind.
        """
        assert items
        if self._closed is not None:
            raise errors.not_ready(self._closed)
        ticket = Ticket(items, sum(len(item) for item in items if isinstance(item, bytes)))
        self._check_room(ticket)
        return self._queue(ticket)

    def readmit(self, items: list[Item]) -> asyncio.Future[list[bytes | Refused]]:
        """Queue inputs that had a place before L1 took it away, whoever else is kept out."""
        assert 0 < len(items) <= ENTRY_INPUTS
        return self._queue(Ticket(items, sum(len(i) for i in items if isinstance(i, bytes))))

    def _queue(self, ticket: Ticket) -> asyncio.Future[list[bytes | Refused]]:
        self._tickets.append(ticket)
        self._waiting += len(ticket.items)
        self._waiting_bytes += ticket.size_bytes
        metrics.RECEIVED.labels(ticket.kind).inc(len(ticket.items))
        self._wake.set()
        return ticket.future

    def _check_room(self, ticket: Ticket) -> None:
        lag = self._lag()
        count = len(ticket.items)
        if lag >= 1:
            metrics.REJECTED.labels(ticket.kind, "posting_lags").inc(count)
            raise errors.limit(
                "posting_lags",
                "too much is not yet posted to L1: admission has stopped",
                retry_after_ms=1_000,
            )
        room = self._queue_inputs
        if lag > _SLOW_FROM:
            room = int(room * (1 - lag) / (1 - _SLOW_FROM))
        if self._waiting and (
            self._waiting + count > room
            or self._waiting_bytes + ticket.size_bytes > self._queue_bytes
        ):
            metrics.REJECTED.labels(ticket.kind, "queue_full").inc(count)
            raise errors.limit(
                "queue_full", "the queue is full: try again", retry_after_ms=100, limit=room
            )

    async def run(self) -> None:
        """Check and place what comes in, until stopped."""
        while True:
            await self._wait()
            tickets = self._take()
            if tickets:
                await self._admit(tickets)
            work = self._ordering.housekeep()
            if work is not None:
                await self._pipeline.put(work)
            metrics.QUEUE.labels("admission").set(self._waiting)
            if self._stopping and not self._tickets:
                return

    async def _wait(self) -> None:
        if self._tickets or self._stopping:
            return
        self._wake.clear()
        due_ms = self._ordering.due_in_ms()
        timeout_s = _IDLE_S if due_ms is None else due_ms / 1_000
        if timeout_s <= 0:
            return
        handle = asyncio.get_running_loop().call_later(timeout_s, self._wake.set)
        await self._wake.wait()
        handle.cancel()

    def _take(self) -> list[Ticket]:
        """What has arrived, up to one entry's worth; a request is never split."""
        taken: list[Ticket] = []
        count = 0
        now = time.perf_counter()
        while self._tickets and (not taken or count + len(self._tickets[0].items) <= ENTRY_INPUTS):
            ticket = self._tickets.popleft()
            count += len(ticket.items)
            self._waiting_bytes -= ticket.size_bytes
            taken.append(ticket)
        self._waiting -= count
        if taken:
            metrics.QUEUE_WAIT.labels("admission").observe(now - taken[0].started)
        return taken

    async def _admit(self, tickets: list[Ticket]) -> None:
        items = [item for ticket in tickets for item in ticket.items]
        started = time.perf_counter()
        checked = await self._verifier.check(items)
        metrics.VERIFY.observe(time.perf_counter() - started)
        placed: list[Placed] = []
        results = iter(checked)
        for ticket in tickets:
            for position, item in enumerate(ticket.items):
                each = next(results)
                if each.verified is not None:
                    placed.append(Placed(item, each.verified, ticket, position))
                    self._in_flight.setdefault(each.hash, None)
                else:
                    assert each.refused is not None
                    self._refuse(ticket, position, each.hash, each.refused)
        if placed:
            await self._pipeline.put(self._ordering.place(placed))

    def _refuse(self, ticket: Ticket, position: int, digest: bytes, refused: Refused) -> None:
        """Refuse, unless it is a byte-identical resend: that gets the first result."""
        if refused.reason == NONCE_TOO_LOW:
            if digest in self._in_flight:
                followers = self._in_flight[digest] or []
                followers.append((ticket, position))
                self._in_flight[digest] = followers
                return
            if self._find(digest):
                ticket.resolve(position, digest)
                return
        metrics.REJECTED.labels(ticket.kind, errors.slug(refused)).inc()
        ticket.resolve(position, refused)
