"""
Deployment of a rollup: contracts, the quote asset, reporters, markets.

In:    an L1, the governor's key, clocks.
Out:   contracts on L1, the first direct inputs, `Deployment`.
Holds: all transactions go out at once with nonces in a row, and addresses are known beforehand:
       Inbox, Vault and Rollup name one another.
Not here: keys of the devnet (`novation devnet` gives them), real tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge import governance
from bridge.deployment import Deployment
from bridge.errors import BridgeError, DeploymentError
from bridge.genesis import VERSION, genesis_root
from bridge.governance import BTC_PERPETUAL, ETH_PERPETUAL, Market
from bridge.l1 import client
from bridge.l1.client import L1
from bridge.l1.contracts import created_address, encode_call, encode_deployment
from bridge.l1.devnet.accounts import account
from bridge.l1.http import HttpL1
from bridge.l1.signing import floor_gas
from bridge.l1.wallet import Ticket, Wallet

CREATE_GAS = 4_000_000
GOVERN_GAS = 300_000
TOKEN_UNIT_E9 = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is deployed. The clocks are the devnet's."""

    l2_chain_id: int
    poster: bytes
    reporters: Sequence[bytes]
    markets: Sequence[Market] = (BTC_PERPETUAL, ETH_PERPETUAL)
    epoch_s: int = 20
    window_s: int = 20
    max_wait_s: int = 20
    max_lag_s: int = 40
    direct_depth: int = 1
    tick_ms: int = 1_000
    max_age_ms: int = 30_000
    # Of forced inputs, by kind from withdraw (2) to report (6).
    fees_wei: tuple[int, int, int, int, int] = (10**14, 10**14, 10**14, 10**14, 10**14)


async def deploy(l1: L1, key: bytes, plan: Plan, *, timeout_s: float = 60.0) -> Deployment:
    """Deploy a rollup, with the key's owner as governor and operator; return when it is there."""
    chain_id = await client.fetch_chain_id(l1)
    wallet = Wallet(l1, key, chain_id=chain_id, role="governor")
    nonce = await client.fetch_nonce(l1, wallet.address, "pending")
    token, inbox, rollup, vault = (created_address(wallet.address, nonce + i) for i in range(4))
    head = await client.fetch_head(l1)
    deployment = Deployment(
        l1_chain_id=chain_id,
        l2_chain_id=plan.l2_chain_id,
        inbox=inbox,
        vault=vault,
        rollup=rollup,
        token=token,
        token_unit_e9=TOKEN_UNIT_E9,
        governor=wallet.address,
        poster=plan.poster,
        deploy_block=head.number + 1,
        genesis_root=genesis_root(),
        version=VERSION,
        epoch_s=plan.epoch_s,
        window_s=plan.window_s,
        max_wait_s=plan.max_wait_s,
        max_lag_s=plan.max_lag_s,
        direct_depth=plan.direct_depth,
    )
    tickets = [
        await wallet.send(b"", code, action="deploy", gas=CREATE_GAS)
        for code in _creations(deployment, plan)
    ]
    tickets += await send_governance(wallet, deployment, governance_inputs(deployment, plan))
    for ticket in tickets:
        await wallet.wait(ticket, timeout_s=timeout_s)
    await deployment.check(l1)
    return deployment


def governance_inputs(deployment: Deployment, plan: Plan) -> list[bytes]:
    """Return the first direct inputs, in order."""
    return [
        governance.set_chain(plan.tick_ms, plan.max_age_ms),
        governance.set_asset(deployment.token, deployment.vault, deployment.token_unit_e9),
        *(governance.set_reporter(i, address) for i, address in enumerate(plan.reporters)),
        *(governance.set_market(market) for market in plan.markets),
    ]


async def send_governance(
    wallet: Wallet, deployment: Deployment, inputs: Sequence[bytes]
) -> list[Ticket]:
    """Send governance inputs as the governor; they land in their order."""
    calls = [encode_call("Inbox", "govern", data) for data in inputs]
    return [
        await wallet.send(
            deployment.inbox, call, action="govern", gas=max(GOVERN_GAS, floor_gas(call))
        )
        for call in calls
    ]


def _creations(deployment: Deployment, plan: Plan) -> list[bytes]:
    governor = deployment.governor
    config = (
        governor,
        plan.poster,
        deployment.vault,
        governor,
        plan.max_wait_s * 1_000,
        plan.max_lag_s * 1_000,
        list(plan.fees_wei),
    )
    return [
        encode_deployment("TestUSD"),
        encode_deployment("Inbox", config),
        encode_deployment(
            "Rollup",
            deployment.inbox,
            deployment.genesis_root,
            deployment.version,
            plan.epoch_s,
            plan.window_s,
        ),
        encode_deployment(
            "Vault",
            deployment.inbox,
            deployment.rollup,
            governor,
            plan.l2_chain_id,
            [deployment.token],
            [deployment.token_unit_e9],
        ),
    ]


async def _run(given: argparse.Namespace) -> None:
    plan = Plan(
        l2_chain_id=given.l2_chain_id,
        poster=account(1).address,
        reporters=[account(index).address for index in (3, 4, 5)],
    )
    async with HttpL1(given.l1_url) as l1:
        deployment = await deploy(l1, account(0).key, plan)
    deployment.save(given.out)
    print(f"deployed: inbox={client.to_hex(deployment.inbox)} file={given.out}")


def main() -> int:
    """Deploy on a development L1 with its test keys: 0 governs, 1 posts, 3 to 5 report."""
    parser = argparse.ArgumentParser(prog="python -m bridge.deploy", description=main.__doc__)
    parser.add_argument("--l1-url", default="http://127.0.0.1:8545")
    parser.add_argument("--l2-chain-id", type=int, default=412_000)
    parser.add_argument("--out", type=Path, default=Path("deployment.json"))
    given = parser.parse_args()
    try:
        asyncio.run(_run(given))
    except DeploymentError as error:
        print(f"deploy: {error}", file=sys.stderr)
    except BridgeError as error:
        print(f"deploy: {error}; is the L1 at {given.l1_url} running?", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
