"""
Roots: the sequencer's root against the validator's, for the last batch.

In:  the node's JSON-RPC, the validator's status over HTTP.
Out: `Roots`, once everything that was acknowledged is in a batch that the validator has executed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from sequencer.flow.send import FlowError
from sequencer.sdk.client import Client

POLL_S = 0.05
STATUS_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Roots:
    """Both roots after the same record."""

    record: int
    sequencer: str
    validator: str

    @property
    def equal(self) -> bool:
        """Whether the validator, from L1 alone, came to the sequencer's root."""
        return self.sequencer == self.validator


async def wait_equal(node: Client, validator_url: str, *, timeout_s: float) -> Roots:
    """
    Wait until the validator has executed the last batch; both roots after it.

    Raises
    ------
    FlowError
        It does not happen within `timeout_s`; says how far each is.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    timeout = aiohttp.ClientTimeout(total=STATUS_TIMEOUT_S)
    target = (await node.call("rollup_syncStatus"))["next_seq"]
    batch: dict[str, Any] | None = None
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            batch = batch or await _batch_with(node, target)
            status = await _get(session, f"{validator_url}/status")
            if batch is not None and status["records"] > batch["record"]:
                found = await _get(session, f"{validator_url}/roots/{batch['record']}")
                return Roots(batch["record"], batch["root"], found["root"])
            if asyncio.get_running_loop().time() > deadline:
                sync = await node.call("rollup_syncStatus")
                raise FlowError(
                    f"after {timeout_s:g} s the sequencer has sealed {sync['records_sealed']} "
                    f"batches and posted {sync['records_posted']}, the validator has executed "
                    f"{status['records']}"
                )
            await asyncio.sleep(POLL_S)


async def _batch_with(node: Client, target_seq: int) -> dict[str, Any] | None:
    """The newest batch if it ends at `target_seq` or after; others may go on sending."""
    sealed = (await node.call("rollup_syncStatus"))["records_sealed"]
    if not sealed:
        return None
    batch: dict[str, Any] = await node.call("rollup_getBatch", sealed - 1)
    return batch if batch["first_seq"] + batch["inputs"] >= target_seq else None


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    try:
        async with session.get(url) as response:
            return msgspec.json.decode(await response.read())
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise FlowError(f"the validator does not answer at {url}: {error}") from error
