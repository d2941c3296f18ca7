"""Bad input, over HTTP and WebSocket: its error has the right name, and the root does not move."""

from __future__ import annotations

import gzip
import io
import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.conftest import SEED
from tests.end_to_end import bad_transactions as bad
from tests.end_to_end.bad_venue import SEND, named, opened, request, unmoved
from tests.l1 import USER
from tests.node import PRICE_E9

BOTH = pytest.mark.parametrize("transport", ["http", "ws"])


@BOTH
async def test_a_bad_transaction_gets_the_reason_of_the_formats(
    tmp_path: Path, rng: random.Random, transport: str
) -> None:
    async with unmoved(tmp_path) as venue, venue.asking(transport) as ask:
        cases = bad.refused(USER.key, bad.VECTOR_CHAIN_ID, venue.nonce, rng) + bad.of_vectors()
        for name, raw, reason in cases:
            answer = await ask(request(SEND, "0x" + raw.hex()))
            assert named(answer) == (bad.CODES[reason], reason), (name, answer)
            assert answer["error"]["message"], name
            assert answer["error"]["data"]["hint"], name
        print(f"{len(cases)} transactions refused; seed {SEED}")
    assert set(bad.CODES) == {reason for _, _, reason in cases}


@BOTH
async def test_random_and_damaged_bytes_are_refused(
    tmp_path: Path, rng: random.Random, transport: str
) -> None:
    async with unmoved(tmp_path) as venue, venue.asking(transport) as ask:
        good = bad.Forge(USER.key, bad.VECTOR_CHAIN_ID, venue.nonce).type2()
        raws = [rng.randbytes(rng.randrange(400)) for _ in range(1_000)]
        raws += [b"\x02\xf9\x01\x6c" + rng.randbytes(0x16C) for _ in range(200)]
        for _ in range(1_000):
            at = rng.randrange(len(good))
            raws.append(bad.patched(good, at, bytes([good[at] ^ rng.randrange(1, 256)])))
        seen: Counter[str] = Counter()
        for start in range(0, len(raws), 500):
            group = raws[start : start + 500]
            calls = [request(SEND, "0x" + raw.hex(), call_id=n) for n, raw in enumerate(group)]
            answers = await ask(b"[" + b",".join(calls) + b"]")
            assert [answer["id"] for answer in answers] == list(range(len(group)))
            for raw, answer in zip(group, answers, strict=True):
                code, reason = named(answer)
                assert bad.CODES[reason] == code, raw.hex()
                seen[reason] += 1
        print(f"{len(raws)} random transactions refused, {dict(seen)}; seed {SEED}")


@BOTH
async def test_random_bodies_are_answered(
    tmp_path: Path, rng: random.Random, transport: str
) -> None:
    allowed = {"parse_error", "invalid_request", "invalid_params", "method_not_found", "too_deep"}
    good = request(SEND, "0x" + "c0" * 20)
    async with unmoved(tmp_path) as venue, venue.asking(transport) as ask:
        bodies = [rng.randbytes(rng.randrange(1, 200)) for _ in range(300)]
        for _ in range(300):
            at = rng.randrange(len(good))
            # Not a digit of the id: then the answer would be under that id, and right.
            bodies.append(bad.patched(good, at, rng.choice(b'[]{}",:0xZ\\\0\xff').to_bytes()))
        for body in bodies:
            answer = await ask(body)
            if isinstance(answer, dict) and "error" in answer:
                assert named(answer)[1] in allowed | bad.CODES.keys(), (body, answer)
            else:
                raise AssertionError((body, answer))
        print(f"{len(bodies)} random bodies refused; seed {SEED}")


CHAIN_ID = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'


def with_params(text: bytes) -> bytes:
    return CHAIN_ID[:-1] + b',"params":' + text + b"}"


PARSE, REQUEST, METHOD, PARAMS, LIMIT = -32700, -32600, -32601, -32602, -32005
BODIES = [
    (b"{", PARSE, "parse_error"),
    (b"\xff\xfe{}", PARSE, "parse_error"),
    (b"\xef\xbb\xbf" + CHAIN_ID, PARSE, "parse_error"),
    (CHAIN_ID + CHAIN_ID, PARSE, "parse_error"),
    (CHAIN_ID.replace(b'"', b"'"), PARSE, "parse_error"),
    (with_params(b"[NaN]"), PARSE, "parse_error"),
    (with_params(b"[-Infinity]"), PARSE, "parse_error"),
    (with_params(b"[1e400]"), PARSE, "parse_error"),
    (with_params(b"[1,]"), PARSE, "parse_error"),
    (with_params(b'["\\ud800"]'), PARSE, "parse_error"),
    (with_params(b'[{"a":1,"a":1}]'), PARSE, "parse_error"),
    (with_params(b'[],"id":1'), PARSE, "parse_error"),
    (CHAIN_ID.replace(b":1,", b":" + b"9" * 5_000 + b","), PARSE, "parse_error"),
    (b"[]", REQUEST, "invalid_request"),
    (b"{}", REQUEST, "invalid_request"),
    (b"7", REQUEST, "invalid_request"),
    (b"null", REQUEST, "invalid_request"),
    (CHAIN_ID.replace(b"2.0", b"1.0"), REQUEST, "invalid_request"),
    (CHAIN_ID.replace(b":1,", b":1.5,"), REQUEST, "invalid_request"),
    (CHAIN_ID.replace(b":1,", b":18446744073709551616,"), REQUEST, "invalid_request"),
    (CHAIN_ID.replace(b":1,", b":[],"), REQUEST, "invalid_request"),
    (CHAIN_ID.replace(b'"eth_chainId"', b"7"), REQUEST, "invalid_request"),
    (with_params(b"7"), REQUEST, "invalid_request"),
    (with_params(b'[],"extra":1'), REQUEST, "invalid_request"),
    (CHAIN_ID.replace(b"eth_chainId", b"eth_sign"), METHOD, "method_not_found"),
    (CHAIN_ID.replace(b"eth_chainId", b"admin_stop"), METHOD, "method_not_found"),
    (with_params(b"[1]"), PARAMS, "invalid_params"),
    (with_params(b'{"block":1}'), PARAMS, "invalid_params"),
    (b"[" + b",".join([CHAIN_ID] * 1_001) + b"]", LIMIT, "batch_too_large"),
    # The call is the first level.
    (with_params(b"[" * 32 + b"]" * 32), LIMIT, "too_deep"),
    (with_params(b"[" * 100_000 + b"]" * 100_000), LIMIT, "too_deep"),
    (b"[" * 100_000, LIMIT, "too_deep"),
    (b'["]",' * 50_000 + b"1" + b',"["]' * 50_000, LIMIT, "too_deep"),
    (b'{"a":' * 1_000_000, LIMIT, "too_deep"),
    (b"[" + b" " * (10 << 20) + b"]", LIMIT, "body_too_large"),
]
FIXED = "0x" + "11" * 20
CALLS = [
    ("rollup_getBatch", [1.0], "record"),
    ("rollup_getBatch", [True], "record"),
    ("rollup_getBatch", ["1.0"], "record"),
    ("rollup_getBatch", ["1_0"], "record"),
    ("rollup_getBatch", ["+1"], "record"),
    ("rollup_getBatch", ["1\n"], "record"),
    ("rollup_getBatch", ["\u0661"], "record"),
    ("rollup_getBatch", ["0x"], "record"),
    ("rollup_getBatch", ["-1"], "record"),
    ("rollup_getBatch", [1 << 64], "record"),
    ("rollup_getBatch", ["9" * 90], "record"),
    ("rollup_getBatch", {"number": 1}, "number"),
    ("eth_getBalance", ["0x11"], "address"),
    ("eth_getBalance", [FIXED[2:]], "address"),
    ("eth_getBalance", ["0x" + " 11" * 20], "address"),
    ("eth_getBalance", ["0x" + "zz" * 20], "address"),
    ("eth_getBalance", [], "address"),
    ("eth_getBalance", [FIXED, "earliest"], "block"),
    ("eth_getBalance", [FIXED, "latest", 1], "2"),
    ("eth_getBlockByNumber", ["0x0", 1], "full"),
    ("eth_feeHistory", ["0x1", "0xffffff"], "newest"),
    ("eth_feeHistory", ["0x1", "latest", [{}]], "percentiles"),
    ("eth_getLogs", [{"topics": [[[]]]}], "topics"),
    ("eth_call", [{"to": 5}], "to"),
    ("public/ticker", ["BTC"], "instrument_name"),
    ("public/ticker", [7], "instrument_name"),
    ("public/get_order_book", ["BTC-PERPETUAL", 1.5], "depth"),
    (SEND, [], "transaction"),
    (SEND, [7], "transaction"),
    (SEND, ["0x0"], "transaction"),
    (SEND, ["0x02 f9"], "transaction"),
    (SEND, ["02f9"], "transaction"),
    (SEND, ["0x" + "00" * 40_000], "transaction"),
    (SEND, ["0x02", "0x02"], "1"),
    ("rollup_submitReport", [{"feed": 0}], "priceE9"),
    ("rollup_submitReport", [{"feed": 0.0}], "feed"),
    ("rollup_submitReport", [{"feed": 1 << 32}], "feed"),
    ("rollup_submitReport", [{"feed": 0, "price": 1}], "price"),
]


@BOTH
async def test_a_bad_request_is_refused_by_name(tmp_path: Path, transport: str) -> None:
    async with unmoved(tmp_path) as venue, venue.asking(transport) as ask:
        for body, code, reason in BODIES:
            assert named(await ask(body)) == (code, reason), body[:100]
            assert (await ask(CHAIN_ID))["result"] == hex(bad.VECTOR_CHAIN_ID)
        for method, params, param in CALLS:
            whole = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            answer = await ask(msgspec.json.encode(whole))
            assert named(answer) == (PARAMS, "invalid_params"), (method, params, answer)
            assert answer["error"]["data"]["param"] == param, (method, params, answer)


async def test_good_transactions_between_bad_ones_go_through(tmp_path: Path) -> None:
    vectors = bad.of_vectors()
    async with opened(tmp_path) as venue, venue.asking("http") as ask:
        await venue.node.fresh_price()
        calls: list[bytes] = []
        for _, raw, _reason in vectors:
            calls.append(request(SEND, "0x" + raw.hex(), call_id=len(calls)))
            good = venue.sign(bad.order(venue.nonce))
            calls.append(request(SEND, good, call_id=len(calls)))

        answers = await ask(b"[" + b",".join(calls) + b"]")

        assert [answer["id"] for answer in answers] == list(range(len(calls)))
        assert [named(answer)[1] for answer in answers[::2]] == [each[2] for each in vectors]
        assert all("result" in answer for answer in answers[1::2])
        book = await venue.node.client.call("public/get_order_book", "BTC-PERPETUAL", 1)
        price = (PRICE_E9 - 10**12) // 10**9
        assert book["bids"] == [[str(price), f"0.{len(vectors):03d}"]]


async def test_a_compressed_body_is_a_parse_error(tmp_path: Path) -> None:
    packed = {"Content-Encoding": "gzip"}
    async with unmoved(tmp_path) as venue:
        for body in (b"no gzip", gzip.compress(CHAIN_ID), gzip.compress(bytes(100 << 20))):
            url = venue.node.url
            async with venue.session.post(url, data=io.BytesIO(body), headers=packed) as response:
                answer = msgspec.json.decode(await response.read())
            assert (response.status, *named(answer)) == (200, PARSE, "parse_error")
