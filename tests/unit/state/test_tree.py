"""The slow tree in Python: against the vectors that Rust wrote, and against itself."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from state.proof import climb, verify_incremental, verify_record
from state.tree import (
    KINDS,
    ZERO,
    empty,
    join,
    leaf,
    state_proof,
    state_root,
    tree_proof,
    tree_root,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "tree.json").read_text())


def test_the_empty_state_has_the_root_that_rust_has() -> None:
    assert state_root({}).hex() == VECTORS["empty"]


def test_roots_and_proofs_of_every_round_are_those_of_rust() -> None:
    records: dict[tuple[int, int], bytes] = {}
    for each in VECTORS["rounds"]:
        records |= {(kind, index): bytes.fromhex(words) for kind, index, words in each["records"]}
        root = state_root(records)
        assert root.hex() == each["root"]
        for kind, index, siblings in each["proofs"]:
            path = [bytes.fromhex(sibling) for sibling in siblings]
            assert state_proof(records, kind, index) == path
            assert verify_record(root, kind, index, records[kind, index], path)


def test_a_record_of_zero_words_is_the_same_as_none() -> None:
    assert state_root({(5, 1): bytes(256)}) == state_root({})
    assert leaf(5, 1, b"") == ZERO


def test_a_proof_of_absence_fails_for_a_record_that_is_there() -> None:
    records = {(1, 7): b"\x01" * 64, (6, 2**36 - 1): b"\x02" * 64}
    root = state_root(records)
    for kind, index in [(1, 8), (6, 0), (12, 0), (6, 2**36 - 2)]:
        path = state_proof(records, kind, index)
        assert verify_record(root, kind, index, b"", path)
        assert not verify_record(root, kind, index, b"\x01" * 32 * KINDS[kind].words, path)
    for (kind, index), words in records.items():
        path = state_proof(records, kind, index)
        assert verify_record(root, kind, index, words, path)
        assert not verify_record(root, kind, index, b"", path)


def test_malformed_proofs_are_refused_without_an_exception() -> None:
    records = {(1, 7): b"\x01" * 64}
    root = state_root(records)
    path = state_proof(records, 1, 7)
    words = records[1, 7]
    assert not verify_record(root, 1, 7, words, path[:-1])
    assert not verify_record(root, 1, 7, words, [*path, ZERO])
    assert not verify_record(root, 1, 7, words, [path[0][:31], *path[1:]])
    assert not verify_record(root, 1, 7, words[:63], path)
    assert not verify_record(root, 14, 7, words, path)
    assert not verify_record(root, 1, 7 + 2**24, words, path)
    assert not verify_record(root, 1, -1, words, path)


def test_a_place_outside_its_tree_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"kind 0 \(chain\) has no index 1"):
        leaf(0, 1, bytes(256))
    with pytest.raises(ValueError, match="has 2 words"):
        leaf(1, 1, b"\x01" * 32)


def test_leaves_of_an_incremental_tree_are_proven_at_their_own_place_only() -> None:
    seed = 20240808
    print("seed", seed)
    numbers = random.Random(seed)
    leaves = {index: numbers.randbytes(32) for index in range(9)}
    root = tree_root(leaves, 32)
    for index, value in leaves.items():
        path = tree_proof(leaves, 32, index)
        assert verify_incremental(root, index, value, path)
        assert not verify_incremental(root, index ^ 1, value, path)
    assert verify_incremental(root, 9, ZERO, tree_proof(leaves, 32, 9))
    assert not verify_incremental(root, 2**32, ZERO, tree_proof(leaves, 32, 9))


def test_empty_trees_double() -> None:
    assert [empty(0), empty(1), empty(2)] == [
        ZERO,
        join(ZERO, ZERO),
        climb(ZERO, 3, [ZERO, empty(1)]),
    ]
