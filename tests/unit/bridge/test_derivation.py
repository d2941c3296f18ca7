"""Derivation and follower: what L1 says, cut anywhere, taken back, and what it must not say."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bridge.deployment import Deployment
from bridge.derivation import (
    AdvanceRecord,
    BatchRecord,
    Chains,
    DirectInput,
    L1Event,
    Reorged,
    batch_transactions,
    derive,
)
from bridge.errors import DerivationError
from bridge.follower import Follower
from bridge.l1 import client
from bridge.l1.client import Log, to_bytes, to_hex
from bridge.l1.contracts import encode_call
from bridge.l1.wallet import Wallet
from bridge.posting import PendingBatch
from tests.l1 import GOVERNOR, POSTER, USER, TestL1, batches, deposit


def post_call(batch: PendingBatch) -> bytes:
    header = (
        batch.prev_content,
        batch.t_first_ms,
        batch.t_last_ms,
        batch.direct_to,
        batch.expected_direct,
    )
    return encode_call("Inbox", "postBatch", header, batch.data)


async def post(wallet: Wallet, deployment: Deployment, items: list[PendingBatch]) -> None:
    for batch in items:
        await wallet.send_and_wait(
            deployment.inbox, post_call(batch), action="post", gas=10_000_000
        )


async def read_all(follower: Follower) -> list[L1Event]:
    events: list[L1Event] = []
    while True:
        found = await follower.poll()
        events += found
        if not found and not follower.is_behind:
            return events


async def fetch_logs(l1: TestL1, deployment: Deployment) -> tuple[list[Log], dict[bytes, bytes]]:
    head = await client.fetch_head(l1)
    contracts = (deployment.inbox, deployment.rollup, deployment.vault)
    method, params = client.logs_request(contracts, 0, head.number)
    logs = [client.read_log(row) for row in await l1.request(method, params)]
    calldata = {}
    for tx_hash in batch_transactions(deployment, logs):
        row = await l1.request("eth_getTransactionByHash", [to_hex(tx_hash)])
        calldata[tx_hash] = to_bytes(row["input"])
    return logs, calldata


async def test_a_follower_gives_back_what_was_posted_and_queued(
    l1: TestL1, deployment: Deployment, rng: random.Random
) -> None:
    await deposit(l1, deployment, USER, 5_000_000)
    sent = await batches(l1, deployment, 3, 3_000, rng)
    await post(l1.wallet(POSTER), deployment, sent)

    follower = Follower(l1, deployment, 0)
    events = await read_all(follower)

    found = [event for event in events if isinstance(event, BatchRecord)]
    assert [(event.record, event.meta, event.data) for event in found] == [
        (batch.record, batch.meta, batch.data) for batch in sent
    ]
    directs = [event for event in events if isinstance(event, DirectInput)]
    assert [event.index for event in directs] == list(range(8))
    assert directs[7].data[:20] == USER.address
    assert directs[7].running_hash == sent[0].expected_direct
    assert follower.chains.content == found[-1].content
    assert await read_all(follower) == []


async def test_law_the_same_logs_give_the_same_events_wherever_they_are_cut(
    l1: TestL1, deployment: Deployment, rng: random.Random
) -> None:
    await deposit(l1, deployment, USER, 5_000_000)
    await post(l1.wallet(POSTER), deployment, await batches(l1, deployment, 4, 1_500, rng))
    logs, calldata = await fetch_logs(l1, deployment)
    whole = derive(deployment, Chains(), logs, calldata)

    for _ in range(20):
        cut = rng.randint(0, len(logs))
        chains, first = derive(deployment, Chains(), logs[:cut], calldata)
        chains, second = derive(deployment, chains, logs[cut:], calldata)
        assert (chains, first + second) == whole


async def test_an_l1_that_contradicts_itself_is_found_out(
    l1: TestL1, deployment: Deployment, rng: random.Random
) -> None:
    await deposit(l1, deployment, USER, 5_000_000)
    sent = await batches(l1, deployment, 2, 2_000, rng)
    await post(l1.wallet(POSTER), deployment, sent)
    logs, calldata = await fetch_logs(l1, deployment)
    derive(deployment, Chains(), logs, calldata)

    forged = post_call(replace(sent[0], data=rng.randbytes(2_000)))
    first = next(iter(calldata))
    last = max(i for i, log in enumerate(logs) if log.topics[0] == logs[2].topics[0])
    bent = replace(logs[last], data=logs[last].data[:-1] + b"\x01")
    lies = {
        "another body": (logs, calldata | {first: forged}),
        "no body": (logs, {}),
        "not a batch": (logs, calldata | {first: b"\x00" * 100}),
        "a log left out": (logs[:3] + logs[4:], calldata),
        "a log twice": (logs[:4] + logs[3:], calldata),
        "a log changed": ([*logs[:last], bent], calldata),
    }
    for what, (said, bodies) in lies.items():
        with pytest.raises(DerivationError):
            derive(deployment, Chains(), said, bodies)
            pytest.fail(f"{what} went through")


async def test_a_reorganisation_is_announced_and_the_new_branch_read(
    l1: TestL1, deployment: Deployment, rng: random.Random
) -> None:
    wallet = l1.wallet(POSTER)
    sent = await batches(l1, deployment, 3, 1_200, rng)
    follower = Follower(l1, deployment, 0)
    await post(wallet, deployment, sent[:1])
    await read_all(follower)
    before = follower.chains
    snapshot = await l1.snapshot()
    await post(wallet, deployment, sent[1:])
    await read_all(follower)
    assert follower.chains.records.count == 3

    await l1.revert(snapshot)
    await l1.mine(5)
    announced = (await follower.poll())[0]
    assert isinstance(announced, Reorged)
    assert follower.chains == before
    other = await batches(l1, deployment, 1, 900, rng)
    await post(l1.wallet(POSTER), deployment, other)
    events = await read_all(follower)

    found = [event for event in events if isinstance(event, BatchRecord)]
    assert [(event.record, event.data) for event in found] == [(1, other[0].data)]


async def test_a_follower_stays_at_its_depth(
    l1: TestL1, deployment: Deployment, rng: random.Random
) -> None:
    follower = Follower(l1, deployment, 3)
    await l1.mine(10)
    await read_all(follower)
    await post(l1.wallet(POSTER), deployment, await batches(l1, deployment, 1, 500, rng))

    assert await read_all(follower) == []
    await l1.mine(2)
    assert await read_all(follower) == []
    await l1.mine()
    assert [type(event) for event in await read_all(follower)] == [BatchRecord]


async def test_an_advance_is_a_record_like_a_batch(l1: TestL1, deployment: Deployment) -> None:
    await l1.pass_time(2 * (deployment.max_wait_s + deployment.max_lag_s))
    call = encode_call("Inbox", "advance")
    await l1.wallet(GOVERNOR).send_and_wait(deployment.inbox, call, action="advance")

    events = await read_all(Follower(l1, deployment, 0))

    advance = events[-1]
    assert isinstance(advance, AdvanceRecord)
    assert advance.meta[0] == 2
    assert int.from_bytes(advance.meta[24:], "big") == 7


async def test_thousands_of_blocks_are_read_in_bounded_ranges(
    l1: TestL1, deployment: Deployment
) -> None:
    await l1.mine(2_500)
    follower = Follower(l1, deployment, 0)
    first = await follower.poll()

    assert len(first) == 7
    assert follower.is_behind
    assert follower.l1_block == deployment.deploy_block + 999
    await read_all(follower)
    assert follower.l1_block == (await client.fetch_head(l1)).number
