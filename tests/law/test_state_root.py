"""Law: one state, one root: native incremental, native from all records, Python from the format."""

from __future__ import annotations

import random

from state import _native
from state.proof import verify_record
from state.tree import KINDS, Records, state_root
from tests.conftest import SEED
from tests.twins.world import CHAIN_ID, INBOX, World


def records_of(rows: dict[bytes, bytes]) -> Records:
    return {
        (int.from_bytes(key[:2]), int.from_bytes(key[2:])): words for key, words in rows.items()
    }


def test_the_native_root_is_that_of_python_and_of_a_rebuild_after_every_batch() -> None:
    print("seed", SEED)
    world = World(SEED)
    for envelopes in (0, 6, 10):
        world.batch(blocks=2, envelopes=envelopes)
        root = world.engine.header[32:64]
        assert state_root(records_of(world.rows)) == root
        other = _native.Engine(CHAIN_ID, INBOX)
        other.load_records(list(world.rows.items()))
        assert other.rebuild() == root


def test_native_proofs_of_presence_and_absence_hold_for_the_python_verifier() -> None:
    print("seed", SEED)
    world = World(SEED)
    world.batch(blocks=2, envelopes=8)
    root, records = world.engine.header[32:64], records_of(world.rows)
    for (kind, index), words in records.items():
        siblings = world.engine.proof(kind, index)
        assert verify_record(root, kind, index, words, siblings)
        assert not verify_record(root, kind, index, b"", siblings)
    numbers = random.Random(SEED)
    for kind, shape in enumerate(KINDS):
        index = numbers.randrange(2**shape.depth)
        if (kind, index) not in records:
            assert verify_record(root, kind, index, b"", world.engine.proof(kind, index))
