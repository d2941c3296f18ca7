"""
Views: the `view` functions of IExchange, answered from the engine.

In:  calldata of an `eth_call` to the exchange.
Out: ABI-encoded results.

Holds: names, types and order come from the published ABI; what it does not know reverts.
Not here: writing functions (they are envelopes: `state/stf`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from bridge.l1.contracts import Entry, abi
from sequencer.rpc import errors
from sequencer.verifier import account_nonce
from state._native import Engine

_SUBACCOUNTS = 16


def answer(engine: Engine, calldata: bytes) -> bytes:
    """
    Answer a call.

    Raises
    ------
    RpcError
        No such view, or arguments that do not decode.
    """
    entry = _entries().get(calldata[:4])
    view = None if entry is None else _VIEWS.get(entry.name)
    if entry is None or view is None:
        raise errors.reverted("no view of IExchange has this selector")
    try:
        arguments = decode(entry.types, calldata[4:])
    except DecodingError as exc:
        raise errors.reverted(f"arguments of {entry.name} do not decode") from exc
    return bytes(encode(entry.outputs, view(engine, *arguments)))


def _entries() -> dict[bytes, Entry]:
    if not _BY_SELECTOR:
        _BY_SELECTOR.update(
            {entry.selector: entry for entry in abi("IExchange").functions.values()}
        )
    return _BY_SELECTOR


_BY_SELECTOR: dict[bytes, Entry] = {}


def _address(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _account(engine: Engine, owner: str) -> tuple[Any, ...]:
    address = _address(owner)
    return engine.account_index(address), account_nonce(engine, address)


def _subaccount(engine: Engine, owner: str, number: int) -> tuple[Any, ...]:
    view = engine.subaccount_view(_address(owner), number) if number < _SUBACCOUNTS else None
    if view is None:
        return 0, 0, 0, 0, 0, 0
    return (
        view["balance_e9"],
        view["equity_e9"],
        view["im_e9"],
        view["mm_e9"],
        view["free_e9"],
        view["open_orders"],
    )


def _position(engine: Engine, owner: str, number: int, market: int) -> tuple[Any, ...]:
    view = engine.subaccount_view(_address(owner), number) if number < _SUBACCOUNTS else None
    for each in view["positions"] if view else []:
        if each["market"] == market and each["size_e9"]:
            # Without a mark there is no value to compare with.
            unrealised = each["value_e9"] - each["entry_value_e9"] if each["mark_e9"] else 0
            return each["size_e9"], each["entry_value_e9"], unrealised
    return 0, 0, 0


def _open_order(engine: Engine, owner: str, number: int, client_id: int) -> tuple[Any, ...]:
    orders = engine.open_orders(_address(owner), number) if number < _SUBACCOUNTS else []
    for each in orders:
        if each["client_id"] == client_id:
            return (
                each["order_id"],
                each["market"],
                each["buy"],
                each["price_e9"],
                each["open_e9"],
                each["placed_e9"],
                each["post_only"],
            )
    return 0, 0, False, 0, 0, 0, False


def _book_top(engine: Engine, market: int) -> tuple[Any, ...]:
    view = engine.market_view(market)
    if view is None:
        return 0, 0, 0, 0, 0, 0
    return (
        view["best_bid_e9"],
        view["best_bid_qty_e9"],
        view["best_ask_e9"],
        view["best_ask_qty_e9"],
        view["mark_e9"],
        view["index_e9"],
    )


def _market(engine: Engine, number: int) -> tuple[Any, ...]:
    view = engine.market_view(number)
    if view is None:
        raise errors.reverted(f"there is no market {number}")
    return (
        view["name"],
        view["state"],
        view["feed"],
        view["tick_e9"],
        view["lot_e9"],
        view["min_notional_e9"],
        view["imf_ppm"],
        view["mmf_ppm"],
        view["maker_fee_ppm"],
        view["taker_fee_ppm"],
        view["band_ppm"],
        view["open_orders"],
        view["open_interest_e9"],
        view["last_e9"],
        view["mark_e9"],
        view["index_e9"],
        view["index_time_ms"],
        view["fresh"],
    )


_VIEWS: dict[str, Callable[..., tuple[Any, ...]]] = {
    "account": _account,
    "subaccount": _subaccount,
    "position": _position,
    "openOrder": _open_order,
    "bookTop": _book_top,
    "market": _market,
}
