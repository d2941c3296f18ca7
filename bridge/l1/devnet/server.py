"""
Server of the embedded L1: JSON-RPC over HTTP, and the clock that mines.

In:    HTTP POST with one call or a batch of calls.
Out:   replies in the same order.
Holds: the event loop only parses and answers; the chain lives in one worker thread, which takes
       calls and blocks in turn.
Not here: what a method does (`methods`).
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from bridge.l1.devnet.chain import Chain, Options
from bridge.l1.devnet.failure import PARSE, REQUEST, RpcFailureError
from bridge.l1.devnet.methods import Methods
from bridge.nesting import is_deeper

BODY_BYTES_MAX = 8 << 20
BATCH_MAX = 1_000
DEPTH_MAX = 32
INTERNAL = -32603
log = logging.getLogger("bridge.l1.devnet")


class Server:
    """One embedded L1 behind one port."""

    def __init__(self, folder: Path, options: Options, interval_s: float) -> None:
        self._folder = folder
        self._options = options
        self._interval_s = interval_s
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="l1")
        self._methods: Methods | None = None
        self._runner: web.AppRunner | None = None
        self._miner: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Open the chain, begin to listen and to mine; return the port."""
        loop = asyncio.get_running_loop()
        self._methods = await loop.run_in_executor(self._worker, self._open)
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/", self._post)
        app.router.add_route("OPTIONS", "/", self._preflight)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        if self._interval_s > 0:
            self._miner = asyncio.create_task(self._mine_for_ever())
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop mining and serving, and write the chain to disk."""
        if self._miner is not None:
            self._miner.cancel()
            await asyncio.gather(self._miner, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._methods is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._worker, self._methods.chain.close)
        self._worker.shutdown()

    def _open(self) -> Methods:
        methods = Methods(Chain(self._folder, self._options))
        methods.automine = self._interval_s <= 0
        return methods

    async def _mine_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        methods = self._methods
        assert methods is not None
        due = loop.time() + self._interval_s
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            # A late block does not make the next ones come sooner.
            due = max(due + self._interval_s, loop.time())
            try:
                await loop.run_in_executor(self._worker, methods.chain.mine)
            except Exception:
                # One block less; the next interval tries again, and the log has the reason.
                log.exception("l1.mining_failed")

    async def _preflight(self, _: web.Request) -> web.Response:
        return web.Response(headers=_CORS)

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.read()
        if is_deeper(body, DEPTH_MAX):
            text = f"nesting over {DEPTH_MAX}"
            return _reply(_refusal(None, RpcFailureError(text, REQUEST)))
        try:
            message = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            return _reply(_refusal(None, RpcFailureError(f"parse error: {error}", PARSE)))
        if not isinstance(message, list):
            return _reply(await self._in_worker([message], single=True))
        if not message or len(message) > BATCH_MAX:
            text = f"a batch has between 1 and {BATCH_MAX} calls"
            return _reply(_refusal(None, RpcFailureError(text, REQUEST)))
        return _reply(await self._in_worker(message, single=False))

    async def _in_worker(self, calls: list[Any], single: bool) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._answer_all, calls, single)

    def _answer_all(self, calls: list[Any], single: bool) -> Any:
        replies = [self._answer(call) for call in calls]
        return replies[0] if single else replies

    def _answer(self, call: Any) -> dict[str, Any]:
        assert self._methods is not None
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return _refusal(None, RpcFailureError("invalid request", REQUEST))
        name = call.get("id")
        params = call.get("params") or []
        if not isinstance(params, list):
            return _refusal(name, RpcFailureError("non-array args", REQUEST))
        try:
            result = self._methods.run(call["method"], params)
        except RpcFailureError as failure:
            return _refusal(name, failure)
        except Exception:
            log.exception("l1.method_failed method=%s", call["method"])
            return _refusal(name, RpcFailureError("internal error; see the log", INTERNAL))
        return {"jsonrpc": "2.0", "id": name, "result": result}


_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "content-type",
    "Access-Control-Allow-Methods": "POST",
}


def _refusal(name: Any, failure: RpcFailureError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": name, "error": failure.as_json()}


def _reply(body: Any) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), content_type="application/json", headers=_CORS
    )
