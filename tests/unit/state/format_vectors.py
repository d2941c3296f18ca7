"""
Vectors of the formats: envelopes that eth-account signed, refusals, typed digests.

In:    fixed keys and seeds. Out: the content of `tests/vectors/*.json`, read by Rust's tests too.
Holds: independent of `state.tx` wherever a public library can say the same (RLP, ABI, signatures).
`NOVATION_UPDATE=1 pytest tests/unit/state/test_format_vectors.py` rewrites the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rlp
from eth_abi.abi import encode as abi_encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from state import tx
from tests.unit.state.segment_vectors import PLACE, bad_segments, good_segments, input_json

CHAIN_ID = 412_001
KEYS = [bytes([number]) * 32 for number in (0x11, 0x22, 0x33)]
INBOX = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
EXCHANGE = to_checksum_address(tx.EXCHANGE)
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

TOKEN = bytes.fromhex("58a9a8a838371243bd18fae95da6cf7af8e1f0a4")
RECIPIENT = bytes.fromhex("a21a12ba1053562d331abd31220876360beaf512")

# name, function, ABI types, values, operation
SINGLES: list[tuple[str, str, list[Any], tx.Operation]] = [
    (
        "placeOrder",
        "uint32,uint32,bool,uint64,uint64,uint8,uint8,uint64",
        [0, True, 61_234_500_000_000, 1_500_000_000, 0, 1, 7],
        PLACE,
    ),
    (
        "placeOrder",
        "uint32,uint32,bool,uint64,uint64,uint8,uint8,uint64",
        [2**32 - 1, False, 2**64 - 1, 2**64 - 1, 1, 0, 2**64 - 1],
        tx.Place(2**32 - 1, False, 2**64 - 1, 2**64 - 1, True, False, 2**64 - 1),
    ),
    ("cancelOrder", "uint32,uint32,uint64", [1, 99], tx.Cancel(1, 99)),
    ("cancelOrderById", "uint32,uint64", [2**40 + 5], tx.CancelById(2**40 + 5)),
    (
        "replaceOrder",
        "uint32,uint32,uint64,uint64,uint64",
        [1, 99, 3_000_000_000, 10_000],
        tx.Replace(1, 99, 3_000_000_000, 10_000),
    ),
    ("cancelAll", "uint32,uint32", [0xFFFFFFFF], tx.CancelAll(None)),
    ("cancelAll", "uint32,uint32", [0], tx.CancelAll(0)),
    (
        "withdraw",
        "uint32,address,uint256,address",
        [TOKEN, 2**128 - 1, RECIPIENT],
        tx.Withdraw(TOKEN, 2**128 - 1, RECIPIENT),
    ),
]
ROWS: list[tuple[str, tx.Operation]] = [
    # byte, then market 0, price, quantity, client id: written by hand from docs/formats.md §5
    ("490080b2fba494f60d80dea0cb0507", PLACE),
    ("11010aac0200", tx.Place(1, False, 10, 300, True)),
    ("020163", tx.Cancel(1, 99)),
    ("038001", tx.CancelById(128)),
    ("0401630506", tx.Replace(1, 99, 5, 6)),
    ("0500", tx.CancelAll(None)),
    ("0503", tx.CancelAll(2)),
    ("06" + TOKEN.hex() + "e807" + RECIPIENT.hex(), tx.Withdraw(TOKEN, 1000, RECIPIENT)),
]


def calldata(name: str, types: str, values: Sequence[Any]) -> bytes:
    selector: bytes = keccak(f"{name}({types})".encode())[:4]
    return selector + abi_encode(types.split(","), values)


# --- envelopes ---


def _sign(key: bytes, nonce: int, data: bytes, fees: tx.Fees, chain_id: int = CHAIN_ID) -> Any:
    fields: dict[str, Any] = {
        "to": EXCHANGE,
        "value": 0,
        "nonce": nonce,
        "chainId": chain_id,
        "data": data,
        "gas": fees.gas,
    }
    if isinstance(fees, tx.LegacyFees):
        fields["gasPrice"] = fees.gas_price
    else:
        fields |= {"type": 2, "maxFeePerGas": fees.max_fee, "maxPriorityFeePerGas": fees.tip}
    return Account.sign_transaction(fields, key)


def _digest(raw: bytes, fees: tx.Fees, chain_id: int) -> bytes:
    """The signed digest, from the raw bytes by the public RLP library."""
    if isinstance(fees, tx.LegacyFees):
        fields = [*rlp.decode(raw)[:6], chain_id.to_bytes(8, "big").lstrip(b"\0"), b"", b""]
        return keccak(rlp.encode(fields))
    return keccak(b"\x02" + rlp.encode(rlp.decode(raw[1:])[:9]))


def accepted() -> list[dict[str, Any]]:
    forms = [tx.DEFAULT_FEES, tx.Type2Fees(0, 2**64 - 1, 21_000), tx.LegacyFees(7, 500_000)]
    cases: list[tuple[str, bytes, bool, tuple[tx.Operation, ...]]] = []
    for name, types, values, operation in SINGLES:
        cases.append((name, calldata(name, types, [3, *values]), False, (operation,)))
    rows = [bytes.fromhex(row) for row, _ in ROWS]
    for row, (_, operation) in zip(rows, ROWS, strict=True):
        data = calldata("batch", "uint32,bytes", [3, row])
        cases.append((f"batch of {type(operation).__name__}", data, True, (operation,)))
    every = tuple(operation for _, operation in ROWS)
    data = calldata("batch", "uint32,bytes", [3, b"".join(rows)])
    cases.append(("batch of every row", data, True, every))
    data = calldata("batch", "uint32,bytes", [3, rows[2] * 64])
    cases.append(("batch of 64", data, True, (ROWS[2][1],) * 64))
    result = []
    for number, (name, data, batch, operations) in enumerate(cases):
        for form, fees in enumerate(forms):
            key, nonce = KEYS[form], [0, 127, 2**64 - 1][number % 3]
            chain_id = [CHAIN_ID, 1337, 2**63][form] if number == 0 else CHAIN_ID
            signed = _sign(key, nonce, data, fees, chain_id)
            odd = signed.v - 2 * chain_id - 35 if form == 2 else signed.v
            signature = tx.compact_signature(signed.r, signed.s, odd)
            raw = bytes(signed.raw_transaction)
            envelope = tx.Envelope(0, nonce, 3, batch, operations, fees, signature)
            result.append(
                {
                    "name": f"{name}, form {form}",
                    "chain_id": str(chain_id),
                    "key": key.hex(),
                    "raw": raw.hex(),
                    "digest": _digest(raw, fees, chain_id).hex(),
                    "hash": bytes(signed.hash).hex(),
                    "sender": Account.from_key(key).address.lower(),
                    "envelope": input_json(envelope),
                }
            )
    return result


def refused() -> list[dict[str, Any]]:
    name, types, values, _ = SINGLES[0]
    good = calldata(name, types, [0, *values])
    to = tx.EXCHANGE
    items: dict[str, Any] = {
        "chain": CHAIN_ID.to_bytes(3, "big"),
        "nonce": b"\x05",
        "tip": b"\x01",
        "max_fee": b"\x03",
        "gas": b"\x0f\x42\x40",
        "to": to,
        "value": b"",
        "data": good,
        "access": [],
        "parity": b"\x01",
        "r": b"\x07" * 32,
        "s": b"\x09" * 31,
    }

    def type2(**changes: Any) -> bytes:
        return b"\x02" + rlp.encode(list((items | changes).values()))

    def legacy(v: int) -> bytes:
        fields = [b"\x05", b"\x01", b"\x64", to, b"", good, _uint(v), b"\x07", b"\x09"]
        return bytes(rlp.encode(fields))

    def placed(position: int, value: int) -> bytes:
        """The good calldata with one word replaced."""
        at = 4 + 32 * position
        return good[:at] + value.to_bytes(32, "big") + good[at + 32 :]

    def batch(rows: str, tail: str = "") -> bytes:
        data = calldata("batch", "uint32,bytes", [0, bytes.fromhex(rows)])
        return type2(data=data + bytes.fromhex(tail))

    withdraw = calldata(*SINGLES[7][:2], [0, TOKEN, 2**128, RECIPIENT])
    offset = calldata("batch", "uint32,bytes", [0, b"\x05\x00"])
    minimal = type2()
    assert minimal[:2] == b"\x02\xf9"
    cases: list[tuple[str, str, bytes]] = [
        ("nothing", "malformed", b""),
        ("a string", "malformed", b"\x83abc"),
        ("cut short", "malformed", minimal[:-1]),
        ("a byte after it", "malformed", minimal + b"\0"),
        ("one field less", "malformed", b"\x02" + rlp.encode(list(items.values())[:-1])),
        ("one field more", "malformed", b"\x02" + rlp.encode([*items.values(), b""])),
        ("a list for a number", "malformed", type2(nonce=[])),
        ("calldata cut short", "malformed", type2(data=good[:-1])),
        ("rows cut short", "malformed", batch("0201")),
        ("a row of no kind", "malformed", batch("07")),
        ("other chain", "wrong_chain_id", type2(chain=b"\x01")),
        ("chain over 64 bits", "wrong_chain_id", type2(chain=b"\x01" * 9)),
        ("other chain, legacy", "wrong_chain_id", legacy(2 * 1 + 35)),
        ("other recipient", "wrong_recipient", type2(to=b"\x01" * 20)),
        ("no recipient", "wrong_recipient", type2(to=b"")),
        ("one wei", "value_not_zero", type2(value=b"\x01")),
        ("an access list", "access_list_not_empty", type2(access=[[to, []]])),
        ("nonce with a leading zero", "non_canonical_encoding", type2(nonce=b"\0\x05")),
        ("long form of a short list", "non_canonical_encoding", b"\x02\xf8\x01\x05"),
        ("a length with a leading zero", "non_canonical_encoding", b"\x02\xfa\0" + minimal[2:]),
        ("calldata with a word more", "non_canonical_encoding", type2(data=good + bytes(32))),
        ("subaccount over 32 bits", "non_canonical_encoding", type2(data=placed(0, 2**32))),
        ("a bool of 2", "non_canonical_encoding", type2(data=placed(2, 2))),
        ("a price over 64 bits", "non_canonical_encoding", type2(data=placed(3, 2**64))),
        ("tif 4", "non_canonical_encoding", type2(data=placed(5, 4))),
        ("flags 4", "non_canonical_encoding", type2(data=placed(6, 4))),
        ("tif 2", "tif_unsupported", type2(data=placed(5, 2))),
        ("reduce-only", "flags_unsupported", type2(data=placed(6, 2))),
        ("tif 3 in a row", "tif_unsupported", batch("310001010000")),
        ("reduce-only in a row", "flags_unsupported", batch("8100010100")),
        (
            "another offset",
            "non_canonical_encoding",
            type2(data=offset[:67] + b"\x60" + offset[68:]),
        ),
        ("dirty padding", "non_canonical_encoding", type2(data=offset[:-1] + b"\x01")),
        ("padding too long", "non_canonical_encoding", batch("0500", "00" * 32)),
        ("padding too short", "malformed", type2(data=offset[:-32] + b"\x05\x00")),
        ("a varint with a byte too many", "non_canonical_encoding", batch("02800005")),
        ("a market over 32 bits in a row", "non_canonical_encoding", batch("02ffffffff1f00")),
        ("bits over a cancel", "non_canonical_encoding", batch("0a0000")),
        ("no function", "unknown_selector", type2(data=b"\x01\x02\x03\x04")),
        ("no calldata", "unknown_selector", type2(data=b"")),
        ("r of zero", "signature_invalid", type2(r=b"")),
        ("r of n", "signature_invalid", type2(r=_uint(N))),
        ("s of zero", "signature_invalid", type2(s=b"")),
        ("s of n", "signature_invalid", type2(s=_uint(N))),
        ("s of 33 bytes", "signature_invalid", type2(s=b"\x01" * 33)),
        ("parity 2", "signature_invalid", type2(parity=b"\x02")),
        ("v of 0", "signature_invalid", legacy(0)),
        ("s of (n + 1) / 2", "signature_high_s", type2(s=_uint(N // 2 + 1))),
        ("s of n - 1", "signature_high_s", type2(s=_uint(N - 1))),
        ("nonce over 64 bits", "nonce_too_high", type2(nonce=b"\x01" * 9)),
        ("no rows", "too_many_operations", batch("")),
        ("65 rows", "too_many_operations", batch("0500" * 65)),
        ("a tip over 64 bits", "fee_field_too_large", type2(tip=b"\x01" * 9)),
        ("gas over 64 bits", "fee_field_too_large", type2(gas=b"\x01" * 9)),
        ("type 1", "unsupported_tx_type", b"\x01" + minimal[1:]),
        ("type 3", "unsupported_tx_type", b"\x03" + minimal[1:]),
        ("v of 27", "not_replay_protected", legacy(27)),
        ("2^128 units", "amount_too_large", type2(data=withdraw)),
    ]
    return [
        {"name": name, "chain_id": CHAIN_ID, "reason": reason, "raw": raw.hex()}
        for name, reason, raw in cases
    ]


def _uint(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


# --- typed digests ---


def _typed_digest(
    kind: str, types: list[dict[str, str]], message: dict[str, Any], chain: int
) -> str:
    domain = {
        "name": "Novation",
        "version": "1",
        "chainId": chain,
        "verifyingContract": "0x" + INBOX.hex(),
    }
    signable = encode_typed_data(domain, {kind: types}, message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body).hex()


def typed_digests() -> dict[str, Any]:
    uint = [{"name": "feed", "type": "uint32"}]
    uint += [{"name": name, "type": "uint64"} for name in ("priceE9", "timeMs")]
    group_types = [
        {"name": "term", "type": "uint64"},
        {"name": "firstSeq", "type": "uint64"},
        {"name": "count", "type": "uint32"},
        {"name": "receiptsRoot", "type": "bytes32"},
        {"name": "previous", "type": "bytes32"},
    ]
    reports, groups = [], []
    for feed, price, time, chain in [
        (0, 61_234 * 10**9, 1_800_000_000_000, CHAIN_ID),
        (2**32 - 1, 2**64 - 1, 2**64 - 1, 2**63),
    ]:
        message = {"feed": feed, "priceE9": price, "timeMs": time}
        digest = _typed_digest("Report", uint, message, chain)
        fields = {"feed": feed, "price_e9": price, "time_ms": time}
        where = {"chain_id": str(chain), "inbox": INBOX.hex(), "digest": digest}
        reports.append(fields | where)
    for term, first, count in [(0, 0, 1), (2**64 - 1, 2**64 - 1, 2**32 - 1)]:
        root, previous = keccak(bytes([count % 256])), keccak(b"previous")
        message = {
            "term": term,
            "firstSeq": first,
            "count": count,
            "receiptsRoot": root,
            "previous": previous,
        }
        digest = _typed_digest("CommitGroup", group_types, message, CHAIN_ID)
        fields = {
            "term": term,
            "first_seq": first,
            "count": count,
            "receipts_root": root.hex(),
            "previous": previous.hex(),
        }
        where = {"chain_id": str(CHAIN_ID), "inbox": INBOX.hex(), "digest": digest}
        groups.append(fields | where)
    return {"reports": reports, "commit_groups": groups}


def files() -> dict[str, dict[str, Any]]:
    return {
        "envelopes.json": {"accepted": accepted(), "refused": refused()},
        "segments.json": {"good": good_segments(), "bad": bad_segments()},
        "eip712.json": typed_digests(),
    }
