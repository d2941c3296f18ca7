"""
Send: puts prepared envelopes to the node, in order, over one WebSocket.

In:  `Ready` envelopes, a connection.
Out: what the node refused; callbacks as envelopes are acknowledged.

Holds: at most `WINDOW` batches are in flight; they arrive in order. What the node has no room for
is sent again, in order, once everything in flight is answered; after `RETRIES_MAX` rounds without
progress it raises.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sequencer.flow.prepare import Ready
from sequencer.sdk.client import Client, RpcError

BATCH = 200
WINDOW = 8
RETRIES_MAX = 100
RETRY_WAIT_S = 0.1
NONCE_TOO_HIGH = "nonce_too_high"
MS_PER_S = 1_000


class FlowError(Exception):
    """The flow cannot go on; the message says why."""


@dataclass(slots=True)
class Sent:
    """What became of the envelopes at the door."""

    acknowledged: int = 0
    resent: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    """index of the envelope -> reason; nothing of it was executed"""

    def refused_by_reason(self) -> Counter[str]:
        """How many envelopes for each reason."""
        return Counter(self.refused.values())


class Sender:
    """Sends one list of envelopes once."""

    def __init__(
        self,
        node: Client,
        envelopes: Sequence[Ready],
        *,
        speed: float | None = None,
        progress: Callable[[int, int], None] = lambda index, operations: None,
    ) -> None:
        self.sent = Sent()
        self.index = 0
        """The next envelope to send; the oracle follows it."""
        self._node = node
        self.envelopes = envelopes
        self._speed = speed
        self._progress = progress
        self._in_flight: deque[tuple[list[int], asyncio.Task[list[Any]]]] = deque()
        self._again: list[int] = []
        self._wait_s = 0.0
        self._fruitless = 0

    async def run(self) -> Sent:
        """Send everything; returns when all is acknowledged or refused for good."""
        try:
            await self._run()
        finally:
            for _, task in self._in_flight:
                task.cancel()
        return self.sent

    async def _run(self) -> None:
        started_s = asyncio.get_running_loop().time()
        count = len(self.envelopes)
        while self.index < count:
            end = min(self.index + BATCH, count)
            if self._speed is not None:
                end = await self._until_due(started_s, end)
            await self._start(list(range(self.index, end)))
            self.index = end
            if len(self._in_flight) >= WINDOW:
                await self._finish_one()
            if self._again:
                await self._send_again()
        while self._in_flight or self._again:
            await self._finish_all()
            await self._send_again()

    async def _until_due(self, started_s: float, end: int) -> int:
        """Wait for the next envelope's time; the end of those that are due by then."""
        assert self._speed is not None
        first_ms = self.envelopes[0].time_ms
        loop = asyncio.get_running_loop()

        def due_s(index: int) -> float:
            after_s = (self.envelopes[index].time_ms - first_ms) / MS_PER_S
            return started_s + after_s / (self._speed or 1)

        await asyncio.sleep(max(0.0, due_s(self.index) - loop.time()))
        now_s = loop.time()
        last = self.index + 1
        while last < end and due_s(last) <= now_s:
            last += 1
        return last

    async def _start(self, indices: list[int]) -> None:
        calls = [("eth_sendRawTransaction", ["0x" + self.envelopes[i].raw.hex()]) for i in indices]
        self._in_flight.append((indices, await self._node.start_many(calls)))

    async def _finish_one(self) -> None:
        indices, task = self._in_flight[0]
        answers = await task
        self._in_flight.popleft()
        for index, answer in zip(indices, answers, strict=True):
            self._take(index, answer)

    async def _finish_all(self) -> None:
        while self._in_flight:
            await self._finish_one()

    def _take(self, index: int, answer: Any) -> None:
        envelope = self.envelopes[index]
        if not isinstance(answer, RpcError):
            if answer != "0x" + envelope.hash.hex():
                raise FlowError(f"the node gave envelope {index} the hash {answer}")
            self.sent.acknowledged += 1
            self._fruitless = 0
        elif answer.retry_after_ms is not None:
            self._wait_s = max(self._wait_s, answer.retry_after_ms / MS_PER_S)
            self._again.append(index)
            return
        elif answer.reason == NONCE_TOO_HIGH and (self._again or self.sent.resent):
            # The one before it of this account was turned away and comes again.
            self._again.append(index)
            return
        else:
            self.sent.refused[index] = answer.reason or answer.message
        self._progress(index, envelope.operations)

    async def _send_again(self) -> None:
        await self._finish_all()
        if not self._again:
            return
        self._fruitless += 1
        if self._fruitless > RETRIES_MAX:
            raise FlowError(f"the node has no room: {RETRIES_MAX} tries without progress")
        await asyncio.sleep(max(RETRY_WAIT_S, self._wait_s))
        again, self._again, self._wait_s = sorted(self._again), [], 0.0
        self.sent.resent += len(again)
        for begin in range(0, len(again), BATCH):
            await self._start(again[begin : begin + BATCH])
            if len(self._in_flight) >= WINDOW:
                await self._finish_one()
        await self._finish_all()
