"""
The bridge alone, on the embedded L1 and on anvil: what an engine executed is posted, derived
anew by a validator, claimed, confirmed and paid out.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bridge import withdrawals
from bridge.deploy import deploy
from bridge.l1 import client, contracts
from bridge.l1.devnet import process
from bridge.l1.devnet.accounts import TEST_MNEMONIC, account
from bridge.l1.http import HttpL1
from bridge.l1.wallet import Wallet
from bridge.poster import Landed, Poster, PosterEvent, PosterOptions
from bridge.validator import Validator
from tests.l1 import GOVERNOR, PLAN, POSTER, USER, batches
from tests.rollup import UNITS, Sequencer, envelope

ANVIL = "bridge/contracts/node_modules/@foundry-rs/anvil-*/bin/anvil"
VALIDATOR = account(7)
RECIPIENT = account(8)
STEP_S = 0.1


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[str]:
    running = await process.start(folder, interval_s=0.2)
    try:
        yield running.url
    finally:
        await running.stop()


@asynccontextmanager
async def anvil() -> AsyncIterator[str]:
    found = sorted(Path(__file__).parents[2].glob(ANVIL))
    if not found:
        pytest.skip("anvil is not installed: npm ci in bridge/contracts")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = await asyncio.create_subprocess_exec(
        str(found[0]), "--port", str(port), "--hardfork", "prague", "--silent",
        "--block-time", "1", "--chain-id", "1337", "--mnemonic", TEST_MNEMONIC,
        "--gas-limit", "60000000",
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        async with HttpL1(url, attempts=8, wait_s=0.05) as l1:
            await client.fetch_head(l1)
        yield url
    finally:
        running.terminate()
        await running.wait()


async def pass_time(l1: HttpL1, seconds: int) -> None:
    await l1.request("evm_increaseTime", [seconds])
    await l1.request("evm_mine", [])


async def until_posted(poster: Poster) -> None:
    async with asyncio.timeout(30):
        while poster.unposted:
            await poster.step()
            await asyncio.sleep(STEP_S)


async def until_confirmed(l1: HttpL1, validator: Validator, index: int) -> None:
    """Let the clocks run and the validator act until withdrawal `index` can be claimed."""
    async with asyncio.timeout(60):
        while validator.replica.confirmed is None or (
            validator.replica.confirmed.withdrawals_count <= index
        ):
            await pass_time(l1, 5)
            await validator.step()
            await asyncio.sleep(STEP_S)


@pytest.mark.parametrize("kind", ["embedded", "anvil"])
async def test_a_deposit_is_traded_posted_proven_and_paid_out(kind: str, tmp_path: Path) -> None:
    chain = embedded(tmp_path / "l1") if kind == "embedded" else anvil()
    async with chain as url, HttpL1(url) as l1:
        deployment = await deploy(l1, GOVERNOR.key, PLAN)
        user = Wallet(l1, USER.key, chain_id=1337, role="user")
        await withdrawals.mint_test_usd(user, deployment, 100 * UNITS)
        assert await withdrawals.deposit(user, deployment, 100 * UNITS) == 7

        landed: list[PosterEvent] = []
        sequencer = Sequencer(l1, deployment)
        poster = Poster(
            l1,
            Wallet(l1, POSTER.key, chain_id=1337, role="poster", folder=tmp_path / "pending"),
            deployment,
            landed.append,
            PosterOptions(poll_s=STEP_S),
        )
        await poster.submit(await sequencer.seal([]))
        view = sequencer.engine.subaccount_view(USER.address, 0)
        assert view is not None
        assert view["balance_e9"] == 100 * 10**9
        for nonce, amount in enumerate((30, 12)):
            raw = envelope(
                *(USER, nonce, deployment.l2_chain_id, "withdraw", 0, deployment.token),
                *(amount * UNITS, RECIPIENT.address),
            )
            await poster.submit(await sequencer.seal([raw]))
        await until_posted(poster)

        validator = Validator(
            l1,
            deployment,
            Wallet(l1, VALIDATOR.key, chain_id=1337, role="validator"),
            claims_s=0,
        )
        await validator.catch_up()
        assert validator.replica.roots == sequencer.roots
        assert [event.record for event in landed if isinstance(event, Landed)] == [0, 1, 2]
        assert [item.amount for item in validator.replica.withdrawals] == [30 * UNITS, 12 * UNITS]

        await until_confirmed(l1, validator, 1)
        confirmed = await withdrawals.fetch_confirmed_epoch(l1, deployment, 1)
        assert confirmed is not None
        leaves = validator.replica.leaves
        proof = withdrawals.prove(leaves, 1, confirmed.withdrawals_count)
        paid = validator.replica.withdrawals[1]
        await withdrawals.claim(user, deployment, paid, confirmed, proof)

        token, who = deployment.token, RECIPIENT.address
        assert await contracts.call(l1, "TestUSD", token, "balanceOf", who) == 12 * UNITS
        assert await withdrawals.is_claimed(l1, deployment, 1)
        assert not await withdrawals.is_claimed(l1, deployment, 0)
        with pytest.raises(contracts.ContractError, match="Vault_AlreadyClaimed"):
            await withdrawals.claim(user, deployment, paid, confirmed, proof)
        await asyncio.sleep(1.5)
        await validator.catch_up()
        assert validator.solvency_units == 0
        assert validator.status()["wrong_claims"] == 0


async def test_an_l1_that_is_killed_and_started_again_gets_every_batch_once(
    tmp_path: Path, rng: random.Random
) -> None:
    running = await process.start(tmp_path / "l1", interval_s=0.2)
    port = int(running.url.rsplit(":", 1)[1])
    async with HttpL1(running.url, attempts=1) as l1:
        deployment = await deploy(l1, GOVERNOR.key, replace(PLAN, max_lag_s=300))
        wallet = Wallet(l1, POSTER.key, chain_id=1337, role="poster", folder=tmp_path / "pending")
        landed: list[PosterEvent] = []
        poster = Poster(l1, wallet, deployment, landed.append, PosterOptions(poll_s=STEP_S))
        items = await batches(l1, deployment, 24, 20_000, rng)
        task = asyncio.create_task(poster.run())
        async with asyncio.timeout(60):
            for begin in range(0, 24, 8):
                for batch in items[begin : begin + 8]:
                    await poster.submit(batch)
                await asyncio.sleep(rng.uniform(0, 0.4))
                await running.kill()
                running = await process.start(tmp_path / "l1", interval_s=0.2, port=port)
            while poster.unposted:
                await asyncio.sleep(STEP_S)
        task.cancel()

        assert [event.record for event in landed if isinstance(event, Landed)] == list(range(24))
        assert await contracts.call(l1, "Inbox", deployment.inbox, "recordCount") == 24
        assert await client.fetch_nonce(l1, POSTER.address) == 24
    await running.stop()
