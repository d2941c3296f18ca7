"""What the SDK signs, against eth-account and eth-abi."""

from eth_abi.abi import encode
from eth_account import Account as Reference
from eth_utils import function_signature_to_4byte_selector as selector
from eth_utils import to_checksum_address

from sequencer.sdk import Account, Cancel, CancelAll, Key, Place, Replace
from state.tx import EXCHANGE, encode_row

SECRET = b"\x01" * 32


def reference(nonce: int, data: bytes) -> bytes:
    fields = {
        "type": 2,
        "chainId": 412_000,
        "nonce": nonce,
        "maxPriorityFeePerGas": 1,
        "maxFeePerGas": 3,
        "gas": 1_000_000,
        "to": to_checksum_address(EXCHANGE),
        "value": 0,
        "data": data,
    }
    return bytes(Reference.sign_transaction(fields, SECRET).raw_transaction)


def test_one_operation_is_a_call_of_its_own_function() -> None:
    account = Account(Key(SECRET), 412_000, nonce=200, subaccount=3)
    signed = account.sign([Replace(1, 9, 60_000 * 10**9, 5 * 10**6)])
    types = ["uint32", "uint32", "uint64", "uint64", "uint64"]
    data = selector("replaceOrder(uint32,uint32,uint64,uint64,uint64)") + encode(
        types, [3, 1, 9, 60_000 * 10**9, 5 * 10**6]
    )
    assert signed.raw == reference(200, data)
    assert Reference.recover_transaction(signed.raw).lower() == account.address_hex


def test_several_operations_are_one_batch() -> None:
    account = Account(SECRET, 412_000)
    operations = [Place(0, True, 10**9, 10**6, client_id=5), Cancel(0, 5), CancelAll(None)]
    rows = b"".join(map(encode_row, operations))
    data = selector("batch(uint32,bytes)") + encode(["uint32", "bytes"], [0, rows])
    assert account.sign(operations).raw == reference(0, data)


def test_an_account_uses_each_nonce_once_and_knows_its_hashes() -> None:
    account = Account(Key(SECRET), 412_000, nonce=7)
    signed = [account.sign([Cancel(0, i)]) for i in range(3)]
    assert [each.nonce for each in signed] == [7, 8, 9]
    assert len({each.hash for each in signed}) == 3
    assert account.address_hex == Reference.from_key(SECRET).address.lower()
