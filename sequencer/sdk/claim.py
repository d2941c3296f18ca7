"""
Claim: the last step of a withdrawal, its payment on L1.

In:  a node (which withdrawals there were), an L1 (which epochs are confirmed), a key that pays gas.
Out: `Vault.claim` transactions with proofs.

Holds: nothing that the node says is trusted: a proof is checked against the root on L1 before it is
sent, and the vault checks it again. Anyone may claim; the recipient is paid.
"""

from __future__ import annotations

import asyncio
from typing import Any

from eth_abi.abi import decode
from eth_hash.auto import keccak

from bridge import withdrawals
from bridge.deployment import Deployment
from bridge.l1.client import L1, Receipt
from bridge.l1.wallet import Wallet
from bridge.withdrawals import ConfirmedEpoch
from sequencer.sdk.client import Client
from state.l1_records import Withdrawal, withdrawal_leaf
from state.tx import EXCHANGE

POLL_S = 0.5
_TOPIC = "0x" + keccak(b"Withdrawn(address,uint32,uint64,address,uint128,address,int128)").hex()
_FIELDS = ("uint32", "address", "uint128", "address", "int128")


class ClaimError(Exception):
    """A withdrawal cannot be claimed; the message says why."""


async def withdrawals_of(node: Client, deployment: Deployment) -> list[Withdrawal]:
    """All withdrawals so far, in the order of their indices."""
    query = {"address": "0x" + EXCHANGE.hex(), "topics": [_TOPIC], "fromBlock": "0x0"}
    logs = await node.call("eth_getLogs", {**query, "toBlock": "latest"})
    found = sorted((_withdrawal(log, deployment) for log in logs), key=lambda each: each.index)
    if [each.index for each in found] != list(range(len(found))):
        raise ClaimError("the node left out withdrawals: their indices have gaps")
    return found


async def claim_when_confirmed(
    l1: L1, wallet: Wallet, node: Client, deployment: Deployment, index: int, *, timeout_s: float
) -> Receipt:
    """Wait until the epoch of withdrawal `index` is confirmed, then have it paid."""
    async with asyncio.timeout(timeout_s):
        while True:
            confirmed = await withdrawals.fetch_confirmed_epoch(l1, deployment, index)
            if confirmed is not None:
                break
            await asyncio.sleep(POLL_S)
    known = await withdrawals_of(node, deployment)
    return await _claim(wallet, deployment, known, index, confirmed)


class Claimer:
    """Claims every withdrawal that is confirmed, for the devnet's users."""

    def __init__(self, l1: L1, wallet: Wallet, deployment: Deployment) -> None:
        self._l1 = l1
        self._wallet = wallet
        self._deployment = deployment
        self._next = 0

    async def claim_confirmed(self, node: Client) -> int:
        """Pay what is confirmed and unpaid; how many that were."""
        confirmed = await withdrawals.fetch_confirmed_epoch(self._l1, self._deployment, self._next)
        if confirmed is None:
            return 0
        known = await withdrawals_of(node, self._deployment)
        paid = 0
        while self._next < confirmed.withdrawals_count:
            if not await withdrawals.is_claimed(self._l1, self._deployment, self._next):
                await _claim(self._wallet, self._deployment, known, self._next, confirmed)
                paid += 1
            self._next += 1
        return paid


async def _claim(
    wallet: Wallet,
    deployment: Deployment,
    known: list[Withdrawal],
    index: int,
    confirmed: ConfirmedEpoch,
) -> Receipt:
    leaves = [withdrawal_leaf(each) for each in known]
    proof = withdrawals.prove(leaves, index, confirmed.withdrawals_count)
    return await withdrawals.claim(wallet, deployment, known[index], confirmed, proof)


def _withdrawal(log: dict[str, Any], deployment: Deployment) -> Withdrawal:
    _, owner, index = log["topics"]
    _, token, amount, recipient, _ = decode(_FIELDS, bytes.fromhex(log["data"][2:]))
    return Withdrawal(
        index=int(index, 16),
        chain_id=deployment.l2_chain_id,
        vault=deployment.vault,
        owner=bytes.fromhex(owner[26:]),
        token=bytes.fromhex(token[2:]),
        amount=amount,
        recipient=bytes.fromhex(recipient[2:]),
    )
