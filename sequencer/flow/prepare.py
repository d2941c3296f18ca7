"""
Prepare: encodes and signs what was planned, before the clock runs.

In:  `plan.Envelope`s in order, and the market they are for.
Out: `Ready` envelopes in the same order: bytes to send, and what is expected of them.

Holds: strict nonces per account, in the order of the plan.
Not here: what is planned (`sequencer.flow.plan`), sending (`sequencer.flow.send`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from eth_hash.auto import keccak

from sequencer.flow.entropy import FieldEntropy
from sequencer.flow.plan import CODE_CANCEL, CODE_PLACE, Envelope, Operation
from sequencer.sdk.account import Account
from sequencer.sdk.signing import Key
from state.tx import Cancel, Place, Replace


@dataclass(frozen=True, slots=True)
class Market:
    """The market that the flow trades in."""

    number: int
    tick_e9: int
    lot_e9: int
    band_ppm: int


class Ready(NamedTuple):
    """A signed envelope. `taker_lots` is 0 for a maker's."""

    raw: bytes
    hash: bytes
    time_ms: int
    operations: int
    taker_lots: int
    price_e9: int


def flow_key(seed: bytes, index: int) -> Key:
    """The key of the flow's account `index`: play money only."""
    return Key(keccak(b"novation flow" + seed + index.to_bytes(4)))


class Preparer:
    """Signs a plan. Its accounts are those of the plan, by index."""

    def __init__(self, market: Market, chain_id: int, seed: bytes) -> None:
        self.market = market
        self.entropy = FieldEntropy()
        self.accounts: list[Account] = []
        self._chain_id = chain_id
        self._seed = seed

    def prepare(self, envelopes: Iterable[Envelope]) -> Iterator[Ready]:
        """Sign `envelopes` one by one."""
        half_tick_e9 = self.market.tick_e9 // 2
        for envelope in envelopes:
            account = self.account(envelope.account)
            operations = envelope.operations
            signed = account.sign(
                [self._operation(each, taker=envelope.taker) for each in operations]
            )
            self.entropy.count(envelope)
            yield Ready(
                signed.raw,
                signed.hash,
                envelope.time_ms,
                len(operations),
                operations[0].lots if envelope.taker else 0,
                envelope.mid_half_ticks * half_tick_e9,
            )

    def account(self, index: int) -> Account:
        """Account `index`, made at first use."""
        while len(self.accounts) <= index:
            key = flow_key(self._seed, len(self.accounts))
            self.accounts.append(Account(key, self._chain_id))
        return self.accounts[index]

    def _operation(self, planned: Operation, *, taker: bool) -> Place | Replace | Cancel:
        code, buy, tick, lots, client_id = planned
        market = self.market
        if code == CODE_CANCEL:
            return Cancel(market.number, client_id)
        price_e9, qty_e9 = tick * market.tick_e9, lots * market.lot_e9
        if code == CODE_PLACE:
            return Place(market.number, buy, price_e9, qty_e9, taker, not taker, client_id)
        return Replace(market.number, client_id, price_e9, qty_e9)
