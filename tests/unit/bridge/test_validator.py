"""Validator: the same roots from L1 alone, claims in their time, alerts for wrong ones."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge import metrics
from bridge.deployment import Deployment
from bridge.errors import BridgeError, DeploymentError
from bridge.l1.client import to_hex
from bridge.l1.contracts import call, encode_call
from bridge.l1.devnet.accounts import account
from bridge.poster import Poster
from bridge.records import pair
from bridge.replica import Replica
from bridge.validator import Validator, ValidatorConfig, read_key, run
from bridge.withdrawals import deposit, mint_test_usd, prove
from state._native import commitment
from tests.l1 import POSTER, STRANGER, USER, TestL1, batches
from tests.rollup import UNITS, Sequencer, envelope

VALIDATOR = account(7)


def validator_on(l1: TestL1, deployment: Deployment, key: Any = VALIDATOR) -> Validator:
    wallet = None if key is None else l1.wallet(key, role="validator")
    return Validator(l1, deployment, wallet, claims_s=0)


async def fund(l1: TestL1, deployment: Deployment) -> None:
    wallet = l1.wallet(USER)
    await mint_test_usd(wallet, deployment, 100 * UNITS)
    await deposit(wallet, deployment, 100 * UNITS)


async def post_withdrawals(
    l1: TestL1, deployment: Deployment, sequencer: Sequencer, nonces: range
) -> None:
    poster = Poster(l1, l1.wallet(POSTER, role="poster"), deployment, lambda _: None)
    for nonce in nonces:
        values = (0, deployment.token, UNITS, USER.address)
        raw = envelope(USER, nonce, deployment.l2_chain_id, "withdraw", *values)
        await poster.submit(await sequencer.seal([raw]))
    async with asyncio.timeout(20):
        while poster.unposted:
            await poster.step()


async def act(l1: TestL1, validator: Validator, seconds: int, times: int = 4) -> None:
    for _ in range(times):
        await l1.pass_time(seconds)
        await validator.step()
        await validator.step()


async def test_it_seals_proposes_and_confirms_epoch_after_epoch(
    l1: TestL1, deployment: Deployment
) -> None:
    await fund(l1, deployment)
    sequencer = Sequencer(l1, deployment)
    validator = validator_on(l1, deployment)
    for begin in (0, 2, 4):
        await post_withdrawals(l1, deployment, sequencer, range(begin, begin + 2))
        await act(l1, validator, 10)
    await act(l1, validator, 30)

    replica = validator.replica
    assert replica.roots == sequencer.roots
    assert replica.confirmed is not None
    assert replica.confirmed.withdrawals_count == 6
    assert replica.confirmed.epoch >= 3
    confirmed = await call(l1, "Rollup", deployment.rollup, "confirmedRoot")
    assert confirmed == replica.epochs[replica.confirmed.epoch].last_leaf
    assert confirmed == replica.root
    # Against any confirmed epoch that has it, the proof of a withdrawal leads to its root.
    for epoch in replica.epochs[: replica.confirmed.epoch + 1]:
        root, count = await call(l1, "Rollup", deployment.rollup, "withdrawals", epoch.epoch)
        for index in range(count):
            node = replica.leaves[index]
            for height, sibling in enumerate(prove(replica.leaves, index, count)):
                sides = (sibling, node) if (index >> height) & 1 else (node, sibling)
                node = pair(*sides)
            assert node == root


async def test_started_anew_at_any_time_it_knows_the_same_and_claims_nothing_twice(
    l1: TestL1, deployment: Deployment
) -> None:
    await fund(l1, deployment)
    sequencer = Sequencer(l1, deployment)
    first = validator_on(l1, deployment)
    await post_withdrawals(l1, deployment, sequencer, range(3))
    await act(l1, first, 10)

    second = validator_on(l1, deployment)
    await second.catch_up()
    await second.catch_up()

    assert second.replica.roots == first.replica.roots == sequencer.roots
    assert second.replica.epochs[: len(first.replica.epochs)] == first.replica.epochs
    await act(l1, second, 25)
    assert second.replica.confirmed is not None
    claims = [(claim.epoch, claim.commitment) for claim in second.replica.claims]
    assert len(set(claims)) == len(claims)


async def test_a_wrong_middle_under_the_right_root_is_an_alert_and_blocks_confirmation(
    l1: TestL1, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """Commitments are compared, not last roots."""
    validator = validator_on(l1, deployment)
    await act(l1, validator, 25, times=1)
    watcher = Validator(l1, deployment, None)
    await watcher.catch_up()
    ours = watcher.replica.epochs[0]
    wrong, proof = commitment([b"\x00" + bytes(31), ours.last_leaf])
    assert wrong != ours.commitment
    lie = encode_call(
        *("Rollup", "propose", 0, ours.parent_root, wrong, ours.last_leaf, proof),
        ours.input_hash,
    )
    before = metrics.WRONG_CLAIMS._value.get()
    await l1.wallet(STRANGER).send_and_wait(deployment.rollup, lie, action="lie")

    with caplog.at_level(logging.ERROR):
        await act(l1, validator, 25)

    assert "claim.wrong epoch=0" in caplog.text
    assert metrics.WRONG_CLAIMS._value.get() == before + 1
    assert validator.status()["wrong_claims"] == 1
    claim = await call(
        *(l1, "Rollup", deployment.rollup, "claimOf", 0, deployment.genesis_root),
    )
    assert claim[1] == 2
    assert validator.replica.confirmed is None


async def test_without_a_key_it_only_watches(l1: TestL1, deployment: Deployment) -> None:
    await fund(l1, deployment)
    sequencer = Sequencer(l1, deployment)
    await post_withdrawals(l1, deployment, sequencer, range(2))
    watcher = validator_on(l1, deployment, None)
    await act(l1, watcher, 30)

    assert watcher.replica.roots == sequencer.roots
    assert await call(l1, "Rollup", deployment.rollup, "sealedCount") == 0
    assert watcher.solvency_units == 0


async def test_after_a_reorganisation_it_derives_the_new_branch(
    l1: TestL1, deployment: Deployment
) -> None:
    await fund(l1, deployment)
    sequencer = Sequencer(l1, deployment)
    validator = validator_on(l1, deployment, None)
    snapshot = await l1.snapshot()
    await post_withdrawals(l1, deployment, sequencer, range(2))
    await validator.catch_up()
    old = validator.replica.roots
    await l1.revert(snapshot)
    await l1.mine(3)

    other = Sequencer(l1, deployment)
    await post_withdrawals(l1, deployment, other, range(3))
    await validator.step()
    await validator.catch_up()

    assert validator.reorgs == 1
    assert validator.replica.roots == other.roots
    assert validator.replica.roots[:2] != old


async def test_bytes_that_are_no_batch_are_skipped_by_name_and_the_chain_goes_on(
    l1: TestL1, deployment: Deployment, rng: random.Random
) -> None:
    """The Inbox cannot judge a body: the transition does, and everybody comes to the same root."""
    noise = await batches(l1, deployment, 2, 4_000, rng)
    poster = Poster(l1, l1.wallet(POSTER, role="poster"), deployment, lambda _: None)
    for batch in noise:
        await poster.submit(batch)
    while poster.unposted:
        await poster.step()
    one, two = (validator_on(l1, deployment, None) for _ in range(2))
    await one.catch_up()
    await two.catch_up()

    assert one.status()["bad_records"] == 2
    assert one.replica.roots == two.replica.roots
    # The direct inputs of the header are drained all the same.
    assert one.status()["directs_waiting"] == 0


async def test_the_process_serves_its_status_and_survives_kill_minus_nine(
    l1: TestL1, deployment: Deployment, tmp_path: Path
) -> None:
    await fund(l1, deployment)
    sequencer = Sequencer(l1, deployment)
    await post_withdrawals(l1, deployment, sequencer, range(3))
    file = tmp_path / "deployment.json"
    deployment.save(file)

    async def start() -> tuple[asyncio.subprocess.Process, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge.validator", "--l1-url", l1.url),
            *("--deployment", str(file), "--data", str(tmp_path), "--status-port", "0"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=os.environ | {"NOVATION_VALIDATOR_KEY": to_hex(VALIDATOR.key)},
        )
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        return process, line.split("url=")[1].strip()

    async def root_of(url: str, record: int) -> str | None:
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(20):
                while True:
                    async with session.get(f"{url}/status") as reply:
                        status = await reply.json()
                    if status["records"] > record:
                        break
                    await asyncio.sleep(0.05)
            async with session.get(f"{url}/metrics") as reply:
                assert "bridge_l1_head_block" in await reply.text()
            async with session.get(f"{url}/roots/{record}") as reply:
                return str((await reply.json())["root"])

    process, url = await start()
    assert await root_of(url, 2) == to_hex(sequencer.roots[2])
    process.kill()
    await process.wait()
    await post_withdrawals(l1, deployment, sequencer, range(3, 4))
    process, url = await start()
    assert await root_of(url, 3) == to_hex(sequencer.roots[3])
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_a_deployment_of_another_l1_or_program_is_refused(
    l1: TestL1, deployment: Deployment, tmp_path: Path
) -> None:
    file = tmp_path / "deployment.json"
    for wrong, text in (
        (replace(deployment, l1_chain_id=1), "chain id 1337"),
        (replace(deployment, inbox=bytes(20)), "no contract at the inbox"),
    ):
        wrong.save(file)
        with pytest.raises(DeploymentError, match=text):
            await run(ValidatorConfig(l1.url, file))
    with pytest.raises(BridgeError, match="another version is needed"):
        Replica(replace(deployment, genesis_root=bytes(32)))
    file.write_text("{}")
    with pytest.raises(DeploymentError, match="missing or unknown fields"):
        Deployment.load(file)
    with pytest.raises(BridgeError, match="hex of 32 bytes"):
        read_key("0x1234")
