"""
A sequencer in ten lines, for tests of the bridge: an engine, and batches of what it executed.

In:    an L1 with a deployment; signed transactions.
Out:   `PendingBatch`es that the Inbox takes.
"""

from __future__ import annotations

from eth_account import Account as EthAccount

from bridge.deployment import Deployment
from bridge.derivation import DirectInput
from bridge.follower import Follower
from bridge.l1 import contracts
from bridge.l1.client import L1, fetch_head
from bridge.l1.devnet.accounts import Account
from bridge.posting import PendingBatch
from bridge.records import pair
from state._native import Engine, VerifiedTx, verify_envelopes

EXCHANGE = bytes(16) + bytes.fromhex("4e4f5641")
UNITS = 10**6


def envelope(owner: Account, nonce: int, chain_id: int, function: str, *values: object) -> bytes:
    """Sign a call of the exchange, with the fees that wallets give it."""
    fields = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "gas": 1_000_000,
        "maxFeePerGas": 3,
        "maxPriorityFeePerGas": 1,
        "to": EXCHANGE,
        "value": 0,
        "data": contracts.encode_call("IExchange", function, *values),
    }
    return bytes(EthAccount.sign_transaction(fields, owner.key).raw_transaction)


class Sequencer:
    """Executes at once, and seals when asked."""

    def __init__(self, l1: L1, deployment: Deployment) -> None:
        self.l1 = l1
        self.deployment = deployment
        self.engine = Engine(deployment.l2_chain_id, deployment.inbox)
        self.follower = Follower(l1, deployment, 0)
        self.directs: list[DirectInput] = []
        self.content = bytes(32)
        self.roots: list[bytes] = []

    async def take_directs(self) -> None:
        while events := await self.follower.poll():
            self.directs += [event for event in events if isinstance(event, DirectInput)]

    async def seal(self, raws: list[bytes]) -> PendingBatch:
        """Run one block with all known direct inputs and these transactions; seal it."""
        await self.take_directs()
        engine = self.engine
        verified = verify_envelopes(raws, self.deployment.l2_chain_id)
        inputs = [item for item in verified if isinstance(item, VerifiedTx)]
        assert len(inputs) == len(raws)
        assert engine.admit([]) == []
        time_ms = max((await fetch_head(self.l1)).time_s * 1_000, engine.time_ms)
        waiting = [direct.packed for direct in self.directs[engine.direct_cursor :]]
        engine.open_block(time_ms, len(self.directs), waiting)
        assert engine.admit(inputs) == [0] * len(inputs)
        engine.execute(inputs)
        engine.close_block()
        sealed = engine.seal_batch()
        assert sealed is not None
        root, _ = engine.commit(sealed)
        self.roots.append(root)
        batch = PendingBatch(
            record=sealed.record,
            meta=sealed.meta,
            data=sealed.data,
            t_first_ms=sealed.t_first_ms,
            t_last_ms=sealed.t_last_ms,
            direct_to=sealed.direct_to,
            expected_direct=self.directs[sealed.direct_to - 1].running_hash,
            prev_content=self.content,
        )
        self.content = pair(self.content, sealed.record_leaf)
        return batch
