"""
Clock: the one place of the sequencer that knows what time it is.

In:  the machine's clock, or a hand that sets it (tests).
Out: `now_ms`, milliseconds since 1970.

Holds: `SystemClock.now_ms` never falls within one process, whatever is done to the machine's clock.
Not here: the time of a block, which also never falls across restarts (`sequencer.ordering`).
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""


class SystemClock:
    """The machine's clock, held where it steps back."""

    __slots__ = ("_last_ms",)

    def __init__(self) -> None:
        self._last_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970, never less than before."""
        now_ms = time.time_ns() // 1_000_000
        self._last_ms = max(self._last_ms, now_ms)
        return self._last_ms


class ManualClock:
    """A clock that stands still until it is moved."""

    __slots__ = ("_now_ms",)

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The time it was last set to."""
        return self._now_ms

    def advance(self, by_ms: int) -> None:
        """Move on by `by_ms`."""
        assert by_ms >= 0
        self._now_ms += by_ms
