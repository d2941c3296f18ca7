"""
Traffic for the native core: a chain with two markets, funded accounts, and random operations.

In:  a random generator. Out: signed transactions, reports, packed direct inputs.

Holds: everything is signed and encoded as a client does it; all chance comes from the generator.
Not here: what the traffic leads to (the tests).
"""

import random
import struct

from coincurve import PrivateKey

from state._native import Engine, VerifiedReport, VerifiedTx, verify_envelopes, verify_reports
from state.eip712 import Report, sign_report
from state.l1_records import Direct, DirectKind, deposit_data
from state.tx import (
    Cancel,
    CancelAll,
    CancelById,
    Operation,
    Place,
    Replace,
    Withdraw,
    address_of,
    sign_transaction,
)

CHAIN_ID = 62_931
INBOX = bytes.fromhex("11" * 20)
TOKEN = bytes.fromhex("22" * 20)
VAULT = bytes.fromhex("33" * 20)
GOVERNOR = bytes.fromhex("44" * 20)
E9 = 10**9
TICK_MS = 1_000
PRICES_E9 = (60_000 * E9, 3_000 * E9)
TICKS_E9 = (E9 // 10, E9 // 100)
START_MS = 1_723_075_200_000


def key_of(number: int) -> PrivateKey:
    """The key of account or reporter `number`."""
    return PrivateKey((0xC0FFEE + number).to_bytes(32, "big"))


def set_chain() -> bytes:
    return b"\x01" + struct.pack(">QQ", TICK_MS, 30_000)


def set_asset() -> bytes:
    return b"\x02" + TOKEN + VAULT + struct.pack(">Q", 1_000)


def set_reporter(index: int, address: bytes) -> bytes:
    return b"\x03" + bytes([index]) + address


def set_market(market: int) -> bytes:
    name = (b"BTC-PERPETUAL", b"ETH-PERPETUAL")[market].ljust(16, b"\0")
    head = struct.pack(">IB16sIQQQ", market, 0, name, market, TICKS_E9[market], E9 // 1_000, E9)
    rates = struct.pack(">IIiIIII", 50_000, 25_000, -20, 500, 200_000, 6_000, 100_000)
    return b"\x04" + head + rates


class Traffic:
    """Random traffic that knows the nonces it has used."""

    def __init__(self, rng: random.Random, accounts: int = 12) -> None:
        self.rng = rng
        self.keys = [key_of(number) for number in range(accounts)]
        self.addresses = [address_of(key) for key in self.keys]
        self.reporters = [key_of(1_000 + number) for number in range(3)]
        self.nonces = [0] * accounts
        self.packed: list[bytes] = []
        self.time_ms = START_MS

    def direct(self, kind: DirectKind, sender: bytes, data: bytes) -> bytes:
        """The next direct input, packed."""
        self.packed.append(Direct(kind, sender, self.directs, self.time_ms, data).encode())
        return self.packed[-1]

    @property
    def directs(self) -> int:
        """How many direct inputs there are."""
        return len(self.packed)

    def setup(self) -> list[bytes]:
        """Direct inputs that list everything and fund the accounts."""
        governed = [set_chain(), set_asset(), set_market(0), set_market(1)]
        governed += [set_reporter(n, address_of(key)) for n, key in enumerate(self.reporters)]
        directs = [self.direct(DirectKind.GOVERN, GOVERNOR, data) for data in governed]
        return directs + [self.deposit(address, 1_000_000 * E9) for address in self.addresses]

    def deposit(self, address: bytes, amount_e9: int, subaccount: int = 0) -> bytes:
        """A deposit that L1 took."""
        data = deposit_data(address, subaccount, TOKEN, amount_e9)
        return self.direct(DirectKind.DEPOSIT, address, data)

    def any_direct(self) -> bytes:
        """A direct input of any kind, good or bad."""
        rng, address = self.rng, self.rng.choice(self.addresses)
        choice = rng.randrange(5)
        if choice == 0:
            return self.deposit(rng.randbytes(20), rng.randrange(1, 10**15))
        if choice == 1:
            data = rng.randrange(3).to_bytes(4) + TOKEN + rng.randrange(10**7).to_bytes(16)
            return self.direct(DirectKind.WITHDRAW, address, data)
        if choice == 2:
            return self.direct(DirectKind.CANCEL_ALL, address, bytes(4))
        if choice == 3:
            return self.direct(DirectKind.CLOSE, address, rng.randbytes(rng.randrange(60)))
        return self.deposit(address, rng.randrange(1, 10**15), rng.randrange(20))

    def reports(self) -> list[VerifiedReport]:
        """A price of each reporter on each feed, now."""
        signed = []
        for feed, price_e9 in enumerate(PRICES_E9):
            for key in self.reporters:
                moved = price_e9 + self.rng.randrange(-price_e9 // 500, price_e9 // 500)
                report = sign_report(key, Report(feed, moved, self.time_ms, b""), CHAIN_ID, INBOX)
                signed.append((feed, moved, self.time_ms, report.signature))
        verified = verify_reports(signed, CHAIN_ID, INBOX)
        return [report for report in verified if isinstance(report, VerifiedReport)]

    def operation(self) -> Operation:
        """A random operation; some are refused."""
        rng = self.rng
        market = rng.randrange(2)
        client_id = rng.randrange(1, 40)
        choice = rng.random()
        if choice < 0.6:
            qty_e9 = rng.randrange(1, 500) * (E9 // 1_000)
            return Place(
                market,
                rng.random() < 0.5,
                self.price(market),
                qty_e9,
                ioc=rng.random() < 0.2,
                post_only=rng.random() < 0.2,
                client_id=client_id if rng.random() < 0.8 else 0,
            )
        if choice < 0.75:
            return Cancel(market, client_id)
        if choice < 0.88:
            qty_e9 = rng.randrange(1, 500) * (E9 // 1_000)
            return Replace(market, client_id, self.price(market), qty_e9)
        if choice < 0.93:
            return CancelById(rng.randrange(1 << 50))
        if choice < 0.97:
            return CancelAll(rng.choice([None, 0, 1, 7]))
        return Withdraw(TOKEN, rng.randrange(1, 10**9), rng.randbytes(20))

    def price(self, market: int) -> int:
        """A price around the feed's, rarely off the tick."""
        tick_e9 = TICKS_E9[market]
        ticks = PRICES_E9[market] // tick_e9 + self.rng.randrange(-300, 300)
        return ticks * tick_e9 + (1 if self.rng.random() < 0.01 else 0)

    def envelope(self, operations: list[Operation] | None = None, account: int = -1) -> bytes:
        """A signed transaction with the account's next nonce."""
        number = account if account >= 0 else self.rng.randrange(len(self.keys))
        subaccount = 0
        if operations is None:
            operations = [self.operation() for _ in range(self.rng.choice([1, 1, 2, 5, 20]))]
            subaccount = 0 if self.rng.random() < 0.97 else self.rng.randrange(18)
        nonce = self.nonces[number]
        self.nonces[number] += 1
        return sign_transaction(self.keys[number], CHAIN_ID, nonce, subaccount, operations)

    def envelopes(self, count: int) -> list[VerifiedTx]:
        """`count` verified envelopes."""
        verified = verify_envelopes([self.envelope() for _ in range(count)], CHAIN_ID)
        txs = [tx for tx in verified if isinstance(tx, VerifiedTx)]
        assert len(txs) == count
        return txs

    def start(self, engine: Engine) -> None:
        """Run the setup and first prices on an engine, as its first batch's first blocks."""
        directs = self.setup()
        engine.open_block(self.time_ms, self.directs, directs)
        engine.execute(self.reports())
        engine.close_block()
        self.time_ms += TICK_MS
