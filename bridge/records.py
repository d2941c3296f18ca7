"""
Hashes of what is on L1 (docs/formats.md §3): pages, records, direct inputs, epochs.

In:    bytes and numbers.
Out:   leaves, running hashes, roots.
Holds: pure; equal to the contracts' (`tests/vectors/l1_hashes.json`).
Not here: the body of a batch (`state`), reading L1 (`follower`).
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_hash.auto import keccak

ZERO = bytes(32)
KIND_BATCH = 1
KIND_ADVANCE = 2
PAGE_BYTES = 1_024
PAGE_DEPTH = 7
TREE_DEPTH = 32
BATCH_BYTES_MAX = 117_956


@dataclass(frozen=True, slots=True)
class Meta:
    """The meta word of a record."""

    kind: int
    size_bytes: int
    t_first_ms: int
    t_last_ms: int
    direct_to: int

    def encode(self) -> bytes:
        """Return the word."""
        return (
            self.kind.to_bytes(4, "little")
            + self.size_bytes.to_bytes(4, "big")
            + self.t_first_ms.to_bytes(8, "big")
            + self.t_last_ms.to_bytes(8, "big")
            + self.direct_to.to_bytes(8, "big")
        )

    @staticmethod
    def decode(word: bytes) -> Meta:
        """Read the word."""
        assert len(word) == len(ZERO)
        return Meta(
            kind=word[0],
            size_bytes=int.from_bytes(word[4:8], "big"),
            t_first_ms=int.from_bytes(word[8:16], "big"),
            t_last_ms=int.from_bytes(word[16:24], "big"),
            direct_to=int.from_bytes(word[24:32], "big"),
        )


def pair(left: bytes, right: bytes) -> bytes:
    """Return the hash of two words."""
    return bytes(keccak(left + right))


def page_root(data: bytes) -> bytes:
    """Return the root over the pages of a batch."""
    assert 0 < len(data) <= PAGE_BYTES << PAGE_DEPTH
    padded = data + bytes(-len(data) % PAGE_BYTES)
    nodes = [
        bytes(keccak(padded[at : at + PAGE_BYTES])) for at in range(0, len(padded), PAGE_BYTES)
    ]
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


def pack_direct(kind: int, sender: bytes, index: int, time_ms: int, data: bytes) -> bytes:
    """Return a direct input as it is hashed and given to the transition."""
    return bytes([kind]) + sender + index.to_bytes(8, "big") + time_ms.to_bytes(8, "big") + data


def input_hash(
    records_root: bytes, records: int, directs_root: bytes, directs: int, version: int
) -> bytes:
    """Return what an epoch is about."""
    return bytes(
        keccak(
            records_root
            + records.to_bytes(8, "big")
            + directs_root
            + directs.to_bytes(8, "big")
            + version.to_bytes(4, "big")
        )
    )


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
