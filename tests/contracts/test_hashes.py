"""The contracts hash as docs/formats.md says: compared with the plain model and the vectors."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.contracts import model, snapshots, vectors
from tests.contracts.chains import address_of
from tests.contracts.checks import accepted
from tests.contracts.world import ALICE, FEES_WEI, GENESIS, L2_CHAIN_ID, WINDOW_SECONDS, World


def test_the_committed_vectors_are_what_the_model_computes() -> None:
    snapshots.compare(snapshots.VECTORS, vectors.compute())


@pytest.mark.parametrize("size", vectors.SIZES)
def test_the_inbox_pages_a_batch_as_the_vectors_say(world: World, size: int) -> None:
    batch = world.batch(data=vectors.batch_bytes(size))
    outcome = accepted(world.post(batch))
    root = next(
        row["root"] for row in snapshots.read(snapshots.VECTORS)["pages"] if row["bytes"] == size
    )
    now, length = batch.t_first, len(batch.data)
    leaf = model.record_leaf(1, length, now, now, 0, bytes.fromhex(root))
    assert world.inbox.events(outcome, "BatchPosted")[0]["leaf"] == leaf


def test_a_random_batch_gets_the_model_s_page_root(world: World, rng: Random) -> None:
    for _ in range(5):
        batch = world.batch(data=rng.randbytes(rng.randrange(1, 20_000)))
        outcome = accepted(world.post(batch))
        assert world.inbox.events(outcome, "BatchPosted")[0]["leaf"] == batch.leaf()


def test_pages_of_zeros_are_not_missing_pages(world: World) -> None:
    one, two = bytes(1_024), bytes(1_025)
    assert model.page_root(one) != model.page_root(two)
    for data in (one, two):
        batch = world.batch(data=data)
        outcome = accepted(world.post(batch))
        assert world.inbox.events(outcome, "BatchPosted")[0]["leaf"] == batch.leaf()


def test_both_trees_have_the_model_s_root_after_every_append(world: World) -> None:
    empty = model.tree_root([], model.TREE_DEPTH)
    assert world.inbox.view("snapshot") == (empty, 0, empty, 0)
    records: list[bytes] = []
    directs: list[bytes] = []
    for index in range(17):
        batch = world.batch(data=bytes([index + 1]))
        records.append(batch.leaf())
        accepted(world.post(batch))
        time_ms = accepted(world.cancel_all()).time * 1_000
        directs.append(model.direct_leaf(3, address_of(ALICE), index, time_ms, bytes(4)))
        # Drained at once, so that none is overdue however many rounds there are.
        running = model.chain_hash(directs)
        drain = world.batch(direct_to=index + 1, expected_direct=running)
        accepted(world.post(drain))
        records.append(drain.leaf())
        assert world.inbox.view("snapshot") == (
            model.tree_root(records, model.TREE_DEPTH),
            len(records),
            model.tree_root(directs, model.TREE_DEPTH),
            len(directs),
        )
    assert world.inbox.view("content") == model.chain_hash(records)


def test_long_data_of_a_direct_input_is_hashed_whole(world: World, rng: Random) -> None:
    leaves = []
    for index, size in enumerate((84, 85, 500, 1_024)):
        data = rng.randbytes(size)
        outcome = accepted(world.inbox.send(ALICE, "force", 6, data, value=FEES_WEI[4]))
        leaf = model.direct_leaf(6, address_of(ALICE), index, outcome.time * 1_000, data)
        leaves.append(leaf)
    assert world.inbox.view("directHash", 4) == model.chain_hash(leaves)


def test_the_vault_makes_the_model_s_withdrawal_leaf(world: World) -> None:
    for withdrawal in vectors.withdrawals():
        leaf = withdrawal.leaf(L2_CHAIN_ID, world.vault.address)
        assert world.vault.view("leafOf", withdrawal.fields()) == leaf


def test_the_rollup_takes_the_vectors_commitments(world: World) -> None:
    epoch = world.seal()
    for row in snapshots.read(snapshots.VECTORS)["commitments"]:
        accepted(
            world.rollup.send(
                ALICE,
                "propose",
                epoch,
                GENESIS.root(),
                bytes.fromhex(row["root"]),
                bytes.fromhex(row["roots"][-1]),
                [bytes.fromhex(node) for node in row["last_proof"]],
                world.rollup.view("inputHashOf", epoch),
            )
        )


def test_the_rollup_reads_the_withdrawals_of_the_vectors_headers(world: World) -> None:
    for row, header in zip(
        snapshots.read(snapshots.VECTORS)["headers"], vectors.headers(), strict=True
    ):
        parent = world.rollup.view("confirmedRoot")
        epoch = world.seal()
        root, words = bytes.fromhex(row["root"]), [bytes.fromhex(word) for word in row["words"]]
        accepted(world.propose(epoch, parent, model.Commitment((root,))))
        world.after(WINDOW_SECONDS)
        accepted(world.rollup.send(ALICE, "confirm", epoch, words))
        expected = (header.withdrawals_root, header.withdrawals_count)
        assert world.rollup.view("withdrawals", epoch) == expected


def test_the_withdrawals_count_is_read_little_endian_and_alone(world: World) -> None:
    header = replace(GENESIS, withdrawals_count=0x0102030405060708, direct_cursor=2**64 - 1)
    epoch = world.confirmed(header)
    assert world.rollup.view("withdrawals", epoch)[1] == 0x0102030405060708
