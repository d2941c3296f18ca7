"""
Exchange ABI: the events of the exchange as Ethereum tools see them.

In:  nothing.
Out: for each event its number in receipts, its fields, its topic.

Holds: same names, types and order as `IExchange.sol`, which a test compares; the order is
also that of the binary receipt (docs/formats.md §7).
Not here: functions and views (the artifact of `IExchange.sol`), receipts (`state.receipt`).
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_hash.auto import keccak


@dataclass(frozen=True, slots=True)
class EventField:
    """A field of an event; an indexed one becomes a topic."""

    name: str
    abi_type: str
    indexed: bool


@dataclass(frozen=True, slots=True)
class EventAbi:
    """An event: type number in receipts, name, fields, and topic 0."""

    number: int
    name: str
    fields: tuple[EventField, ...]
    topic: bytes


def _event(number: int, declaration: str) -> EventAbi:
    """Read a declaration as Solidity has it: `Name(type indexed name, ...)`."""
    name, _, rest = declaration.partition("(")
    fields = []
    for part in rest.removesuffix(")").split(","):
        abi_type, *indexed, field = part.split()
        fields.append(EventField(field, abi_type, indexed == ["indexed"]))
    signature = f"{name}({','.join(field.abi_type for field in fields)})"
    return EventAbi(number, name, tuple(fields), keccak(signature.encode()))


_ORDER = (
    "(address indexed owner, uint32 subaccount, uint32 indexed market, bool buy,"
    " uint64 indexed orderId, uint64 clientId, uint64 priceE9, uint64 qtyE9,"
    " uint64 filledE9, uint64 openE9)"
)

EVENTS: dict[int, EventAbi] = {
    event.number: event
    for event in (
        _event(1, "OrderPlaced" + _ORDER),
        _event(
            2,
            "OrderCancelled(address indexed owner, uint32 subaccount, uint32 indexed market,"
            " uint64 indexed orderId, uint64 clientId, uint64 qtyE9, uint16 reason)",
        ),
        _event(3, "OrderReplaced" + _ORDER),
        _event(
            4,
            "Trade(uint32 indexed market, bool takerBuy, uint64 priceE9, uint64 qtyE9,"
            " address indexed maker, uint32 makerSubaccount, uint64 makerOrderId,"
            " address indexed taker, uint32 takerSubaccount, uint64 takerOrderId,"
            " int128 makerFeeE9, int128 takerFeeE9)",
        ),
        _event(5, "OperationRejected(uint8 code, uint16 reason)"),
        _event(
            6,
            "Deposited(address indexed owner, uint32 subaccount, int128 amountE9,"
            " uint64 indexed directIndex)",
        ),
        _event(
            7,
            "Withdrawn(address indexed owner, uint32 subaccount, uint64 indexed index,"
            " address token, uint128 amount, address recipient, int128 amountE9)",
        ),
        _event(
            8,
            "ReportAccepted(uint32 indexed feed, uint8 reporter, uint64 priceE9, uint64 timeMs)",
        ),
        _event(9, "Governed(uint8 op)"),
    )
}
