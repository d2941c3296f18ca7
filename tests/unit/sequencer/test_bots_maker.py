"""The ladder of the market-making bots, against a book that knows only the rules."""

import itertools
import random
from dataclasses import replace

from sequencer.bots.maker import LEVELS, Style, ladder, operations
from sequencer.oracle import FollowedPrice, RandomWalk
from sequencer.sdk.views import MarketView, OrderView
from state.tx import Cancel, Place
from state.tx import Operation as Op

E9 = 10**9
MARKET = MarketView(
    name="BTC-PERPETUAL",
    state=0,
    feed=0,
    tick_e9=10**8,
    lot_e9=10**6,
    min_notional_e9=10 * E9,
    imf_ppm=20_000,
    mmf_ppm=10_000,
    maker_fee_ppm=0,
    taker_fee_ppm=500,
    band_ppm=100_000,
    open_orders=0,
    open_interest_e9=0,
    last_e9=0,
    mark_e9=60_000 * E9,
    index_e9=60_000 * E9,
    index_time_ms=1,
    fresh=True,
)


def apply(resting: dict[int, OrderView], wanted: list[Op]) -> None:
    """Execute the operations; fail where one would cross the bot's own orders."""
    for op in wanted:
        if isinstance(op, Cancel):
            del resting[op.client_id]
            continue
        if isinstance(op, Place):
            assert op.post_only
            assert op.client_id not in resting
            order = OrderView(1, 0, op.buy, op.price_e9, op.qty_e9, op.qty_e9, True)
        else:
            old = resting[op.client_id]
            order = replace(old, price_e9=op.price_e9, open_e9=op.qty_e9)
        others = [o.price_e9 for o in resting.values() if o.buy != order.buy]
        if order.buy:
            assert not others or order.price_e9 < min(others)
        else:
            assert not others or order.price_e9 > max(others)
        resting[op.client_id] = order


def test_quotes_follow_the_price_without_ever_crossing_themselves(rng: random.Random) -> None:
    resting: dict[int, OrderView] = {}
    index = 60_000 * E9
    for _ in range(300):
        index += index * rng.randint(-4_000, 4_000) // 10**6
        position = rng.choice([0, 10**9, -(10**9), 9 * 10**9, -9 * 10**9])
        quotes = ladder(replace(MARKET, index_e9=index), position, Style())
        apply(resting, operations(0, 0, quotes, resting))
        assert {i: (o.price_e9, o.open_e9) for i, o in resting.items()} == {
            q.client_id: (q.price_e9, q.qty_e9) for q in quotes
        }
        for client_id in rng.sample(sorted(resting), k=min(2, len(resting))):
            if rng.random() < 0.5:
                del resting[client_id]  # filled


def test_prices_are_on_ticks_sizes_on_lots_and_the_spread_is_kept() -> None:
    quotes = ladder(MARKET, 0, Style(half_spread_ppm=150))
    assert len(quotes) == 2 * LEVELS
    for quote in quotes:
        assert quote.price_e9 % MARKET.tick_e9 == 0
        assert quote.qty_e9 % MARKET.lot_e9 == 0
        away = MARKET.index_e9 - quote.price_e9 if quote.buy else quote.price_e9 - MARKET.index_e9
        assert away * 10**6 >= 150 * MARKET.index_e9


def test_a_stale_index_takes_all_quotes_out() -> None:
    quotes = ladder(MARKET, 0, Style())
    resting: dict[int, OrderView] = {}
    apply(resting, operations(0, 0, quotes, resting))
    assert ladder(replace(MARKET, fresh=False), 0, Style()) == []
    wanted = operations(0, 0, [], resting)
    assert len(wanted) == 2 * LEVELS
    apply(resting, wanted)
    assert not resting


def test_a_full_position_is_not_made_larger() -> None:
    full = Style().position_usd_e9_max * E9 // MARKET.index_e9 + 1
    assert not any(quote.buy for quote in ladder(MARKET, full, Style()))
    assert all(quote.buy for quote in ladder(MARKET, -full, Style()))


def test_a_walk_repeats_for_its_seed_and_goes_on_from_where_it_was() -> None:
    first, second = (RandomWalk(5, {0: 60_000 * E9}) for _ in range(2))
    prices = [first.price_e9(0) for _ in range(2_000)]
    assert prices == [second.price_e9(0) for _ in range(2_000)]
    assert len(set(prices)) > 1_500
    assert all(abs(b - a) * 1_000 < a for a, b in itertools.pairwise(prices))
    second.restart_from(0, 50_000 * E9)
    assert abs(second.price_e9(0) - 50_000 * E9) < 50 * E9
    assert first.price_e9(3) == 0


def test_a_followed_price_is_unknown_until_it_is_set() -> None:
    source = FollowedPrice(0)
    assert source.price_e9(0) == 0
    source.now_e9 = 7
    assert (source.price_e9(0), source.price_e9(1)) == (7, 0)
