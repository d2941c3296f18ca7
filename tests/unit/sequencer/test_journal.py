"""The journal: what was acknowledged is there, a torn tail is cut, damage is refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sequencer.journal import JournalFailedError, JournalFencedError, LocalJournal
from sequencer.segments import HEADER_BYTES, JournalCorruptError, encode_record, scan

SEGMENT_BYTES = 64 << 10


def journal_in(folder: Path) -> LocalJournal:
    return LocalJournal(folder, segment_bytes=SEGMENT_BYTES)


async def write(folder: Path, payloads: list[bytes], *, grouped: bool = False) -> None:
    journal = journal_in(folder)
    term = journal.acquire()
    waiting = []
    for payload in payloads:
        waiting.append(journal.append(term, journal.next_seq, payload))
        if not grouped:
            await waiting.pop()
    for future in waiting:
        await future
    journal.release(term)


def read(folder: Path, first: int = 0) -> list[bytes]:
    return [entry.payload for entry in journal_in(folder).read(first)]


@pytest.mark.parametrize("grouped", [False, True])
async def test_entries_come_back_in_order_across_segments(
    tmp_path: Path, rng: random.Random, grouped: bool
) -> None:
    payloads = [rng.randbytes(rng.randrange(0, 5_000)) for _ in range(100)]

    await write(tmp_path, payloads[:60], grouped=grouped)
    await write(tmp_path, payloads[60:], grouped=grouped)

    assert read(tmp_path) == payloads
    assert read(tmp_path, 37) == payloads[37:]
    assert [entry.seq for entry in scan(tmp_path, 98)] == [98, 99]
    assert grouped or len(list(tmp_path.glob("*.log"))) > 1


async def test_an_entry_larger_than_a_segment_is_taken(tmp_path: Path) -> None:
    await write(tmp_path, [b"a", bytes(3 * SEGMENT_BYTES), b"b"])

    assert [len(payload) for payload in read(tmp_path)] == [1, 3 * SEGMENT_BYTES, 1]


async def test_a_record_torn_at_any_byte_is_cut_and_written_over(
    tmp_path: Path, rng: random.Random
) -> None:
    kept = [rng.randbytes(200) for _ in range(5)]
    torn = encode_record(1, [(5, rng.randbytes(300)), (6, rng.randbytes(300))])
    for size in [1, 3, 4, 7, 8, 20, 27, 28, 29, 100, len(torn) - 9]:
        folder = tmp_path / str(size)
        await write(folder, kept)
        segment = next(folder.glob("*.log"))
        data = bytearray(segment.read_bytes())
        end = len(bytes(data).rstrip(b"\0"))
        end += -(end - HEADER_BYTES) % 8
        data[end : end + size] = torn[:size]
        segment.write_bytes(data)

        assert read(folder) == kept
        await write(folder, [b"next"])
        assert read(folder) == [*kept, b"next"]


async def test_a_changed_byte_in_front_of_a_good_record_is_refused(tmp_path: Path) -> None:
    await write(tmp_path, [bytes([number]) * 100 for number in range(10)])
    segment = next(tmp_path.glob("*.log"))
    data = bytearray(segment.read_bytes())
    data[HEADER_BYTES + 3 * 136 + 60] ^= 1
    segment.write_bytes(data)

    with pytest.raises(JournalCorruptError, match="this is damage, not a torn write"):
        read(tmp_path)
    with pytest.raises(JournalCorruptError):
        journal_in(tmp_path).acquire()


async def test_a_missing_segment_is_refused(tmp_path: Path) -> None:
    await write(tmp_path, [bytes(30_000)] * 10)
    segments = sorted(tmp_path.glob("*.log"))
    segments[1].unlink()

    with pytest.raises(JournalCorruptError, match="entries are missing"):
        read(tmp_path)


async def test_trimming_keeps_what_is_needed(tmp_path: Path) -> None:
    await write(tmp_path, [bytes(30_000)] * 10)
    journal = journal_in(tmp_path)

    removed = journal.trim(5)

    assert removed > 0
    assert len(read(tmp_path, 5)) == 5
    with pytest.raises(JournalCorruptError, match="state store is older than the journal"):
        read(tmp_path, 0)


async def test_only_one_process_holds_the_journal_and_an_old_term_is_fenced(
    tmp_path: Path,
) -> None:
    first = journal_in(tmp_path)
    term = first.acquire()

    with pytest.raises(JournalFencedError, match="in use by another node"):
        journal_in(tmp_path).acquire()
    first.release(term)
    second = journal_in(tmp_path)
    newer = second.acquire()
    with pytest.raises(JournalFencedError):
        second.append(term, 0, b"stale")
    await second.append(newer, 0, b"good")
    second.release(newer)

    assert newer == term + 1
    assert read(tmp_path) == [b"good"]


async def test_after_a_failed_write_nothing_is_acknowledged(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    term = journal.acquire()
    await journal.append(term, 0, b"good")
    segment = journal._segment
    assert segment is not None
    segment.close()  # the disk goes away

    with pytest.raises(JournalFailedError):
        await journal.append(term, 1, b"bad")
    with pytest.raises(JournalFailedError):
        await journal.append(term, 2, b"bad")

    assert isinstance(journal.failure, OSError)
    assert read(tmp_path) == [b"good"]
