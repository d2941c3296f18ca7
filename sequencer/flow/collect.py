"""
Collect: what became of the flow, read back through the public interfaces after the clock.

In:  the prepared envelopes, a node, an L1.
Out: rejections by reason, fills, filled takers (from L2); bytes and gas of batches (from L1).

Holds: every envelope that was acknowledged must have a receipt, else it raises.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_hash.auto import keccak

from bridge.deployment import Deployment
from bridge.l1.client import L1, logs_request, to_int
from bridge.l1.contracts import event_topic
from sequencer.flow.prepare import Market, Ready
from sequencer.flow.send import FlowError
from sequencer.sdk.client import Client, RpcError
from state.errors import by_number

REQUESTS_IN_FLIGHT = 4
L1_BLOCKS_PER_QUERY = 500
L1_CALLS_PER_REQUEST = 50

_REJECTED = "0x" + keccak(b"OperationRejected(uint8,uint16)").hex()
_TRADE = (
    "0x"
    + keccak(
        b"Trade(uint32,bool,uint64,uint64,address,uint32,uint64,address,uint32,uint64,int128,int128)"
    ).hex()
)
_WORD = 64
"""Hex digits of a word."""


@dataclass(slots=True)
class Executed:
    """What L2 says about all envelopes."""

    rejected: Counter[str] = field(default_factory=Counter)
    """operations by reason"""
    fills: int = 0
    takers_filled: int = 0
    """takers whose whole size was filled"""


@dataclass(slots=True)
class Posted:
    """What L1 says about the batches: bytes are those of the transactions' calldata."""

    batches: int = 0
    calldata_bytes: int = 0
    gas: int = 0


async def collect_receipts(
    node: Client,
    envelopes: Sequence[Ready],
    refused: Collection[int],
    market: Market,
    first_block: int,
    progress: Callable[[int], None] = lambda count: None,
) -> Executed:
    """Read all receipts in L2 blocks from `first_block` on; only refused envelopes have none."""
    executed = Executed()
    missing = {each.hash: each for i, each in enumerate(envelopes) if i not in refused}
    head = to_int(await node.call("eth_blockNumber"))
    blocks = deque(range(first_block, head + 1))
    in_flight: deque[asyncio.Task[list[Any]]] = deque()
    while blocks or in_flight:
        while blocks and len(in_flight) < REQUESTS_IN_FLIGHT:
            call = ("eth_getBlockReceipts", [hex(blocks.popleft())])
            in_flight.append(await node.start_many([call]))
        (receipts,) = await in_flight.popleft()
        if isinstance(receipts, RpcError):
            raise receipts
        found = 0
        for receipt in receipts:
            envelope = missing.pop(bytes.fromhex(receipt["transactionHash"][2:]), None)
            if envelope is not None:
                found += 1
                _count(executed, receipt, envelope, market.lot_e9)
        progress(found)
    if missing:
        raise FlowError(f"{len(missing)} envelopes were acknowledged but have no receipt")
    return executed


def _count(executed: Executed, receipt: dict[str, Any], envelope: Ready, lot_e9: int) -> None:
    filled_e9 = 0
    for log in receipt["logs"]:
        topic, data = log["topics"][0], log["data"]
        if topic == _TRADE:
            executed.fills += 1
            filled_e9 += int(data[2 + 2 * _WORD : 2 + 3 * _WORD], 16)
        elif topic == _REJECTED:
            number = int(data[2 + _WORD : 2 + 2 * _WORD], 16)
            executed.rejected[reason_slug(number)] += 1
    if not receipt["logs"]:
        # Skipped as a whole: nothing of it was even tried.
        executed.rejected["envelope_skipped"] += envelope.operations
    if envelope.taker_lots and filled_e9 == envelope.taker_lots * lot_e9:
        executed.takers_filled += 1


def reason_slug(number: int) -> str:
    """The slug of a reason (docs/formats.md §9)."""
    try:
        return by_number(number).slug
    except KeyError:
        return f"reason_{number}"


async def collect_batches(l1: L1, deployment: Deployment, first_block: int) -> Posted:
    """Sum up the batches that landed in L1 blocks from `first_block` on."""
    posted = Posted()
    head = to_int(await l1.request("eth_blockNumber", []))
    topic = "0x" + event_topic("Inbox", "BatchPosted").hex()
    hashes: list[str] = []
    for begin in range(first_block, head + 1, L1_BLOCKS_PER_QUERY):
        end = min(head, begin + L1_BLOCKS_PER_QUERY - 1)
        method, params = logs_request([deployment.inbox], begin, end)
        logs = await l1.request(method, params)
        hashes += [log["transactionHash"] for log in logs if log["topics"][0] == topic]
    for begin in range(0, len(hashes), L1_CALLS_PER_REQUEST):
        part = hashes[begin : begin + L1_CALLS_PER_REQUEST]
        transactions = await l1.request_many([("eth_getTransactionByHash", [h]) for h in part])
        receipts = await l1.request_many([("eth_getTransactionReceipt", [h]) for h in part])
        posted.batches += len(part)
        posted.calldata_bytes += sum(len(tx["input"]) // 2 - 1 for tx in transactions)
        posted.gas += sum(to_int(receipt["gasUsed"]) for receipt in receipts)
    return posted
