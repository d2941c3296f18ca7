"""
Run: a whole flow: plan, sign, fund, clock, collect.

In:  `FlowOptions`.
Out: `FlowResult`.

Holds: the clock runs from the first request until the validator's root equals the sequencer's for
the last batch; planning, signing, deposits and reading receipts are outside it. What it starts it
stops.
Not here: the command line (`sequencer.flow.command`).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bridge import governance
from bridge.deploy import send_governance
from bridge.deployment import Deployment
from bridge.governance import BTC_PERPETUAL
from bridge.l1.client import L1, fetch_head, to_int
from bridge.l1.http import HttpL1
from bridge.l1.wallet import Wallet
from sequencer.devnet import TOKEN_USD, Devnet, DevnetFile, DevnetOptions, read_devnet
from sequencer.flow.collect import collect_batches, collect_receipts
from sequencer.flow.feed import read_feed
from sequencer.flow.memory import MemoryPeak
from sequencer.flow.plan import Counts, Limits, Planner
from sequencer.flow.prepare import Market, Preparer, Ready
from sequencer.flow.progress import Progress
from sequencer.flow.result import FlowResult
from sequencer.flow.roots import Roots, wait_equal
from sequencer.flow.send import FlowError, Sender, Sent
from sequencer.oracle import FollowedPrice, Oracle, Reporter
from sequencer.processes import ChildError
from sequencer.sdk.client import Client, NodeUnreachableError
from sequencer.sdk.deposit import Deposit, Funder, wait_credited
from sequencer.sdk.signing import Key
from sequencer.sdk.views import ask, ask_or_none, market_view

MAKER_USD, TAKER_USD = 5_000_000, 200_000
E9 = 1_000_000_000
BAND_PPM = 1_000_000
"""Wide: makers of the recorded day quoted down to 1,000 USD."""

REPORT_S = 0.25
FRESH_S_MAX = 30.0
EQUAL_S_MAX = 300.0
POLL_S = 0.1
MS_PER_S = 1_000
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class FlowOptions:
    """What to run."""

    feed: Path
    url: str | None = None
    devnet_file: Path = Path(".novation/devnet/devnet.json")
    seconds: float | None = None
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A signed flow."""

    envelopes: list[Ready]
    addresses: list[bytes]
    takers: int
    counts: Counts
    floor_bytes_fields: float
    seconds: float

    @property
    def feed_seconds(self) -> float:
        """Feed time between the first and the last envelope."""
        first, last = self.envelopes[0].time_ms, self.envelopes[-1].time_ms
        return (last - first) / MS_PER_S


@dataclass(slots=True)
class Place:
    """Where the flow runs: one rollup with its L1."""

    file: DevnetFile
    deployment: Deployment
    l1: L1
    node: Client


async def run_flow(options: FlowOptions, progress: Progress) -> FlowResult:
    """Run one flow from start to end."""
    async with _devnet(options, progress) as file, HttpL1(file.l1_url) as l1:
        async with Client(file.ws_url, timeout_s=60) as node:
            place = Place(file, Deployment.load(Path(file.deployment)), l1, node)
            return await _run(place, options, progress)


@contextlib.asynccontextmanager
async def _devnet(options: FlowOptions, progress: Progress) -> AsyncIterator[DevnetFile]:
    """The running devnet that was named, or a private one that ends with the flow."""
    if options.url is not None:
        file = read_devnet(options.devnet_file)
        file.ws_url = options.url.replace("http", "ws", 1)
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="novation-flow-") as folder:
        private = DevnetOptions(
            folder=Path(folder),
            l1_port=0,
            rpc_port=0,
            metrics_port=0,
            bots=False,
            markets=(dataclasses.replace(BTC_PERPETUAL, band_ppm=BAND_PPM),),
        )
        async with Devnet(private, progress.say) as devnet:
            try:
                yield devnet.file
            except (NodeUnreachableError, FlowError) as error:
                # If a process has ended, its last words say more; its log goes with the folder.
                ended = devnet.children.ended()
                raise ChildError(ended[0].last_words()) if ended else error from error


async def _run(place: Place, options: FlowOptions, progress: Progress) -> FlowResult:
    number = 0 if options.url is None else await _list_market(place)
    view = await ask(place.node, market_view(number))
    market = Market(number, view.tick_e9, view.lot_e9, view.band_ppm)
    prepared = _prepare(options, market, place.deployment.l2_chain_id, progress)
    await _fund(place, prepared, progress)
    source = FollowedPrice(view.feed, prepared.envelopes[0].price_e9)
    oracle = _oracle(place, source, view.feed)
    await _wait_fresh(place.node, oracle, number)
    l1_block = (await fetch_head(place.l1)).number + 1
    l2_block = to_int(await place.node.call("eth_blockNumber"))  # still open, perhaps
    sender = Sender(
        place.node, prepared.envelopes, speed=options.speed, progress=progress.operations
    )
    progress.start("sending", prepared.counts.operations)
    async with MemoryPeak(list(place.file.pids.values())) as memory:
        started = time.perf_counter()
        sent, roots = await _clock(place, sender, oracle, source)
        seconds = time.perf_counter() - started
    progress.start("receipts", len(prepared.envelopes))
    executed = await collect_receipts(
        place.node, prepared.envelopes, sent.refused, market, l2_block, progress.advance
    )
    posted = await collect_batches(place.l1, place.deployment, l1_block)
    rejected = dict(executed.rejected)
    for index, reason in sent.refused.items():
        rejected[reason] = rejected.get(reason, 0) + prepared.envelopes[index].operations
    operations = prepared.counts.operations
    signatures = len(prepared.envelopes) + oracle.sent
    floor = 64 * signatures + prepared.floor_bytes_fields
    return FlowResult(
        ops=operations,
        envelopes=len(prepared.envelopes),
        prepare_seconds=round(prepared.seconds, 3),
        seconds=round(seconds, 3),
        ops_per_s=round(operations / seconds, 1),
        feed_seconds=round(prepared.feed_seconds, 3),
        times_real_time=round(prepared.feed_seconds / seconds, 3),
        applied_share=round(1 - sum(rejected.values()) / operations, 6),
        rejected_by_reason=dict(sorted(rejected.items())),
        takers=prepared.counts.takers,
        takers_filled=executed.takers_filled,
        fills=executed.fills,
        batches=posted.batches,
        l1_bytes=posted.calldata_bytes,
        l1_bytes_per_op=round(posted.calldata_bytes / operations, 3),
        l1_bytes_floor_per_op=round(floor / operations, 3),
        l1_gas_per_op=round(posted.gas / operations, 1),
        memory_mb=memory.peak_bytes // MIB,
        sequencer_root=roots.sequencer,
        validator_root=roots.validator,
        equal=roots.equal,
    )


async def _list_market(place: Place) -> int:
    """A market of the flow's own on a devnet whose markets others trade; its number."""
    number = 0
    while await ask_or_none(place.node, market_view(number)) is not None:
        number += 1
    market = dataclasses.replace(
        BTC_PERPETUAL, market=number, name=f"FLOW-{number}", feed=number, band_ppm=BAND_PPM
    )
    deployment = place.deployment
    key = place.file.key("governor")
    wallet = Wallet(place.l1, key, chain_id=deployment.l1_chain_id, role="governor")
    for ticket in await send_governance(wallet, deployment, [governance.set_market(market)]):
        await wallet.wait(ticket)
    async with asyncio.timeout(FRESH_S_MAX):
        while await ask_or_none(place.node, market_view(number)) is None:
            await asyncio.sleep(POLL_S)
    return number


def _prepare(options: FlowOptions, market: Market, chain_id: int, progress: Progress) -> Prepared:
    started = time.perf_counter()
    planner = Planner(Limits(band_ppm=market.band_ppm))
    # On a devnet that others use too, each flow brings accounts of its own.
    seed = b"" if options.url is None else secrets.token_bytes(16)
    preparer = Preparer(market, chain_id, seed)
    progress.start("planning and signing", None)
    envelopes: list[Ready] = []
    for ready in preparer.prepare(planner.plan(read_feed(options.feed, options.seconds))):
        envelopes.append(ready)
        progress.advance(1)
    if not envelopes:
        raise FlowError(f"{options.feed.name} has nothing to send in its first seconds")
    return Prepared(
        envelopes=envelopes,
        addresses=[account.address for account in preparer.accounts],
        takers=planner.limits.takers,
        counts=planner.counts,
        floor_bytes_fields=preparer.entropy.floor_bytes(0),
        seconds=time.perf_counter() - started,
    )


async def _fund(place: Place, prepared: Prepared, progress: Progress) -> None:
    usd = [
        (address, TAKER_USD if index < prepared.takers else MAKER_USD)
        for index, address in enumerate(prepared.addresses)
    ]
    progress.start("deposits on L1", len(usd))
    funder = Funder(place.l1, place.file.key("faucet"), place.deployment)
    deposits = [Deposit(address, amount * TOKEN_USD) for address, amount in usd]
    await funder.fund(deposits, mint=True, landed=progress.reach)
    await wait_credited(place.node, [(address, amount * E9) for address, amount in usd])


def _oracle(place: Place, source: FollowedPrice, feed: int) -> Oracle:
    keys = [Key(place.file.key(f"reporter {i}")) for i in (1, 2, 3)]
    deployment = place.deployment
    reporters = [Reporter(key, deployment.l2_chain_id, deployment.inbox) for key in keys]
    return Oracle(reporters, source, [feed])


async def _wait_fresh(node: Client, oracle: Oracle, market: int) -> None:
    """Report until the market has an index: before that it takes reductions only."""
    async with asyncio.timeout(FRESH_S_MAX):
        while not (await ask(node, market_view(market))).fresh:
            await oracle.report_once(node)
            await asyncio.sleep(REPORT_S)


async def _clock(
    place: Place, sender: Sender, oracle: Oracle, source: FollowedPrice
) -> tuple[Sent, Roots]:
    """The timed part: everything is sent, posted, derived and compared."""

    async def follow() -> None:
        async with Client(place.file.ws_url) as node:  # its own: reports do not wait for envelopes
            while True:
                at = min(sender.index, len(sender.envelopes) - 1)
                source.now_e9 = sender.envelopes[at].price_e9
                await oracle.report_once(node)
                await asyncio.sleep(REPORT_S)

    reports = asyncio.create_task(follow())
    try:
        sent = await sender.run()
    finally:
        reports.cancel()
        await asyncio.gather(reports, return_exceptions=True)
    roots = await wait_equal(place.node, place.file.validator_url, timeout_s=EQUAL_S_MAX)
    return sent, roots
