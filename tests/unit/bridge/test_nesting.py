"""Depth of JSON from outside is known before a decoder recurses into it."""

from __future__ import annotations

import io
import json
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.nesting import is_deeper
from tests.l1 import TestL1

json_values = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('[]{}"\\a'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("[]{}", max_size=2), inner),
    max_leaves=30,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(json_values, st.integers(1, 8), st.booleans())
def test_it_is_the_depth_of_the_value(value: Any, limit: int, blanks: bool) -> None:
    body = json.dumps(value, indent=1 if blanks else None).encode()

    assert is_deeper(body, limit) == (depth_of(value) > limit)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        # Brackets in strings close nothing.
        b'["]",' * 50_000 + b"1" + b',"["]' * 50_000,
        b'["\\"]",' * 50_000 + b"1" + b',"["]' * 50_000,
        b'["\\\\]",' * 50_000 + b"1" + b',"["]' * 50_000,
        b"[[]," * 50_000,
    ],
)
def test_deep_bytes_are_found(body: bytes) -> None:
    assert is_deeper(body, 64)


def test_brackets_in_strings_nest_nothing() -> None:
    assert not is_deeper(b'["' + b"[{" * 1_000 + b'","\\"[' + b"[" * 100 + b'"]', 32)
    assert not is_deeper(b"]" * 100 + b"[" * 100, 32), "a decoder stops at the first byte"


async def test_the_embedded_l1_survives_deep_requests(l1: TestL1) -> None:
    deep = b"[" * 100_000
    async with (
        aiohttp.ClientSession() as session,
        session.post(l1.url, data=io.BytesIO(deep)) as response,
    ):
        assert (await response.json())["error"]["message"] == "nesting over 32"

    assert int(await l1.request("eth_chainId", []), 16) == l1.options.chain_id
