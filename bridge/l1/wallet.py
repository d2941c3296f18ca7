"""
Wallet: one key per role, and its transactions until they land.

In:    calls to make; `tick`, again and again, by whoever waits for them.
Out:   a ticket per transaction, whose future gives the receipt, or says why there is none.
Holds: nonces are dense and given out here only; what is in flight is on disk before it is sent, so
       a restart goes on with it and never sends it a second time under another nonce. Gas is never
       below the calldata floor. Fees rise by steps up to a ceiling; at the ceiling there is an
       alert in the log and the transaction is only offered again, which costs nothing.
Not here: what a reverted transaction means (`bridge.poster`, `bridge.validator`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge import metrics
from bridge.errors import (
    FundsError,
    L1Error,
    L1RpcError,
    L1UnreachableError,
    NonceGapError,
    NonceTakenError,
    TransactionError,
)
from bridge.l1 import client
from bridge.l1.client import L1, Receipt, to_hex
from bridge.l1.contracts import contract_error
from bridge.l1.pending import PendingFolder, Saved
from bridge.l1.signing import Fields, address_of, floor_gas, sign

GWEI = 10**9
GAPS_MAX = 4
log = logging.getLogger("bridge.wallet")


@dataclass(frozen=True, slots=True)
class WalletOptions:
    """How patient and how generous a wallet is."""

    # Four slots of Ethereum: until then a transaction may just have been unlucky.
    bump_after_s: float = 48.0
    # The least that nodes take as a replacement.
    bump_percent: int = 10
    max_fee_ceiling_wei: int = 500 * GWEI
    tip_wei: int = GWEI
    # Fees and nonces are read again after this long.
    fees_fresh_s: float = 2.0
    # A transaction that L1 does not know is offered again this often.
    resend_s: float = 3.0
    # Room above an estimate, for state that moves before the transaction lands.
    gas_margin_percent: int = 30
    bumps_max: int = 40


@dataclass(slots=True)
class Ticket:
    """A transaction on its way."""

    fields: Fields
    action: str
    hashes: list[bytes]
    first_sent_s: float
    last_sent_s: float
    receipt: asyncio.Future[Receipt]
    bumps: int = 0
    alerted: bool = False
    checked_s: float = -1e9

    @property
    def nonce(self) -> int:
        """Return its place among the key's transactions."""
        return self.fields.nonce


@dataclass(slots=True)
class _Fees:
    base_wei: int = 0
    tip_wei: int = 0
    read_s: float = field(default=-1e9)


class Wallet:
    """The transactions of one key."""

    def __init__(
        self,
        l1: L1,
        key: bytes,
        *,
        chain_id: int,
        role: str,
        folder: Path | None = None,
        options: WalletOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address_of(key)
        self.role = role
        self._l1 = l1
        self._key = key
        self._chain_id = chain_id
        self._options = options or WalletOptions()
        self._pending = PendingFolder(folder) if folder is not None else None
        self._clock = clock
        self._tickets: dict[int, Ticket] = {}
        self._next_nonce: int | None = None
        self._fees = _Fees()
        self._gaps = 0
        self._lock = asyncio.Lock()

    @property
    def in_flight(self) -> list[Ticket]:
        """Return what has not landed, in order of nonce."""
        return [self._tickets[nonce] for nonce in sorted(self._tickets)]

    async def start(self) -> list[Ticket]:
        """Take up what a former process left in flight; return it."""
        for saved in self._pending.load() if self._pending is not None else []:
            if saved.fields.chain_id == self._chain_id:
                now = self._clock()
                # Offered again at the next tick, whether L1 still knows it or not.
                self._tickets[saved.fields.nonce] = Ticket(
                    saved.fields, saved.action, saved.hashes, now, -1e9, _future()
                )
        return self.in_flight

    async def send(
        self, to: bytes, data: bytes, *, action: str, value_wei: int = 0, gas: int | None = None
    ) -> Ticket:
        """
        Sign and send a transaction; return at once.

        Parameters
        ----------
        to :
            Its target; empty to create a contract.
        gas :
            Its limit; without one L1 is asked, which also finds out whether it would revert.

        Raises
        ------
        ContractError
            It would revert.
        L1Error
            L1 did not answer, and nothing was sent.
        """
        if gas is None:
            gas = await self.estimate(to, data, value_wei)
        async with self._lock:
            await self._refresh_fees()
            nonce = await self._take_nonce()
            fields = Fields(
                chain_id=self._chain_id,
                nonce=nonce,
                tip_wei=self._fees.tip_wei,
                max_fee_wei=self._first_fee(),
                gas=max(gas, floor_gas(data)),
                to=to,
                value_wei=value_wei,
                data=data,
            )
            now = self._clock()
            ticket = Ticket(fields, action, [], now, now, _future())
            self._tickets[nonce] = ticket
            self._next_nonce = nonce + 1
            await self._offer(ticket)
        return ticket

    async def estimate(self, to: bytes, data: bytes, value_wei: int = 0) -> int:
        """Return a gas limit with room above L1's estimate; raise `ContractError` on a revert."""
        request = {"from": to_hex(self.address), "data": to_hex(data), "value": hex(value_wei)}
        if to:
            request["to"] = to_hex(to)
        try:
            found = client.to_int(await self._l1.request("eth_estimateGas", [request]))
        except L1RpcError as error:
            raise contract_error(error) or error from error
        return max(found, floor_gas(data)) * (100 + self._options.gas_margin_percent) // 100

    async def send_and_wait(
        self,
        to: bytes,
        data: bytes,
        *,
        action: str,
        value_wei: int = 0,
        gas: int | None = None,
        timeout_s: float = 60.0,
    ) -> Receipt:
        """Send a transaction and tick until it lands; for scripts and rare actions."""
        ticket = await self.send(to, data, action=action, value_wei=value_wei, gas=gas)
        return await self.wait(ticket, timeout_s=timeout_s)

    async def wait(self, ticket: Ticket, *, timeout_s: float = 60.0) -> Receipt:
        """Tick until a ticket's transaction lands; raise `TransactionError` if it reverted."""
        deadline = self._clock() + timeout_s
        while not ticket.receipt.done():
            if self._clock() > deadline:
                raise TransactionError(
                    f"{ticket.action} did not land within {timeout_s:g} s; it stays in flight"
                )
            try:
                await self.tick()
            except L1UnreachableError as error:
                log.warning("l1.unreachable role=%s error=%s", self.role, error)
            if not ticket.receipt.done():
                await asyncio.sleep(0.1)
        receipt = ticket.receipt.result()
        if not receipt.ok:
            raise await self.why_reverted(ticket, receipt)
        return receipt

    async def why_reverted(self, ticket: Ticket, receipt: Receipt) -> Exception:
        """Ask L1 to run a reverted transaction again; return what it says."""
        fields = ticket.fields
        request = {
            "from": to_hex(self.address),
            "to": to_hex(fields.to),
            "data": to_hex(fields.data),
            "value": hex(fields.value_wei),
        }
        try:
            await self._l1.request("eth_call", [request, hex(max(0, receipt.block - 1))])
        except L1RpcError as error:
            return contract_error(error) or error
        except L1Error as error:
            return error
        return TransactionError(
            f"{ticket.action} reverted in block {receipt.block}, but would not alone: other "
            "transactions before it, or too little gas"
        )

    async def tick(self) -> None:
        """Look after what is in flight: receipts, resending, fees."""
        async with self._lock:
            if not self._tickets:
                return
            mined = await client.fetch_nonce(self._l1, self.address)
            for ticket in self.in_flight:
                if ticket.nonce < mined:
                    await self._finish(ticket)
            metrics.TX_PENDING.labels(self.role).set(len(self._tickets))
            if self._tickets and not self._check_gap(mined):
                for ticket in self.in_flight:
                    await self._look_after(ticket)

    async def update_balance(self) -> None:
        """Read the key's balance into the metrics."""
        wei = await client.fetch_balance(self._l1, self.address)
        metrics.SIGNER_BALANCE.labels(self.role).set(wei / 10**18)

    async def _take_nonce(self) -> int:
        if self._tickets and self._next_nonce is not None:
            return self._next_nonce
        waiting = await client.fetch_nonce(self._l1, self.address, "pending")
        return max([waiting, *(nonce + 1 for nonce in self._tickets)])

    async def _refresh_fees(self) -> None:
        now = self._clock()
        if now - self._fees.read_s < self._options.fees_fresh_s:
            return
        block, tip = await self._l1.request_many(
            [("eth_getBlockByNumber", ["latest", False]), ("eth_maxPriorityFeePerGas", [])]
        )
        head = client.read_block(block)
        if head is None:
            raise L1UnreachableError("L1 has no block yet")
        tip_wei = max(client.to_int(tip), self._options.tip_wei)
        self._fees = _Fees(head.base_fee_wei, tip_wei, now)

    def _first_fee(self) -> int:
        wanted = 2 * self._fees.base_wei + self._fees.tip_wei
        return max(self._fees.tip_wei, min(wanted, self._options.max_fee_ceiling_wei))

    async def _offer(self, ticket: Ticket) -> None:
        """Sign, write down and send; an answer that it is known already is as good as any."""
        signed = sign(ticket.fields, self._key)
        if signed.hash not in ticket.hashes:
            ticket.hashes.append(signed.hash)
            if self._pending is not None:
                self._pending.save(Saved(ticket.fields, ticket.hashes, ticket.action))
        ticket.last_sent_s = self._clock()
        try:
            await self._l1.request("eth_sendRawTransaction", [to_hex(signed.raw)])
        except L1RpcError as error:
            self._heed(ticket, error)
        except L1UnreachableError as error:
            # It may or may not have arrived: the next ticks find out.
            log.warning("tx.unanswered role=%s nonce=%d error=%s", self.role, ticket.nonce, error)

    def _heed(self, ticket: Ticket, error: L1RpcError) -> None:
        """Tell apart what L1 says to a transaction that it does not take."""
        text = error.message.lower()
        if "already known" in text or "already imported" in text or "nonce too low" in text:
            return
        if "underpriced" in text:
            # Another version of it is there and pays more: the next rise gets past it.
            log.info("tx.underpriced role=%s nonce=%d", self.role, ticket.nonce)
            return
        if "insufficient funds" in text:
            self._alert(ticket, f"key {to_hex(self.address)} cannot pay: {error.message}")
            self._fail(ticket, FundsError(error.message))
            return
        self._alert(ticket, error.message)
        if ticket.bumps >= self._options.bumps_max:
            self._fail(ticket, TransactionError(error.message))
        ticket.bumps += 1

    async def _look_after(self, ticket: Ticket) -> None:
        now = self._clock()
        if now - ticket.last_sent_s >= self._options.bump_after_s and ticket.last_sent_s > 0:
            await self._bump(ticket)
        elif now - max(ticket.last_sent_s, ticket.checked_s) >= self._options.resend_s:
            ticket.checked_s = now
            known = await self._l1.request("eth_getTransactionByHash", [to_hex(ticket.hashes[-1])])
            if known is None:
                sent_s = ticket.last_sent_s
                await self._offer(ticket)
                # The clock of the next rise goes on, unless this is the first send after a start.
                ticket.last_sent_s = sent_s if sent_s > 0 else ticket.last_sent_s
            elif ticket.last_sent_s < 0:
                ticket.last_sent_s = now

    async def _bump(self, ticket: Ticket) -> None:
        old, options = ticket.fields, self._options
        fee = max(_raised(old.max_fee_wei, options.bump_percent), self._first_fee())
        if fee > options.max_fee_ceiling_wei or ticket.bumps >= options.bumps_max:
            self._alert(ticket, f"fees are at the ceiling of {options.max_fee_ceiling_wei} wei")
            await self._offer(ticket)
            return
        tip = min(fee, _raised(old.tip_wei, options.bump_percent))
        ticket.fields = replace(old, max_fee_wei=fee, tip_wei=tip)
        ticket.bumps += 1
        metrics.TX_BUMPS.labels(self.role).inc()
        log.info("tx.bumped role=%s nonce=%d max_fee_wei=%d", self.role, ticket.nonce, fee)
        await self._offer(ticket)

    async def _finish(self, ticket: Ticket) -> None:
        """Resolve a ticket whose nonce is used: by one of its versions, or by a stranger."""
        for tx_hash in reversed(ticket.hashes):
            receipt = await client.fetch_receipt(self._l1, tx_hash)
            if receipt is not None:
                metrics.GAS_USED.labels(ticket.action).inc(receipt.gas_used)
                metrics.TX_CONFIRM.labels(self.role).observe(self._clock() - ticket.first_sent_s)
                self._forget(ticket)
                if not ticket.receipt.done():
                    ticket.receipt.set_result(receipt)
                return
        self._fail(
            ticket,
            NonceTakenError(
                f"another transaction of {to_hex(self.address)} has nonce {ticket.nonce}: "
                "is the same key used twice?"
            ),
        )

    def _check_gap(self, mined: int) -> bool:
        """Fail everything once nonces below ours have been missing for a few ticks."""
        if min(self._tickets) <= mined:
            self._gaps = 0
            return False
        self._gaps += 1
        if self._gaps >= GAPS_MAX:
            for ticket in self.in_flight:
                text = f"nonce {ticket.nonce} waits for {mined}, which L1 lost"
                self._fail(ticket, NonceGapError(text))
            self._gaps = 0
        return True

    def _fail(self, ticket: Ticket, error: TransactionError) -> None:
        self._forget(ticket)
        if not ticket.receipt.done():
            ticket.receipt.set_exception(error)
            # Whoever holds the ticket may look at it later, or never.
            ticket.receipt.exception()

    def _forget(self, ticket: Ticket) -> None:
        self._tickets.pop(ticket.nonce, None)
        if self._pending is not None:
            self._pending.remove(ticket.nonce)

    def _alert(self, ticket: Ticket, text: str) -> None:
        """Tell a person, once per ticket."""
        if not ticket.alerted:
            log.error("tx.stuck role=%s nonce=%d reason=%s", self.role, ticket.nonce, text)
            ticket.alerted = True


def _raised(value: int, percent: int) -> int:
    return value * (100 + percent) // 100 + 1


def _future() -> asyncio.Future[Receipt]:
    return asyncio.get_running_loop().create_future()
