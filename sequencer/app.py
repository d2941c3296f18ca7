"""
App: one node, put together.

In:  `NodeConfig`.
Out: a running node, until it is told to stop or cannot go on.

Start: store -> journal -> replay -> servers -> L1 -> live. Replay runs the entries behind the
stored state through the same execution that made them; batches come out again, byte for byte.

Holds: phases `starting, replay, l1_sync, live, draining, failed`; a failure keeps all data and says
       why; a drained node has posted what it sealed, as far as time allows.
Not here: what the parts do.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bridge import metrics as bridge_metrics
from bridge.deployment import Deployment
from bridge.errors import L1Error
from bridge.follower import Follower
from bridge.l1.client import to_hex
from bridge.l1.contracts import encode_call
from bridge.l1.http import HttpL1
from bridge.l1.wallet import Wallet
from bridge.poster import Displaced, Landed, Poster, PosterEvent, Stalled
from sequencer import entries, logs, metrics
from sequencer.admission import Admission
from sequencer.chain import Chain
from sequencer.clock import Clock, SystemClock
from sequencer.config import NodeConfig
from sequencer.execution import Execution, Outcome
from sequencer.finality import Finality
from sequencer.journal import LocalJournal
from sequencer.l1 import DivergedError, L1Feed
from sequencer.ordering import Ordering
from sequencer.pipeline import EntryPipeline
from sequencer.promises import ZERO, Signer
from sequencer.rpc.errors import Refused
from sequencer.sealing import Sealing
from sequencer.verifier import NativeVerifier
from state._native import Engine, Refusal, header_root, version
from state.store import Store

log = logs.get("node")
MEASURE_S = 5.0
CONFIRMED = "confirmed_records"


class NodeError(Exception):
    """The node cannot start or go on; the message says what to do."""


class Node:
    """Everything that one sequencer node is made of."""

    def __init__(self, config: NodeConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or SystemClock()
        self.deployment = Deployment.load(config.deployment)
        self.phase = "starting"
        self.failure: BaseException | None = None
        self.started = time.monotonic()
        self._failed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._heads: list[Callable[[], None]] = []
        self._trimmed = 0
        metrics.set_phase(self.phase)
        self._load()

    # --- putting together ---

    def _load(self) -> None:
        config, deployment = self.config, self.deployment
        self.chain_id = deployment.l2_chain_id
        self.engine = Engine(self.chain_id, deployment.inbox)
        self.store = Store.open(
            config.data_dir / "state",
            chain_id=self.chain_id,
            map_size_max=config.store_map_gib << 30,
        )
        head = self.store.load_into(self.engine)
        if head is None and header_root(self.engine.header) != deployment.genesis_root:
            raise NodeError(
                "the deployment's genesis root is not that of this program: deploy again, or use "
                "the version of the program that deployed it"
            )
        self.journal = LocalJournal(
            config.data_dir / "journal",
            segment_bytes=config.journal_segment_mib << 20,
            on_sync=_synced(self),
        )
        self.term = self.journal.acquire()
        self.chain = Chain(self.store)
        last_group = self.store.group_of(self.engine.next_seq - 1) if self.engine.next_seq else None
        self.signer = Signer(
            config.key("sequencer"),
            self.chain_id,
            deployment.inbox,
            last_group.digest if last_group else ZERO,
        )
        self.execution = Execution(self.engine, self.chain, self.signer)
        self.verifier = NativeVerifier(
            self.engine, self.chain_id, deployment.inbox, config.verify_threads
        )
        self.finality = _finality_of(self.store)
        self.sealing = Sealing(
            self.engine,
            self.store,
            self.chain,
            self.finality,
            self.clock,
            max_lag_ms=deployment.max_lag_s * 1_000,
            running_hash=self._running_hash,
        )
        self._set_phase("replay")
        self._replay(0 if head is None else head.journal_position)
        self._connect()

    def _replay(self, position: int) -> None:
        """Run what the journal has behind the stored state."""
        first, skip = entries.split_position(position)
        count = 0
        for each in self.journal.read(first):
            entry = entries.decode(each.payload)
            verified = []
            for input_ in self.verifier.recover(entry.items):
                if input_ is None or isinstance(input_, Refusal):
                    raise NodeError(
                        f"entry {each.seq} of the journal has an input that is not valid: the "
                        "journal is of another chain, or damaged"
                    )
                verified.append(input_)
            outcome = self.execution.run(each.seq, each.term, entry, verified, skip)
            skip = None
            for sealed in outcome.sealed:
                row = self.sealing.commit_now(sealed)
                self.finality.sealed(row.record, row.first_block + row.blocks - 1, row.t_first_ms)
            count += 1
        self.execution.close_block()
        if count:
            log.info("journal.replayed", entries=count, next_seq=self.engine.next_seq)

    def _connect(self) -> None:
        config, deployment = self.config, self.deployment
        self.ordering = Ordering(
            self.clock,
            block_ms=config.block_ms,
            batch_ms=config.batch_ms,
            directs_per_block=config.direct_inputs_per_block,
            last_time_ms=self.engine.time_ms,
            direct_to=self.engine.direct_cursor,
        )
        if self.execution.batch_is_open:
            self.ordering.resume_batch(self.execution.batch_time_ms)
        self.pipeline = EntryPipeline(
            self.journal,
            self.term,
            self.journal.next_seq,
            self.execution,
            on_landed=self._on_landed,
            on_sealed=self.sealing.put,
            on_outcome=self._on_outcome,
        )
        self.admission = Admission(
            self.verifier,
            self.ordering,
            self.pipeline,
            find=lambda digest: self.chain.find(digest) is not None,
            queue_inputs=config.queue_envelopes,
            queue_bytes=config.queue_mib << 20,
        )
        self.l1 = HttpL1(config.l1_url)
        self.feed = L1Feed(
            Follower(self.l1, deployment, deployment.direct_depth),
            self.store,
            self.ordering,
            self.finality,
            wake=self.admission.wake,
        )
        self.wallet = Wallet(
            self.l1,
            config.key("poster"),
            chain_id=deployment.l1_chain_id,
            role="poster",
            folder=config.data_dir / "poster",
        )
        self.poster = Poster(self.l1, self.wallet, deployment, self._on_poster)

    # --- running ---

    async def start(self) -> None:
        """Start the parts; returns at once, `wait_live` waits."""
        metrics.INFO.labels(version(), str(self.chain_id), str(self.deployment.l1_chain_id)).set(1)
        self._spawn("l1", self._follow())
        self._spawn("admission", self.admission.run())
        self._spawn("pipeline", self.pipeline.run())
        self._spawn("sealing", self.sealing.run())
        self._spawn("loop_lag", metrics.sample_loop_lag())
        self._spawn("live", self._go_live())

    async def wait_failed(self) -> None:
        """Wait until the node cannot go on."""
        await self._failed.wait()

    def on_head(self, call: Callable[[], None]) -> None:
        """Call back after each step that may have closed blocks."""
        self._heads.append(call)

    def checks(self) -> dict[str, bool]:
        """What readiness is made of, by name."""
        return {
            "live": self.phase == "live",
            "leader": self.journal.failure is None,
            "journal": self.journal.failure is None,
            "l1": self.feed.reachable,
            "posting": self.sealing.lag() < 1,
        }

    async def stop(self) -> None:
        """Drain: take nothing more, finish what was taken, seal, post, close."""
        failed = self.failure is not None
        if not failed:
            self._set_phase("draining")
        self.admission.close(self.phase)
        if not failed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.config.shutdown_s):
                    await self._drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.admission.fail(NodeError("the node has stopped"))
        self.verifier.close()
        await asyncio.to_thread(self.journal.release, self.term)
        self.store.close()
        await self.l1.close()

    async def _drain(self) -> None:
        by_name = {task.get_name(): task for task in self._tasks}
        self.admission.stop()
        await by_name["admission"]
        work = self.ordering.finish()
        if work is not None:
            await self.pipeline.put(work)
        await self.pipeline.stop()
        await by_name["pipeline"]
        await self.sealing.stop()
        await by_name["sealing"]
        while self.finality.oldest_unposted_ms() is not None:
            await asyncio.sleep(0.05)

    async def _follow(self) -> None:
        while True:
            try:
                await self.deployment.check(self.l1)
                break
            except L1Error as error:
                log.warning("l1.unreachable", url=self.config.l1_url, error=str(error))
                await asyncio.sleep(1.0)
        await self.feed.run()

    async def _go_live(self) -> None:
        self._set_phase("l1_sync")
        await self.feed.wait_synced()
        self._spawn("poster", self.poster.run())
        self._spawn("posting", self.sealing.post(self.poster, self.finality.safe.records))
        self._spawn("gauges", self._measure())
        self._set_phase("live")
        self.admission.open(self.sealing.lag)
        log.info(
            "node.live",
            chain_id=self.chain_id,
            block=self.chain.head.number,
            record=self.sealing.next_record,
            seconds=round(time.monotonic() - self.started, 3),
        )

    async def _measure(self) -> None:
        """Gauges that need a look at the state, and what is safe to forget."""
        while True:
            await asyncio.to_thread(self._measure_once)
            with contextlib.suppress(L1Error):
                await self.wallet.update_balance()
                await self._measure_solvency()
            await asyncio.sleep(MEASURE_S)

    async def _measure_solvency(self) -> None:
        """What the vault holds less what is owed; deposits on their way make it positive."""
        deployment = self.deployment
        if self.feed.l1_block < deployment.deploy_block:
            return  # nothing was followed yet, and before that block there is no token to ask
        block = hex(self.feed.l1_block)
        paid = self.feed.paid_units
        calldata = encode_call("TestUSD", "balanceOf", deployment.vault)
        call = {"to": to_hex(deployment.token), "data": to_hex(calldata)}
        held = int(await self.l1.request("eth_call", [call, block]), 16)
        deposits_e9 = (await asyncio.to_thread(self.engine.chain_view))["deposits_e9"]
        owed = deposits_e9 // deployment.token_unit_e9 - paid
        bridge_metrics.SOLVENCY.labels("quote").set(held - owed)

    def _measure_once(self) -> None:
        now_ms = self.clock.now_ms()
        for number in range(self.engine.chain_view()["market_count"]):
            market = self.engine.market_view(number)
            if market is not None and market["index_time_ms"]:
                age_s = max(0, now_ms - market["index_time_ms"]) / 1_000
                metrics.ORACLE_AGE.labels(market["name"]).set(age_s)
        metrics.BLOCK_HEAD.labels("received").set(self.chain.head.number)
        self._forget_safe()

    def _forget_safe(self) -> None:
        """Drop journal segments and batch data that L1 has, deep."""
        safe = self.finality.safe.records
        if safe <= self._trimmed:
            return
        self._trimmed = safe
        self.store.put_meta(CONFIRMED, self.finality.confirmed.records.to_bytes(8, "big"))
        self.store.drop_batch_data(safe)
        position = self.store.journal_position(safe - 1)
        if position is not None and self.config.journal_retain == "safe":
            self.journal.trim(entries.split_position(position)[0])

    # --- what the parts tell and ask ---

    def _running_hash(self, count: int) -> bytes | None:
        return self.feed.running_hash(count)

    def _on_landed(self, digest: bytes, result: bytes | Refused) -> None:
        self.admission.landed(digest, result)

    def _on_outcome(self, outcome: Outcome) -> None:
        if outcome.sealed_early:
            self.ordering.batch_sealed_early()
        for call in self._heads:
            call()

    def _on_poster(self, event: PosterEvent) -> None:
        match event:
            case Landed():
                self.finality.reach(self.finality.posted, event.record + 1)
            case Displaced():
                self._fail(
                    DivergedError(
                        f"batch {event.record} can never land on L1 ({event.reason}: "
                        f"{event.detail}). The journal is kept; inputs from this batch on must be "
                        "sequenced anew, which this version does not do by itself"
                    )
                )
            case Stalled():
                log.error("batch.stalled", record=event.record, error=event.detail)

    def _spawn(self, name: str, work: Awaitable[None]) -> None:
        async def guarded() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except BaseException as exc:
                self._fail(exc)

        self._tasks.append(asyncio.create_task(guarded(), name=name))

    def _fail(self, exc: BaseException) -> None:
        if self.failure is None:
            self.failure = exc
            log.error("node.failed", error=f"{type(exc).__name__}: {exc}", exc_info=exc)
        self._set_phase("failed")
        self.admission.close("failed")
        self.admission.fail(NodeError("the node has failed"))
        self._failed.set()

    def _set_phase(self, phase: str) -> None:
        self.phase = phase
        metrics.set_phase(phase)


def _finality_of(store: Store) -> Finality:
    """Where an earlier run has seen confirmed batches end."""
    stored = store.meta(CONFIRMED)
    records = int.from_bytes(stored, "big") if stored else 0
    row = store.batch(records - 1) if records else None
    if row is None:
        return Finality()
    return Finality(records, row.first_block + row.blocks - 1)


def _synced(node: Node) -> Callable[[float], None]:
    written = 0

    def on_sync(seconds: float) -> None:
        nonlocal written
        metrics.FSYNC.observe(seconds)
        metrics.JOURNAL_BYTES.inc(node.journal.bytes_written - written)
        written = node.journal.bytes_written

    return on_sync


def write_ports(path: Path | None, rpc_port: int, metrics_port: int) -> None:
    """Say which ports were really taken, for whoever started the node."""
    if path is not None:
        aside = path.with_suffix(".new")
        aside.write_text(f'{{"rpc": {rpc_port}, "metrics": {metrics_port}}}\n')
        aside.rename(path)
