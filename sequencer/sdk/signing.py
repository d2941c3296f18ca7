"""
Signing: a key, and the envelopes it signs.

In:  operations and a nonce.
Out: signed bytes with their hash. The encoding is that of `state.tx`.

Holds: the same fields give the same bytes (RFC 6979). Not here: nonces (`sequencer.sdk.account`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from coincurve import PrivateKey

from state.tx import Operation, address_of, sign_transaction, transaction_hash


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction."""

    raw: bytes
    hash: bytes
    nonce: int

    @property
    def raw_hex(self) -> str:
        """The bytes as JSON-RPC takes them."""
        return "0x" + self.raw.hex()


class Key:
    """A secp256k1 key with its address; parsed once, because that costs as much as hashing."""

    __slots__ = ("address", "private")

    def __init__(self, secret: bytes) -> None:
        self.private = PrivateKey(secret)
        self.address = address_of(self.private)

    def __repr__(self) -> str:
        return f"Key(0x{self.address.hex()})"


def sign_envelope(
    key: Key, chain_id: int, nonce: int, subaccount: int, operations: Sequence[Operation]
) -> Signed:
    """Sign `operations` for the exchange with the default fee fields."""
    raw = sign_transaction(key.private, chain_id, nonce, subaccount, operations)
    return Signed(raw, transaction_hash(raw), nonce)
