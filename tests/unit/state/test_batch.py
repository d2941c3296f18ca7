"""`state.batch`: round trips, and only canonical bytes decode."""

from __future__ import annotations

import random

import pytest

from state import batch, tx
from state.batch_columns import Reader, encode_difference
from state.errors import BadBatchError
from tests.unit.state import segment_vectors

T_FIRST, DIRECT_TO = 1_800_000_000_000, 50


def test_a_random_block_survives_its_segment(rng: random.Random) -> None:
    for _ in range(150):
        block = segment_vectors.random_block(rng, rng.randrange(12))
        data = batch.encode_segment(block, T_FIRST, DIRECT_TO)
        assert batch.decode_segment(data, T_FIRST, DIRECT_TO) == block


def test_a_damaged_segment_is_bad_or_canonical(rng: random.Random) -> None:
    good = bad = 0
    for _ in range(1_500):
        block = segment_vectors.random_block(rng, rng.randrange(1, 4))
        data = bytearray(batch.encode_segment(block, T_FIRST, DIRECT_TO))
        for _ in range(rng.randrange(1, 3)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        try:
            decoded = batch.decode_segment(bytes(data), T_FIRST, DIRECT_TO)
        except BadBatchError:
            bad += 1
        else:
            assert batch.encode_segment(decoded, T_FIRST, DIRECT_TO) == bytes(data)
            good += 1
    assert good > 0
    assert bad > 0


@pytest.mark.parametrize("case", segment_vectors.bad_segments(), ids=lambda case: case["name"])
def test_a_segment_with_one_mistake_is_bad(case: dict) -> None:
    with pytest.raises(BadBatchError):
        batch.decode_segment(bytes.fromhex(case["bytes"]), 0, 100)


def test_a_body_is_its_segments() -> None:
    segments = [b"", b"a" * 200, b"b"]
    data = batch.encode_body(segments)
    assert data[:6] == bytes([1, 3, 0, 200, 1, 1])
    assert batch.decode_body(data) == segments
    for wrong in (b"", b"\2\0", data + b"c", data[:-1], b"\1\x81\x20"):
        with pytest.raises(BadBatchError):
            batch.decode_body(wrong)


def test_a_bad_segment_ends_the_batch_and_a_bad_directory_empties_it(rng: random.Random) -> None:
    block = segment_vectors.random_block(rng, 3)
    segment = batch.encode_segment(block, T_FIRST, DIRECT_TO)
    data = batch.encode_body([segment, b"\0", segment])
    assert list(batch.decode_batch(data, T_FIRST, DIRECT_TO)) == [block]
    assert list(batch.decode_batch(data + b"\0", T_FIRST, DIRECT_TO)) == []


def test_a_block_outside_its_batch_has_no_segment() -> None:
    block = batch.Block(10, 5, ())
    for t_first, direct_to in ((11, 5), (10, 4)):
        with pytest.raises(BadBatchError, match="outside"):
            batch.encode_segment(block, t_first, direct_to)


def test_varints_and_differences_read_back(rng: random.Random) -> None:
    for _ in range(500):
        value, previous = (rng.getrandbits(rng.randrange(1, 65)) for _ in range(2))
        assert Reader(tx.encode_varint(value)).varint() == value
        difference = Reader(encode_difference(value, previous)).difference()
        assert (previous + difference) % 2**64 == value
    for wrong in (b"\x80", b"\x80\0", b"\xff" * 9 + b"\2", b"\xff" * 30):
        with pytest.raises(BadBatchError):
            Reader(wrong).varint()
