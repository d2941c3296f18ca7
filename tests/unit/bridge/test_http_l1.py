"""The way to L1: what is asked again, what is an answer, and what is too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bridge.errors import ContractError, DerivationError, L1RpcError, L1UnreachableError
from bridge.l1 import contracts, http
from bridge.l1.http import HttpL1

Answer = Callable[[Any], Any]


@asynccontextmanager
async def endpoint(answer: Answer) -> AsyncIterator[tuple[HttpL1, list[Any]]]:
    """An L1 that answers what the test says; the list has what it was asked."""
    asked: list[Any] = []

    async def post(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked.append(body)
        found = answer(body)
        if isinstance(found, web.Response):
            return found
        if asyncio.iscoroutine(found):
            found = await found
        return web.json_response(found)

    app = web.Application()
    app.router.add_post("/", post)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    l1 = HttpL1(f"http://127.0.0.1:{runner.addresses[0][1]}", timeout_s=0.5, wait_s=0.01)
    try:
        yield l1, asked
    finally:
        await l1.close()
        await runner.cleanup()


async def test_no_answer_is_asked_for_again_a_bounded_number_of_times() -> None:
    for bad in (
        web.Response(status=503, text="busy"),
        web.Response(text="<html>"),
        web.Response(text='{"result":' + "[" * 100_000),
    ):

        def answer(_: Any, bad: web.Response = bad) -> Any:
            return web.Response(status=bad.status, text=bad.text)

        async with endpoint(answer) as (l1, asked):
            with pytest.raises(L1UnreachableError, match="did not answer 3 times"):
                await l1.request("eth_chainId", [])
            assert len(asked) == 3


async def test_a_slow_answer_is_given_up_at_the_deadline() -> None:
    async def slow() -> None:
        await asyncio.sleep(0.8)

    async with endpoint(lambda _: slow()) as (l1, asked):
        with pytest.raises(L1UnreachableError):
            await l1.request("eth_chainId", [])
        assert len(asked) == 3


async def test_an_error_is_an_answer_and_is_not_asked_again() -> None:
    error = {"code": -32000, "message": "nonce too low", "data": "0x01"}

    def answer(call: Any) -> Any:
        return {"jsonrpc": "2.0", "id": call["id"], "error": error}

    async with endpoint(answer) as (l1, asked):
        with pytest.raises(L1RpcError, match="nonce too low") as caught:
            await l1.request("eth_sendRawTransaction", ["0x"])
        assert (caught.value.code, caught.value.data) == (-32000, "0x01")
        assert len(asked) == 1


async def test_results_of_a_batch_are_matched_by_id_and_none_may_be_missing() -> None:
    def turned(calls: Any) -> Any:
        return [{"id": c["id"], "result": c["params"][0]} for c in reversed(calls)]

    async with endpoint(turned) as (l1, _):
        assert await l1.request_many([("a", [1]), ("b", [2]), ("c", [3])]) == [1, 2, 3]
    async with endpoint(lambda calls: turned(calls)[1:]) as (l1, _):
        with pytest.raises(L1UnreachableError, match="left c without an answer"):
            await l1.request_many([("a", [1]), ("b", [2]), ("c", [3])])
    async with endpoint(lambda _: {"id": None, "error": {"code": -32600, "message": "no"}}) as (
        l1,
        _,
    ):
        with pytest.raises(L1RpcError, match="refused batch"):
            await l1.request_many([("a", [1])])


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "RESPONSE_BYTES_MAX", 10_000)

    async with endpoint(lambda call: {"id": call["id"], "result": "0" * 20_000}) as (l1, _):
        with pytest.raises(L1UnreachableError, match="more than 10000 bytes"):
            await l1.request("eth_call", [])


def test_reverts_are_named_from_data_in_either_place() -> None:
    data = contracts.abi("Inbox").errors
    entry = next(item for item in data.values() if item.name == "Inbox_NothingWaits")
    raw = "0x" + entry.selector.hex() + (7).to_bytes(32, "big").hex()

    for shape in (raw, {"data": raw}):
        error = contracts.contract_error(L1RpcError("eth_call", 3, "execution reverted", shape))
        assert isinstance(error, ContractError)
        assert str(error) == "Inbox_NothingWaits(directCount=7)"
    for shape in (None, "0x", "0x12345678", "reverted"):
        assert contracts.contract_error(L1RpcError("eth_call", 3, "no", shape)) is None


def test_what_is_not_the_call_it_should_be_is_refused() -> None:
    call = contracts.encode_call("Rollup", "seal")
    with pytest.raises(DerivationError, match=r"not a call of Inbox\.postBatch"):
        contracts.decode_call("Inbox", "postBatch", call)
    selector = contracts.abi("Inbox").functions["postBatch"].selector
    with pytest.raises(DerivationError, match="malformed"):
        contracts.decode_call("Inbox", "postBatch", selector + bytes(100))
    with pytest.raises(DerivationError, match="is the contract at that address"):
        contracts.decode_result("Inbox", "content", b"")
