"""
An L1 for tests: the embedded one inside the test's own event loop, and a rollup deployed on it.

In:    a temporary folder.
Out:   `TestL1` to mine, go back, restart; `deployed` to put the contracts on it; batches that the
       Inbox takes, with bytes that mean nothing.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.deploy import Plan, deploy
from bridge.deployment import Deployment
from bridge.l1 import client, contracts
from bridge.l1.devnet.accounts import Account, account
from bridge.l1.devnet.chain import Options
from bridge.l1.devnet.server import Server
from bridge.l1.http import HttpL1
from bridge.l1.wallet import Wallet
from bridge.posting import PendingBatch
from bridge.records import pair, record_leaf
from state.l1_records import RecordKind, RecordMeta

GOVERNOR, POSTER, USER, STRANGER = (account(index) for index in (0, 1, 2, 6))
REPORTERS = [account(index) for index in (3, 4, 5)]
PLAN = Plan(
    l2_chain_id=412_000,
    poster=POSTER.address,
    reporters=[reporter.address for reporter in REPORTERS],
)


class TestL1(HttpL1):
    """An embedded L1 of the test's own; one block per transaction unless `hold` was called."""

    __test__ = False

    def __init__(self, folder: Path, options: Options | None = None) -> None:
        super().__init__("", attempts=1, timeout_s=30)
        self.folder = folder
        self.options = options or Options()
        self._server: Server | None = None
        self._port = 0

    async def start(self) -> None:
        self._server = Server(self.folder, self.options, interval_s=0)
        self._port = await self._server.start("127.0.0.1", self._port)
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        await self.close()
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def mine(self, blocks: int = 1) -> None:
        await self.request("evm_mine", [{"blocks": blocks}])

    async def hold(self) -> None:
        """Leave transactions in the pool until `mine`."""
        await self.request("evm_setAutomine", [False])

    async def release(self) -> None:
        await self.request("evm_setAutomine", [True])

    async def pass_time(self, seconds: int) -> None:
        await self.request("evm_increaseTime", [seconds])
        await self.mine()

    async def now_ms(self) -> int:
        return (await client.fetch_head(self)).time_s * 1_000

    async def snapshot(self) -> str:
        return str(await self.request("evm_snapshot", []))

    async def revert(self, snapshot: str) -> None:
        assert await self.request("evm_revert", [snapshot])

    def wallet(self, owner: Account, role: str = "test", **more: Any) -> Wallet:
        return Wallet(self, owner.key, chain_id=self.options.chain_id, role=role, **more)


@asynccontextmanager
async def running_l1(folder: Path) -> AsyncIterator[TestL1]:
    l1 = TestL1(folder)
    await l1.start()
    try:
        yield l1
    finally:
        await l1.stop()


async def deployed(l1: HttpL1, **changes: Any) -> Deployment:
    return await deploy(l1, GOVERNOR.key, replace(PLAN, **changes))


async def deposit(l1: TestL1, deployment: Deployment, owner: Account, amount: int) -> None:
    """Mint, approve and deposit test dollars, for the owner itself."""
    wallet = l1.wallet(owner)
    for to, data in (
        (deployment.token, contracts.encode_call("TestUSD", "mint", owner.address, amount)),
        (deployment.token, contracts.encode_call("TestUSD", "approve", deployment.vault, amount)),
        (
            deployment.vault,
            contracts.encode_call("Vault", "deposit", deployment.token, amount, owner.address, 0),
        ),
    ):
        await wallet.send_and_wait(to, data, action="deposit")


async def batches(
    l1: HttpL1, deployment: Deployment, count: int, size: int, rng: random.Random
) -> list[PendingBatch]:
    """Return batches of noise that the Inbox takes one after the other, from where it stands."""
    inbox = deployment.inbox
    content = await contracts.call(l1, "Inbox", inbox, "content")
    record = await contracts.call(l1, "Inbox", inbox, "recordCount")
    direct_to = await contracts.call(l1, "Inbox", inbox, "directCount")
    expected = await contracts.call(l1, "Inbox", inbox, "directHash", direct_to)
    last_ms = await contracts.call(l1, "Inbox", inbox, "lastTimeMs")
    time_ms = max(last_ms, (await client.fetch_head(l1)).time_s * 1_000)
    made: list[PendingBatch] = []
    for offset in range(count):
        data = rng.randbytes(size)
        meta = RecordMeta(RecordKind.BATCH, size, time_ms, time_ms, direct_to).encode()
        made.append(
            PendingBatch(
                record=record + offset,
                meta=meta,
                data=data,
                t_first_ms=time_ms,
                t_last_ms=time_ms,
                direct_to=direct_to,
                expected_direct=expected,
                prev_content=content,
            )
        )
        content = pair(content, record_leaf(meta, data))
    return made
