"""
A small rollup for the twins: governance, money, prices, orders, batch by batch.

In:    a seed. Out: sealed batches with the state before each, as L1 and a dispute know them.
Holds: everything is signed and goes the sequencer's way through the native engine.
Not here: running anything twice (`test_guest.py`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from coincurve import PrivateKey

from state import _native
from state.eip712 import Report, sign_report
from state.l1_records import Direct, DirectKind, deposit_data
from state.tx import (
    Cancel,
    CancelAll,
    Operation,
    Place,
    Replace,
    Withdraw,
    address_of,
    sign_transaction,
)

CHAIN_ID = 412_000
INBOX = b"\x1b" * 20
TOKEN, VAULT = b"\x70" * 20, b"\x7a" * 20
UNIT_E9 = 1_000
TICK_E9, LOT_E9 = 10**8, 10**6
PRICE_E9 = 60_000 * 10**9
START_MS = 1_723_075_200_000
BLOCK_MS = 100
REPORTERS = [PrivateKey(bytes([0xA0 + n]) * 32) for n in range(3)]


def user(number: int) -> PrivateKey:
    """Key of a user, from 1."""
    return PrivateKey(number.to_bytes(32, "big"))


def governance() -> list[bytes]:
    """Chain parameters, the asset, reporters, one market (docs/formats.md §8)."""
    rows = [b"\1" + _u(100, 8) + _u(10_000, 8), b"\2" + TOKEN + VAULT + _u(UNIT_E9, 8)]
    rows += [b"\3" + _u(n, 1) + address_of(key) for n, key in enumerate(REPORTERS)]
    market = b"\4" + _u(0, 4) + _u(0, 1) + b"BTC-PERPETUAL".ljust(16, b"\0") + _u(1, 4)
    market += _u(TICK_E9, 8) + _u(LOT_E9, 8) + _u(10**10, 8) + _u(20_000, 4) + _u(10_000, 4)
    market += _u(0, 4) + _u(450, 4) + _u(100_000, 4) + _u(2_500, 4) + _u(50_000, 4)
    return [*rows, market]


def _u(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


@dataclass(frozen=True)
class Chunk:
    """The first chunk of a batch, all that was there before it, and the roots of all its chunks."""

    rows: list[tuple[bytes, bytes]]
    header: bytes
    records: list[tuple[bytes, bytes]]
    directs: list[bytes]
    roots: list[bytes]


@dataclass
class World:
    """An engine that sequences, one that follows L1, and what they have been fed."""

    seed: int
    users: int = 6
    engine: _native.Engine = field(default_factory=lambda: _native.Engine(CHAIN_ID, INBOX))
    follower: _native.Engine = field(default_factory=lambda: _native.Engine(CHAIN_ID, INBOX))
    rows: dict[bytes, bytes] = field(default_factory=dict)
    records: list[tuple[bytes, bytes]] = field(default_factory=list)
    directs: list[bytes] = field(default_factory=list)
    nonces: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.time_ms = START_MS

    def direct(self, kind: DirectKind, sender: bytes, data: bytes) -> bytes:
        """The next direct input."""
        packed = Direct(kind, sender, len(self.directs), self.time_ms, data).encode()
        self.directs.append(packed)
        return packed

    def found(self) -> list[bytes]:
        """Governance and deposits: what the first block drains."""
        packed = [self.direct(DirectKind.GOVERN, VAULT, data) for data in governance()]
        for number in range(1, self.users + 1):
            owner = address_of(user(number))
            data = deposit_data(owner, number % 2, TOKEN, 10**6 * 10**9)
            packed.append(self.direct(DirectKind.DEPOSIT, owner, data))
        return packed

    def block(self, directs: list[bytes], *, envelopes: int) -> None:
        """One block: reports, then envelopes of random operations."""
        self.time_ms += BLOCK_MS
        self.engine.open_block(self.time_ms, len(self.directs), directs)
        price = PRICE_E9 + self.random.randrange(-50, 50) * TICK_E9
        reports = [
            sign_report(key, Report(1, price, self.time_ms), CHAIN_ID, INBOX) for key in REPORTERS
        ]
        plain = [(each.feed, each.price_e9, each.time_ms, each.signature) for each in reports]
        inputs = _native.verify_reports(plain, CHAIN_ID, INBOX)
        raws = [self.envelope() for _ in range(envelopes)]
        inputs += _native.verify_envelopes(raws, CHAIN_ID)
        assert not [each for each in inputs if isinstance(each, _native.Refusal)]
        self.engine.execute(inputs)
        self.engine.close_block()

    def envelope(self) -> bytes:
        """A signed envelope of one of the users."""
        number = self.random.randrange(1, self.users + 1)
        nonce = self.nonces.get(number, 0)
        self.nonces[number] = nonce + 1
        count = self.random.choice([1, 1, 5, 20])
        operations = [self.operation() for _ in range(count)]
        return sign_transaction(user(number), CHAIN_ID, nonce, number % 2, operations)

    def operation(self) -> Operation:
        """Mostly orders near the price; some of everything else."""
        random = self.random
        price = PRICE_E9 + random.randrange(-80, 80) * TICK_E9
        qty = random.randrange(1, 40) * 10 * LOT_E9
        client = random.randrange(1, 60)
        choice = random.random()
        if choice < 0.6:
            kind = random.random()
            return Place(
                0, random.random() < 0.5, price, qty, kind < 0.2, 0.2 <= kind < 0.5, client
            )
        if choice < 0.75:
            return Replace(0, client, price, qty)
        if choice < 0.93:
            return Cancel(0, client)
        if choice < 0.96:
            return CancelAll()
        return Withdraw(TOKEN, random.randrange(1, 10**6), b"\x99" * 20)

    def batch(self, *, blocks: int, envelopes: int) -> Chunk:
        """Run and seal a batch, an epoch of its own; hand out what a dispute would need."""
        header, rows = self.engine.header, list(self.rows.items())
        directs = [] if self.directs else self.found()
        for number in range(blocks):
            self.block(directs if number == 0 else [], envelopes=envelopes)
        sealed = self.engine.seal_batch()
        assert sealed is not None
        root, _ = self.engine.commit(sealed)
        self.records.append((sealed.meta, sealed.data))
        self.rows |= sealed.records()
        self.rows = {key: words for key, words in self.rows.items() if words}
        waiting = self.directs[self.follower.direct_cursor :]
        self.follower.apply_record(sealed.meta, sealed.data, waiting)
        roots = self.follower.end_epoch()
        assert roots[-1] == root
        return Chunk(rows, header, list(self.records), list(self.directs), roots)
