"""
Calls and events of the contracts, typed: the only place that knows ABI encoding.

In:    the name of a contract, a function or an event, Python values.
Out:   calldata, results, fields of events, decoded custom errors.
Holds: the ABI comes from the committed artifacts.
Not here: hashes of docs/formats.md §3 (`bridge.records`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import rlp
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from bridge.contracts import load
from bridge.errors import ContractError, DerivationError, L1RpcError
from bridge.l1.client import L1, Log, to_bytes, to_hex

CONTRACTS = ("Inbox", "Rollup", "Vault", "TestUSD")
REVERTED = 3
ERROR_STRING = keccak(b"Error(string)")[:4]


@dataclass(frozen=True, slots=True)
class Entry:
    """A function, an event or an error of an ABI."""

    name: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    outputs: tuple[str, ...]
    indexed: tuple[bool, ...]
    topic: bytes

    @property
    def selector(self) -> bytes:
        """Return the four bytes before the arguments."""
        return self.topic[:4]


@dataclass(frozen=True, slots=True)
class Abi:
    """A contract's functions by name, events by topic, errors by selector."""

    functions: dict[str, Entry]
    events: dict[bytes, Entry]
    errors: dict[bytes, Entry]
    constructor: tuple[str, ...]


@functools.cache
def abi(contract: str) -> Abi:
    """Return the ABI of a contract."""
    functions, events, errors = {}, {}, {}
    constructor: tuple[str, ...] = ()
    for row in load(contract).abi:
        if row["type"] == "constructor":
            constructor = tuple(_type(item) for item in row["inputs"])
            continue
        entry = _entry(row)
        if row["type"] == "function":
            functions[entry.name] = entry
        elif row["type"] == "event":
            events[entry.topic] = entry
        elif row["type"] == "error":
            errors[entry.selector] = entry
    return Abi(functions, events, errors, constructor)


def encode_call(contract: str, function: str, *values: Any) -> bytes:
    """Return calldata."""
    entry = abi(contract).functions[function]
    return entry.selector + encode(entry.types, values)


def decode_call(contract: str, function: str, calldata: bytes) -> tuple[Any, ...]:
    """Return the arguments of calldata; raise `DerivationError` if it is no such call."""
    entry = abi(contract).functions[function]
    if calldata[:4] != entry.selector:
        raise DerivationError(f"calldata is not a call of {contract}.{function}")
    try:
        return tuple(decode(entry.types, calldata[4:], strict=False))
    except DecodingError as error:
        raise DerivationError(f"calldata of {contract}.{function} is malformed: {error}") from error


def encode_deployment(contract: str, *values: Any) -> bytes:
    """Return creation code with its constructor's arguments."""
    return load(contract).bytecode + encode(abi(contract).constructor, values)


def created_address(sender: bytes, nonce: int) -> bytes:
    """Return the address of the contract that `sender` creates with `nonce`."""
    return keccak(rlp.encode([sender, nonce]))[12:]


async def call(l1: L1, contract: str, address: bytes, function: str, *values: Any) -> Any:
    """Run a view; return its value, or a tuple of several."""
    data = to_hex(encode_call(contract, function, *values))
    try:
        output = await l1.request("eth_call", [{"to": to_hex(address), "data": data}, "latest"])
    except L1RpcError as error:
        raise contract_error(error) or error from error
    return decode_result(contract, function, to_bytes(output))


def call_request(contract: str, address: bytes, function: str, *values: Any) -> Any:
    """Return a view as one call of `L1.request_many`; read its result with `decode_result`."""
    data = to_hex(encode_call(contract, function, *values))
    return "eth_call", [{"to": to_hex(address), "data": data}, "latest"]


def decode_result(contract: str, function: str, output: bytes) -> Any:
    """Return what a view returned: a value, or a tuple of several."""
    entry = abi(contract).functions[function]
    try:
        values = decode(entry.outputs, output)
    except DecodingError as error:
        raise DerivationError(
            f"{contract}.{function} returned no such value: is the contract at that address?"
        ) from error
    return values[0] if len(values) == 1 else tuple(values)


def decode_event(contract: str, log: Log) -> tuple[str, dict[str, Any]] | None:
    """Return an event's name and fields; None for one that the contract does not declare."""
    if not log.topics or log.topics[0] not in abi(contract).events:
        return None
    entry = abi(contract).events[log.topics[0]]
    topics = iter(log.topics[1:])
    plain = [kind for kind, indexed in zip(entry.types, entry.indexed, strict=True) if not indexed]
    try:
        rest = iter(decode(plain, log.data))
        fields = {
            name: decode([kind], next(topics))[0] if indexed else next(rest)
            for name, kind, indexed in zip(entry.names, entry.types, entry.indexed, strict=True)
        }
    except (DecodingError, StopIteration) as error:
        raise DerivationError(f"malformed event {entry.name} in block {log.block}") from error
    return entry.name, {name: _plain(value) for name, value in fields.items()}


def event_topic(contract: str, event: str) -> bytes:
    """Return the first topic of an event."""
    return next(entry.topic for entry in abi(contract).events.values() if entry.name == event)


def contract_error(error: L1RpcError) -> ContractError | None:
    """Return the custom error in a revert; None if the error is something else."""
    data = error.data
    # Some endpoints wrap it in an object.
    if isinstance(data, dict):
        data = data.get("data") or data.get("result")
    if not isinstance(data, str) or not data.startswith("0x"):
        return None
    return decode_error(to_bytes(data))


def decode_error(data: bytes) -> ContractError | None:
    """Return the custom error that revert data holds; None if no contract of ours has it."""
    if data[:4] == ERROR_STRING:
        return ContractError("Error", {"text": decode(["string"], data[4:])[0]})
    for contract in CONTRACTS:
        entry = abi(contract).errors.get(data[:4])
        if entry is not None:
            values = decode(entry.types, data[4:])
            fields = dict(zip(entry.names, map(_plain, values), strict=True))
            return ContractError(entry.name, fields)
    return None


def _entry(row: dict[str, Any]) -> Entry:
    inputs = row.get("inputs", [])
    types = tuple(_type(item) for item in inputs)
    signature = f"{row['name']}({','.join(types)})"
    return Entry(
        name=row["name"],
        names=tuple(item["name"] for item in inputs),
        types=types,
        outputs=tuple(_type(item) for item in row.get("outputs", [])),
        indexed=tuple(bool(item.get("indexed")) for item in inputs),
        topic=keccak(signature.encode()),
    )


def _type(item: dict[str, Any]) -> str:
    """Return a type as signatures write it: tuples by their members."""
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    members = ",".join(_type(member) for member in item["components"])
    return f"({members}){kind.removeprefix('tuple')}"


def _plain(value: Any) -> Any:
    """Return addresses as bytes, as everywhere in the bridge."""
    if isinstance(value, str) and value.startswith("0x"):
        return to_bytes(value)
    return value
