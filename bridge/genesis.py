"""
Genesis: the header and root from which every node starts (docs/formats.md §2).

In:    the version of the transition.
Out:   eight words, and the root over them.
"""

from __future__ import annotations

from bridge.records import Frontier
from state._native import EMPTY_STATE_ROOT, header_root

VERSION = 1


def genesis_header(version: int = VERSION) -> bytes:
    """Return the first header: everything zero but version, empty state, no withdrawals."""
    first = version.to_bytes(4, "little") + bytes(28)
    return first + EMPTY_STATE_ROOT + Frontier().root() + bytes(5 * 32)


def genesis_root(version: int = VERSION) -> bytes:
    """Return the first root."""
    return header_root(genesis_header(version))


def withdrawals_of(header: bytes) -> tuple[bytes, int]:
    """Return root and count of the withdrawals that a header names."""
    return header[64:96], int.from_bytes(header[96:104], "little")


def words_of(header: bytes) -> list[bytes]:
    """Return the eight words of a header."""
    return [header[at : at + 32] for at in range(0, len(header), 32)]
