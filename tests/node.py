"""
A node for tests: the real one, in the test's own event loop, on an embedded L1.

In:    a temporary folder.
Out:   `running_node`, a service that is live, and a client of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bridge.deployment import Deployment
from bridge.l1.devnet.accounts import account
from sequencer.clock import Clock, SystemClock
from sequencer.config import NodeConfig
from sequencer.sdk.client import Call, Client
from sequencer.service import Service
from state.eip712 import Report, sign_report
from tests.l1 import POSTER, REPORTERS, TestL1, deposit

USD = 10**6
PRICE_E9 = 60_000 * 10**9
SEQUENCER = account(6)


@dataclass
class RunningNode:
    """A live node and a client."""

    service: Service
    deployment: Deployment
    client: Client
    clock: Clock

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.service.server.rpc_port}"

    @property
    def metrics_url(self) -> str:
        return f"http://127.0.0.1:{self.service.server.metrics_port}"

    async def report(self, price_e9: int = PRICE_E9) -> None:
        """All reporters say the price is this; waits until it counts."""
        time_ms = self.clock.now_ms() - 50
        calls: list[Call] = []
        for number, reporter in enumerate(REPORTERS):
            plain = Report(0, price_e9, time_ms + number)
            signed = sign_report(
                reporter.key, plain, self.deployment.l2_chain_id, self.deployment.inbox
            )
            row = {
                "feed": 0,
                "priceE9": str(price_e9),
                "timeMs": signed.time_ms,
                "signature": "0x" + signed.signature.hex(),
            }
            calls.append(("rollup_submitReport", [row]))
        for answer in await self.client.call_many(calls):
            assert isinstance(answer, str), answer

    async def fresh_price(self) -> None:
        """Report until the index is fresh: marks move in the tick of each second."""
        for _ in range(50):
            await self.report()
            ticker = await self.client.call("public/ticker", {"instrument_name": "BTC-PERPETUAL"})
            if ticker["index_fresh"]:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("the index does not become fresh")

    async def fund(self, l1: TestL1, owner: Any, dollars: int) -> None:
        """Deposit on L1 and wait until it is here."""
        await deposit(l1, self.deployment, owner, dollars * USD)
        await l1.mine(2)
        for _ in range(100):
            if int(await self.client.call("eth_getBalance", "0x" + owner.address.hex()), 16):
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the deposit does not arrive")


def config_for(folder: Path, l1: TestL1, deployment: Deployment, **changes: Any) -> NodeConfig:
    path = folder / "deployment.json"
    deployment.save(path)
    values: dict[str, Any] = {
        "data_dir": folder / "node",
        "l1_url": l1.url,
        "deployment": path,
        "poster_key": SecretStr(POSTER.key.hex()),
        "sequencer_key": SecretStr(SEQUENCER.key.hex()),
        "rpc_port": 0,
        "metrics_port": 0,
        "block_ms": 20,
        "batch_ms": 200,
        "journal_segment_mib": 1,
        "shutdown_s": 5.0,
    }
    return NodeConfig(**(values | changes))


@asynccontextmanager
async def running_node(
    folder: Path,
    l1: TestL1,
    deployment: Deployment,
    clock: Clock | None = None,
    **changes: Any,
) -> AsyncIterator[RunningNode]:
    """Start a node, wait until it is live, and drain it at the end."""
    clock = clock or SystemClock()
    service = Service(config_for(folder, l1, deployment, **changes), clock)
    await service.start()
    try:
        async with asyncio.timeout(20):
            while service.node.phase != "live":
                assert service.node.failure is None, service.node.failure
                await asyncio.sleep(0.01)
        async with Client(f"ws://127.0.0.1:{service.server.rpc_port}/ws") as client:
            yield RunningNode(service, deployment, client, clock)
    finally:
        await service.stop()
