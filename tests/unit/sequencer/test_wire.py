"""Strict JSON-RPC: what is refused, by which name, and what is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.rpc import errors, wire
from sequencer.rpc.errors import RpcError
from sequencer.rpc.params import Params

GOOD = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'


def decode(body: bytes) -> wire.Request:
    return wire.decode(body, 1_000)


def call_error(body: bytes) -> RpcError:
    (call,) = decode(body).calls
    assert call.error is not None
    return call.error


def test_a_call_is_read_with_and_without_blanks() -> None:
    pretty = json.dumps(json.loads(GOOD), indent=2).encode()

    for body in (GOOD, pretty):
        (call,) = decode(body).calls
        assert (call.id, call.method, call.params, call.error) == (1, "eth_chainId", [], None)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "parse error"),
        (b"{", "parse error"),
        (b"\xff\xfe", "parse error"),
        (GOOD.replace(b"[]", b"[NaN]"), "parse error"),
        (GOOD.replace(b"[]", b"[Infinity]"), "parse error"),
        (GOOD.replace(b'"id":1', b'"id":1,"id":2'), "duplicate key 'id'"),
        (GOOD.replace(b"[]", b'[{"a":1,"a":1}]'), "duplicate key 'a'"),
    ],
)
def test_what_is_not_strict_json_is_a_parse_error(body: bytes, text: str) -> None:
    with pytest.raises(RpcError, match=text) as caught:
        decode(body)
    assert caught.value.code == errors.PARSE


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (GOOD.replace(b'"id":1', b'"id":1.5'), "id"),
        (GOOD.replace(b'"id":1', b'"id":[1]'), "id"),
        (GOOD.replace(b'"id":1', b'"id":123456789012345678901234567890'), "id"),
        (GOOD.replace(b'"2.0"', b'"1.0"'), "jsonrpc"),
        (GOOD.replace(b'"eth_chainId"', b"7"), "method"),
        (GOOD.replace(b"[]", b"7"), "params"),
        (GOOD.replace(b'"id":1', b'"id":1,"extra":2'), "extra"),
    ],
)
def test_a_wrong_member_is_an_invalid_request_that_names_it(body: bytes, param: str) -> None:
    error = call_error(body)

    assert error.code == errors.INVALID_REQUEST
    assert error.data["param"] == param


def test_nesting_is_limited_to_32() -> None:
    deepest = 31  # the call itself is the first level
    fits = GOOD.replace(b"[]", b"[" * deepest + b"]" * deepest)
    over = GOOD.replace(b"[]", b"[" * (deepest + 1) + b"]" * (deepest + 1))

    assert decode(fits).calls[0].error is None
    assert call_error(over).data["reason"] == "too_deep"
    for body in (b"[" * 200_000, b'{"a":' * 200_000, (b"[" + b"[]" * 40) * 100_000):
        with pytest.raises(RpcError) as caught:
            decode(body)
        assert caught.value.data["reason"] == "too_deep"


def test_brackets_in_strings_are_no_nesting() -> None:
    text = GOOD.replace(b"[]", b'["' + b"[{" * 100 + b'", "\\"[["]')

    assert decode(text).calls[0].error is None
    with pytest.raises(RpcError, match="parse error"):
        decode(b"[]" * 100 + b"]" * 100)


def test_a_batch_has_1_to_1000_calls_and_a_bad_one_harms_no_other() -> None:
    batch = decode(b"[" + GOOD + b",7," + GOOD + b"]")

    assert batch.is_batch
    assert [call.error is None for call in batch.calls] == [True, False, True]
    with pytest.raises(RpcError):
        decode(b"[]")
    with pytest.raises(RpcError, match="at most 1000") as caught:
        decode(b"[" + b",".join([GOOD] * 1_001) + b"]")
    assert caught.value.code == errors.LIMIT


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(body: bytes) -> None:
    try:
        decode(body)
    except RpcError as error:
        assert error.code in (errors.PARSE, errors.INVALID_REQUEST, errors.LIMIT)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_a_call_or_a_named_error(value: object) -> None:
    try:
        request = decode(json.dumps(value).encode())
    except RpcError as error:
        assert error.data["reason"]
        return
    assert all(call.error is not None or call.method for call in request.calls)


@pytest.mark.parametrize("value", [1.0, "1.5", "x", -1, 1 << 64, None, True, [], "1_0", " 1"])
def test_what_is_no_integer_is_refused_by_name(value: object) -> None:
    params = Params(("amount",), [value])

    with pytest.raises(RpcError) as caught:
        params.uint("amount")
    assert (caught.value.code, caught.value.data["param"]) == (errors.INVALID_PARAMS, "amount")


@pytest.mark.parametrize("value", [7, "7", "0x7"])
def test_integers_are_numbers_decimal_strings_or_hex(value: object) -> None:
    assert Params(("amount",), [value]).uint("amount") == 7


def test_unknown_and_surplus_arguments_are_refused() -> None:
    with pytest.raises(RpcError, match="unknown"):
        Params(("depth",), {"dept": 1})
    with pytest.raises(RpcError, match="too many"):
        Params(("depth",), [1, 2])
