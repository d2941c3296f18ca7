"""The plan of the flow, executed by a slow exchange that knows only the rules."""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from sequencer.flow.feed import DepthSnapshot, DepthUpdate, FeedRecord, FeedTrade, read_feed
from sequencer.flow.plan import (
    CODE_CANCEL,
    CODE_PLACE,
    HOLD_MS,
    MAKERS_MIN,
    OPERATIONS_PER_ENVELOPE,
    SLOTS_PER_ACCOUNT,
    TAKERS,
    Envelope,
    Limits,
    Planner,
)

FEED = "binance_btcusdt_perp_20240808.ndjson.gz"


class SlowExchange:
    """Executes envelopes by the rules; raises where an operation would be rejected."""

    def __init__(self) -> None:
        self.orders: dict[
            tuple[int, int], list[int | bool]
        ] = {}  # (account, id) -> buy, tick, lots
        self.level: dict[int, tuple[int, int]] = {}  # tick -> (account, id)
        self.open: dict[int, int] = {}
        self.filled_takers = 0
        self.operations = 0

    def execute(self, envelope: Envelope) -> None:
        assert 1 <= len(envelope.operations) <= OPERATIONS_PER_ENVELOPE
        for operation in envelope.operations:
            self.operations += 1
            key = (envelope.account, operation.client_id)
            if envelope.taker:
                self._take(operation.buy, operation.tick, operation.lots)
            elif operation.code == CODE_PLACE:
                assert key not in self.orders, "client id in use"
                assert operation.tick not in self.level, "two orders on one level"
                assert not self._crosses(operation.buy, operation.tick), "post-only would cross"
                assert operation.lots > 0
                self.orders[key] = [operation.buy, operation.tick, operation.lots]
                self.level[operation.tick] = key
                self.open[envelope.account] = self.open.get(envelope.account, 0) + 1
                assert self.open[envelope.account] <= SLOTS_PER_ACCOUNT
            elif operation.code == CODE_CANCEL:
                self._remove(key)
            else:
                order = self.orders[key]
                assert order[1] == operation.tick
                assert operation.lots > 0
                assert operation.lots != order[2]
                order[2] = operation.lots

    def book(self) -> dict[int, int]:
        return {tick: int(self.orders[key][2]) for tick, key in self.level.items()}

    def _best(self, buy: bool) -> int | None:
        ticks = [int(o[1]) for o in self.orders.values() if o[0] == buy]
        if not ticks:
            return None
        return max(ticks) if buy else min(ticks)

    def _crosses(self, buy: bool, tick: int) -> bool:
        best = self._best(not buy)
        return best is not None and (best <= tick if buy else best >= tick)

    def _take(self, buy: bool, limit: int, lots: int) -> None:
        while lots:
            best = self._best(not buy)
            if best is None or (best > limit if buy else best < limit):
                return
            key = self.level[best]
            filled = min(lots, int(self.orders[key][2]))
            lots -= filled
            self.orders[key][2] = int(self.orders[key][2]) - filled
            if not self.orders[key][2]:
                self._remove(key)
        self.filled_takers += 1

    def _remove(self, key: tuple[int, int]) -> None:
        _, tick, _ = self.orders.pop(key)
        del self.level[int(tick)]
        self.open[key[0]] -= 1


def run(
    records: Iterable[FeedRecord], limits: Limits | None = None
) -> tuple[Planner, SlowExchange]:
    planner, exchange = Planner(limits), SlowExchange()
    for envelope in planner.plan(records):
        exchange.execute(envelope)
    return planner, exchange


def random_feed(rng: random.Random, messages: int) -> list[FeedRecord]:
    """A feed whose own book is never crossed after a message, with jumps of the price."""
    records: list[FeedRecord] = []
    book: dict[int, int] = {}
    middle, time_ms = 10_000, 0
    for i in range(messages):
        time_ms += rng.choice([0, 1, 40, 300])
        middle += rng.choice([0, 0, 1, -1, 30, -30, 250, -250])
        changed: dict[int, int] = {}
        for tick, lots in list(book.items()):
            if (lots > 0) != (tick < middle) or rng.random() < 0.2:
                changed[tick] = 0
                del book[tick]
        for _ in range(rng.randrange(40)):
            tick = middle + rng.choice([-1, 1]) * rng.randrange(1, 400)
            lots = rng.randrange(1, 50)
            changed[tick] = lots
            book[tick] = lots if tick < middle else -lots
        both = [(tick, lots) for tick, lots in changed.items() if tick not in book or lots == 0]
        bids = [(t, n) for t, n in changed.items() if book.get(t, 0) > 0] + both
        asks = [(t, n) for t, n in changed.items() if book.get(t, 0) < 0] + both
        rng.shuffle(bids)
        rng.shuffle(asks)
        records.append(DepthUpdate(time_ms, i, i, bids, asks))
        if rng.random() < 0.1:
            records.append(FeedTrade(time_ms, middle, rng.randrange(1, 80), rng.random() < 0.5))
    return records


def test_no_operation_of_a_random_feed_is_rejected(rng: random.Random) -> None:
    for _ in range(20):
        planner, exchange = run(random_feed(rng, 60), Limits(band_ppm=10_000_000, makers_min=9))
        counts = planner.counts
        assert exchange.operations == counts.operations
        assert exchange.filled_takers == counts.takers_expected_filled
        assert len(exchange.orders) == len(planner.book.bids.orders) + len(planner.book.asks.orders)


def test_our_book_is_the_feeds_book_where_nobody_trades() -> None:
    rng = random.Random(1)
    records = [r for r in random_feed(rng, 80) if isinstance(r, DepthUpdate)]
    want: dict[int, int] = {}
    for record in records:
        for tick, lots in (*record.bids, *record.asks):
            if lots:
                want[tick] = lots
            else:
                want.pop(tick, None)
    _, exchange = run(records, Limits(band_ppm=10_000_000))
    assert exchange.book() == want


def test_an_update_that_changes_nothing_becomes_nothing() -> None:
    first = DepthUpdate(0, 1, 1, [(100, 5), (99, 7)], [(101, 3)])
    again = DepthUpdate(1, 2, 2, [(100, 5), (98, 0)], [(101, 3)])
    planner, exchange = run([first, again])
    assert exchange.operations == 3
    assert planner.counts.skipped_unchanged == 3


def test_a_level_that_our_taker_emptied_needs_no_cancel() -> None:
    records: list[FeedRecord] = [
        DepthUpdate(0, 1, 1, [(100, 5)], [(101, 3)]),
        FeedTrade(1, 101, 3, True),
        DepthUpdate(2, 2, 2, [], [(101, 0)]),
    ]
    planner, exchange = run(records)
    assert planner.counts.cancels == 0
    assert exchange.book() == {100: 5}


def test_a_snapshot_gives_way_to_newer_updates_and_removes_what_is_gone() -> None:
    records: list[FeedRecord] = [
        DepthUpdate(0, 1, 5, [(100, 5), (97, 4)], []),
        DepthUpdate(1, 6, 9, [(99, 2)], []),
        DepthSnapshot(2, 7, [(100, 8), (99, 1), (96, 6)], [(101, 3)]),
        DepthUpdate(3, 6, 7, [(100, 1)], []),
    ]
    _, exchange = run(records)
    assert exchange.book() == {100: 8, 99: 2, 96: 6, 101: 3}


def test_operations_wait_for_company_but_not_longer_than_they_may() -> None:
    records: list[FeedRecord] = [
        DepthUpdate(0, 1, 1, [(100, 5)], []),
        DepthUpdate(HOLD_MS - 1, 2, 2, [(101, 5)], []),
        DepthUpdate(HOLD_MS, 3, 3, [(100, 6)], []),
    ]
    sent = [(e.time_ms, len(e.operations)) for e in Planner().plan(records)]
    assert sent == [(HOLD_MS, 2), (HOLD_MS, 1)]


def test_levels_outside_the_markets_band_are_left_out() -> None:
    records: list[FeedRecord] = [
        DepthUpdate(0, 1, 1, [(1_000, 5)], [(1_002, 5)]),
        DepthUpdate(1, 2, 2, [(900, 5), (901, 5)], [(1_102, 5)]),
    ]
    planner, exchange = run(records, Limits(band_ppm=100_000))
    assert set(exchange.book()) == {1_000, 1_002, 901}
    assert planner.counts.skipped_out_of_band == 2


@pytest.mark.parametrize("seconds", [20])
def test_the_recorded_feed_is_executed_without_a_rejection(data_dir: Path, seconds: int) -> None:
    planner, exchange = run(read_feed(data_dir / FEED, seconds))
    assert exchange.operations == planner.counts.operations > 10_000
    assert exchange.filled_takers == planner.counts.takers_expected_filled


def test_the_whole_feed_gives_the_operations_and_fills_that_it_should(data_dir: Path) -> None:
    planner = Planner(Limits(band_ppm=1_000_000))
    accounts = {envelope.account for envelope in planner.plan(read_feed(data_dir / FEED))}
    counts = planner.counts
    assert counts.level_updates == 443_521
    assert counts.takers == 21_313
    assert 415_000 < counts.operations < 425_000
    assert counts.takers_expected_filled >= 19_500
    assert counts.account_orders_max <= SLOTS_PER_ACCOUNT
    assert len(accounts) >= TAKERS + MAKERS_MIN
