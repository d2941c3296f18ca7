"""
Processes: the children of `novation devnet` and `novation flow`.

In:  argument lists.
Out: `Child`ren that are ready, how much memory they use, and which one ended on its own.

Holds: `Children.stop` ends only what it started, in the reverse order, and kills what does not go
by itself. What a child prints is in its log file, never in a pipe that could fill up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

READY_S_MAX = 30.0
STOP_S_MAX = 15.0
POLL_S = 0.02
LEFTOVER_S_MAX = 5.0
LEFTOVER_POLL_S = 0.25
LOG_TAIL_BYTES = 6_000


class ChildError(Exception):
    """A child did not start, or ended; the message names it and has its last words."""


@dataclass(slots=True)
class Child:
    """One running process."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    async def ready(self, file: Path, timeout_s: float = READY_S_MAX) -> str:
        """Wait until `file` exists and has a line; its text."""
        return await self._wait(lambda: _whole_lines(file), f"{file.name}", timeout_s)

    async def ready_line(self, pattern: str, timeout_s: float = READY_S_MAX) -> str:
        """Wait until its log has a line with `pattern` (a regular expression); the first group."""
        compiled = re.compile(pattern)

        def found() -> str | None:
            match = compiled.search(_whole_lines(self.log) or "")
            return match.group(1) if match else None

        return await self._wait(found, "its first line", timeout_s)

    async def _wait(self, found: Callable[[], str | None], what: str, timeout_s: float) -> str:
        deadline = asyncio.get_running_loop().time() + timeout_s
        while (text := found()) is None:
            if not self.is_running:
                raise ChildError(self.last_words())
            if asyncio.get_running_loop().time() > deadline:
                raise ChildError(f"{self.name}: no {what} within {timeout_s:g} s; log: {self.log}")
            await asyncio.sleep(POLL_S)
        return text

    def last_words(self) -> str:
        """Say how it ended, with the end of its log."""
        tail = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return f"{self.name} ended with code {self.process.returncode}:\n{tail}"

    async def stop(self, timeout_s: float = STOP_S_MAX) -> None:
        """Ask it to end, and kill it if it does not."""
        if self.is_running:
            self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), timeout_s)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


@dataclass(slots=True)
class Children:
    """The processes of one devnet."""

    logs: Path
    _running: list[Child] = field(default_factory=list)

    async def start(
        self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> Child:
        """Start `argv` with its output in `<logs>/<name>.log`."""
        self.logs.mkdir(parents=True, exist_ok=True)
        path = self.logs / f"{name}.log"
        with path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
                # Ctrl-C on the terminal is for the parent; it ends its children in order.
                start_new_session=True,
            )
        child = Child(name, process, path)
        self._running.append(child)
        return child

    async def first_ended(self) -> Child:
        """Wait until a child ends on its own; that child."""
        waits = {asyncio.create_task(child.process.wait()): child for child in self._running}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return waits[done.pop()]
        finally:
            for wait in waits:
                wait.cancel()

    async def stop(self) -> None:
        """End all of them, the last started first."""
        while self._running:
            await self._running.pop().stop()

    def ended(self) -> list[Child]:
        """Children that have ended on their own."""
        return [child for child in self._running if not child.is_running]

    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {child.name: child.pid for child in self._running}

    def memory_bytes(self) -> int:
        """Memory of this process and of all children."""
        return sum(memory_bytes(pid) for pid in (os.getpid(), *(c.pid for c in self._running)))


async def end_leftovers(pids: Sequence[int], mark: str) -> None:
    """
    End children that outlived a parent which was killed, the last started first.

    A process id may belong to somebody else by now: only those with `mark` in their command count.
    """
    for pid in reversed(pids):
        deadline = asyncio.get_running_loop().time() + LEFTOVER_S_MAX
        number = signal.SIGTERM
        while mark in _command_line(pid):
            if asyncio.get_running_loop().time() > deadline:
                number = signal.SIGKILL
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            await asyncio.sleep(LEFTOVER_POLL_S)


def _command_line(pid: int) -> str:
    """What a process was started with; empty where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def python(module: str, *arguments: str) -> list[str]:
    """Command line of a Python module, run by this very Python."""
    return [sys.executable, "-m", module, *arguments]


def memory_bytes(pid: int) -> int:
    """Memory of one process: its share (PSS) if the system tells, else what is resident."""
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{pid}/{name}").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(key):
                return int(line.split()[1]) << 10
    return 0


def _whole_lines(path: Path) -> str | None:
    """The text up to the last line end; None if there is none yet."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    head, end, _ = text.rpartition("\n")
    return head + end or None
