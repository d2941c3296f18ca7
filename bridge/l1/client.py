"""
The seam to L1: one method, and typed reads over it.

In:    an `L1` (`bridge.l1.http`, or another that speaks JSON-RPC).
Out:   heads, logs, transactions, receipts as typed records.
Holds: what L1 answers is checked for form here; nothing else parses JSON of L1.
Not here: contracts (`contracts`), sending (`wallet`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.errors import L1UnreachableError

Request = tuple[str, list[Any]]


class L1(Protocol):
    """Anything that answers Ethereum's JSON-RPC."""

    async def request(self, method: str, params: list[Any]) -> Any:
        """Return the result of a call; raise `L1Error`."""
        ...

    async def request_many(self, calls: Sequence[Request]) -> list[Any]:
        """Return the results of several calls in one go; raise the first error."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """What is read of a block."""

    number: int
    hash: bytes
    parent: bytes
    time_s: int
    base_fee_wei: int


@dataclass(frozen=True, slots=True)
class Log:
    """An event as L1 stores it."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    block_hash: bytes
    index: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a mined transaction ended."""

    tx_hash: bytes
    ok: bool
    block: int
    block_hash: bytes
    gas_used: int
    price_wei: int
    contract: bytes | None
    logs: tuple[Log, ...]


def to_hex(value: bytes) -> str:
    """Return bytes as JSON-RPC writes them."""
    return "0x" + value.hex()


def to_bytes(value: str) -> bytes:
    """Read bytes of JSON-RPC."""
    return bytes.fromhex(value[2:])


def to_int(value: str) -> int:
    """Read a quantity of JSON-RPC."""
    return int(value, 16)


async def fetch_block(l1: L1, tag: int | str = "latest") -> Block | None:
    """Return a block by number or tag; None if L1 has none."""
    name = tag if isinstance(tag, str) else hex(tag)
    return read_block(await l1.request("eth_getBlockByNumber", [name, False]))


async def fetch_head(l1: L1, tag: str = "latest") -> Block:
    """Return the newest block under a tag."""
    block = await fetch_block(l1, tag)
    if block is None:
        raise L1UnreachableError(f"L1 has no block {tag!r} yet")
    return block


async def fetch_chain_id(l1: L1) -> int:
    """Return the chain id."""
    return to_int(await l1.request("eth_chainId", []))


async def fetch_nonce(l1: L1, address: bytes, tag: str = "latest") -> int:
    """Return how many transactions of `address` are mined, or with "pending" also waiting."""
    return to_int(await l1.request("eth_getTransactionCount", [to_hex(address), tag]))


async def fetch_balance(l1: L1, address: bytes) -> int:
    """Return a balance in wei."""
    return to_int(await l1.request("eth_getBalance", [to_hex(address), "latest"]))


async def fetch_receipt(l1: L1, tx_hash: bytes) -> Receipt | None:
    """Return a receipt; None while the transaction is not mined."""
    return read_receipt(await l1.request("eth_getTransactionReceipt", [to_hex(tx_hash)]))


def logs_request(addresses: Sequence[bytes], first: int, last: int) -> Request:
    """Return the call for all logs of some contracts in a range of blocks."""
    query = {
        "address": [to_hex(address) for address in addresses],
        "fromBlock": hex(first),
        "toBlock": hex(last),
    }
    return "eth_getLogs", [query]


def read_block(row: Any) -> Block | None:
    """Read a block."""
    if row is None:
        return None
    return Block(
        number=to_int(row["number"]),
        hash=to_bytes(row["hash"]),
        parent=to_bytes(row["parentHash"]),
        time_s=to_int(row["timestamp"]),
        base_fee_wei=to_int(row.get("baseFeePerGas", "0x0")),
    )


def read_log(row: Any) -> Log:
    """Read a log."""
    return Log(
        address=to_bytes(row["address"]),
        topics=tuple(to_bytes(topic) for topic in row["topics"]),
        data=to_bytes(row["data"]),
        block=to_int(row["blockNumber"]),
        block_hash=to_bytes(row["blockHash"]),
        index=to_int(row["logIndex"]),
        tx_hash=to_bytes(row["transactionHash"]),
    )


def read_receipt(row: Any) -> Receipt | None:
    """Read a receipt."""
    if row is None or row.get("blockHash") is None:
        return None
    contract = row.get("contractAddress")
    return Receipt(
        tx_hash=to_bytes(row["transactionHash"]),
        ok=to_int(row["status"]) == 1,
        block=to_int(row["blockNumber"]),
        block_hash=to_bytes(row["blockHash"]),
        gas_used=to_int(row["gasUsed"]),
        price_wei=to_int(row.get("effectiveGasPrice", "0x0")),
        contract=to_bytes(contract) if contract else None,
        logs=tuple(read_log(log) for log in row["logs"]),
    )
