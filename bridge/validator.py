"""
Validator: checks the operator, given an L1 and a deployment file and nothing else.

In:    L1, through `follower`.
Out:   claims on L1 through `claims` (with a key), alerts, a small status over HTTP.
Holds: it never sees the operator's database or RPC. Whatever it knows it has derived from L1, so it
       may be killed at any instant and started anew.
Not here: the rules (`state`), what is claimed when (`claims`).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import generate_latest

from bridge import metrics
from bridge.claims import Claimant
from bridge.deployment import Deployment
from bridge.derivation import L1Event, Reorged
from bridge.errors import BridgeError, L1Error
from bridge.follower import Follower
from bridge.l1.client import L1
from bridge.l1.http import HttpL1
from bridge.l1.wallet import Wallet
from bridge.replica import Replica
from bridge.withdrawals import fetch_vault_balance
from state._native import Fault

KEY_VARIABLE = "NOVATION_VALIDATOR_KEY"
KEY_BYTES = 32
EXIT_FAULT = 70
log = logging.getLogger("bridge.validator")


@dataclass(frozen=True, slots=True)
class ValidatorConfig:
    """How a validator runs."""

    l1_url: str
    deployment: Path
    # Without a key it watches and alerts, but claims nothing.
    key: bytes | None = None
    # Of its pending transactions; without one a restart may send a claim twice, and one is refused.
    data: Path | None = None
    # Blocks of L1 that may still be taken back; 0 on a devnet, where they are not.
    depth: int = 0
    poll_s: float = 0.25
    # Claims need not hurry: epochs are many polls long.
    claims_s: float = 1.0
    status_host: str = "127.0.0.1"
    # 0 takes a free port, None serves nothing.
    status_port: int | None = None


@dataclass(slots=True)
class Validator:
    """One validator: call `step` again and again, or `run`."""

    l1: L1
    deployment: Deployment
    wallet: Wallet | None = None
    depth: int = 0
    claims_s: float = 1.0
    replica: Replica = field(init=False)
    solvency_units: int | None = None
    reorgs: int = 0
    _follower: Follower = field(init=False)
    _claimant: Claimant = field(init=False)
    _claims_due_s: float = 0.0

    def __post_init__(self) -> None:
        self._claimant = Claimant(self.l1, self.deployment, self.wallet)
        self._begin()

    @property
    def l1_block(self) -> int:
        """Return the last L1 block that is taken into account."""
        return self._follower.l1_block

    @property
    def is_behind(self) -> bool:
        """Tell whether L1 has more that can be read at once."""
        return self._follower.is_behind

    async def step(self) -> int:
        """Read what is new on L1, apply it, and claim what is due; return the count of events."""
        events = await self._follower.poll()
        if any(isinstance(event, Reorged) for event in events):
            self.reorgs += 1
            log.warning("l1.reorged: deriving anew from block %d", self.deployment.deploy_block)
            self._begin()
            return 0
        # Off the loop: a record takes up to some hundred milliseconds.
        await asyncio.to_thread(self._apply, events)
        now = time.monotonic()
        if not self._follower.is_behind and now >= self._claims_due_s:
            self._claims_due_s = now + self.claims_s
            await self._claimant.step(self.replica)
            await self._measure()
        return len(events)

    async def catch_up(self) -> None:
        """Step until nothing more can be read."""
        while await self.step() or self._follower.is_behind:
            continue

    def status(self) -> dict[str, Any]:
        """Return what `/status` shows."""
        replica = self.replica
        last = replica.epochs[-1] if replica.epochs else None
        return {
            "l1_block": self.l1_block,
            "behind": self.is_behind,
            "records": len(replica.roots),
            "root": "0x" + replica.root.hex(),
            "inputs": replica.inputs,
            "bad_records": replica.bad_records,
            "directs_waiting": replica.directs_waiting,
            "epochs": len(replica.epochs),
            "commitment": None if last is None else "0x" + last.commitment.hex(),
            "confirmed_epoch": None if replica.confirmed is None else replica.confirmed.epoch,
            "withdrawals": len(replica.withdrawals),
            "wrong_claims": len(replica.wrong_claims()),
            "solvency_units": self.solvency_units,
            "reorgs": self.reorgs,
        }

    def _begin(self) -> None:
        self.replica = Replica(self.deployment)
        self._follower = Follower(self.l1, self.deployment, self.depth)

    def _apply(self, events: list[L1Event]) -> None:
        for event in events:
            self.replica.apply(event)

    async def _measure(self) -> None:
        metrics.DIRECT_WAITING.set(self.replica.directs_waiting)
        held = await fetch_vault_balance(self.l1, self.deployment)
        self.solvency_units = held - self.replica.owed_e9() // self.deployment.token_unit_e9
        metrics.SOLVENCY.labels("quote").set(self.solvency_units)
        if self.wallet is not None:
            await self.wallet.update_balance()


async def run(config: ValidatorConfig) -> None:
    """Validate until cancelled. Errors of L1 are waited out; contradictions end it."""
    deployment = Deployment.load(config.deployment)
    async with HttpL1(config.l1_url) as l1:
        await _wait_for_l1(l1, deployment)
        wallet = None
        if config.key is not None:
            folder = None if config.data is None else config.data / "pending"
            wallet = Wallet(
                l1, config.key, chain_id=deployment.l1_chain_id, role="validator", folder=folder
            )
            await wallet.start()
        validator = Validator(l1, deployment, wallet, config.depth, config.claims_s)
        runner = await _serve(validator, config)
        try:
            await _loop(validator, config.poll_s)
        finally:
            if runner is not None:
                await runner.cleanup()


async def _loop(validator: Validator, poll_s: float) -> None:
    while True:
        try:
            events = await validator.step()
        except L1Error as error:
            log.warning("l1.failed error=%s", error)
            events = 0
        if not events and not validator.is_behind:
            await asyncio.sleep(poll_s)
        elif validator.is_behind and not events:
            # L1 moved under our feet, or a reorganisation: no hurry.
            await asyncio.sleep(0.01)


async def _wait_for_l1(l1: L1, deployment: Deployment) -> None:
    while True:
        try:
            await deployment.check(l1)
        except L1Error as error:
            log.warning("l1.waiting error=%s", error)
            await asyncio.sleep(1.0)
        else:
            return


async def _serve(validator: Validator, config: ValidatorConfig) -> web.AppRunner | None:
    if config.status_port is None:
        return None
    app = web.Application()

    async def status(_: web.Request) -> web.Response:
        return web.json_response(validator.status())

    async def root(request: web.Request) -> web.Response:
        roots = validator.replica.roots
        number = int(request.match_info["record"])
        found = "0x" + roots[number].hex() if number < len(roots) else None
        return web.json_response({"record": number, "root": found})

    async def prometheus(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.REGISTRY), content_type="text/plain")

    app.router.add_get("/status", status)
    app.router.add_get(r"/roots/{record:\d{1,18}}", root)
    app.router.add_get("/metrics", prometheus)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, config.status_host, config.status_port).start()
    host, port = runner.addresses[0][:2]
    print(f"validator: ready url=http://{host}:{port}", flush=True)
    return runner


def main(arguments: list[str] | None = None) -> int:
    """Run a validator until SIGINT or SIGTERM; the key comes from NOVATION_VALIDATOR_KEY."""
    parser = argparse.ArgumentParser(prog="novation validator", description=main.__doc__)
    parser.add_argument("--l1-url", required=True)
    parser.add_argument("--deployment", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder of pending transactions")
    parser.add_argument("--depth", type=int, default=0, help="L1 blocks to stay behind the head")
    parser.add_argument("--status-port", type=int, help="serves /status, /roots/N, /metrics")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        config = ValidatorConfig(
            l1_url=given.l1_url,
            deployment=given.deployment,
            key=read_key(os.environ.get(KEY_VARIABLE)),
            data=given.data,
            depth=given.depth,
            status_port=given.status_port,
        )
        asyncio.run(_run_until_signal(config))
    except BridgeError as error:
        print(f"validator: {error}", file=sys.stderr)
        return 1
    except Fault as error:
        text = "the transition failed; keep the deployment file and call a developer"
        print(f"validator: {text}: {error}", file=sys.stderr)
        return EXIT_FAULT
    return 0


def read_key(text: str | None) -> bytes | None:
    """Read a key from hex; None for nothing. It is never shown, not even in an error."""
    if not text:
        return None
    try:
        key = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise BridgeError(f"{KEY_VARIABLE} must be hex of {KEY_BYTES} bytes")
    return key


async def _run_until_signal(config: ValidatorConfig) -> None:
    task = asyncio.ensure_future(run(config))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("validator.stopped")


if __name__ == "__main__":
    sys.exit(main())
