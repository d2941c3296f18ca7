"""
Operations: what a user can ask of the exchange, and the bytes that say it.

Out: `packed()` rows for `batch`, and the calldata of an envelope (docs/formats.md §5): one operation
by its own function, several as `batch`.

Holds: the bytes are the canonical ones; a number that does not fit raises before anything is signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eth_hash.auto import keccak

OPERATIONS_PER_ENVELOPE_MAX = 64
ALL_MARKETS = 0xFFFFFFFF
GTC, IOC = 0, 1
POST_ONLY = 1

_U32, _U64, _U128 = 1 << 32, 1 << 64, 1 << 128


class Operation(Protocol):
    """One thing that a user asks for."""

    def packed(self) -> bytes:
        """The row of this operation inside `batch`."""

    def calldata(self, subaccount: int) -> bytes:
        """A call of this operation's own function."""


@dataclass(frozen=True, slots=True)
class Place:
    """A limit order."""

    market: int
    buy: bool
    price_e9: int
    qty_e9: int
    client_id: int
    tif: int = GTC
    post_only: bool = False

    def packed(self) -> bytes:
        """The row inside `batch`."""
        head = 1 | self.buy << 3 | self.tif << 4 | self.post_only << 6
        return bytes((head,)) + b"".join(
            map(varint, (self.market, self.price_e9, self.qty_e9, self.client_id))
        )

    def calldata(self, subaccount: int) -> bytes:
        """A call of `placeOrder`."""
        return _PLACE + _words(
            _fit(subaccount, _U32),
            _fit(self.market, _U32),
            int(self.buy),
            _fit(self.price_e9, _U64),
            _fit(self.qty_e9, _U64),
            self.tif,
            POST_ONLY if self.post_only else 0,
            _fit(self.client_id, _U64),
        )


@dataclass(frozen=True, slots=True)
class Cancel:
    """Takes an order out by its client id."""

    market: int
    client_id: int

    def packed(self) -> bytes:
        """The row inside `batch`."""
        return b"\x02" + varint(self.market) + varint(self.client_id)

    def calldata(self, subaccount: int) -> bytes:
        """A call of `cancelOrder`."""
        return _CANCEL + _words(
            _fit(subaccount, _U32), _fit(self.market, _U32), _fit(self.client_id, _U64)
        )


@dataclass(frozen=True, slots=True)
class CancelById:
    """Takes an order out by the exchange's id."""

    order_id: int

    def packed(self) -> bytes:
        """The row inside `batch`."""
        return b"\x03" + varint(self.order_id)

    def calldata(self, subaccount: int) -> bytes:
        """A call of `cancelOrderById`."""
        return _CANCEL_BY_ID + _words(_fit(subaccount, _U32), _fit(self.order_id, _U64))


@dataclass(frozen=True, slots=True)
class Replace:
    """Gives an order a new price and a new open quantity."""

    market: int
    client_id: int
    price_e9: int
    qty_e9: int

    def packed(self) -> bytes:
        """The row inside `batch`."""
        return b"\x04" + b"".join(
            map(varint, (self.market, self.client_id, self.price_e9, self.qty_e9))
        )

    def calldata(self, subaccount: int) -> bytes:
        """A call of `replaceOrder`."""
        return _REPLACE + _words(
            _fit(subaccount, _U32),
            _fit(self.market, _U32),
            _fit(self.client_id, _U64),
            _fit(self.price_e9, _U64),
            _fit(self.qty_e9, _U64),
        )


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Takes all orders of a market out; None = of every market."""

    market: int | None = None

    def packed(self) -> bytes:
        """The row inside `batch`."""
        return b"\x05" + varint(0 if self.market is None else self.market + 1)

    def calldata(self, subaccount: int) -> bytes:
        """A call of `cancelAll`."""
        market = ALL_MARKETS if self.market is None else _fit(self.market, _U32)
        return _CANCEL_ALL + _words(_fit(subaccount, _U32), market)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Sends `amount` token units to `recipient` on L1, once the epoch is confirmed."""

    token: bytes
    amount: int
    recipient: bytes

    def packed(self) -> bytes:
        """The row inside `batch`."""
        return b"\x06" + self.token + varint(_fit(self.amount, _U128)) + self.recipient

    def calldata(self, subaccount: int) -> bytes:
        """A call of `withdraw`."""
        return _WITHDRAW + _words(
            _fit(subaccount, _U32),
            int.from_bytes(self.token),
            _fit(self.amount, _U128),
            int.from_bytes(self.recipient),
        )


def calldata(operations: Sequence[Operation], subaccount: int = 0) -> bytes:
    """Calldata of one envelope: a single operation by its own function, more as `batch`."""
    if not 1 <= len(operations) <= OPERATIONS_PER_ENVELOPE_MAX:
        raise ValueError(
            f"an envelope has 1 to {OPERATIONS_PER_ENVELOPE_MAX} operations, not {len(operations)}"
        )
    if len(operations) == 1:
        return operations[0].calldata(subaccount)
    return batch_calldata(b"".join(o.packed() for o in operations), subaccount)


def batch_calldata(rows: bytes, subaccount: int = 0) -> bytes:
    """A call of `batch` with packed rows."""
    padding = bytes(-len(rows) % 32)
    return _BATCH + _words(_fit(subaccount, _U32), 64, len(rows)) + rows + padding


def varint(value: int) -> bytes:
    """LEB128 with the least number of bytes (docs/formats.md §4)."""
    if 0 <= value < 0x80:  # noqa: PLR2004  (seven bits fit in one byte)
        return bytes((value,))
    if value < 0:
        raise ValueError(f"{value} is negative")
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _fit(value: int, limit: int) -> int:
    if not 0 <= value < limit:
        raise ValueError(f"{value} does not fit: it must be from 0 to {limit - 1}")
    return value


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32) for value in values)


def _selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]


_PLACE = _selector("placeOrder(uint32,uint32,bool,uint64,uint64,uint8,uint8,uint64)")
_CANCEL = _selector("cancelOrder(uint32,uint32,uint64)")
_CANCEL_BY_ID = _selector("cancelOrderById(uint32,uint64)")
_REPLACE = _selector("replaceOrder(uint32,uint32,uint64,uint64,uint64)")
_CANCEL_ALL = _selector("cancelAll(uint32,uint32)")
_WITHDRAW = _selector("withdraw(uint32,address,uint256,address)")
_BATCH = _selector("batch(uint32,bytes)")
