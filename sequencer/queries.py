"""
Queries: what is true now, for whoever asks.

In:  the engine, the chain, finality.
Out: plain values; nothing here knows JSON.

Holds: reads only; everything but `wait_closed` may be called from any thread, and is, because the
       engine may be busy for some milliseconds; ranges are bounded.
Not here: how answers look (`sequencer.rpc`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from sequencer.chain import RECEIPT_HEAD, Block, Chain, Located
from sequencer.finality import Finality
from sequencer.verifier import account_nonce
from state._native import Engine
from state.receipt import Receipt, decode_receipt, event_log
from state.rows import BatchRow
from state.store import Store
from state.types import MarketView

LOG_BLOCKS_MAX = 10_000
LOGS_MAX = 10_000
_EVENTS = slice(78, 80)


class TooManyError(Exception):
    """The range asked for holds more than one answer may."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One Ethereum log and where it is."""

    block: Block
    index: int
    log_index: int
    topics: list[bytes]
    data: bytes


class Queries:
    """Reads of one node."""

    def __init__(self, engine: Engine, store: Store, chain: Chain, finality: Finality) -> None:
        self.engine = engine
        self.store = store
        self.chain = chain
        self.finality = finality
        self._closing: list[asyncio.Future[None]] = []

    def attach(self, engine: Engine, chain: Chain, finality: Finality) -> None:
        """Go on with these: the node began anew from an earlier record."""
        self.engine, self.chain, self.finality = engine, chain, finality
        self.step_done()

    # --- accounts and markets ---

    def nonce(self, address: bytes) -> int:
        """Next nonce of an address."""
        return account_nonce(self.engine, address)

    def free_e9(self, address: bytes) -> int:
        """Free collateral of subaccount 0; 0 without an account."""
        view = self.engine.subaccount_view(address, 0)
        return max(0, view["free_e9"]) if view else 0

    def markets(self) -> list[MarketView]:
        """All markets, by number."""
        count = self.engine.chain_view()["market_count"]
        views = (self.engine.market_view(number) for number in range(count))
        return [view for view in views if view is not None]

    def market_named(self, name: str) -> MarketView | None:
        """The market with that name."""
        return next((view for view in self.markets() if view["name"] == name), None)

    # --- blocks and receipts ---

    def block_of_tag(self, tag: str) -> int:
        """Number of the newest block of a stage (Ethereum's tags)."""
        return {
            "earliest": 0,
            "finalized": self.finality.confirmed.block,
            "safe": self.finality.safe.block,
        }.get(tag, self.chain.head.number)

    def batch_of(self, block: Block) -> BatchRow | None:
        """The batch that holds a block; before it is sealed, the newest one."""
        if block.record >= 0:
            return self.store.batch(block.record)
        return self.store.last_batch()

    def find(self, digest: bytes) -> Located | None:
        """An input that has run, or that L1 took back for good."""
        return self.chain.find(digest) or self.chain.replaced(digest)

    def decoded(self, located: Located) -> Receipt:
        """Its receipt, decoded."""
        return decode_receipt(located.receipt)

    async def wait_closed(self, digest: bytes, timeout_s: float = 2.0) -> None:
        """Wait until the block of an input is closed, so that it has its hash."""
        located = self.chain.live(digest)
        if located is None or not self.chain.is_open(located.block):
            return
        try:
            async with asyncio.timeout(timeout_s):
                while self.chain.is_open(located.block):
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._closing.append(future)
                    await future
        except TimeoutError:
            return

    def step_done(self) -> None:
        """Something ran: blocks may have been closed."""
        waiting, self._closing = self._closing, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    # --- logs ---

    def logs(
        self, first: int, last: int, topics: list[list[bytes] | None], limit: int = LOGS_MAX
    ) -> list[LogEntry]:
        """
        Logs of closed blocks `first` to `last` whose topics fit.

        Raises
        ------
        TooManyError
            The range or the number of logs is over the limit.
        """
        last = min(last, self.chain.head.number)
        if last - first >= LOG_BLOCKS_MAX:
            raise TooManyError(f"at most {LOG_BLOCKS_MAX} blocks at once")
        found: list[LogEntry] = []
        for block in self.chain.blocks(first, last):
            for entry in block_logs(block):
                if fits(entry.topics, topics):
                    found.append(entry)
            if len(found) > limit:
                raise TooManyError(f"more than {limit} logs: ask for fewer blocks")
        return found


def events_before(block: Block, index: int) -> int:
    """Logs of a block in front of input `index`."""
    return sum(int.from_bytes(each[_EVENTS], "little") for each in block.receipts[:index])


def block_logs(block: Block) -> Iterator[LogEntry]:
    """All logs of a block, in order."""
    log_index = 0
    for index, receipt in enumerate(block.receipts):
        if receipt[_EVENTS] == b"\0\0":
            continue
        for _, event in decode_receipt(receipt).events:
            topics, data = event_log(event)
            yield LogEntry(block, index, log_index, topics, data)
            log_index += 1


def fits(topics: list[bytes], wanted: list[list[bytes] | None]) -> bool:
    """Whether topics match a filter: None = any, a list = one of."""
    if len(topics) < len(wanted):
        return False
    return all(
        options is None or topic in options for topic, options in zip(topics, wanted, strict=False)
    )


def seq_of(receipt: bytes) -> int:
    """Sequence number of a receipt."""
    return int(RECEIPT_HEAD.unpack_from(receipt)[3])
