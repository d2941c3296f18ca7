"""
Follower: reads L1 at a chosen depth, and notices when L1 takes something back.

In:    an L1, a deployment, a depth.
Out:   events in L1 order, each exactly once; after a reorganisation `Reorged`, then the events of
       the new branch.
Holds: a poll reads a bounded range. The hash of the last block read is checked at each poll, before
       and after the logs; `Chains` of some blocks back are kept to go back to.
Not here: what logs mean (`derivation`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bridge import metrics
from bridge.deployment import Deployment
from bridge.derivation import Chains, L1Event, Reorged, batch_transactions, derive
from bridge.errors import L1UnreachableError
from bridge.l1 import client
from bridge.l1.client import L1, Block, Request, to_bytes, to_hex

RANGE_BLOCKS = 1_000
# Calldata of so many batches is fetched in one request; 10 are some 2.4 MB of JSON.
CALLDATA_BATCH = 10
# Deeper reorganisations begin anew at the deployment's block.
CHECKPOINTS_MAX = 256


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block up to which everything has been read."""

    number: int
    hash: bytes
    chains: Chains


class Follower:
    """Reads one deployment from its first block."""

    def __init__(self, l1: L1, deployment: Deployment, depth: int) -> None:
        self._l1 = l1
        self._deployment = deployment
        self._depth = depth
        self._checkpoints: deque[Checkpoint] = deque(maxlen=CHECKPOINTS_MAX)
        self._behind = True

    @property
    def chains(self) -> Chains:
        """Return where records and direct inputs stand."""
        return self._checkpoints[-1].chains if self._checkpoints else Chains()

    @property
    def l1_block(self) -> int:
        """Return the last block that was read; one before the deployment's at first."""
        if self._checkpoints:
            return self._checkpoints[-1].number
        return self._deployment.deploy_block - 1

    @property
    def is_behind(self) -> bool:
        """Tell whether the last poll left blocks unread: poll again at once."""
        return self._behind

    def fork(self, depth: int, records: int, directs: int) -> Follower:
        """Return a follower that reads again what came after so many records and direct inputs."""
        other = Follower(self._l1, self._deployment, depth)
        other._checkpoints.extend(
            each
            for each in self._checkpoints
            if each.chains.records.count <= records and each.chains.directs.count <= directs
        )
        return other

    async def poll(self) -> list[L1Event]:
        """
        Read what is new, up to `RANGE_BLOCKS` blocks.

        Raises
        ------
        L1Error
            L1 does not answer; nothing was read, poll again.
        DerivationError
            L1 contradicts itself.
        """
        head, stands = await self._fetch_head()
        metrics.L1_HEAD.set(head.number)
        if not stands:
            self._behind = True
            return [await self._go_back()]
        first = self.l1_block + 1
        target = head.number - self._depth
        last = min(target, first + RANGE_BLOCKS - 1)
        self._behind = last < target
        if last < first:
            return []
        return await self._read(first, last)

    async def _read(self, first: int, last: int) -> list[L1Event]:
        deployment = self._deployment
        contracts = (deployment.inbox, deployment.rollup, deployment.vault)
        calls = [client.logs_request(contracts, first, last)]
        calls += [("eth_getBlockByNumber", [hex(last), False])]
        if self._checkpoints:
            calls += [("eth_getBlockByNumber", [hex(first - 1), False])]
        rows, *blocks = await self._l1.request_many(calls)
        end, *before = [client.read_block(row) for row in blocks]
        if end is None or (before and (before[0] is None or before[0].hash != self._tip())):
            # The branch moved under our feet: the next poll goes back.
            self._behind = True
            return []
        logs = sorted(map(client.read_log, rows), key=lambda log: (log.block, log.index))
        if any(log.block == last and log.block_hash != end.hash for log in logs):
            self._behind = True
            return []
        calldata = await self._fetch_calldata(batch_transactions(deployment, logs))
        chains, events = derive(deployment, self.chains, logs, calldata)
        self._checkpoints.append(Checkpoint(end.number, end.hash, chains))
        return events

    async def _fetch_calldata(self, hashes: list[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for begin in range(0, len(hashes), CALLDATA_BATCH):
            part = hashes[begin : begin + CALLDATA_BATCH]
            rows = await self._l1.request_many(
                [("eth_getTransactionByHash", [to_hex(tx_hash)]) for tx_hash in part]
            )
            for tx_hash, row in zip(part, rows, strict=True):
                if row is None:
                    # Logs and transactions disagree: a reorganisation between two requests.
                    raise L1UnreachableError(f"L1 no longer has {to_hex(tx_hash)}; poll again")
                found[tx_hash] = to_bytes(row["input"])
        return found

    async def _fetch_head(self) -> tuple[Block, bool]:
        """Read the head, and whether the last block that was read is still on its branch."""
        calls: list[Request] = [("eth_getBlockByNumber", ["latest", False])]
        if self._checkpoints:
            calls.append(("eth_getBlockByNumber", [hex(self.l1_block), False]))
        head, *last = map(client.read_block, await self._l1.request_many(calls))
        if head is None:
            raise L1UnreachableError("L1 has no block yet")
        return head, all(block is not None and block.hash == self._tip() for block in last)

    async def _go_back(self) -> Reorged:
        """Go back to the newest block that is still on L1's branch."""
        tip = self.l1_block
        while self._checkpoints and not await self._stands(self._checkpoints[-1]):
            self._checkpoints.pop()
        depth = tip - self.l1_block
        metrics.L1_REORGS.inc()
        metrics.L1_REORG_DEPTH.observe(depth)
        return Reorged(depth, self.l1_block)

    async def _stands(self, checkpoint: Checkpoint) -> bool:
        block = await client.fetch_block(self._l1, checkpoint.number)
        return block is not None and block.hash == checkpoint.hash

    def _tip(self) -> bytes:
        return self._checkpoints[-1].hash
