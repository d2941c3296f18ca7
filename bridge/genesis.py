"""
Genesis: the header and root from which every node starts (docs/formats.md §2).

In:    the version of the transition.
Out:   eight words, and the root over them.
"""

from __future__ import annotations

from bridge.records import Frontier, pair
from state.tree import state_root

VERSION = 1


def genesis_header(version: int = VERSION) -> bytes:
    """Return the first header: everything zero but version, empty state, no withdrawals."""
    first = version.to_bytes(4, "little") + bytes(28)
    return first + state_root({}) + Frontier().root() + bytes(5 * 32)


def header_root(header: bytes) -> bytes:
    """Return the root over a header, with the tag of a live one."""
    words = [header[at : at + 32] for at in range(0, len(header), 32)]
    while len(words) > 1:
        words = [pair(words[at], words[at + 1]) for at in range(0, len(words), 2)]
    return b"\x00" + words[0][1:]


def genesis_root(version: int = VERSION) -> bytes:
    """Return the first root."""
    return header_root(genesis_header(version))


def withdrawals_of(header: bytes) -> tuple[bytes, int]:
    """Return root and count of the withdrawals that a header names."""
    return header[64:96], int.from_bytes(header[96:104], "little")
