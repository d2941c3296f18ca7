"""Hashes of docs/formats.md §2 and §3 in Python, against the vectors that the contracts pass."""

from __future__ import annotations

import json
import random
from pathlib import Path

from bridge import records
from bridge.genesis import genesis_header, genesis_root
from bridge.records import Frontier
from state._native import Engine, header_root, keccak256
from state.l1_records import ZERO, Direct, RecordKind, RecordMeta, input_hash

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "l1_hashes.json").read_text())


def noise(size: int) -> bytes:
    return bytes((31 * i + 17 * (i >> 8) + 7) % 256 for i in range(size))


def test_page_roots_and_record_leaves_are_those_of_the_inbox() -> None:
    for row in VECTORS["pages"]:
        assert records.page_root(noise(row["bytes"])).hex() == row["root"]

    content = ZERO
    for row in VECTORS["records"]:
        meta = RecordMeta(
            RecordKind(row["kind"]), row["bytes"], row["t_first"], row["t_last"], row["direct_to"]
        )
        leaf = records.record_leaf(meta.encode(), noise(row["bytes"]))
        content = records.pair(content, leaf)

        assert RecordMeta.decode(meta.encode()) == meta
        assert leaf.hex() == row["leaf"]
        assert content.hex() == row["content"]


def test_direct_inputs_are_hashed_as_the_inbox_hashes_them() -> None:
    running = ZERO
    for row in VECTORS["directs"]:
        packed = Direct(
            row["kind"],
            bytes.fromhex(row["sender"]),
            row["index"],
            row["time_ms"],
            bytes.fromhex(row["data"]),
        ).encode()
        leaf = keccak256(packed)
        running = records.pair(running, leaf)

        assert leaf.hex() == row["leaf"]
        assert running.hex() == row["running_hash"]


def test_incremental_trees_and_input_hashes_are_those_of_the_contracts() -> None:
    roots = {row["count"]: row["root"] for row in VECTORS["incremental_trees"]}
    tree = Frontier()
    for index in range(min(max(roots), 300) + 1):
        if index in roots:
            assert tree.root().hex() == roots[index]
        tree = tree.append(keccak256(index.to_bytes(8, "big")))

    for row in VECTORS["input_hashes"]:
        assert (
            input_hash(
                bytes.fromhex(row["records_root"]),
                row["records_count"],
                bytes.fromhex(row["directs_root"]),
                row["directs_count"],
                row["version"],
            ).hex()
            == row["input_hash"]
        )


def test_header_roots_are_those_of_the_rollup() -> None:
    for row in VECTORS["headers"]:
        assert header_root(bytes.fromhex("".join(row["words"]))).hex() == row["root"]
    assert genesis_root() == header_root(genesis_header())
    assert genesis_root()[0] == 0
    assert genesis_header() == Engine(412_000, bytes(20)).header


def test_a_proof_of_any_leaf_leads_to_the_root_of_the_frontier(rng: random.Random) -> None:
    leaves = [rng.randbytes(32) for _ in range(rng.randint(1, 40))]
    tree = Frontier()
    for leaf in leaves:
        tree = tree.append(leaf)

    for index, leaf in enumerate(leaves):
        proof = records.tree_proof(leaves, index)
        assert records.climb(leaf, index, proof) == tree.root()
        assert records.climb(rng.randbytes(32), index, proof) != tree.root()
