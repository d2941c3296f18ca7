"""
Sealing: roots, store and posting of batches that have ended.

In:  `Sealed` batches, in order.
Out: state and receipts in the store, one atomic write per batch; `PendingBatch` to the poster.

Admission follows posting: `lag` grows with the age of the oldest batch that is not on L1 and is 1
at half of `max_lag`, where admission stops (rollup.md §10).

Holds: batches are committed and posted in the order of sealing; the queue is bounded, so a slow
       disk slows execution rather than filling memory.
Not here: when a batch ends (`ordering`, `execution`), L1 transactions (`bridge.poster`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from bridge.poster import PendingBatch
from sequencer import logs, metrics
from sequencer.chain import Chain
from sequencer.clock import Clock
from sequencer.execution import AdoptedBatch, Sealed
from sequencer.finality import Finality
from state._native import Engine, keccak256
from state.rows import BatchRow
from state.store import Store

QUEUE = 8
ZERO = bytes(32)
log = logs.get("sealing")


class Poster(Protocol):
    """What sends batches to L1."""

    async def submit(self, batch: PendingBatch) -> None:
        """Take one batch; waits while too many are on their way."""


class Sealing:
    """Commits and posts."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        chain: Chain,
        finality: Finality,
        clock: Clock,
        *,
        max_lag_ms: int,
        running_hash: Callable[[int], bytes | None],
    ) -> None:
        self._engine = engine
        self._store = store
        self._chain = chain
        self._finality = finality
        self._clock = clock
        self._max_lag_ms = max_lag_ms
        self._running_hash = running_hash
        self._thread = ThreadPoolExecutor(1, "commit")
        self._queue: asyncio.Queue[Sealed | None] = asyncio.Queue(QUEUE)
        self._committed = asyncio.Event()
        last = store.last_batch()
        self._content = ZERO if last is None else last.content
        self.next_record = 0 if last is None else last.record + 1
        first = finality.confirmed.records
        while rows := store.batches(first):
            for row in rows:
                finality.sealed(row.record, row.first_block + row.blocks - 1, row.t_first_ms)
            first = rows[-1].record + 1

    def put(self, sealed: Sealed) -> asyncio.Future[None] | None:
        """Take a batch; a future if the caller has to wait for room."""
        if not self._queue.full():
            self._queue.put_nowait(sealed)
            return None
        return asyncio.ensure_future(self._queue.put(sealed))

    def commit_now(self, sealed: Sealed) -> BatchRow:
        """Commit one batch here and now (replay, and the worker thread)."""
        started = time.perf_counter()
        batch = sealed.batch
        if isinstance(batch, AdoptedBatch):
            root, header = batch.outcome.root, batch.outcome.header
        else:
            root, header = self._engine.commit(batch)
        content = keccak256(self._content + batch.record_leaf)
        row = BatchRow(
            record=batch.record,
            first_block=batch.first_block,
            blocks=batch.blocks,
            first_seq=sealed.rows.blocks[0].first_seq,
            inputs=len(sealed.rows.receipts),
            operations=batch.operations,
            signatures=batch.signatures,
            t_first_ms=batch.t_first_ms,
            t_last_ms=batch.t_last_ms,
            direct_to=batch.direct_to,
            size=len(batch.data),
            meta=batch.meta,
            page_root=batch.page_root,
            record_leaf=batch.record_leaf,
            content=content,
            root=root,
            header=header,
            direct_hash=sealed.direct_hash,
        )
        # Receipts first: if only they get to the disk, replay writes the same ones again.
        self._store.put_receipts(sealed.rows.receipts)
        self._store.put_groups(sealed.rows.groups)
        self._store.commit_batch(
            records=batch.records(),
            header=header,
            root=root,
            next_seq=batch.next_seq,
            next_block=batch.next_block,
            journal_position=sealed.position,
            batch=row,
            data=batch.data,
            blocks=sealed.rows.blocks,
        )
        self._chain.forget(sealed.rows)
        self._content = content
        self.next_record = row.record + 1
        metrics.COMMIT.observe(time.perf_counter() - started)
        return row

    async def run(self) -> None:
        """Commit batches until stopped."""
        loop = asyncio.get_running_loop()
        try:
            while (sealed := await self._queue.get()) is not None:
                self._finality.sealed(
                    sealed.batch.record,
                    sealed.batch.first_block + sealed.batch.blocks - 1,
                    sealed.batch.t_first_ms,
                )
                row = await loop.run_in_executor(self._thread, self.commit_now, sealed)
                log.info(
                    "batch.sealed",
                    record=row.record,
                    blocks=row.blocks,
                    inputs=row.inputs,
                    operations=row.operations,
                    size_bytes=row.size,
                    root="0x" + row.root.hex(),
                )
                self._committed.set()
        finally:
            self._thread.shutdown(wait=False)

    def close(self) -> None:
        """Wait for the worker thread: after this nothing here uses the store."""
        self._thread.shutdown(cancel_futures=True)

    async def stop(self) -> None:
        """End `run` once every batch is committed."""
        await self._queue.put(None)

    async def post(self, poster: Poster, first: int) -> None:
        """Hand batches from record `first` on to the poster, in order, for ever."""
        record = first
        while True:
            self._committed.clear()
            while record < self.next_record:
                await poster.submit(await self._pending(record))
                record += 1
            await self._committed.wait()

    async def _pending(self, record: int) -> PendingBatch:
        row = self._store.batch(record)
        data = self._store.batch_data(record)
        assert row is not None and data is not None
        before = self._store.batch(record - 1) if record else None
        expected = row.direct_hash or ZERO
        if row.direct_to and not row.direct_hash:
            while (found := self._running_hash(row.direct_to)) is None:
                await asyncio.sleep(0.1)  # L1 has not been read so far yet; it is retried there
            expected = found
        return PendingBatch(
            record=row.record,
            meta=row.meta,
            data=data,
            t_first_ms=row.t_first_ms,
            t_last_ms=row.t_last_ms,
            direct_to=row.direct_to,
            expected_direct=expected,
            prev_content=ZERO if before is None else before.content,
        )

    def lag(self) -> float:
        """How far posting is behind: 0 = not at all, 1 = admission stops."""
        oldest_ms = self._finality.oldest_unposted_ms()
        if oldest_ms is None:
            return 0.0
        return max(0.0, 2 * (self._clock.now_ms() - oldest_ms) / self._max_lag_ms)
