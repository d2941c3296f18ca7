"""
A busy exchange for benchmarks: eight markets, accounts with positions in all of them, a full book.

In:    a seed, how many accounts.
Out:   an engine, and signed envelopes of ten operations: five places, four cancels, one crossing.

Holds: the same seed gives the same traffic.
Not here: clocks (`tests.bench.parts`).
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field

from coincurve import PrivateKey

from state._native import (
    Engine,
    Executed,
    SealedBatch,
    VerifiedReport,
    VerifiedTx,
    verify_envelopes,
    verify_reports,
)
from state.eip712 import Report, sign_report
from state.l1_records import Direct, DirectKind, deposit_data
from state.tx import Cancel, Operation, Place, address_of, sign_transaction
from tests.law.native_traffic import (
    CHAIN_ID,
    E9,
    GOVERNOR,
    INBOX,
    START_MS,
    TOKEN,
    key_of,
    set_asset,
    set_chain,
    set_reporter,
)

MARKETS, REPORTERS = 8, 3
PRICE_E9, TICK_E9, LOT_E9 = 60_000 * E9, E9 // 10, E9 // 1_000
BLOCK_MS = 20
OPERATIONS = 10
MIX = (5, 4, 1)
"""Places, cancels, crossing orders among ten operations."""

ROOM_BYTES = 16 << 10
"""A batch with less room than this is sealed."""


def set_market(market: int) -> bytes:
    name = b"MARKET-%d" % market
    head = struct.pack(">IB16sIQQQ", market, 0, name, market, TICK_E9, LOT_E9, E9)
    return (
        b"\x04" + head + struct.pack(">IIiIIII", 50_000, 25_000, -20, 500, 200_000, 6_000, 100_000)
    )


@dataclass(slots=True)
class Trader:
    """An account and the orders it believes to have."""

    key: PrivateKey
    nonce: int = 0
    next_client_id: int = 1
    open: list[tuple[int, int]] = field(default_factory=list)


class Market:
    """An engine, its clock and its traders."""

    def __init__(self, seed: int, traders: int) -> None:
        assert traders % 2 == 0, "positions need two sides"
        self.rng = random.Random(seed)
        self.engine = Engine(CHAIN_ID, INBOX)
        self.traders = [Trader(key_of(number)) for number in range(traders)]
        self.time_ms = START_MS
        self.directs: list[bytes] = []
        self.executed: list[Executed] = []
        self._list_everything()
        self.blocks(self.verified(self._positions()))

    def _list_everything(self) -> None:
        reporters = [key_of(10_000 + number) for number in range(REPORTERS)]
        governed = [set_chain(), set_asset(), *(set_market(m) for m in range(MARKETS))]
        governed += [set_reporter(n, address_of(key)) for n, key in enumerate(reporters)]
        for data in governed:
            self._direct(DirectKind.GOVERN, GOVERNOR, data)
        for trader in self.traders:
            address = address_of(trader.key)
            self._direct(DirectKind.DEPOSIT, address, deposit_data(address, 0, TOKEN, 10**7 * E9))
        self.engine.open_block(self.time_ms, len(self.directs), self.directs)
        rows = []
        for feed in range(MARKETS):
            for key in reporters:
                report = sign_report(key, Report(feed, PRICE_E9, self.time_ms), CHAIN_ID, INBOX)
                rows.append((feed, PRICE_E9, self.time_ms, report.signature))
        checked = verify_reports(rows, CHAIN_ID, INBOX)
        given = [each for each in checked if isinstance(each, VerifiedReport)]
        assert len(given) == MARKETS * REPORTERS
        self.engine.execute(given)
        self.engine.close_block()
        self.time_ms += 1_000  # the next block has a tick, in which the index becomes fresh

    def _direct(self, kind: DirectKind, sender: bytes, data: bytes) -> None:
        self.directs.append(Direct(kind, sender, len(self.directs), self.time_ms, data).encode())

    def _positions(self) -> list[bytes]:
        """Each pair of traders trades once in each market."""
        raws = []
        for maker, taker in zip(self.traders[::2], self.traders[1::2], strict=True):
            for market in range(MARKETS):
                raws.append(self._sign(maker, [Place(market, True, PRICE_E9, LOT_E9)]))
                raws.append(self._sign(taker, [Place(market, False, PRICE_E9, LOT_E9, ioc=True)]))
        return raws

    def envelopes(self, count: int) -> list[bytes]:
        """Signed envelopes of the mix, each of another trader than the one before."""
        return [
            self._sign(trader, self._mix(trader))
            for trader in (self.traders[n % len(self.traders)] for n in range(count))
        ]

    def _mix(self, trader: Trader) -> list[Operation]:
        rng = self.rng
        places, cancels, crossings = MIX
        kinds = ["place"] * places + ["cancel"] * cancels + ["cross"] * crossings
        rng.shuffle(kinds)
        operations: list[Operation] = []
        for kind in kinds:
            if kind == "cancel" and trader.open:
                operations.append(Cancel(*trader.open.pop(rng.randrange(len(trader.open)))))
                continue
            market, buy = rng.randrange(MARKETS), rng.random() < 0.5
            side = 1 if buy else -1
            if kind == "cross":
                limit = PRICE_E9 + side * 300 * TICK_E9
                operations.append(Place(market, buy, limit, LOT_E9, ioc=True))
                continue
            price = PRICE_E9 - side * rng.randrange(1, 200) * TICK_E9
            client_id = trader.next_client_id
            trader.next_client_id += 1
            trader.open.append((market, client_id))
            operations.append(
                Place(market, buy, price, rng.randrange(1, 50) * LOT_E9, client_id=client_id)
            )
        return operations

    def _sign(self, trader: Trader, operations: list[Operation]) -> bytes:
        trader.nonce += 1
        return sign_transaction(trader.key, CHAIN_ID, trader.nonce - 1, 0, operations)

    def verified(self, raws: list[bytes]) -> list[VerifiedTx]:
        """The envelopes, checked."""
        checked = [
            each for each in verify_envelopes(raws, CHAIN_ID) if isinstance(each, VerifiedTx)
        ]
        assert len(checked) == len(raws)
        return checked

    def blocks(self, inputs: list[VerifiedTx]) -> list[SealedBatch]:
        """Run the inputs in blocks; return the batches that became full."""
        engine = self.engine
        sealed: list[SealedBatch] = []
        at = 0
        while at < len(inputs):
            engine.open_block(self.time_ms, len(self.directs), [])
            fits = engine.fits(inputs[at : at + 256])
            self.executed.append(engine.execute(inputs[at : at + fits]))
            engine.close_block()
            at += fits
            self.time_ms += BLOCK_MS
            if engine.batch_room() < ROOM_BYTES and at < len(inputs):
                sealed.append(self.seal())
        return sealed

    def seal(self) -> SealedBatch:
        sealed = self.engine.seal_batch()
        assert sealed is not None
        return sealed
