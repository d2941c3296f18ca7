"""What the SDK signs, against eth-account and eth-abi."""

import random

import pytest
from eth_abi.abi import encode
from eth_account import Account as Reference
from eth_utils import function_signature_to_4byte_selector as selector
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from sequencer.sdk import (
    IOC,
    Account,
    Cancel,
    CancelAll,
    CancelById,
    Key,
    Operation,
    Place,
    Replace,
    Withdraw,
)
from sequencer.sdk.operations import calldata, varint
from sequencer.sdk.signing import EXCHANGE, Fees, keccak, sign_transaction

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
TOKEN, OTHER = bytes(range(20)), bytes(range(20, 40))


@given(subaccount=U32, market=U32, buy=st.booleans(), price=U64, qty=U64, client_id=U64)
def test_single_operations_are_canonical_abi(
    subaccount: int, market: int, buy: bool, price: int, qty: int, client_id: int
) -> None:
    cases: list[tuple[Operation, str, list[object]]] = [
        (
            Place(market, buy, price, qty, client_id, IOC, post_only=True),
            "placeOrder(uint32,uint32,bool,uint64,uint64,uint8,uint8,uint64)",
            [subaccount, market, buy, price, qty, 1, 1, client_id],
        ),
        (
            Cancel(market, client_id),
            "cancelOrder(uint32,uint32,uint64)",
            [subaccount, market, client_id],
        ),
        (CancelById(price), "cancelOrderById(uint32,uint64)", [subaccount, price]),
        (
            Replace(market, client_id, price, qty),
            "replaceOrder(uint32,uint32,uint64,uint64,uint64)",
            [subaccount, market, client_id, price, qty],
        ),
        (CancelAll(market), "cancelAll(uint32,uint32)", [subaccount, market]),
        (CancelAll(), "cancelAll(uint32,uint32)", [subaccount, 2**32 - 1]),
        (
            Withdraw(TOKEN, price, OTHER),
            "withdraw(uint32,address,uint256,address)",
            [subaccount, TOKEN, price, OTHER],
        ),
    ]
    for operation, signature, arguments in cases:
        types = signature[signature.index("(") + 1 : -1].split(",")
        assert calldata([operation], subaccount) == selector(signature) + encode(types, arguments)


@given(st.lists(st.binary(min_size=0, max_size=40), min_size=2, max_size=64))
def test_several_operations_are_one_canonical_batch(seeds: list[bytes]) -> None:
    operations = [Cancel(len(seed), int.from_bytes(seed[:8])) for seed in seeds]
    rows = b"".join(operation.packed() for operation in operations)
    expected = selector("batch(uint32,bytes)") + encode(["uint32", "bytes"], [3, rows])
    assert calldata(operations, 3) == expected


def test_rows_are_the_bytes_of_the_format() -> None:
    place = Place(1, True, 300, 5, 127, IOC, post_only=True)
    assert place.packed() == bytes([0b1011001, 1, 0xAC, 0x02, 5, 127])
    assert Place(0, False, 1, 2, 3).packed() == bytes([1, 0, 1, 2, 3])
    assert Cancel(2, 128).packed() == bytes([2, 2, 0x80, 1])
    assert CancelById(9).packed() == bytes([3, 9])
    assert Replace(1, 7, 8, 9).packed() == bytes([4, 1, 7, 8, 9])
    assert CancelAll().packed() == bytes([5, 0])
    assert CancelAll(0).packed() == bytes([5, 1])
    assert Withdraw(TOKEN, 1, OTHER).packed() == b"\x06" + TOKEN + b"\x01" + OTHER


@given(st.integers(0, 2**128 - 1))
def test_varints_are_the_shortest_and_read_back(value: int) -> None:
    data = varint(value)
    assert sum((byte & 0x7F) << 7 * i for i, byte in enumerate(data)) == value
    assert len(data) == max(1, -(-value.bit_length() // 7))


@pytest.mark.parametrize(
    "operation",
    [Cancel(2**32, 1), Cancel(0, 2**64), Place(0, True, -1, 1, 1), Withdraw(TOKEN, 2**128, OTHER)],
)
def test_a_number_that_does_not_fit_is_refused_before_signing(operation: Operation) -> None:
    with pytest.raises((ValueError, OverflowError)):
        calldata([operation])


@pytest.mark.parametrize("count", [0, 65])
def test_an_envelope_has_one_to_sixty_four_operations(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 64"):
        calldata([Cancel(0, 1)] * count)


def test_signed_bytes_and_hash_are_those_of_eth_account(rng: random.Random) -> None:
    for _ in range(200):
        secret = keccak(rng.randbytes(8))
        fields = {
            "type": 2,
            "chainId": rng.choice([1, 127, 128, 412_000]),
            "nonce": rng.choice([0, 1, 127, 128, 2**40]),
            "maxPriorityFeePerGas": rng.choice([0, 1, 10**9]),
            "maxFeePerGas": 10**10,
            "gas": rng.choice([21_000, 1_000_000]),
            "to": to_checksum_address(EXCHANGE),
            "value": rng.choice([0, 5, 10**18]),
            "data": rng.randbytes(rng.choice([0, 1, 2, 55, 56, 300])),
        }
        signed = sign_transaction(
            Key(secret),
            fields["chainId"],
            fields["nonce"],
            EXCHANGE,
            fields["data"],
            fees=Fees(fields["maxPriorityFeePerGas"], fields["maxFeePerGas"], fields["gas"]),
            value_wei=fields["value"],
        )
        reference = Reference.sign_transaction(fields, secret)
        assert signed.raw == bytes(reference.raw_transaction)
        assert signed.hash == bytes(reference.hash)


def test_an_account_uses_each_nonce_once() -> None:
    account = Account(Key(b"\x01" * 32), 412_000, nonce=7)
    assert [account.sign([Cancel(0, i)]).nonce for i in range(3)] == [7, 8, 9]
    assert account.address_hex == Reference.from_key(b"\x01" * 32).address.lower()
