"""
Progress: what a flow is doing, for people who wait.

Out: a bar per phase on stderr, so that stdout has the result alone; nothing where not wanted.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars


class Progress:
    """A bar per phase; each new phase ends the one before."""

    def __init__(self, *, visible: bool) -> None:
        self._bars = Bars(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not visible,
        )
        self._task = self._bars.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, what: str, total: int | None) -> None:
        """Begin a phase of `total` steps (None = unknown)."""
        done = self._bars.tasks[-1].completed
        self._bars.update(self._task, total=done)
        self._task = self._bars.add_task(what, total=total)

    def say(self, what: str) -> None:
        """Say what the present phase is at."""
        self._bars.update(self._task, description=what)

    def advance(self, steps: int) -> None:
        """Some steps further."""
        self._bars.advance(self._task, steps)

    def reach(self, steps: int) -> None:
        """So many steps are done."""
        self._bars.update(self._task, completed=steps)

    def operations(self, _: int, operations: int) -> None:
        """An envelope with so many operations is done."""
        self._bars.advance(self._task, operations)
