"""
The `public/*` methods: market data under Deribit's names.

In:  instrument names.
Out: what Deribit's clients expect, as far as the data exist; decimals as exact strings.

Holds: fields without data are left out, never filled with a guess.
Not here: private methods and streams (a later issue).
"""

from __future__ import annotations

from typing import Any

from sequencer.rpc import errors
from sequencer.rpc.context import Context
from sequencer.rpc.methods import method
from sequencer.rpc.params import Params
from state._native import version
from state.types import MarketView

E9 = 1_000_000_000
PPM = 1_000_000
_DEPTH_MAX = 1_000
_STATES = ("open", "reduce_only", "halted")


def decimal(value_e9: int) -> str:
    """An integer of 1e-9 as an exact decimal string."""
    sign = "-" if value_e9 < 0 else ""
    whole, rest = divmod(abs(value_e9), E9)
    return f"{sign}{whole}.{rest:09d}".rstrip("0").rstrip(".") if rest else f"{sign}{whole}"


def _ppm(value_ppm: int) -> str:
    return decimal(value_ppm * 1_000)


@method("public/test", runs="loop")
def test(_: Context, __: Params) -> dict[str, str]:
    """Whether the node answers."""
    return {"version": version()}


@method("public/get_time", runs="loop")
def get_time(context: Context, _: Params) -> int:
    """The node's clock, ms."""
    return context.now_ms()


@method("public/get_instruments", "currency", "kind", "expired")
def get_instruments(context: Context, params: Params) -> list[dict[str, Any]]:
    """All instruments, or those of one currency or kind."""
    currency = params.text("currency", default="any")
    kind = params.text("kind", default="any")
    if params.flag("expired") or kind not in ("any", "future"):
        return []
    shapes = [_instrument(view) for view in context.queries.markets()]
    if currency == "any":
        return shapes
    return [
        shape
        for shape in shapes
        if currency.upper() in (shape["base_currency"], shape["quote_currency"])
    ]


@method("public/get_instrument", "instrument_name")
def get_instrument(context: Context, params: Params) -> dict[str, Any]:
    """One instrument."""
    return _instrument(_market(context, params))


@method("public/get_order_book", "instrument_name", "depth")
def get_order_book(context: Context, params: Params) -> dict[str, Any]:
    """Bids and asks, best first."""
    depth = params.uint("depth", default=20, maximum=_DEPTH_MAX)
    view = _market(context, params)
    engine = context.queries.engine
    bids, asks = engine.book(view["market"], max(1, depth))
    shape = _summary(context, view)
    shape["bids"] = [[decimal(price), decimal(qty)] for price, qty in bids]
    shape["asks"] = [[decimal(price), decimal(qty)] for price, qty in asks]
    # Both sides were read at once; the summary a moment before.
    for name, side in (("bid", bids), ("ask", asks)):
        price, qty = side[0] if side else (0, 0)
        shape[f"best_{name}_price"] = decimal(price) if side else None
        shape[f"best_{name}_amount"] = decimal(qty)
    shape["change_id"] = engine.next_seq
    return shape


@method("public/ticker", "instrument_name")
def ticker(context: Context, params: Params) -> dict[str, Any]:
    """Prices of one instrument."""
    return _summary(context, _market(context, params))


def _market(context: Context, params: Params) -> MarketView:
    name = params.text("instrument_name")
    view = context.queries.market_named(name)
    if view is None:
        known = ", ".join(each["name"] for each in context.queries.markets())
        raise errors.invalid_params("instrument_name", f"unknown: {name}", f"known are: {known}")
    return view


def _instrument(view: MarketView) -> dict[str, Any]:
    base = view["name"].partition("-")[0]
    return {
        "instrument_name": view["name"],
        "instrument_id": view["market"],
        "kind": "future",
        "instrument_type": "linear",
        "settlement_period": "perpetual",
        "base_currency": base,
        "quote_currency": "USD",
        "counter_currency": "USD",
        "settlement_currency": "USD",
        "price_index": f"{base.lower()}_usd",
        "tick_size": decimal(view["tick_e9"]),
        "min_trade_amount": decimal(view["lot_e9"]),
        "amount_step": decimal(view["lot_e9"]),
        "contract_size": "1",
        "maker_commission": _ppm(view["maker_fee_ppm"]),
        "taker_commission": _ppm(view["taker_fee_ppm"]),
        "max_leverage": PPM // view["imf_ppm"],
        "is_active": view["state"] == 0,
        "state": _STATES[view["state"]],
        "min_notional": decimal(view["min_notional_e9"]),
        "initial_margin": _ppm(view["imf_ppm"]),
        "maintenance_margin": _ppm(view["mmf_ppm"]),
        "price_band": _ppm(view["band_ppm"]),
        "feed": view["feed"],
        "price_scale": 9,
        "amount_scale": 9,
    }


def _summary(context: Context, view: MarketView) -> dict[str, Any]:
    best_bid, best_ask = view["best_bid_e9"], view["best_ask_e9"]
    return {
        "instrument_name": view["name"],
        "timestamp": context.now_ms(),
        "state": "open"
        if view["state"] == 0 and view["fresh"]
        else "reduce_only"
        if view["state"] <= 1
        else "halted",
        "best_bid_price": decimal(best_bid) if best_bid else None,
        "best_bid_amount": decimal(view["best_bid_qty_e9"]),
        "best_ask_price": decimal(best_ask) if best_ask else None,
        "best_ask_amount": decimal(view["best_ask_qty_e9"]),
        "last_price": decimal(view["last_e9"]) if view["last_e9"] else None,
        "mark_price": decimal(view["mark_e9"]),
        "index_price": decimal(view["index_e9"]),
        "index_timestamp": view["index_time_ms"],
        "index_fresh": view["fresh"],
        "open_interest": decimal(view["open_interest_e9"]),
        "trades": view["trades"],
    }
