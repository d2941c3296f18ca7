"""
`novation oracle`: one reporter as a process of its own.

In:  a node's URL, a deployment file, the reporter's key, prices on stdin.
Out: signed reports to the node, until stdin ends, SIGTERM or Ctrl-C.

A line on stdin is `<feed> <price>`, the price a decimal in USD; whatever knows prices may write.
Exit codes: 0 stdin ended or stopped; 1 the node, a file or a line is wrong; 2 wrong options.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from bridge.deployment import Deployment
from bridge.errors import BridgeError
from sequencer.oracle import INTERVAL_S, Oracle, Reporter
from sequencer.sdk.client import Client, NodeUnreachableError
from sequencer.sdk.signing import Key

E9 = 1_000_000_000


class LineError(ValueError):
    """A line on stdin is no price."""


class Prices:
    """The newest price of each feed."""

    def __init__(self) -> None:
        self.now_e9: dict[int, int] = {}

    def price_e9(self, feed: int) -> int:
        """The price of a feed; 0 until there is one."""
        return self.now_e9.get(feed, 0)

    def take(self, line: str) -> int:
        """Read one line; the feed it was for."""
        try:
            feed, price = line.split()
            price_e9 = Decimal(price) * E9
            if price_e9 != int(price_e9) or price_e9 <= 0:
                raise LineError(f"{price!r} is not a price with at most nine decimals")
            self.now_e9[int(feed)] = int(price_e9)
            return int(feed)
        except (ValueError, InvalidOperation) as error:
            raise LineError(f"not `<feed> <price>`: {line.strip()[:80]!r}") from error


def oracle(
    deployment: Annotated[Path, typer.Option(help="Addresses on L1.", exists=True)],
    key_file: Annotated[Path, typer.Option(help="The reporter's key, hex.", exists=True)],
    url: Annotated[str, typer.Option(help="The node's JSON-RPC.")] = "http://127.0.0.1:9944",
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between reports.")] = INTERVAL_S,
) -> None:
    """Sign prices from stdin and report them."""
    try:
        key = Key(bytes.fromhex(key_file.read_text(encoding="ascii").strip().removeprefix("0x")))
        asyncio.run(_run(url, Deployment.load(deployment), key, interval))
    except (BridgeError, NodeUnreachableError, ValueError, OSError) as error:
        print(f"oracle: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    except asyncio.CancelledError:
        pass


def run(arguments: list[str]) -> int:
    """Parse the command line and run."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(oracle)
    app(args=arguments, prog_name="novation oracle")
    return 0


async def _run(url: str, deployment: Deployment, key: Key, interval_s: float) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    prices = Prices()
    reporter = Reporter(key, deployment.l2_chain_id, deployment.inbox)
    async with Client(url) as node:
        reports: asyncio.Task[None] | None = None
        feeds: list[int] = []
        while line := await lines.readline():
            feed = prices.take(line.decode("ascii", errors="replace"))
            if feed not in feeds:
                feeds.append(feed)
            if reports is None:
                source = Oracle([reporter], prices, feeds)
                reports = asyncio.create_task(source.run(node, interval_s))
        if reports is not None:
            reports.cancel()
            await asyncio.gather(reports, return_exceptions=True)
