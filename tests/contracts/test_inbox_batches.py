"""Inbox: `postBatch`, `advance` and `rotatePoster`: each check refuses, and passes beside it."""

from __future__ import annotations

import pytest

from tests.contracts import model
from tests.contracts.chains import address_of, send
from tests.contracts.checks import accepted, refused
from tests.contracts.world import (
    ALICE,
    BOB,
    MAX_LAG_MS,
    MAX_WAIT_MS,
    OPERATOR,
    POSTER,
    World,
    deploy,
    inbox_config,
)

MAXIMUM_BATCH_BYTES = 117_956
ZERO_ADDRESS = bytes(20)


def test_a_batch_appends_its_leaf_to_the_tree_and_to_the_content_chain(world: World) -> None:
    batch = world.batch(data=b"columns", t_last=world.now_ms + 999)
    outcome = accepted(world.post(batch))

    content = model.chain_hash([batch.leaf()])
    assert world.inbox.events(outcome, "BatchPosted") == [
        {"record": 0, "leaf": batch.leaf(), "content": content}
    ]
    assert world.inbox.view("content") == content
    assert world.inbox.view("recordCount") == 1
    assert world.inbox.view("lastTimeMs") == batch.t_last
    root = model.tree_root([batch.leaf()], model.TREE_DEPTH)
    assert world.inbox.view("snapshot")[0] == root


def test_only_the_poster_posts(world: World) -> None:
    refused(
        world.post(world.batch(), key=ALICE),
        "Inbox_NotPoster",
        address_of(ALICE),
        address_of(POSTER),
    )
    accepted(world.post(world.batch()))


def test_a_poster_that_is_a_contract_is_refused(world: World) -> None:
    relay, _ = deploy(world.chain, "Relay")
    accepted(world.inbox.send(OPERATOR, "rotatePoster", relay.address))
    data = world.inbox.data("postBatch", world.batch().header(), b"x")
    refused(
        relay.send(BOB, "relay", world.inbox.address, data),
        "Inbox_PosterHasCode",
        relay.address,
        address_of(BOB),
    )
    accepted(world.inbox.send(OPERATOR, "rotatePoster", address_of(BOB)))
    accepted(world.post(world.batch(), key=BOB))


def test_a_poster_with_delegated_code_is_refused_until_it_takes_it_back(world: World) -> None:
    to = address_of(ALICE)
    accepted(send(world.chain, POSTER, to, b"", delegate_to=world.usd.address))
    me = address_of(POSTER)
    refused(world.post(world.batch()), "Inbox_PosterHasCode", me, me, 23)
    accepted(send(world.chain, POSTER, to, b"", delegate_to=ZERO_ADDRESS))
    accepted(world.post(world.batch()))


def test_a_batch_on_another_content_chain_is_refused(world: World) -> None:
    first = world.batch(data=b"first")
    rival = world.batch(data=b"rival")
    accepted(world.post(first))
    moved = model.chain_hash([first.leaf()])
    refused(world.post(rival), "Inbox_ContentMoved", model.ZERO, moved)
    accepted(world.post(world.batch(data=b"rival")))


def test_several_batches_can_be_in_flight(world: World) -> None:
    first = world.batch(data=b"first")
    second = world.batch(data=b"second", prev_content=model.chain_hash([first.leaf()]))
    both = [first.leaf(), second.leaf()]
    third = world.batch(data=b"third", prev_content=model.chain_hash(both))
    for batch in (first, second, third):
        accepted(world.post(batch))
    assert world.inbox.view("content") == model.chain_hash([*both, third.leaf()])


@pytest.mark.parametrize("size", [0, MAXIMUM_BATCH_BYTES + 1])
def test_an_empty_or_too_long_batch_is_refused(world: World, size: int) -> None:
    outcome = world.post(world.batch(data=bytes(size)))
    refused(outcome, "Inbox_BatchSize", size, MAXIMUM_BATCH_BYTES)


@pytest.mark.parametrize("size", [1, MAXIMUM_BATCH_BYTES])
def test_the_shortest_and_the_longest_batch_are_taken(world: World, size: int) -> None:
    accepted(world.post(world.batch(data=bytes(size))))


def test_direct_to_may_stand_still_but_not_fall(world: World) -> None:
    accepted(world.cancel_all())
    running = world.inbox.view("directHash", 1)
    accepted(world.post(world.batch(direct_to=1, expected_direct=running)))
    back = world.batch(direct_to=0, expected_direct=model.ZERO)
    refused(world.post(back), "Inbox_DirectToFalls", 0, 1)
    accepted(world.post(world.batch(direct_to=1, expected_direct=running)))
    assert world.inbox.view("drainedTo") == 1


def test_direct_to_may_reach_the_count_but_not_pass_it(world: World) -> None:
    accepted(world.cancel_all())
    running = world.inbox.view("directHash", 1)
    beyond = world.batch(direct_to=2, expected_direct=running)
    refused(world.post(beyond), "Inbox_DirectToBeyond", 2, 1)
    accepted(world.post(world.batch(direct_to=1, expected_direct=running)))


def test_a_batch_built_on_other_direct_inputs_is_refused(world: World) -> None:
    accepted(world.cancel_all())
    running = world.inbox.view("directHash", 1)
    wrong = world.batch(direct_to=1, expected_direct=model.ZERO)
    refused(world.post(wrong), "Inbox_DirectHashDiffers", model.ZERO, running)
    wrong = world.batch(direct_to=0, expected_direct=running)
    refused(world.post(wrong), "Inbox_DirectHashDiffers", running, model.ZERO)
    accepted(world.post(world.batch(direct_to=1, expected_direct=running)))


def test_a_direct_input_is_left_out_for_max_wait_and_not_a_millisecond_more(world: World) -> None:
    queued_ms = accepted(world.cancel_all()).time * 1_000
    latest = queued_ms + MAX_WAIT_MS
    world.at(latest // 1_000)
    late = world.batch(t_first=latest, t_last=latest + 1)
    refused(world.post(late), "Inbox_InputOverdue", 0, latest + 1, latest)
    accepted(world.post(world.batch(t_first=latest, t_last=latest)))


def test_only_the_first_input_left_out_must_not_be_overdue(world: World) -> None:
    accepted(world.cancel_all())
    world.after(5)
    second_ms = accepted(world.cancel_all()).time * 1_000
    latest = second_ms + MAX_WAIT_MS
    one = world.inbox.view("directHash", 1)
    world.at(latest // 1_000)
    refused(world.post(world.batch()), "Inbox_InputOverdue", 0)
    at = {"t_first": latest, "t_last": latest, "direct_to": 1, "expected_direct": one}
    accepted(world.post(world.batch(**at)))
    refused(
        world.post(world.batch(**(at | {"t_last": latest + 1}))),
        "Inbox_InputOverdue",
        1,
        latest + 1,
        latest,
    )


def test_a_batch_begins_at_most_max_lag_ago(world: World) -> None:
    world.after(100)
    earliest = world.now_ms - MAX_LAG_MS
    old = world.batch(t_first=earliest - 1)
    refused(world.post(old), "Inbox_BatchTooOld", earliest - 1, earliest)
    earliest = world.now_ms - MAX_LAG_MS
    accepted(world.post(world.batch(t_first=earliest)))


def test_a_batch_does_not_end_before_it_begins(world: World) -> None:
    now = world.now_ms
    refused(world.post(world.batch(t_last=now - 1)), "Inbox_TimeReversed", now, now - 1)
    accepted(world.post(world.batch(t_last=world.now_ms)))


def test_a_batch_ends_at_most_999_ms_after_the_block_s_second(world: World) -> None:
    now = world.now_ms
    refused(world.post(world.batch(t_last=now + 1_000)), "Inbox_FromFuture", now + 1_000, now + 999)
    accepted(world.post(world.batch(t_last=world.now_ms + 999)))


def test_a_batch_does_not_begin_before_the_last_one_ended(world: World) -> None:
    end = world.now_ms + 500
    accepted(world.post(world.batch(t_last=end)))
    refused(world.post(world.batch(t_first=end - 1)), "Inbox_TimeFalls", end - 1, end)
    accepted(world.post(world.batch(t_first=end)))


def test_times_near_the_end_of_64_bits_are_refused_by_name(world: World) -> None:
    end = 2**64 - 1
    refused(world.post(world.batch(t_first=end, t_last=end)), "Inbox_FromFuture", end)
    accepted(world.cancel_all())
    refused(world.post(world.batch(t_first=end, t_last=end)), "Inbox_InputOverdue", 0, end)


def test_anyone_advances_once_the_oldest_input_is_overdue(world: World) -> None:
    queued_ms = accepted(world.cancel_all()).time * 1_000
    accepted(world.cancel_all())
    overdue = queued_ms + MAX_WAIT_MS + MAX_LAG_MS
    world.at(overdue // 1_000)
    refused(world.inbox.send(BOB, "advance"), "Inbox_NotOverdue", 0, overdue, overdue + 1)

    outcome = accepted(world.inbox.send(BOB, "advance"))
    time_ms = outcome.time * 1_000
    leaf = model.record_leaf(2, 0, time_ms, time_ms, 2, model.ZERO)
    content = model.chain_hash([leaf])
    assert world.inbox.events(outcome, "Advanced") == [
        {"record": 0, "directTo": 2, "timeMs": time_ms, "leaf": leaf, "content": content}
    ]
    assert world.inbox.view("content") == content
    assert world.inbox.view("drainedTo") == 2
    assert world.inbox.view("lastTimeMs") == time_ms
    refused(world.inbox.send(BOB, "advance"), "Inbox_NothingWaits", 2)


def test_a_batch_built_before_an_advance_reverts_and_one_built_after_lands(world: World) -> None:
    accepted(world.cancel_all())
    world.after((MAX_WAIT_MS + MAX_LAG_MS) // 1_000)
    before = world.batch()
    accepted(world.inbox.send(BOB, "advance"))
    refused(world.post(before), "Inbox_ContentMoved", model.ZERO)
    accepted(world.post(world.batch()))


def test_inputs_that_a_batch_drained_do_not_count_for_advance(world: World) -> None:
    accepted(world.cancel_all())
    running = world.inbox.view("directHash", 1)
    accepted(world.post(world.batch(direct_to=1, expected_direct=running)))
    world.after(100)
    second_ms = accepted(world.cancel_all()).time * 1_000
    refused(world.inbox.send(BOB, "advance"), "Inbox_NotOverdue", 1)
    world.at((second_ms + MAX_WAIT_MS + MAX_LAG_MS) // 1_000 + 1)
    accepted(world.inbox.send(BOB, "advance"))


def test_only_the_operator_rotates_the_poster_and_at_once(world: World) -> None:
    bob = address_of(BOB)
    refused(
        world.inbox.send(BOB, "rotatePoster", bob),
        "Inbox_NotOperator",
        bob,
        address_of(OPERATOR),
    )
    refused(world.inbox.send(OPERATOR, "rotatePoster", ZERO_ADDRESS), "Inbox_ZeroAddress")
    outcome = accepted(world.inbox.send(OPERATOR, "rotatePoster", bob))
    assert world.inbox.events(outcome, "PosterRotated") == [
        {"previous": "0x" + address_of(POSTER).hex(), "poster": "0x" + bob.hex()}
    ]
    refused(world.post(world.batch()), "Inbox_NotPoster", address_of(POSTER), bob)
    accepted(world.post(world.batch(), key=BOB))


@pytest.mark.parametrize("role", ["operator", "poster", "timelock", "vault"])
def test_an_inbox_without_one_of_its_roles_is_not_made(world: World, role: str) -> None:
    vault = address_of(ALICE)
    without = inbox_config(**({"vault": vault} | {role: bytes(20)}))
    _, outcome = deploy(world.chain, "Inbox", without)
    refused(outcome, "Inbox_ZeroAddress")
    _, outcome = deploy(world.chain, "Inbox", inbox_config(vault))
    accepted(outcome)
