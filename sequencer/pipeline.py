"""
Pipeline: journal, then execution, then the answer.

In:  `Work` from `sequencer.admission`, in order.
Out: results to those who wait; sealed batches to `sequencer.sealing`.

While one entry runs, the next is on its way to the disk and the one after it has its signatures
checked. Nothing is answered before both fsync and execution.

Holds: order; at most `DEPTH` entries between journal and result; after a fault nothing runs.
Not here: what runs (`sequencer.execution`), who may send (`sequencer.admission`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sequencer import entries, metrics
from sequencer.execution import Execution, Outcome, Sealed, reason
from sequencer.journal import OrderLog
from sequencer.ordering import Work
from sequencer.rpc.errors import Refused

DEPTH = 4
_HASH = slice(24, 56)


class EntryPipeline:
    """Journal and execution, one after the other, several entries at once."""

    def __init__(
        self,
        journal: OrderLog,
        term: int,
        next_seq: int,
        execution: Execution,
        *,
        on_landed: Callable[[bytes, bytes | Refused], None],
        on_sealed: Callable[[Sealed], asyncio.Future[None] | None],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        self._journal = journal
        self._term = term
        self._next_seq = next_seq
        self._execution = execution
        self._on_landed = on_landed
        self._on_sealed = on_sealed
        self._on_outcome = on_outcome
        self._thread = ThreadPoolExecutor(1, "execution")
        self._queue: asyncio.Queue[Work | None] = asyncio.Queue()
        self._slots = asyncio.Semaphore(DEPTH)
        self.failure: BaseException | None = None

    async def put(self, work: Work) -> None:
        """Give one entry to the journal and queue it; waits while too much is on its way."""
        await self._slots.acquire()
        if not work.closes_block:
            work.seq, work.term = self._next_seq, self._term
            work.durable = self._journal.append(self._term, work.seq, entries.encode(work.entry))
            self._next_seq += 1
        self._queue.put_nowait(work)
        metrics.CORE_QUEUE.set(self._queue.qsize())

    def close(self) -> None:
        """Wait for the worker thread: after this nothing here uses the store."""
        self._thread.shutdown(cancel_futures=True)

    async def stop(self) -> None:
        """End `run` once everything queued has run."""
        await self._queue.put(None)

    async def run(self) -> None:
        """
        Run entries until stopped.

        Raises
        ------
        Exception
            A fault: of the disk or of the transition. Those who wait are told.
        """
        work: Work | None = None
        try:
            while (work := await self._queue.get()) is not None:
                await self._one(work)
                self._slots.release()
        except BaseException as exc:
            self.failure = exc
            if work is not None:
                _fail(work, exc)
            while not self._queue.empty():
                rest = self._queue.get_nowait()
                if rest is not None:
                    _fail(rest, exc)
            raise
        finally:
            self._thread.shutdown(wait=False)

    async def _one(self, work: Work) -> None:
        loop = asyncio.get_running_loop()
        if work.closes_block:
            await loop.run_in_executor(self._thread, self._execution.close_block)
            self._on_outcome(Outcome())
            return
        assert work.durable is not None
        await work.durable
        outcome = await loop.run_in_executor(self._thread, self._run, work)
        self._answer(work, outcome)
        for sealed in outcome.sealed:
            waiting = self._on_sealed(sealed)
            if waiting is not None:
                await waiting
        self._on_outcome(outcome)

    def _run(self, work: Work) -> Outcome:
        started = time.perf_counter()
        outcome = self._execution.run(work.seq, work.term, work.entry, work.verified)
        metrics.EXECUTE.observe(time.perf_counter() - started)
        return outcome

    def _answer(self, work: Work, outcome: Outcome) -> None:
        assert len(outcome.receipts) == len(work.waiters)
        landed = self._on_landed
        for (waiter, position), receipt in zip(work.waiters, outcome.receipts, strict=True):
            digest = receipt[_HASH]
            number = reason(receipt)
            result = Refused(number) if number else digest
            waiter.resolve(position, result)
            landed(digest, result)


def _fail(work: Work, exc: BaseException) -> None:
    error = RuntimeError("the node has stopped; whether this was taken is known after a restart")
    error.__cause__ = exc
    for waiter, _ in work.waiters:
        waiter.fail(error)
