"""
Signing: envelopes and L1 transactions, fast enough for a hundred thousand of them.

In:  a private key and the fields of a type 2 transaction.
Out: the signed bytes and their hash.

Holds: low-s signatures; the same fields give the same bytes (RFC 6979).
"""

from dataclasses import dataclass

import sha3
from coincurve import PrivateKey

EXCHANGE = bytes.fromhex("000000000000000000000000000000004e4f5641")
"""The address on L2 that takes envelopes (docs/formats.md §5)."""

TIP_WEI, MAX_FEE_WEI, GAS = 1, 3, 1_000_000
"""The fee fields that cost nothing in a batch (docs/formats.md §4, column 4)."""

_EMPTY_LIST = b"\xc0"
_EMPTY_STRING = b"\x80"


@dataclass(frozen=True, slots=True)
class Fees:
    """Fee fields of a type 2 transaction."""

    tip_wei: int
    max_fee_wei: int
    gas: int


ENVELOPE_FEES = Fees(TIP_WEI, MAX_FEE_WEI, GAS)


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction."""

    raw: bytes
    hash: bytes
    nonce: int


class Key:
    """A secp256k1 key with its address."""

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        self._key = PrivateKey(secret)
        self.address = keccak(self._key.public_key.format(compressed=False)[1:])[12:]

    def __repr__(self) -> str:
        return f"Key(0x{self.address.hex()})"

    @property
    def secret(self) -> bytes:
        """The 32 secret bytes."""
        return self._key.secret

    def sign_digest(self, digest: bytes) -> tuple[bytes, bytes, int]:
        """`r`, `s` (low) and the y parity."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:32], signature[32:64], signature[64]

    def sign_compact(self, digest: bytes) -> bytes:
        """64 bytes by EIP-2098: the y parity is the top bit of `s`."""
        r, s, parity = self.sign_digest(digest)
        return r + bytes((s[0] | parity << 7,)) + s[1:]


def keccak(data: bytes) -> bytes:
    """keccak256."""
    return bytes(sha3.keccak_256(data).digest())


def sign_envelope(key: Key, chain_id: int, nonce: int, calldata: bytes) -> Signed:
    """Sign `calldata` for the exchange with the default fee fields."""
    return sign_transaction(key, chain_id, nonce, EXCHANGE, calldata, fees=ENVELOPE_FEES)


def sign_transaction(  # noqa: PLR0913  (the fields of the transaction)
    key: Key,
    chain_id: int,
    nonce: int,
    to: bytes,
    data: bytes,
    *,
    fees: Fees,
    value_wei: int = 0,
) -> Signed:
    """Sign a type 2 transaction (EIP-1559) with an empty access list."""
    fields = (
        _number(chain_id)
        + _number(nonce)
        + _number(fees.tip_wei)
        + _number(fees.max_fee_wei)
        + _number(fees.gas)
        + _string(to)
        + _number(value_wei)
        + _string(data)
        + _EMPTY_LIST
    )
    r, s, parity = key.sign_digest(keccak(b"\x02" + _list(fields)))
    signature = _number(parity) + _string(r.lstrip(b"\0")) + _string(s.lstrip(b"\0"))
    raw = b"\x02" + _list(fields + signature)
    return Signed(raw, keccak(raw), nonce)


# RLP, as far as a transaction needs it.


def _number(value: int) -> bytes:
    if not value:
        return _EMPTY_STRING
    return _string(value.to_bytes((value.bit_length() + 7) // 8))


def _string(data: bytes) -> bytes:
    if len(data) == 1 and data[0] < _EMPTY_STRING[0]:
        return data
    return _head(0x80, len(data)) + data


def _list(payload: bytes) -> bytes:
    return _head(0xC0, len(payload)) + payload


def _head(base: int, length: int) -> bytes:
    if length <= 55:  # noqa: PLR2004  (RLP: up to 55 the length is in the first byte)
        return bytes((base + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((base + 55 + len(size),)) + size
