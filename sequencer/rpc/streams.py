"""
Streams: `eth_subscribe` for `newHeads` and `logs`.

In:  closed blocks.
Out: notices into the queue of each socket.

Holds: a queue is bounded; a consumer that does not keep up is closed with code 4008, and told the
       last block it was sent.
Not here: sockets (`rpc.socket`), Deribit's channels (a later issue).
"""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from sequencer import logs
from sequencer.chain import Block
from sequencer.queries import Queries, block_logs, fits
from sequencer.rpc import errors, eth, shapes, wire
from sequencer.rpc.params import hex_bytes
from state.tx import EXCHANGE

QUEUE = 1_000
SUBSCRIPTIONS_MAX = 100
log = logs.get("streams")


@dataclass(slots=True)
class Subscription:
    """What one subscription wants."""

    name: str
    topics: list[list[bytes] | None] = field(default_factory=list)
    matches: bool = True


class Subscriber:
    """The streams of one socket."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE)
        self.too_slow = asyncio.Event()

    def subscribe(self, params: Any) -> str:
        """Begin a stream."""
        name = params[0] if isinstance(params, list) and params else None
        if len(self.subscriptions) >= SUBSCRIPTIONS_MAX:
            raise errors.limit("too_many_subscriptions", f"at most {SUBSCRIPTIONS_MAX} per socket")
        if name == "newHeads":
            subscription = Subscription(name)
        elif name == "logs":
            subscription = _log_filter(params[1] if len(params) > 1 else {})
        else:
            raise errors.invalid_params("0", "unknown subscription", "newHeads or logs")
        key = "0x" + secrets.token_hex(16)
        self.subscriptions[key] = subscription
        return key

    def unsubscribe(self, params: Any) -> bool:
        """End a stream."""
        key = params[0] if isinstance(params, list) and params else None
        return isinstance(key, str) and self.subscriptions.pop(key, None) is not None

    def offer(self, notice: bytes) -> None:
        """Queue a notice, or give the consumer up."""
        try:
            self.queue.put_nowait(notice)
        except asyncio.QueueFull:
            self.too_slow.set()


class Streams:
    """All subscribers of the node."""

    def __init__(self, queries: Queries, reads: ThreadPoolExecutor) -> None:
        self._queries = queries
        self._reads = reads
        self._subscribers: set[Subscriber] = set()
        self._wake = asyncio.Event()
        self._next = queries.chain.head.number + 1

    def add(self, subscriber: Subscriber) -> None:
        """A socket has opened."""
        self._subscribers.add(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """A socket has closed."""
        self._subscribers.discard(subscriber)

    def rewound(self) -> None:
        """The node began anew from an earlier record: blocks after it come again."""
        self._next = min(self._next, self._queries.chain.head.number + 1)

    def step_done(self) -> None:
        """Blocks may have been closed."""
        if self._queries.chain.head.number >= self._next:
            self._wake.set()

    async def run(self) -> None:
        """Send notices for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            last = self._queries.chain.head.number
            wanted = any(each.subscriptions for each in self._subscribers)
            for number in range(self._next, last + 1) if wanted else ():
                block = await loop.run_in_executor(self._reads, self._queries.chain.block, number)
                if block is not None:
                    await loop.run_in_executor(self._reads, self._notices, loop, block)
            self._next = last + 1

    def _notices(self, loop: asyncio.AbstractEventLoop, block: Block) -> None:
        """Build and hand out the notices of one block (in the reading thread)."""
        subscribers = list(self._subscribers)
        names = {s.name for each in subscribers for s in list(each.subscriptions.values())}
        head = shapes.header(self._queries, block) if "newHeads" in names else None
        entries = list(block_logs(block)) if "logs" in names else []
        for subscriber in subscribers:
            for key, wanted in list(subscriber.subscriptions.items()):
                if wanted.name == "newHeads":
                    loop.call_soon_threadsafe(subscriber.offer, wire.encode_notice(key, head))
                    continue
                for entry in entries:
                    if wanted.matches and fits(entry.topics, wanted.topics):
                        notice = wire.encode_notice(key, shapes.log(entry))
                        loop.call_soon_threadsafe(subscriber.offer, notice)


def _log_filter(given: Any) -> Subscription:
    if not isinstance(given, dict):
        raise errors.invalid_params("1", "a filter object is needed")
    address = given.get("address")
    options = [] if address is None else address if isinstance(address, list) else [address]
    matches = not options or any(hex_bytes("address", each) == EXCHANGE for each in options)
    return Subscription("logs", eth.read_topics(given.get("topics")), matches)
