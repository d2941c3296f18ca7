"""
Server: HTTP, WebSocket and health over aiohttp.

In:  connections.
Out: `POST /` and WebSocket on `/ws` and `/` for JSON-RPC, `/livez`, `/readyz`; on the
     metrics port `/metrics` too.

Holds: bodies have a size and a deadline of their own; a JSON-RPC error is HTTP 200, so that
       clients read it; one that is over-large is read to its end and refused, not cut off.
Not here: what calls mean (`rpc.dispatch`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bridge import metrics as bridge_metrics
from sequencer import logs, metrics
from sequencer.config import NodeConfig
from sequencer.rpc import errors, wire
from sequencer.rpc.dispatch import Dispatcher
from sequencer.rpc.errors import RpcError
from sequencer.rpc.socket import Socket, refuse_full
from sequencer.rpc.streams import Streams

JSON = "application/json"
DISCARD_BYTES = 64 << 20
MESSAGE_BYTES = 16 << 20
"""A WebSocket message up to here is refused when it is too large; one over it ends the socket."""

_CHUNK = 1 << 16
log = logs.get("server")


class Server:
    """Both ports of the node."""

    def __init__(
        self,
        config: NodeConfig,
        dispatcher: Dispatcher,
        streams: Streams,
        reads: ThreadPoolExecutor,
        checks: Callable[[], dict[str, bool]],
    ) -> None:
        self._config = config
        self._dispatcher = dispatcher
        self._streams = streams
        self._reads = reads
        self._checks = checks
        self._body_max = config.body_mib << 20
        self._sockets: set[web.WebSocketResponse] = set()
        self._runners: list[web.AppRunner] = []
        self.rpc_port = 0
        self.metrics_port = 0

    async def start(self) -> None:
        """Listen on both ports."""
        main = web.Application(client_max_size=self._body_max)
        main.router.add_post("/", self._post)
        main.router.add_get("/ws", self._ws)
        main.router.add_get("/", self._ws)  # libraries take the HTTP address with ws:// in front
        self._add_health(main)
        aside = web.Application()
        aside.router.add_get("/metrics", _metrics)
        self._add_health(aside)
        config = self._config
        self.rpc_port = await self._listen(main, config.rpc_host, config.rpc_port)
        self.metrics_port = await self._listen(aside, config.metrics_host, config.metrics_port)

    async def stop(self) -> None:
        """Close sockets, then ports."""
        for socket in list(self._sockets):
            await socket.close(code=1001, message=b"going away")
        for runner in self._runners:
            await runner.cleanup()

    def _add_health(self, app: web.Application) -> None:
        app.router.add_get("/livez", _livez)
        app.router.add_get("/readyz", self._readyz)

    async def _listen(self, app: web.Application, host: str, port: int) -> int:
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=2.0,
            keepalive_timeout=75.0,
            auto_decompress=False,  # a small body must not become a large one
        )
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=1_024)
        try:
            await site.start()
        except OSError as exc:
            await runner.cleanup()
            raise OSError(f"port {port} on {host} cannot be used: {exc.strerror}") from exc
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    async def _readyz(self, _: web.Request) -> web.Response:
        checks = self._checks()
        ready = all(checks.values())
        return web.Response(
            body=msgspec.json.encode({"ready": ready, "checks": checks}),
            status=200 if ready else 503,
            content_type=JSON,
        )

    async def _post(self, request: web.Request) -> web.Response:
        try:
            body = await self._body(request)
            if len(body) > wire.OFF_LOOP_BYTES:
                decoded = await asyncio.get_running_loop().run_in_executor(
                    self._reads, wire.decode, body, self._config.calls_per_batch
                )
            else:
                decoded = wire.decode(body, self._config.calls_per_batch)
        except RpcError as error:
            metrics.RPC_ERRORS.labels("none", str(error.code)).inc()
            return web.Response(body=wire.encode_error(None, error), content_type=JSON)
        answers = await self._dispatcher.answer(decoded, "http")
        return web.Response(body=wire.join(answers, is_batch=decoded.is_batch), content_type=JSON)

    async def _body(self, request: web.Request) -> bytes:
        """Read the body within its limits."""
        limit = self._body_max
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._config.body_timeout_s):
                async for chunk in request.content.iter_chunked(_CHUNK):
                    size += len(chunk)
                    if size > DISCARD_BYTES:
                        break
                    if size <= limit:
                        parts.append(chunk)
        except TimeoutError:
            seconds = self._config.body_timeout_s
            raise errors.limit("body_timeout", f"the body took over {seconds:g} s") from None
        except web.RequestPayloadError:
            raise errors.parse_error("the body is not in the transfer encoding it names") from None
        if size > limit:
            raise errors.body_too_large(limit)
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise errors.parse_error("compressed bodies are not read: send plain JSON")
        return b"".join(parts)

    async def _ws(self, request: web.Request) -> web.StreamResponse:
        if len(self._sockets) >= self._config.connections:
            error = refuse_full(self._config.connections)
            return web.Response(body=wire.encode_error(None, error), status=503, content_type=JSON)
        socket = web.WebSocketResponse(
            heartbeat=30.0,
            max_msg_size=max(MESSAGE_BYTES, self._body_max),
            compress=False,
            decode_text=True,
        )
        await socket.prepare(request)
        self._sockets.add(socket)
        metrics.WS_CONNECTIONS.set(len(self._sockets))
        try:
            await Socket(socket, self._dispatcher, self._streams, self._config).serve()
        finally:
            self._sockets.discard(socket)
            metrics.WS_CONNECTIONS.set(len(self._sockets))
        return socket


async def _livez(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _metrics(_: web.Request) -> web.Response:
    body = generate_latest(metrics.REGISTRY) + generate_latest(bridge_metrics.REGISTRY)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
