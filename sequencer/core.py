"""
Core: the state and what runs on it, as store and journal have it.

In:  store, journal.
Out: engine, chain, execution, sealing, finality, at the end of the journal.

If the journal says that batches cannot land, they are taken back first; then the entries behind the
stored state run through the same execution that made them. Batches come out again, byte for byte.

Holds: made anew after each reorganisation; what it was before is closed and forgotten.
Not here: when batches cannot land (`sequencer.displacement`), everything that talks (`app`).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bridge.deployment import Deployment
from sequencer import displacement, entries, logs
from sequencer.chain import Chain
from sequencer.clock import Clock
from sequencer.config import NodeConfig
from sequencer.entries import Entry
from sequencer.execution import Execution, Sealed
from sequencer.finality import Finality
from sequencer.journal import LocalJournal
from sequencer.ordering import Verified
from sequencer.promises import ZERO, Signer
from sequencer.sealing import Sealing
from sequencer.verifier import NativeVerifier
from state._native import Engine, Refusal, header_root
from state.store import Store

CONFIRMED = "confirmed_records"
log = logs.get("core")


class NodeError(Exception):
    """The node cannot start or go on; the message says what to do."""


class Core:
    """One life of the state, from loading to the next reorganisation."""

    def __init__(
        self,
        config: NodeConfig,
        deployment: Deployment,
        store: Store,
        journal: LocalJournal,
        clock: Clock,
        running_hash: Callable[[int], bytes | None],
    ) -> None:
        self._store = store
        self._journal = journal
        self.engine = Engine(deployment.l2_chain_id, deployment.inbox)
        genesis = self.engine.header
        if header_root(genesis) != deployment.genesis_root:
            raise NodeError(
                "the deployment's genesis root is not that of this program: deploy again, or use "
                "the version of the program that deployed it"
            )
        self._take_back(genesis)
        head = store.load_into(self.engine)
        self.chain = Chain(store)
        last_group = store.group_of(self.engine.next_seq - 1) if self.engine.next_seq else None
        self.signer = Signer(
            config.key("sequencer"),
            deployment.l2_chain_id,
            deployment.inbox,
            last_group.digest if last_group else ZERO,
        )
        self.execution = Execution(self.engine, self.chain, self.signer)
        self.verifier = NativeVerifier(
            self.engine, deployment.l2_chain_id, deployment.inbox, config.verify_threads
        )
        self.finality = _finality_of(store)
        self.sealing = Sealing(
            self.engine,
            store,
            self.chain,
            self.finality,
            clock,
            max_lag_ms=deployment.max_lag_s * 1_000,
            running_hash=running_hash,
        )
        self._replay(0 if head is None else head.journal_position)

    def close(self) -> None:
        """Wait for its threads: after this nothing of it uses the store."""
        self.verifier.close()
        self.sealing.close()

    def _take_back(self, genesis: bytes) -> None:
        """Take back what the journal says L1 will not have, if the store still has it."""
        head = self._store.head()
        found = displacement.newest(self._journal, 0 if head is None else head.journal_position)
        unfinished = displacement.pending(self._store)
        if found is None or (unfinished is not None and unfinished.seq == found.seq):
            return
        self._store.roll_back(
            found.reorg.record,
            entries.position(found.seq),
            (genesis, header_root(genesis)),
            **{displacement.PENDING: msgspec.msgpack.encode(found)},
        )
        log.warning("batches.taken_back", record=found.reorg.record)

    def _replay(self, position: int) -> None:
        """Run what the journal has behind the stored state."""
        first, skip = entries.split_position(position)
        count = 0
        for each in self._journal.read(first):
            for sealed in self._replay_one(each.seq, each.term, entries.decode(each.payload), skip):
                row = self.sealing.commit_now(sealed)
                self.finality.sealed(row.record, row.first_block + row.blocks - 1, row.t_first_ms)
            skip = None
            count += 1
        self.execution.close_block()
        if count:
            log.info("journal.replayed", entries=count, next_seq=self.engine.next_seq)

    def _replay_one(self, seq: int, term: int, entry: Entry, skip: int | None) -> list[Sealed]:
        if entry.reorg is not None:
            return list(self.execution.adopt(seq, term, entry.reorg.adopted, skip))
        verified: list[Verified] = []
        for input_ in self.verifier.recover(entry.items):
            if input_ is None or isinstance(input_, Refusal):
                raise NodeError(
                    f"entry {seq} of the journal has an input that is not valid: the journal is of "
                    "another chain, or damaged"
                )
            verified.append(input_)
        return self.execution.run(seq, term, entry, verified, skip).sealed


def _finality_of(store: Store) -> Finality:
    """Where an earlier run has seen confirmed batches end."""
    stored = store.meta(CONFIRMED)
    records = int.from_bytes(stored, "big") if stored else 0
    row = store.batch(records - 1) if records else None
    if row is None:
        return Finality()
    return Finality(records, row.first_block + row.blocks - 1)
