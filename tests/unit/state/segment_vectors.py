"""
Vectors of codec 1: random and hand-made segments, good and bad; values of `state.tx` as JSON.

In:    a fixed seed. Out: the content of `tests/vectors/segments.json`.
Not here: envelopes and typed digests (`format_vectors`), comparing (`test_format_vectors`).
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from state import tx
from state.batch import Block, Input, encode_segment
from state.eip712 import Report

PLACE = tx.Place(0, True, 61_234_500_000_000, 1_500_000_000, False, True, 7)


# --- JSON ---


def operation_json(operation: tx.Operation) -> dict[str, Any]:
    kinds = {
        tx.Place: "place",
        tx.Cancel: "cancel",
        tx.CancelById: "cancel_by_id",
        tx.Replace: "replace",
        tx.CancelAll: "cancel_all",
        tx.Withdraw: "withdraw",
    }
    fields: dict[str, Any] = {"kind": kinds[type(operation)]}
    for name in operation.__slots__:
        value = getattr(operation, name)
        fields[name] = value.hex() if isinstance(value, bytes) else value
    if isinstance(operation, tx.Withdraw):
        fields["amount"] = str(operation.amount)
    return fields


def fees_json(fees: tx.Fees) -> dict[str, Any]:
    if isinstance(fees, tx.LegacyFees):
        return {"type": "legacy", "gas_price": fees.gas_price, "gas": fees.gas}
    if fees == tx.DEFAULT_FEES:
        return {"type": "default"}
    return {"type": "type2", "tip": fees.tip, "max_fee": fees.max_fee, "gas": fees.gas}


def input_json(entry: Input) -> dict[str, Any]:
    if isinstance(entry, Report):
        return {
            "kind": "report",
            "feed": entry.feed,
            "price_e9": entry.price_e9,
            "time_ms": entry.time_ms,
            "signature": entry.signature.hex(),
        }
    return {
        "kind": "envelope",
        "form": fees_json(entry.fees),
        "account": entry.account,
        "nonce": entry.nonce,
        "subaccount": entry.subaccount,
        "batch": entry.batch,
        "operations": [operation_json(operation) for operation in entry.operations],
        "signature": entry.signature.hex(),
    }


# --- segments ---


def random_operation(rng: random.Random) -> tx.Operation:
    market = rng.choice([0, 0, 0, 1, 1, 7, rng.randrange(2**32 - 1)])
    client_id = rng.getrandbits(rng.choice([3, 20, 64]))
    price = rng.choice([0, rng.randrange(10**5) * 10 ** rng.randrange(14), rng.getrandbits(64)])
    qty = rng.choice([0, rng.randrange(10**3) * 10 ** rng.randrange(15), rng.getrandbits(64)])
    bits = [rng.random() < 0.5 for _ in range(3)]
    return rng.choice(
        [
            tx.Place(market, *bits[:1], price, qty, *bits[1:], client_id),
            tx.Place(market, *bits[:1], price, qty, *bits[1:], client_id),
            tx.Cancel(market, client_id),
            tx.CancelById(rng.getrandbits(rng.choice([7, 64]))),
            tx.Replace(market, client_id, price, qty),
            tx.CancelAll(rng.choice([None, market])),
            tx.Withdraw(
                rng.randbytes(20), rng.getrandbits(rng.choice([7, 128])), rng.randbytes(20)
            ),
        ]
    )


def random_input(rng: random.Random, time_ms: int, nonces: dict[int, int]) -> Input:
    if rng.random() < 0.2:
        time = rng.choice([time_ms - rng.randrange(1000), rng.getrandbits(64)])
        return Report(rng.randrange(3), rng.getrandbits(46), time, rng.randbytes(64))
    account = rng.choice([1, 2, 3, rng.getrandbits(32)])
    nonces[account] = rng.choice([nonces.get(account, 0), rng.getrandbits(64)])
    batch = rng.random() < 0.5
    count = rng.choice([1, 2, 20]) if batch else 1
    wide = rng.getrandbits(64)
    fees = rng.choice([tx.DEFAULT_FEES, tx.Type2Fees(wide, 3, 5), tx.LegacyFees(1, wide)])
    operations = tuple(random_operation(rng) for _ in range(count))
    subaccount = rng.choice([0, 0, 15, 2**32 - 1])
    envelope = tx.Envelope(
        account, nonces[account], subaccount, batch, operations, fees, rng.randbytes(64)
    )
    nonces[account] = (nonces[account] + 1) % 2**64
    return envelope


def random_block(rng: random.Random, count: int) -> Block:
    time_ms = 1_800_000_000_000 + rng.randrange(1000)
    nonces: dict[int, int] = {}
    inputs = tuple(random_input(rng, time_ms, nonces) for _ in range(count))
    return Block(time_ms, rng.randrange(50), inputs)


def good_segments() -> list[dict[str, Any]]:
    rng = random.Random(20_240_808)
    blocks = [("empty", Block(1_800_000_000_000, 3, ()))]
    one = tx.Envelope(1, 0, 0, False, (PLACE,), tx.DEFAULT_FEES, b"\x01" * 64)
    blocks.append(("one place", Block(1_800_000_000_010, 3, (one,))))
    again = replace(one, nonce=1, operations=(replace(PLACE, price_e9=PLACE.price_e9 + 10**8),))
    blocks.append(("the same account again", Block(1_800_000_000_010, 3, (one, again))))
    back = replace(one, nonce=0)
    blocks.append(("a nonce twice", Block(1_800_000_000_010, 3, (again, back))))
    for number in range(24):
        count = rng.randrange(1, 9)
        blocks.append((f"random {number}", random_block(rng, count)))
    result = []
    for name, block in blocks:
        t_first, header_to = 1_800_000_000_000, 50
        result.append(
            {
                "name": name,
                "t_first_ms": t_first,
                "header_direct_to": header_to,
                "time_ms": block.time_ms,
                "direct_to": block.direct_to,
                "inputs": [input_json(entry) for entry in block.inputs],
                "bytes": encode_segment(block, t_first, header_to).hex(),
            }
        )
    return result


def bad_segments() -> list[dict[str, Any]]:
    """Segments that are wrong in one place; head: time 0, direct_to 0, one input."""
    head, rest = "000001", "01" * 64
    # form, account 0 1, nonce 0, subaccount 0, op byte, market 0, powers, price, qty, client id
    cases = {
        "nothing": "",
        "257 inputs": "0000" + "8102",
        "direct_to below zero": "0065" + "00",
        "a byte after the end": "000000" + "00",
        "a count with a byte too many": "0000" + "8000",
        "no such form": head + "04" + "0001" + "00" + "00" + "05" + "00" + rest,
        "a report as batch": head + "0b" + "00" + "00" + "00" + rest,
        "default fees given": head
        + "01"
        + "0001"
        + "00"
        + "0103c0843d"
        + "00"
        + "05"
        + "00"
        + rest,
        "account not introduced": head + "00" + "02" + "00" + "00" + "05" + "00" + rest,
        "account introduced twice": "000002"
        + "0000"
        + "00010001"
        + "0000"
        + "0000"
        + "0505"
        + "0000"
        + rest * 2,
        "65 operations": head + "08" + "0001" + "00" + "00" + "41" + "05" * 65 + "00" * 65 + rest,
        "no operation": head + "08" + "0001" + "00" + "00" + "00" + rest,
        "operation of no kind": head + "00" + "0001" + "00" + "00" + "07" + rest,
        "operation code zero": head + "00" + "0001" + "00" + "00" + "00" + rest,
        "tif that is kept": head
        + "00"
        + "0001"
        + "00"
        + "00"
        + "21"
        + "00"
        + "00"
        + "02"
        + "01"
        + "00"
        + rest,
        "power too small": head
        + "00"
        + "0001"
        + "00"
        + "00"
        + "01"
        + "00"
        + "00"
        + "14"
        + "01"
        + "00"
        + rest,
        "power though zero": head
        + "00"
        + "0001"
        + "00"
        + "00"
        + "01"
        + "00"
        + "10"
        + "02"
        + "00"
        + "00"
        + rest,
        "price over 64 bits": head
        + "00"
        + "0001"
        + "00"
        + "00"
        + "01"
        + "00"
        + "01"
        + "feffffffffffffffff01"
        + "01"
        + "00"
        + rest,
        "signature cut short": head + "00" + "0001" + "00" + "00" + "05" + "00" + rest[2:],
    }
    return [
        {"name": name, "t_first_ms": 0, "header_direct_to": 100, "bytes": text}
        for name, text in cases.items()
    ]
