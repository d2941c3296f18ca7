"""
`python -m bridge.l1.devnet`: runs the embedded L1 until it is told to stop.

In:    options of the command line.
Out:   one line on stdout once it answers; with `--show-keys` the test keys.
"""

from __future__ import annotations

import os

# Before anything imports eth-hash: five times as fast as its default.
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from bridge.l1.devnet.accounts import TEST_MNEMONIC, accounts
from bridge.l1.devnet.chain import Options
from bridge.l1.devnet.failure import RpcFailureError
from bridge.l1.devnet.server import Server
from bridge.l1.devnet.store import StoreLockedError


def main() -> int:
    """Run until SIGINT or SIGTERM."""
    given = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        return asyncio.run(_run(given))
    except (StoreLockedError, RpcFailureError) as error:
        print(f"l1: {error}", file=sys.stderr)
    except OSError as error:
        print(f"l1: cannot listen on {given.host}:{given.port}: {error}", file=sys.stderr)
    return 1


async def _run(given: argparse.Namespace) -> int:
    options = Options(
        chain_id=given.chain_id,
        accounts=given.accounts,
        mnemonic=given.mnemonic,
        safe_depth=given.safe_depth,
        finalized_depth=given.finalized_depth,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = Server(given.data, options, given.interval)
    port = await server.start(given.host, given.port)
    if given.show_keys:
        _show_keys(options)
    print(f"l1: ready url=http://{given.host}:{port} chain_id={options.chain_id}", flush=True)
    await stop.wait()
    await server.stop()
    return 0


def _show_keys(options: Options) -> None:
    print("l1: TEST KEYS, known to everybody; never send anything of value to them")
    print(f"l1: mnemonic: {options.mnemonic}")
    for account in accounts(options.accounts, options.mnemonic):
        print(f"l1: ({account.index}) {account.checksum} 0x{account.key.hex()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bridge.l1.devnet", description="An Ethereum of one process, for tests."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8545, help="0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="folder of the chain")
    parser.add_argument("--chain-id", type=int, default=1337)
    parser.add_argument(
        "--interval",
        type=float,
        default=1.0,
        help="seconds between blocks; 0 = one per transaction",
    )
    parser.add_argument("--accounts", type=int, default=20, help="funded test accounts")
    parser.add_argument("--mnemonic", default=TEST_MNEMONIC)
    parser.add_argument("--safe-depth", type=int, default=4)
    parser.add_argument("--finalized-depth", type=int, default=8)
    parser.add_argument("--show-keys", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
