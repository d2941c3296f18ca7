"""
Segments: how the journal lies on disk.

In:  entries (sequence number and bytes) in groups, each group one record.
Out: the same entries; the end of the journal, clean or torn.

A segment is one preallocated file named after its first entry. After a header of 64 bytes come
records, each at a multiple of 8: `length u32 | crc u32 | first seq u64 | term u64 | count u32`,
then the entries, each `length u32` and bytes (all little-endian). The checksum covers everything
behind itself. Behind the last record the file is zero.

Holds: a torn last record is cut away and zeroed; a bad record with a good one behind it, or in any
       segment but the last, is `JournalCorruptError`.
Not here: threads, leases and futures (`sequencer.journal`).
"""

from __future__ import annotations

import mmap
import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"NOVATION JOURNAL 1\n"
HEADER_BYTES = 64
_RECORD = struct.Struct("<IIQQI")
_LENGTH = struct.Struct("<I")
_NAME = re.compile(r"^(\d{20})\.log$")
MAX_RECORD_BYTES = 256 << 20


class JournalError(Exception):
    """The journal cannot do what was asked."""


class JournalCorruptError(JournalError):
    """Entries that were acknowledged cannot be read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One durable entry."""

    seq: int
    term: int
    payload: bytes


def encode_record(term: int, entries: list[tuple[int, bytes]]) -> bytes:
    """Encode a group of entries with consecutive numbers as one record, padded to 8 bytes."""
    parts = []
    for _, payload in entries:
        parts.append(_LENGTH.pack(len(payload)))
        parts.append(payload)
    body = b"".join(parts)
    tail = _RECORD.pack(_RECORD.size + len(body), 0, entries[0][0], term, len(entries))[8:] + body
    length = _RECORD.size + len(body)
    record = _LENGTH.pack(length) + _LENGTH.pack(_checksum(length, tail)) + tail
    return record + bytes(-len(record) % 8)


def _checksum(length: int, tail: bytes) -> int:
    return zlib.crc32(tail, length & 0xFFFFFFFF)


def _decode_record(data: mmap.mmap, offset: int) -> tuple[int, list[Entry]] | None:
    """Return the record's end and entries, or None if there is no whole record at `offset`."""
    if offset + _RECORD.size > len(data):
        return None
    length, crc, first_seq, term, count = _RECORD.unpack_from(data, offset)
    if not _RECORD.size <= length <= MAX_RECORD_BYTES or offset + length > len(data):
        return None
    if _checksum(length, data[offset + 8 : offset + length]) != crc:
        return None
    entries = []
    at = offset + _RECORD.size
    for number in range(count):
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        entries.append(Entry(first_seq + number, term, data[at : at + size]))
        at += size
    if at != offset + length:
        return None
    return offset + length + (-length % 8), entries


def list_segments(folder: Path) -> list[tuple[int, Path]]:
    """First entry and path of every segment, in order."""
    found = []
    for path in folder.iterdir():
        match = _NAME.match(path.name)
        if match:
            found.append((int(match.group(1)), path))
    return sorted(found)


def scan(folder: Path, from_seq: int) -> Iterator[Entry]:
    """Yield the entries from `from_seq` on; see `LocalJournal.read`."""
    segments = list_segments(folder)
    if not segments:
        return
    if from_seq < segments[0][0]:
        raise JournalCorruptError(
            f"the journal in {folder} begins at entry {segments[0][0]}, but entry {from_seq} is "
            "needed: the state store is older than the journal; restore both from one backup"
        )
    for number, (first_seq, path) in enumerate(segments):
        is_last = number + 1 == len(segments)
        if not is_last and segments[number + 1][0] <= from_seq:
            continue
        expected = first_seq
        with _Mapped(path) as data:
            _check_header(path, data, first_seq)
            for _, entries in _records(path, data, first_seq):
                expected = entries[-1].seq + 1
                yield from (entry for entry in entries if entry.seq >= from_seq)
        if not is_last and segments[number + 1][0] != expected:
            raise JournalCorruptError(
                f"{path} ends before entry {expected}, but the next segment begins at "
                f"{segments[number + 1][0]}: entries are missing; restore the journal's folder"
            )


def _records(path: Path, data: mmap.mmap, first_seq: int) -> Iterator[tuple[int, list[Entry]]]:
    """Yield (end offset, entries) per record, checked for order, up to the end."""
    offset, expected = HEADER_BYTES, first_seq
    while True:
        record = _decode_record(data, offset)
        if record is None:
            _check_nothing_behind(path, data, offset, expected)
            return
        end, entries = record
        if not entries or entries[0].seq != expected:
            raise JournalCorruptError(
                f"{path}, byte {offset}: entry {expected} expected; the file was changed"
            )
        expected = entries[-1].seq + 1
        yield end, entries
        offset = end


def _check_nothing_behind(path: Path, data: mmap.mmap, offset: int, expected: int) -> None:
    """Refuse a bad record that has a good, later one behind it."""
    garbage_end = _garbage_end(data, offset)
    for at in range(offset + 8, garbage_end, 8):
        length, _, seq, _, count = _RECORD.unpack_from(
            data[at : at + _RECORD.size].ljust(28, b"\0")
        )
        plausible = _RECORD.size < length <= len(data) - at and count > 0
        if plausible and expected < seq < expected + (1 << 32) and _decode_record(data, at):
            raise JournalCorruptError(
                f"{path}, byte {offset}: entry {expected} cannot be read, but entry {seq} behind "
                "it can: this is damage, not a torn write. Restore the file from a copy; to give "
                "up everything from this entry on, cut the file there"
            )


def _garbage_end(data: mmap.mmap, offset: int) -> int:
    """Where the last byte that is not zero ends, at or behind `offset`."""
    return offset + len(data[offset:].rstrip(b"\0"))


def _check_header(path: Path, data: mmap.mmap, first_seq: int) -> None:
    if data[: len(MAGIC)] != MAGIC:
        raise JournalCorruptError(f"{path} is not a journal of this version")
    if int.from_bytes(data[32:40], "little") != first_seq:
        raise JournalCorruptError(f"{path} was renamed: its header names another first entry")


class _Mapped:
    """A file mapped for reading, and both closed at the end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    def __enter__(self) -> mmap.mmap:
        return self._map

    def __exit__(self, *_: object) -> None:
        self._map.close()
        self._file.close()


class Segment:
    """The last segment, open for writing at its end."""

    def __init__(self, fd: int, size_bytes: int, offset: int, next_seq: int) -> None:
        self._fd = fd
        self._size_bytes = size_bytes
        self._offset = offset
        self.next_seq = next_seq

    @classmethod
    def create(cls, folder: Path, first_seq: int, size_bytes: int) -> Segment:
        """Make a preallocated segment; it appears under its name only when it is whole."""
        path = folder / f"{first_seq:020d}.log"
        fresh = path.with_suffix(".new")
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.posix_fallocate(fd, 0, size_bytes)
        header = MAGIC.ljust(32, b"\0") + first_seq.to_bytes(8, "little")
        os.pwrite(fd, header.ljust(HEADER_BYTES, b"\0"), 0)
        os.fsync(fd)
        fresh.rename(path)
        sync_directory(folder)
        return cls(fd, size_bytes, HEADER_BYTES, first_seq)

    @classmethod
    def open_tail(cls, path: Path, first_seq: int) -> Segment:
        """Open for appending: find the end, and zero a torn record behind it."""
        end, next_seq = HEADER_BYTES, first_seq
        with _Mapped(path) as data:
            _check_header(path, data, first_seq)
            for end, entries in _records(path, data, first_seq):  # noqa: B007
                next_seq = entries[-1].seq + 1
            size_bytes = len(data)
            garbage_end = _garbage_end(data, end)
        fd = os.open(path, os.O_RDWR)
        if garbage_end > end:
            _write_at(fd, bytes(garbage_end - end), end)
            os.fsync(fd)
        return cls(fd, size_bytes, end, next_seq)

    def has_room(self, size_bytes: int) -> bool:
        """Whether a record of that size fits."""
        return self._offset + size_bytes <= self._size_bytes

    def write(self, record: bytes, next_seq: int) -> None:
        """Write one record and wait until it is on the disk."""
        _write_at(self._fd, record, self._offset)
        os.fdatasync(self._fd)
        self._offset += len(record)
        self.next_seq = next_seq

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def _write_at(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def sync_directory(folder: Path) -> None:
    """Make names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
