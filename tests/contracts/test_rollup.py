"""Rollup: sealing epochs, claiming them, confirming what stands alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_utils.crypto import keccak

from tests.contracts import model
from tests.contracts.chains import Outcome, address_of
from tests.contracts.checks import accepted, refused
from tests.contracts.world import (
    BOB,
    EPOCH_SECONDS,
    GENESIS,
    WINDOW_SECONDS,
    World,
    deploy,
)

MAXIMUM_UNCONFIRMED = 30


def test_an_epoch_is_sealed_when_it_is_over_and_not_before(world: World) -> None:
    end = world.rollup.view("lastSealAt") + EPOCH_SECONDS
    world.at(end - 1)
    refused(world.rollup.send(BOB, "seal"), "Rollup_EpochNotOver", end - 1, end)
    accepted(world.rollup.send(BOB, "seal"))
    assert world.rollup.view("sealedCount") == 1
    assert world.rollup.view("lastSealAt") == end
    refused(world.rollup.send(BOB, "seal"), "Rollup_EpochNotOver", end + 1, end + EPOCH_SECONDS)


def test_a_seal_fixes_both_trees_and_the_input_hash(world: World) -> None:
    accepted(world.post(world.batch()))
    accepted(world.cancel_all())
    records_root, records, directs_root, directs = world.inbox.view("snapshot")
    assert (records, directs) == (1, 1)
    expected = model.input_hash(records_root, records, directs_root, directs, 1)
    world.at(world.rollup.view("lastSealAt") + EPOCH_SECONDS)
    outcome = accepted(world.rollup.send(BOB, "seal"))
    assert world.rollup.events(outcome, "EpochSealed") == [
        {
            "epoch": 0,
            "recordsRoot": records_root,
            "recordsCount": 1,
            "directsRoot": directs_root,
            "directsCount": 1,
            "version": 1,
            "inputHash": expected,
        }
    ]
    accepted(world.cancel_all())
    assert world.rollup.view("inputHashOf", 0) == expected
    assert world.rollup.view("inputHashOf", 1) == model.ZERO


def test_at_most_30_epochs_wait_for_confirmation(world: World) -> None:
    for _ in range(MAXIMUM_UNCONFIRMED):
        world.seal()
    world.after(EPOCH_SECONDS)
    refused(world.rollup.send(BOB, "seal"), "Rollup_TooManyUnconfirmed", MAXIMUM_UNCONFIRMED)
    accepted(world.propose(0, GENESIS.root(), _claim(1)))
    world.after(WINDOW_SECONDS)
    accepted(world.confirm(0, _header(1)))
    accepted(world.rollup.send(BOB, "seal"))


def test_a_claim_is_recorded_and_confirmed_after_its_window(world: World) -> None:
    epoch, parent, header, claim = world.seal(), GENESIS.root(), _header(1), _claim(1)
    outcome = accepted(world.propose(epoch, parent, claim))
    assert world.rollup.events(outcome, "Proposed") == [
        {
            "epoch": 0,
            "parentRoot": parent,
            "commitment": claim.root(),
            "lastLeaf": header.root(),
            "claimant": "0x" + address_of(BOB).hex(),
        }
    ]
    start = outcome.time
    stands = (start, 1, claim.root(), header.root())
    assert world.rollup.view("claimOf", epoch, parent) == stands
    assert world.rollup.view("isProposed", epoch, parent, claim.root())

    end = start + WINDOW_SECONDS
    world.at(end - 1)
    refused(world.confirm(epoch, header), "Rollup_WindowOpen", end - 1, end)
    outcome = accepted(world.confirm(epoch, header))
    assert outcome.time == end
    assert world.rollup.events(outcome, "EpochConfirmed") == [
        {
            "epoch": 0,
            "root": header.root(),
            "withdrawalsRoot": header.withdrawals_root,
            "withdrawalsCount": header.withdrawals_count,
        }
    ]
    assert world.rollup.view("confirmedCount") == 1
    assert world.rollup.view("confirmedRoot") == header.root()
    withdrawals = (header.withdrawals_root, header.withdrawals_count)
    assert world.rollup.view("withdrawals", 0) == withdrawals


@pytest.mark.parametrize("roots", [1, 2, 3, 17])
def test_the_last_root_of_a_commitment_repeats_to_its_end(world: World, roots: int) -> None:
    chunk_roots = tuple(_header(number + 1).root() for number in range(roots))
    epoch = world.seal()
    accepted(world.propose(epoch, GENESIS.root(), model.Commitment(chunk_roots)))
    world.after(WINDOW_SECONDS)
    accepted(world.confirm(epoch, _header(roots)))


def test_only_a_sealed_epoch_can_be_claimed(world: World) -> None:
    refused(world.propose(0, GENESIS.root(), _claim(1)), "Rollup_EpochNotSealed", 0, 0)
    world.seal()
    accepted(world.propose(0, GENESIS.root(), _claim(1)))


def test_a_confirmed_epoch_cannot_be_claimed_or_confirmed_again(world: World) -> None:
    world.confirmed(_header(1))
    refused(world.propose(0, GENESIS.root(), _claim(2)), "Rollup_EpochConfirmed", 0)
    refused(world.confirm(0, _header(1)), "Rollup_NotNext", 0, 1)
    world.confirmed(_header(2))


def test_a_claim_from_before_a_reorganisation_is_refused(world: World) -> None:
    epoch = world.seal()
    current = world.rollup.view("inputHashOf", epoch)
    other = keccak(b"another history")
    outcome = _propose(world, epoch, input_hash=other)
    refused(outcome, "Rollup_InputHashDiffers", other, current)
    accepted(_propose(world, epoch, input_hash=current))


def test_epoch_0_begins_at_genesis(world: World) -> None:
    epoch = world.seal()
    other = _header(9).root()
    refused(world.propose(epoch, other, _claim(1)), "Rollup_ParentUnknown", epoch, other)
    accepted(world.propose(epoch, GENESIS.root(), _claim(1)))


def test_an_epoch_can_be_claimed_on_an_unconfirmed_claim_about_the_last(world: World) -> None:
    first, second = world.seal(), world.seal()
    parent = _header(1).root()
    refused(world.propose(second, parent, _claim(2)), "Rollup_ParentUnknown", second, parent)
    accepted(world.propose(first, GENESIS.root(), _claim(1)))
    accepted(world.propose(second, parent, _claim(2)))
    world.after(WINDOW_SECONDS)
    refused(world.confirm(second, _header(2)), "Rollup_NotNext", second, first)
    accepted(world.confirm(first, _header(1)))
    accepted(world.confirm(second, _header(2)))


def test_claims_under_a_parent_that_was_not_confirmed_are_dead(world: World) -> None:
    first, second, third = world.seal(), world.seal(), world.seal()
    accepted(world.propose(first, GENESIS.root(), _claim(1)))
    accepted(world.propose(second, _header(1).root(), _claim(2)))
    # A claim about the third epoch, two steps ahead of what is confirmed.
    accepted(world.propose(third, _header(2).root(), _claim(3)))
    world.after(WINDOW_SECONDS)
    accepted(world.confirm(first, _header(1)))
    dead = _header(8).root()
    refused(world.propose(second, dead, _claim(9)), "Rollup_ParentUnknown", second, dead)
    accepted(world.confirm(second, _header(2)))
    accepted(world.confirm(third, _header(3)))


def test_the_last_leaf_must_be_the_commitment_s_last_leaf(world: World) -> None:
    epoch = world.seal()
    claim = model.Commitment((_header(1).root(), _header(2).root()))
    outcome = _propose(world, epoch, claim=claim, last_leaf=_header(1).root())
    refused(outcome, "Rollup_LastLeafNotProven")
    proof = claim.last_proof()
    refused(_propose(world, epoch, claim=claim, proof=proof[::-1]), "Rollup_LastLeafNotProven")
    accepted(_propose(world, epoch, claim=claim))


def test_a_last_leaf_that_is_not_live_is_refused(world: World) -> None:
    epoch = world.seal()
    for tag in (b"\x01", b"\xff"):
        failed = tag + _header(1).root()[1:]
        outcome = world.propose(epoch, GENESIS.root(), model.Commitment((failed,)))
        refused(outcome, "Rollup_NotLive", failed)
    accepted(world.propose(epoch, GENESIS.root(), _claim(1)))


def test_the_same_claim_twice_is_refused_by_name(world: World) -> None:
    epoch = world.seal()
    accepted(world.propose(epoch, GENESIS.root(), _claim(1)))
    refused(
        world.propose(epoch, GENESIS.root(), _claim(1)),
        "Rollup_AlreadyProposed",
        _claim(1).root(),
    )
    world.after(WINDOW_SECONDS)
    refused(
        world.propose(epoch, GENESIS.root(), _claim(1)),
        "Rollup_AlreadyProposed",
        _claim(1).root(),
    )
    accepted(world.confirm(epoch, _header(1)))


def test_a_second_different_claim_blocks_confirmation(world: World) -> None:
    epoch, parent = world.seal(), GENESIS.root()
    start = accepted(world.propose(epoch, parent, _claim(1))).time
    world.at(start + WINDOW_SECONDS - 1)
    accepted(world.propose(epoch, parent, _claim(2)))
    assert world.rollup.view("claimOf", epoch, parent)[:2] == (start, 2)
    world.after(WINDOW_SECONDS)
    refused(world.confirm(epoch, _header(1)), "Rollup_Contested", epoch, 2)
    refused(world.confirm(epoch, _header(2)), "Rollup_Contested", epoch, 2)


def test_another_commitment_with_the_same_last_root_blocks_too(world: World) -> None:
    epoch, parent = world.seal(), GENESIS.root()
    accepted(world.propose(epoch, parent, _claim(1)))
    middle = model.Commitment((_header(7).root(), _header(1).root()))
    accepted(world.propose(epoch, parent, middle))
    world.after(WINDOW_SECONDS)
    refused(world.confirm(epoch, _header(1)), "Rollup_Contested", epoch, 2)


def test_a_claim_after_the_window_is_refused_and_does_not_block(world: World) -> None:
    epoch, parent = world.seal(), GENESIS.root()
    end = accepted(world.propose(epoch, parent, _claim(1))).time + WINDOW_SECONDS
    world.at(end)
    refused(world.propose(epoch, parent, _claim(2)), "Rollup_WindowOver", end, end)
    accepted(world.confirm(epoch, _header(1)))


def test_a_claim_under_another_parent_does_not_block(world: World) -> None:
    first, second = world.seal(), world.seal()
    accepted(world.propose(first, GENESIS.root(), _claim(1)))
    accepted(world.propose(second, _header(1).root(), _claim(2)))
    accepted(world.propose(first, GENESIS.root(), _claim(5)))
    accepted(world.propose(second, _header(5).root(), _claim(6)))
    one = world.rollup.view("claimOf", second, _header(1).root())
    other = world.rollup.view("claimOf", second, _header(5).root())
    assert (one[1], other[1]) == (1, 1)


def test_an_epoch_that_nobody_claimed_is_not_confirmed(world: World) -> None:
    epoch = world.seal()
    refused(world.confirm(epoch, _header(1)), "Rollup_NothingProposed", epoch, GENESIS.root())
    accepted(world.propose(epoch, GENESIS.root(), _claim(1)))
    world.after(WINDOW_SECONDS)
    accepted(world.confirm(epoch, _header(1)))


def test_the_header_must_be_that_of_the_claimed_root(world: World) -> None:
    epoch = world.seal()
    accepted(world.propose(epoch, GENESIS.root(), _claim(1)))
    world.after(WINDOW_SECONDS)
    richer = replace(_header(1), withdrawals_count=10**6)
    refused(world.confirm(epoch, richer), "Rollup_HeaderDiffers", richer.root(), _header(1).root())
    accepted(world.confirm(epoch, _header(1)))


def test_withdrawals_of_an_unconfirmed_epoch_are_not_given(world: World) -> None:
    refused(world.rollup.send(BOB, "withdrawals", 0), "Rollup_EpochNotConfirmed", 0)
    world.confirmed(_header(1))
    accepted(world.rollup.send(BOB, "withdrawals", 0))
    refused(world.rollup.send(BOB, "withdrawals", 1), "Rollup_EpochNotConfirmed", 1)


def test_a_rollup_needs_an_inbox_durations_and_a_live_genesis(world: World) -> None:
    inbox, genesis = world.inbox.address, GENESIS.root()
    wrong = [
        (bytes(20), genesis, 1, 20, 20),
        (inbox, genesis, 1, 0, 20),
        (inbox, genesis, 1, 20, 0),
    ]
    for arguments in wrong:
        refused(deploy(world.chain, "Rollup", *arguments)[1], "Rollup_BadConfiguration")
    dead = b"\xff" + genesis[1:]
    refused(deploy(world.chain, "Rollup", inbox, dead, 1, 20, 20)[1], "Rollup_NotLive", dead)
    accepted(deploy(world.chain, "Rollup", inbox, genesis, 1, 20, 20)[1])


def _header(number: int) -> model.Header:
    """Give a header that is told apart by `number`."""
    return replace(
        GENESIS,
        state_root=keccak(f"state {number}".encode()),
        withdrawals_root=keccak(f"withdrawals {number}".encode()),
        withdrawals_count=number * 0x01020304,
        direct_cursor=number + 1,
    )


def _claim(number: int) -> model.Commitment:
    return model.Commitment((_header(number).root(),))


def _propose(
    world: World,
    epoch: int,
    claim: model.Commitment | None = None,
    last_leaf: bytes | None = None,
    proof: list[bytes] | None = None,
    input_hash: bytes | None = None,
) -> Outcome:
    """Claim on genesis, with any part replaced."""
    claim = claim or _claim(1)
    return world.rollup.send(
        BOB,
        "propose",
        epoch,
        GENESIS.root(),
        claim.root(),
        last_leaf or claim.last_leaf,
        proof or claim.last_proof(),
        input_hash or world.rollup.view("inputHashOf", epoch),
    )
