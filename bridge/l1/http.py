"""
L1 over HTTP.

In:    a URL.
Out:   results of JSON-RPC calls.
Holds: each call has a deadline, a bounded number of attempts and a bounded answer. Only a missing
       answer is asked for again; an error that L1 gave is an answer.
Not here: what the results mean (`client`).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import aiohttp
import msgspec

from bridge.errors import L1RpcError, L1UnreachableError
from bridge.l1.client import Request
from bridge.nesting import is_deeper

RESPONSE_BYTES_MAX = 64 << 20
BATCH_MAX = 100
DEPTH_MAX = 32
HTTP_OK = 200


class HttpL1:
    """An `L1` behind one URL. Close it when done, or use it as a context manager."""

    def __init__(
        self, url: str, *, timeout_s: float = 10.0, attempts: int = 3, wait_s: float = 0.2
    ) -> None:
        self.url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._attempts = attempts
        self._wait_s = wait_s
        self._session: aiohttp.ClientSession | None = None
        self._ids = itertools.count(1)

    async def __aenter__(self) -> HttpL1:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(self, method: str, params: list[Any]) -> Any:
        """Return the result of a call."""
        call = self._call(method, params)
        return _result(method, await self._post(call))

    async def request_many(self, calls: Sequence[Request]) -> list[Any]:
        """Return the results of calls, in their order."""
        results: list[Any] = []
        for begin in range(0, len(calls), BATCH_MAX):
            part = calls[begin : begin + BATCH_MAX]
            sent = [self._call(method, params) for method, params in part]
            replies = await self._post(sent)
            if not isinstance(replies, list):
                _result("batch", replies)
                raise L1UnreachableError(f"{self.url} does not answer batches")
            by_id = {reply.get("id"): reply for reply in replies if isinstance(reply, dict)}
            for call in sent:
                results.append(_result(call["method"], by_id.get(call["id"])))
        return results

    def _call(self, method: str, params: list[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    async def _post(self, body: Any) -> Any:
        encoded = msgspec.json.encode(body)
        failure = "no attempt was made"
        for attempt in range(self._attempts):
            if attempt > 0:
                await asyncio.sleep(self._wait_s * 2 ** (attempt - 1))
            try:
                return await self._post_once(encoded)
            except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
                failure = str(error) or type(error).__name__
        raise L1UnreachableError(
            f"L1 at {self.url} did not answer {self._attempts} times: {failure}"
        )

    async def _post_once(self, encoded: bytes) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self.url, data=encoded, headers=headers) as response:
            answer = await _read_bounded(response)
        if response.status != HTTP_OK and not answer.startswith((b"{", b"[")):
            raise aiohttp.ClientError(f"HTTP status {response.status}")
        if is_deeper(answer, DEPTH_MAX):
            raise aiohttp.ClientError(f"an answer that nests deeper than {DEPTH_MAX}")
        return msgspec.json.decode(answer)


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(1 << 16):
        size += len(part)
        if size > RESPONSE_BYTES_MAX:
            raise aiohttp.ClientError(f"an answer of more than {RESPONSE_BYTES_MAX} bytes")
        parts.append(part)
    return b"".join(parts)


def _result(method: str, reply: Any) -> Any:
    if not isinstance(reply, dict):
        raise L1UnreachableError(f"L1 left {method} without an answer")
    error = reply.get("error")
    if error is not None:
        raise L1RpcError(
            method, int(error.get("code", 0)), str(error.get("message", "")), error.get("data")
        )
    if "result" not in reply:
        raise L1UnreachableError(f"L1 answered {method} without a result")
    return reply["result"]
