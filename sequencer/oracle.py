"""
Oracle: reporters that sign prices and send them to the node.

In:  a `PriceSource`, reporter keys, the clock.
Out: `rollup_submitReport` calls, one per reporter, feed and round.

Holds: a reporter's times only grow; a report is dated `REPORT_AGE_MS` back, because one that is
newer than the block it lands in is refused (trading.md 4.1).
Not here: the index (the transition takes the median).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from sequencer.sdk.client import Call, Client, NodeUnreachableError, RpcError
from sequencer.sdk.signing import Key
from sequencer.sdk.views import ask, book_top
from state.eip712 import Report, sign_report

REPORT_AGE_MS = 250
"""More than a block lasts."""

INTERVAL_S = 0.5
PPM = 1_000_000


class PriceSource(Protocol):
    """Where prices come from."""

    def price_e9(self, feed: int) -> int:
        """The price of a feed now; 0 = unknown, nothing is reported."""


class RandomWalk:
    """Prices that wander, the same for the same seed, and come back to where they began."""

    def __init__(self, seed: int, start_e9: Mapping[int, int], step_ppm: int = 60) -> None:
        self._random = random.Random(seed)
        self._anchor_e9 = dict(start_e9)
        self._now_e9 = dict(start_e9)
        self._step_ppm = step_ppm

    def restart_from(self, feed: int, price_e9: int) -> None:
        """Go on from a price that is known from before."""
        self._now_e9[feed] = price_e9

    def price_e9(self, feed: int) -> int:
        """The next price."""
        price = self._now_e9.get(feed, 0)
        if not price:
            return 0
        pull_ppm = (self._anchor_e9[feed] - price) * 200 // price
        step_ppm = self._random.randint(-self._step_ppm, self._step_ppm) + pull_ppm
        self._now_e9[feed] = price + price * step_ppm // PPM
        return self._now_e9[feed]


class FollowedPrice:
    """A price that somebody else sets: the flow's oracle follows the feed."""

    def __init__(self, feed: int, price_e9: int = 0) -> None:
        self._feed = feed
        self.now_e9 = price_e9

    def price_e9(self, feed: int) -> int:
        """What was set last."""
        return self.now_e9 if feed == self._feed else 0


class Reporter:
    """One named reporter."""

    def __init__(self, key: Key, chain_id: int, inbox: bytes) -> None:
        self._key = key
        self._chain_id = chain_id
        self._inbox = inbox
        self._last_ms: dict[int, int] = {}

    def report(self, feed: int, price_e9: int, now_ms: int) -> Call:
        """A signed report as the call that submits it."""
        time_ms = max(now_ms - REPORT_AGE_MS, self._last_ms.get(feed, 0) + 1)
        self._last_ms[feed] = time_ms
        signed = sign_report(
            self._key.private, Report(feed, price_e9, time_ms), self._chain_id, self._inbox
        )
        return "rollup_submitReport", [feed, price_e9, time_ms, "0x" + signed.signature.hex()]


class Oracle:
    """Several reporters with one source of prices."""

    def __init__(
        self, reporters: Sequence[Reporter], source: PriceSource, feeds: Sequence[int]
    ) -> None:
        self._reporters = reporters
        self._source = source
        self._feeds = feeds
        self.sent = 0
        self.refused: dict[str, int] = {}

    async def report_once(self, node: Client) -> None:
        """Send one report of each reporter for each feed that has a price."""
        now_ms = time.time_ns() // 1_000_000
        prices = [(feed, self._source.price_e9(feed)) for feed in self._feeds]
        calls = [
            reporter.report(feed, price_e9, now_ms)
            for feed, price_e9 in prices
            if price_e9
            for reporter in self._reporters
        ]
        for answer in await node.call_many(calls):
            self.sent += 1
            if isinstance(answer, RpcError):
                reason = answer.reason or answer.message
                self.refused[reason] = self.refused.get(reason, 0) + 1

    async def run(self, node: Client, interval_s: float = INTERVAL_S) -> None:
        """Report until cancelled; a node that is away is tried again at the next round."""
        while True:
            try:
                await self.report_once(node)
            except NodeUnreachableError:
                await asyncio.sleep(interval_s)
            await asyncio.sleep(interval_s)


async def continue_walk(node: Client, walk: RandomWalk, feeds: Mapping[int, int]) -> None:
    """Start each feed of `feeds` (feed to market) where the market's index is, if it has one."""
    for feed, market in feeds.items():
        top = await ask(node, book_top(market))
        if top.index_e9:
            walk.restart_from(feed, top.index_e9)
