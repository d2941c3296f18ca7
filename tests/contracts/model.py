"""
The L1 hashes of docs/formats.md §2 and §3 in plain Python, written from the page.

In:    values. Out: hashes. Holds: nothing.
Not here: anything of the contracts; tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils.crypto import keccak

ZERO = bytes(32)
PAGE_BYTES = 1_024
PAGE_DEPTH = 7
TREE_DEPTH = 32
COMMITMENT_DEPTH = 21


def pair(left: bytes, right: bytes) -> bytes:
    return keccak(left + right)


def empties(depth: int) -> list[bytes]:
    """Give the roots of empty trees of depth 0 to `depth`."""
    roots = [ZERO]
    for _ in range(depth):
        roots.append(pair(roots[-1], roots[-1]))
    return roots


def tree_root(leaves: Sequence[bytes], depth: int) -> bytes:
    """Give the root of a tree of `depth` whose missing leaves are zero words."""
    empty = empties(depth)
    level = list(leaves)
    for height in range(depth):
        if len(level) % 2:
            level.append(empty[height])
        level = [pair(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0] if level else empty[depth]


def tree_proof(leaves: Sequence[bytes], index: int, depth: int) -> list[bytes]:
    """Give the siblings of leaf `index`, from the lowest level up."""
    empty = empties(depth)
    level = list(leaves)
    proof = []
    for height in range(depth):
        if len(level) % 2:
            level.append(empty[height])
        proof.append(level[index ^ 1])
        level = [pair(level[i], level[i + 1]) for i in range(0, len(level), 2)]
        index //= 2
    return proof


def page_root(data: bytes) -> bytes:
    pages = [data[at : at + PAGE_BYTES] for at in range(0, len(data), PAGE_BYTES)]
    return tree_root([keccak(page.ljust(PAGE_BYTES, b"\0")) for page in pages], PAGE_DEPTH)


def record_leaf(
    kind: int, length: int, t_first: int, t_last: int, direct_to: int, pages: bytes
) -> bytes:
    meta = bytearray(32)
    meta[0] = kind
    meta[4:8] = length.to_bytes(4, "big")
    meta[8:16] = t_first.to_bytes(8, "big")
    meta[16:24] = t_last.to_bytes(8, "big")
    meta[24:32] = direct_to.to_bytes(8, "big")
    return pair(bytes(meta), pages)


def chain_hash(leaves: Sequence[bytes]) -> bytes:
    """Give the running hash over leaves: the content chain and the direct chain."""
    running = ZERO
    for leaf in leaves:
        running = pair(running, leaf)
    return running


def direct_leaf(kind: int, sender: bytes, index: int, time_ms: int, data: bytes) -> bytes:
    head = bytes([kind]) + sender + index.to_bytes(8, "big") + time_ms.to_bytes(8, "big")
    return keccak(head + data)


def deposit_data(account: bytes, subaccount: int, token: bytes, amount_e9: int) -> bytes:
    return account + subaccount.to_bytes(4, "big") + token + amount_e9.to_bytes(16, "big")


def input_hash(
    records_root: bytes, records: int, directs_root: bytes, directs: int, version: int
) -> bytes:
    return keccak(
        records_root
        + records.to_bytes(8, "big")
        + directs_root
        + directs.to_bytes(8, "big")
        + version.to_bytes(4, "big")
    )


@dataclass(frozen=True)
class Withdrawal:
    index: int
    account: bytes
    token: bytes
    amount: int
    recipient: bytes

    def leaf(self, chain_id: int, vault: bytes) -> bytes:
        words = [
            self.index.to_bytes(32, "big"),
            chain_id.to_bytes(32, "big"),
            vault.rjust(32, b"\0"),
            self.account.rjust(32, b"\0"),
            self.token.rjust(32, b"\0"),
            self.amount.to_bytes(32, "big"),
            self.recipient.rjust(32, b"\0"),
            ZERO,
        ]
        return tree_root(words, 3)

    def fields(self) -> tuple[int, bytes, bytes, int, bytes]:
        return (self.index, self.account, self.token, self.amount, self.recipient)


@dataclass(frozen=True)
class Header:
    """The header of the chunk loop, as far as these tests vary it."""

    state_root: bytes
    withdrawals_root: bytes
    withdrawals_count: int
    version: int = 1
    time_ms: int = 0
    direct_cursor: int = 0
    record: int = 0

    def words(self) -> list[bytes]:
        word0 = self.version.to_bytes(4, "little") + bytes(12) + self.time_ms.to_bytes(8, "little")
        word3 = self.withdrawals_count.to_bytes(8, "little")
        word3 += self.direct_cursor.to_bytes(8, "little")
        word4 = self.record.to_bytes(8, "little")
        filled = [word0, self.state_root, self.withdrawals_root, word3, word4]
        return [word.ljust(32, b"\0") for word in filled] + [ZERO] * 3

    def root(self) -> bytes:
        return b"\0" + tree_root(self.words(), 3)[1:]


@dataclass(frozen=True)
class Commitment:
    """A commitment over chunk roots: the last root repeats to leaf 2^21 - 1."""

    roots: tuple[bytes, ...]

    @property
    def last_leaf(self) -> bytes:
        return self.roots[-1]

    def root(self) -> bytes:
        return self._walk()[0]

    def last_proof(self) -> list[bytes]:
        return self._walk()[1]

    def _walk(self) -> tuple[bytes, list[bytes]]:
        level = list(self.roots)
        filler = self.roots[-1]
        proof = []
        for height in range(COMMITMENT_DEPTH):
            if len(level) % 2:
                level.append(filler)
            # The left half holds all that is written; every lower sibling is only the last root.
            proof.append(level[0] if height == COMMITMENT_DEPTH - 1 else filler)
            level = [pair(level[i], level[i + 1]) for i in range(0, len(level), 2)]
            filler = pair(filler, filler)
        assert len(level) == 1, "this model takes at most 2^20 chunk roots"
        return level[0], proof
