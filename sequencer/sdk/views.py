"""
Views: what the exchange says about markets and accounts, by `eth_call`.

In:  a `Client`, or nothing: each view is a call that can also go into a JSON-RPC batch.
Out: typed answers; the fields are those of `IExchange`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from eth_abi.abi import decode, encode
from eth_hash.auto import keccak

from sequencer.sdk.client import Call, Client, RpcError
from state.tx import EXCHANGE

T = TypeVar("T")
Made_co = TypeVar("Made_co", covariant=True)


REVERTED = 3
"""The code of an `eth_call` that reverts."""


@dataclass(frozen=True, slots=True)
class BookTop:
    """Best bid and ask, mark and index; 0 = there is none."""

    bid_price_e9: int
    bid_qty_e9: int
    ask_price_e9: int
    ask_qty_e9: int
    mark_e9: int
    index_e9: int


@dataclass(frozen=True, slots=True)
class MarketView:
    """A market and its parameters."""

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
    open_orders: int
    open_interest_e9: int
    last_e9: int
    mark_e9: int
    index_e9: int
    index_time_ms: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class AccountView:
    """An owner; `index` 0 = no account yet."""

    index: int
    nonce: int


@dataclass(frozen=True, slots=True)
class SubaccountView:
    """Money and margin of a subaccount."""

    balance_e9: int
    equity_e9: int
    initial_margin_e9: int
    maintenance_margin_e9: int
    free_e9: int
    open_orders: int


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position; a negative size is short."""

    size_e9: int
    entry_value_e9: int
    unrealised_e9: int


@dataclass(frozen=True, slots=True)
class OrderView:
    """An open order; `order_id` 0 = there is none with this client id."""

    order_id: int
    market: int
    buy: bool
    price_e9: int
    open_e9: int
    placed_e9: int
    post_only: bool


class _Made(Protocol[Made_co]):
    def __call__(self, *fields: Any) -> Made_co: ...


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """One question to the exchange."""

    call: Call
    outputs: tuple[str, ...]
    made: _Made[T]

    def read(self, answer: str) -> T:
        """The typed answer."""
        return self.made(*decode(self.outputs, bytes.fromhex(answer[2:])))


def book_top(market: int) -> View[BookTop]:
    """Best prices of a market."""
    return _view("bookTop(uint32)", [market], ("uint64",) * 6, BookTop)


def market_view(number: int) -> View[MarketView]:
    """A market."""
    outputs = (
        *("string", "uint8", "uint32", "uint64", "uint64", "uint64", "uint32", "uint32"),
        *("int32", "uint32", "uint32", "uint32"),
        *("uint64", "uint64", "uint64", "uint64", "uint64", "bool"),
    )
    return _view("market(uint32)", [number], outputs, MarketView)


def account_view(owner: bytes) -> View[AccountView]:
    """An owner's account."""
    return _view("account(address)", [owner], ("uint32", "uint64"), AccountView)


def subaccount_view(owner: bytes, number: int = 0) -> View[SubaccountView]:
    """Money and margin."""
    outputs = ("int256", "int256", "uint256", "uint256", "int256", "uint32")
    return _view("subaccount(address,uint32)", [owner, number], outputs, SubaccountView)


def position_view(owner: bytes, market: int, number: int = 0) -> View[PositionView]:
    """A position."""
    outputs = ("int64", "int256", "int256")
    signature = "position(address,uint32,uint32)"
    return _view(signature, [owner, number, market], outputs, PositionView)


def order_view(owner: bytes, client_id: int, number: int = 0) -> View[OrderView]:
    """An open order by its client id."""
    outputs = ("uint64", "uint32", "bool", "uint64", "uint64", "uint64", "bool")
    return _view("openOrder(address,uint32,uint64)", [owner, number, client_id], outputs, OrderView)


async def ask(node: Client, view: View[T]) -> T:
    """The answer to one question."""
    return view.read(await node.call(view.call[0], *view.call[1]))


async def ask_or_none(node: Client, view: View[T]) -> T | None:
    """The answer to one question; None if what it is about does not exist."""
    try:
        return await ask(node, view)
    except RpcError as error:
        if error.code == REVERTED:
            return None
        raise


async def ask_many(node: Client, views: Sequence[View[T]]) -> list[T]:
    """The answers to several questions of one kind, in one request."""
    answers = await node.call_many([view.call for view in views])
    for answer in answers:
        if isinstance(answer, RpcError):
            raise answer
    return [view.read(answer) for view, answer in zip(views, answers, strict=True)]


def _view(
    signature: str, arguments: list[Any], outputs: tuple[str, ...], made: _Made[T]
) -> View[T]:
    inputs = signature[signature.index("(") + 1 : -1].split(",")
    data = keccak(signature.encode())[:4] + encode(inputs, arguments)
    request = {"to": "0x" + EXCHANGE.hex(), "data": "0x" + data.hex()}
    return View(("eth_call", [request, "latest"]), outputs, made)
