"""
Poster: brings sealed batches to L1, in order, each once.

In:    `PendingBatch` from the node; its own view of L1.
Out:   events: `Landed`, `Settled`, `Displaced`, `Stalled`.
Holds: whether a batch is on L1 is decided by L1's content chain alone, never by what we remember of
       having sent. So a restart, a lost answer, a reorganisation or a second poster with the same
       batches need no case of their own: each step compares, then sends what is missing. Batches
       that landed are kept until they are deep, to be sent again if L1 loses them. A batch is sent
       a bounded number of times; then the poster says so and waits for a person.
Not here: fees and nonces (`l1.wallet`), when a batch is sealed (`sequencer.sealing`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge import metrics
from bridge.deployment import Deployment
from bridge.errors import (
    ContractError,
    L1Error,
    L1RpcError,
    L1UnreachableError,
    TransactionError,
)
from bridge.l1 import client
from bridge.l1.client import L1, Receipt
from bridge.l1.contracts import (
    call_request,
    contract_error,
    decode_event,
    decode_result,
    encode_call,
    event_topic,
)
from bridge.l1.signing import floor_gas, intrinsic_gas
from bridge.l1.wallet import Ticket, Wallet
from bridge.posting import (
    DISPLACING,
    Displaced,
    Landed,
    PendingBatch,
    PosterEvent,
    PosterOptions,
    Settled,
    Stalled,
)
from bridge.records import pair, record_leaf
from state.l1_records import RecordMeta

__all__ = [
    "Displaced",
    "Landed",
    "PendingBatch",
    "Poster",
    "PosterEvent",
    "PosterOptions",
    "Settled",
    "Stalled",
]

# Gas of `postBatch` beside its calldata (tests/contracts/gas.json), with room.
EXECUTION_GAS = 250_000
EXECUTION_GAS_PER_BYTE = 8
ACTION = "post_batch"
BALANCE_S = 10.0
log = logging.getLogger("bridge.poster")


@dataclass(slots=True)
class _Item:
    batch: PendingBatch
    content: bytes
    queued_s: float
    ticket: Ticket | None = None
    landed_block: int | None = None
    failures: int = 0
    not_before_s: float = 0.0
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class _View:
    """L1 at one moment."""

    head: client.Block
    content: bytes
    records: int


@dataclass(slots=True)
class Poster:
    """
    Posts the batches of one rollup; run `run` as a task.

    `on_event` is called from that task and must not block.
    """

    l1: L1
    wallet: Wallet
    deployment: Deployment
    on_event: Callable[[PosterEvent], None]
    options: PosterOptions = field(default_factory=PosterOptions)
    clock: Callable[[], float] = time.time
    _items: deque[_Item] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Condition = field(default_factory=asyncio.Condition)
    _displaced: bool = False
    _balance_due_s: float = 0.0

    @property
    def unposted(self) -> int:
        """Return how many batches are not on L1."""
        return sum(1 for item in self._items if item.landed_block is None)

    @property
    def oldest_unposted_ms(self) -> int | None:
        """Return when the oldest batch that is not on L1 begins; None if all are."""
        return next(
            (item.batch.t_first_ms for item in self._items if item.landed_block is None), None
        )

    async def submit(self, batch: PendingBatch) -> None:
        """Queue a batch; wait while the queue is full. After a restart submit what L1 may lack."""
        assert RecordMeta.decode(batch.meta).size_bytes == len(batch.data)
        async with self._room:
            await self._room.wait_for(lambda: self.unposted < self.options.queue_max)
            if self._items:
                assert batch.prev_content == self._items[-1].content, "batches must follow in order"
            content = pair(batch.prev_content, record_leaf(batch.meta, batch.data))
            self._items.append(_Item(batch, content, self.clock()))
        self._wake.set()

    async def reset(self) -> None:
        """Drop everything, after `Displaced`; the next batch may build on any content."""
        async with self._room:
            self._items.clear()
            self._displaced = False
            self._room.notify_all()

    async def run(self) -> None:
        """Post until cancelled."""
        await self.wallet.start()
        while True:
            try:
                await self.step()
            except L1Error as error:
                log.warning("poster.l1_failed error=%s", error)
            self._wake.clear()
            waiting = self.options.poll_s if self._items else None
            try:
                await asyncio.wait_for(self._wake.wait(), waiting)
            except TimeoutError:
                continue

    async def step(self) -> None:
        """Compare with L1 once, and send what is missing."""
        if self.clock() >= self._balance_due_s:
            self._balance_due_s = self.clock() + BALANCE_S
            await self.wallet.update_balance()
        await self.wallet.tick()
        if not self._items or self._displaced:
            self._measure()
            return
        view = await self._fetch_view()
        position = self._position(view.content)
        if position is None:
            position = await self._position_in_logs(view)
        if position is None:
            await self._displace(0, *await self._why_moved(view))
            return
        self._mark_landed(position, view.head.number)
        await self._settle(view.head.number)
        await self._send_missing(view)
        self._measure()

    async def _fetch_view(self) -> _View:
        inbox = self.deployment.inbox
        block, content, records = await self.l1.request_many(
            [
                ("eth_getBlockByNumber", ["latest", False]),
                call_request("Inbox", inbox, "content"),
                call_request("Inbox", inbox, "recordCount"),
            ]
        )
        head = client.read_block(block)
        if head is None:
            raise L1UnreachableError("L1 has no block yet")
        return _View(
            head,
            decode_result("Inbox", "content", client.to_bytes(content)),
            decode_result("Inbox", "recordCount", client.to_bytes(records)),
        )

    def _position(self, content: bytes) -> int | None:
        """Return how many of our batches L1 has; None if it has something else."""
        for index, item in enumerate(self._items):
            if item.batch.prev_content == content:
                return index
        return len(self._items) if self._items[-1].content == content else None

    async def _position_in_logs(self, view: _View) -> int | None:
        """Return the same when L1 is further than the queue: after a restart, while it fills."""
        last = self._items[-1]
        if view.records <= last.batch.record + 1:
            return None
        query = {
            "address": client.to_hex(self.deployment.inbox),
            "topics": [
                client.to_hex(event_topic("Inbox", "BatchPosted")),
                client.to_hex(last.batch.record.to_bytes(32, "big")),
            ],
            "fromBlock": hex(self.deployment.deploy_block),
            "toBlock": hex(view.head.number),
        }
        rows = await self.l1.request("eth_getLogs", [query])
        found = [decode_event("Inbox", client.read_log(row)) for row in rows]
        same = any(item is not None and item[1]["content"] == last.content for item in found)
        return len(self._items) if same else None

    def _mark_landed(self, position: int, head: int) -> None:
        for index, item in enumerate(self._items):
            if index < position and item.landed_block is None:
                self._landed(item, head)
            elif index >= position and item.landed_block is not None:
                log.warning("batch.reorged record=%d", item.batch.record)
                metrics.BATCHES.labels("calldata", "reorged").inc()
                item.landed_block, item.ticket = None, None

    def _landed(self, item: _Item, head: int) -> None:
        receipt = _receipt(item.ticket)
        item.landed_block = head if receipt is None else receipt.block
        item.failures, item.stalled = 0, False
        size = len(item.batch.data)
        metrics.BATCHES.labels("calldata", "landed").inc()
        metrics.POSTED_BYTES.inc(size)
        tx_hash = None if receipt is None else receipt.tx_hash
        log.info(
            "batch.posted record=%d size_bytes=%d l1_block=%d",
            *(item.batch.record, size, item.landed_block),
        )
        self.on_event(Landed(item.batch.record, item.content, item.landed_block, tx_hash))

    async def _settle(self, head: int) -> None:
        depth = self.options.settle_depth
        while self._items:
            landed = self._items[0].landed_block
            if landed is None or head - landed < depth:
                break
            # The newest stays, so that its content can still be compared with L1's.
            if len(self._items) == 1:
                break
            self.on_event(Settled(self._items.popleft().batch.record))
        async with self._room:
            self._room.notify_all()

    async def _send_missing(self, view: _View) -> None:
        missing = [item for item in self._items if item.landed_block is None]
        # One that failed goes alone: whatever follows it would only burn gas.
        alone = bool(missing) and missing[0].failures > 0
        for place, item in enumerate(missing[: 1 if alone else self.options.in_flight_max]):
            if item.ticket is not None and not item.ticket.receipt.done():
                continue
            if item.ticket is not None and not await self._heed_failed(item, first=place == 0):
                return
            if item.batch.t_first_ms < view.head.time_s * 1_000 - self._max_lag_ms():
                await self._displace_item(item, "too_late", "the batch is older than max_lag")
                return
            if self.clock() < item.not_before_s or not await self._send(item):
                return

    async def _send(self, item: _Item) -> bool:
        """Send a batch, or find that it is on its way; tell whether to go on with the next."""
        batch = item.batch
        header = (
            batch.prev_content,
            batch.t_first_ms,
            batch.t_last_ms,
            batch.direct_to,
            batch.expected_direct,
        )
        calldata = encode_call("Inbox", "postBatch", header, batch.data)
        item.ticket = self._find_ticket(calldata)
        if item.ticket is not None:
            return True
        if item.failures > 0 and not await self._rehearse(item, calldata):
            return False
        execution = intrinsic_gas(calldata) + EXECUTION_GAS
        gas = max(floor_gas(calldata), execution + EXECUTION_GAS_PER_BYTE * len(batch.data))
        item.ticket = await self.wallet.send(
            self.deployment.inbox, calldata, action=ACTION, gas=gas
        )
        return True

    async def _rehearse(self, item: _Item, calldata: bytes) -> bool:
        """Run a batch that failed before on L1's state, which costs nothing."""
        request = {
            "from": client.to_hex(self.wallet.address),
            "to": client.to_hex(self.deployment.inbox),
            "data": client.to_hex(calldata),
        }
        try:
            await self.l1.request("eth_call", [request, "latest"])
        except L1RpcError as refusal:
            error = contract_error(refusal) or refusal
            if isinstance(error, ContractError) and error.name == "Inbox_FromFuture":
                # L1's clock is a little behind ours.
                return False
            await self._note_failure(item, error)
            return False
        return True

    def _find_ticket(self, calldata: bytes) -> Ticket | None:
        """Return the transaction with which a former process sent the same batch."""
        return next(
            (ticket for ticket in self.wallet.in_flight if ticket.fields.data == calldata), None
        )

    async def _heed_failed(self, item: _Item, *, first: bool) -> bool:
        """Look at a ticket that ended without landing; tell whether to send the batch again."""
        ticket, item.ticket = item.ticket, None
        assert ticket is not None
        error = await self._why_failed(ticket)
        log.warning("batch.failed record=%d error=%s", item.batch.record, error)
        metrics.BATCHES.labels("calldata", "failed").inc()
        # One that is not the first fell with the one before it: no fault of its own.
        return await self._note_failure(item, error) if first else True

    async def _note_failure(self, item: _Item, error: Exception) -> bool:
        """Count a failure of the first batch; tell whether another attempt is due now."""
        item.failures += 1
        if isinstance(error, ContractError) and error.name in DISPLACING:
            await self._displace_item(item, DISPLACING[error.name], str(error))
            return False
        if item.failures < self.options.attempts_max:
            return True
        item.not_before_s = self.clock() + self.options.stalled_s
        if not item.stalled:
            item.stalled = True
            log.error("batch.stalled record=%d error=%s", item.batch.record, error)
            self.on_event(Stalled(item.batch.record, str(error)))
        return False

    async def _why_failed(self, ticket: Ticket) -> Exception:
        error = ticket.receipt.exception()
        if error is not None:
            return error if isinstance(error, Exception) else TransactionError(str(error))
        receipt = ticket.receipt.result()
        if receipt.ok:
            # It landed, and then L1 took it back: it is simply missing.
            return TransactionError("L1 lost it in a reorganisation")
        return await self.wallet.why_reverted(ticket, receipt)

    async def _why_moved(self, view: _View) -> tuple[str, str]:
        """Find out why L1's content is none of ours."""
        first = self._items[0].batch.record
        if view.records < first:
            return "reorged", f"L1 has {view.records} records, of which ours follow {first}"
        topic = client.to_hex(event_topic("Inbox", "Advanced"))
        query = {
            "address": client.to_hex(self.deployment.inbox),
            "topics": [topic],
            "fromBlock": hex(self.deployment.deploy_block),
            "toBlock": hex(view.head.number),
        }
        rows = await self.l1.request("eth_getLogs", [query])
        advanced = [client.to_int(client.read_log(row).topics[1].hex()) for row in rows]
        if any(record >= first for record in advanced):
            return "advanced", "somebody advanced over direct inputs that waited too long"
        return "other_record", f"record {first} or a later one is another poster's"

    async def _displace_item(self, item: _Item, reason: str, detail: str) -> None:
        await self._displace(list(self._items).index(item), reason, detail)

    async def _displace(self, index: int, reason: str, detail: str) -> None:
        """Give up everything from `index` on, until `reset`."""
        items = list(self._items)[index:]
        log.error("batch.displaced record=%d reason=%s", items[0].batch.record, reason)
        metrics.BATCHES.labels("calldata", "displaced").inc(len(items))
        self._displaced = True
        self.on_event(Displaced(items[0].batch.record, reason, detail))

    def _max_lag_ms(self) -> int:
        return self.deployment.max_lag_s * 1_000

    def _measure(self) -> None:
        oldest = self.oldest_unposted_ms
        age = 0.0 if oldest is None else max(0.0, self.clock() - oldest / 1_000)
        metrics.OLDEST_UNPOSTED_AGE.set(age)
        metrics.QUEUED.set(self.unposted)


def _receipt(ticket: Ticket | None) -> Receipt | None:
    if ticket is None or not ticket.receipt.done() or ticket.receipt.exception() is not None:
        return None
    return ticket.receipt.result()
