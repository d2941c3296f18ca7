"""The embedded L1: what it takes, what it refuses and how, what it keeps."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from eth_account import Account as EthAccount
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError

from bridge.contracts import load
from bridge.errors import L1RpcError
from bridge.l1 import client, contracts
from bridge.l1.client import to_bytes, to_hex
from bridge.l1.devnet import process
from bridge.l1.devnet.accounts import account
from bridge.l1.http import HttpL1
from bridge.l1.signing import Fields, Signed, floor_gas, sign
from tests.l1 import GOVERNOR, STRANGER, USER, TestL1, deployed, running_l1

GWEI = 10**9
TRANSFER = Fields(1337, 0, GWEI, 10 * GWEI, 21_000, STRANGER.address, 5, b"")


def signed(**changes: Any) -> Signed:
    return sign(replace(TRANSFER, **changes), USER.key)


async def send(l1: HttpL1, transaction: Signed) -> bytes:
    return to_bytes(await l1.request("eth_sendRawTransaction", [to_hex(transaction.raw)]))


async def refusal(l1: HttpL1, transaction: Signed) -> str:
    with pytest.raises(L1RpcError) as caught:
        await send(l1, transaction)
    return caught.value.message


async def test_it_refuses_what_geth_refuses_with_geths_texts(l1: TestL1) -> None:
    legacy = EthAccount.sign_transaction(
        {"nonce": 0, "gasPrice": 10 * GWEI, "gas": 21_000, "to": STRANGER.address, "value": 0},
        USER.key,
    )
    unprotected = Signed(bytes(legacy.raw_transaction), bytes(legacy.hash))
    data = bytes([255]) * 1_000
    # Below the floor of 61,000, far above the 37,000 that execution takes.
    under_floor = EthAccount.sign_transaction(
        {
            "type": 2, "chainId": 1337, "nonce": 0, "gas": 50_000, "maxFeePerGas": 10 * GWEI,
            "maxPriorityFeePerGas": GWEI, "to": STRANGER.address, "value": 0, "data": data,
        },
        USER.key,
    )  # fmt: skip

    assert "invalid chain id" in await refusal(l1, signed(chain_id=1))
    assert "replay-protected" in await refusal(l1, unprotected)
    floor = await refusal(l1, Signed(bytes(under_floor.raw_transaction), b""))
    assert floor == "insufficient gas for floor data gas cost: gas 50000, minimum needed 61000"
    assert "exceeds block gas limit" in await refusal(l1, signed(gas=60_000_001))
    assert "insufficient funds" in await refusal(l1, signed(value_wei=10**30))
    assert "oversized" in await refusal(l1, signed(data=bytes(140_000), gas=5_000_000))
    assert "could not be decoded" in await refusal(l1, Signed(b"\x02\xc0", b""))
    assert await client.fetch_nonce(l1, USER.address) == 0

    await send(l1, signed())
    assert "nonce too low: next nonce 1, tx nonce 0" in await refusal(l1, signed())
    assert await client.fetch_nonce(l1, USER.address) == 1


async def test_a_transaction_just_at_the_calldata_floor_is_taken_and_costs_it(l1: TestL1) -> None:
    data = bytes(range(1, 256)) * 4
    gas = floor_gas(data)

    tx_hash = await send(l1, signed(data=data, gas=gas))

    receipt = await client.fetch_receipt(l1, tx_hash)
    assert receipt is not None
    assert receipt.ok
    assert receipt.gas_used == gas


async def test_a_replacement_needs_ten_percent_more_and_takes_the_nonce(l1: TestL1) -> None:
    await l1.hold()
    first = await send(l1, signed())

    assert await refusal(l1, signed()) == "already known"
    cheap = signed(max_fee_wei=10 * GWEI + 1, tip_wei=GWEI + 1)
    assert await refusal(l1, cheap) == "replacement transaction underpriced"
    second = await send(l1, signed(max_fee_wei=11 * GWEI, tip_wei=GWEI * 11 // 10))
    await l1.mine()

    assert await client.fetch_receipt(l1, first) is None
    assert await client.fetch_receipt(l1, second) is not None
    assert await client.fetch_nonce(l1, USER.address) == 1


async def test_transactions_of_one_block_are_mined_in_order_of_nonce(l1: TestL1) -> None:
    await l1.hold()
    late = [await send(l1, signed(nonce=nonce)) for nonce in (2, 1)]
    await l1.mine()
    assert await client.fetch_nonce(l1, USER.address) == 0

    await send(l1, signed(nonce=0))
    assert await client.fetch_nonce(l1, USER.address, "pending") == 3
    await l1.mine()

    receipts = [await client.fetch_receipt(l1, tx_hash) for tx_hash in late]
    assert [receipt.block for receipt in receipts if receipt is not None] == [2, 2]


async def test_what_does_not_fit_into_a_block_waits_for_the_next(l1: TestL1) -> None:
    await l1.hold()
    data = b"\x01" * 100_000
    sent = [
        await send(l1, signed(nonce=nonce, data=data, gas=floor_gas(data))) for nonce in range(20)
    ]
    await l1.mine()
    first = await client.fetch_nonce(l1, USER.address)
    await l1.mine()

    # 60 million gas hold 14 of 4.02 million each.
    assert first == 14
    receipts = [await client.fetch_receipt(l1, tx_hash) for tx_hash in sent]
    assert [receipt.block for receipt in receipts if receipt is not None] == [1] * 14 + [2] * 6


async def test_custom_errors_come_out_as_code_3_with_their_data(l1: TestL1) -> None:
    deployment = await deployed(l1)
    data = contracts.encode_call("Inbox", "rotatePoster", USER.address)
    request = {"from": to_hex(USER.address), "to": to_hex(deployment.inbox), "input": to_hex(data)}

    for method in ("eth_call", "eth_estimateGas"):
        with pytest.raises(L1RpcError) as caught:
            await l1.request(method, [request])
        assert caught.value.code == 3
        decoded = contracts.contract_error(caught.value)
        assert decoded is not None
        assert decoded.name == "Inbox_NotOperator"
        assert decoded.fields == {"sender": USER.address, "operator": GOVERNOR.address}


async def test_logs_are_found_fast_over_thousands_of_blocks_and_after_a_restart(
    l1: TestL1,
) -> None:
    deployment = await deployed(l1)
    wallet = l1.wallet(GOVERNOR)
    for _ in range(20):
        await l1.mine(100)
        call = contracts.encode_call("Inbox", "govern", b"\x01" + bytes(16))
        await wallet.send_and_wait(deployment.inbox, call, action="govern", gas=300_000)
    head = (await client.fetch_head(l1)).number
    method, params = client.logs_request([deployment.inbox], 0, head)

    start_s = time.monotonic()
    rows = await l1.request(method, params)
    took_s = time.monotonic() - start_s
    await l1.stop()
    await l1.start()

    assert head > 2_000
    assert len(rows) == 28
    assert took_s < 0.5
    assert await l1.request(method, params) == rows
    topic = to_hex(contracts.event_topic("Inbox", "DirectInput"))
    params[0]["topics"] = [topic, to_hex((9).to_bytes(32, "big"))]
    assert len(await l1.request(method, params)) == 1
    params[0]["topics"] = [None, [to_hex(bytes(32)), to_hex((9).to_bytes(32, "big"))]]
    # Input 0, input 9, and the first poster, who follows on the zero address.
    assert len(await l1.request(method, params)) == 3
    params[0]["address"] = to_hex(deployment.vault)
    assert await l1.request(method, params) == []


async def test_after_a_revert_the_old_branch_is_gone_from_every_answer(l1: TestL1) -> None:
    snapshot = await l1.snapshot()
    tx_hash = await send(l1, signed())
    old = await client.fetch_head(l1)

    await l1.revert(snapshot)
    await l1.mine(2)

    assert await client.fetch_receipt(l1, tx_hash) is None
    assert await l1.request("eth_getTransactionByHash", [to_hex(tx_hash)]) is None
    assert await l1.request("eth_getBlockByHash", [to_hex(old.hash), False]) is None
    new = await client.fetch_block(l1, old.number)
    assert new is not None
    assert new.hash != old.hash
    assert await client.fetch_nonce(l1, USER.address) == 0
    assert await send(l1, signed()) == tx_hash


async def test_the_clock_follows_the_wall_with_an_offset_and_never_stands_still(
    l1: TestL1,
) -> None:
    await l1.mine(5)
    first = await client.fetch_head(l1)
    await l1.pass_time(1_000)
    second = await client.fetch_head(l1)
    await l1.stop()
    await l1.start()
    await l1.mine()
    third = await client.fetch_head(l1)

    assert abs(first.time_s - time.time()) < 6
    assert second.time_s >= first.time_s + 994
    assert third.time_s > second.time_s


async def test_safe_and_finalized_lie_behind_the_head(l1: TestL1) -> None:
    await l1.mine(20)

    numbers = [(await client.fetch_head(l1, tag)).number for tag in ("latest", "safe", "finalized")]

    assert numbers == [20, 16, 12]


async def test_fee_history_begins_with_the_oldest_block_and_ends_with_the_next_fee(
    l1: TestL1,
) -> None:
    await send(l1, signed())
    await l1.mine(3)
    history = await l1.request("eth_feeHistory", ["0x4", "latest", [50]])
    blocks = [await client.fetch_block(l1, number) for number in range(1, 5)]

    assert history["oldestBlock"] == "0x1"
    fees = [int(fee, 16) for fee in history["baseFeePerGas"]]
    assert fees[:4] == [block.base_fee_wei for block in blocks if block is not None]
    assert len(fees) == 5
    assert [int(row[0], 16) for row in history["reward"]] == [GWEI, 0, 0, 0]
    assert history["gasUsedRatio"][0] == 21_000 / 60_000_000


async def test_malformed_requests_get_the_error_that_json_rpc_names(l1: TestL1) -> None:
    async def code(body: str) -> int:
        async with aiohttp.ClientSession() as session, session.post(l1.url, data=body) as reply:
            return int((await reply.json())["error"]["code"])

    assert await code("{") == -32700
    assert await code("[]") == -32600
    assert await code('{"id": 1, "params": []}') == -32600
    assert await code('{"id": 1, "method": "eth_nothing", "params": []}') == -32601
    assert await code('{"id": 1, "method": "eth_getBalance", "params": ["0x12"]}') == -32602
    assert await l1.request_many([("eth_chainId", []), ("net_version", [])]) == ["0x539", "1337"]


async def test_the_chain_survives_kill_minus_nine(tmp_path: Path) -> None:
    first = await process.start(tmp_path, interval_s=0)
    async with HttpL1(first.url) as l1:
        for nonce in range(20):
            await send(l1, signed(nonce=nonce))
        head = await client.fetch_head(l1)
    await first.kill()

    second = await process.start(tmp_path, interval_s=0)
    async with HttpL1(second.url) as l1:
        again = await client.fetch_head(l1)
        nonce = await client.fetch_nonce(l1, USER.address)
        await send(l1, signed(nonce=20))
    await second.stop()

    assert again == head
    assert nonce == 20


async def test_two_processes_cannot_share_a_folder(tmp_path: Path) -> None:
    async with running_l1(tmp_path):
        with pytest.raises(process.L1StartError, match="in use by another process"):
            await process.start(tmp_path)


async def test_blocks_come_at_the_interval_also_when_empty(tmp_path: Path) -> None:
    running = await process.start(tmp_path, interval_s=0.1)
    async with HttpL1(running.url) as l1:
        before = (await client.fetch_head(l1)).number
        await asyncio.sleep(1.0)
        after = (await client.fetch_head(l1)).number
    await running.stop()

    assert 5 <= after - before <= 11


async def test_unmodified_web3_deploys_calls_and_reads_events(l1: TestL1) -> None:
    def work() -> tuple[int, int, str]:
        artifact = load("TestUSD")
        web3 = Web3(HTTPProvider(l1.url))
        sender = web3.eth.accounts[0]
        factory = web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        receipt = web3.eth.wait_for_transaction_receipt(
            factory.constructor().transact({"from": sender})
        )
        token = web3.eth.contract(address=receipt["contractAddress"], abi=artifact.abi)
        web3.eth.wait_for_transaction_receipt(
            token.functions.mint(sender, 7).transact({"from": sender})
        )
        found = token.events.Transfer().get_logs(from_block=0)
        failed = ""
        try:
            token.functions.transfer(account(9).checksum, 8).transact({"from": sender})
        except ContractCustomError as error:
            failed = str(error.data)
        return token.functions.balanceOf(sender).call(), len(found), failed

    balance, events, failed = await asyncio.to_thread(work)

    assert (balance, events) == (7, 1)
    assert json.dumps(failed).startswith('"0xe450d38c')
