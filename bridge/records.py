"""
Hashes of what is on L1 (docs/formats.md §3), fast enough for every batch: pages, records, trees.

In:    bytes.
Out:   leaves, roots, proofs.
Holds: pure; equal to the contracts' (`tests/vectors/l1_hashes.json`) and to the plain twin
       `state.l1_records`, which has the words that are hashed.
Not here: the body of a batch (`state`), reading L1 (`follower`).
"""

from __future__ import annotations

from dataclasses import dataclass

from state._native import keccak256
from state.l1_records import PAGE_BYTES, PAGE_DEPTH, ZERO

TREE_DEPTH = 32


def pair(left: bytes, right: bytes) -> bytes:
    """Return the hash of two words."""
    return keccak256(left + right)


def page_root(data: bytes) -> bytes:
    """Return the root over the pages of a batch."""
    assert 0 < len(data) <= PAGE_BYTES << PAGE_DEPTH
    padded = data + bytes(-len(data) % PAGE_BYTES)
    nodes = [keccak256(padded[at : at + PAGE_BYTES]) for at in range(0, len(padded), PAGE_BYTES)]
    missing = ZERO
    for _ in range(PAGE_DEPTH):
        if len(nodes) % 2:
            nodes.append(missing)
        nodes = [pair(nodes[at], nodes[at + 1]) for at in range(0, len(nodes), 2)]
        missing = pair(missing, missing)
    return nodes[0]


def record_leaf(meta: bytes, data: bytes) -> bytes:
    """Return the leaf of a record; an `advance` has no data."""
    return pair(meta, page_root(data) if data else ZERO)


@dataclass(frozen=True, slots=True)
class Frontier:
    """An incremental tree of depth 32: its count and the newest complete left node per height."""

    count: int = 0
    nodes: tuple[bytes, ...] = (ZERO,) * TREE_DEPTH

    def append(self, leaf: bytes) -> Frontier:
        """Return the tree with one leaf more."""
        nodes = list(self.nodes)
        size = self.count + 1
        height = 0
        node = leaf
        while size % 2 == 0:
            node = pair(nodes[height], node)
            size //= 2
            height += 1
        nodes[height] = node
        return Frontier(self.count + 1, tuple(nodes))

    def root(self) -> bytes:
        """Return the root; missing leaves are zero words."""
        node = missing = ZERO
        size = self.count
        for height in range(TREE_DEPTH):
            node = pair(self.nodes[height], node) if size % 2 else pair(node, missing)
            missing = pair(missing, missing)
            size //= 2
        return node


def tree_proof(leaves: list[bytes], index: int, depth: int = TREE_DEPTH) -> list[bytes]:
    """Return the siblings of leaf `index`, from the lowest level up."""
    assert 0 <= index < len(leaves)
    siblings: list[bytes] = []
    nodes, missing = list(leaves), ZERO
    for height in range(depth):
        if len(nodes) % 2:
            nodes.append(missing)
        other = (index >> height) ^ 1
        siblings.append(nodes[other] if other < len(nodes) else missing)
        nodes = [pair(nodes[at], nodes[at + 1]) for at in range(0, len(nodes), 2)]
        missing = pair(missing, missing)
    return siblings


def climb(leaf: bytes, index: int, siblings: list[bytes]) -> bytes:
    """Return the root to which siblings lead."""
    node = leaf
    for height, sibling in enumerate(siblings):
        node = pair(sibling, node) if (index >> height) & 1 else pair(node, sibling)
    return node
