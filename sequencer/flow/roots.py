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
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            sync = await node.call("rollup_syncStatus")
            validator = await _get(session, f"{validator_url}/status")
            sealed = sync["records_sealed"]
            if validator["records"] >= sealed and await _is_all_sealed(node, sync):
                found = await _get(session, f"{validator_url}/roots/{sealed - 1}")
                return Roots(sealed - 1, sync["root"], found["root"])
            if asyncio.get_running_loop().time() > deadline:
                raise FlowError(
                    f"after {timeout_s:g} s the sequencer has sealed {sealed} batches and posted "
                    f"{sync['records_posted']}, the validator has executed {validator['records']}"
                )
            await asyncio.sleep(POLL_S)


async def _is_all_sealed(node: Client, sync: dict[str, Any]) -> bool:
    """Whether the newest batch ends with the newest input."""
    if not sync["records_sealed"] or sync["unsealed_blocks"]:
        return False
    batch = await node.call("rollup_getBatch", sync["records_sealed"] - 1)
    return bool(batch["first_seq"] + batch["inputs"] >= sync["next_seq"])


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    try:
        async with session.get(url) as response:
            return msgspec.json.decode(await response.read())
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise FlowError(f"the validator does not answer at {url}: {error}") from error
