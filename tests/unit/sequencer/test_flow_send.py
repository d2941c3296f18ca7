"""Sending in order, against a server that takes, refuses and has no room as it is told."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from eth_hash.auto import keccak

from sequencer.flow.prepare import Ready
from sequencer.flow.send import BATCH, FlowError, Sender
from sequencer.sdk.client import Client, NodeUnreachableError, RpcError

Error = dict[str, Any]
Judge = Callable[[bytes], Error | None]
NO_ROOM: Error = {
    "code": -32005,
    "message": "the queue is full",
    "data": {"reason": "queue_full", "retry_after_ms": 1},
}
TOO_HIGH: Error = {"code": -32000, "message": "nonce", "data": {"reason": "nonce_too_high"}}
FORBIDDEN: Error = {"code": -32000, "message": "no", "data": {"reason": "signature_invalid"}}


@asynccontextmanager
async def server(judge: Judge, taken: list[bytes]) -> AsyncIterator[Client]:
    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            answers = []
            for call in json.loads(message.data):
                raw = bytes.fromhex(call["params"][0][2:])
                error = judge(raw)
                if error is None:
                    taken.append(raw)
                    answers.append({"id": call["id"], "result": "0x" + keccak(raw).hex()})
                else:
                    answers.append({"id": call["id"], "error": error})
            random.shuffle(answers)
            await socket.send_str(json.dumps(answers))
        return socket

    app = web.Application()
    app.router.add_get("/", serve)
    async with TestServer(app) as running:
        async with Client(str(running.make_url("/")).replace("http", "ws")) as node:
            yield node


def envelopes(count: int) -> list[Ready]:
    raws = [index.to_bytes(4) for index in range(count)]
    return [Ready(raw, keccak(raw), index, 2, 0, 0) for index, raw in enumerate(raws)]


async def test_everything_arrives_once_and_in_order() -> None:
    taken: list[bytes] = []
    ready = envelopes(7 * BATCH + 3)
    done: list[int] = []
    async with server(lambda raw: None, taken) as node:
        sent = await Sender(node, ready, progress=lambda _, n: done.append(n)).run()
    assert taken == [each.raw for each in ready]
    assert sent.acknowledged == len(done) == len(ready)
    assert not sent.refused


async def test_what_has_no_room_comes_again_in_the_order_of_its_account(
    rng: random.Random,
) -> None:
    """Each fourth envelope is of one account with strict nonces, as on the node."""
    accounts = [0] * 4

    def judge(raw: bytes) -> Error | None:
        account, nonce = int.from_bytes(raw) % 4, int.from_bytes(raw) // 4
        if rng.random() < 0.01:
            return NO_ROOM
        if nonce != accounts[account]:
            return TOO_HIGH
        accounts[account] += 1
        return None

    taken: list[bytes] = []
    ready = envelopes(5 * BATCH)
    async with server(judge, taken) as node:
        sent = await Sender(node, ready).run()
    assert sent.acknowledged == len(ready)
    assert sorted(taken) == [each.raw for each in ready]
    assert sent.resent > 0


async def test_what_is_refused_for_good_is_counted_and_not_sent_again() -> None:
    taken: list[bytes] = []
    ready = envelopes(BATCH)
    async with server(lambda raw: FORBIDDEN if raw[3] == 7 else None, taken) as node:
        sent = await Sender(node, ready).run()
    assert sent.refused == {7: "signature_invalid"}
    assert sent.refused_by_reason() == {"signature_invalid": 1}
    assert len(taken) == BATCH - 1


async def test_a_node_that_never_has_room_ends_the_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sequencer.flow.send.RETRIES_MAX", 3)
    monkeypatch.setattr("sequencer.flow.send.RETRY_WAIT_S", 0.001)
    async with server(lambda raw: NO_ROOM, []) as node:
        with pytest.raises(FlowError, match="no room"):
            await Sender(node, envelopes(3)).run()


async def test_a_paced_flow_keeps_the_times_of_the_feed() -> None:
    taken: list[bytes] = []
    ready = [each._replace(time_ms=100 * i) for i, each in enumerate(envelopes(7))]
    async with server(lambda raw: None, taken) as node:
        sender = Sender(node, ready, speed=2)
        started = time.perf_counter()
        await sender.run()
        took_s = time.perf_counter() - started
    assert len(taken) == 7
    assert took_s >= 0.3


async def test_an_error_for_a_whole_batch_is_the_answer_of_each_call() -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.json_response({"id": None, "error": {"code": -32600, "message": "too many"}})

    app = web.Application()
    app.router.add_post("/", serve)
    async with TestServer(app) as running, Client(str(running.make_url("/"))) as node:
        answers = await node.call_many([("a", []), ("b", [])])
        assert [isinstance(each, RpcError) and each.code for each in answers] == [-32600, -32600]


async def test_a_node_that_is_not_there_is_said_so() -> None:
    with pytest.raises(NodeUnreachableError, match="no node at"):
        async with Client("ws://127.0.0.1:9"):
            pass
    async with Client("http://127.0.0.1:9") as node:
        with pytest.raises(NodeUnreachableError):
            await node.call("eth_chainId")
