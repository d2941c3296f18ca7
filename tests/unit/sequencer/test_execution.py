"""Execution: blocks and batches by rule, the same on replay from any stored position."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from sequencer import entries
from sequencer.chain import Chain
from sequencer.clock import ManualClock
from sequencer.entries import Entry, Opening
from sequencer.execution import Execution
from sequencer.finality import Finality
from sequencer.promises import Signer
from sequencer.sealing import Sealing
from sequencer.verifier import NativeVerifier
from state._native import MAX_BATCH_BYTES, Engine, VerifiedTx, receipts_root
from state.eip712 import CommitGroup, commit_group_digest
from state.store import Store
from state.tx import Operation, Place
from tests.law.native_traffic import CHAIN_ID, E9, INBOX, PRICES_E9, Traffic, key_of

TERM = 7


@dataclass
class Line:
    """What is between the journal and the store, on one folder."""

    engine: Engine
    store: Store
    chain: Chain
    execution: Execution
    sealing: Sealing
    verifier: NativeVerifier
    sealed: int = 0

    def run(self, seq: int, entry: Entry, skip: int | None = None) -> list[bytes]:
        verified = self.verifier.recover(entry.items)
        good = [each for each in verified if isinstance(each, VerifiedTx)]
        assert len(good) == len(entry.items)
        outcome = self.execution.run(seq, TERM, entry, list(good), skip)
        for sealed in outcome.sealed:
            self.sealing.commit_now(sealed)
            self.sealed += 1
        return outcome.receipts


def line(folder: Path) -> Line:
    store = Store.open(folder, chain_id=CHAIN_ID)
    engine = Engine(CHAIN_ID, INBOX)
    store.load_into(engine)
    chain = Chain(store)
    group = store.group_of(engine.next_seq - 1) if engine.next_seq else None
    key = key_of(99).secret
    signer = Signer(key, CHAIN_ID, INBOX, group.digest if group else bytes(32))
    execution = Execution(engine, chain, signer)
    sealing = Sealing(
        engine,
        store,
        chain,
        Finality(),
        ManualClock(),
        max_lag_ms=1,
        running_hash=lambda count: None,
    )
    return Line(
        engine, store, chain, execution, sealing, NativeVerifier(engine, CHAIN_ID, INBOX, 2)
    )


def traffic_entries(rng: random.Random, count: int, envelopes: int) -> list[Entry]:
    traffic = Traffic(rng)
    made = [Entry(Opening(traffic.time_ms, 0, []))]
    setup = traffic.setup()
    made[0].opening = Opening(traffic.time_ms, len(setup), setup)
    for number in range(count):
        traffic.time_ms += rng.randrange(0, 1_500)
        items: list[bytes] = [traffic.envelope() for _ in range(envelopes)]
        opening = None
        if rng.random() < 0.6 or number == 0:
            directs = [traffic.any_direct()] if rng.random() < 0.5 else []
            opening = Opening(traffic.time_ms, traffic.directs, directs)
        made.append(Entry(opening, [*items], rng.random() < 0.2))
    made.append(Entry(seals=True))
    return made


def big_envelopes(traffic: Traffic, count: int) -> list[bytes]:
    raws = []
    for number in range(count):
        operations: list[Operation] = [
            Place(0, False, PRICES_E9[0] + (i + 1) * E9, E9 // 1_000, client_id=number * 64 + i + 1)
            for i in range(64)
        ]
        raws.append(traffic.envelope(operations, account=number % 12))
    return raws


def test_an_entry_with_more_than_a_batch_makes_several_full_ones(
    tmp_path: Path, rng: random.Random
) -> None:
    traffic = Traffic(rng)
    setup = traffic.setup()
    raws = big_envelopes(traffic, 700)
    one = line(tmp_path)

    one.run(0, Entry(Opening(traffic.time_ms, len(setup), setup)))
    receipts = one.run(1, Entry(Opening(traffic.time_ms + 5, len(setup), []), [*raws], True))

    assert len(receipts) == len(raws)
    rows = one.store.batches(0)
    assert one.sealed == len(rows) >= 3
    assert all(row.size <= MAX_BATCH_BYTES for row in rows)
    assert all(row.size > MAX_BATCH_BYTES * 0.9 for row in rows[:-1])
    blocks = one.store.blocks(0)
    assert all(block.inputs <= 256 + len(setup) for block in blocks)
    assert sum(block.inputs for block in blocks) == len(raws) + len(setup)
    assert one.store.receipt(one.engine.next_seq - 1) is not None
    one.store.close()


def test_law_replay_from_any_batch_gives_the_same_chain(tmp_path: Path, rng: random.Random) -> None:
    """Stops after each entry in turn; what was not yet stored is run again from the journal."""
    made = traffic_entries(rng, 14, 90)
    made.insert(6, Entry(None, [], False))
    whole = line(tmp_path / "whole")
    for seq, entry in enumerate(made):
        whole.run(seq, entry)
    assert whole.engine.check_invariants() == []

    for stop in range(1, len(made), 3):
        folder = tmp_path / f"stop-{stop}"
        first = line(folder)
        for seq, entry in enumerate(made[:stop]):
            first.run(seq, entry)
        first.store.close()  # what is in memory is gone
        again = line(folder)
        head = again.store.head()
        begin, skip = entries.split_position(head.journal_position if head else 0)
        for seq, entry in enumerate(made[begin:], begin):
            again.run(seq, entry, skip)
            skip = None
        assert again.store.batches(0) == whole.store.batches(0)
        assert again.store.blocks(0) == whole.store.blocks(0)
        assert again.store.receipts(0, 10_000) == whole.store.receipts(0, 10_000)
        assert again.engine.header == whole.engine.header
        again.store.close()
    whole.store.close()


def test_replay_goes_on_inside_an_entry_that_was_cut_by_a_full_batch(
    tmp_path: Path, rng: random.Random
) -> None:
    traffic = Traffic(rng)
    setup = traffic.setup()
    raws = big_envelopes(traffic, 300)
    made = [
        Entry(Opening(traffic.time_ms, len(setup), setup)),
        Entry(Opening(traffic.time_ms + 5, len(setup), []), [*raws], False),
        Entry(seals=True),
    ]
    whole = line(tmp_path / "whole")
    for seq, entry in enumerate(made):
        whole.run(seq, entry)
    first = line(tmp_path / "cut")
    for seq, entry in enumerate(made[:2]):
        first.run(seq, entry)
    first.store.close()

    again = line(tmp_path / "cut")
    head = again.store.head()
    assert head is not None
    begin, skip = entries.split_position(head.journal_position)
    assert (begin, skip) == (1, head.next_seq - len(setup))
    for seq, entry in enumerate(made[begin:], begin):
        again.run(seq, entry, skip)
        skip = None

    assert again.store.batches(0) == whole.store.batches(0)
    assert again.store.receipts(0, 10_000) == whole.store.receipts(0, 10_000)
    for seq in range(again.engine.next_seq):
        assert again.store.group_of(seq) == whole.store.group_of(seq)
    again.store.close()
    whole.store.close()


def test_every_receipt_is_under_a_signed_chain_of_groups(
    tmp_path: Path, rng: random.Random
) -> None:
    one = line(tmp_path)
    for seq, entry in enumerate(traffic_entries(rng, 6, 30)):
        one.run(seq, entry)

    seq, previous = 0, bytes(32)
    while seq < one.engine.next_seq:
        row = one.store.group_of(seq)
        assert row is not None
        assert (row.first_seq, row.previous, row.term) == (seq, previous, TERM)
        receipts = one.chain.receipts(row.first_seq, row.count)
        assert row.receipts_root == receipts_root(receipts)
        group = CommitGroup(TERM, row.first_seq, row.count, row.receipts_root, previous)
        assert row.digest == commit_group_digest(group, CHAIN_ID, INBOX)
        seq, previous = seq + row.count, row.digest
    one.store.close()


def test_blocks_link_and_receipts_say_where_they_are(tmp_path: Path, rng: random.Random) -> None:
    one = line(tmp_path)
    for seq, entry in enumerate(traffic_entries(rng, 6, 30)):
        one.run(seq, entry)

    last = one.store.last_block()
    assert last is not None
    assert one.chain.head.number == last.number
    parent = one.chain.block(0)
    for number in range(1, last.number + 1):
        block = one.chain.block(number)
        assert block is not None
        assert parent is not None
        assert block.parent == parent.hash
        for index, digest in enumerate(block.input_hashes()):
            found = one.chain.find(digest)
            assert found is not None
            assert (found.block.number, found.index) == (number, index)
        parent = block
    one.store.close()


def test_an_entry_comes_back_from_its_bytes(rng: random.Random) -> None:
    report = entries.SignedReport(1, 2**63, 3, bytes(64))
    entry = Entry(Opening(5, 6, [b"direct"]), [b"raw", report], True)

    assert entries.decode(entries.encode(entry)) == entry
    assert entries.split_position(entries.position(9)) == (9, None)
    assert entries.split_position(entries.position(9, 0)) == (9, 0)
    assert entries.split_position(entries.position(9, 2_048)) == (9, 2_048)
