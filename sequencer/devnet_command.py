"""
`novation devnet`: a complete local rollup until Ctrl-C.

Out: a table of endpoints and test keys (or with `--json` one object); log files in the folder.
Exit codes: 0 stopped by Ctrl-C; 1 it could not start, or a child ended on its own; 2 options wrong.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from sequencer.devnet import Devnet, DevnetError, DevnetFile, DevnetOptions
from sequencer.processes import ChildError

DEFAULT_FOLDER = Path(".novation/devnet")


def devnet(  # noqa: PLR0913, PLR0917  (options of the command line)
    folder: Annotated[Path, typer.Option(help="Where its data is kept.")] = DEFAULT_FOLDER,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, with the next chain id.")
    ] = False,
    l1_url: Annotated[
        str | None, typer.Option(help="Another L1 (anvil, geth) instead of the embedded one.")
    ] = None,
    bots: Annotated[bool, typer.Option(help="Reporters and market makers.")] = True,
    l1_port: Annotated[int, typer.Option(min=0, max=65_535, help="0 = any free one.")] = 8545,
    rpc_port: Annotated[int, typer.Option(min=0, max=65_535, help="0 = any free one.")] = 9944,
    metrics_port: Annotated[int, typer.Option(min=0, max=65_535, help="0 = any free one.")] = 9945,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Run a complete local rollup: L1, contracts, node, validator, oracle, market makers."""
    options = DevnetOptions(
        folder=folder,
        l1_url=l1_url,
        l1_port=l1_port,
        rpc_port=rpc_port,
        metrics_port=metrics_port,
        fresh=fresh,
        bots=bots,
    )
    try:
        uvloop.run(_run(options, json=json))
    except (DevnetError, ChildError) as error:
        print(f"devnet: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def run(arguments: list[str]) -> int:
    """Parse the command line and run."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(devnet)
    app(args=arguments, prog_name="novation devnet")
    return 0


async def _run(options: DevnetOptions, *, json: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    started = time.perf_counter()
    console = Console(stderr=True)
    stopped = asyncio.create_task(stop.wait())
    starting: asyncio.Task[Devnet] = asyncio.create_task(_start(options, console))
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    devnet = starting.result()
    try:
        seconds = time.perf_counter() - started
        if json:
            sys.stdout.write(msgspec.json.encode(devnet.file).decode() + "\n")
            sys.stdout.flush()
        else:
            print_devnet(devnet.file, devnet.path, seconds, Console())
        ended = asyncio.create_task(devnet.children.first_ended())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done() and not stop.is_set():
            raise ChildError(ended.result().last_words())
        ended.cancel()
        console.print("devnet: stopping; its data is kept", highlight=False)
    finally:
        await devnet.stop()


async def _start(options: DevnetOptions, console: Console) -> Devnet:
    with console.status("devnet: L1") as status:
        devnet = Devnet(options, lambda text: status.update(f"devnet: {text}"))
        return await devnet.__aenter__()


def print_devnet(file: DevnetFile, path: Path, seconds: float, console: Console) -> None:
    """Show endpoints and keys."""
    title = f"Novation devnet, ready in {seconds:.1f} s"
    endpoints = Table(box=None, title=title, show_header=False)
    for name, value in (
        ("L2 RPC", f"{file.url}  chain id {file.l2_chain_id}, WebSocket too"),
        ("L1 RPC", f"{file.l1_url}  chain id {file.l1_chain_id}"),
        ("metrics", file.metrics_url),
        ("contracts", file.deployment),
        ("all of this", str(path)),
    ):
        endpoints.add_row(name, value)
    # A key and its role just fit into 80 columns without borders.
    keys = Table(box=None, title="TEST KEYS, known to everybody: never send anything of value here")
    for column in ("for", "address, private key"):
        keys.add_column(column, overflow="fold")
    for row in file.keys:
        keys.add_row(row.role, f"{row.address}\n{row.key}")
    console.print(endpoints)
    console.print(keys)
    console.print(f"mnemonic (tests only): {file.mnemonic}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C stops it; its data is kept.", highlight=False)
