"""
Entries: what one place in the journal holds.

In:  the decisions of `sequencer.ordering`.
Out: bytes for `sequencer.journal`; the same decisions again on replay.

An entry may open a block, then has inputs, then may end the batch. Where inputs need more blocks,
or the batch has no more room, `sequencer.execution` goes on with the next one by rule: the same
bytes lead to the same blocks and batches whenever they run. An entry may also say that batches
cannot land on L1 and that their inputs follow once more.

A `position` says how far the journal is used: entry number x 2^16 + how much of the entry is done:
0 = nothing, 1 + n = its opening and n inputs (or n adopted records).

Holds: a decoded entry is equal to the encoded one.
Not here: what inputs do (`state`), framing and checksums (`sequencer.segments`).
"""

from __future__ import annotations

import msgspec

INPUTS_MAX = 1 << 15
_SHIFT = 16


class SignedReport(msgspec.Struct, frozen=True, array_like=True):
    """An oracle report as it was sent in."""

    feed: int
    price_e9: int
    time_ms: int
    signature: bytes


Item = bytes | SignedReport
"""A signed transaction (raw bytes) or a report."""


class Opening(msgspec.Struct, frozen=True, array_like=True):
    """Close the open block, if any, and open one; `directs` are packed (formats §3)."""

    time_ms: int
    direct_to: int
    directs: list[bytes]


class Adopted(msgspec.Struct, frozen=True, array_like=True):
    """A record that somebody else put on L1 (`advance`): its meta word, and what it drains."""

    meta: bytes
    directs: list[bytes]


class Reorg(msgspec.Struct, frozen=True, array_like=True):
    """
    Batches from `record` on never were: what entries from position `first` on had is sequenced
    anew behind this entry, but for the ranges of positions in `skip`, which had been before.
    """

    record: int
    first: int
    skip: list[tuple[int, int]]
    adopted: list[Adopted]


class Entry(msgspec.Struct, array_like=True):
    """What is done in one go, in this order; a reorganisation stands alone."""

    opening: Opening | None = None
    items: list[bytes | SignedReport] = msgspec.field(default_factory=list)
    seals: bool = False
    reorg: Reorg | None = None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """Encode an entry."""
    assert len(entry.items) <= INPUTS_MAX
    return _ENCODER.encode(entry)


def decode(payload: bytes) -> Entry:
    """
    Decode an entry.

    Raises
    ------
    msgspec.DecodeError
        The bytes are not an entry: another version wrote them.
    """
    return _DECODER.decode(payload)


def position(seq: int, inputs_done: int | None = None) -> int:
    """Position in front of entry `seq`, or inside it behind its opening and some inputs."""
    if inputs_done is None:
        return seq << _SHIFT
    assert 0 <= inputs_done <= INPUTS_MAX
    return (seq << _SHIFT) + 1 + inputs_done


def split_position(value: int) -> tuple[int, int | None]:
    """Entry and inputs done of a position; None = not even its opening."""
    done = value & ((1 << _SHIFT) - 1)
    return value >> _SHIFT, done - 1 if done else None
