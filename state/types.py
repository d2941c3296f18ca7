"""
Types: what the native core answers, given names.

In:  nothing.
Out: `Kind` (the record kinds of the state) and the shapes of the views of `state._native.Engine`.

Holds: amounts are integers with their scale in the name (docs/formats.md §1).
Not here: how the values come about (`state._native`), receipts (`state.receipt`).
"""

from enum import IntEnum
from typing import TypedDict


class Kind(IntEnum):
    """Number of a record kind: its place under the root (docs/formats.md §1)."""

    CHAIN = 0
    ACCOUNT = 1
    ADDRESS_NODE = 2
    SUBACCOUNT = 3
    POSITION = 4
    MARKET = 5
    ORDER = 6
    LEVEL = 7
    TICKS = 8
    CLIENT_IDS = 9
    REPORTER = 10
    REPORT = 11
    WITHDRAWALS = 12
    TAKER = 13


class PositionView(TypedDict):
    """A position slot of a subaccount."""

    market: int
    size_e9: int
    entry_value_e9: int
    value_e9: int
    buys_e9: int
    sells_e9: int
    open_orders: int
    mark_e9: int


class SubaccountView(TypedDict):
    """A subaccount and its margin (trading.md 5.1-5.3)."""

    account: int
    subaccount: int
    balance_e9: int
    equity_e9: int
    im_e9: int
    mm_e9: int
    free_e9: int
    placed_count: int
    open_orders: int
    positions: list[PositionView]


class OrderView(TypedDict):
    """An open order."""

    order_id: int
    client_id: int
    market: int
    buy: bool
    price_e9: int
    open_e9: int
    placed_e9: int
    post_only: bool


class MarketView(TypedDict):
    """A market: its parameters, prices, and the top of its book (0 = that side is empty)."""

    market: int
    name: str
    state: int
    feed: int
    tick_e9: int
    lot_e9: int
    min_notional_e9: int
    imf_ppm: int
    mmf_ppm: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    band_ppm: int
    mark_cap_ppm: int
    stress_ppm: int
    index_e9: int
    mark_e9: int
    index_time_ms: int
    fresh: bool
    open_interest_e9: int
    last_e9: int
    last_time_ms: int
    trades: int
    open_orders: int
    best_bid_e9: int
    best_bid_qty_e9: int
    best_ask_e9: int
    best_ask_qty_e9: int


class ChainView(TypedDict):
    """Chain-wide counters, sinks and the quote asset."""

    account_count: int
    market_count: int
    reporter_count: int
    tick_ms: int
    max_age_ms: int
    fees_e9: int
    rounding_e9: int
    deposits_e9: int
    withdrawals_e9: int
    rejected_deposits_e9: int
    token: bytes
    vault: bytes
    unit_e9: int


class Totals(TypedDict):
    """Both sides of invariant 11.1 of trading.md, and their parts."""

    balances_e9: int
    entry_values_e9: int
    fees_e9: int
    rounding_e9: int
    rejected_deposits_e9: int
    deposits_e9: int
    withdrawals_e9: int
    difference_e9: int
