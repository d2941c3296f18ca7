"""Poster: every batch lands once and in order, whatever happens to it on the way."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.deployment import Deployment
from bridge.l1 import client, contracts
from bridge.l1.contracts import encode_call
from bridge.l1.devnet import process
from bridge.l1.http import HttpL1
from bridge.l1.wallet import Wallet
from bridge.poster import (
    Displaced,
    Landed,
    Poster,
    PosterEvent,
    PosterOptions,
    Settled,
    Stalled,
)
from bridge.posting import PendingBatch
from bridge.records import pair, record_leaf
from state.l1_records import BATCH_BYTES_MAX
from tests.l1 import GOVERNOR, POSTER, STRANGER, TestL1, batches, deployed


class Bench:
    """A poster, and what it told."""

    def __init__(self, l1: HttpL1, deployment: Deployment, folder: Path | None = None) -> None:
        self.events: list[PosterEvent] = []
        self.wallet = Wallet(l1, POSTER.key, chain_id=1337, role="poster", folder=folder)
        self.l1 = l1
        self.deployment = deployment
        self.poster = Poster(
            l1,
            self.wallet,
            deployment,
            self.events.append,
            PosterOptions(poll_s=0.05, settle_depth=4),
        )

    async def submit(self, items: list[PendingBatch]) -> None:
        for batch in items:
            await self.poster.submit(batch)

    async def until(self, done: Callable[[], bool], steps: int = 60) -> None:
        for _ in range(steps):
            await self.poster.step()
            if done():
                return
        raise AssertionError(f"not after {steps} steps: {self.events}")

    async def until_posted(self) -> None:
        await self.until(lambda: self.poster.unposted == 0)

    def landed(self) -> list[int]:
        return [event.record for event in self.events if isinstance(event, Landed)]

    def displaced(self) -> list[tuple[int, str]]:
        return [(e.record, e.reason) for e in self.events if isinstance(e, Displaced)]

    async def contents(self) -> tuple[bytes, int]:
        inbox = self.deployment.inbox
        content = await contracts.call(self.l1, "Inbox", inbox, "content")
        return content, await contracts.call(self.l1, "Inbox", inbox, "recordCount")


@pytest.fixture
def bench(l1: TestL1, deployment: Deployment, tmp_path: Path) -> Bench:
    return Bench(l1, deployment, tmp_path / "pending")


def content_after(batch: PendingBatch) -> bytes:
    return pair(batch.prev_content, record_leaf(batch.meta, batch.data))


async def test_several_batches_in_flight_land_in_one_block_and_in_order(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    items = await batches(l1, bench.deployment, 6, 5_000, rng)
    await l1.hold()
    await bench.submit(items)
    await bench.poster.step()
    assert len(bench.wallet.in_flight) == 6
    await l1.mine()
    await bench.until_posted()

    assert bench.landed() == [0, 1, 2, 3, 4, 5]
    assert await bench.contents() == (content_after(items[-1]), 6)
    blocks = {event.l1_block for event in bench.events if isinstance(event, Landed)}
    assert len(blocks) == 1


async def test_batches_settle_once_they_are_deep(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    await bench.submit(await batches(l1, bench.deployment, 3, 1_000, rng))
    await bench.until_posted()
    assert not [event for event in bench.events if isinstance(event, Settled)]

    await l1.mine(4)
    await bench.poster.step()

    # The newest stays: the next one is compared with it.
    assert [e.record for e in bench.events if isinstance(e, Settled)] == [0, 1]


async def test_the_largest_batch_fits_into_the_gas_that_the_poster_gives(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    noise, zeros = await batches(l1, bench.deployment, 2, BATCH_BYTES_MAX, rng)
    empty = replace(zeros, data=bytes(BATCH_BYTES_MAX))
    await bench.submit([noise, empty])
    await bench.until_posted()

    assert bench.landed() == [0, 1]
    assert (await bench.contents())[1] == 2


async def test_a_reorganisation_makes_it_post_again_what_l1_lost(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    items = await batches(l1, bench.deployment, 4, 2_000, rng)
    await bench.submit(items[:1])
    await bench.until_posted()
    snapshot = await l1.snapshot()
    await bench.submit(items[1:])
    await bench.until_posted()

    await l1.revert(snapshot)
    await l1.mine()
    await bench.poster.step()
    assert bench.poster.unposted == 3
    await bench.until_posted()

    assert await bench.contents() == (content_after(items[-1]), 4)
    assert bench.landed() == [0, 1, 2, 3, 1, 2, 3]
    assert bench.displaced() == []


async def test_when_l1_loses_the_direct_inputs_too_the_node_must_sequence_anew(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    snapshot = await l1.snapshot()
    call = encode_call("Inbox", "govern", b"\x01" + bytes(16))
    await l1.wallet(GOVERNOR).send_and_wait(bench.deployment.inbox, call, action="g", gas=300_000)
    await bench.submit(await batches(l1, bench.deployment, 2, 2_000, rng))
    await bench.until_posted()

    await l1.revert(snapshot)
    await l1.mine()
    await bench.until(lambda: bool(bench.displaced()))

    assert bench.displaced() == [(0, "reorged")]
    await bench.poster.reset()
    await bench.submit(await batches(l1, bench.deployment, 1, 2_000, rng))
    await bench.until_posted()
    assert (await bench.contents())[1] == 1


async def test_an_l1_that_is_down_for_a_while_delays_and_loses_nothing(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    items = await batches(l1, bench.deployment, 5, 3_000, rng)
    task = asyncio.create_task(bench.poster.run())
    await bench.submit(items[:2])
    async with asyncio.timeout(10):
        while bench.poster.unposted:
            await asyncio.sleep(0.05)
        await l1.stop()
        await bench.submit(items[2:])
        await asyncio.sleep(1.0)
        assert bench.poster.unposted == 3
        await l1.start()
        while bench.poster.unposted:
            await asyncio.sleep(0.05)
    task.cancel()

    assert bench.landed() == [0, 1, 2, 3, 4]
    assert await bench.contents() == (content_after(items[-1]), 5)


async def test_killed_between_sending_and_the_receipt_it_posts_nothing_twice(
    l1: TestL1, bench: Bench, rng: random.Random, tmp_path: Path
) -> None:
    items = await batches(l1, bench.deployment, 5, 2_000, rng)
    await l1.hold()
    await bench.submit(items[:3])
    await bench.poster.step()
    await l1.release()
    # The process is gone, with three batches sent; L1 takes two before the new one looks.
    again = Bench(l1, bench.deployment, tmp_path / "pending")
    await again.wallet.start()
    await again.submit(items)
    await l1.mine()
    await again.until_posted()

    nonce = await client.fetch_nonce(l1, POSTER.address)
    assert nonce == 5
    assert again.landed() == [0, 1, 2, 3, 4]
    assert await again.contents() == (content_after(items[-1]), 5)


async def test_killed_with_its_folder_lost_it_still_posts_nothing_twice(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    items = await batches(l1, bench.deployment, 4, 2_000, rng)
    await bench.submit(items)
    await bench.until_posted()

    again = Bench(l1, bench.deployment)
    for batch in items:
        # One by one: L1 is further than the queue until the last is in it.
        await again.poster.submit(batch)
        await again.poster.step()
    await again.until_posted()

    assert again.landed() == [0, 1, 2, 3]
    assert again.displaced() == []
    assert await client.fetch_nonce(l1, POSTER.address) == 4


async def test_a_second_poster_with_the_same_batches_is_harmless(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    items = await batches(l1, bench.deployment, 4, 2_000, rng)
    twin = Bench(l1, bench.deployment)
    for batch in items:
        await bench.submit([batch])
        await twin.submit([batch])
        await asyncio.gather(bench.poster.step(), twin.poster.step())
    await bench.until_posted()
    await twin.until_posted()

    assert await bench.contents() == (content_after(items[-1]), 4)
    assert bench.displaced() == twin.displaced() == []


async def test_a_second_poster_with_other_batches_displaces_ours(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    ours = await batches(l1, bench.deployment, 3, 2_000, rng)
    theirs = await batches(l1, bench.deployment, 1, 1_999, rng)
    other = Bench(l1, bench.deployment)
    await other.submit(theirs)
    await other.until_posted()

    await bench.submit(ours)
    await bench.until(lambda: bool(bench.displaced()))

    assert bench.displaced() == [(0, "other_record")]
    nonce = await client.fetch_nonce(l1, POSTER.address)
    await bench.poster.step()
    # It has stopped: nothing is burnt on batches that cannot land.
    assert await client.fetch_nonce(l1, POSTER.address) == nonce == 1


async def test_an_advance_displaces_what_was_built_before_it(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    items = await batches(l1, bench.deployment, 2, 2_000, rng)
    seconds = 2 * (bench.deployment.max_wait_s + bench.deployment.max_lag_s)
    await l1.pass_time(seconds)
    call = encode_call("Inbox", "advance")
    await l1.wallet(STRANGER).send_and_wait(bench.deployment.inbox, call, action="advance")

    await bench.submit(items)
    await bench.until(lambda: bool(bench.displaced()))

    assert bench.displaced() == [(0, "advanced")]


async def test_batches_older_than_max_lag_are_given_back_without_burning_gas(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    items = await batches(l1, bench.deployment, 2, 2_000, rng)
    # Twice: blocks made at once have put the clock a little ahead already.
    await l1.pass_time(2 * bench.deployment.max_lag_s)

    await bench.submit(items)
    await bench.until(lambda: bool(bench.displaced()))

    assert bench.displaced() == [(0, "too_late")]
    assert await client.fetch_nonce(l1, POSTER.address) == 0


async def test_a_batch_that_fails_for_no_known_reason_stops_after_a_few_attempts(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    """Only the first attempt costs gas; the others are rehearsed."""
    items = await batches(l1, bench.deployment, 3, 2_000, rng)
    call = encode_call("Inbox", "rotatePoster", STRANGER.address)
    await l1.wallet(GOVERNOR).send_and_wait(bench.deployment.inbox, call, action="rotate")

    await bench.submit(items)
    await bench.until(lambda: any(isinstance(event, Stalled) for event in bench.events))
    burnt = await client.fetch_nonce(l1, POSTER.address)
    for _ in range(5):
        await bench.poster.step()

    stalled = [event for event in bench.events if isinstance(event, Stalled)]
    assert [event.record for event in stalled] == [0]
    assert "Inbox_NotPoster" in stalled[0].detail
    assert burnt == 3
    assert await client.fetch_nonce(l1, POSTER.address) == burnt


async def test_the_queue_is_bounded_and_takes_more_once_batches_have_landed(
    l1: TestL1, bench: Bench, rng: random.Random
) -> None:
    limit = bench.poster.options.queue_max
    items = await batches(l1, bench.deployment, limit + 1, 40, rng)
    await bench.submit(items[:-1])
    late = asyncio.create_task(bench.poster.submit(items[-1]))
    await asyncio.sleep(0.05)
    assert not late.done()

    await bench.until_posted()
    await late
    await bench.until_posted()

    assert bench.landed() == list(range(limit + 1))


async def test_full_batches_go_out_at_three_per_second_or_more(
    tmp_path: Path, rng: random.Random
) -> None:
    """
    Through the embedded L1 as a process of its own, with its blocks of one second.

    The gate is processor time of both processes, which does not depend on what else runs here.
    """
    before_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    running = await process.start(tmp_path / "l1")
    async with HttpL1(running.url) as l1:
        deployment = await deployed(l1)
        bench = Bench(l1, deployment, tmp_path / "pending")
        items = await batches(l1, deployment, 16, BATCH_BYTES_MAX, rng)
        own_s = time.process_time()
        start_s = time.monotonic()
        task = asyncio.create_task(bench.poster.run())
        await bench.submit(items)
        async with asyncio.timeout(60):
            while bench.poster.unposted:
                await asyncio.sleep(0.02)
        wall_s = time.monotonic() - start_s
        own_s = time.process_time() - own_s
        task.cancel()
    await running.stop()
    l1_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before_s

    count = len(items)
    print(f"{count / wall_s:.1f} full batches a second, {count / (own_s + l1_s):.1f} per core")
    assert bench.landed() == list(range(count))
    assert count / (own_s + l1_s) >= 3
