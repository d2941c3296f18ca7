"""Bad posts to L1 beside a running node: refused by name, and the node's batches go on."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account as EthAccount

from bridge.errors import ContractError, L1RpcError
from bridge.l1 import contracts
from bridge.l1.client import to_hex
from bridge.l1.devnet.accounts import Account
from bridge.l1.signing import floor_gas, intrinsic_gas
from bridge.posting import PendingBatch
from tests.end_to_end.bad_venue import Venue, unmoved
from tests.l1 import POSTER, STRANGER, batches


async def posted(venue: Venue) -> tuple[bytes, int]:
    """What the Inbox holds, once all that the node has sealed is there."""
    async with asyncio.timeout(20):
        while True:
            sync = await venue.node.client.call("rollup_syncStatus")
            if sync["records_posted"] == sync["records_sealed"]:
                break
            await asyncio.sleep(0.05)
    inbox = venue.node.deployment.inbox
    content = await contracts.call(venue.l1, "Inbox", inbox, "content")
    assert "0x" + content.hex() == sync["content"]
    return content, await contracts.call(venue.l1, "Inbox", inbox, "recordCount")


def calldata(batch: PendingBatch) -> bytes:
    header = (
        batch.prev_content,
        batch.t_first_ms,
        batch.t_last_ms,
        batch.direct_to,
        batch.expected_direct,
    )
    return contracts.encode_call("Inbox", "postBatch", header, batch.data)


async def refused_as(venue: Venue, owner: Account, batch: PendingBatch) -> ContractError:
    """The error with which the Inbox refuses a batch."""
    with pytest.raises(ContractError) as caught:
        await venue.l1.wallet(owner).send(
            venue.node.deployment.inbox, calldata(batch), action="batch"
        )
    return caught.value


async def test_a_second_poster_is_refused(tmp_path: Path, rng: random.Random) -> None:
    async with unmoved(tmp_path) as venue:
        before = await posted(venue)
        (batch,) = await batches(venue.l1, venue.node.deployment, 1, 1_000, rng)
        # Another process with the poster's key, which has not seen the newest batch.
        behind = replace(batch, prev_content=rng.randbytes(32))

        assert (await refused_as(venue, STRANGER, batch)).name == "Inbox_NotPoster"
        moved = await refused_as(venue, POSTER, behind)

        assert moved.name == "Inbox_ContentMoved"
        assert moved.fields["current"] == batch.prev_content
        assert await posted(venue) == before


async def test_a_batch_under_the_gas_floor_is_refused_by_l1(
    tmp_path: Path, rng: random.Random
) -> None:
    async with unmoved(tmp_path) as venue:
        before = await posted(venue)
        (batch,) = await batches(venue.l1, venue.node.deployment, 1, 5_000, rng)
        data = calldata(batch)
        floor = floor_gas(data)
        assert intrinsic_gas(data) < floor - 1
        nonce = await venue.l1.request(
            "eth_getTransactionCount", [to_hex(POSTER.address), "pending"]
        )
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": venue.l1.options.chain_id,
            "nonce": int(nonce, 16),
            "to": venue.node.deployment.inbox,
            "value": 0,
            "data": data,
            "gas": floor - 1,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
        }
        raw = EthAccount.sign_transaction(fields, POSTER.key).raw_transaction

        with pytest.raises(L1RpcError, match="floor data gas cost") as caught:
            await venue.l1.request("eth_sendRawTransaction", [to_hex(bytes(raw))])

        assert f"minimum needed {floor}" in caught.value.message
        assert await posted(venue) == before
