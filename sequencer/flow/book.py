"""
A copy of our book, in which the planner sees what its orders will do before it sends them.

In:  places, replaces and cancels of makers, and takers, in the order of execution.
Out: `Order` at a level, best levels, what a taker fills.

One order per price level, as the flow places them; so price-time priority is price priority.
Holds: no level has zero lots.
"""

from dataclasses import dataclass
from heapq import heappop, heappush

FILLS_PER_TAKER_MAX = 64
"""A taker's rest is cancelled after so many fills (trading.md, limits)."""


@dataclass(slots=True)
class Order:
    """A resting order: `lots` are open, `maker` owns it under `client_id`."""

    lots: int
    maker: int
    client_id: int


class Side:
    """One side of the book; ticks are compared by `sign * tick`, lowest first."""

    __slots__ = ("_heap", "orders", "sign")

    def __init__(self, *, bids: bool) -> None:
        self.sign = -1 if bids else 1
        self.orders: dict[int, Order] = {}
        self._heap: list[int] = []  # every level, and some that are gone; cleaned when met

    def add(self, tick: int, order: Order) -> None:
        """Put `order` at an empty level."""
        self.orders[tick] = order
        heappush(self._heap, self.sign * tick)

    def best(self) -> int | None:
        """Tick of the best level; None if the side is empty."""
        heap, orders = self._heap, self.orders
        while heap:
            tick = self.sign * heap[0]
            if tick in orders:
                return tick
            heappop(heap)
        return None

    def take(self, limit: int, lots: int) -> list[tuple[int, Order, int]]:
        """Fill up to `lots` at `limit` or better: `(tick, order, lots filled)` best first."""
        fills: list[tuple[int, Order, int]] = []
        while lots and len(fills) < FILLS_PER_TAKER_MAX:
            tick = self.best()
            if tick is None or self.sign * tick > self.sign * limit:
                break
            order = self.orders[tick]
            filled = min(lots, order.lots)
            order.lots -= filled
            lots -= filled
            if not order.lots:
                del self.orders[tick]
            fills.append((tick, order, filled))
        return fills


class Book:
    """Both sides."""

    def __init__(self) -> None:
        self.bids = Side(bids=True)
        self.asks = Side(bids=False)

    def side(self, *, buy: bool) -> Side:
        """The side on which a buy (or sell) order rests."""
        return self.bids if buy else self.asks

    def mid_half_ticks(self) -> int | None:
        """Best bid plus best ask, in ticks: twice the middle; None without both sides."""
        bid, ask = self.bids.best(), self.asks.best()
        return None if bid is None or ask is None else bid + ask
