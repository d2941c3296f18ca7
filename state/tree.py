"""
The state tree, plainly: the slow twin of `state/stf/src/tree.rs`.

In: records as bytes by kind and index. Out: the state root, siblings of a leaf.
Holds: written from docs/formats.md §1 alone; nothing is kept between calls.
Not here: checking a proof (`state.proof`), what the words of a record mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from eth_utils.crypto import keccak

WORD = 32
ZERO = bytes(WORD)
TOP_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record: depth of its tree, words of a record."""

    name: str
    depth: int
    words: int


KINDS: tuple[Kind, ...] = (
    Kind("chain", 0, 8),
    Kind("account", 24, 2),
    Kind("address_node", 24, 1),
    Kind("subaccount", 28, 8),
    Kind("position", 33, 2),
    Kind("market", 12, 8),
    Kind("order", 36, 2),
    Kind("level", 36, 1),
    Kind("ticks", 30, 1),
    Kind("client_ids", 30, 16),
    Kind("reporter", 5, 1),
    Kind("report", 17, 1),
    Kind("withdrawals", 0, 32),
    Kind("taker", 0, 4),
)

Records = Mapping[tuple[int, int], bytes]
"""Words of each record by (kind, index); empty or all zero means absent."""


def join(left: bytes, right: bytes) -> bytes:
    """The one hash of state: keccak256 of two words."""
    return keccak(left + right)


@cache
def empty(height: int) -> bytes:
    """Root of a tree of zero words."""
    return ZERO if height == 0 else join(empty(height - 1), empty(height - 1))


def levels(leaves: Mapping[int, bytes], depth: int) -> list[dict[int, bytes]]:
    """The nodes that are not empty, from the leaves up to the root."""
    nodes = {index: leaf for index, leaf in leaves.items() if leaf != ZERO}
    result = [nodes]
    for height in range(depth):
        absent = empty(height)
        nodes = {
            parent: join(nodes.get(2 * parent, absent), nodes.get(2 * parent + 1, absent))
            for parent in sorted({index >> 1 for index in nodes})
        }
        result.append(nodes)
    return result


def tree_root(leaves: Mapping[int, bytes], depth: int) -> bytes:
    """Root of a tree in which whatever is missing is the zero word."""
    return levels(leaves, depth)[depth].get(0, empty(depth))


def tree_proof(leaves: Mapping[int, bytes], depth: int, index: int) -> list[bytes]:
    """Siblings of a leaf, lowest first; the leaf need not be there."""
    return [
        nodes.get(index >> height ^ 1, empty(height))
        for height, nodes in enumerate(levels(leaves, depth)[:depth])
    ]


def record_root(words: bytes) -> bytes:
    """Tree over the words of one record."""
    cells = {at: words[at * WORD : (at + 1) * WORD] for at in range(len(words) // WORD)}
    return tree_root(cells, (len(cells) - 1).bit_length())


def leaf(kind: int, index: int, words: bytes) -> bytes:
    """Leaf of one record; the zero word if it is absent."""
    shape = KINDS[kind]
    if index >> shape.depth:
        raise ValueError(
            f"kind {kind} ({shape.name}) has no index {index}: its depth is {shape.depth}"
        )
    if not any(words):
        return ZERO
    if len(words) != shape.words * WORD:
        raise ValueError(f"a record of kind {kind} ({shape.name}) has {shape.words} words")
    key = kind.to_bytes(2, "little") + bytes(6) + index.to_bytes(8, "little") + bytes(16)
    return join(key, record_root(words))


def state_root(records: Records) -> bytes:
    """Root over all records."""
    return tree_root(_kind_roots(records), TOP_DEPTH)


def state_proof(records: Records, kind: int, index: int) -> list[bytes]:
    """Siblings of a record's leaf: those in its kind, then five of the top tree."""
    below = tree_proof(_leaves(records, kind), KINDS[kind].depth, index)
    return below + tree_proof(_kind_roots(records), TOP_DEPTH, kind)


def _leaves(records: Records, kind: int) -> dict[int, bytes]:
    return {index: leaf(k, index, words) for (k, index), words in records.items() if k == kind}


def _kind_roots(records: Records) -> dict[int, bytes]:
    return {
        kind: tree_root(_leaves(records, kind), shape.depth) for kind, shape in enumerate(KINDS)
    }
