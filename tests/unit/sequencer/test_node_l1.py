"""A node and its L1: restarts, lag, reorganisations, strangers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bridge.deployment import Deployment
from bridge.l1 import contracts
from sequencer.l1 import DivergedError
from sequencer.sdk.client import RpcError
from sequencer.service import Service
from state.tx import Place, sign_transaction
from tests.l1 import USER, TestL1, deployed, running_l1
from tests.node import PRICE_E9, RunningNode, config_for, running_node

E9 = 10**9


@pytest.fixture
async def l1(tmp_path: Path) -> AsyncIterator[TestL1]:
    async with running_l1(tmp_path / "l1") as found:
        yield found


@pytest.fixture
async def deployment(l1: TestL1) -> Deployment:
    found = await deployed(l1)
    await l1.mine(2)
    return found


async def order(node: RunningNode, nonce: int) -> str:
    place = Place(0, True, PRICE_E9 - 1_000 * E9, E9 // 1_000, client_id=nonce + 1)
    raw = sign_transaction(USER.key, node.deployment.l2_chain_id, nonce, 0, [place])
    return str(await node.client.call("eth_sendRawTransaction", "0x" + raw.hex()))


async def posted(node: RunningNode, l1: TestL1, stage: str = "records_posted") -> int:
    """Wait until everything is sealed and on L1; how many records that is."""
    for _ in range(200):
        sync = await node.client.call("rollup_syncStatus")
        if not sync["unsealed_blocks"] and sync[stage] == sync["records_sealed"]:
            return int(sync["records_sealed"])
        if stage == "records_safe":
            await l1.mine()
        await asyncio.sleep(0.05)
    raise AssertionError(f"not {stage}: {sync}")


async def test_a_restarted_node_has_the_same_chain_and_goes_on(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with running_node(tmp_path, l1, deployment) as node:
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        first = await order(node, 0)
        receipt = await node.client.call("eth_getTransactionReceipt", first)
        block = await node.client.call("eth_getBlockByNumber", receipt["blockNumber"], True)
    async with running_node(tmp_path, l1, deployment) as node:
        await posted(node, l1)
        again = await node.client.call("eth_getTransactionReceipt", first)
        assert {**again, "finality": ""} == {**receipt, "finality": ""}
        assert again["finality"] in ("posted", "safe")
        found = await node.client.call("eth_getBlockByHash", receipt["blockHash"], True)
        moving = {"finality", "record", "stateRoot"}
        assert {k: v for k, v in found.items() if k not in moving} == {
            k: v for k, v in block.items() if k not in moving
        }
        await order(node, 1)
        records = await posted(node, l1, "records_safe")
        content = await contracts.call(l1, "Inbox", deployment.inbox, "content")
        batch = await node.client.call("rollup_getBatch", records - 1)
        assert batch["content"] == "0x" + content.hex()
        landed = await l1.request("eth_getTransactionReceipt", [batch["l1_tx"]])
        assert int(landed["blockNumber"], 16) == batch["l1_block"]
        assert landed["to"] == "0x" + deployment.inbox.hex()


async def test_batches_that_l1_takes_back_are_posted_again(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with running_node(tmp_path, l1, deployment) as node:
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        await posted(node, l1, "records_safe")
        snapshot = await l1.snapshot()
        await order(node, 0)
        records = await posted(node, l1)

        await l1.revert(snapshot)
        for _ in range(200):
            if await contracts.call(l1, "Inbox", deployment.inbox, "recordCount") == records:
                break
            await asyncio.sleep(0.05)

        batch = await node.client.call("rollup_getBatch", records - 1)
        content = await contracts.call(l1, "Inbox", deployment.inbox, "content")
        assert batch["content"] == "0x" + content.hex()
        assert node.service.node.failure is None


async def test_admission_slows_and_stops_with_posting(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with (
        running_node(tmp_path, l1, deployment) as node,
        aiohttp.ClientSession() as session,
    ):
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        real = node.service.node.sealing.lag
        node.service.node.admission.open(lambda: 1.0)  # as at half of max_lag

        with pytest.raises(RpcError) as caught:
            await order(node, 0)
        assert (caught.value.code, caught.value.reason) == (-32005, "posting_lags")
        assert caught.value.retry_after_ms == 1_000
        node.service.node.admission.open(real)
        assert await order(node, 0)
        async with session.get(node.url + "/readyz") as response:
            assert response.status == 200


async def test_the_oldest_unposted_batch_is_the_lag(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with running_node(tmp_path, l1, deployment) as node:
        await node.fund(l1, USER, 10_000)
        await posted(node, l1)
        assert node.service.node.sealing.lag() == 0
        await l1.stop()
        await node.fresh_price()
        before = node.service.node.sealing.lag()
        await asyncio.sleep(1.0)
        after = node.service.node.sealing.lag()
        await l1.start()

        # max_lag is 40 s here: a second is a twentieth of what stops admission
        assert after - before == pytest.approx(0.05, abs=0.02)
        await posted(node, l1)
        assert node.service.node.sealing.lag() == 0


async def test_a_node_without_its_journal_stops_instead_of_forking(
    tmp_path: Path, l1: TestL1, deployment: Deployment
) -> None:
    async with running_node(tmp_path, l1, deployment) as node:
        await node.fresh_price()
        await posted(node, l1, "records_safe")
    await l1.mine(2)
    shutil.rmtree(tmp_path / "node")

    service = Service(config_for(tmp_path, l1, deployment))
    await service.start()
    async with asyncio.timeout(10):
        await service.node.wait_failed()
    await service.stop()

    assert isinstance(service.node.failure, DivergedError)
    assert "is not in this node's store" in str(service.node.failure)
    assert service.node.phase == "failed"
