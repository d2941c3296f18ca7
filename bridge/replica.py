"""
Replica: the state of the rollup, rebuilt from L1's events and nothing else.

In:    events of `derivation`, in order.
Out:   the root after each record, the commitment of each epoch, withdrawals with their leaves.
Holds: no clock, no disk, no network: equal events give an equal replica. After `Reorged` throw it
       away and begin anew.
Not here: fetching (`follower`), claiming (`claims`).
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.deployment import Deployment
from bridge.derivation import (
    AdvanceRecord,
    BatchRecord,
    Claimed,
    Confirmed,
    DirectInput,
    EpochSealed,
    L1Event,
    WithdrawalPaid,
)
from bridge.errors import DerivationError
from bridge.withdrawals import withdrawals_in
from state._native import Engine, commitment, header_root
from state.l1_records import RecordMeta, Withdrawal


@dataclass(frozen=True, slots=True)
class Epoch:
    """What we hold about a sealed epoch."""

    epoch: int
    parent_root: bytes
    commitment: bytes
    last_leaf: bytes
    proof: tuple[bytes, ...]
    header: bytes
    input_hash: bytes
    chunks: int
    records: int


class Replica:
    """The state after the events so far."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.engine = Engine(deployment.l2_chain_id, deployment.inbox)
        genesis = header_root(self.engine.header)
        if genesis != deployment.genesis_root:
            raise DerivationError(
                f"the deployment begins at 0x{deployment.genesis_root.hex()}, this program at "
                f"0x{genesis.hex()}: another version is needed"
            )
        self.roots: list[bytes] = []
        self.epochs: list[Epoch] = []
        self.claims: list[Claimed] = []
        self.withdrawals: list[Withdrawal] = []
        self.leaves: list[bytes] = []
        self.confirmed: Confirmed | None = None
        self.paid_units = 0
        self.inputs = 0
        self.bad_records = 0
        self._directs: dict[int, bytes] = {}

    @property
    def root(self) -> bytes:
        """Return the root after the last record."""
        return self.roots[-1] if self.roots else self.deployment.genesis_root

    @property
    def directs_waiting(self) -> int:
        """Return how many direct inputs no record has drained."""
        return len(self._directs)

    def apply(self, event: L1Event) -> None:
        """Take the next event. Records take long: call it off the event loop."""
        match event:
            case DirectInput():
                self._directs[event.index] = event.packed
            case BatchRecord() | AdvanceRecord():
                self._apply_record(event)
            case EpochSealed():
                self._end_epoch(event)
            case Claimed():
                self.claims.append(event)
            case Confirmed():
                self.confirmed = event
            case WithdrawalPaid():
                if event.token == self.deployment.token:
                    self.paid_units += event.amount
            case _:
                raise AssertionError(f"a replica cannot go back: {event}")

    def wrong_claims(self) -> list[Claimed]:
        """Return claims about epochs that we know, with another parent or commitment than ours."""
        return [
            claim
            for claim in self.claims
            if claim.epoch < len(self.epochs)
            and (claim.parent_root, claim.commitment)
            != (self.epochs[claim.epoch].parent_root, self.epochs[claim.epoch].commitment)
        ]

    def owed_e9(self) -> int:
        """Return what depositors and unpaid withdrawals can still ask of the vault, USD x 1e9."""
        paid_e9 = self.paid_units * self.deployment.token_unit_e9
        return self.engine.chain_view()["deposits_e9"] - paid_e9

    def _apply_record(self, event: BatchRecord | AdvanceRecord) -> None:
        if event.record != len(self.roots):
            raise DerivationError(f"record {event.record} came after {len(self.roots)} others")
        direct_to = RecordMeta.decode(event.meta).direct_to
        first = self.engine.direct_cursor
        directs = [self._directs.pop(index) for index in range(first, direct_to)]
        outcome = self.engine.apply_record(event.meta, event.data, directs)
        self.roots.append(outcome.root)
        self.inputs += outcome.inputs
        self.bad_records += outcome.bad is not None
        if outcome.withdrawals:
            self.leaves += outcome.withdrawals
            self.withdrawals += withdrawals_in(outcome.receipts, self.deployment)
            assert len(self.leaves) == len(self.withdrawals)

    def _end_epoch(self, event: EpochSealed) -> None:
        if event.epoch != len(self.epochs) or event.records != len(self.roots):
            raise DerivationError(
                f"epoch {event.epoch} with {event.records} records was sealed after "
                f"{len(self.epochs)} epochs and {len(self.roots)} records"
            )
        parent = self.epochs[-1].last_leaf if self.epochs else self.deployment.genesis_root
        # Without inputs the only chunk is the identity.
        chunks = self.engine.end_epoch() or [parent]
        assert header_root(self.engine.header) == chunks[-1]
        root, proof = commitment(chunks)
        self.epochs.append(
            Epoch(
                epoch=event.epoch,
                parent_root=parent,
                commitment=root,
                last_leaf=chunks[-1],
                proof=tuple(proof),
                header=self.engine.header,
                input_hash=event.input_hash,
                chunks=len(chunks),
                records=event.records,
            )
        )
