"""
L1 records: what the contracts hash, once more in plain Python.

In:  batches, direct inputs, withdrawals, counts, chunk roots.
Out: the hashes of docs/formats.md §2 and §3, written from that page.

Holds: big-endian, because Ethereum looks; trees by `state.tree`.
Not here: the state tree, the body of a batch (`state.batch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from eth_hash.auto import keccak

from state.tree import join, tree_root

ZERO = bytes(32)
PAGE_BYTES = 1_024
PAGE_DEPTH = 7
BATCH_BYTES_MAX = 117_956
COMMITMENT_DEPTH = 21
_WORD_BYTES = 32
_META = 4 + 4 + 8 + 8 + 8
_DIRECT_HEAD_BYTES = 1 + 20 + 8 + 8


class RecordKind(IntEnum):
    """What the Inbox appended."""

    BATCH = 1
    ADVANCE = 2


class DirectKind(IntEnum):
    """What a direct input asks for."""

    DEPOSIT = 1
    WITHDRAW = 2
    CANCEL_ALL = 3
    CLOSE = 4
    REVOKE_KEY = 5
    REPORT = 6
    GOVERN = 7


@dataclass(frozen=True, slots=True)
class RecordMeta:
    """The meta word of a record; an advance has no data and one time."""

    kind: RecordKind
    size_bytes: int
    t_first_ms: int
    t_last_ms: int
    direct_to: int

    def encode(self) -> bytes:
        """The word."""
        word = (
            bytes([self.kind, 0, 0, 0])
            + self.size_bytes.to_bytes(4, "big")
            + self.t_first_ms.to_bytes(8, "big")
            + self.t_last_ms.to_bytes(8, "big")
            + self.direct_to.to_bytes(8, "big")
        )
        assert len(word) == _META
        return word

    @staticmethod
    def decode(word: bytes) -> RecordMeta:
        """Read a word that `encode` wrote."""
        if len(word) != _WORD_BYTES or word[1:4] != bytes(3):
            raise ValueError(f"not the meta word of a record: {word.hex()}")
        return RecordMeta(
            RecordKind(word[0]),
            int.from_bytes(word[4:8]),
            int.from_bytes(word[8:16]),
            int.from_bytes(word[16:24]),
            int.from_bytes(word[24:32]),
        )


@dataclass(frozen=True, slots=True)
class Direct:
    """A direct input, as the Inbox hashed it."""

    kind: int
    sender: bytes
    index: int
    time_ms: int
    data: bytes

    def encode(self) -> bytes:
        """The preimage of its leaf."""
        return (
            bytes([self.kind])
            + self.sender
            + self.index.to_bytes(8, "big")
            + self.time_ms.to_bytes(8, "big")
            + self.data
        )

    @staticmethod
    def decode(preimage: bytes) -> Direct:
        """Open the preimage of a leaf."""
        if len(preimage) < _DIRECT_HEAD_BYTES:
            raise ValueError(f"a direct input has at least 37 bytes, not {len(preimage)}")
        return Direct(
            preimage[0],
            preimage[1:21],
            int.from_bytes(preimage[21:29]),
            int.from_bytes(preimage[29:37]),
            preimage[37:],
        )


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What may be claimed on L1 once its epoch is confirmed."""

    index: int
    chain_id: int
    vault: bytes
    owner: bytes
    token: bytes
    amount: int
    recipient: bytes


def page_hashes(data: bytes) -> list[bytes]:
    """The hash of each page of 1,024 bytes, the last padded with zeros."""
    starts = range(0, len(data), PAGE_BYTES)
    return [keccak(data[at : at + PAGE_BYTES].ljust(PAGE_BYTES, b"\0")) for at in starts]


def page_root(data: bytes) -> bytes:
    """The root over the pages of a batch's data."""
    return _root(page_hashes(data), PAGE_DEPTH)


def record_leaf(meta: RecordMeta, pages_root: bytes = ZERO) -> bytes:
    """The leaf of a record; an advance has the zero word for pages."""
    return join(meta.encode(), pages_root)


def next_content(content: bytes, leaf: bytes) -> bytes:
    """The content chain after one more record."""
    return join(content, leaf)


def direct_leaf(direct: Direct) -> bytes:
    """The leaf of a direct input."""
    return keccak(direct.encode())


def next_direct_hash(running: bytes, leaf: bytes) -> bytes:
    """The chain of direct inputs after one more."""
    return join(running, leaf)


def deposit_data(account: bytes, subaccount: int, token: bytes, amount_e9: int) -> bytes:
    """Data of a deposit."""
    return account + subaccount.to_bytes(4, "big") + token + amount_e9.to_bytes(16, "big")


def withdrawal_leaf(withdrawal: Withdrawal) -> bytes:
    """The leaf of a withdrawal."""
    words = [
        withdrawal.index.to_bytes(32, "big"),
        withdrawal.chain_id.to_bytes(32, "big"),
        withdrawal.vault.rjust(32, b"\0"),
        withdrawal.owner.rjust(32, b"\0"),
        withdrawal.token.rjust(32, b"\0"),
        withdrawal.amount.to_bytes(32, "big"),
        withdrawal.recipient.rjust(32, b"\0"),
        ZERO,
    ]
    return _root(words, 3)


def input_hash(
    records_root: bytes, records_count: int, directs_root: bytes, directs_count: int, version: int
) -> bytes:
    """What an epoch is about, in one word."""
    return keccak(
        records_root
        + records_count.to_bytes(8, "big")
        + directs_root
        + directs_count.to_bytes(8, "big")
        + version.to_bytes(4, "big")
    )


def header_root(words: Sequence[bytes]) -> bytes:
    """The chunk root of a header's eight words, tagged live."""
    return b"\0" + _root(words, 3)[1:]


def commitment_root(chunk_roots: Sequence[bytes]) -> bytes:
    """The commitment over an epoch's chunk roots; the last repeats to the end."""
    if not 1 <= len(chunk_roots) <= 1 << COMMITMENT_DEPTH:
        raise ValueError(f"an epoch has 1 to 2^{COMMITMENT_DEPTH} chunks, not {len(chunk_roots)}")
    level, repeated = list(chunk_roots), chunk_roots[-1]
    for _ in range(COMMITMENT_DEPTH):
        if len(level) % 2:
            level.append(repeated)
        level = [join(level[i], level[i + 1]) for i in range(0, len(level), 2)]
        repeated = join(repeated, repeated)
    return level[0]


def _root(leaves: Sequence[bytes], depth: int) -> bytes:
    return tree_root(dict(enumerate(leaves)), depth)
