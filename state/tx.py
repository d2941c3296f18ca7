"""
Transactions: operations as a wallet signs them.

In:  operations, nonce, subaccount, a private key.
Out: calldata, the unsigned payload, the signed bytes of an Ethereum transaction.

Holds: one encoding per meaning (docs/formats.md §5); written from that page, as the second opinion
to `state/stf`, and fast: the SDK signs thousands a second with it.
Not here: reading transactions (`state._native`), batches (`state.batch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from coincurve import PrivateKey
from eth_hash.auto import keccak

EXCHANGE = bytes.fromhex("000000000000000000000000000000004e4f5641")
OPERATIONS_MAX = 64
ALL_MARKETS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """A limit order."""

    market: int
    buy: bool
    price_e9: int
    qty_e9: int
    ioc: bool = False
    post_only: bool = False
    client_id: int = 0


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the order with this client id."""

    market: int
    client_id: int


@dataclass(frozen=True, slots=True)
class CancelById:
    """Cancel the order with this id."""

    order_id: int


@dataclass(frozen=True, slots=True)
class Replace:
    """New price and open quantity for the order with this client id."""

    market: int
    client_id: int
    price_e9: int
    qty_e9: int


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Cancel everything open in one market, or in all (None)."""

    market: int | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take `amount` token units out to `recipient` on L1."""

    token: bytes
    amount: int
    recipient: bytes


Operation: TypeAlias = Place | Cancel | CancelById | Replace | CancelAll | Withdraw


@dataclass(frozen=True, slots=True)
class Type2Fees:
    """Fee fields of a type 2 transaction; the defaults are what the libraries make of ours."""

    tip: int = 1
    max_fee: int = 3
    gas: int = 1_000_000


@dataclass(frozen=True, slots=True)
class LegacyFees:
    """Fee fields of a type 0 transaction."""

    gas_price: int = 1
    gas: int = 1_000_000


Fees: TypeAlias = Type2Fees | LegacyFees
DEFAULT_FEES = Type2Fees()


@dataclass(frozen=True, slots=True)
class Envelope:
    """Operations under one signature; `account` is the signer's index on L2."""

    account: int
    nonce: int
    subaccount: int
    batch: bool
    operations: tuple[Operation, ...]
    fees: Fees
    signature: bytes


# --- varints (docs/formats.md §4) ---

_ONE_BYTE = [bytes([value]) for value in range(128)]


def encode_varint(value: int) -> bytes:
    """LEB128 with the least bytes."""
    if value < 128:  # noqa: PLR2004 - seven bits of the format
        return _ONE_BYTE[value]
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


# --- rows of `batch` and calldata (docs/formats.md §5) ---

_SELECTORS = {
    Place: keccak(b"placeOrder(uint32,uint32,bool,uint64,uint64,uint8,uint8,uint64)")[:4],
    Cancel: keccak(b"cancelOrder(uint32,uint32,uint64)")[:4],
    CancelById: keccak(b"cancelOrderById(uint32,uint64)")[:4],
    Replace: keccak(b"replaceOrder(uint32,uint32,uint64,uint64,uint64)")[:4],
    CancelAll: keccak(b"cancelAll(uint32,uint32)")[:4],
    Withdraw: keccak(b"withdraw(uint32,address,uint256,address)")[:4],
}
_BATCH = keccak(b"batch(uint32,bytes)")[:4]


_CODES = {Place: 1, Cancel: 2, CancelById: 3, Replace: 4, CancelAll: 5, Withdraw: 6}


def operation_byte(operation: Operation) -> int:
    """Code in bits 0 to 2; the small fields of a place above."""
    code = _CODES[type(operation)]
    if isinstance(operation, Place):
        return code | 8 * operation.buy | 16 * operation.ioc | 64 * operation.post_only
    return code


def encode_row(operation: Operation) -> bytes:
    """One operation inside the calldata of `batch`."""
    out = bytearray()
    _put_row(out, operation)
    return bytes(out)


def _put_row(out: bytearray, operation: Operation) -> None:
    out.append(operation_byte(operation))
    numbers: tuple[int, ...]
    if isinstance(operation, Place):
        numbers = (operation.market, operation.price_e9, operation.qty_e9, operation.client_id)
    elif isinstance(operation, Replace):
        numbers = (operation.market, operation.client_id, operation.price_e9, operation.qty_e9)
    elif isinstance(operation, Cancel):
        numbers = (operation.market, operation.client_id)
    elif isinstance(operation, CancelById):
        numbers = (operation.order_id,)
    elif isinstance(operation, CancelAll):
        numbers = (0 if operation.market is None else operation.market + 1,)
    else:
        out += operation.token + encode_varint(operation.amount) + operation.recipient
        return
    # Inlined `encode_varint`: rows are most of what signing costs.
    for number in numbers:
        rest = number
        while rest > 0x7F:  # noqa: PLR2004
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)


def _arguments(operation: Operation) -> bytes:
    match operation:
        case Place(market, buy, price_e9, qty_e9, ioc, post_only, client_id):
            return _words(market, buy, price_e9, qty_e9, ioc, post_only, client_id)
        case Cancel(market, client_id):
            return _words(market, client_id)
        case CancelById(order_id):
            return _words(order_id)
        case Replace(market, client_id, price_e9, qty_e9):
            return _words(market, client_id, price_e9, qty_e9)
        case CancelAll(only):
            return _words(ALL_MARKETS if only is None else only)
        case Withdraw(token, amount, recipient):
            return _words(int.from_bytes(token), amount, int.from_bytes(recipient))


def encode_calldata(subaccount: int, operations: Sequence[Operation], *, batch: bool) -> bytes:
    """Calldata of one operation by its own function, or of 1 to 64 by `batch`."""
    if not batch:
        (operation,) = operations
        return _SELECTORS[type(operation)] + _words(subaccount) + _arguments(operation)
    if not 1 <= len(operations) <= OPERATIONS_MAX:
        raise ValueError(f"a batch has 1 to {OPERATIONS_MAX} operations, not {len(operations)}")
    rows = bytearray()
    for operation in operations:
        _put_row(rows, operation)
    padding = bytes(-len(rows) % 32)
    return _BATCH + _words(subaccount, 64, len(rows)) + rows + padding


# --- RLP, as far as a transaction needs it ---


def _rlp_bytes(data: bytes) -> bytes:
    if len(data) == 1 and data[0] < 0x80:  # noqa: PLR2004 - a small byte stands for itself
        return data
    return _rlp_head(0x80, len(data)) + data


def _rlp_uint(value: int) -> bytes:
    return _rlp_bytes(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _rlp_head(base: int, size: int) -> bytes:
    if size < 56:  # noqa: PLR2004 - the longest short form
        return bytes([base + size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([base + 55 + len(digits)]) + digits


_TO_AND_VALUE = _rlp_bytes(EXCHANGE) + _rlp_uint(0)
_EMPTY_LIST = b"\xc0"


def _unsigned_items(chain_id: int, nonce: int, fees: Fees, calldata: bytes) -> bytes:
    if isinstance(fees, Type2Fees):
        head = [chain_id, nonce, fees.tip, fees.max_fee, fees.gas]
        tail = _EMPTY_LIST
    else:
        head = [nonce, fees.gas_price, fees.gas]
        tail = b""
    return b"".join(map(_rlp_uint, head)) + _TO_AND_VALUE + _rlp_bytes(calldata) + tail


def _finish(fees: Fees, items: bytes) -> bytes:
    kind = b"\x02" if isinstance(fees, Type2Fees) else b""
    return kind + _rlp_head(0xC0, len(items)) + items


def _payload(chain_id: int, fees: Fees, items: bytes) -> bytes:
    if isinstance(fees, LegacyFees):  # EIP-155: chain id, 0, 0 stand for the signature
        items += _rlp_uint(chain_id) + _rlp_uint(0) + _rlp_uint(0)
    return _finish(fees, items)


def _signed(chain_id: int, fees: Fees, items: bytes, odd: int, r: int, s: int) -> bytes:
    v = odd if isinstance(fees, Type2Fees) else 2 * chain_id + 35 + odd
    return _finish(fees, items + _rlp_uint(v) + _rlp_uint(r) + _rlp_uint(s))


def unsigned_payload(envelope: Envelope, chain_id: int) -> bytes:
    """The exact bytes whose keccak256 the signer signed."""
    calldata = encode_calldata(envelope.subaccount, envelope.operations, batch=envelope.batch)
    items = _unsigned_items(chain_id, envelope.nonce, envelope.fees, calldata)
    return _payload(chain_id, envelope.fees, items)


def raw_transaction(envelope: Envelope, chain_id: int) -> bytes:
    """The exact signed transaction; its keccak256 is the transaction's hash."""
    calldata = encode_calldata(envelope.subaccount, envelope.operations, batch=envelope.batch)
    items = _unsigned_items(chain_id, envelope.nonce, envelope.fees, calldata)
    s_and_parity = int.from_bytes(envelope.signature[32:])
    odd, s = s_and_parity >> 255, s_and_parity & (1 << 255) - 1
    return _signed(chain_id, envelope.fees, items, odd, int.from_bytes(envelope.signature[:32]), s)


def sign_transaction(
    private_key: bytes | PrivateKey,
    chain_id: int,
    nonce: int,
    subaccount: int,
    operations: Sequence[Operation],
    *,
    batch: bool | None = None,
    fees: Fees = DEFAULT_FEES,
) -> bytes:
    """
    Sign an envelope: the raw transaction for `eth_sendRawTransaction`.

    Parameters
    ----------
    private_key :
        32 bytes, or a `PrivateKey` kept by who signs often (parsing one costs as much as hashing).
    batch :
        None = by the operation's own function if there is one operation, else by `batch`.
    """
    key = PrivateKey(private_key) if isinstance(private_key, bytes) else private_key
    by_batch = len(operations) != 1 if batch is None else batch
    items = _unsigned_items(
        chain_id, nonce, fees, encode_calldata(subaccount, operations, batch=by_batch)
    )
    r, s, odd = sign_digest(key, keccak(_payload(chain_id, fees, items)))
    return _signed(chain_id, fees, items, odd, r, s)


def sign_digest(key: PrivateKey, digest: bytes) -> tuple[int, int, int]:
    """Sign 32 bytes: r, s (low, as libsecp256k1 makes it), parity of y."""
    signature = key.sign_recoverable(digest, hasher=None)
    return int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64]


def compact_signature(r: int, s: int, odd: int) -> bytes:
    """EIP-2098: r, then s with the parity of y in its top bit."""
    return r.to_bytes(32, "big") + (s | odd << 255).to_bytes(32, "big")


def address_of(private_key: bytes | PrivateKey) -> bytes:
    """The Ethereum address of a key."""
    key = PrivateKey(private_key) if isinstance(private_key, bytes) else private_key
    return keccak(key.public_key.format(compressed=False)[1:])[12:]


def transaction_hash(raw: bytes) -> bytes:
    """The hash under which a signed transaction is known."""
    return keccak(raw)
