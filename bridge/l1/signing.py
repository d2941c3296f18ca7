"""
Type-2 transactions: encoding and signing.

In:    fields, a key.
Out:   raw bytes and their hash.
Holds: gas never below the calldata floor of EIP-7623.
Not here: nonces and fees (`wallet`).
"""

from __future__ import annotations

from dataclasses import dataclass

import rlp
from coincurve import PrivateKey

from state._native import keccak256

TX_GAS = 21_000
FLOOR_NONZERO_GAS = 40
FLOOR_ZERO_GAS = 10
NONZERO_GAS = 16
ZERO_GAS = 4
TYPE_2 = b"\x02"
RECOVERABLE_BYTES = 65


@dataclass(frozen=True, slots=True)
class Fields:
    """What is signed."""

    chain_id: int
    nonce: int
    tip_wei: int
    max_fee_wei: int
    gas: int
    to: bytes
    value_wei: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction as it goes out."""

    raw: bytes
    hash: bytes


def floor_gas(data: bytes) -> int:
    """Return the least gas limit that L1 takes for that calldata; endpoints may estimate less."""
    zeros = data.count(0)
    return TX_GAS + FLOOR_NONZERO_GAS * (len(data) - zeros) + FLOOR_ZERO_GAS * zeros


def intrinsic_gas(data: bytes) -> int:
    """Return the gas of calldata under the older rule, to which execution is added."""
    zeros = data.count(0)
    return TX_GAS + NONZERO_GAS * (len(data) - zeros) + ZERO_GAS * zeros


def address_of(key: bytes) -> bytes:
    """Return the address of a key."""
    public = PrivateKey(key).public_key.format(compressed=False)
    return keccak256(public[1:])[12:]


def sign(fields: Fields, key: bytes) -> Signed:
    """Sign; the signature is deterministic, so the same fields give the same hash."""
    assert fields.gas >= floor_gas(fields.data), "gas below the calldata floor"
    body = [
        fields.chain_id,
        fields.nonce,
        fields.tip_wei,
        fields.max_fee_wei,
        fields.gas,
        fields.to,
        fields.value_wei,
        fields.data,
        [],
    ]
    digest = keccak256(TYPE_2 + rlp.encode(body))
    signature = PrivateKey(key).sign_recoverable(digest, hasher=None)
    assert len(signature) == RECOVERABLE_BYTES
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    raw = TYPE_2 + rlp.encode([*body, signature[64], r, s])
    return Signed(raw, keccak256(raw))
