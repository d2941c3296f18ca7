"""
Socket: one WebSocket connection.

In:  messages, each a call or an array of calls.
Out: answers in the order of the messages; notices of streams between them.

Writes are submitted when they are read, so a client need not wait for one answer before it sends
the next; what reads comes in its turn. Reading stops while too many answers are due.

Holds: order; bounded queues in both directions.
Not here: HTTP (`rpc.server`), answers (`rpc.dispatch`).
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from sequencer import logs, metrics
from sequencer.config import NodeConfig
from sequencer.rpc import errors, wire
from sequencer.rpc.dispatch import WRITES, Dispatcher, Writes
from sequencer.rpc.errors import RpcError
from sequencer.rpc.streams import Streams, Subscriber
from sequencer.rpc.wire import OFF_LOOP_BYTES, Call, Request

PENDING = 256
SEND_TIMEOUT_S = 20.0
CLOSE_TOO_SLOW = 4008
TRANSPORT = "ws"
log = logs.get("socket")


@dataclass(slots=True)
class _Due:
    """One message to be answered; `writes` is set if all of it is on its way already."""

    request: Request
    writes: Writes | None = None
    error: RpcError | None = None


class Socket:
    """Serves one connection."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        dispatcher: Dispatcher,
        streams: Streams,
        config: NodeConfig,
    ) -> None:
        self._socket = socket
        self._dispatcher = dispatcher
        self._streams = streams
        self._calls_per_batch = config.calls_per_batch
        self._body_max = config.body_mib << 20
        self._due: asyncio.Queue[_Due | None] = asyncio.Queue(PENDING)
        self._holding = 0  # messages in the queue with writes that are not submitted yet
        self._subscriber = Subscriber()

    async def serve(self) -> None:
        """Serve until the client leaves."""
        self._streams.add(self._subscriber)
        tasks = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._write()),
            asyncio.create_task(self._notify()),
            asyncio.create_task(self._watch()),
        ]
        try:
            # The reader ends when the client leaves: what is still due need not be written then.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (error := task.exception()) is not None:
                    log.warning("socket.failed", error=repr(error), exc_info=error)
        finally:
            self._streams.remove(self._subscriber)
            for task in tasks:
                task.cancel()
            with contextlib.suppress(Exception):
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type == WSMsgType.TEXT:
                body = message.data.encode()
            elif message.type == WSMsgType.BINARY:
                body = message.data
            else:
                return
            await self._due.put(await self._take(body))

    async def _take(self, body: bytes) -> _Due:
        try:
            if len(body) > self._body_max:
                raise errors.body_too_large(self._body_max)
            if len(body) > OFF_LOOP_BYTES:
                request = await asyncio.to_thread(wire.decode, body, self._calls_per_batch)
            else:
                request = wire.decode(body, self._calls_per_batch)
        except RpcError as error:
            return _Due(Request([], is_batch=False), error=error)
        calls = request.calls
        is_write = [call.method in WRITES for call in calls]
        if not self._holding and all(is_write):
            return _Due(request, self._dispatcher.submit(calls))
        self._holding += any(is_write)
        return _Due(request)

    async def _write(self) -> None:
        while (due := await self._due.get()) is not None:
            body = await self._answer(due)
            if body:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._socket.send_frame(body, WSMsgType.TEXT)

    async def _answer(self, due: _Due) -> bytes:
        if due.error is not None:
            return wire.encode_error(None, due.error)
        request = due.request
        if due.writes is not None:
            answers = await self._dispatcher.finish(due.writes, TRANSPORT)
            return wire.join(answers, is_batch=request.is_batch)
        answers = []
        rest: list[Call] = []
        for call in request.calls:
            if call.method not in ("eth_subscribe", "eth_unsubscribe"):
                rest.append(call)
                continue
            answers += await self._dispatcher.answer(Request(rest, is_batch=True), TRANSPORT)
            rest = []
            answers.append(self._stream(call))
        if rest:
            answers += await self._dispatcher.answer(Request(rest, is_batch=True), TRANSPORT)
        self._holding -= any(call.method in WRITES for call in request.calls)
        return wire.join(answers, is_batch=request.is_batch)

    def _stream(self, call: Call) -> bytes:
        subscriber = self._subscriber
        begin = call.method == "eth_subscribe"
        try:
            if call.error is not None:
                raise call.error
            result = (subscriber.subscribe if begin else subscriber.unsubscribe)(call.params)
        except RpcError as error:
            metrics.RPC_ERRORS.labels(call.method, str(error.code)).inc()
            return wire.encode_error(call.id, error)
        metrics.RPC_REQUESTS.labels(TRANSPORT, call.method, "ok").inc()
        return wire.encode_result(call.id, result)

    async def _notify(self) -> None:
        while True:
            notice = await self._subscriber.queue.get()
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._socket.send_frame(notice, WSMsgType.TEXT)

    async def _watch(self) -> None:
        """Close a consumer that does not keep up with its streams."""
        await self._subscriber.too_slow.wait()
        metrics.WS_SLOW.inc()
        await self._socket.close(code=CLOSE_TOO_SLOW, message=b"too slow")


def refuse_full(limit: int) -> RpcError:
    """Too many sockets are open."""
    return errors.limit("too_many_connections", f"at most {limit} WebSockets", retry_after_ms=1_000)
