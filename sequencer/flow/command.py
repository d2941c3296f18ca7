"""
`novation flow FILE`: sends a recorded feed through a rollup and measures it.

Out: progress on stderr; a table, or with `--json` one object and nothing else, on stdout.
Exit codes: 0 the roots are equal; 1 they are not, or the flow could not run; 2 wrong options.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import uvloop
from rich.console import Console

from bridge.errors import BridgeError
from sequencer.devnet import DevnetError
from sequencer.flow.feed import FeedError
from sequencer.flow.progress import Progress
from sequencer.flow.result import FlowResult, print_table
from sequencer.flow.run import FlowOptions, run_flow
from sequencer.flow.send import FlowError
from sequencer.processes import ChildError
from sequencer.sdk.client import NodeUnreachableError, RpcError
from sequencer.sdk.deposit import DepositError

KNOWN_ERRORS = (
    *(BridgeError, ChildError, DepositError, DevnetError, FeedError, FlowError),
    *(NodeUnreachableError, RpcError, TimeoutError),
)


def flow(
    file: Annotated[
        Path, typer.Argument(help="Recorded feed, .ndjson or .ndjson.gz.", exists=True)
    ],
    url: Annotated[
        str | None,
        typer.Option(help="A running devnet's RPC; without it a private devnet is started."),
    ] = None,
    devnet: Annotated[
        Path, typer.Option(help="With --url: the devnet's file with keys and contracts.")
    ] = Path(".novation/devnet/devnet.json"),
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Only the first seconds of the feed.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="Times real time; without it as fast as it goes."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Send real order flow: a recorded feed becomes signed orders of makers and takers."""
    options = FlowOptions(file, url, devnet, seconds, speed)
    try:
        result = uvloop.run(_interruptible(options, visible=sys.stderr.isatty()))
    except KNOWN_ERRORS as error:
        print(f"flow: {str(error) or type(error).__name__}", file=sys.stderr)
        raise typer.Exit(1) from error
    except asyncio.CancelledError as error:
        print("flow: stopped", file=sys.stderr)
        raise typer.Exit(130) from error
    if json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        print_table(result, Console())
    if not result.equal:
        raise typer.Exit(1)


def run(arguments: list[str]) -> int:
    """Parse the command line and run."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(flow)
    app(args=arguments, prog_name="novation flow")
    return 0


async def _interruptible(options: FlowOptions, *, visible: bool) -> FlowResult:
    """Ctrl-C ends the flow in order: what it has started is stopped."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with Progress(visible=visible) as progress:
        return await run_flow(options, progress)
