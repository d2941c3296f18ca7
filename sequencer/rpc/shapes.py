"""
Shapes: blocks, transactions, receipts and logs as Ethereum's clients expect to see them.

In:  values of `sequencer.queries`.
Out: dictionaries for JSON.

Gas and fee figures are the constants of docs/formats.md §5; everything else is read from what ran.
A block's `stateRoot` is that of the newest batch up to it, for roots exist per batch.

Holds: every field that web3.py and ethers read is there; own fields come after them.
Not here: where the values come from (`sequencer.queries`).
"""

from __future__ import annotations

import functools
from typing import Any

import rlp

from sequencer.chain import ZERO, Block, Located
from sequencer.queries import LogEntry, Queries, block_logs, events_before
from state import errors as protocol
from state._native import keccak256, receipts_root
from state.receipt import InputKind, decode_receipt, event_log
from state.tx import EXCHANGE

GAS = 1_000_000
BASE_FEE_WEI = 1
TIP_WEI = 1
_BLOOM_BYTES = 256
_NO_UNCLES = keccak256(b"\xc0")
SYSTEM_TYPE = "0x7e"


def hexed(value: bytes) -> str:
    """Bytes as JSON-RPC writes them."""
    return "0x" + value.hex()


def quantity(value: int) -> str:
    """An integer as JSON-RPC writes it."""
    return hex(value)


def block(queries: Queries, each: Block, *, full: bool) -> dict[str, Any]:
    """A block."""
    hashes = each.input_hashes()
    batch = queries.batch_of(each)
    return {
        "number": quantity(each.number),
        "hash": hexed(each.hash),
        "parentHash": hexed(each.parent),
        "nonce": "0x" + "00" * 8,
        "mixHash": hexed(ZERO),
        "sha3Uncles": hexed(_NO_UNCLES),
        "logsBloom": hexed(bloom_of(list(block_logs(each)))),
        "transactionsRoot": hexed(keccak256(b"".join(hashes))),
        "stateRoot": hexed(batch.header[32:64] if batch else queries.engine.header[32:64]),
        "receiptsRoot": hexed(receipts_root(each.receipts) if each.receipts else ZERO),
        "miner": hexed(EXCHANGE),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": "0x",
        "size": quantity(sum(map(len, each.raws))),
        "gasLimit": quantity(GAS * 512),
        "gasUsed": quantity(GAS * len(hashes)),
        "baseFeePerGas": quantity(BASE_FEE_WEI),
        "timestamp": quantity(each.time_ms // 1_000),
        "uncles": [],
        "transactions": [transaction(Located(each, i), queries) for i in range(len(hashes))]
        if full
        else [hexed(digest) for digest in hashes],
        "timestampMs": quantity(each.time_ms),
        "directTo": quantity(each.direct_to),
        "record": quantity(each.record) if each.record >= 0 else None,
        "finality": queries.finality.stage_of(each.record),
    }


def header(queries: Queries, each: Block) -> dict[str, Any]:
    """A block without its transactions, for `newHeads`."""
    shape = block(queries, each, full=False)
    for name in ("transactions", "uncles", "size", "totalDifficulty"):
        del shape[name]
    return shape


def transaction(located: Located, queries: Queries) -> dict[str, Any]:
    """A transaction; direct inputs and reports have a type of their own."""
    receipt, raw = located.receipt, located.raw
    shape: dict[str, Any] = {
        "hash": hexed(receipt[24:56]),
        "from": hexed(receipt[56:76]),
        "to": hexed(EXCHANGE),
        "value": "0x0",
        "blockHash": hexed(located.block.hash) if located.block.hash else None,
        "blockNumber": quantity(located.block.number) if located.block.hash else None,
        "transactionIndex": quantity(located.index) if located.block.hash else None,
    }
    if receipt[0] == InputKind.ENVELOPE:
        shape.update(_signed(raw))
        return shape
    return shape | {
        "type": SYSTEM_TYPE,
        "nonce": "0x0",
        "gas": "0x0",
        "gasPrice": "0x0",
        "input": hexed(raw),
        "v": "0x0",
        "r": "0x0",
        "s": "0x0",
    }


def _signed(raw: bytes) -> dict[str, Any]:
    if raw[0] == 2:  # noqa: PLR2004 - EIP-1559
        chain, nonce, tip, max_fee, gas, _, _, data, _, parity, r, s = rlp.decode(raw[1:])
        return {
            "type": "0x2",
            "chainId": _number(chain),
            "nonce": _number(nonce),
            "maxPriorityFeePerGas": _number(tip),
            "maxFeePerGas": _number(max_fee),
            "gasPrice": quantity(min(int.from_bytes(max_fee), BASE_FEE_WEI + TIP_WEI)),
            "gas": _number(gas),
            "input": hexed(data),
            "accessList": [],
            "v": _number(parity),
            "yParity": _number(parity),
            "r": _number(r),
            "s": _number(s),
        }
    nonce, price, gas, _, _, data, v, r, s = rlp.decode(raw)
    chain_id = (int.from_bytes(v) - 35) // 2
    return {
        "type": "0x0",
        "chainId": quantity(chain_id),
        "nonce": _number(nonce),
        "gasPrice": _number(price),
        "gas": _number(gas),
        "input": hexed(data),
        "v": _number(v),
        "r": _number(r),
        "s": _number(s),
    }


def _number(value: bytes) -> str:
    return quantity(int.from_bytes(value))


def receipt(queries: Queries, located: Located) -> dict[str, Any]:
    """A receipt."""
    decoded = decode_receipt(located.receipt)
    first = events_before(located.block, located.index)
    entries = [
        LogEntry(located.block, located.index, first + number, *event_log(event))
        for number, (_, event) in enumerate(decoded.events)
    ]
    kind = located.receipt[0]
    is_typed = kind == InputKind.ENVELOPE and located.raw[:1] == b"\x02"
    return {
        "transactionHash": hexed(decoded.hash),
        "transactionIndex": quantity(located.index),
        "blockHash": hexed(located.block.hash),
        "blockNumber": quantity(located.block.number),
        "from": hexed(decoded.sender),
        "to": hexed(EXCHANGE),
        "contractAddress": None,
        "cumulativeGasUsed": quantity(GAS * (located.index + 1)),
        "gasUsed": quantity(GAS),
        "effectiveGasPrice": quantity(BASE_FEE_WEI),
        "logs": [log(entry) for entry in entries],
        "logsBloom": hexed(bloom_of(entries)),
        "status": quantity(int(decoded.applied)),
        "type": ("0x2" if is_typed else "0x0") if kind == InputKind.ENVELOPE else SYSTEM_TYPE,
        "seq": quantity(decoded.seq),
        "finality": queries.finality.stage_of(located.block.record),
        "reason": reason_name(decoded.reason),
        "results": [
            {"code": each.code, "reason": reason_name(each.reason), "number": each.reason}
            for each in decoded.operations
        ],
    }


def reason_name(number: int) -> str | None:
    """Slug of a reason; None for 0."""
    return protocol.by_number(number).slug if number else None


def log(entry: LogEntry) -> dict[str, Any]:
    """A log."""
    return {
        "address": hexed(EXCHANGE),
        "topics": [hexed(topic) for topic in entry.topics],
        "data": hexed(entry.data),
        "blockNumber": quantity(entry.block.number),
        "blockHash": hexed(entry.block.hash),
        "transactionHash": hexed(entry.block.receipts[entry.index][24:56]),
        "transactionIndex": quantity(entry.index),
        "logIndex": quantity(entry.log_index),
        "removed": False,
    }


def bloom_of(entries: list[LogEntry]) -> bytes:
    """Ethereum's filter over addresses and topics."""
    bits = 0
    if entries:
        bits = _bloom_bits(EXCHANGE)
    for entry in entries:
        for topic in entry.topics:
            bits |= _bloom_bits(topic)
    return bits.to_bytes(_BLOOM_BYTES, "big")


@functools.lru_cache(maxsize=65_536)
def _bloom_bits(item: bytes) -> int:
    digest = keccak256(item)
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2]) & 2_047)
    return bits
