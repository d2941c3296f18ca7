"""
Receipts: what became of one input.

In:  the binary receipt of docs/formats.md §7, as the native core writes it.
Out: dataclasses; topics and data of the Ethereum logs.

Holds: `encode_receipt(decode_receipt(data)) == data`; sizes are checked before they are used.
Not here: JSON of receipts (`sequencer`), declarations of the events (`state.exchange_abi`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TypeAlias

from eth_hash.auto import keccak

from state.exchange_abi import EVENTS, EventAbi


class InputKind(IntEnum):
    """What the receipt is about."""

    ENVELOPE = 1
    REPORT = 2
    DIRECT = 3


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """A place was applied."""

    owner: bytes
    subaccount: int
    market: int
    buy: bool
    order_id: int
    client_id: int
    price_e9: int
    qty_e9: int
    filled_e9: int
    open_e9: int


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """An order left the book; reason 0 = its owner asked for it."""

    owner: bytes
    subaccount: int
    market: int
    order_id: int
    client_id: int
    qty_e9: int
    reason: int


@dataclass(frozen=True, slots=True)
class OrderReplaced:
    """An order has a new price or open quantity."""

    owner: bytes
    subaccount: int
    market: int
    buy: bool
    order_id: int
    client_id: int
    price_e9: int
    qty_e9: int
    filled_e9: int
    open_e9: int


@dataclass(frozen=True, slots=True)
class Trade:
    """Two orders met at the maker's price; a negative fee is a rebate."""

    market: int
    taker_buy: bool
    price_e9: int
    qty_e9: int
    maker: bytes
    maker_subaccount: int
    maker_order_id: int
    taker: bytes
    taker_subaccount: int
    taker_order_id: int
    maker_fee_e9: int
    taker_fee_e9: int


@dataclass(frozen=True, slots=True)
class OperationRejected:
    """An operation changed nothing."""

    code: int
    reason: int


@dataclass(frozen=True, slots=True)
class Deposited:
    """A deposit of L1 was credited."""

    owner: bytes
    subaccount: int
    amount_e9: int
    direct_index: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A withdrawal can be claimed once its epoch is confirmed."""

    owner: bytes
    subaccount: int
    index: int
    token: bytes
    amount: int
    recipient: bytes
    amount_e9: int


@dataclass(frozen=True, slots=True)
class ReportAccepted:
    """A reporter's price was taken."""

    feed: int
    reporter: int
    price_e9: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Governed:
    """A governance input was applied."""

    op: int


Event: TypeAlias = (
    OrderPlaced
    | OrderCancelled
    | OrderReplaced
    | Trade
    | OperationRejected
    | Deposited
    | Withdrawn
    | ReportAccepted
    | Governed
)

EVENT_TYPES: dict[int, type[Event]] = {
    1: OrderPlaced,
    2: OrderCancelled,
    3: OrderReplaced,
    4: Trade,
    5: OperationRejected,
    6: Deposited,
    7: Withdrawn,
    8: ReportAccepted,
    9: Governed,
}
_NUMBERS = {event_type: number for number, event_type in EVENT_TYPES.items()}
_NAMES = {
    event_type: [field.name for field in fields(event_type)] for event_type in EVENT_TYPES.values()
}


@dataclass(frozen=True, slots=True)
class OperationResult:
    """One operation: its code, and 0 or the number of the reason."""

    code: int
    reason: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one input; `events` carry the place of their operation in the envelope."""

    input_kind: InputKind
    applied: bool
    reason: int
    seq: int
    block: int
    index: int
    hash: bytes
    sender: bytes
    operations: tuple[OperationResult, ...]
    events: tuple[tuple[int, Event], ...]


# Bytes of each ABI type in the binary receipt; integers are little-endian there.
_SIZES = {
    "address": 20,
    "bool": 1,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "uint128": 16,
    "int128": 16,
}
_LAYOUTS = {
    number: [(field.abi_type, _SIZES[field.abi_type]) for field in event.fields]
    for number, event in EVENTS.items()
}
_HEAD_BYTES = 1 + 1 + 2 + 8 + 8 + 4 + 32 + 20 + 2 + 2


def decode_receipt(data: bytes) -> Receipt:
    """Read a binary receipt; ValueError if it is none."""
    if len(data) < _HEAD_BYTES:
        raise ValueError(f"a receipt has at least {_HEAD_BYTES} bytes, not {len(data)}")
    operation_count = int.from_bytes(data[76:78], "little")
    event_count = int.from_bytes(data[78:80], "little")
    at = _HEAD_BYTES + 3 * operation_count
    if len(data) < at:
        raise ValueError("the receipt ends inside its operations")
    operations = tuple(
        OperationResult(data[start], int.from_bytes(data[start + 1 : start + 3], "little"))
        for start in range(_HEAD_BYTES, at, 3)
    )
    events = []
    for _ in range(event_count):
        operation, event, at = _decode_event(data, at)
        events.append((operation, event))
    if at != len(data):
        raise ValueError(f"the receipt has {len(data)} bytes, its content {at}")
    return Receipt(
        InputKind(data[0]),
        bool(data[1]),
        int.from_bytes(data[2:4], "little"),
        int.from_bytes(data[4:12], "little"),
        int.from_bytes(data[12:20], "little"),
        int.from_bytes(data[20:24], "little"),
        data[24:56],
        data[56:76],
        operations,
        tuple(events),
    )


def _decode_event(data: bytes, at: int) -> tuple[int, Event, int]:
    """The operation's place, the event, and where the next one starts."""
    number = data[at] if at < len(data) else 0
    if number not in EVENT_TYPES:
        raise ValueError(f"no event has the number {number}")
    operation = int.from_bytes(data[at + 1 : at + 3], "little")
    at += 3
    values: list[int | bytes] = []
    for abi_type, size in _LAYOUTS[number]:
        raw = data[at : at + size]
        at += size
        if abi_type == "address":
            values.append(raw)
        elif abi_type == "bool":
            values.append(raw == b"\x01")
        else:
            values.append(int.from_bytes(raw, "little", signed=abi_type == "int128"))
    if at > len(data):
        raise ValueError("the receipt ends inside an event")
    # Fields of the class and of the layout are the same list; a test holds them together.
    event: Event = EVENT_TYPES[number](*values)  # type: ignore[arg-type]
    return operation, event, at


def encode_receipt(receipt: Receipt) -> bytes:
    """The binary receipt."""
    out = bytearray([receipt.input_kind, receipt.applied])
    out += receipt.reason.to_bytes(2, "little")
    out += receipt.seq.to_bytes(8, "little")
    out += receipt.block.to_bytes(8, "little")
    out += receipt.index.to_bytes(4, "little")
    out += receipt.hash + receipt.sender
    out += len(receipt.operations).to_bytes(2, "little")
    out += len(receipt.events).to_bytes(2, "little")
    for result in receipt.operations:
        out += bytes([result.code]) + result.reason.to_bytes(2, "little")
    for operation, event in receipt.events:
        number = _NUMBERS[type(event)]
        out += bytes([number]) + operation.to_bytes(2, "little")
        for (abi_type, size), value in zip(_LAYOUTS[number], _values(event), strict=True):
            if isinstance(value, bytes):
                out += value
            else:
                out += value.to_bytes(size, "little", signed=abi_type == "int128")
    return bytes(out)


def _values(event: Event) -> list[int | bytes]:
    return [getattr(event, name) for name in _NAMES[type(event)]]


def logs(receipt: Receipt) -> list[tuple[list[bytes], bytes]]:
    """Topics and data of the Ethereum log of each event, in order."""
    return [event_log(event) for _, event in receipt.events]


def event_log(event: Event) -> tuple[list[bytes], bytes]:
    """Topics and data of one event: every field is one word, indexed ones are topics."""
    abi: EventAbi = EVENTS[_NUMBERS[type(event)]]
    topics, data = [abi.topic], list[bytes]()
    for field, value in zip(abi.fields, _values(event), strict=True):
        if isinstance(value, bytes):
            word = value.rjust(32, b"\0")
        else:
            word = value.to_bytes(32, "big", signed=value < 0)
        (topics if field.indexed else data).append(word)
    return topics, b"".join(data)


def receipt_leaf(data: bytes) -> bytes:
    """The leaf of a binary receipt in the tree of its commit group."""
    return keccak(data)
