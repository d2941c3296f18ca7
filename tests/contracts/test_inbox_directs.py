"""Inbox: direct inputs: forced operations, governance, and who may queue deposits."""

from __future__ import annotations

import pytest

from tests.contracts import model
from tests.contracts.chains import address_of
from tests.contracts.checks import accepted, refused
from tests.contracts.world import ALICE, BOB, FEES_WEI, TIMELOCK, World

WITHDRAW, CANCEL_ALL, CLOSE, REVOKE_KEY, REPORT, GOVERN = 2, 3, 4, 5, 6, 7


def test_direct_inputs_are_chained_in_order_with_their_time_and_sender(world: World) -> None:
    forced = [(ALICE, CANCEL_ALL, bytes(4)), (BOB, WITHDRAW, bytes(range(40)))]
    leaves = []
    for index, (key, kind, data) in enumerate(forced):
        world.after(index)
        fee = FEES_WEI[kind - 2]
        outcome = accepted(world.inbox.send(key, "force", kind, data, value=fee))
        time_ms = outcome.time * 1_000
        leaves.append(model.direct_leaf(kind, address_of(key), index, time_ms, data))
        assert world.inbox.events(outcome, "DirectInput") == [
            {
                "index": index,
                "kind": kind,
                "sender": "0x" + address_of(key).hex(),
                "timeMs": time_ms,
                "data": data,
                "runningHash": model.chain_hash(leaves),
            }
        ]
        assert world.inbox.view("directTimeMs", index) == time_ms

    assert world.inbox.view("directCount") == 2
    assert world.inbox.view("directHash", 0) == model.ZERO
    assert world.inbox.view("directHash", 1) == model.chain_hash(leaves[:1])
    assert world.inbox.view("directHash", 2) == model.chain_hash(leaves)
    assert world.inbox.view("snapshot")[2:] == (model.tree_root(leaves, model.TREE_DEPTH), 2)


SIZES = [
    (WITHDRAW, 40, 40),
    (CANCEL_ALL, 4, 4),
    (CLOSE, 1, 256),
    (REVOKE_KEY, 1, 256),
    (REPORT, 84, 1_024),
]


@pytest.mark.parametrize(("kind", "minimum", "maximum"), SIZES)
def test_the_data_of_a_kind_has_its_size(
    world: World, kind: int, minimum: int, maximum: int
) -> None:
    fee = FEES_WEI[kind - 2]
    for size in (minimum - 1, maximum + 1):
        outcome = world.inbox.send(ALICE, "force", kind, bytes(size), value=fee)
        refused(outcome, "Inbox_DataSize", kind, size, minimum, maximum)
    for size in (minimum, maximum):
        accepted(world.inbox.send(ALICE, "force", kind, bytes(size), value=fee))


@pytest.mark.parametrize("kind", [0, 1, GOVERN, 255])
def test_kinds_that_are_not_for_users_cannot_be_forced(world: World, kind: int) -> None:
    refused(world.inbox.send(ALICE, "force", kind, bytes(4)), "Inbox_UnknownKind", kind)


@pytest.mark.parametrize(("kind", "size"), [(kind, minimum) for kind, minimum, _ in SIZES])
def test_the_fee_of_a_kind_is_exact_and_stays(world: World, kind: int, size: int) -> None:
    fee = FEES_WEI[kind - 2]
    assert world.inbox.view("feeWei", kind) == fee
    for wrong in (0, fee - 1, fee + 1):
        outcome = world.inbox.send(ALICE, "force", kind, bytes(size), value=wrong)
        refused(outcome, "Inbox_WrongFee", kind, wrong, fee)
    accepted(world.inbox.send(ALICE, "force", kind, bytes(size), value=fee))
    assert world.chain.balance(world.inbox.address) == fee


def test_only_the_timelock_governs(world: World) -> None:
    timelock = address_of(TIMELOCK)
    outcome = world.inbox.send(ALICE, "govern", b"\x01")
    refused(outcome, "Inbox_NotTimelock", address_of(ALICE), timelock)
    outcome = accepted(world.inbox.send(TIMELOCK, "govern", b"\x01"))
    leaf = model.direct_leaf(GOVERN, timelock, 0, outcome.time * 1_000, b"\x01")
    assert world.inbox.view("directHash", 1) == model.chain_hash([leaf])


def test_a_governance_input_has_1_to_256_bytes(world: World) -> None:
    for size in (0, 257):
        outcome = world.inbox.send(TIMELOCK, "govern", bytes(size))
        refused(outcome, "Inbox_DataSize", GOVERN, size, 1, 256)
    for size in (1, 256):
        accepted(world.inbox.send(TIMELOCK, "govern", bytes(size)))


def test_nobody_but_the_vault_queues_a_deposit(world: World) -> None:
    alice = address_of(ALICE)
    outcome = world.inbox.send(ALICE, "deposit", alice, 0, world.usd.address, 10**9, alice)
    refused(outcome, "Inbox_NotVault", alice, world.vault.address)
    accepted(world.deposit(ALICE, 1))


def test_direct_inputs_that_do_not_exist_have_no_hash_or_time(world: World) -> None:
    accepted(world.cancel_all())
    # Sent as transactions, because a call's error has another form on each chain.
    refused(world.inbox.send(ALICE, "directHash", 2), "Inbox_DirectUnknown", 2, 1)
    refused(world.inbox.send(ALICE, "directTimeMs", 1), "Inbox_DirectUnknown", 1, 1)
    accepted(world.inbox.send(ALICE, "directHash", 1))
    accepted(world.inbox.send(ALICE, "directTimeMs", 0))
