"""Undo: taking batches back gives the very store that never had them; closing waits for readers."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import lmdb
import pytest

from state._native import Engine, header_root
from state.rows import GroupRow
from state.store import Store, StoreClosedError, UndoMissingError
from tests.law.native_traffic import CHAIN_ID, INBOX
from tests.unit.state.test_store import fill

WORD = bytes(32)


def genesis() -> tuple[bytes, bytes]:
    header = Engine(CHAIN_ID, INBOX).header
    return header, header_root(header)


def tables(store: Store) -> dict[str, list[tuple[bytes, bytes]]]:
    with store._read() as txn:
        return {name: list(txn.cursor(db=db)) for name, db in store._db.items()}


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_a_store_taken_back_is_the_one_that_never_had_the_batches(
    tmp_path: Path, rng: random.Random, kept: int
) -> None:
    seed = rng.random()
    with (
        Store.open(tmp_path / "a", chain_id=CHAIN_ID) as long,
        Store.open(tmp_path / "b", chain_id=CHAIN_ID) as short,
    ):
        _, head = fill(long, random.Random(seed), 4)
        before = short.head()
        if kept:
            _, before = fill(short, random.Random(seed), kept)
        next_seq = before.next_seq if before else 0
        receipt = bytes(24) + b"\7" * 32 + bytes(40)
        long.put_receipts([(next_seq, b"\7" * 32, receipt), (head.next_seq, b"\7" * 32, receipt)])
        long.put_groups([GroupRow(next_seq, 1, 1, WORD, WORD, WORD, WORD)])

        long.roll_back(kept, 77, genesis(), note=b"kept")

        left, right = tables(long), tables(short)
        # Blocks of `fill` share one hash, so the way to them by hash is that of the last one.
        for name in set(left) - {"meta", "block_index"}:
            assert left[name] == right[name], name
        assert long.meta("note") == b"kept"
        engine = Engine(CHAIN_ID, INBOX)
        found = long.load_into(engine)
        assert found is not None
        expected = before._replace(journal_position=77) if before else (*genesis(), 0, 1, 77)
        assert tuple(found) == tuple(expected)
        assert header_root(engine.header) == (before.root if before else genesis()[1])


def test_what_was_dropped_cannot_be_taken_back_and_nothing_changes(
    tmp_path: Path, rng: random.Random
) -> None:
    with Store.open(tmp_path / "a", chain_id=CHAIN_ID) as store:
        fill(store, rng, 3)
        store.drop_batch_data(2)
        before = tables(store)
        assert (store.can_roll_back(1), store.can_roll_back(2)) == (False, True)
        with pytest.raises(UndoMissingError):
            store.roll_back(1, 77, genesis())
        assert tables(store) == before


def test_closing_waits_for_who_reads_and_refuses_who_comes_later(tmp_path: Path) -> None:
    """LMDB closed under a transaction gives "closed/deleted/dropped object" wherever that runs."""
    store = Store.open(tmp_path / "a", chain_id=CHAIN_ID)
    errors: list[Exception] = []
    reads = 0

    def read() -> None:
        nonlocal reads
        while True:
            try:
                store.receipts(0, 10)
                store.put_meta("a", b"1")
                reads += 1
            except (lmdb.Error, StoreClosedError) as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    while reads < 50:
        time.sleep(0.005)
    store.close()
    for thread in threads:
        thread.join(10)
    assert [type(error) for error in errors] == [StoreClosedError] * 6
    with pytest.raises(StoreClosedError):
        store.head()
