"""
Plan: turns a recorded feed into the envelopes of market makers and takers.

In:  `FeedRecord`s in order.
Out: `Envelope`s in the order in which they must be executed, without nonces or signatures.

A level update is what some maker did there: it becomes a place, a replace or a cancel of the one
order that we rest on that level. A trade becomes a taker's order. An update that would change
nothing in our book becomes nothing.

Holds: executed in this order, no post-only order crosses, no account rests more than
`SLOTS_PER_ACCOUNT` orders, and client ids are unique among the open orders of an account.
Pure: no clock, no randomness. Not here: encoding and signing (`sequencer.flow.prepare`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sequencer.flow.book import Book, Order
from sequencer.flow.feed import DepthSnapshot, DepthUpdate, FeedRecord, FeedTrade, Levels

BAND_TICKS = 200
OPERATIONS_PER_ENVELOPE = 20
HOLD_MS = 250
"""A maker's operations wait at most so long for company, in feed time."""

MAKERS_MIN = 50
TAKERS = 200
SLOTS_PER_ACCOUNT = 256
PPM = 1_000_000

CODE_PLACE, CODE_CANCEL, CODE_REPLACE = 1, 2, 4


class Operation(NamedTuple):
    """One operation of an envelope; cancels have no price and no size."""

    code: int
    buy: bool
    tick: int
    lots: int
    client_id: int


class Envelope(NamedTuple):
    """What one account signs at once. `taker` = its only operation is immediate or cancel."""

    time_ms: int
    account: int
    operations: tuple[Operation, ...]
    taker: bool
    mid_half_ticks: int


@dataclass(slots=True)
class Limits:
    """How the plan deals with the market it is for."""

    band_ppm: int = 100_000
    slippage_ppm: int = 500
    makers_min: int = MAKERS_MIN
    takers: int = TAKERS


@dataclass(slots=True)
class Counts:
    """What the plan holds and what it left out."""

    level_updates: int = 0
    places: int = 0
    replaces: int = 0
    cancels: int = 0
    takers: int = 0
    envelopes: int = 0
    skipped_unchanged: int = 0
    skipped_out_of_band: int = 0
    takers_expected_filled: int = 0
    fills_expected: int = 0
    open_orders_max: int = 0
    account_orders_max: int = 0
    makers: int = 0

    @property
    def operations(self) -> int:
        """Level operations plus takers."""
        return self.places + self.replaces + self.cancels + self.takers


@dataclass(slots=True)
class _Maker:
    """A market maker: its open orders, and the operations that it has not sent yet."""

    index: int
    bands: int = 0
    open_count: int = 0
    since_ms: int = 0
    pending: list[Operation] = field(default_factory=list)
    # The most aggressive level of each side with a cancel in `pending`, as `sign * tick`.
    cancel_bid: int | None = None
    cancel_ask: int | None = None


class Planner:
    """Feed in, envelopes out. One instance plans one run."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.counts = Counts()
        self.book = Book()
        self._makers = [_Maker(i) for i in range(self.limits.makers_min)]
        self._band_owner: dict[int, tuple[_Maker, int]] = {}  # band -> owner, first client id
        self._waiting: dict[int, _Maker] = {}  # makers with pending operations, oldest first
        self._out: list[Envelope] = []
        self._now_ms = 0
        self._mid = 0
        self._last_id: dict[int, int] | None = {}  # tick -> last update id, until the snapshot
        self._snapshot_id = 0

    @property
    def accounts(self) -> int:
        """How many accounts the plan uses so far: takers first, then makers."""
        return self.limits.takers + len(self._makers)

    def plan(self, records: Iterable[FeedRecord]) -> Iterator[Envelope]:
        """Yield the envelopes for `records`, and after the last record what still waits."""
        for record in records:
            self._now_ms = record.time_ms
            self._send_due()
            if isinstance(record, DepthUpdate):
                self._update(record)
            elif isinstance(record, FeedTrade):
                self._trade(record)
            else:
                self._snapshot(record)
            yield from self._drain()
        self._send_all()
        yield from self._drain()

    # --- what the feed says

    def _update(self, update: DepthUpdate) -> None:
        self.counts.level_updates += len(update.bids) + len(update.asks)
        if update.last_id <= self._snapshot_id:
            return
        if self._last_id is not None:
            for tick, _ in (*update.bids, *update.asks):
                self._last_id[tick] = update.last_id
        self._apply(update.bids, update.asks)

    def _snapshot(self, snapshot: DepthSnapshot) -> None:
        """Take the snapshot's levels, except where a newer update has spoken."""
        known = self._last_id or {}
        self._last_id, self._snapshot_id = None, snapshot.last_id

        def fresh(tick: int) -> bool:
            return known.get(tick, 0) <= snapshot.last_id

        sides: list[Levels] = []
        for levels, side in ((snapshot.bids, self.book.bids), (snapshot.asks, self.book.asks)):
            wanted = {tick: lots for tick, lots in levels if fresh(tick)}
            worst = side.sign * levels[-1][0] if levels else 0
            for tick in side.orders:
                if side.sign * tick <= worst and fresh(tick):
                    wanted.setdefault(tick, 0)
            sides.append(list(wanted.items()))
        self._apply(*sides)

    def _apply(self, bids: Levels, asks: Levels) -> None:
        """Cancels and reductions first, then what makes the book larger."""
        larger: list[tuple[bool, int, int]] = []
        for buy, levels in ((True, bids), (False, asks)):
            orders = self.book.side(buy=buy).orders
            for tick, lots in levels:
                order = orders.get(tick)
                if lots == (order.lots if order else 0):
                    self.counts.skipped_unchanged += 1
                elif order is None or lots > order.lots:
                    larger.append((buy, tick, lots))
                elif lots:
                    self._replace(order, buy=buy, tick=tick, lots=lots)
                else:
                    self._cancel(order, buy=buy, tick=tick)
        for buy, tick, lots in larger:
            order = self.book.side(buy=buy).orders.get(tick)
            if order is not None:
                self._replace(order, buy=buy, tick=tick, lots=lots)
            elif self._in_band(tick):
                self._place(buy=buy, tick=tick, lots=lots)
            else:
                self.counts.skipped_out_of_band += 1
        self._mid = self.book.mid_half_ticks() or self._mid

    def _trade(self, trade: FeedTrade) -> None:
        self._send_all()
        limits, counts = self.limits, self.counts
        slippage = trade.tick * limits.slippage_ppm // PPM
        limit = trade.tick + slippage if trade.buy else trade.tick - slippage
        account, client_id = counts.takers % limits.takers, 1 + counts.takers // limits.takers
        fills = self.book.side(buy=not trade.buy).take(limit, trade.lots)
        for _, order, _ in fills:
            if not order.lots:
                self._makers[order.maker].open_count -= 1
        operation = Operation(CODE_PLACE, trade.buy, limit, trade.lots, client_id)
        self._mid = self._mid or 2 * trade.tick
        self._emit(account, (operation,), taker=True)
        counts.takers += 1
        counts.fills_expected += len(fills)
        counts.takers_expected_filled += sum(lots for _, _, lots in fills) == trade.lots

    # --- what makers do

    def _in_band(self, tick: int) -> bool:
        if not self._mid:
            return True
        return abs(2 * tick - self._mid) * PPM <= self._mid * self.limits.band_ppm

    def _place(self, *, buy: bool, tick: int, lots: int) -> None:
        self._clear_the_way(buy=buy, tick=tick)
        maker, client_id = self._owner(tick)
        self.book.side(buy=buy).add(tick, Order(lots, maker.index, client_id))
        maker.open_count += 1
        self.counts.places += 1
        self.counts.account_orders_max = max(self.counts.account_orders_max, maker.open_count)
        self._queue(maker, Operation(CODE_PLACE, buy, tick, lots, client_id))

    def _replace(self, order: Order, *, buy: bool, tick: int, lots: int) -> None:
        order.lots = lots
        self.counts.replaces += 1
        operation = Operation(CODE_REPLACE, buy, tick, lots, order.client_id)
        self._queue(self._makers[order.maker], operation)

    def _cancel(self, order: Order, *, buy: bool, tick: int) -> None:
        del self.book.side(buy=buy).orders[tick]
        maker = self._makers[order.maker]
        maker.open_count -= 1
        self.counts.cancels += 1
        if buy:
            maker.cancel_bid = tick if maker.cancel_bid is None else max(maker.cancel_bid, tick)
        else:
            maker.cancel_ask = tick if maker.cancel_ask is None else min(maker.cancel_ask, tick)
        self._queue(maker, Operation(CODE_CANCEL, buy, 0, 0, order.client_id))

    def _clear_the_way(self, *, buy: bool, tick: int) -> None:
        """Cancel what a new order would cross, and send the cancels that it relies on."""
        against = self.book.side(buy=not buy)
        best = against.best()
        while best is not None and against.sign * best <= against.sign * tick:
            self._cancel(against.orders[best], buy=not buy, tick=best)
            best = against.best()
        for maker in list(self._waiting.values()):
            level = maker.cancel_ask if buy else maker.cancel_bid
            if level is not None and (level <= tick if buy else level >= tick):
                self._send(maker)

    def _owner(self, tick: int) -> tuple[_Maker, int]:
        """The maker for a new order at `tick`, and the client id for it."""
        band, offset = divmod(tick, BAND_TICKS)
        owned = self._band_owner.get(band)
        if owned is None or owned[0].open_count >= SLOTS_PER_ACCOUNT:
            maker = min(self._makers, key=lambda maker: (maker.open_count, maker.bands))
            if maker.open_count >= SLOTS_PER_ACCOUNT - BAND_TICKS // 2:
                maker = _Maker(len(self._makers))
                self._makers.append(maker)
            # Ids grow with the price inside a band, so that they differ little in an envelope.
            owned = maker, 1 + maker.bands * BAND_TICKS
            maker.bands += 1
            self._band_owner[band] = owned
        return owned[0], owned[1] + offset

    # --- what goes out, and when

    def _queue(self, maker: _Maker, operation: Operation) -> None:
        if not maker.pending:
            maker.since_ms = self._now_ms
            self._waiting[maker.index] = maker
        maker.pending.append(operation)
        if len(maker.pending) >= OPERATIONS_PER_ENVELOPE:
            self._send(maker)

    def _send_due(self) -> None:
        while self._waiting:
            maker = next(iter(self._waiting.values()))
            if maker.since_ms + HOLD_MS > self._now_ms:
                return
            self._send(maker)

    def _send_all(self) -> None:
        for maker in list(self._waiting.values()):
            self._send(maker)

    def _send(self, maker: _Maker) -> None:
        del self._waiting[maker.index]
        operations = tuple(maker.pending)
        maker.pending.clear()
        maker.cancel_bid = maker.cancel_ask = None
        self._emit(self.limits.takers + maker.index, operations, taker=False)

    def _emit(self, account: int, operations: tuple[Operation, ...], *, taker: bool) -> None:
        self.counts.envelopes += 1
        self._out.append(Envelope(self._now_ms, account, operations, taker, self._mid))

    def _drain(self) -> list[Envelope]:
        out, self._out = self._out, []
        counts = self.counts
        resting = len(self.book.bids.orders) + len(self.book.asks.orders)
        counts.open_orders_max = max(counts.open_orders_max, resting)
        counts.makers = len(self._makers)
        return out
