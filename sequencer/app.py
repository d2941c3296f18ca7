"""
App: one node, put together.

In:  `NodeConfig`.
Out: a running node, until it is told to stop or cannot go on.

Start: store -> journal -> replay -> servers -> L1 -> live. If L1 can no longer take some batches,
the node goes back to the record before them, adopts what L1 has instead, and sequences their inputs
anew (rollup.md §10); the servers stay up meanwhile, and refuse writes.

Holds: phases `starting, replay, l1_sync, resequencing, live, draining, failed`; a failure keeps all
       data and says why; a drained node has posted what it sealed, as far as time allows.
Not here: what the parts do.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
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
from sequencer import displacement, entries, logs, metrics
from sequencer.admission import Admission
from sequencer.clock import Clock, SystemClock
from sequencer.config import NodeConfig
from sequencer.core import CONFIRMED, Core, NodeError
from sequencer.displacement import Move, Stand
from sequencer.execution import Outcome
from sequencer.journal import LocalJournal
from sequencer.l1 import L1Feed
from sequencer.ordering import Ordering
from sequencer.pipeline import EntryPipeline
from sequencer.resequencing import Resequencing
from sequencer.rpc.errors import Refused
from state._native import version
from state.store import Store

log = logs.get("node")
MEASURE_S = 5.0
L1_RETRY_S = 1.0
ANEW_S, ANEW_S_MAX = 1.0, 30.0
KEEP_RECORDS = 64
"""Safe records that could still be taken back, if L1 goes back deeper than `direct_depth`."""


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
        self._line: list[asyncio.Task[None]] = []
        self._last_anew: int | None = None
        self._anew_s = ANEW_S
        self._loading: asyncio.Future[Core] | None = None
        self._posting: asyncio.Task[None] | None = None
        self._displaced = asyncio.Event()
        self._displaced_record: int | None = None
        self._landed: asyncio.Queue[Landed] = asyncio.Queue()
        self._renewals: list[Callable[[], None]] = []
        self._heads: list[Callable[[], None]] = []
        self._trimmed = 0
        metrics.set_phase(self.phase)
        self._open()

    # --- putting together ---

    def _open(self) -> None:
        config, deployment = self.config, self.deployment
        self.chain_id = deployment.l2_chain_id
        self.store = Store.open(
            config.data_dir / "state",
            chain_id=self.chain_id,
            map_size_max=config.store_map_gib << 30,
        )
        self.journal = LocalJournal(
            config.data_dir / "journal",
            segment_bytes=config.journal_segment_mib << 20,
            on_sync=_synced(self),
        )
        self.term = self.journal.acquire()
        self.l1 = HttpL1(config.l1_url)
        self.wallet = Wallet(
            self.l1,
            config.key("poster"),
            chain_id=deployment.l1_chain_id,
            role="poster",
            folder=config.data_dir / "poster",
        )
        self.poster = Poster(self.l1, self.wallet, deployment, self._on_poster)
        self._set_phase("replay")
        self._connect(self._load())

    def _load(self) -> Core:
        return Core(
            self.config, self.deployment, self.store, self.journal, self.clock, self._running_hash
        )

    def _connect(self, core: Core) -> None:
        """Put new parts around a new core."""
        config, deployment = self.config, self.deployment
        self.core = core
        self.engine, self.chain, self.signer = core.engine, core.chain, core.signer
        self.finality, self.sealing = core.finality, core.sealing
        self.ordering = Ordering(
            self.clock,
            block_ms=config.block_ms,
            batch_ms=config.batch_ms,
            directs_per_block=config.direct_inputs_per_block,
            last_time_ms=core.engine.time_ms,
            direct_to=core.engine.direct_cursor,
        )
        if core.execution.batch_is_open:
            self.ordering.resume_batch(core.execution.batch_time_ms)
        self.pipeline = EntryPipeline(
            self.journal,
            self.term,
            self.journal.next_seq,
            core.execution,
            on_landed=self._on_landed,
            on_sealed=core.sealing.put,
            on_outcome=self._on_outcome,
        )
        chain = core.chain
        self.admission = Admission(
            core.verifier,
            self.ordering,
            self.pipeline,
            find=lambda digest: chain.find(digest) is not None,
            queue_inputs=config.queue_envelopes,
            queue_bytes=config.queue_mib << 20,
        )
        self.feed = L1Feed(
            Follower(self.l1, deployment, deployment.direct_depth),
            self.store,
            self.ordering,
            core.finality,
            wake=self.admission.wake,
            displaced=self._displace,
        )

    # --- running ---

    async def start(self) -> None:
        """Start the parts; returns at once, `wait_live` waits."""
        metrics.INFO.labels(version(), str(self.chain_id), str(self.deployment.l1_chain_id)).set(1)
        self._spawn("loop_lag", metrics.sample_loop_lag())
        self._spawn("landed", self._note_landed())
        self._spawn("life", self._live())

    def lag(self) -> float:
        """How far posting is behind: 0 = not at all, 1 = admission stops."""
        return self.sealing.lag()

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
            "posting": self.lag() < 1,
        }

    def on_renewed(self, call: Callable[[], None]) -> None:
        """Call back when engine, chain, finality and admission are others than before."""
        self._renewals.append(call)

    async def drain(self) -> None:
        """Take nothing more, finish what was taken, seal, post; then end every task."""
        failed = self.failure is not None
        if not failed:
            self._set_phase("draining")
        self.admission.close(self.phase)
        await _end([each for each in self._tasks if each.get_name() == "life"])
        if self._loading is not None and not self._loading.done():
            (await self._loading).close()
        if not failed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.config.shutdown_s):
                    await self._drain_line(seal=True)
                    await self._drain_posting()
        posting = [] if self._posting is None else [self._posting]
        await _end(self._line + posting + self._tasks)
        self.admission.fail(NodeError("the node has stopped"))

    async def close(self) -> None:
        """Close everything, when nobody reads any more."""
        await asyncio.to_thread(self._close_core)
        await asyncio.to_thread(self.journal.release, self.term)
        await asyncio.to_thread(self.store.close)
        await self.l1.close()

    async def stop(self) -> None:
        """Drain and close."""
        await self.drain()
        await self.close()

    def _close_core(self) -> None:
        self.core.close()
        self.pipeline.close()

    async def _drain_posting(self) -> None:
        while self._posting is not None and self.finality.oldest_unposted_ms() is not None:
            await asyncio.sleep(0.05)

    async def _drain_line(self, *, seal: bool) -> None:
        """Run what was taken to its end."""
        by_name = {task.get_name(): task for task in self._line}
        if not by_name:
            return
        self.admission.stop()
        await asyncio.wait([by_name["admission"]])
        work = self.ordering.finish() if seal else None
        if work is not None:
            await self.pipeline.put(work)
        await self.pipeline.stop()
        await asyncio.wait([by_name["pipeline"]])
        await self.sealing.stop()
        await asyncio.wait([by_name["sealing"]])

    # --- from start to live, and again after each reorganisation ---

    async def _live(self) -> None:
        await self._check_l1()
        self._start_line()
        self._set_phase("l1_sync")
        await self.feed.wait_synced()
        self._spawn("poster", self.poster.run())
        self._spawn("gauges", self._measure())
        while True:
            await self.feed.wait_synced()
            while (move := await self._look()).record is None:
                await self._post_from(move.posted)
                await self._serve()
            await self._begin_anew(move)

    async def _check_l1(self) -> None:
        while True:
            try:
                await self.deployment.check(self.l1)
                return
            except L1Error as error:
                log.warning("l1.unreachable", url=self.config.l1_url, error=str(error))
                await asyncio.sleep(L1_RETRY_S)

    def _start_line(self) -> None:
        self._line = [
            self._task("l1", self.feed.run()),
            self._task("admission", self.admission.run()),
            self._task("pipeline", self.pipeline.run()),
            self._task("sealing", self.sealing.run()),
        ]

    async def _look(self) -> Move:
        """Compare with L1's head: what it has of ours, and what it can never have."""
        record, self._displaced_record = self._displaced_record, None
        self._displaced.clear()
        stand = await self._look_at_l1()
        execution = self.core.execution
        opened_ms = execution.batch_time_ms if execution.batch_is_open else None
        return await asyncio.to_thread(
            displacement.decide,
            stand,
            self.store,
            displacement.Open(opened_ms, execution.directs),
            record,
            self.deployment.max_lag_s * 1_000,
        )

    async def _look_at_l1(self) -> Stand:
        while True:
            try:
                return await displacement.look(self.l1, self.feed.fork())
            except L1Error as error:
                log.warning("l1.unreachable", url=self.config.l1_url, error=str(error))
                await asyncio.sleep(L1_RETRY_S)

    async def _post_from(self, first: int) -> None:
        """Post batches from record `first` on; L1 has those before."""
        await self._end_posting()
        self.finality.posted_are(first)
        self._posting = self._task("posting", self.sealing.post(self.poster, first))

    async def _end_posting(self) -> None:
        if self._posting is not None:
            await _end([self._posting])
            self._posting = None
        await self.poster.reset()

    async def _serve(self) -> None:
        """Bring back what was displaced, then be live; ends when L1 displaces something."""
        todo = displacement.pending(self.store)
        if todo is not None:
            self._set_phase("resequencing")
            parts = (self.journal, self.store, self.core, self.ordering, self.admission)
            if not await self._unless_displaced(Resequencing(*parts).run(todo)):
                return
        if self.phase != "live":
            self._set_phase("live")
            self.admission.open(self.lag)
            log.info(
                "node.live",
                chain_id=self.chain_id,
                block=self.chain.head.number,
                record=self.sealing.next_record,
                seconds=round(time.monotonic() - self.started, 3),
            )
        await self._displaced.wait()

    async def _unless_displaced(self, work: Coroutine[None, None, None]) -> bool:
        """Do it to its end, unless L1 displaces something; whether it was done."""
        tasks = [asyncio.create_task(work), asyncio.create_task(self._displaced.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not tasks[0].done():
                return False
            tasks[0].result()
            return True
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin_anew(self, move: Move) -> None:
        """Go back to the state before a record; what came after it follows again."""
        await self._pace(move)
        log.error("batches.displaced", record=move.record, why=move.why)
        self._set_phase("resequencing")
        self.admission.close(self.phase)
        await self._end_posting()
        await self._drain_line(seal=False)
        await _end(self._line)
        self._line = []
        # From here on nothing runs but this; the entry decides, whatever happens after it.
        reorg = await asyncio.to_thread(displacement.plan, self.journal, self.store, move)
        self.term = self.journal.new_term()
        entry = entries.encode(entries.Entry(reorg=reorg))
        await self.journal.append(self.term, self.journal.next_seq, entry)
        await asyncio.to_thread(self._close_core)
        self._loading = asyncio.ensure_future(asyncio.to_thread(self._load))
        self._connect(await asyncio.shield(self._loading))
        self.admission.close(self.phase)
        for call in self._renewals:
            call()
        self._start_line()

    async def _pace(self, move: Move) -> None:
        """Wait before the same record is displaced again: something is wrong with time or L1."""
        if move.record == self._last_anew:
            log.error("batches.displaced_again", record=move.record, wait_s=self._anew_s)
            await asyncio.sleep(self._anew_s)
            self._anew_s = min(2 * self._anew_s, ANEW_S_MAX)
        else:
            self._last_anew, self._anew_s = move.record, ANEW_S

    async def _note_landed(self) -> None:
        while True:
            event = await self._landed.get()
            if event.tx_hash is not None:
                await asyncio.to_thread(
                    self.store.note_landed,
                    *(event.record, event.content, event.l1_block, event.tx_hash),
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
        """Drop journal segments and batch data that L1 has, deeper than it ever went back."""
        safe = self.finality.safe.records
        keep = safe - KEEP_RECORDS
        if safe <= self._trimmed or displacement.pending(self.store) is not None:
            return
        self._trimmed = safe
        self.store.put_meta(CONFIRMED, self.finality.confirmed.records.to_bytes(8, "big"))
        if keep <= 0:
            return
        self.store.drop_batch_data(keep)
        position = self.store.journal_position(keep - 1)
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
                self._landed.put_nowait(event)
            case Displaced():
                log.error("batch.displaced", record=event.record, reason=event.reason)
                self._displace(event.record)
            case Stalled():
                log.error("batch.stalled", record=event.record, error=event.detail)

    def _displace(self, record: int | None = None) -> None:
        """Something of ours may never land: look."""
        if record is not None:
            self._displaced_record = record
        self._displaced.set()

    def _spawn(self, name: str, work: Awaitable[None]) -> None:
        self._tasks.append(self._task(name, work))

    def _task(self, name: str, work: Awaitable[None]) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except BaseException as exc:
                self._fail(exc)

        return asyncio.create_task(guarded(), name=name)

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


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for them."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
