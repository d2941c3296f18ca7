"""
Batches: codec 1 in plain Python, the second opinion to `state/stf`.

In:  bytes of a batch with the header's numbers, or blocks.
Out: blocks, or bytes.

Holds: written from docs/formats.md §4, column by column in its order; whatever decodes encodes to
the same bytes, everything else raises `BadBatchError`.
Not here: hashes of a batch (`state.l1_records`); the fast decoder (`state._native`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from state.batch_columns import Reader, decode_inputs, encode_inputs
from state.eip712 import Report
from state.errors import BadBatchError
from state.tx import OPERATIONS_MAX, Envelope, encode_varint

VERSION = 1
SEGMENTS_MAX = 4_096
INPUTS_MAX = 256
U64_MAX = 2**64 - 1

Input: TypeAlias = Envelope | Report


@dataclass(frozen=True, slots=True)
class Block:
    """At most 256 inputs at one time; direct inputs before `direct_to` come first."""

    time_ms: int
    direct_to: int
    inputs: tuple[Input, ...]


def encode_body(segments: Sequence[bytes]) -> bytes:
    """The data of a batch: version, directory, segments."""
    if len(segments) > SEGMENTS_MAX:
        raise BadBatchError(f"{len(segments)} segments, more than {SEGMENTS_MAX}")
    sizes = b"".join(encode_varint(len(segment)) for segment in segments)
    head = bytes([VERSION]) + encode_varint(len(segments))
    return head + sizes + b"".join(segments)


def decode_body(data: bytes) -> list[bytes]:
    """The segments of a batch; a bad directory empties the batch, so it raises."""
    reader = Reader(data)
    if reader.byte() != VERSION:
        raise BadBatchError("the body has another version")
    count = reader.varint()
    if count > SEGMENTS_MAX:
        raise BadBatchError(f"{count} segments, more than {SEGMENTS_MAX}")
    sizes = [reader.varint() for _ in range(count)]
    if sum(sizes) != reader.remaining():
        raise BadBatchError("the sizes of the segments do not sum to the rest")
    return [reader.take(size) for size in sizes]


def encode_segment(block: Block, t_first_ms: int, header_direct_to: int) -> bytes:
    """The segment of a block in a batch with this header."""
    if len(block.inputs) > INPUTS_MAX:
        raise BadBatchError(f"{len(block.inputs)} inputs, more than {INPUTS_MAX}")
    if block.time_ms < t_first_ms or block.direct_to > header_direct_to:
        raise BadBatchError("the block lies outside its batch")
    for envelope in block.inputs:
        if isinstance(envelope, Envelope):
            _check_count(envelope)
    return (
        encode_varint(block.time_ms - t_first_ms)
        + encode_varint(header_direct_to - block.direct_to)
        + encode_varint(len(block.inputs))
        + encode_inputs(block.inputs, block.time_ms)
    )


def _check_count(envelope: Envelope) -> None:
    count = len(envelope.operations)
    if not (1 <= count <= OPERATIONS_MAX if envelope.batch else count == 1):
        raise BadBatchError(f"{count} operations in an envelope")


def decode_segment(data: bytes, t_first_ms: int, header_direct_to: int) -> Block:
    """The block of a segment; a bad segment raises."""
    reader = Reader(data)
    time_ms = t_first_ms + reader.varint()
    direct_to = header_direct_to - reader.varint()
    count = reader.varint()
    if time_ms > U64_MAX or direct_to < 0 or count > INPUTS_MAX:
        raise BadBatchError("time, direct_to or count out of range")
    block = Block(time_ms, direct_to, tuple(decode_inputs(reader, count, time_ms)))
    if reader.remaining():
        raise BadBatchError(f"{reader.remaining()} bytes after the last column")
    if encode_segment(block, t_first_ms, header_direct_to) != data:
        raise BadBatchError("not the canonical encoding")
    return block


def decode_batch(data: bytes, t_first_ms: int, header_direct_to: int) -> Iterator[Block]:
    """The blocks of a batch, up to the first bad segment."""
    try:
        segments = decode_body(data)
    except BadBatchError:
        return
    for segment in segments:
        try:
            block = decode_segment(segment, t_first_ms, header_direct_to)
        except BadBatchError:
            return
        yield block
