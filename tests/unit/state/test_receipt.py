"""Receipts: binary form, Ethereum logs, and the events that IExchange.sol declares."""

from __future__ import annotations

import json
import random
from dataclasses import fields
from pathlib import Path

import pytest
from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from state import exchange_abi, receipt

ARTIFACT = Path(__file__).parents[3] / "bridge" / "contracts" / "artifacts" / "IExchange.json"


def random_event(rng: random.Random, number: int) -> receipt.Event:
    values: list[object] = []
    for field in exchange_abi.EVENTS[number].fields:
        if field.abi_type == "address":
            values.append(rng.randbytes(20))
        elif field.abi_type == "bool":
            values.append(rng.random() < 0.5)
        elif field.abi_type == "int128":
            values.append(rng.getrandbits(127) - 2**126)
        else:
            values.append(rng.getrandbits(int(field.abi_type.removeprefix("uint"))))
    return receipt.EVENT_TYPES[number](*values)


def random_receipt(rng: random.Random) -> receipt.Receipt:
    results = tuple(
        receipt.OperationResult(rng.randrange(1, 7), rng.choice([0, 107]))
        for _ in range(rng.randrange(5))
    )
    events = tuple(
        (rng.randrange(64), random_event(rng, rng.randrange(1, 10)))
        for _ in range(rng.randrange(9))
    )
    return receipt.Receipt(
        rng.choice(list(receipt.InputKind)),
        rng.random() < 0.5,
        rng.getrandbits(16),
        rng.getrandbits(64),
        rng.getrandbits(64),
        rng.getrandbits(32),
        rng.randbytes(32),
        rng.randbytes(20),
        results,
        events,
    )


def test_a_random_receipt_survives_its_bytes(rng: random.Random) -> None:
    for _ in range(300):
        value = random_receipt(rng)
        data = receipt.encode_receipt(value)
        assert receipt.decode_receipt(data) == value
        for wrong in (data[:-1], data + b"\0", data[: rng.randrange(len(data))]):
            with pytest.raises(ValueError, match=r"receipt|event"):
                receipt.decode_receipt(wrong)


def test_a_receipt_written_by_hand_reads_as_the_page_says() -> None:
    data = bytes.fromhex(
        "01" "01" "0000" "0700000000000000" "0300000000000000" "02000000"
        + "aa" * 32 + "bb" * 20 + "0100" "0100"
        "01" "6b00"
        "05" "0000" "01" "6b00"
    )  # fmt: skip
    assert receipt.decode_receipt(data) == receipt.Receipt(
        receipt.InputKind.ENVELOPE,
        True,
        0,
        7,
        3,
        2,
        b"\xaa" * 32,
        b"\xbb" * 20,
        (receipt.OperationResult(1, 107),),
        ((0, receipt.OperationRejected(1, 107)),),
    )


@pytest.mark.parametrize("number", sorted(exchange_abi.EVENTS))
def test_logs_are_what_the_abi_library_encodes(number: int, rng: random.Random) -> None:
    declared = exchange_abi.EVENTS[number].fields
    for _ in range(20):
        event = random_event(rng, number)
        topics, data = receipt.event_log(event)
        values = [getattr(event, field.name) for field in fields(event)]
        pairs = list(zip(declared, values, strict=True))
        plain = [(field.abi_type, value) for field, value in pairs if not field.indexed]
        assert data == abi_encode([kind for kind, _ in plain], [value for _, value in plain])
        indexed = [abi_encode([f.abi_type], [value]) for f, value in pairs if f.indexed]
        assert topics == [exchange_abi.EVENTS[number].topic, *indexed]


@pytest.mark.parametrize("number", sorted(exchange_abi.EVENTS))
def test_fields_of_an_event_have_the_names_of_its_declaration(number: int) -> None:
    abi, event_type = exchange_abi.EVENTS[number], receipt.EVENT_TYPES[number]
    assert abi.name == event_type.__name__
    snake = [
        "".join("_" + c.lower() if c.isupper() else c for c in field.name) for field in abi.fields
    ]
    assert snake == [field.name for field in fields(event_type)]


def test_events_are_those_of_the_contract_artifact() -> None:
    artifact = json.loads(ARTIFACT.read_text())
    declared = {entry["name"]: entry for entry in artifact["abi"] if entry["type"] == "event"}
    assert sorted(declared) == sorted(event.name for event in exchange_abi.EVENTS.values())
    for event in exchange_abi.EVENTS.values():
        inputs = declared[event.name]["inputs"]
        ours = [(field.name, field.abi_type, field.indexed) for field in event.fields]
        assert ours == [(entry["name"], entry["type"], entry["indexed"]) for entry in inputs]
        types = ",".join(entry["type"] for entry in inputs)
        assert event.topic == keccak(f"{event.name}({types})".encode())
