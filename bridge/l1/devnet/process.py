"""
The embedded L1 as a child process: for the devnet command and the tests.

In:    a data folder, a port.
Out:   a URL that answers.
Holds: `stop` ends only the process that `start` began.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

START_S_MAX = 20.0
STOP_S_MAX = 10.0


class L1StartError(Exception):
    """The embedded L1 did not come up; the message has what it said."""


@dataclass(slots=True)
class L1Process:
    """A running embedded L1."""

    url: str
    process: asyncio.subprocess.Process

    async def stop(self) -> None:
        """Ask it to end; kill it if it does not."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_S_MAX)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


async def start(
    folder: Path, *, port: int = 0, chain_id: int = 1337, interval_s: float = 1.0
) -> L1Process:
    """Start an embedded L1 on loopback and wait until it answers."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bridge.l1.devnet",
        *("--data", str(folder), "--port", str(port)),
        *("--chain-id", str(chain_id), "--interval", str(interval_s)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), START_S_MAX)).decode()
    except TimeoutError:
        line = ""
    if "ready url=" not in line:
        if process.returncode is None:
            process.kill()
        said = (await process.stderr.read()).decode()[-2_000:]
        await process.wait()
        raise L1StartError(f"the embedded L1 did not start: {line}{said}")
    return L1Process(line.split("url=")[1].split()[0], process)
