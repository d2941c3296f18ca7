"""Vault: deposits that are measured and queued, withdrawals that are proven and paid once."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.contracts import model
from tests.contracts.chains import Outcome, address_of, created_address
from tests.contracts.checks import accepted, refused
from tests.contracts.world import (
    ALICE,
    BOB,
    DEPLOYER,
    GENESIS,
    L2_CHAIN_ID,
    TIMELOCK,
    UNIT_E9,
    WINDOW_SECONDS,
    Contract,
    World,
    deploy,
    inbox_config,
)

LARGEST_DEPOSIT = 2**96 // UNIT_E9
MAXIMUM_UNIT_E9 = 10**18
ZERO_ADDRESS = bytes(20)


def test_a_deposit_is_taken_and_queued_in_units_of_1e_9(world: World) -> None:
    outcome = accepted(world.deposit(ALICE, 1_234_567))
    alice, usd = address_of(ALICE), world.usd.address
    data = model.deposit_data(alice, 0, usd, 1_234_567_000)
    leaf = model.direct_leaf(1, alice, 0, outcome.time * 1_000, data)
    assert world.inbox.view("directHash", 1) == model.chain_hash([leaf])
    assert world.inbox.events(outcome, "DirectInput")[0]["data"] == data
    assert world.usd.view("balanceOf", world.vault.address) == 1_234_567
    assert world.vault.events(outcome, "Deposited") == [
        {
            "payer": "0x" + alice.hex(),
            "account": "0x" + alice.hex(),
            "subaccount": 0,
            "token": "0x" + usd.hex(),
            "amount": 1_234_567,
            "directIndex": 0,
        }
    ]


def test_one_may_pay_for_another_and_the_payer_is_the_sender(world: World) -> None:
    world.fund(BOB, 7)
    outcome = accepted(
        world.vault.send(BOB, "deposit", world.usd.address, 7, address_of(ALICE), 15)
    )
    (event,) = world.inbox.events(outcome, "DirectInput")
    assert event["sender"] == "0x" + address_of(BOB).hex()
    assert event["data"] == model.deposit_data(address_of(ALICE), 15, world.usd.address, 7_000)


def test_a_token_is_deposited_only_once_listed(world: World) -> None:
    token = _hostile(world)
    world.fund(ALICE, 10, token)
    refused(_deposit(world, token, 10), "Vault_TokenNotListed", token.address)
    accepted(world.vault.send(TIMELOCK, "list", token.address, 1))
    accepted(_deposit(world, token, 10))


def test_only_the_timelock_lists_and_only_once(world: World) -> None:
    token = _hostile(world)
    refused(
        world.vault.send(ALICE, "list", token.address, 1),
        "Vault_NotTimelock",
        address_of(ALICE),
        address_of(TIMELOCK),
    )
    accepted(world.vault.send(TIMELOCK, "list", token.address, 1))
    refused(
        world.vault.send(TIMELOCK, "list", token.address, 2), "Vault_TokenListed", token.address
    )
    assert world.vault.view("unitE9Of", token.address) == 1


@pytest.mark.parametrize(("wrong", "right"), [(0, 1), (MAXIMUM_UNIT_E9 + 1, MAXIMUM_UNIT_E9)])
def test_the_unit_of_a_token_is_bounded(world: World, wrong: int, right: int) -> None:
    token = _hostile(world)
    outcome = world.vault.send(TIMELOCK, "list", token.address, wrong)
    refused(outcome, "Vault_UnitOutOfRange", wrong, MAXIMUM_UNIT_E9)
    accepted(world.vault.send(TIMELOCK, "list", token.address, right))


def test_a_deposit_names_an_account_and_one_of_its_16_subaccounts(world: World) -> None:
    world.fund(ALICE, 10)
    usd = world.usd.address
    outcome = world.vault.send(ALICE, "deposit", usd, 5, ZERO_ADDRESS, 0)
    refused(outcome, "Vault_AccountZero")
    outcome = world.vault.send(ALICE, "deposit", usd, 5, address_of(ALICE), 16)
    refused(outcome, "Vault_SubaccountUnknown", 16, 15)
    accepted(world.vault.send(ALICE, "deposit", usd, 5, address_of(ALICE), 15))


def test_a_deposit_of_nothing_is_refused(world: World) -> None:
    world.fund(ALICE, 1)
    refused(_deposit(world, world.usd, 0), "Vault_NothingReceived", world.usd.address, 0)
    accepted(_deposit(world, world.usd, 1))


def test_the_largest_deposit_is_taken_and_one_unit_more_is_not(world: World) -> None:
    world.fund(ALICE, LARGEST_DEPOSIT + 1)
    refused(
        _deposit(world, world.usd, LARGEST_DEPOSIT + 1),
        "Vault_DepositTooLarge",
        LARGEST_DEPOSIT + 1,
        LARGEST_DEPOSIT,
    )
    accepted(_deposit(world, world.usd, LARGEST_DEPOSIT))


def test_what_arrived_is_credited_when_the_token_keeps_a_fee(world: World) -> None:
    token = _listed(world)
    accepted(token.send(ALICE, "setFee", 10))
    world.fund(ALICE, 1_000, token)
    outcome = accepted(_deposit(world, token, 1_000))
    assert world.vault.events(outcome, "Deposited")[0]["amount"] == 900
    expected = model.deposit_data(address_of(ALICE), 0, token.address, 900)
    assert world.inbox.events(outcome, "DirectInput")[0]["data"] == expected


def test_a_token_that_answers_false_deposits_nothing(world: World) -> None:
    token = _listed(world)
    world.fund(ALICE, 10, token)
    accepted(token.send(ALICE, "setAnswersFalse", True))
    refused(_deposit(world, token, 10), "SafeERC20FailedOperation", token.address)
    accepted(token.send(ALICE, "setAnswersFalse", False))
    accepted(_deposit(world, token, 10))


def test_a_deposit_cannot_be_entered_again_from_the_token(world: World) -> None:
    token = _listed(world)
    world.fund(ALICE, 10, token)
    inner = world.vault.data("deposit", token.address, 5, address_of(ALICE), 0)
    accepted(token.send(ALICE, "setHook", world.vault.address, inner))
    refused(_deposit(world, token, 5), "ReentrancyGuardReentrantCall")
    accepted(token.send(ALICE, "setHook", ZERO_ADDRESS, b""))
    accepted(_deposit(world, token, 5))


def test_a_proven_withdrawal_is_paid_by_anyone_to_its_recipient_once(world: World) -> None:
    paid = _withdrawals(world, 5)
    epoch = _confirmed(world, paid)
    outcome = accepted(_claim(world, paid, 2, epoch))
    recipient = paid[2].recipient
    assert world.usd.view("balanceOf", recipient) == paid[2].amount
    assert world.vault.view("claimed", 2)
    assert world.vault.events(outcome, "Claimed") == [
        {
            "index": 2,
            "account": "0x" + paid[2].account.hex(),
            "recipient": "0x" + recipient.hex(),
            "token": "0x" + world.usd.address.hex(),
            "amount": paid[2].amount,
        }
    ]
    refused(_claim(world, paid, 2, epoch), "Vault_AlreadyClaimed", 2)
    assert world.usd.view("balanceOf", recipient) == paid[2].amount
    accepted(_claim(world, paid, 3, epoch))


def test_every_field_of_a_withdrawal_is_proven(world: World) -> None:
    paid = _withdrawals(world, 5)
    epoch = _confirmed(world, paid)
    honest = paid[1]
    forged = [
        replace(honest, index=2),
        replace(honest, account=address_of(BOB)),
        replace(honest, token=world.vault.address),
        replace(honest, amount=honest.amount + 1),
        replace(honest, recipient=address_of(BOB)),
    ]
    proof = _proof(world, paid, 1)
    root = model.tree_root(_leaves(world, paid), model.TREE_DEPTH)
    for withdrawal in forged:
        outcome = world.vault.send(BOB, "claim", withdrawal.fields(), epoch, proof)
        refused(outcome, "Vault_ProofInvalid", epoch)
        assert outcome.output.endswith(root)
    outcome = world.vault.send(BOB, "claim", honest.fields(), epoch, _proof(world, paid, 2))
    refused(outcome, "Vault_ProofInvalid", epoch)
    accepted(world.vault.send(BOB, "claim", honest.fields(), epoch, proof))


def test_a_withdrawal_of_another_chain_or_vault_is_not_paid(world: World) -> None:
    paid = _withdrawals(world, 2)
    leaves = [
        paid[0].leaf(L2_CHAIN_ID + 1, world.vault.address),
        paid[1].leaf(L2_CHAIN_ID, world.usd.address),
    ]
    epoch = _confirmed_leaves(world, leaves)
    for index, withdrawal in enumerate(paid):
        proof = model.tree_proof(leaves, index, model.TREE_DEPTH)
        outcome = world.vault.send(BOB, "claim", withdrawal.fields(), epoch, proof)
        refused(outcome, "Vault_ProofInvalid", epoch)


def test_an_index_that_the_epoch_does_not_have_is_refused(world: World) -> None:
    paid = _withdrawals(world, 3)
    epoch = _confirmed(world, paid)
    for index in (3, 2**32 + 1, 2**64 - 1):
        outcome = world.vault.send(
            BOB, "claim", replace(paid[1], index=index).fields(), epoch, _proof(world, paid, 1)
        )
        refused(outcome, "Vault_WithdrawalBeyond", index, 3)
    accepted(_claim(world, paid, 2, epoch))


def test_nothing_is_paid_before_the_epoch_is_confirmed(world: World) -> None:
    paid = _withdrawals(world, 1)
    header = _header(_leaves(world, paid))
    epoch = world.seal()
    refused(_claim(world, paid, 0, epoch), "Rollup_EpochNotConfirmed", epoch)
    accepted(world.propose(epoch, GENESIS.root(), model.Commitment((header.root(),))))
    refused(_claim(world, paid, 0, epoch), "Rollup_EpochNotConfirmed", epoch)
    world.after(WINDOW_SECONDS)
    accepted(world.confirm(epoch, header))
    accepted(_claim(world, paid, 0, epoch))


def test_a_claim_proves_against_any_confirmed_epoch_but_is_paid_once(world: World) -> None:
    paid = _withdrawals(world, 6)
    first = _confirmed(world, paid[:4])
    second = _confirmed(world, paid)
    accepted(_claim(world, paid[:4], 0, first))
    refused(_claim(world, paid, 0, second), "Vault_AlreadyClaimed", 0)
    accepted(_claim(world, paid, 1, second))
    refused(_claim(world, paid[:4], 1, first), "Vault_AlreadyClaimed", 1)
    refused(_claim(world, paid, 5, first), "Vault_WithdrawalBeyond", 5, 4)
    accepted(_claim(world, paid, 5, second))


def test_the_spent_bitmap_keeps_neighbours_apart_over_word_borders(
    world: World, rng: Random
) -> None:
    paid = _withdrawals(world, 260)
    epoch = _confirmed(world, paid)
    order = [0, 1, 254, 255, 256, 257, 259]
    rng.shuffle(order)
    for index in order:
        accepted(_claim(world, paid, index, epoch))
    for index in range(260):
        if index in order or index in (2, 253, 258):
            assert world.vault.view("claimed", index) == (index in order), index


def test_a_claim_that_the_vault_cannot_pay_leaves_the_withdrawal_unspent(world: World) -> None:
    withdrawal = model.Withdrawal(0, address_of(ALICE), world.usd.address, 50, address_of(BOB))
    epoch = _confirmed(world, [withdrawal])
    refused(
        _claim(world, [withdrawal], 0, epoch), "ERC20InsufficientBalance", world.vault.address, 0
    )
    assert not world.vault.view("claimed", 0)
    accepted(world.deposit(ALICE, 50))
    accepted(_claim(world, [withdrawal], 0, epoch))


def test_a_claim_cannot_be_entered_again_from_the_token(world: World) -> None:
    token = _listed(world)
    accepted(token.send(ALICE, "mint", world.vault.address, 100))
    bob = address_of(BOB)
    paid = [model.Withdrawal(i, address_of(ALICE), token.address, 40, bob) for i in range(2)]
    epoch = _confirmed(world, paid)
    inner = world.vault.data("claim", paid[1].fields(), epoch, _proof(world, paid, 1))
    accepted(token.send(ALICE, "setHook", world.vault.address, inner))
    refused(_claim(world, paid, 0, epoch), "ReentrancyGuardReentrantCall")
    accepted(token.send(ALICE, "setHook", ZERO_ADDRESS, b""))
    accepted(_claim(world, paid, 0, epoch))


def test_a_vault_that_its_inbox_does_not_name_is_not_made(world: World) -> None:
    made = (world.inbox.address, world.rollup.address, address_of(TIMELOCK), L2_CHAIN_ID)
    vault, outcome = deploy(world.chain, "Vault", *made, [], [])
    refused(outcome, "Vault_InboxNamesAnother", vault.address, world.vault.address)


def test_a_vault_takes_as_many_units_as_tokens(world: World) -> None:
    usd = world.usd.address
    for units in ([], [1, 2], [UNIT_E9]):
        deployer = address_of(DEPLOYER)
        mine = created_address(deployer, world.chain.nonce(deployer) + 1)
        inbox, made = deploy(world.chain, "Inbox", inbox_config(mine))
        accepted(made)
        made_of = (inbox.address, world.rollup.address, address_of(TIMELOCK), L2_CHAIN_ID)
        vault, outcome = deploy(world.chain, "Vault", *made_of, [usd], units)
        if len(units) == 1:
            accepted(outcome)
            assert vault.view("unitE9Of", usd) == UNIT_E9
        else:
            refused(outcome, "Vault_ListsDiffer", 1, len(units))


def _hostile(world: World) -> Contract:
    token, outcome = deploy(world.chain, "HostileToken")
    accepted(outcome)
    return token


def _listed(world: World) -> Contract:
    token = _hostile(world)
    accepted(world.vault.send(TIMELOCK, "list", token.address, 1))
    return token


def _deposit(world: World, token: Contract, amount: int) -> Outcome:
    return world.vault.send(ALICE, "deposit", token.address, amount, address_of(ALICE), 0)


def _withdrawals(world: World, count: int) -> list[model.Withdrawal]:
    """Give `count` withdrawals to different recipients, and a vault that can pay them."""
    accepted(world.deposit(ALICE, 1_000_000))
    return [
        model.Withdrawal(
            index=index,
            account=address_of(ALICE),
            token=world.usd.address,
            amount=100 + index,
            recipient=(0xABC000 + index).to_bytes(20, "big"),
        )
        for index in range(count)
    ]


def _leaves(world: World, paid: list[model.Withdrawal]) -> list[bytes]:
    return [withdrawal.leaf(L2_CHAIN_ID, world.vault.address) for withdrawal in paid]


def _proof(world: World, paid: list[model.Withdrawal], index: int) -> list[bytes]:
    return model.tree_proof(_leaves(world, paid), index, model.TREE_DEPTH)


def _header(leaves: list[bytes]) -> model.Header:
    root = model.tree_root(leaves, model.TREE_DEPTH)
    return replace(GENESIS, withdrawals_root=root, withdrawals_count=len(leaves))


def _confirmed_leaves(world: World, leaves: list[bytes]) -> int:
    return world.confirmed(_header(leaves))


def _confirmed(world: World, paid: list[model.Withdrawal]) -> int:
    return _confirmed_leaves(world, _leaves(world, paid))


def _claim(world: World, paid: list[model.Withdrawal], index: int, epoch: int) -> Outcome:
    proof = _proof(world, paid, index)
    return world.vault.send(BOB, "claim", paid[index].fields(), epoch, proof)
