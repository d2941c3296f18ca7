"""
Deposit: money from L1 into accounts of the exchange.

In:  an L1, the key that pays, accounts with amounts.
Out: `Vault.deposit` transactions, pipelined; the balances on L2 once the node has credited them.

Holds: each call of `fund` pays exactly once, or raises; test USD is minted first where asked.
Not here: withdrawals (`sequencer.sdk.account`, then `bridge.withdrawals` with the proof).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.deployment import Deployment
from bridge.l1.client import L1, Receipt
from bridge.l1.contracts import encode_call
from bridge.l1.wallet import Ticket, Wallet
from sequencer.sdk.client import Client
from sequencer.sdk.views import SubaccountView, ask_many, subaccount_view

DEPOSIT_GAS = 300_000
TOKEN_GAS = 120_000
IN_FLIGHT_MAX = 64
LAND_S_MAX = 120.0
POLL_S = 0.2
VIEWS_PER_REQUEST = 200


class DepositError(Exception):
    """A deposit was not credited in time; the message says which."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """`amount` token units for subaccount 0 of `account`."""

    account: bytes
    amount: int


class Funder:
    """One paying key on L1."""

    def __init__(self, l1: L1, key: bytes, deployment: Deployment) -> None:
        self._deployment = deployment
        self._wallet = Wallet(l1, key, chain_id=deployment.l1_chain_id, role="funder")

    async def mint(self, account: bytes, amount: int) -> Ticket:
        """Give test USD on L1 to anyone; only on test networks."""
        data = encode_call("TestUSD", "mint", account, amount)
        return await self._wallet.send(self._deployment.token, data, action="mint", gas=TOKEN_GAS)

    async def fund(
        self,
        deposits: Sequence[Deposit],
        *,
        mint: bool = False,
        landed: Callable[[int], None] | None = None,
    ) -> list[Receipt]:
        """
        Approve once, then one `Vault.deposit` per account, `IN_FLIGHT_MAX` in flight.

        Parameters
        ----------
        mint :
            Make the test USD for it first.
        landed :
            Called with the number of deposits that are on L1 by now.
        """
        total = sum(each.amount for each in deposits)
        first: list[Ticket] = []
        if mint:
            first.append(await self.mint(self._wallet.address, total))
        data = encode_call("TestUSD", "approve", self._deployment.vault, total)
        token = self._deployment.token
        first.append(await self._wallet.send(token, data, action="approve", gas=TOKEN_GAS))
        receipts: list[Receipt] = []
        waiting: list[Ticket] = first
        for each in deposits:
            waiting.append(await self._deposit(each))
            if len(waiting) >= IN_FLIGHT_MAX:
                receipts.append(await self._wallet.wait(waiting.pop(0), timeout_s=LAND_S_MAX))
                if landed is not None:
                    landed(max(0, len(receipts) - len(first)))
        for ticket in waiting:
            receipts.append(await self._wallet.wait(ticket, timeout_s=LAND_S_MAX))
        if landed is not None:
            landed(len(deposits))
        return receipts

    async def wait(self, ticket: Ticket) -> Receipt:
        """Wait until a transaction is on L1."""
        return await self._wallet.wait(ticket, timeout_s=LAND_S_MAX)

    async def _deposit(self, deposit: Deposit) -> Ticket:
        data = encode_call(
            "Vault", "deposit", self._deployment.token, deposit.amount, deposit.account, 0
        )
        vault = self._deployment.vault
        return await self._wallet.send(vault, data, action="deposit", gas=DEPOSIT_GAS)


async def balances(node: Client, accounts: Sequence[bytes]) -> list[SubaccountView]:
    """Subaccount 0 of several accounts."""
    found: list[SubaccountView] = []
    for begin in range(0, len(accounts), VIEWS_PER_REQUEST):
        part = accounts[begin : begin + VIEWS_PER_REQUEST]
        found += await ask_many(node, [subaccount_view(account) for account in part])
    return found


async def wait_credited(
    node: Client, minimum_e9: Sequence[tuple[bytes, int]], *, timeout_s: float = LAND_S_MAX
) -> None:
    """
    Wait until each account has its minimum on L2.

    Raises
    ------
    DepositError
        Names how many are still missing after `timeout_s`.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    missing = list(minimum_e9)
    while missing:
        views = await balances(node, [account for account, _ in missing])
        missing = [
            each for each, view in zip(missing, views, strict=True) if view.balance_e9 < each[1]
        ]
        if missing and asyncio.get_running_loop().time() > deadline:
            raise DepositError(
                f"{len(missing)} deposits are on L1 but not credited after {timeout_s:g} s: is the "
                "node following this L1?"
            )
        await asyncio.sleep(POLL_S)
