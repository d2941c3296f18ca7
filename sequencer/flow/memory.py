"""
Memory: the most that all processes of a run took at once.

In:  process ids; this process counts too.
Out: `peak_bytes`, sampled twice a second off the event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from sequencer.processes import memory_bytes

SAMPLE_S = 0.5


class MemoryPeak:
    """Samples while its `async with` block runs."""

    def __init__(self, pids: Sequence[int]) -> None:
        self.peak_bytes = 0
        self._pids = {os.getpid(), *pids}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> MemoryPeak:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._sample()

    async def _run(self) -> None:
        while True:
            await asyncio.to_thread(self._sample)
            await asyncio.sleep(SAMPLE_S)

    def _sample(self) -> None:
        self.peak_bytes = max(self.peak_bytes, sum(map(memory_bytes, self._pids)))
