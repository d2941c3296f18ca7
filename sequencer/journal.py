"""
Journal: the one durable order of everything that was accepted.

In:  entries of `sequencer.ordering`, each with its term and sequence number.
Out: a future per entry that is done when the entry is on the disk; on replay, the entries.

`OrderLog` is the interface (system.md, "Beyond one machine"); `LocalJournal` is the backend for one
machine. One writer thread takes everything that waits, writes it as one record and calls fdatasync
once. The next record is written only after that, so a damaged record with a good one behind it is
never a torn write: it is damage, and is refused.

Holds: an entry is durable before its future is done; sequence numbers grow by one; only the
       holder of the newest term can append; after a failed write nothing is written any more.
Not here: what an entry means (`sequencer.entries`), the layout on disk (`sequencer.segments`).
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from sequencer.segments import (
    Entry,
    JournalError,
    Segment,
    encode_record,
    list_segments,
    scan,
    sync_directory,
)

SEGMENT_BYTES = 64 << 20
MAX_PENDING_BYTES = 64 << 20


class JournalFencedError(JournalError):
    """Another process holds the journal, or took it over."""


class JournalFailedError(JournalError):
    """A write or fsync failed. What was not yet acknowledged may or may not be on the disk."""


class OrderLog(Protocol):
    """An ordered, fenced, durable log."""

    def acquire(self, ttl_s: float) -> int:
        """Take the lease; the term is higher than any before."""

    def renew(self, term: int) -> None:
        """Keep the lease."""

    def release(self, term: int) -> None:
        """Give the lease back."""

    def append(self, term: int, seq: int, payload: bytes) -> asyncio.Future[None]:
        """Append; the future is done when the entry is durable."""

    def read(self, from_seq: int) -> Iterator[Entry]:
        """Read the entries from `from_seq` on, in order."""


class LocalJournal:
    """
    The journal of one machine: preallocated files in one folder.

    Parameters
    ----------
    folder :
        Where the segments lie; made if it is not there.
    segment_bytes :
        Size of one preallocated file. 64 MiB is about an hour of busy trading.
    on_sync :
        Called in the writer thread with the seconds that one write and fdatasync took.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        on_sync: Callable[[float], None] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._on_sync = on_sync
        self._lock_fd = -1
        self._term = 0
        self._wake = threading.Condition()
        self._pending: deque[tuple[int, bytes, asyncio.Future[None]]] = deque()
        self._pending_bytes = 0
        self._failure: Exception | None = None
        self._closing = False
        self._thread: threading.Thread | None = None
        self._segment: Segment | None = None
        self._next_seq = 0
        self.bytes_written = 0

    @property
    def next_seq(self) -> int:
        """The sequence number that the next entry must have (known once acquired)."""
        return self._next_seq

    @property
    def failure(self) -> Exception | None:
        """Why nothing is written any more, if so."""
        return self._failure

    def acquire(self, ttl_s: float = 0.0) -> int:
        """
        Take the journal for this process: lock, find and cut a torn tail, start a new term.

        `ttl_s` has no meaning here: the lock of the operating system ends with the process.

        Raises
        ------
        JournalFencedError
            Another process has it.
        JournalCorruptError
            An entry in the middle cannot be read.
        """
        fd = os.open(self._folder / "LOCK", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(fd)
            raise JournalFencedError(
                f"the journal in {self._folder} is in use by another node: stop that one first"
            ) from exc
        self._lock_fd = fd
        self._term = self._next_term()
        self._open_tail()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()
        return self._term

    def new_term(self) -> int:
        """Begin another term, while nothing waits: what was promised in the last one may change."""
        with self._wake:
            assert not self._pending
            self._term = self._next_term()
        return self._term

    def renew(self, term: int) -> None:
        """Check that `term` still holds the journal."""
        if self._lock_fd < 0 or term != self._term:
            raise JournalFencedError(f"term {term} no longer holds the journal ({self._term} does)")

    def release(self, term: int) -> None:
        """Write what waits, stop the writer and unlock. Safe to call twice."""
        if self._lock_fd < 0 or term != self._term:
            return
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        os.close(self._lock_fd)
        self._lock_fd = -1

    def append(self, term: int, seq: int, payload: bytes) -> asyncio.Future[None]:
        """
        Queue one entry; its future is done when it is on the disk.

        Raises
        ------
        JournalFencedError
            `term` is not the holder's.
        JournalFailedError
            An earlier write failed: the node must stop.
        """
        self.renew(term)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._wake:
            if self._failure is not None:
                raise JournalFailedError(str(self._failure)) from self._failure
            if self._pending_bytes + len(payload) > MAX_PENDING_BYTES:
                raise JournalFailedError("the disk is too slow: 64 MiB wait for the journal")
            assert seq == self._next_seq, f"entry {seq}, expected {self._next_seq}"
            self._next_seq += 1
            self._pending.append((seq, payload, future))
            self._pending_bytes += len(payload)
            self._wake.notify()
        return future

    def read(self, from_seq: int) -> Iterator[Entry]:
        """
        Read durable entries from `from_seq` on, in order, ending at the clean or torn end.

        Raises
        ------
        JournalCorruptError
            An entry in the middle cannot be read, or `from_seq` has been trimmed away.
        """
        yield from scan(self._folder, from_seq)

    def trim(self, before_seq: int) -> int:
        """Delete segments whose entries all come before `before_seq`; returns how many."""
        segments = list_segments(self._folder)
        removed = 0
        for (_, path), (next_first, _) in itertools.pairwise(segments):
            if next_first > before_seq:
                break
            path.unlink()
            removed += 1
        if removed:
            sync_directory(self._folder)
        return removed

    def _next_term(self) -> int:
        path = self._folder / "term"
        term = int(path.read_text()) + 1 if path.exists() else 1
        fresh = self._folder / "term.new"
        with fresh.open("w") as file:
            file.write(str(term))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        sync_directory(self._folder)
        return term

    def _open_tail(self) -> None:
        segments = list_segments(self._folder)
        if not segments:
            self._segment = Segment.create(self._folder, 0, self._segment_bytes)
            self._next_seq = 0
            return
        first_seq, path = segments[-1]
        self._segment = Segment.open_tail(path, first_seq)
        self._next_seq = self._segment.next_seq

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._pending and not self._closing:
                    self._wake.wait()
                if not self._pending:
                    return
                group = list(self._pending)
                self._pending.clear()
                self._pending_bytes = 0
            try:
                self._write([(seq, payload) for seq, payload, _ in group])
            except Exception as exc:  # after a failed fsync nothing is known: stop for good
                self._failure = exc
                _settle([future for _, _, future in group], exc)
                with self._wake:
                    rest = [future for _, _, future in self._pending]
                    self._pending.clear()
                _settle(rest, exc)
                return
            _settle([future for _, _, future in group], None)

    def _write(self, entries: list[tuple[int, bytes]]) -> None:
        started = time.perf_counter()
        record = encode_record(self._term, entries)
        segment = self._segment
        assert segment is not None
        if not segment.has_room(len(record)):
            segment.close()
            segment = Segment.create(
                self._folder, entries[0][0], max(self._segment_bytes, 2 * len(record))
            )
            self._segment = segment
        segment.write(record, entries[-1][0] + 1)
        self.bytes_written += len(record)
        if self._on_sync is not None:
            self._on_sync(time.perf_counter() - started)


def _settle(futures: list[asyncio.Future[None]], failure: Exception | None) -> None:
    """Hand the outcome of one group to the event loop, in one call for each loop."""
    for loop in {future.get_loop() for future in futures}:
        mine = [future for future in futures if future.get_loop() is loop]
        try:
            loop.call_soon_threadsafe(_resolve, mine, failure)
        except RuntimeError:
            continue  # the loop is closed: nobody waits any more


def _resolve(futures: list[asyncio.Future[None]], failure: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            error = JournalFailedError(f"the journal cannot be written: {failure}")
            error.__cause__ = failure
            future.set_exception(error)
