"""Gas of each entry point and bytes of each contract, to the unit, as committed in `gas.json`."""

from __future__ import annotations

import json
from random import Random

import pytest

from bridge.contracts import ARTIFACTS
from tests.contracts import model, snapshots
from tests.contracts.checks import accepted
from tests.contracts.world import (
    ALICE,
    BOB,
    FEES_WEI,
    GENESIS,
    L2_CHAIN_ID,
    OPERATOR,
    TIMELOCK,
    WINDOW_SECONDS,
    World,
)

FULL_BYTES = 117_956
MAXIMUM_DEPLOYED_BYTES = 24_576


def test_gas_is_what_is_committed_on_both_chains(world: World) -> None:
    gas = {f"deploy_{name}": outcome.gas_used for name, outcome in world.deployments.items()}
    gas |= _inbox(world)
    gas |= _money(world)
    computed = {"gas": gas, "deployed_bytes": _deployed_bytes()}
    snapshots.compare(snapshots.COSTS, computed)


def test_a_full_batch_costs_the_calldata_floor_and_no_more(world: World) -> None:
    """EIP-7623: 40 gas per non-zero byte, 10 per zero byte; the page hashes fit below it."""
    for data in (Random(1).randbytes(FULL_BYTES), bytes(FULL_BYTES)):
        batch = world.batch(data=data)
        calldata = world.inbox.data("postBatch", batch.header(), batch.data)
        zeros = calldata.count(0)
        floor = 21_000 + 10 * zeros + 40 * (len(calldata) - zeros)
        assert accepted(world.post(batch)).gas_used == floor


@pytest.mark.parametrize("name", sorted(file.stem for file in ARTIFACTS.glob("*.json")))
def test_every_contract_fits(name: str) -> None:
    assert _deployed_bytes()[name] < MAXIMUM_DEPLOYED_BYTES


def _inbox(world: World) -> dict[str, int]:
    gas = {}
    noise = Random(1)
    gas["post_first_1kB"] = accepted(world.post(world.batch(data=noise.randbytes(1_024)))).gas_used
    gas["post_1kB"] = accepted(world.post(world.batch(data=noise.randbytes(1_024)))).gas_used
    full = world.batch(data=noise.randbytes(FULL_BYTES))
    gas["post_full_random"] = accepted(world.post(full)).gas_used
    gas["post_full_zeros"] = accepted(world.post(world.batch(data=bytes(FULL_BYTES)))).gas_used
    gas["force_cancel_all"] = accepted(world.cancel_all()).gas_used
    withdraw = world.inbox.send(ALICE, "force", 2, noise.randbytes(40), value=FEES_WEI[0])
    gas["force_withdraw"] = accepted(withdraw).gas_used
    gas["govern"] = accepted(world.inbox.send(TIMELOCK, "govern", noise.randbytes(57))).gas_used
    world.after(60)
    gas["advance"] = accepted(world.inbox.send(BOB, "advance")).gas_used
    rotate = world.inbox.send(OPERATOR, "rotatePoster", world.vault.address)
    gas["rotate_poster"] = accepted(rotate).gas_used
    return gas


def _money(world: World) -> dict[str, int]:
    gas = {}
    gas["deposit_first"] = accepted(world.deposit(ALICE, 1_000_000)).gas_used
    gas["deposit"] = accepted(world.deposit(ALICE, 1_000_000)).gas_used

    bob = bytes(19) + b"\x0b"
    paid = [model.Withdrawal(i, bob, world.usd.address, 5, bob) for i in range(2)]
    leaves = [withdrawal.leaf(L2_CHAIN_ID, world.vault.address) for withdrawal in paid]
    root = model.tree_root(leaves, model.TREE_DEPTH)
    header = model.Header(GENESIS.state_root, root, len(leaves))
    world.at(world.rollup.view("lastSealAt") + 1_000)
    gas["seal"] = accepted(world.rollup.send(BOB, "seal")).gas_used
    claim = model.Commitment((header.root(),))
    gas["propose"] = accepted(world.propose(0, GENESIS.root(), claim)).gas_used
    world.after(WINDOW_SECONDS)
    gas["confirm"] = accepted(world.confirm(0, header)).gas_used
    for name, withdrawal in zip(("claim_first", "claim"), paid, strict=True):
        proof = model.tree_proof(leaves, withdrawal.index, model.TREE_DEPTH)
        outcome = world.vault.send(BOB, "claim", withdrawal.fields(), 0, proof)
        gas[name] = accepted(outcome).gas_used
    return gas


def _deployed_bytes() -> dict[str, int]:
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8"))["deployed_bytes"]
        for file in sorted(ARTIFACTS.glob("*.json"))
    }
