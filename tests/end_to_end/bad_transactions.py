"""
Transactions that the node must refuse, each with the reason that docs/formats.md §9 gives it.

In:    the key and next nonce of a funded account, a chain id, a random generator.
Out:   `refused`: name, signed bytes and reason of each; `CODES`: the JSON-RPC code of each reason.

Everything is signed anew, so that only the named fault is wrong with it.
Not here: JSON and transports (`test_bad_input`).
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TypeAlias

import rlp
from coincurve import PrivateKey

from bridge.l1.devnet.accounts import account
from state._native import keccak256
from state.tx import EXCHANGE, Cancel, Operation, Place, Withdraw, encode_calldata, sign_digest
from tests.node import PRICE_E9

VECTORS = Path(__file__).parents[1] / "vectors" / "envelopes.json"
VECTOR_CHAIN_ID = 412_001
"""The chain id that the transactions of the vectors are signed for."""

SECP_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
LOT_E9 = 10**6
Field: TypeAlias = int | bytes | list["Field"]
Case: TypeAlias = tuple[str, bytes, str]

FEES: list[Field] = [1, 3, 1_000_000]
INVALID_INPUT, REJECTED = -32000, -32003
CODES = {
    "malformed": INVALID_INPUT,
    "wrong_chain_id": INVALID_INPUT,
    "wrong_recipient": REJECTED,
    "value_not_zero": REJECTED,
    "access_list_not_empty": REJECTED,
    "non_canonical_encoding": REJECTED,
    "unknown_selector": REJECTED,
    "signature_invalid": INVALID_INPUT,
    "signature_high_s": INVALID_INPUT,
    "signer_unknown": INVALID_INPUT,
    "nonce_too_low": INVALID_INPUT,
    "nonce_too_high": INVALID_INPUT,
    "too_many_operations": REJECTED,
    "fee_field_too_large": REJECTED,
    "unsupported_tx_type": INVALID_INPUT,
    "not_replay_protected": INVALID_INPUT,
    "amount_too_large": REJECTED,
    "tif_unsupported": REJECTED,
    "flags_unsupported": REJECTED,
}


def order(client_id: int = 1) -> Place:
    return Place(0, True, PRICE_E9 - 10**12, LOT_E9, client_id=client_id)


def calldata(*operations: Operation, batch: bool = False) -> bytes:
    return encode_calldata(0, operations, batch=batch)


def patched(data: bytes, at: int, value: bytes) -> bytes:
    """The same bytes but for `value` at `at`."""
    return data[:at] + value + data[at + len(value) :]


class Forge:
    """Signs whatever it is told to."""

    def __init__(self, key: bytes, chain_id: int, nonce: int) -> None:
        self.key = PrivateKey(key)
        self.chain_id = chain_id
        self.nonce = nonce
        self.order = calldata(order())

    def fields(self, **changes: Field) -> list[Field]:
        """The unsigned fields of a type 2 transaction with an order in it."""
        values: dict[str, Field] = {
            "chain_id": self.chain_id,
            "nonce": self.nonce,
            "fees": FEES,
            "to": EXCHANGE,
            "value": 0,
            "data": self.order,
            "access": [],
        }
        values |= changes
        fees = values["fees"]
        assert isinstance(fees, list)
        rest = ("to", "value", "data", "access")
        return [values["chain_id"], values["nonce"], *fees, *(values[name] for name in rest)]

    def type2(self, *, high_s: bool = False, **changes: Field) -> bytes:
        return self.typed(2, self.fields(**changes), high_s=high_s)

    def typed(self, kind: int, fields: list[Field], *, high_s: bool = False) -> bytes:
        """Sign the fields of a typed transaction."""
        prefix = bytes([kind])
        r, s, odd = sign_digest(self.key, keccak256(prefix + encode(fields)))
        if high_s:
            s, odd = SECP_N - s, 1 - odd
        return prefix + encode([*fields, odd, r, s])

    def legacy(self, *, chain_id: int | None, high_s: bool = False) -> bytes:
        """Sign a type 0 transaction; without a chain id it is not replay-protected."""
        fields: list[Field] = [self.nonce, 1, 1_000_000, EXCHANGE, 0, self.order]
        protection: list[Field] = [] if chain_id is None else [chain_id, 0, 0]
        r, s, odd = sign_digest(self.key, keccak256(encode([*fields, *protection])))
        if high_s:
            s, odd = SECP_N - s, 1 - odd
        v = 27 + odd if chain_id is None else 2 * chain_id + 35 + odd
        return encode([*fields, v, r, s])


def encode(fields: list[Field]) -> bytes:
    return bytes(rlp.encode(_plain(fields)))


def _plain(field: Field) -> object:
    if isinstance(field, list):
        return [_plain(each) for each in field]
    if isinstance(field, int):
        return field.to_bytes((field.bit_length() + 7) // 8, "big")
    return field


def refused(key: bytes, chain_id: int, nonce: int, rng: random.Random) -> list[Case]:
    """Every way to be refused that a client can think of."""
    forge = Forge(key, chain_id, nonce)
    good = forge.type2()
    cut = [("cut short", good[: rng.randrange(len(good))], "malformed") for _ in range(20)]
    return [
        *cut,
        *_of_encoding(forge, good),
        *_of_fields(forge),
        *_of_calldata(forge),
        *_of_signatures(forge, rng),
    ]


def of_vectors() -> list[Case]:
    """What all languages agree to refuse; signed for `VECTOR_CHAIN_ID`."""
    rows = json.loads(VECTORS.read_text())["refused"]
    assert all(int(row["chain_id"]) == VECTOR_CHAIN_ID for row in rows)
    return [(row["name"], bytes.fromhex(row["raw"]), row["reason"]) for row in rows]


def _of_encoding(forge: Forge, good: bytes) -> list[Case]:
    length = int.from_bytes(good[2:4])
    wider = b"\x02\xfa" + length.to_bytes(3, "big") + good[4:]
    return [
        ("nothing", b"", "malformed"),
        ("a byte after it", good + b"\0", "malformed"),
        ("many zeros", bytes(20_000), "malformed"),
        ("a field more", b"\2" + bytes(rlp.encode([*rlp.decode(good[1:]), b""])), "malformed"),
        ("a length with a leading zero", wider, "non_canonical_encoding"),
        ("nonce with a leading zero", forge.type2(nonce=b"\0\x07"), "non_canonical_encoding"),
        ("type 1", forge.typed(1, forge.fields()[1:]), "unsupported_tx_type"),
        ("type 3", forge.typed(3, [*forge.fields(), 1, [bytes(32)]]), "unsupported_tx_type"),
        ("type 4", forge.typed(4, [*forge.fields(), []]), "unsupported_tx_type"),
        ("type 127", forge.typed(127, forge.fields()), "unsupported_tx_type"),
        ("legacy without EIP-155", forge.legacy(chain_id=None), "not_replay_protected"),
    ]


def _of_fields(forge: Forge) -> list[Case]:
    list_of_one: Field = [[EXCHANGE, []]]
    return [
        ("other chain", forge.type2(chain_id=1), "wrong_chain_id"),
        ("other chain, legacy", forge.legacy(chain_id=1), "wrong_chain_id"),
        ("wrong recipient", forge.type2(to=EXCHANGE[:-1] + b"\0"), "wrong_recipient"),
        ("creates a contract", forge.type2(to=b""), "wrong_recipient"),
        ("value of one wei", forge.type2(value=1), "value_not_zero"),
        ("an access list", forge.type2(access=list_of_one), "access_list_not_empty"),
        ("nonce too low", forge.type2(nonce=forge.nonce - 1), "nonce_too_low"),
        ("nonce too high", forge.type2(nonce=forge.nonce + 1), "nonce_too_high"),
        ("nonce over 64 bits", forge.type2(nonce=1 << 64), "nonce_too_high"),
        ("fee over 64 bits", forge.type2(fees=[1, 1 << 64, 1]), "fee_field_too_large"),
    ]


def _of_calldata(forge: Forge) -> list[Case]:
    placed = forge.order
    rows = calldata(Cancel(0, 1), Cancel(0, 2), batch=True)
    out = calldata(Withdraw(bytes(20), 1, bytes(20)))
    many = b"".join([b"\x02\x00\x01"] * 65)
    too_many = rows[:68] + len(many).to_bytes(32, "big") + many + bytes(-len(many) % 32)
    cases = [
        ("a word more", placed + bytes(32), "non_canonical_encoding"),
        ("a word less", placed[:-32], "malformed"),
        ("subaccount over 32 bits", patched(placed, 31, b"\1"), "non_canonical_encoding"),
        ("a bool of 2", patched(placed, 4 + 3 * 32 - 1, b"\2"), "non_canonical_encoding"),
        ("dirty address padding", patched(out, 4 + 32, b"\1"), "non_canonical_encoding"),
        ("offset not minimal", patched(rows, 4 + 63, b"\x60"), "non_canonical_encoding"),
        ("padding dirty", rows[:-1] + b"\1", "non_canonical_encoding"),
        ("padding too long", rows + bytes(32), "non_canonical_encoding"),
        ("tif kept for later", patched(placed, 4 + 6 * 32 - 1, b"\2"), "tif_unsupported"),
        ("flag kept for later", patched(placed, 4 + 7 * 32 - 1, b"\2"), "flags_unsupported"),
        ("65 operations", too_many, "too_many_operations"),
        ("no operations", rows[:68] + bytes(32), "too_many_operations"),
        ("2^128 units", patched(out, 4 + 2 * 32 + 15, b"\1"), "amount_too_large"),
        ("no such function", b"\1\2\3\4", "unknown_selector"),
        ("no calldata", b"", "unknown_selector"),
    ]
    return [(name, forge.type2(data=data), reason) for name, data, reason in cases]


def _of_signatures(forge: Forge, rng: random.Random) -> list[Case]:
    fields = forge.fields()
    stranger = Forge(account(15).key, forge.chain_id, 0)
    nobody = Forge(rng.randbytes(32), forge.chain_id, 0)

    def with_signature(parity: int, r: int, s: int) -> bytes:
        return b"\2" + encode([*fields, parity, r, s])

    return [
        ("high s", forge.type2(high_s=True), "signature_high_s"),
        ("high s, legacy", forge.legacy(chain_id=forge.chain_id, high_s=True), "signature_high_s"),
        ("r of zero", with_signature(0, 0, 1), "signature_invalid"),
        ("s of zero", with_signature(0, 1, 0), "signature_invalid"),
        ("r of n", with_signature(0, SECP_N, 1), "signature_invalid"),
        ("parity 2", with_signature(2, 1, 1), "signature_invalid"),
        ("a signer without account", stranger.type2(), "signer_unknown"),
        ("a random signer", nobody.type2(), "signer_unknown"),
    ]
