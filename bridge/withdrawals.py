"""
Money in and out on L1: deposits, proofs of withdrawals, claims.

In:    receipts that the transition gave, leaves of the withdrawals tree, a wallet.
Out:   `Withdrawal`s, proofs against a confirmed epoch, transactions to the vault.
Holds: a proof is checked here before anything is sent.
Not here: which epochs are confirmed by whom (`validator`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.deployment import Deployment
from bridge.errors import BridgeError
from bridge.l1.client import L1, Receipt
from bridge.l1.contracts import call, decode_event, encode_call, event_topic
from bridge.l1.wallet import Wallet
from bridge.records import climb
from state._native import withdrawal_proof
from state.l1_records import Withdrawal, withdrawal_leaf
from state.receipt import Withdrawn, decode_receipt


@dataclass(frozen=True, slots=True)
class ConfirmedEpoch:
    """A confirmed epoch and the withdrawals tree after it."""

    epoch: int
    withdrawals_root: bytes
    withdrawals_count: int


def withdrawals_in(receipts: Sequence[bytes], deployment: Deployment) -> list[Withdrawal]:
    """Return the withdrawals that receipts tell of, in their order."""
    return [
        Withdrawal(
            index=event.index,
            chain_id=deployment.l2_chain_id,
            vault=deployment.vault,
            owner=event.owner,
            token=event.token,
            amount=event.amount,
            recipient=event.recipient,
        )
        for receipt in receipts
        for _, event in decode_receipt(receipt).events
        if isinstance(event, Withdrawn)
    ]


def prove(leaves: Sequence[bytes], index: int, count: int) -> list[bytes]:
    """
    Return the siblings of a withdrawal under the tree of the first `count` leaves.

    Parameters
    ----------
    leaves :
        Leaves of all withdrawals from the first, at least `count`.
    """
    if not index < count <= len(leaves):
        raise BridgeError(
            f"withdrawal {index} is not among the {count} of that epoch ({len(leaves)} are known)"
        )
    return withdrawal_proof(list(leaves[:count]), index)


async def fetch_confirmed_epoch(
    l1: L1, deployment: Deployment, index: int
) -> ConfirmedEpoch | None:
    """Return the newest confirmed epoch if it holds withdrawal `index`; None while it does not."""
    confirmed = await call(l1, "Rollup", deployment.rollup, "confirmedCount")
    if confirmed == 0:
        return None
    root, count = await call(l1, "Rollup", deployment.rollup, "withdrawals", confirmed - 1)
    return ConfirmedEpoch(confirmed - 1, root, count) if index < count else None


async def is_claimed(l1: L1, deployment: Deployment, index: int) -> bool:
    """Tell whether the vault has paid withdrawal `index`."""
    return bool(await call(l1, "Vault", deployment.vault, "claimed", index))


def claim_call(withdrawal: Withdrawal, epoch: int, proof: Sequence[bytes]) -> bytes:
    """Return the calldata of a claim."""
    fields = (
        withdrawal.index,
        withdrawal.owner,
        withdrawal.token,
        withdrawal.amount,
        withdrawal.recipient,
    )
    return encode_call("Vault", "claim", fields, epoch, list(proof))


async def claim(
    wallet: Wallet,
    deployment: Deployment,
    withdrawal: Withdrawal,
    confirmed: ConfirmedEpoch,
    proof: Sequence[bytes],
) -> Receipt:
    """Have the vault pay a withdrawal; anybody may, the recipient gets it."""
    root = climb(withdrawal_leaf(withdrawal), withdrawal.index, list(proof))
    if root != confirmed.withdrawals_root:
        raise BridgeError(
            f"the proof of withdrawal {withdrawal.index} does not lead to the root of epoch "
            f"{confirmed.epoch}: it belongs to another count of withdrawals"
        )
    data = claim_call(withdrawal, confirmed.epoch, proof)
    return await wallet.send_and_wait(deployment.vault, data, action="claim")


async def mint_test_usd(wallet: Wallet, deployment: Deployment, amount: int) -> Receipt:
    """Mint test dollars to the wallet's owner; only the devnet's token lets anybody."""
    data = encode_call("TestUSD", "mint", wallet.address, amount)
    return await wallet.send_and_wait(deployment.token, data, action="mint")


async def deposit(
    wallet: Wallet,
    deployment: Deployment,
    amount: int,
    *,
    account: bytes | None = None,
    subaccount: int = 0,
) -> int:
    """Deposit token units for `account`, by default the wallet's owner; return the direct index."""
    approve = encode_call("TestUSD", "approve", deployment.vault, amount)
    await wallet.send_and_wait(deployment.token, approve, action="approve")
    owner = account or wallet.address
    data = encode_call("Vault", "deposit", deployment.token, amount, owner, subaccount)
    receipt = await wallet.send_and_wait(deployment.vault, data, action="deposit")
    topic = event_topic("Inbox", "DirectInput")
    log = next(log for log in receipt.logs if log.topics[0] == topic)
    found = decode_event("Inbox", log)
    assert found is not None
    return int(found[1]["index"])


async def fetch_vault_balance(l1: L1, deployment: Deployment) -> int:
    """Return the token units that the vault holds."""
    vault = deployment.vault
    return int(await call(l1, "TestUSD", deployment.token, "balanceOf", vault))
