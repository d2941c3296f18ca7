"""`state.tx` against eth-account, the RLP and ABI libraries."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from coincurve import PrivateKey
from eth_account import Account
from eth_hash.auto import keccak

from state import tx
from tests.unit.state import segment_vectors

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "envelopes.json").read_text())
KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")


def operation_of(fields: dict) -> tx.Operation:
    kinds = {
        "place": tx.Place,
        "cancel": tx.Cancel,
        "cancel_by_id": tx.CancelById,
        "replace": tx.Replace,
        "cancel_all": tx.CancelAll,
        "withdraw": tx.Withdraw,
    }
    values = {name: value for name, value in fields.items() if name != "kind"}
    if fields["kind"] == "withdraw":
        values = {
            "token": bytes.fromhex(values["token"]),
            "amount": int(values["amount"]),
            "recipient": bytes.fromhex(values["recipient"]),
        }
    return kinds[fields["kind"]](**values)


def fees_of(fields: dict) -> tx.Fees:
    values = {name: value for name, value in fields.items() if name != "type"}
    return tx.LegacyFees(**values) if fields["type"] == "legacy" else tx.Type2Fees(**values)


def envelope_of(fields: dict) -> tx.Envelope:
    return tx.Envelope(
        fields["account"],
        fields["nonce"],
        fields["subaccount"],
        fields["batch"],
        tuple(operation_of(operation) for operation in fields["operations"]),
        fees_of(fields["form"]),
        bytes.fromhex(fields["signature"]),
    )


@pytest.mark.parametrize("case", VECTORS["accepted"], ids=lambda case: case["name"])
def test_signing_gives_the_bytes_that_eth_account_signed(case: dict) -> None:
    envelope, chain_id = envelope_of(case["envelope"]), int(case["chain_id"])
    raw = tx.sign_transaction(
        bytes.fromhex(case["key"]),
        chain_id,
        envelope.nonce,
        envelope.subaccount,
        envelope.operations,
        batch=envelope.batch,
        fees=envelope.fees,
    )
    assert raw.hex() == case["raw"]
    assert tx.transaction_hash(raw).hex() == case["hash"]
    assert keccak(tx.unsigned_payload(envelope, chain_id)).hex() == case["digest"]
    assert tx.raw_transaction(envelope, chain_id) == raw
    assert "0x" + tx.address_of(bytes.fromhex(case["key"])).hex() == case["sender"]


def test_a_random_envelope_recovers_to_its_signer(rng: random.Random) -> None:
    address = Account.from_key(KEY).address
    for _ in range(40):
        operations = [segment_vectors.random_operation(rng) for _ in range(rng.randrange(1, 9))]
        fees = rng.choice([tx.DEFAULT_FEES, tx.Type2Fees(1, 2**64 - 1, 5), tx.LegacyFees(0, 0)])
        raw = tx.sign_transaction(KEY, 412_000, rng.getrandbits(64), 0, operations, fees=fees)
        assert Account.recover_transaction(raw) == address


def test_one_operation_goes_by_its_own_function_and_several_by_batch() -> None:
    one = tx.sign_transaction(KEY, 1, 0, 0, [tx.CancelAll()])
    two = tx.sign_transaction(KEY, 1, 0, 0, [tx.CancelAll(), tx.CancelAll(1)])
    assert keccak(b"cancelAll(uint32,uint32)")[:4] in one
    assert keccak(b"batch(uint32,bytes)")[:4] in two


@pytest.mark.parametrize("count", [0, 65])
def test_a_batch_of_none_or_too_many_is_not_signed(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 64"):
        tx.sign_transaction(KEY, 1, 0, 0, [tx.CancelAll()] * count)


def test_signing_is_fast_enough_for_a_flow() -> None:
    key = PrivateKey(KEY)
    operations = [tx.Place(0, True, 61_234_500_000_000 + i, 10**8, client_id=i) for i in range(4)]
    best = min(_seconds_of_100(key, operations) for _ in range(5))
    print(f"{best * 1e4:.0f} us a signature")
    assert best < 100 * 500e-6  # four times what it takes on a quiet machine


def _seconds_of_100(key: PrivateKey, operations: list[tx.Operation]) -> float:
    start = time.perf_counter()
    for nonce in range(100):
        tx.sign_transaction(key, 412_000, nonce, 0, operations)
    return time.perf_counter() - start
