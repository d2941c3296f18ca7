"""
Maker: a bot that quotes a ladder on both sides of the oracle price.

In:  what the public interface says: index, position, which of its orders are still there.
Out: one `batch` a round: replaces of orders that are there, places of those that are not.

Holds: it keeps no memory of its orders, so restarts of it or of the node change nothing; its
quotes are post-only; one market has at most `2 * LEVELS` orders of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sequencer.sdk.account import Account
from sequencer.sdk.client import Client, NodeUnreachableError, RpcError
from sequencer.sdk.views import (
    MarketView,
    OrderView,
    ask,
    ask_many,
    market_view,
    order_view,
    position_view,
)
from state.tx import Cancel, Operation, Place, Replace

LEVELS = 5
INTERVAL_S = 1.0
BACKOFF_S = 2.0
PPM = 1_000_000
E9 = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Style:
    """How a bot quotes."""

    half_spread_ppm: int = 150
    step_ppm: int = 100
    level_usd_e9: int = 5_000 * E9
    position_usd_e9_max: int = 250_000 * E9


@dataclass(frozen=True, slots=True)
class Quote:
    """What should rest under one client id."""

    client_id: int
    buy: bool
    price_e9: int
    qty_e9: int


def ladder(market: MarketView, position_e9: int, style: Style) -> list[Quote]:
    """
    The quotes for a market; none without a fresh index.

    The middle leans against the position, and the side that would make a full position larger is
    left out. Bids round down and asks up, so that the spread is never narrower than asked for.
    """
    if not market.fresh or not market.index_e9:
        return []
    index = market.index_e9
    position_usd_e9 = position_e9 * index // E9
    lean = max(-PPM, min(PPM, position_usd_e9 * PPM // style.position_usd_e9_max))
    middle = index - index * style.half_spread_ppm * lean // PPM**2
    qty = style.level_usd_e9 * E9 // index // market.lot_e9 * market.lot_e9
    if qty * index < market.min_notional_e9 * E9:
        return []
    quotes: list[Quote] = []
    for buy in (True, False):
        if (lean >= PPM and buy) or (lean <= -PPM and not buy):
            continue
        for level in range(LEVELS):
            away = middle * (style.half_spread_ppm + level * style.step_ppm) // PPM
            if buy:
                ticks = (middle - away) // market.tick_e9
            else:
                ticks = -(-(middle + away) // market.tick_e9)
            client_id = 1 + level + (0 if buy else LEVELS)
            quotes.append(Quote(client_id, buy, ticks * market.tick_e9, qty))
    return quotes


def operations(
    number: int, base_id: int, quotes: list[Quote], resting: dict[int, OrderView]
) -> list[Operation]:
    """
    What turns the orders that are there into `quotes`.

    Cancels first. If the middle rises the asks move before the bids, else the bids before the asks,
    so that the bot never runs into its own orders.
    """
    kept = {base_id + quote.client_id for quote in quotes}
    wanted: list[Operation] = [Cancel(number, i) for i in resting if i not in kept]
    rise_e9 = sum(
        quote.price_e9 - order.price_e9
        for quote in quotes
        if (order := resting.get(base_id + quote.client_id)) is not None
    )
    for quote in sorted(quotes, key=lambda quote: quote.buy == (rise_e9 > 0)):
        client_id = base_id + quote.client_id
        order = resting.get(client_id)
        if order is None:
            price_e9, qty_e9 = quote.price_e9, quote.qty_e9
            wanted.append(
                Place(number, quote.buy, price_e9, qty_e9, post_only=True, client_id=client_id)
            )
        elif (order.price_e9, order.open_e9) != (quote.price_e9, quote.qty_e9):
            wanted.append(Replace(number, client_id, quote.price_e9, quote.qty_e9))
    return wanted


class Maker:
    """One account that quotes on some markets."""

    def __init__(self, account: Account, markets: list[int], style: Style | None = None) -> None:
        self.account = account
        self._markets = markets
        self._style = style or Style()

    async def round(self, node: Client) -> int:
        """Bring the quotes of all markets up to date; how many operations that took."""
        sent = 0
        for number in self._markets:
            base_id = number * 100  # client ids are unique over all markets of the account
            owner = self.account.address
            market = await ask(node, market_view(number))
            position = await ask(node, position_view(owner, number))
            ids = [base_id + 1 + i for i in range(2 * LEVELS)]
            orders = await ask_many(node, [order_view(owner, client_id) for client_id in ids])
            resting = {i: o for i, o in zip(ids, orders, strict=True) if o.order_id}
            quotes = ladder(market, position.size_e9, self._style)
            wanted = operations(number, base_id, quotes, resting)
            if wanted:
                await self.account.send_and_wait(node, wanted)
                sent += len(wanted)
        return sent

    async def run(self, node: Client, interval_s: float = INTERVAL_S) -> None:
        """Quote until cancelled. After an error it asks for its nonce and tries again."""
        stale = True
        while True:
            try:
                if stale:
                    await self.account.refresh(node)
                    stale = False
                await self.round(node)
                await asyncio.sleep(interval_s)
            except (RpcError, NodeUnreachableError):
                stale = True
                await asyncio.sleep(BACKOFF_S)
