"""
Claims: what a validator does on L1 with what it knows.

In:    a replica, a wallet.
Out:   transactions: seal an epoch that is due, propose ours, confirm when the window is over;
       an alert for a claim that differs from ours.
Holds: commitments are compared, not roots. At most one transaction per kind is in flight. "Done
       already" by somebody else is success. Everything is read from L1 anew at each step, so that a
       restart needs no memory.
Not here: disputes, which come with a later version: a wrong claim blocks confirmation.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from bridge import metrics
from bridge.deployment import Deployment
from bridge.errors import BridgeError, ContractError, L1Error, L1UnreachableError
from bridge.genesis import words_of
from bridge.l1 import client
from bridge.l1.client import L1
from bridge.l1.contracts import call_request, decode_result, encode_call
from bridge.l1.wallet import Ticket, Wallet
from bridge.replica import Epoch, Replica

# Somebody else was faster, or L1's clock is a little behind: nothing to do.
_HARMLESS = {
    "Rollup_EpochNotOver",
    "Rollup_AlreadyProposed",
    "Rollup_EpochConfirmed",
    "Rollup_NotNext",
    "Rollup_WindowOpen",
}
# Epochs claimed in one step: after a long stop there may be many.
EPOCHS_PER_STEP = 8
UNCONFIRMED_MAX = 30
log = logging.getLogger("bridge.validator")


@dataclass(frozen=True, slots=True)
class RollupView:
    """The rollup contract at one moment."""

    time_s: int
    sealed: int
    confirmed: int
    last_seal_s: int


@dataclass(slots=True)
class Claimant:
    """Acts for one replica; without a wallet it only compares."""

    l1: L1
    deployment: Deployment
    wallet: Wallet | None
    _tickets: dict[str, Ticket] = field(default_factory=dict)
    _alerted: set[bytes] = field(default_factory=set)
    _proposed: set[int] = field(default_factory=set)

    async def step(self, replica: Replica) -> None:
        """Compare claims with ours, and do what is due."""
        self._alert_wrong(replica)
        view = await self.fetch_view()
        metrics.EPOCHS.labels("sealed").set(view.sealed)
        metrics.EPOCHS.labels("confirmed").set(view.confirmed)
        if self.wallet is None:
            return
        await self.wallet.tick()
        await self._collect()
        due = view.last_seal_s + self.deployment.epoch_s
        if view.time_s >= due and view.sealed - view.confirmed < UNCONFIRMED_MAX:
            await self._act("seal", encode_call("Rollup", "seal"))
        known = replica.epochs[view.confirmed : min(len(replica.epochs), view.sealed)]
        for epoch in known[:EPOCHS_PER_STEP]:
            # The next one builds on it: L1 must have seen it first.
            if not await self._claim(epoch, view):
                break

    async def fetch_view(self) -> RollupView:
        """Read the rollup contract."""
        rollup = self.deployment.rollup
        names = ("sealedCount", "confirmedCount", "lastSealAt")
        block, *values = await self.l1.request_many(
            [
                ("eth_getBlockByNumber", ["latest", False]),
                *(call_request("Rollup", rollup, name) for name in names),
            ]
        )
        head = client.read_block(block)
        if head is None:
            raise L1UnreachableError("L1 has no block yet")
        sealed, confirmed, last_seal_s = (
            decode_result("Rollup", name, client.to_bytes(value))
            for name, value in zip(names, values, strict=True)
        )
        return RollupView(head.time_s, sealed, confirmed, last_seal_s)

    async def _claim(self, epoch: Epoch, view: RollupView) -> bool:
        """Propose our commitment if L1 lacks it, confirm it in its time; tell whether it stands."""
        rollup, number, parent = self.deployment.rollup, epoch.epoch, epoch.parent_root
        claim, ours = await self.l1.request_many(
            [
                call_request("Rollup", rollup, "claimOf", number, parent),
                call_request("Rollup", rollup, "isProposed", number, parent, epoch.commitment),
            ]
        )
        started_s, claims, _, _ = decode_result("Rollup", "claimOf", client.to_bytes(claim))
        if not decode_result("Rollup", "isProposed", client.to_bytes(ours)):
            await self._act(f"propose {number}", self._proposal(epoch))
            return False
        if (
            number == view.confirmed
            and claims == 1
            and view.time_s >= started_s + self.deployment.window_s
        ):
            call = encode_call("Rollup", "confirm", number, words_of(epoch.header))
            await self._act(f"confirm {number}", call)
        return True

    def _proposal(self, epoch: Epoch) -> bytes:
        return encode_call(
            "Rollup",
            "propose",
            epoch.epoch,
            epoch.parent_root,
            epoch.commitment,
            epoch.last_leaf,
            list(epoch.proof),
            epoch.input_hash,
        )

    async def _act(self, what: str, call: bytes) -> None:
        """Send, unless the same is in flight; the estimate tells beforehand if it would fail."""
        assert self.wallet is not None
        if what in self._tickets:
            return
        try:
            action = what.partition(" ")[0]
            ticket = await self.wallet.send(self.deployment.rollup, call, action=action)
        except ContractError as error:
            self._heed(what, error)
        except L1Error as error:
            log.warning("claim.failed what=%s error=%s", what, error)
        else:
            self._tickets[what] = ticket

    async def _collect(self) -> None:
        assert self.wallet is not None
        for what, ticket in list(self._tickets.items()):
            if not ticket.receipt.done():
                continue
            del self._tickets[what]
            failure: Any = ticket.receipt.exception()
            if failure is None:
                receipt = ticket.receipt.result()
                if receipt.ok:
                    log.info("claim.landed what=%s l1_block=%d", what, receipt.block)
                    continue
                failure = await self.wallet.why_reverted(ticket, receipt)
            self._heed(what, failure)

    def _heed(self, what: str, error: Exception) -> None:
        if isinstance(error, ContractError) and error.name in _HARMLESS:
            log.debug("claim.not_needed what=%s because=%s", what, error)
        elif isinstance(error, BridgeError):
            log.warning("claim.failed what=%s error=%s", what, error)
        else:
            raise error

    def _alert_wrong(self, replica: Replica) -> None:
        for claim in replica.wrong_claims():
            name = claim.commitment + claim.parent_root + claim.epoch.to_bytes(8, "big")
            if name in self._alerted:
                continue
            self._alerted.add(name)
            metrics.WRONG_CLAIMS.inc()
            log.error(
                "claim.wrong epoch=%d commitment=0x%s ours=0x%s claimant=0x%s",
                claim.epoch,
                claim.commitment.hex(),
                replica.epochs[claim.epoch].commitment.hex(),
                claim.claimant.hex(),
            )
