"""A node whose batches L1 can no longer take: what it had promised gets a new place."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from bridge.deployment import Deployment
from bridge.l1 import contracts
from bridge.l1.devnet.accounts import account
from bridge.validator import Validator
from sequencer.processes import Children
from sequencer.sdk.client import Client, RpcError
from state.tx import Place, sign_transaction
from tests.l1 import POSTER, STRANGER, USER, TestL1, deployed, deposit, running_l1
from tests.node import PRICE_E9, SEQUENCER, RunningNode, running_node

E9 = 10**9
OTHER = account(8)
MAX_LAG_S = 16
LONG_S = MAX_LAG_S + 1


class L1Clock:
    """Runs with the wall, ahead by what L1 is ahead: each of its blocks takes a second or more."""

    def __init__(self) -> None:
        self._ahead_ms = 0
        self._last_ms = 0

    async def follow(self, l1: TestL1) -> None:
        self._ahead_ms = max(0, await l1.now_ms() - int(time.time() * 1_000))

    def now_ms(self) -> int:
        # Where L1 falls behind the wall again, ours only creeps.
        self._last_ms = max(self._last_ms + 1, int(time.time() * 1_000) + self._ahead_ms)
        return self._last_ms


@pytest.fixture
async def l1(tmp_path: Path) -> AsyncIterator[TestL1]:
    async with running_l1(tmp_path / "l1") as found:
        yield found


@pytest.fixture
async def deployment(l1: TestL1) -> Deployment:
    found = await deployed(l1, max_wait_s=10, max_lag_s=MAX_LAG_S)
    await l1.mine(2)
    return found


@pytest.fixture
async def clock(l1: TestL1, deployment: Deployment) -> AsyncIterator[L1Clock]:
    found = L1Clock()
    await found.follow(l1)

    async def follow() -> None:
        while True:
            await asyncio.sleep(0.02)
            await found.follow(l1)

    following = asyncio.create_task(follow())
    yield found
    following.cancel()


async def long_after(l1: TestL1, clock: L1Clock, seconds: int = LONG_S) -> None:
    """L1's clock, and ours with it, is so many seconds later."""
    # Its blocks are ahead of its clock by now; the jump is at once, so that nothing lands before.
    ahead_s = await l1.now_ms() // 1_000 - int(time.time())
    ahead_s -= int(str(await l1.request("evm_increaseTime", [0])), 0)
    await l1.pass_time(max(0, ahead_s) + seconds)
    await clock.follow(l1)


async def order(node: RunningNode, nonce: int, owner: Any = USER) -> str:
    place = Place(0, True, PRICE_E9 - 1_000 * E9, E9 // 1_000, client_id=nonce + 1)
    raw = sign_transaction(owner.key, node.deployment.l2_chain_id, nonce, 0, [place])
    return str(await node.client.call("eth_sendRawTransaction", "0x" + raw.hex()))


async def receipt(node: RunningNode, digest: str) -> dict[str, Any]:
    found = await node.client.call("eth_getTransactionReceipt", digest)
    assert isinstance(found, dict), digest
    return found


async def nonce(node: RunningNode, owner: Any = USER) -> int:
    found = await node.client.call("eth_getTransactionCount", "0x" + owner.address.hex(), "latest")
    return int(found, 16)


async def phase(node: RunningNode, wanted: str, timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while node.service.node.phase != wanted:
            assert node.service.node.failure is None, node.service.node.failure
            await asyncio.sleep(0.002)


async def settled(node: RunningNode, l1: TestL1) -> dict[str, Any]:
    """Wait until everything is sealed, on L1 and deep; the status then."""
    sync: dict[str, Any] = {}
    for _ in range(300):
        sync = await node.client.call("rollup_syncStatus")
        if not sync["unsealed_blocks"] and sync["records_safe"] == sync["records_sealed"]:
            return dict(sync)
        await l1.mine()
        await asyncio.sleep(0.05)
    raise AssertionError(f"not safe: {sync}, {node.service.node.failure}")


async def check_validator(node: RunningNode, l1: TestL1) -> None:
    """Who has only L1 comes to the same root."""
    sync = await settled(node, l1)
    validator = Validator(l1, node.deployment)
    await validator.catch_up()
    assert "0x" + validator.replica.root.hex() == sync["root"]
    assert validator.replica.bad_records == 0
    assert node.service.node.engine.check_invariants() == []


def bids(node: RunningNode) -> list[tuple[int, int]]:
    return node.service.node.engine.book(0, 10)[0]


async def test_batches_that_l1_takes_back_for_longer_than_max_lag_are_sequenced_anew(
    tmp_path: Path, l1: TestL1, deployment: Deployment, clock: L1Clock
) -> None:
    async with (
        running_node(tmp_path, l1, deployment, clock) as node,
        aiohttp.ClientSession() as web,
    ):
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        await settled(node, l1)
        snapshot = await l1.snapshot()
        old = [await order(node, number) for number in range(3)]
        before = [await receipt(node, digest) for digest in old]
        book = bids(node)
        await asyncio.sleep(0.5)
        await l1.hold()
        await l1.revert(snapshot)
        await long_after(l1, clock)
        await l1.release()
        await l1.mine()

        await phase(node, "resequencing")
        async with web.get(node.url + "/readyz") as response:
            assert response.status == 503
        with pytest.raises(RpcError) as caught:
            await order(node, 3)
        assert (caught.value.code, caught.value.reason) == (-32002, "not_ready")
        assert caught.value.retry_after_ms == 1_000
        await phase(node, "live")

        assert await nonce(node) == 3
        after = [await receipt(node, digest) for digest in old]
        assert [each["status"] for each in after] == ["0x1"] * 3
        assert all(a["blockHash"] != b["blockHash"] for a, b in zip(after, before, strict=True))
        assert bids(node) == book
        await node.fresh_price()
        await order(node, 3)
        await check_validator(node, l1)


async def test_a_deposit_that_l1_takes_back_takes_its_owners_orders_along(
    tmp_path: Path, l1: TestL1, deployment: Deployment, clock: L1Clock
) -> None:
    async with running_node(tmp_path, l1, deployment, clock) as node:
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        await settled(node, l1)
        snapshot = await l1.snapshot()
        await node.fund(l1, OTHER, 10_000)
        kept, lost = await order(node, 0), await order(node, 0, OTHER)
        assert (await receipt(node, lost))["status"] == "0x1"

        await l1.revert(snapshot)
        await l1.mine(4)
        await phase(node, "resequencing")
        await phase(node, "live")

        assert (await receipt(node, kept))["status"] == "0x1"
        gone = await receipt(node, lost)
        assert (gone["status"], gone["reason"], gone["logs"]) == ("0x0", "reorged", [])
        found = await node.client.call("rollup_getReceipt", lost)
        assert (found["reason"], found["promise"]) == ("reorged", None)
        with pytest.raises(RpcError) as caught:
            await order(node, 0, OTHER)
        assert caught.value.reason == "signer_unknown"
        assert node.service.node.engine.account_index(OTHER.address) == 0
        await check_validator(node, l1)


async def test_a_node_follows_an_advance_that_landed_while_it_was_down(
    tmp_path: Path, l1: TestL1, deployment: Deployment, clock: L1Clock
) -> None:
    async with running_node(tmp_path, l1, deployment, clock) as node:
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        resting = await order(node, 0)
        await settled(node, l1)
        assert len(bids(node)) == 1
    # Nobody drains the deposit for longer than max_wait + max_lag.
    await deposit(l1, deployment, OTHER, 500 * 10**6)
    await long_after(l1, clock, 10 + LONG_S)
    data = contracts.encode_call("Inbox", "advance")
    await l1.wallet(STRANGER).send_and_wait(deployment.inbox, data, action="advance")
    count = await contracts.call(l1, "Inbox", deployment.inbox, "recordCount")
    await l1.mine(2)
    await clock.follow(l1)

    async with running_node(tmp_path, l1, deployment, clock) as node:
        assert bids(node) == []
        assert (await receipt(node, resting))["status"] == "0x1"
        assert int(await node.client.call("eth_getBalance", "0x" + OTHER.address.hex()), 16)
        batch = await node.client.call("rollup_getBatch", count - 1)
        assert batch["meta"][:4] == "0x02"
        await node.fresh_price()
        await order(node, 1)
        await check_validator(node, l1)
    async with running_node(tmp_path, l1, deployment, clock) as node:
        await check_validator(node, l1)


async def test_what_was_acknowledged_outlives_more_than_max_lag_of_downtime(
    tmp_path: Path, l1: TestL1, deployment: Deployment, clock: L1Clock
) -> None:
    async with running_node(tmp_path, l1, deployment, clock, shutdown_s=0.5) as node:
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        await settled(node, l1)
        await l1.hold()
        old = [await order(node, number) for number in range(4)]
    await long_after(l1, clock)
    await l1.release()
    await l1.mine()

    async with running_node(tmp_path, l1, deployment, clock) as node:
        for digest in old:
            assert (await receipt(node, digest))["reason"] in (None, "reorged")
        assert await nonce(node) == 4
        await node.fresh_price()
        await order(node, 4)
        await check_validator(node, l1)


COUNT = 12
SLOW_NODE = """
import asyncio
from sequencer import cli, displacement, resequencing

# A real node, so slow in bringing back that it can be killed in the middle of it.
displacement.ENTRY_INPUTS = 2
quick = resequencing.Resequencing._bring_back

async def slow(self, part):
    await asyncio.sleep(0.25)
    return await quick(self, part)

resequencing.Resequencing._bring_back = slow
cli.main()
"""


async def kill_while_resequencing(
    folder: Path, l1: TestL1, base_seq: int, children: Children
) -> int:
    """Start a node process, and kill -9 it when some inputs are back; how many those were."""
    for role, owner in (("poster", POSTER), ("sequencer", SEQUENCER)):
        (folder / f"{role}.key").write_text(owner.key.hex())
    ports_file = folder / "ports.json"
    ports_file.unlink(missing_ok=True)
    child = await children.start(
        "node",
        [
            *(sys.executable, "-c", SLOW_NODE, "node", "--data-dir", str(folder / "node")),
            *("--l1-url", l1.url, "--deployment", str(folder / "deployment.json")),
            *("--poster-key-file", str(folder / "poster.key")),
            *("--sequencer-key-file", str(folder / "sequencer.key")),
            *("--rpc-port", "0", "--metrics-port", "0", "--ports-file", str(ports_file)),
            *("--set", "batch_ms=200", "--set", "block_ms=20", "--set", "journal_segment_mib=1"),
        ],
    )
    ports = msgspec.json.decode(await child.ready(ports_file), type=dict[str, int])
    async with Client(f"ws://127.0.0.1:{ports['rpc']}/ws") as client, asyncio.timeout(20):
        while True:
            sync = await client.call("rollup_syncStatus")
            assert sync["phase"] != "live"
            if sync["phase"] == "resequencing" and base_seq < sync["next_seq"] < base_seq + COUNT:
                break
            await asyncio.sleep(0.02)
    child.process.kill()
    await child.process.wait()
    return int(sync["next_seq"]) - base_seq


async def test_a_node_that_is_killed_while_it_sequences_anew_loses_nothing(
    tmp_path: Path, l1: TestL1, deployment: Deployment, clock: L1Clock
) -> None:
    async with running_node(tmp_path, l1, deployment, clock, shutdown_s=0.5) as node:
        await node.fund(l1, USER, 10_000)
        await node.fresh_price()
        base = (await settled(node, l1))["next_seq"]
        await l1.hold()
        old = [await order(node, number) for number in range(COUNT)]
    await long_after(l1, clock)
    await l1.release()
    await l1.mine()

    children = Children(tmp_path / "logs")
    try:
        back = [await kill_while_resequencing(tmp_path, l1, base, children) for _ in range(2)]
    finally:
        await children.stop()
    assert all(0 < each < COUNT for each in back), back

    async with running_node(tmp_path, l1, deployment, clock) as node:
        assert await nonce(node) == COUNT
        after = [await receipt(node, digest) for digest in old]
        assert [each["reason"] for each in after] == [None] * COUNT
        assert len({each["seq"] for each in after}) == COUNT
        assert [each["seq"] for each in after] == sorted(each["seq"] for each in after)
        await node.fresh_price()
        await order(node, COUNT)
        await check_validator(node, l1)
