"""
Kill: a real node process, a real L1 process, a flow of signed envelopes, and `kill -9`.

Each run lets accounts trade through the WebSocket, kills the node at a random instant, starts it
again on the same folder, and asks it for everything that it had acknowledged. At the end the whole
journal is replayed once, without interruption, by an engine in this process; every receipt, group
and batch of the node's store must be the same.

Holds: L1 survives; only the processes started here are ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bridge.deploy import Plan, deploy
from bridge.deployment import Deployment
from bridge.l1.devnet import process as l1_process
from bridge.l1.devnet.accounts import Account, account
from bridge.l1.http import HttpL1
from sequencer.processes import Child, ChildError, Children, python
from sequencer.sdk.client import Call, Client, NodeUnreachableError, RpcError
from sequencer.sdk.deposit import Deposit, Funder, wait_credited
from state.eip712 import Report, sign_report
from state.tx import Cancel, Operation, Place, sign_transaction
from tests.simulation.replay import Replayed, compare

L2_CHAIN_ID = 412_999
ACCOUNTS = 12
FIRST_ACCOUNT = 20
DEPOSIT = 1_000_000 * 10**6
PRICE_E9 = 60_000 * 10**9
TICK_E9 = 10**8
LOT_E9 = 10**6
FLOW_S_MAX = 0.6
BATCH = 8
WINDOW = 6
LIVE_S_MAX = 30.0
HOST = "127.0.0.1"


@dataclass(slots=True)
class KillResult:
    """What the command prints."""

    runs: int
    acknowledged: int = 0
    lost: int = 0
    root_equal: bool = False
    receipts_equal: bool = False
    batches: int = 0
    receipts: int = 0
    seconds: float = 0.0
    seed: int = 0

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost and the replay tells the same story."""
        return not self.lost and self.root_equal and self.receipts_equal


@dataclass(slots=True)
class Trader:
    """One account of the flow."""

    owner: Account
    rng: random.Random
    nonce: int = 0
    placed: int = 0

    def envelope(self) -> bytes:
        """Sign the next envelope: a few places around the price, or cancels of earlier ones."""
        operations: list[Operation] = []
        for _ in range(self.rng.randint(1, 4)):
            if self.placed > 40 and self.rng.random() < 0.6:
                operations.append(Cancel(0, self.rng.randint(self.placed - 40, self.placed)))
                continue
            self.placed += 1
            buy = self.rng.random() < 0.5
            offset = self.rng.randint(-40, 60) * TICK_E9
            price_e9 = PRICE_E9 - offset if buy else PRICE_E9 + offset
            qty_e9 = self.rng.randint(1, 20) * LOT_E9
            operations.append(Place(0, buy, price_e9, qty_e9, client_id=self.placed))
        raw = sign_transaction(self.owner.key, L2_CHAIN_ID, self.nonce, 0, operations, batch=True)
        self.nonce += 1
        return raw


@dataclass(slots=True)
class World:
    """Everything that one simulation has running."""

    folder: Path
    children: Children
    deployment: Deployment
    l1_url: str
    rng: random.Random
    traders: list[Trader]
    acknowledged: list[str] = field(default_factory=list)
    report_ms: int = 0
    starts: int = 0

    async def start_node(self) -> tuple[Child, str]:
        """Start the node on the same folder, and wait until it takes transactions."""
        self.starts += 1
        ports_file = self.folder / "ports.json"
        ports_file.unlink(missing_ok=True)
        child = await self.children.start(
            f"node-{self.starts}",
            python(
                "sequencer.cli",
                "node",
                *("--data-dir", str(self.folder / "node"), "--l1-url", self.l1_url),
                *("--deployment", str(self.folder / "deployment.json")),
                *("--poster-key-file", str(self.folder / "poster.key")),
                *("--sequencer-key-file", str(self.folder / "sequencer.key")),
                *("--rpc-port", "0", "--metrics-port", "0", "--ports-file", str(ports_file)),
                *("--set", "journal_retain=all", "--set", "batch_ms=500"),
                *("--set", "block_ms=50", "--set", "journal_segment_mib=4"),
            ),
        )
        ports = msgspec.json.decode(await child.ready(ports_file), type=dict[str, int])
        url = f"ws://{HOST}:{ports['rpc']}"
        deadline = time.monotonic() + LIVE_S_MAX
        try:
            async with Client(url) as node:
                while (await node.call("rollup_syncStatus"))["phase"] != "live":
                    if time.monotonic() > deadline:
                        raise TimeoutError("the node does not become live")
                    await asyncio.sleep(0.02)
        except NodeUnreachableError as error:
            await child.process.wait()
            raise ChildError(child.last_words()) from error
        return child, url

    def reports(self) -> list[Call]:
        """One price of each reporter."""
        self.report_ms = max(self.report_ms + 1, int(time.time() * 1_000) - 100)
        calls: list[Call] = []
        for index in (3, 4, 5):
            report = Report(0, PRICE_E9, self.report_ms)
            signed = sign_report(account(index).key, report, L2_CHAIN_ID, self.deployment.inbox)
            named = {
                "feed": 0,
                "priceE9": PRICE_E9,
                "timeMs": self.report_ms,
                "signature": "0x" + signed.signature.hex(),
            }
            calls.append(("rollup_submitReport", [named]))
        return calls


async def run_kills(runs: int, seed: int) -> KillResult:
    """Run the whole simulation."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="novation-kill-") as name:
        folder = Path(name)
        l1 = await l1_process.start(folder / "l1")
        children = Children(folder / "logs")
        try:
            world = await _prepare(folder, l1.url, children, seed)
            result = KillResult(runs, seed=seed)
            child, url = await world.start_node()
            await _fund(world, url)
            for number in range(runs):
                child, url = await _one(world, child, url, result)
                if (number + 1) % 10 == 0:
                    print(
                        f"{number + 1}/{runs} runs, {len(world.acknowledged)} acknowledged, "
                        f"{result.lost} lost, {time.monotonic() - started:.0f} s",
                        file=sys.stderr,
                    )
            child.process.kill()
            await child.process.wait()
            result.acknowledged = len(world.acknowledged)
            replayed = await asyncio.to_thread(
                compare, folder, world.deployment, set(world.acknowledged)
            )
            _judge(result, replayed)
        finally:
            await children.stop()
            await l1.stop()
    result.seconds = round(time.monotonic() - started, 1)
    return result


def _judge(result: KillResult, replayed: Replayed) -> None:
    result.lost += replayed.missing
    result.root_equal = replayed.batches_equal and replayed.batches > 0
    result.receipts_equal = replayed.receipts_equal and replayed.receipts > 0
    result.batches = replayed.batches
    result.receipts = replayed.receipts


async def _prepare(folder: Path, l1_url: str, children: Children, seed: int) -> World:
    plan = Plan(
        l2_chain_id=L2_CHAIN_ID,
        poster=account(1).address,
        reporters=[account(index).address for index in (3, 4, 5)],
        max_wait_s=3_600,
        max_lag_s=3_600,
        epoch_s=3_600,
        window_s=3_600,
    )
    async with HttpL1(l1_url) as l1:
        deployment = await deploy(l1, account(0).key, plan)
    deployment.save(folder / "deployment.json")
    for role, index in (("poster", 1), ("sequencer", 6)):
        (folder / f"{role}.key").write_text(account(index).key.hex())
    rng = random.Random(seed)
    traders = [
        Trader(account(FIRST_ACCOUNT + number), random.Random(rng.random()))
        for number in range(ACCOUNTS)
    ]
    return World(folder, children, deployment, l1_url, rng, traders)


async def _fund(world: World, url: str) -> None:
    deposits = [Deposit(trader.owner.address, DEPOSIT) for trader in world.traders]
    async with HttpL1(world.l1_url) as l1:
        await Funder(l1, account(9).key, world.deployment).fund(deposits, mint=True)
    async with Client(url) as node:
        await wait_credited(node, [(each.account, 1) for each in deposits])


async def _one(world: World, child: Child, url: str, result: KillResult) -> tuple[Child, str]:
    """Let the flow run, kill the node somewhere in it, start it again, and look."""
    before = len(world.acknowledged)
    flow = asyncio.create_task(_flow(world, url))
    await asyncio.sleep(world.rng.uniform(0.01, FLOW_S_MAX))
    child.process.send_signal(signal.SIGKILL)
    await child.process.wait()
    await flow
    child, url = await world.start_node()
    async with Client(url) as node:
        for begin in range(before, len(world.acknowledged), 200):
            part = world.acknowledged[begin : begin + 200]
            answers = await node.call_many([("rollup_getReceipt", [each]) for each in part])
            result.lost += sum(
                answer is None or isinstance(answer, RpcError) or answer["reason"] is not None
                for answer in answers
            )
        calls: list[Call] = [
            ("eth_getTransactionCount", ["0x" + trader.owner.address.hex(), "latest"])
            for trader in world.traders
        ]
        for trader, answer in zip(world.traders, await node.call_many(calls), strict=True):
            trader.nonce = int(answer, 16)
    return child, url


async def _flow(world: World, url: str) -> None:
    """Send envelopes until the node is gone; note what it acknowledges."""
    tasks: list[asyncio.Task[list[object]]] = []
    with contextlib.suppress(NodeUnreachableError):
        async with Client(url) as node:
            await node.call_many(world.reports())
            try:
                while True:
                    raws = [world.rng.choice(world.traders).envelope() for _ in range(BATCH)]
                    calls: list[Call] = [
                        ("eth_sendRawTransaction", ["0x" + raw.hex()]) for raw in raws
                    ]
                    tasks.append(await node.start_many(calls))
                    while len(tasks) >= WINDOW:
                        _note(world, await tasks.pop(0))
            finally:
                for task in tasks:
                    with contextlib.suppress(NodeUnreachableError):
                        _note(world, await task)


def _note(world: World, answers: list[object]) -> None:
    for answer in answers:
        if isinstance(answer, RpcError):
            raise AssertionError(f"the node refused a good envelope: {answer}") from answer
        world.acknowledged.append(str(answer))
