"""
Dispatch: from calls to answers.

In:  decoded requests.
Out: answers as bytes, in the order of the calls.

Consecutive writes of a request are submitted together: one future for all of them. Reads run in a
thread where they touch the engine or the disk. Calls of a request run in order, so a read sees the
writes before it.

Holds: every call gets one answer; what goes wrong inside becomes an incident, not a traceback.
Not here: JSON (`wire`), sockets (`server`), what methods do (`eth`, `public`, `rollup`).
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from sequencer import logs, metrics
from sequencer.admission import Admission
from sequencer.entries import Item, SignedReport
from sequencer.rpc import errors, eth, public, rollup, wire
from sequencer.rpc.context import Context
from sequencer.rpc.errors import Refused, RpcError
from sequencer.rpc.methods import METHODS, Method
from sequencer.rpc.params import Params, whole_hex
from sequencer.rpc.wire import Call, Request

SEND, SEND_SYNC, REPORT = (
    "eth_sendRawTransaction",
    "eth_sendRawTransactionSync",
    "rollup_submitReport",
)
WRITES = {
    SEND: ("transaction",),
    SEND_SYNC: ("transaction", "timeout"),
    REPORT: ("feed", "priceE9", "timeMs", "signature"),
}
_SIGNATURE_BYTES = 64
_MAX_RAW_HEX = 64 * 1024
TABLES = (eth, public, rollup)
"""Imported for their methods."""
log = logs.get("rpc")


@dataclass(slots=True)
class Writes:
    """A run of writes that was submitted together."""

    calls: list[Call]
    started: float
    failures: dict[int, RpcError] = field(default_factory=dict)
    future: asyncio.Future[list[bytes | Refused]] | None = None


class Dispatcher:
    """Answers requests."""

    def __init__(self, context: Context, admission: Admission, reads: ThreadPoolExecutor) -> None:
        self.context = context
        self._admission = admission
        self._reads = reads

    def attach(self, admission: Admission) -> None:
        """Give writes to this one from now on."""
        self._admission = admission

    async def answer(self, request: Request, transport: str) -> list[bytes]:
        """Answer all calls, in order."""
        calls = request.calls
        answers: list[bytes] = []
        at = 0
        with metrics.RPC_INFLIGHT.labels(transport).track_inprogress():
            while at < len(calls):
                end = at
                while end < len(calls) and calls[end].method in WRITES:
                    end += 1
                if end > at:
                    answers += await self.finish(self.submit(calls[at:end]), transport)
                    at = end
                else:
                    one = await self._read(calls[at], transport)
                    if one:
                        answers.append(one)
                    at += 1
        return answers

    # --- writes ---

    def submit(self, calls: list[Call]) -> Writes:
        """Give the writes of `calls` to admission, in order."""
        writes = Writes(calls, time.perf_counter())
        items: list[Item] = []
        for number, call in enumerate(calls):
            try:
                items.append(_item(call))
            except RpcError as error:
                writes.failures[number] = error
        if items:
            try:
                writes.future = self._admission.submit(items)
            except RpcError as error:
                writes.failures = {
                    number: writes.failures.get(number, error) for number in range(len(calls))
                }
        return writes

    async def finish(self, writes: Writes, transport: str) -> list[bytes]:
        """Wait for the results, and encode them."""
        results = iter(await self._results(writes))
        answers = []
        failed = 0
        for number, call in enumerate(writes.calls):
            failure = writes.failures.get(number)
            if failure is None:
                result = next(results)
                if isinstance(result, bytes):
                    if not call.notification:
                        answers.append(await self._written(call, result))
                    continue
                failure = errors.refused(result)
            failed += 1
            metrics.RPC_ERRORS.labels(call.method, str(failure.code)).inc()
            if not call.notification:
                answers.append(wire.encode_error(call.id, failure))
        _measure(writes.calls[0].method, transport, writes.started, len(writes.calls), failed)
        return answers

    async def _results(self, writes: Writes) -> list[bytes | Refused]:
        """Results of what was submitted; if there are none, every call fails."""
        if writes.future is None:
            return []
        try:
            return await writes.future
        except RpcError as exc:
            whole = exc
        except Exception as exc:
            whole = _incident(writes.calls[0].method, exc)
        for number in range(len(writes.calls)):
            writes.failures.setdefault(number, whole)
        return []

    async def _written(self, call: Call, digest: bytes) -> bytes:
        if call.method != SEND_SYNC:
            return wire.encode_hash(call.id, digest)
        return wire.encode_result(call.id, await eth.receipt_of(self.context, digest))

    # --- reads ---

    async def _read(self, call: Call, transport: str) -> bytes:
        started = time.perf_counter()
        method = METHODS.get(call.method)
        name = method.name if method else "unknown"
        error = call.error
        if error is None:
            try:
                if method is None:
                    raise errors.method_not_found(call.method)
                result = await self._run(method, Params(method.arguments, call.params))
                _measure(name, transport, started, 1, 0)
                return b"" if call.notification else wire.encode_result(call.id, result)
            except RpcError as exc:
                error = exc
            except Exception as exc:
                error = _incident(name, exc)
        _measure(name, transport, started, 1, 1)
        metrics.RPC_ERRORS.labels(name, str(error.code)).inc()
        return b"" if call.notification else wire.encode_error(call.id, error)

    async def _run(self, method: Method, params: Params) -> Any:
        if method.runs == "loop":
            return method.handler(self.context, params)
        if method.runs == "async":
            return await method.handler(self.context, params)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reads, method.handler, self.context, params)


def _item(call: Call) -> Item:
    """The input that a write carries."""
    params = call.params
    if call.method == REPORT:
        return _report(Params(WRITES[REPORT], params))
    # The way of nearly every call, without detours.
    if type(params) is list and len(params) == 1 and type(params[0]) is str:
        text = params[0]
        if text[:2] == "0x" and len(text) <= _MAX_RAW_HEX:
            raw = whole_hex(text)
            if raw is not None:
                return raw
    return Params(WRITES[call.method], params).data("transaction")


def _report(params: Params) -> SignedReport:
    return SignedReport(
        feed=params.uint("feed", maximum=(1 << 32) - 1),
        price_e9=params.uint("priceE9"),
        time_ms=params.uint("timeMs"),
        signature=params.fixed("signature", _SIGNATURE_BYTES),
    )


def _incident(method: str, exc: Exception) -> RpcError:
    error, incident = errors.internal()
    log.error("rpc.failed", method=method, incident=incident, exc_info=exc)
    return error


def _measure(method: str, transport: str, started: float, count: int, failed: int) -> None:
    """Count calls; a run of equal writes is timed as one."""
    metrics.RPC_DURATION.labels(transport, method).observe(time.perf_counter() - started)
    if count > failed:
        metrics.RPC_REQUESTS.labels(transport, method, "ok").inc(count - failed)
    if failed:
        metrics.RPC_REQUESTS.labels(transport, method, "error").inc(failed)
