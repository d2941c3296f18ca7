"""
Wire: strict JSON-RPC, bytes to calls and results to bytes.

In:  a body or a WebSocket message.
Out: `Call`s, or an `RpcError` for the whole or for one of them; answers as bytes.

Strict: duplicate keys, NaN, unknown members and numbers over 64 bits as ids are refused. The fast
decoder keeps the last of two equal keys, so its value is encoded again: if that gives the same
bytes, there were none. Clients that add blanks take the slower way through `json`.

Holds: nesting <= 32, calls <= `calls_per_batch`; nothing here raises but `RpcError`.
Not here: sizes and deadlines of bodies (`rpc.server`), what methods mean (`rpc.dispatch`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from bridge.nesting import is_deeper
from sequencer.rpc import errors
from sequencer.rpc.errors import RpcError

MAX_DEPTH = 32
# Up to here only the call is refused that is too deep, and not the others of its batch.
_PARSE_DEPTH = 2 * MAX_DEPTH
OFF_LOOP_BYTES = 256 << 10
"""Larger bodies are decoded in a thread: they take milliseconds."""
_MAX_ID = 1 << 64
_MEMBERS = frozenset(("jsonrpc", "id", "method", "params"))
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Call:
    """One call; with `error` set it is answered with that and nothing else."""

    id: str | int | None
    method: str
    params: list[Any] | dict[str, Any]
    notification: bool = False
    error: RpcError | None = None


@dataclass(slots=True)
class Request:
    """What one body or message holds."""

    calls: list[Call]
    is_batch: bool


def decode(body: bytes, calls_per_batch: int) -> Request:
    """
    Decode one body.

    Raises
    ------
    RpcError
        It is not JSON, or neither a call nor an array of calls.
    """
    value = _parse(body)
    if isinstance(value, list):
        if not value:
            raise errors.invalid_request("an empty array")
        if len(value) > calls_per_batch:
            raise errors.limit(
                "batch_too_large",
                f"batch too large: {len(value)} calls, at most {calls_per_batch}",
                limit=calls_per_batch,
            )
        return Request([_call(each, 2) for each in value], is_batch=True)
    return Request([_call(value, 1)], is_batch=False)


def encode_result(call_id: str | int | None, result: Any) -> bytes:
    """Encode an answer."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (_encode(call_id), _encode(result))


def encode_hash(call_id: str | int | None, value: bytes) -> bytes:
    """Encode the commonest answer, a hash."""
    if type(call_id) is int:
        return b'{"jsonrpc":"2.0","id":%d,"result":"0x%b"}' % (call_id, value.hex().encode())
    return encode_result(call_id, "0x" + value.hex())


def encode_error(call_id: str | int | None, error: RpcError) -> bytes:
    """Encode an error."""
    content = {"code": error.code, "message": error.message, "data": error.data}
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (_encode(call_id), _encode(content))


def encode_notice(subscription: str, result: Any) -> bytes:
    """Encode what a subscription sends."""
    params = {"subscription": subscription, "result": result}
    return _encode({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})


def join(answers: list[bytes], *, is_batch: bool) -> bytes:
    """One body from the answers; empty if none is due."""
    if is_batch and answers:
        return b"[" + b",".join(answers) + b"]"
    return answers[0] if answers else b""


def _parse(body: bytes) -> Any:
    if is_deeper(body, _PARSE_DEPTH):
        raise _too_deep()
    try:
        value = _decode(body)
        if _encode(value) != body:
            value = json.loads(body, object_pairs_hook=_no_twice, parse_constant=_no_constant)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, msgspec.MsgspecError, ValueError) as exc:
        raise errors.parse_error(str(exc)[:200]) from None
    return value


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"duplicate key {twice[:64]!r}")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _too_deep() -> RpcError:
    return errors.limit("too_deep", f"nesting over {MAX_DEPTH}", limit=MAX_DEPTH)


def _call(value: Any, depth: int) -> Call:
    """Check one call; what is wrong with it becomes its error, so that the others are answered."""
    if not isinstance(value, dict):
        return Call(None, "", [], error=errors.invalid_request("a call is an object"))
    call_id = value.get("id")
    if not (call_id is None or type(call_id) is str or _is_id(call_id)):
        error = errors.invalid_request("id is a string, an integer of 64 bits or null", param="id")
        return Call(None, "", [], error=error)
    method, params = value.get("method"), value.get("params")
    call = Call(call_id, "", [], "id" not in value)
    if type(method) is not str:
        call.error = errors.invalid_request("method is a string", param="method")
    elif value.get("jsonrpc") != "2.0":
        call.error = errors.invalid_request('jsonrpc is "2.0"', param="jsonrpc")
    elif not (params is None or isinstance(params, list | dict)):
        call.error = errors.invalid_request("params is an array or an object", param="params")
    elif len(value) > len(_MEMBERS) or not _MEMBERS.issuperset(value):
        strange = next(key for key in value if key not in _MEMBERS)
        call.error = errors.invalid_request(f"unknown member {strange[:64]!r}", param=strange[:64])
    elif params and _depth(params, depth + 1) > MAX_DEPTH:
        call.error = _too_deep()
    else:
        call.method = method
        call.params = [] if params is None else params
    if call.error is not None:
        call.notification = False
    return call


def _is_id(value: Any) -> bool:
    return type(value) is int and -_MAX_ID < value < _MAX_ID


def _depth(value: Any, depth: int) -> int:
    """Depth of the deepest container in `value`, itself at `depth`; stops past the limit."""
    if depth > MAX_DEPTH:
        return depth
    deepest = depth
    for each in value.values() if type(value) is dict else value:
        if type(each) is list or type(each) is dict:
            deepest = max(deepest, _depth(each, depth + 1))
    return deepest
