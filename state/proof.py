"""
Checking proofs: that a record is there, or is absent, under a root.

In: a root that the caller trusts, a place, words, siblings. Out: yes or no, never an exception on
bad input.
Holds: written apart from the code that makes proofs; depth is fixed by the kind, so a node is never
taken for a leaf.
Not here: making proofs (`state.tree`, the native module).
"""

from __future__ import annotations

from collections.abc import Sequence

from state.tree import KINDS, TOP_DEPTH, WORD, join, leaf

INCREMENTAL_DEPTH = 32


def climb(node: bytes, index: int, siblings: Sequence[bytes]) -> bytes:
    """Root that the siblings lead to."""
    for height, sibling in enumerate(siblings):
        node = join(sibling, node) if index >> height & 1 else join(node, sibling)
    return node


def verify_record(
    root: bytes, kind: int, index: int, words: bytes, siblings: Sequence[bytes]
) -> bool:
    """Whether the record has these words under the state root; no words means it is absent."""
    if not 0 <= kind < len(KINDS) or index < 0 or index >> KINDS[kind].depth:
        return False
    depth = KINDS[kind].depth
    if len(words) not in (0, KINDS[kind].words * WORD) or not _well_formed(
        siblings, depth + TOP_DEPTH
    ):
        return False
    kind_root = climb(leaf(kind, index, words), index, siblings[:depth])
    return climb(kind_root, kind, siblings[depth:]) == root


def verify_incremental(root: bytes, index: int, value: bytes, siblings: Sequence[bytes]) -> bool:
    """Whether leaf `index` of an incremental tree (records, directs, withdrawals) is `value`."""
    if not 0 <= index < 2**INCREMENTAL_DEPTH or not _well_formed(siblings, INCREMENTAL_DEPTH):
        return False
    return len(value) == WORD and climb(value, index, siblings) == root


def _well_formed(siblings: Sequence[bytes], count: int) -> bool:
    return len(siblings) == count and all(len(sibling) == WORD for sibling in siblings)
