"""
Client: JSON-RPC to a node, over HTTP or one WebSocket.

In:  method names and parameters.
Out: results; `RpcError` with the node's code, message and data.

Over a WebSocket the node takes requests in the order in which they were sent, so calls may overlap
and still keep their order. Over HTTP they are separate requests.

Holds: every call ends: with an answer, an error, or at its timeout. At most `IN_FLIGHT_MAX`
requests wait for answers at once.
"""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

CALL_TIMEOUT_S = 30.0
IN_FLIGHT_MAX = 64
MESSAGE_BYTES_MAX = 64 << 20
"""Largest answer: a full batch of receipts with their logs."""

Call = tuple[str, list[Any]]


class RpcError(Exception):
    """The node's answer to a call is an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.data = data

    @property
    def reason(self) -> str:
        """The slug of docs/formats.md §9, if the node gave one."""
        return str(self.data.get("reason", "")) if isinstance(self.data, dict) else ""

    @property
    def retry_after_ms(self) -> int | None:
        """How long to wait before the same call may succeed; None if it never will."""
        given = self.data.get("retry_after_ms") if isinstance(self.data, dict) else None
        return int(given) if given is not None else None


class NodeUnreachableError(Exception):
    """No answer: the node is not there, or went away."""


class Client:
    """A connection to one node; use as `async with Client(url) as node`."""

    def __init__(self, url: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self.url = url
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._next_id = 1

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect (a WebSocket at once, HTTP at the first call)."""
        self._session = aiohttp.ClientSession()
        if self.url.startswith("ws"):
            try:
                self._socket = await self._session.ws_connect(
                    self.url, max_msg_size=MESSAGE_BYTES_MAX, autoping=True
                )
            except (aiohttp.ClientError, OSError) as error:
                await self._session.close()
                raise NodeUnreachableError(f"no node at {self.url}: {error}") from error
            self._reader = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Hang up; calls that still wait fail."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        self._fail_waiting("closed")

    async def call(self, method: str, *params: Any) -> Any:
        """The result of one call."""
        answers = await self.call_many([(method, list(params))])
        if isinstance(answers[0], RpcError):
            raise answers[0]
        return answers[0]

    async def call_many(self, calls: Sequence[Call]) -> list[Any]:
        """Results in the order of `calls`, sent as one batch; errors as `RpcError` values."""
        if not calls:
            return []
        async with self._slots:
            first, payload = self._encode(calls)
            if self._socket is not None:
                return await self._answer(first, len(calls), await self._send(first, payload))
            try:
                answer = await asyncio.wait_for(self._post(payload), self._timeout_s)
            except TimeoutError as error:
                raise self._no_answer() from error
            except (aiohttp.ClientError, OSError) as error:
                raise NodeUnreachableError(f"{self.url}: {error}") from error
            return _in_order(answer, first, len(calls))

    async def start_many(self, calls: Sequence[Call]) -> asyncio.Task[list[Any]]:
        """
        Send a batch over the WebSocket and return; the task has the results.

        When this returns the batch is on its way, so batches that are started one after the other
        arrive in that order. The caller bounds how many are in flight.
        """
        assert self._socket is not None, "only a WebSocket keeps the order"
        first, payload = self._encode(calls)
        future = await self._send(first, payload)
        return asyncio.create_task(self._answer(first, len(calls), future))

    def _encode(self, calls: Sequence[Call]) -> tuple[int, bytes]:
        first = self._next_id
        self._next_id += len(calls)
        batch = [
            {"jsonrpc": "2.0", "id": first + i, "method": method, "params": params}
            for i, (method, params) in enumerate(calls)
        ]
        return first, msgspec.json.encode(batch)

    async def _send(self, first: int, payload: bytes) -> asyncio.Future[Any]:
        assert self._socket is not None
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[first] = future
        try:
            await self._socket.send_str(payload.decode())
        except (aiohttp.ClientError, OSError) as error:
            self._waiting.pop(first, None)
            raise NodeUnreachableError(f"{self.url}: {error}") from error
        return future

    async def _answer(self, first: int, count: int, future: asyncio.Future[Any]) -> list[Any]:
        try:
            return _in_order(await asyncio.wait_for(future, self._timeout_s), first, count)
        except TimeoutError as error:
            raise self._no_answer() from error
        finally:
            self._waiting.pop(first, None)

    def _no_answer(self) -> NodeUnreachableError:
        return NodeUnreachableError(f"{self.url} did not answer within {self._timeout_s:g} s")

    async def _post(self, payload: bytes) -> Any:
        assert self._session is not None, "open() comes first"
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self.url, data=payload, headers=headers) as response:
            return msgspec.json.decode(await response.read())

    async def _read(self) -> None:
        assert self._socket is not None
        why = "the node closed the connection"
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.ERROR:
                why = str(self._socket.exception())
                break
            answer = msgspec.json.decode(message.data)
            future = self._waiting.get(_first_id(answer))
            if future is not None and not future.done():
                future.set_result(answer)
            elif isinstance(answer, dict) and answer.get("id") is None and "error" in answer:
                why = str(answer["error"])
                break
        self._fail_waiting(why)

    def _fail_waiting(self, why: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NodeUnreachableError(f"{self.url}: {why}"))


def _first_id(answer: Any) -> int:
    """The id under which the batch waits: answers of a batch may come in any order."""
    if isinstance(answer, list):
        return min((each["id"] for each in answer if isinstance(each["id"], int)), default=-1)
    found = answer.get("id")
    return found if isinstance(found, int) else -1


def _in_order(answer: Any, first: int, count: int) -> list[Any]:
    if isinstance(answer, dict):  # one error for the whole batch
        error = answer.get("error") or {}
        refusal = RpcError(
            error.get("code", 0), str(error.get("message", answer)), error.get("data")
        )
        return [refusal] * count
    results: list[Any] = [RpcError(-32603, "the node left this call out of its answer")] * count
    for each in answer:
        place = each["id"] - first
        if "error" in each:
            error = each["error"]
            results[place] = RpcError(error["code"], error["message"], error.get("data"))
        else:
            results[place] = each["result"]
    return results
