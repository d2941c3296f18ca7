"""The sequencer's way and the way from L1 lead to the same state, header and receipts."""

import random
from dataclasses import replace

import pytest

from state._native import (
    EMPTY_STATE_ROOT,
    MAX_BATCH_BYTES,
    Engine,
    SealedBatch,
    VerifiedReport,
    VerifiedTx,
    header_root,
    verify_envelopes,
)
from state.batch import decode_batch, encode_body, encode_segment
from state.l1_records import RecordKind, RecordMeta, page_root, record_leaf
from state.receipt import decode_receipt
from state.tx import Cancel, CancelAll, CancelById, Operation, Place, Replace, Withdraw
from tests.law.native_traffic import CHAIN_ID, INBOX, TICK_MS, TOKEN, Traffic


class Run:
    """A sequencer's engine that is fed with random traffic, and what it sealed."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.traffic = Traffic(rng)
        self.engine = Engine(CHAIN_ID, INBOX)
        self.receipts: list[bytes] = []

    def block(self, first: bool) -> None:
        """One block, often without inputs or with direct inputs only."""
        traffic, rng = self.traffic, self.rng
        traffic.time_ms += rng.choice([0, 1, 250, TICK_MS, 3 * TICK_MS])
        directs = traffic.setup() if first else []
        directs += [traffic.any_direct() for _ in range(rng.choice([0, 0, 0, 1, 3]))]
        self.receipts += self.engine.open_block(traffic.time_ms, traffic.directs, directs).receipts
        if first or rng.random() < 0.3:
            self.execute(traffic.reports())
        for _ in range(rng.choice([0, 0, 1, 3])):
            self.execute(traffic.envelopes(rng.choice([1, 7, 30])))
        self.engine.close_block()

    def execute(self, inputs: list[VerifiedTx] | list[VerifiedReport]) -> None:
        assert set(self.engine.admit(inputs)) <= {0, 201}
        self.receipts += self.engine.execute(inputs).receipts

    def batch(self, first: bool) -> SealedBatch | None:
        for number in range(self.rng.randrange(1, 6)):
            self.block(first and number == 0)
        return self.engine.seal_batch()


@pytest.mark.parametrize("case", range(6))
def test_a_validator_gets_the_root_header_and_receipts_of_the_sequencer(
    case: int, rng: random.Random
) -> None:
    run = Run(rng)
    validator = Engine(CHAIN_ID, INBOX)
    sealed_count, trades = 0, 0
    while sealed_count < 6 or (trades == 0 and sealed_count < 60):
        start = len(run.receipts)
        sealed = run.batch(first=sealed_count == 0)
        if sealed is None:
            continue
        sealed_count += 1
        root, header = run.engine.commit(sealed)
        assert header[:32] == sealed.header[:32]
        assert header_root(header) == root
        cursor = validator.direct_cursor
        directs = run.traffic.packed[cursor : sealed.direct_to]
        outcome = validator.apply_record(sealed.meta, sealed.data, directs)
        assert outcome.bad is None
        assert outcome.header == header == run.engine.header
        assert outcome.root == root
        assert outcome.receipts == run.receipts[start:]
        assert outcome.next_seq == sealed.next_seq == run.engine.next_seq
        assert outcome.next_block == sealed.next_block == run.engine.next_block
        assert dict(outcome.records()) == dict(sealed.records())
        meta = RecordMeta.decode(sealed.meta)
        assert (meta.kind, meta.size_bytes) == (RecordKind.BATCH, len(sealed.data))
        assert sealed.page_root == page_root(sealed.data)
        assert sealed.record_leaf == record_leaf(meta, sealed.page_root)
        trades += outcome.stats()["trades"]
    assert trades > 0
    assert run.engine.check_invariants() == validator.check_invariants() == []
    assert run.engine.totals()["difference_e9"] == 0


def test_receipts_are_numbered_in_order_and_name_their_block(rng: random.Random) -> None:
    run = Run(rng)
    for number in range(8):
        run.block(first=number == 0)
    receipts = [decode_receipt(receipt) for receipt in run.receipts]
    assert [receipt.seq for receipt in receipts] == list(range(len(receipts)))
    places = [(receipt.block, receipt.index) for receipt in receipts]
    assert places == sorted(set(places))
    assert places[0] == (1, 0)
    for block in {block for block, _ in places}:
        count = sum(1 for place in places if place[0] == block)
        assert [index for number, index in places if number == block] == list(range(count))


def test_a_block_that_changes_nothing_is_taken_back(rng: random.Random) -> None:
    traffic = Traffic(rng)
    engine = Engine(CHAIN_ID, INBOX)
    traffic.start(engine)
    header, number = engine.header, engine.next_block
    engine.open_block(traffic.time_ms - 1, traffic.directs, [])
    assert engine.close_block() is None
    assert (engine.header, engine.next_block) == (header, number)
    engine.open_block(traffic.time_ms, traffic.directs, [])
    assert engine.close_block() is not None, "a tick ran in it"
    assert engine.next_block == number + 1


def test_chunk_roots_do_not_depend_on_the_batches_but_on_the_epoch(rng: random.Random) -> None:
    traffic = Traffic(rng)
    engine = Engine(CHAIN_ID, INBOX)
    directs = traffic.setup()
    engine.open_block(traffic.time_ms, traffic.directs, directs)
    engine.execute(traffic.reports())
    traffic.time_ms += TICK_MS
    records: list[SealedBatch] = []
    for _ in range(4):
        engine.close_block()
        engine.open_block(traffic.time_ms, traffic.directs, [])
        engine.execute(traffic.envelopes(120))
        sealed = engine.seal_batch()
        assert sealed is not None
        records.append(sealed)
        engine.commit(sealed)
        traffic.time_ms += TICK_MS
        engine.open_block(traffic.time_ms, traffic.directs, [])
    validator = Engine(CHAIN_ID, INBOX)
    inside: list[bytes] = []
    for sealed in records:
        given = directs if sealed.record == 0 else []
        inside += validator.apply_record(sealed.meta, sealed.data, given).chunk_roots
    roots = validator.end_epoch()
    assert len(roots) > len(records), "several chunks in a batch"
    assert roots[: len(inside)] == inside
    assert roots[-1] == header_root(validator.header)
    assert len(set(roots)) == len(roots)
    assert validator.end_epoch() == [roots[-1]], "an epoch without records is one identity chunk"


def test_an_advance_drains_direct_inputs_and_voids_the_book(rng: random.Random) -> None:
    traffic = Traffic(rng)
    engine = Engine(CHAIN_ID, INBOX)
    directs = traffic.setup()
    engine.open_block(traffic.time_ms, traffic.directs, directs)
    engine.execute(traffic.reports())
    engine.close_block()
    traffic.time_ms += TICK_MS
    engine.open_block(traffic.time_ms, traffic.directs, [])
    for _ in range(50):  # whatever the traffic, orders of both sides come to rest
        engine.execute(traffic.envelopes(5))
        bids, asks = engine.book(0, 1_000)
        if bids and asks:
            break
    assert bids and asks
    sealed = engine.seal_batch()
    assert sealed is not None
    engine.commit(sealed)
    late = [traffic.deposit(traffic.addresses[0], 5 * 10**9)]
    advance = RecordMeta(
        RecordKind.ADVANCE, 0, traffic.time_ms, traffic.time_ms, traffic.directs
    ).encode()
    outcome = engine.apply_record(advance, b"", late)
    assert engine.book(0, 1_000) == ([], [])
    assert [decode_receipt(receipt).applied for receipt in outcome.receipts] == [True]
    assert engine.direct_cursor == traffic.directs
    assert engine.check_invariants() == []


def test_the_encoded_batch_never_exceeds_its_limit_when_fits_is_asked(rng: random.Random) -> None:
    traffic = Traffic(rng, accounts=40)
    engine = Engine(CHAIN_ID, INBOX)
    traffic.start(engine)
    waiting = traffic.envelopes(1_500)
    room = engine.batch_room()
    while waiting and engine.batch_room():
        engine.open_block(traffic.time_ms, traffic.directs, [])
        count = engine.fits(waiting)
        if not count:
            break
        assert count <= 256
        engine.execute(waiting[:count])
        waiting = waiting[count:]
        engine.close_block()
        assert engine.batch_room() < room
        room = engine.batch_room()
    assert waiting, "1,500 envelopes are more than a batch holds"
    sealed = engine.seal_batch()
    assert sealed is not None
    assert MAX_BATCH_BYTES * 0.9 < len(sealed.data) <= MAX_BATCH_BYTES
    assert engine.batch_room() > MAX_BATCH_BYTES - 100


def extreme(rng: random.Random) -> Operation:
    """An operation with numbers of any length; it is refused, but encoded."""

    def number(bits: int) -> int:
        return rng.choice(
            [0, 1, 10 ** rng.randrange(18), rng.randrange(1 << bits), (1 << bits) - 1]
        )

    market = rng.choice([0, 1, (1 << 32) - 2])
    choices: list[Operation] = [
        Place(market, rng.random() < 0.5, number(64), number(64), client_id=number(64)),
        Replace(market, number(64), number(64), number(64)),
        Cancel(market, number(64)),
        CancelById(number(64)),
        CancelAll(rng.choice([None, 0, (1 << 32) - 2])),
        Withdraw(TOKEN, number(128), rng.randbytes(20)),
    ]
    return rng.choice(choices)


def test_no_block_is_longer_than_its_bound_said(rng: random.Random) -> None:
    traffic = Traffic(rng)
    engine = Engine(CHAIN_ID, INBOX)
    traffic.start(engine)
    # What a block takes beside its inputs: numbers at its head, its place in the directory.
    overhead = 2 * 25 - 3
    for _ in range(150):
        engine.open_block(traffic.time_ms, traffic.directs, [])
        raws = []
        for _ in range(rng.choice([1, 2, 8])):
            count = rng.choice([1, 2, 64])
            raws.append(traffic.envelope([extreme(rng) for _ in range(count)]))
        inputs: list[VerifiedTx | VerifiedReport] = [
            tx for tx in verify_envelopes(raws, CHAIN_ID) if isinstance(tx, VerifiedTx)
        ]
        assert len(inputs) == len(raws)
        inputs += traffic.reports() if rng.random() < 0.5 else []
        if engine.fits(inputs) < len(inputs):
            engine.seal_batch()
            traffic.time_ms += TICK_MS
            engine.open_block(traffic.time_ms, traffic.directs, [])
        engine.execute(inputs)
        bounded = engine.batch_room()
        engine.close_block()
        assert bounded - engine.batch_room() <= overhead
        traffic.time_ms += rng.choice([0, 1, 10**6])


def test_nonces_that_go_back_keep_within_the_bound(rng: random.Random) -> None:
    """They are refused, but encoded: as a distance that wraps."""
    traffic = Traffic(rng)
    engine = Engine(CHAIN_ID, INBOX)
    traffic.start(engine)
    engine.open_block(traffic.time_ms, traffic.directs, [])
    raws = []
    for number in range(60):
        traffic.nonces[0] = 60 - number
        raws.append(traffic.envelope([CancelAll()], account=0))
    inputs = [tx for tx in verify_envelopes(raws, CHAIN_ID) if isinstance(tx, VerifiedTx)]
    engine.execute(inputs)
    bounded = engine.batch_room()
    engine.close_block()
    assert bounded - engine.batch_room() <= 2 * 25 - 3


def test_what_no_block_holds_has_the_numbers_of_the_last_one_that_ran(rng: random.Random) -> None:
    traffic = Traffic(rng)
    engine = Engine(CHAIN_ID, INBOX)
    traffic.start(engine)
    traffic.time_ms += TICK_MS
    engine.open_block(traffic.time_ms, traffic.directs, [])
    engine.execute(traffic.envelopes(3))
    sealed = engine.seal_batch()
    assert sealed is not None
    # Its last block is out of its time; a deposit waits at the end of the record.
    given = [*traffic.packed, traffic.deposit(traffic.addresses[0], 5 * 10**9)]
    meta = replace(RecordMeta.decode(sealed.meta), t_last_ms=traffic.time_ms - 1)
    blocks = decode_batch(sealed.data, meta.t_first_ms, meta.direct_to)
    meta = replace(meta, direct_to=traffic.directs)
    data = encode_body([encode_segment(each, meta.t_first_ms, meta.direct_to) for each in blocks])
    meta = replace(meta, size_bytes=len(data))
    validator, restarted = Engine(CHAIN_ID, INBOX), Engine(CHAIN_ID, INBOX)
    outcome = validator.apply_record(meta.encode(), data, given)
    assert (outcome.bad, outcome.blocks) == ("segment 1 has a wrong time or direct_to", 1)
    assert decode_receipt(outcome.receipts[-1]).block == 1
    restarted.load_records([(key, words) for key, words in outcome.records() if words])
    restarted.load_header(outcome.header, outcome.next_seq, outcome.next_block)
    assert restarted.rebuild() == outcome.header[32:64]
    late = [traffic.deposit(traffic.addresses[1], 5 * 10**9)]
    advance = RecordMeta(
        RecordKind.ADVANCE, 0, traffic.time_ms, traffic.time_ms, traffic.directs
    ).encode()
    one, other = (each.apply_record(advance, b"", late) for each in (validator, restarted))
    assert one.receipts == other.receipts
    assert one.root == other.root


def test_the_tree_rebuilt_from_leaves_has_the_committed_root(rng: random.Random) -> None:
    run = Run(rng)
    leaves: dict[bytes, bytes] = {}
    header = b""
    for number in range(4):
        sealed = run.batch(first=number == 0)
        if sealed is not None:
            header = run.engine.commit(sealed)[1]
            leaves.update(sealed.records())
    other = Engine(CHAIN_ID, INBOX)
    assert other.rebuild() == EMPTY_STATE_ROOT
    other.load_records([(key, words) for key, words in leaves.items() if words])
    other.load_header(header, run.engine.next_seq, run.engine.next_block)
    assert other.rebuild() == header[32:64]
    assert other.header == header
    assert other.totals() == run.engine.totals()
