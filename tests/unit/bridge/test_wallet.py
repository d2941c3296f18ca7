"""Wallet: nonces, fees, resending, and what it makes of each answer."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import (
    ContractError,
    FundsError,
    L1UnreachableError,
    NonceGapError,
    NonceTakenError,
    TransactionError,
)
from bridge.l1 import client
from bridge.l1.contracts import encode_call
from bridge.l1.devnet.accounts import account
from bridge.l1.signing import floor_gas, intrinsic_gas
from bridge.l1.wallet import GWEI, Wallet, WalletOptions
from tests.l1 import STRANGER, USER, TestL1, deployed

PLAIN: dict[str, Any] = {"action": "test", "gas": 21_000}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wallet(l1: TestL1, clock: Clock, tmp_path: Path) -> Wallet:
    return l1.wallet(USER, clock=clock, folder=tmp_path / "pending")


async def test_many_in_flight_land_in_order_with_dense_nonces(l1: TestL1, wallet: Wallet) -> None:
    await l1.hold()
    tickets = [await wallet.send(STRANGER.address, b"", **PLAIN) for _ in range(10)]
    assert [ticket.nonce for ticket in tickets] == list(range(10))
    await l1.mine()
    await wallet.tick()

    receipts = [ticket.receipt.result() for ticket in tickets]
    assert all(receipt.ok for receipt in receipts)
    assert wallet.in_flight == []


async def test_gas_is_never_below_the_calldata_floor(l1: TestL1, wallet: Wallet) -> None:
    data = b"\xff" * 2_000
    assert floor_gas(data) > intrinsic_gas(data)

    ticket = await wallet.send(STRANGER.address, data, action="test", gas=intrinsic_gas(data))
    await wallet.wait(ticket)

    assert ticket.fields.gas == floor_gas(data) == 21_000 + 40 * 2_000
    assert await wallet.estimate(STRANGER.address, data) >= floor_gas(data)


async def test_a_stuck_transaction_pays_more_after_48_seconds_up_to_the_ceiling(
    l1: TestL1, clock: Clock
) -> None:
    options = WalletOptions(max_fee_ceiling_wei=4 * GWEI, resend_s=1e9)
    wallet = l1.wallet(USER, clock=clock, options=options)
    await l1.hold()
    ticket = await wallet.send(STRANGER.address, b"", **PLAIN)
    first = ticket.fields.max_fee_wei

    clock.now_s += 47
    await wallet.tick()
    assert ticket.fields.max_fee_wei == first
    clock.now_s += 2
    await wallet.tick()
    assert ticket.fields.max_fee_wei == first * 110 // 100 + 1
    assert len(ticket.hashes) == 2
    for _ in range(10):
        clock.now_s += 49
        await wallet.tick()
    assert first < ticket.fields.max_fee_wei <= 4 * GWEI
    assert ticket.alerted
    pool = await l1.request("txpool_status", [])
    assert pool["pending"] == "0x1"

    await l1.mine()
    await wallet.tick()
    assert ticket.receipt.result().tx_hash == ticket.hashes[-1]


async def test_what_l1_forgot_is_offered_again(l1: TestL1, wallet: Wallet, clock: Clock) -> None:
    await l1.hold()
    snapshot = await l1.snapshot()
    ticket = await wallet.send(STRANGER.address, b"", **PLAIN)
    # The pool is lost, as when a node restarts.
    await l1.revert(snapshot)
    await l1.mine()
    await wallet.tick()
    assert not ticket.receipt.done()

    clock.now_s += 4
    await wallet.tick()
    await l1.mine()
    await wallet.tick()

    assert ticket.receipt.result().ok
    assert len(ticket.hashes) == 1


async def test_a_restart_goes_on_with_what_was_in_flight(
    l1: TestL1, wallet: Wallet, tmp_path: Path
) -> None:
    await l1.hold()
    sent = [await wallet.send(STRANGER.address, bytes([i]), action="a", gas=30_000) for i in (1, 2)]
    # One of them was mined while nobody looked.
    again = l1.wallet(USER, folder=tmp_path / "pending")
    taken = await again.start()
    assert [ticket.fields for ticket in taken] == [ticket.fields for ticket in sent]

    third = await again.send(STRANGER.address, b"\x03", action="a", gas=30_000)
    await again.tick()
    await l1.mine()
    await again.tick()

    assert third.nonce == 2
    assert [t.receipt.result().tx_hash for t in taken] == [t.hashes[0] for t in sent]
    assert await client.fetch_nonce(l1, USER.address) == 3
    assert list((tmp_path / "pending").iterdir()) == []


async def test_a_nonce_that_a_stranger_used_is_told_apart(l1: TestL1, wallet: Wallet) -> None:
    await l1.hold()
    ticket = await wallet.send(STRANGER.address, b"", **PLAIN)
    other = l1.wallet(USER, options=WalletOptions(tip_wei=3 * GWEI))
    other._next_nonce = 0  # the same key in another process, which has not seen the first
    other._tickets = {}
    await l1.stop()
    await l1.start()
    await other.send_and_wait(STRANGER.address, b"\x01", action="test", gas=30_000)

    await wallet.tick()

    with pytest.raises(NonceTakenError, match="same key used twice"):
        ticket.receipt.result()


async def test_nonces_that_l1_lost_fail_those_after_them(l1: TestL1, wallet: Wallet) -> None:
    snapshot = await l1.snapshot()
    await wallet.send_and_wait(STRANGER.address, b"", **PLAIN)
    await l1.hold()
    ticket = await wallet.send(STRANGER.address, b"", **PLAIN)
    await l1.revert(snapshot)
    await l1.mine()

    for _ in range(4):
        await wallet.tick()

    with pytest.raises(NonceGapError):
        ticket.receipt.result()
    await l1.release()
    receipt = await wallet.send_and_wait(STRANGER.address, b"", **PLAIN)
    assert receipt.ok


async def test_a_key_without_money_is_an_alert_and_not_a_loop(
    l1: TestL1, caplog: pytest.LogCaptureFixture
) -> None:
    poor = l1.wallet(account(50))
    with caplog.at_level(logging.ERROR):
        ticket = await poor.send(STRANGER.address, b"", **PLAIN)

    with pytest.raises(FundsError):
        ticket.receipt.result()
    assert "cannot pay" in caplog.text
    assert poor.in_flight == []


async def test_a_revert_is_known_before_sending_and_named_after_it(
    l1: TestL1, wallet: Wallet
) -> None:
    deployment = await deployed(l1)
    call = encode_call("Inbox", "rotatePoster", USER.address)

    with pytest.raises(ContractError, match="Inbox_NotOperator"):
        await wallet.send(deployment.inbox, call, action="rotate")
    assert await client.fetch_nonce(l1, USER.address) == 0
    with pytest.raises(ContractError, match="Inbox_NotOperator"):
        await wallet.send_and_wait(deployment.inbox, call, action="rotate", gas=100_000)
    assert await client.fetch_nonce(l1, USER.address) == 1


async def test_an_l1_that_is_down_loses_nothing(l1: TestL1, wallet: Wallet, clock: Clock) -> None:
    await l1.hold()
    ticket = await wallet.send(STRANGER.address, b"", **PLAIN)
    await l1.stop()
    with pytest.raises(L1UnreachableError):
        await wallet.tick()
    with pytest.raises(TransactionError):
        clock.now_s += 1
        waiting = asyncio.create_task(wallet.wait(ticket, timeout_s=5))
        await asyncio.sleep(0.2)
        clock.now_s += 10
        await waiting

    await l1.start()
    clock.now_s += 4
    receipt = await wallet.wait(ticket)

    assert receipt.ok
    assert ticket.nonce == 0
