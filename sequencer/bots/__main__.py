"""
`python -m sequencer.bots FILE`: the devnet's reporters, makers and claimer, in one process.

In:  a JSON file that `sequencer.devnet` writes (keys of the test mnemonic among it).
Out: reports and quotes through the public interface, withdrawals paid on L1 once they are
confirmed; until SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import msgspec

from bridge.deployment import Deployment
from bridge.errors import BridgeError
from bridge.l1.http import HttpL1
from bridge.l1.wallet import Wallet
from sequencer.bots.maker import Maker, Style
from sequencer.oracle import Oracle, RandomWalk, Reporter, continue_walk
from sequencer.sdk.account import Account
from sequencer.sdk.claim import Claimer
from sequencer.sdk.client import Client, NodeUnreachableError, RpcError
from sequencer.sdk.signing import Key

RETRY_S = 1.0


class BotsFile(msgspec.Struct):
    """What the process is given; keys are hex."""

    url: str
    l1_url: str
    deployment: str
    chain_id: int
    inbox: str
    seed: int
    claimer: str
    reporters: list[str]
    makers: list[str]
    feeds: dict[int, tuple[int, int]]
    """feed -> market, price_e9 at the very beginning"""


def main() -> int:
    """Run until told to stop."""
    given = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=BotsFile, strict=False)
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_run(given))
    return 0


async def _run(given: BotsFile) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    reporters = [
        Reporter(_key(key), given.chain_id, bytes.fromhex(given.inbox[2:]))
        for key in given.reporters
    ]
    walk = RandomWalk(given.seed, {feed: price for feed, (_, price) in given.feeds.items()})
    oracle = Oracle(reporters, walk, list(given.feeds))
    markets = [market for market, _ in given.feeds.values()]
    deployment = Deployment.load(Path(given.deployment))
    async with (
        HttpL1(given.l1_url) as l1,
        Client(given.url) as node,
        asyncio.TaskGroup() as group,
    ):
        await _continue(node, walk, {feed: market for feed, (market, _) in given.feeds.items()})
        group.create_task(oracle.run(node))
        gas_key = bytes.fromhex(given.claimer.removeprefix("0x"))
        wallet = Wallet(l1, gas_key, chain_id=deployment.l1_chain_id, role="claimer")
        group.create_task(_claim(Claimer(l1, wallet, deployment), node))
        for i, key in enumerate(given.makers):
            # Each next maker stands a little further out and shows more.
            style = Style(half_spread_ppm=150 + 70 * i, level_usd_e9=(5 + 5 * i) * 10**12)
            maker = Maker(Account(_key(key), given.chain_id), markets, style)
            group.create_task(maker.run(node))


async def _continue(node: Client, walk: RandomWalk, feeds: dict[int, int]) -> None:
    while True:
        try:
            return await continue_walk(node, walk, feeds)
        except (NodeUnreachableError, RpcError):
            await asyncio.sleep(RETRY_S)


async def _claim(claimer: Claimer, node: Client) -> None:
    while True:
        try:
            await claimer.claim_confirmed(node)
        except (BridgeError, NodeUnreachableError, RpcError) as error:
            print(f"claimer: {error}", file=sys.stderr, flush=True)
        await asyncio.sleep(RETRY_S)


def _key(text: str) -> Key:
    return Key(bytes.fromhex(text.removeprefix("0x")))


if __name__ == "__main__":
    sys.exit(main())
