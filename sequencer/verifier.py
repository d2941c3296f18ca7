"""
Verifier: signatures, nonces and the least equity, natively and off the event loop.

In:  signed transactions and reports, many at a time.
Out: what may be placed, or why not, in the same order.

Holds: called for one group after the other, so nonces are given out in order of arrival.
Not here: queues (`sequencer.admission`), what inputs do (`state`).
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from sequencer.admission import MALFORMED, MAX_RAW_BYTES, NONCE_TOO_LOW, Checked
from sequencer.entries import Item, SignedReport
from sequencer.ordering import Verified
from sequencer.rpc.errors import Refused
from state._native import (
    Engine,
    Refusal,
    VerifiedReport,
    VerifiedTx,
    verify_envelopes,
    verify_reports,
)
from state.types import Kind

NONCE_TOO_HIGH = 12
MARGIN_INSUFFICIENT = 107
EQUITY_MIN_E9 = 10 * 10**9
"""Asked of who adds orders (system.md): L2 costs no gas, and spam would otherwise be free."""

_EQUITY_FRESH_S = 1.0
_EQUITY_CACHE = 100_000
_ADDS = {"place", "replace"}
_NONCE = slice(24, 32)
_SUBACCOUNTS = 16


class NativeVerifier:
    """Verifies with the native core, in a thread of its own."""

    def __init__(self, engine: Engine, chain_id: int, inbox: bytes, threads: int) -> None:
        self._engine = engine
        self._chain_id = chain_id
        self._inbox = inbox
        self._threads = threads
        self._thread = ThreadPoolExecutor(1, "verifier")
        self._solvent_until: dict[tuple[bytes, int], float] = {}

    async def check(self, items: list[Item]) -> list[Checked]:
        """Check signatures and nonces, in order."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._check, items)

    def close(self) -> None:
        """Stop the thread, and wait for it."""
        self._thread.shutdown(cancel_futures=True)

    def recover(self, items: list[Item]) -> list[VerifiedTx | VerifiedReport | Refusal | None]:
        """Check signatures only; None = too long to be an input."""
        raws = [item for item in items if isinstance(item, bytes) and len(item) <= MAX_RAW_BYTES]
        reports = [
            (item.feed, item.price_e9, item.time_ms, item.signature)
            for item in items
            if isinstance(item, SignedReport)
        ]
        envelopes = iter(verify_envelopes(raws, self._chain_id, self._threads) if raws else [])
        signed = iter(
            verify_reports(reports, self._chain_id, self._inbox, self._threads) if reports else []
        )
        return [
            next(signed)
            if isinstance(item, SignedReport)
            else next(envelopes)
            if len(item) <= MAX_RAW_BYTES
            else None
            for item in items
        ]

    def _check(self, items: list[Item]) -> list[Checked]:
        recovered = self.recover(items)
        now = time.monotonic()
        poor = {
            at
            for at, each in enumerate(recovered)
            if isinstance(each, VerifiedTx) and self._is_poor(each, now)
        }
        good: list[Verified] = [
            each
            for at, each in enumerate(recovered)
            if isinstance(each, VerifiedTx | VerifiedReport) and at not in poor
        ]
        reasons = iter(self._engine.admit(good) if good else [])
        checked = []
        for at, each in enumerate(recovered):
            if at in poor:
                checked.append(Checked(None, Refused(MARGIN_INSUFFICIENT)))
            elif each is None:
                checked.append(Checked(None, Refused(MALFORMED)))
            elif isinstance(each, Refusal):
                checked.append(Checked(None, Refused(each.reason), each.hash))
            elif number := next(reasons):
                checked.append(Checked(None, self._refused(number, each), each.hash))
            else:
                checked.append(Checked(each, None, each.hash))
        return checked

    def _is_poor(self, tx: VerifiedTx, now: float) -> bool:
        """Whether a known subaccount adds orders with less equity than is asked for."""
        key = (tx.sender, tx.subaccount)
        if self._solvent_until.get(key, 0.0) > now:
            return False
        if _ADDS.isdisjoint(tx.kinds) or tx.subaccount >= _SUBACCOUNTS:
            return False
        view = self._engine.subaccount_view(*key)
        if view is None or view["equity_e9"] >= EQUITY_MIN_E9:
            if len(self._solvent_until) >= _EQUITY_CACHE:
                self._solvent_until.clear()
            self._solvent_until[key] = now + _EQUITY_FRESH_S
            return False
        return True

    def _refused(self, number: int, verified: Verified) -> Refused:
        if number not in (NONCE_TOO_LOW, NONCE_TOO_HIGH) or not isinstance(verified, VerifiedTx):
            return Refused(number)
        nonce = account_nonce(self._engine, verified.sender)
        return Refused(number, {"tx_nonce": verified.nonce, "account_nonce": nonce})


def account_nonce(engine: Engine, address: bytes) -> int:
    """Next nonce of an address; 0 if it has no account."""
    index = engine.account_index(address)
    if not index:
        return 0
    return int.from_bytes(engine.record(Kind.ACCOUNT, index)[_NONCE], "little")
