"""A whole node on an embedded L1: what it promises, and what it refuses."""

from __future__ import annotations

import asyncio
import io
import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import rlp

from bridge.deployment import Deployment
from bridge.l1.contracts import decode_result, encode_call
from bridge.l1.devnet.accounts import account
from sequencer.sdk.client import RpcError
from state._native import keccak256
from state.eip712 import CommitGroup, commit_group_digest
from state.store import StoreLockedError
from state.tx import Cancel, Operation, Place, sign_transaction
from tests.l1 import USER, TestL1, deployed, running_l1
from tests.node import PRICE_E9, SEQUENCER, RunningNode, running_node

E9 = 10**9
SECP_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
LOT_E9 = E9 // 1_000


@pytest.fixture
async def l1(tmp_path: Path) -> AsyncIterator[TestL1]:
    async with running_l1(tmp_path / "l1") as found:
        yield found


@pytest.fixture
async def deployment(l1: TestL1) -> Deployment:
    found = await deployed(l1)
    await l1.mine(2)
    return found


def signed(node: RunningNode, nonce: int, *operations: Operation, key: bytes = USER.key) -> str:
    raw = sign_transaction(key, node.deployment.l2_chain_id, nonce, 0, operations)
    return "0x" + raw.hex()


def buy(client_id: int = 1, offset: int = 1_000) -> Place:
    return Place(0, True, PRICE_E9 - offset * E9, LOT_E9, client_id=client_id)


async def refusal(node: RunningNode, method: str, *params: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await node.client.call(method, *params)
    return caught.value


async def settled_root(node: RunningNode) -> str:
    """Root after the newest batch, once all that was sent is in one."""
    for _ in range(100):
        sync = await node.client.call("rollup_syncStatus")
        if not sync["unsealed_blocks"]:
            return str(sync["root"])
        await asyncio.sleep(0.05)
    raise AssertionError("the batch is not sealed")


async def test_an_order_is_durable_visible_and_promised(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with running_node(tmp_path, l1, deployment) as node:
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()

        digest = await node.client.call("eth_sendRawTransaction", signed(node, 0, buy()))

        receipt = await node.client.call("eth_getTransactionReceipt", digest)
        assert (receipt["status"], len(receipt["logs"])) == ("0x1", 1)
        block = await node.client.call("eth_getBlockByHash", receipt["blockHash"], True)
        shown = block["transactions"][int(receipt["transactionIndex"], 16)]
        assert (shown["hash"], shown["nonce"], shown["from"]) == (digest, "0x0", receipt["from"])
        logs = await node.client.call(
            "eth_getLogs",
            {"blockHash": receipt["blockHash"], "topics": receipt["logs"][0]["topics"]},
        )
        assert logs == receipt["logs"]
        book = await node.client.call("public/get_order_book", "BTC-PERPETUAL", 5)
        assert book["bids"] == [["59000", "0.001"]]
        await check_promise(node, digest)


async def check_promise(node: RunningNode, digest: str) -> None:
    """Climb from the receipt to the root that the sequencer signed."""
    found = await node.client.call("rollup_getReceipt", digest)
    promise = found["promise"]
    word = keccak256(bytes.fromhex(found["receipt"][2:]))
    index = found["seq"] - promise["firstSeq"]
    for sibling in promise["path"]:
        pair = (
            (bytes.fromhex(sibling[2:]), word) if index & 1 else (word, bytes.fromhex(sibling[2:]))
        )
        word, index = keccak256(b"".join(pair)), index >> 1
    assert "0x" + word.hex() == promise["receiptsRoot"]
    group = CommitGroup(
        promise["term"],
        promise["firstSeq"],
        promise["count"],
        word,
        bytes.fromhex(promise["previous"][2:]),
    )
    signed_digest = commit_group_digest(group, node.deployment.l2_chain_id, node.deployment.inbox)
    assert promise["digest"] == "0x" + signed_digest.hex()
    assert promise["signer"] == "0x" + SEQUENCER.address.hex()


async def test_a_byte_identical_resend_gets_the_first_result(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with running_node(tmp_path, l1, deployment) as node:
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        raw = signed(node, 0, buy())

        both = await node.client.call_many([("eth_sendRawTransaction", [raw])] * 2)
        later = await node.client.call("eth_sendRawTransaction", raw)
        other = await refusal(node, "eth_sendRawTransaction", signed(node, 0, buy(client_id=2)))

        assert both == [later, later]
        assert (other.code, other.reason) == (-32000, "nonce_too_low")
        assert str(other).startswith("nonce too low: next nonce 1, tx nonce 0")
    async with running_node(tmp_path, l1, deployment) as node:
        assert await node.client.call("eth_sendRawTransaction", raw) == later


async def test_bad_input_is_named_and_changes_nothing(
    tmp_path: Path, l1: TestL1, deployment: Deployment, rng: random.Random
) -> None:
    async with running_node(tmp_path, l1, deployment) as node:
        await node.fund(l1, USER, 10_000)
        before = await settled_root(node)
        chain_id = node.deployment.l2_chain_id
        good = bytes.fromhex(signed(node, 0, buy())[2:])
        wrong_chain = sign_transaction(USER.key, chain_id + 1, 0, 0, [buy()])
        stranger = sign_transaction(account(15).key, chain_id, 0, 0, [buy()])
        ahead = sign_transaction(USER.key, chain_id, 5, 0, [buy()])
        cases = [
            (b"\xf8\xff" + rng.randbytes(120), "malformed"),  # says 255 bytes follow
            (b"", "malformed"),
            (good[:-1], "malformed"),
            (good + b"\0", "malformed"),
            (bytes(20_000), "malformed"),
            (b"\x03" + good[1:], "unsupported_tx_type"),
            (high_s(good), "signature_high_s"),
            (wrong_chain, "wrong_chain_id"),
            (stranger, "signer_unknown"),
            (ahead, "nonce_too_high"),
        ]
        for raw, reason in cases:
            error = await refusal(node, "eth_sendRawTransaction", "0x" + raw.hex())
            assert error.reason == reason, (reason, error)
            assert error.data["hint"]
        for params in ([], ["0xzz"], [7], ["0x0"], ["0x", "0x"]):
            error = await refusal(node, "eth_sendRawTransaction", *params)
            assert error.code in (-32602, -32000), (params, error)

        assert await settled_root(node) == before
        assert await node.client.call("eth_sendRawTransaction", "0x" + good.hex())


def high_s(raw: bytes) -> bytes:
    """The same transaction with the other signature of the same key: s in the upper half."""
    fields = rlp.decode(raw[1:])
    fields[11] = (SECP_N - int.from_bytes(fields[11])).to_bytes(32, "big")
    fields[9] = b"" if fields[9] else b"\x01"
    return b"\x02" + bytes(rlp.encode(fields))


async def test_who_adds_orders_has_10_dollars(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with running_node(tmp_path, l1, deployment) as node:
        await node.fund(l1, USER, 9)
        await node.fresh_price()

        error = await refusal(node, "eth_sendRawTransaction", signed(node, 0, buy()))
        cancelled = await node.client.call("eth_sendRawTransaction", signed(node, 0, Cancel(0, 1)))
        await node.fund(l1, USER, 1)
        for _ in range(100):
            if await node.client.call("eth_getBalance", "0x" + USER.address.hex()) == hex(10**19):
                break
            await asyncio.sleep(0.05)
        placed = await node.client.call("eth_sendRawTransaction", signed(node, 1, buy()))

        assert (error.code, error.reason) == (-32003, "margin_insufficient")
        receipts = [
            await node.client.call("eth_getTransactionReceipt", each)
            for each in (cancelled, placed)
        ]
        assert [each["results"][0]["code"] for each in receipts] == [2, 1]


async def test_strange_requests_are_answered_and_the_node_goes_on(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with (
        running_node(tmp_path, l1, deployment, body_timeout_s=0.3) as node,
        aiohttp.ClientSession() as session,
    ):

        async def post(body: bytes) -> tuple[int, Any]:
            async with session.post(node.url, data=io.BytesIO(body)) as response:
                return response.status, msgspec.json.decode(await response.read())

        chain_id = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
        unknown = b'{"jsonrpc":"2.0","id":"x","method":"eth_fillTransaction","params":[{}]}'
        deep = chain_id[:-1] + b',"params":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
        large = b"[" + chain_id + b"," + b" " * (10 << 20) + chain_id + b"]"

        assert await post(unknown) == (
            200,
            {
                "jsonrpc": "2.0",
                "id": "x",
                "error": {
                    "code": -32601,
                    "message": "the method eth_fillTransaction does not exist/is not available",
                    "data": {"reason": "method_not_found"},
                },
            },
        )
        for body, code in ((deep, -32005), (large, -32005), (b"{", -32700), (b"[]", -32600)):
            status, answer = await post(body)
            assert (status, answer["error"]["code"]) == (200, code)
        status, answers = await post(b"[" + chain_id + b"," + unknown + b"]")
        assert [("result" in each, each["id"]) for each in answers] == [(True, 1), (False, "x")]
        assert await slow_body(node) == -32005
        assert (await post(chain_id))[1]["result"] == hex(deployment.l2_chain_id)


async def slow_body(node: RunningNode) -> int:
    """Promise a body, send half of it, and wait for what the node says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.service.server.rpc_port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    answer = await asyncio.wait_for(reader.read(4_096), 5)
    writer.close()
    await writer.wait_closed()
    code: int = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["error"]["code"]
    return code


async def test_views_answer_what_was_sent(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with running_node(tmp_path, l1, deployment) as node:
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        owner = USER.address
        await node.client.call("eth_sendRawTransaction", signed(node, 0, buy(client_id=9)))

        async def view(name: str, *values: Any) -> Any:
            call = {"to": "0x000000000000000000000000000000004e4f5641"}
            call["data"] = "0x" + encode_call("IExchange", name, *values).hex()
            answer = await node.client.call("eth_call", call, "latest")
            return decode_result("IExchange", name, bytes.fromhex(answer[2:]))

        assert (await view("account", owner))[1] == 1
        balance, equity, initial, _, free, orders = await view("subaccount", owner, 0)
        assert (balance, equity, orders) == (10_000 * E9, 10_000 * E9, 1)
        assert free == equity - initial
        order = await view("openOrder", owner, 0, 9)
        assert order[1:] == (0, True, PRICE_E9 - 1_000 * E9, LOT_E9, LOT_E9, False)
        assert (await view("bookTop", 0))[:4] == (PRICE_E9 - 1_000 * E9, LOT_E9, 0, 0)
        assert (await view("market", 0))[0] == "BTC-PERPETUAL"
        assert int(await node.client.call("eth_getBalance", "0x" + owner.hex()), 16) == free * E9
        reverted = await refusal(
            node, "eth_call", {"to": "0x" + "00" * 16 + "4e4f5641", "data": "0x12345678"}
        )
        assert reverted.code == 3
        await node.client.call("eth_sendRawTransaction", signed(node, 1, Cancel(0, 9)))
        assert (await view("openOrder", owner, 0, 9))[0] == 0


async def test_heads_and_logs_are_streamed_in_order(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with (
        running_node(tmp_path, l1, deployment) as node,
        aiohttp.ClientSession() as session,
        session.ws_connect(node.url) as stream,
    ):
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        for kind in (["newHeads"], ["logs", {}]):
            call = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": kind}
            await stream.send_json(call)
            assert "result" in await stream.receive_json()

        digest = await node.client.call("eth_sendRawTransaction", signed(node, 0, buy()))

        heads: list[int] = []
        while True:
            notice = (await asyncio.wait_for(stream.receive_json(), 5))["params"]["result"]
            if "transactionHash" not in notice:
                heads.append(int(notice["number"], 16))
            elif notice["transactionHash"] == digest:
                break
        assert heads == sorted(heads)
        assert len(heads) == len(set(heads))


async def test_metrics_and_health_say_what_is(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with (
        running_node(tmp_path, l1, deployment) as node,
        aiohttp.ClientSession() as session,
    ):
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        await node.client.call("eth_sendRawTransaction", signed(node, 0, buy()))
        await settled_root(node)

        async with session.get(node.metrics_url + "/metrics") as response:
            text = await response.text()
        async with session.get(node.url + "/readyz") as response:
            ready = await response.json()
        async with session.get(node.metrics_url + "/livez") as response:
            assert response.status == 200

        assert ready == {"ready": True, "checks": dict.fromkeys(ready["checks"], True)}
        for name in (
            "sequencer_info{",
            "sequencer_up 1.0",
            "sequencer_rpc_requests_total{",
            "sequencer_rpc_request_duration_seconds_bucket{",
            "sequencer_rpc_inflight_requests{",
            'sequencer_inputs_received_total{kind="envelope"}',
            "sequencer_queue_inputs{",
            "sequencer_queue_wait_seconds_bucket{",
            "sequencer_signature_verify_seconds_bucket{",
            'sequencer_receipt_latency_seconds_bucket{kind="envelope"',
            'sequencer_orders_total{outcome="placed"}',
            "sequencer_cancels_total",
            "sequencer_trades_total",
            "sequencer_oracle_price_age_seconds",
            "sequencer_block_head{",
            "sequencer_journal_fsync_seconds_bucket{",
            "state_replay_mismatch_total 0.0",
            "bridge_poster_oldest_unposted_age_seconds",
            "bridge_poster_batches_total",
            "bridge_l1_head_block",
            "bridge_l1_reorgs_total",
            "bridge_l1_reorg_depth_bucket",
            "bridge_l1_signer_balance_eth",
            'bridge_solvency_difference{asset="quote"} 0.0',
            "sequencer_event_loop_lag_seconds_bucket",
            "sequencer_gc_pause_seconds_bucket",
            "sequencer_core_queue_groups",
        ):
            assert name in text, name


async def test_a_second_node_on_the_folder_is_refused(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with running_node(tmp_path, l1, deployment):
        with pytest.raises(StoreLockedError, match="in use by another process"):
            async with running_node(tmp_path, l1, deployment):
                pass


async def test_a_port_in_use_is_named(tmp_path: Path, l1: TestL1, deployment: Deployment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} on 127.0.0.1 cannot be used"):
            async with running_node(tmp_path, l1, deployment, rpc_port=port):
                pass
