"""The store: what is written is read back, and a damaged state is refused."""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest
from msgspec.structs import replace

from state._native import Engine
from state.rows import BatchRow, BlockRow, GroupRow
from state.store import (
    Head,
    L1Cursor,
    StateDamagedError,
    StateRootMismatchError,
    Store,
    StoreChainError,
    StoreFullError,
    StoreLockedError,
    StoreVersionError,
)
from tests.law.native_traffic import CHAIN_ID, INBOX, TICK_MS, Traffic


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path, chain_id=CHAIN_ID) as opened:
        yield opened


def batch_row(record: int) -> BatchRow:
    word = record.to_bytes(32)
    return BatchRow(record, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, word, word, word, word, word, word * 8)


def fill(store: Store, rng: random.Random, batches: int = 3) -> tuple[Engine, Head]:
    """Run some batches on an engine and store each; the engine, and what was stored last."""
    traffic, engine = Traffic(rng), Engine(CHAIN_ID, INBOX)
    traffic.start(engine)
    head: Head | None = None
    for number in range(batches):
        engine.open_block(traffic.time_ms, traffic.directs, [])
        engine.execute(traffic.envelopes(60))
        sealed = engine.seal_batch()
        assert sealed is not None
        root, header = engine.commit(sealed)
        store.commit_batch(
            records=sealed.records(),
            header=header,
            root=root,
            next_seq=sealed.next_seq,
            next_block=sealed.next_block,
            journal_position=1_000 + number,
            batch=batch_row(sealed.record),
            data=sealed.data,
            blocks=[BlockRow(sealed.first_block, b"\x01" * 32, 1, sealed.record, 0, 60)],
        )
        head = Head(header, root, sealed.next_seq, sealed.next_block, 1_000 + number)
        traffic.time_ms += TICK_MS
    assert head is not None
    return engine, head


def change_leaf(path: Path, key: bytes, words: bytes | None) -> None:
    """Write into the file behind the store's back."""
    env = lmdb.open(str(path), max_dbs=16, map_size=1 << 30)
    with env.begin(write=True, db=env.open_db(b"leaves")) as txn:
        if words is None:
            assert txn.delete(key)
        else:
            assert txn.put(key, words)
    env.close()


def leaves_of(path: Path) -> list[tuple[bytes, bytes]]:
    env = lmdb.open(str(path), max_dbs=16, map_size=1 << 30)
    with env.begin(db=env.open_db(b"leaves")) as txn:
        rows = list(txn.cursor())
    env.close()
    return rows


# --- the state ---


def test_a_new_store_holds_the_genesis_state(store: Store) -> None:
    engine = Engine(CHAIN_ID, INBOX)
    before = engine.header
    assert store.head() is None
    assert store.load_into(engine) is None
    assert engine.header == before


def test_a_stored_state_is_loaded_with_its_root_and_its_numbers(
    path: Path, rng: random.Random
) -> None:
    with Store.open(path, chain_id=CHAIN_ID) as store:
        engine, head = fill(store, rng)
    steps: list[tuple[int, int]] = []
    other = Engine(CHAIN_ID, INBOX)
    with Store.open(path, chain_id=CHAIN_ID) as store:
        assert store.load_into(other, lambda done, total: steps.append((done, total))) == head
    assert steps
    assert steps[-1][0] == steps[-1][1] > 100
    assert other.header == engine.header == head.header
    assert (other.next_seq, other.next_block) == (engine.next_seq, engine.next_block)
    assert other.totals() == engine.totals()
    assert other.check_invariants() == []


def test_an_engine_that_was_loaded_goes_on_like_the_one_that_was_not(
    store: Store, rng: random.Random
) -> None:
    engine, _ = fill(store, rng)
    other = Engine(CHAIN_ID, INBOX)
    store.load_into(other)
    traffic = Traffic(random.Random(1))
    traffic.time_ms = engine.time_ms + TICK_MS
    traffic.nonces = [
        int.from_bytes(engine.record(1, engine.account_index(address))[24:32], "little")
        for address in traffic.addresses
    ]
    cursor, txs = engine.direct_cursor, traffic.envelopes(50)
    ends = []
    for each in (engine, other):
        each.open_block(traffic.time_ms, cursor, [])
        receipts = each.execute(txs).receipts
        sealed = each.seal_batch()
        assert sealed is not None
        ends.append((receipts, sealed.data, each.commit(sealed)))
    assert ends[0] == ends[1]


def test_one_flipped_bit_in_any_kind_of_leaf_is_refused(path: Path, rng: random.Random) -> None:
    with Store.open(path, chain_id=CHAIN_ID) as store:
        fill(store, rng)
    rows = leaves_of(path)
    kinds = {key[:2]: (key, words) for key, words in rows}
    assert len(kinds) >= 10
    for key, words in kinds.values():
        place = rng.randrange(len(words))
        changed = bytearray(words)
        changed[place] ^= 1 << rng.randrange(8)
        change_leaf(path, key, bytes(changed))
        with Store.open(path, chain_id=CHAIN_ID) as store, pytest.raises(StateDamagedError):
            store.load_into(Engine(CHAIN_ID, INBOX))
        change_leaf(path, key, words)
    with Store.open(path, chain_id=CHAIN_ID) as store:
        assert store.load_into(Engine(CHAIN_ID, INBOX)) is not None


def test_a_wrong_root_names_both_roots_and_what_to_do(path: Path, rng: random.Random) -> None:
    with Store.open(path, chain_id=CHAIN_ID) as store:
        _, head = fill(store, rng)
    change_leaf(path, rng.choice(leaves_of(path))[0], None)
    with (
        Store.open(path, chain_id=CHAIN_ID) as store,
        pytest.raises(StateRootMismatchError) as caught,
    ):
        store.load_into(Engine(CHAIN_ID, INBOX))
    error = caught.value
    assert error.stored == head.header[32:64] != error.computed
    for part in (str(path), error.stored.hex(), error.computed.hex(), "backup", "L1"):
        assert part in str(error)


def test_a_header_that_is_not_of_its_root_is_not_written_or_loaded(
    path: Path, rng: random.Random
) -> None:
    with Store.open(path, chain_id=CHAIN_ID) as store:
        _, head = fill(store, rng)
        with pytest.raises(ValueError, match="root"):
            store.commit_batch(
                records=[],
                header=head.header,
                root=bytes(32),
                next_seq=0,
                next_block=1,
                journal_position=0,
            )
        assert store.head() == head
    env = lmdb.open(str(path), max_dbs=16, map_size=1 << 30)
    with env.begin(write=True, db=env.open_db(b"meta")) as txn:
        txn.put(b"root", bytes(32))
    env.close()
    with (
        Store.open(path, chain_id=CHAIN_ID) as store,
        pytest.raises(StateDamagedError, match="header"),
    ):
        store.load_into(Engine(CHAIN_ID, INBOX))


def test_records_that_became_absent_leave_the_store(store: Store, rng: random.Random) -> None:
    engine, head = fill(store, rng, batches=1)
    words = {"header": head.header, "root": head.root}
    key = b"\x00\x06" + (12_345).to_bytes(8)
    rest = {"next_seq": 1, "next_block": 1, "journal_position": 0}
    store.commit_batch(records=[(key, bytes(64))], **words, **rest)  # type: ignore[arg-type]
    assert store._get("leaves", key) == bytes(64)
    store.commit_batch(records=[(key, b"")], **words, **rest)  # type: ignore[arg-type]
    assert store._get("leaves", key) is None
    assert store.load_into(Engine(CHAIN_ID, INBOX)) is not None
    assert engine.header == head.header


# --- rows ---


def test_batches_blocks_and_data_are_read_back(store: Store, rng: random.Random) -> None:
    fill(store, rng)
    assert [row.record for row in store.batches(0)] == [0, 1, 2]
    assert [row.record for row in store.batches(1, limit=1)] == [1]
    assert store.last_batch() == store.batch(2) == batch_row(2)
    assert store.batch(3) is None
    assert store.journal_position(1) == 1_001
    assert store.journal_position(9) is None
    assert store.batch_data(0)
    assert store.drop_batch_data(2) == 2
    assert [bool(store.batch_data(record)) for record in range(3)] == [False, False, True]
    landed = replace(batch_row(1), l1_block=9, l1_tx=b"\x07" * 32)
    store.update_batch(landed)
    assert store.batch(1) == landed
    last = store.last_block()
    assert last is not None
    assert store.block(last.number) == last
    assert store.block_by_hash(last.hash) == last
    assert store.block_by_hash(bytes(32)) is None
    assert store.blocks(last.number + 1) == []
    assert store.blocks(0)[-1] == last


def test_receipts_are_found_by_number_and_by_hash(store: Store, rng: random.Random) -> None:
    rows = [(seq, rng.randbytes(32), rng.randbytes(90)) for seq in range(3_000)]
    store.put_receipts(rows)
    store.put_receipts(rows[:10])
    for seq, digest, receipt in rng.sample(rows, 50):
        assert store.receipt(seq) == store.receipt_by_hash(digest) == receipt
        assert store.seq_by_hash(digest) == seq
    assert store.receipts(2_990) == [(seq, receipt) for seq, _, receipt in rows[2_990:]]
    assert store.receipts(0, limit=2) == [(seq, receipt) for seq, _, receipt in rows[:2]]
    assert store.receipt(3_000) is None
    assert store.receipt_by_hash(bytes(32)) is None
    assert store.seq_by_hash(bytes(32)) is None


def test_the_group_of_a_receipt_is_found(store: Store) -> None:
    word = bytes(32)
    groups = [GroupRow(first, 5, 1, word, word, word, bytes(64)) for first in (0, 5, 20)]
    assert store.group_of(0) is None
    store.put_groups(groups)
    found = [store.group_of(seq) for seq in (0, 4, 5, 9, 10, 19, 20, 24, 25)]
    first, second, third = groups
    assert found == [first, first, second, second, None, None, third, third, None]


def test_cursors_and_small_values_survive(path: Path) -> None:
    with Store.open(path, chain_id=CHAIN_ID) as store:
        assert store.l1_cursor() is None
        assert store.meta("pending") is None
        store.set_l1_cursor(77, b"\x05" * 32)
        store.put_meta("pending", b"abc")
    with Store.open(path, chain_id=CHAIN_ID, read_only=True) as store:
        assert store.l1_cursor() == L1Cursor(77, b"\x05" * 32)
        assert store.meta("pending") == b"abc"


# --- opening and growing ---


def test_a_second_writer_is_refused_and_told_who_has_it(path: Path) -> None:
    code = (
        "import sys; from state.store import Store\n"
        f"store = Store.open({str(path)!r}, chain_id={CHAIN_ID})\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(StoreLockedError, match=str(holder.pid)):
            Store.open(path, chain_id=CHAIN_ID)
        with Store.open(path, chain_id=CHAIN_ID, read_only=True) as reader:
            assert reader.head() is None
        holder.kill()
    Store.open(path, chain_id=CHAIN_ID).close()


def test_other_chains_and_versions_are_refused_by_name(path: Path) -> None:
    Store.open(path, chain_id=CHAIN_ID).close()
    with pytest.raises(StoreChainError, match=f"chain {CHAIN_ID}, not to 5"):
        Store.open(path, chain_id=5)
    env = lmdb.open(str(path), max_dbs=16, map_size=1 << 30)
    with env.begin(write=True, db=env.open_db(b"meta")) as txn:
        txn.put(b"schema_version", (9).to_bytes(8))
    env.close()
    with pytest.raises(StoreVersionError, match="schema version 9"):
        Store.open(path, chain_id=CHAIN_ID)


def test_a_folder_without_a_store_is_not_opened_for_reading(path: Path) -> None:
    path.mkdir()
    lmdb.open(str(path), max_dbs=16).close()
    with pytest.raises(StoreVersionError, match="no Novation store"):
        Store.open(path, chain_id=CHAIN_ID, read_only=True)


def test_the_map_grows_while_others_read_and_stops_at_its_limit(path: Path) -> None:
    size = 1 << 20
    rows = [(seq, seq.to_bytes(32), bytes(1_000)) for seq in range(500)]
    with Store.open(path, chain_id=CHAIN_ID, map_size=size, map_size_max=8 * size) as store:
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                store.receipts(0, limit=10)

        reader = threading.Thread(target=read)
        reader.start()
        written = 0
        try:
            with pytest.raises(StoreFullError, match="map_size_max"):
                for start in range(0, 100_000, 500):
                    store.put_receipts([(start + seq, *rest) for seq, *rest in rows])
                    written += 500
        finally:
            stop.set()
            reader.join()
        assert 3_000 < written < 20_000
        assert store.size_bytes() > 4 * size
        assert store.receipt(written - 1) == bytes(1_000)
        assert store.receipt(written) is None, "the write that did not fit left no trace"
    with Store.open(path, chain_id=CHAIN_ID, map_size=size) as store:
        assert store.receipt(written - 1) == bytes(1_000)
