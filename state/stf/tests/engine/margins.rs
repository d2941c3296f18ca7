//! Margin, fees, profit (trading.md 5).

use crate::world::*;
use stf::error::Reject;
use stf::types::{E9, Operation, Place, TimeInForce};

#[test]
fn an_order_needs_initial_margin_on_its_whole_size_and_not_a_unit_more() {
    // 100,000 USD at 10 % carry 20 BTC at 50,000.
    let mut world = World::funded(1);
    world.refused(1, place(true, 50_000, 20_001, 1), Reject::MarginInsufficient);
    world.applied(1, place(true, 50_000, 20_000, 1));
    // The other side is covered by the same reservation, more of this one is not.
    world.applied(1, place(false, 50_001, 20_000, 2));
    world.refused(1, place(true, 49_000, 1, 3), Reject::MarginInsufficient);
}

#[test]
fn a_price_worse_than_mark_must_be_paid_for_at_once() {
    // 10 BTC bought at 55,000 lose 50,000 at mark: 50,000 left carry exactly 10 BTC.
    let mut world = World::funded(1);
    world.refused(1, place(true, 55_000, 10_001, 1), Reject::MarginInsufficient);
    world.applied(1, place(true, 55_000, 10_000, 1));
}

#[test]
fn open_orders_priced_worse_than_mark_keep_reserving_their_distance() {
    let mut world = World::funded(1);
    world.applied(1, place(true, 51_000, 10_000, 1));
    // Equity 100,000 - 10,000 of distance carries 18 BTC, of which 10 are reserved.
    world.refused(1, place(true, 50_000, 8_001, 2), Reject::MarginInsufficient);
    world.applied(1, place(true, 50_000, 8_000, 2));
}

#[test]
fn the_takers_fee_at_its_limit_counts_unless_it_cannot_take() {
    let mut world = World::funded(1);
    world.set_market(&MarketTerms { taker_fee_ppm: 1_000, ..market_terms(0) });
    world.refused(1, place(true, 50_000, 20_000, 1), Reject::MarginInsufficient);
    world.applied(1, post(true, 50_000, 20_000, 1));
}

#[test]
fn fees_go_to_the_sink_and_rebates_come_out_of_the_takers_fee() {
    let mut world = World::funded(2);
    let terms = MarketTerms { maker_fee_ppm: -100, taker_fee_ppm: 500, ..market_terms(0) };
    world.set_market(&terms);
    world.applied(1, place(false, 50_000, 100, 1));
    world.applied(2, ioc(true, 50_000, 100));
    // 5,000 USD: 0.50 to the maker, 2.50 from the taker, 2.00 to the sink.
    assert_eq!(world.balance(1), 100_000 * ONE + ONE / 2);
    assert_eq!(world.balance(2), 100_000 * ONE - 5 * ONE / 2);
    assert_eq!(world.chain().fees_e9, 2 * ONE);
}

#[test]
fn profit_is_paid_when_a_position_is_closed() {
    let mut world = World::funded(3);
    world.applied(1, place(false, 50_000, 1_000, 1));
    world.applied(2, ioc(true, 50_000, 1_000));
    world.applied(3, place(true, 51_000, 1_000, 1));
    world.applied(2, ioc(false, 51_000, 1_000));
    assert_eq!(world.balance(2), 101_000 * ONE);
    assert_eq!(world.position(2, 0), stf::records::Position::default());
    assert_eq!(world.balance(1), 100_000 * ONE);
    assert_eq!(world.market(0).open_interest_e9, E9);
}

/// User 1 is short 18 BTC at 50,000 with 100,000 USD and the index has moved to `index`.
fn squeezed(index: u64) -> World {
    let mut world = World::funded(4);
    for (name, qty) in [(2, 9_000), (3, 9_000)] {
        world.applied(name, place(true, 50_000, qty, 1));
        world.applied(1, ioc(false, 50_000, qty));
    }
    world.price(0, index * E9);
    world.tick();
    world
}

#[test]
fn below_initial_margin_only_orders_that_reduce_are_taken() {
    let mut world = squeezed(51_000);
    world.applied(4, place(false, 51_000, 10_000, 1));
    world.refused(1, ioc(false, 51_000, 1), Reject::MarginInsufficient);
    world.refused(1, place(true, 51_000, 1_000, 1), Reject::MarginInsufficient);
    world.refused(1, ioc(true, 51_000, 18_001), Reject::MarginInsufficient);
    world.applied(1, ioc(true, 51_000, 1_000));
    assert_eq!(world.size(1, 0), -17_000_000_000);
}

#[test]
fn a_reducing_order_stops_where_the_account_would_be_worse_off() {
    // E = 100,000 - 18·1,000 = 82,000 at 51,000. A fill leaves E/MM unchanged at 51,000 + E/size:
    // that is 55,823 for the second of them and 55,843 for the third.
    let mut world = squeezed(51_000);
    world.applied(4, place(false, 51_000, 1_000, 1));
    world.applied(4, place(false, 55_500, 1_000, 2));
    world.applied(4, place(false, 55_900, 1_000, 3));
    world.applied(1, ioc(true, 56_000, 5_000));
    let prices: Vec<u64> = world.trades().iter().map(|(_, price, _)| price / E9).collect();
    assert_eq!(prices, [51_000, 55_500]);
    assert_eq!(world.cancels(), [(0, milli(3_000), Reject::ReduceStopped as u16)]);
}

#[test]
fn a_negative_equity_takes_nothing_but_deposits() {
    let mut world = squeezed(56_000);
    world.applied(4, place(false, 56_000, 1_000, 1));
    world.refused(1, ioc(true, 56_000, 1_000), Reject::MarginInsufficient);
    world.deposit(1, 0, 100_000 * ONE);
    world.applied(1, ioc(true, 56_000, 1_000));
}

#[test]
fn a_maker_that_could_not_carry_the_fill_is_cancelled_instead() {
    let mut world = squeezed(50_000);
    // 2 more short reach the limit of initial margin; then the price runs away from the resting
    // order.
    world.applied(1, place(false, 50_500, 2_000, 7));
    world.price(0, 54_000 * E9);
    world.tick();
    // E = 100,000 - 72,000 = 28,000; 20 BTC at 5 % need more than that.
    world.applied(4, place(true, 54_000, 2_000, 1));
    assert_eq!(world.cancels(), [(7, milli(2_000), Reject::MakerMargin as u16)]);
    assert!(world.trades().is_empty());
}

#[test]
fn a_maker_below_its_margin_may_still_reduce() {
    let mut world = squeezed(50_000);
    world.applied(1, place(true, 50_000, 1_000, 7));
    world.price(0, 54_000 * E9);
    world.tick();
    world.applied(2, ioc(false, 50_000, 1_000));
    assert_eq!(world.trades().len(), 1);
    assert_eq!(world.size(1, 0), -17_000_000_000);
}

#[test]
fn a_stale_market_only_reduces_and_is_valued_at_its_stressed_price() {
    let mut world = World::funded(3);
    world.applied(1, place(true, 50_000, 1_000, 1));
    world.applied(2, ioc(false, 50_000, 1_000));
    world.applied(3, place(false, 50_000, 100, 1));
    world.time_ms += 60_000;
    world.tick();
    assert!(!world.market(0).fresh);
    world.refused(1, place(true, 49_000, 10, 2), Reject::MarketReduceOnly);
    world.refused(1, ioc(true, 50_000, 10), Reject::MarketReduceOnly);
    // A maker that would grow is cancelled when met; one that reduces trades.
    world.applied(2, ioc(true, 50_000, 100));
    assert_eq!(world.cancels()[0], (1, milli(100), Reject::MarketReduceOnly as u16));
    assert!(world.trades().is_empty());
    // 1 BTC long is stressed by 5,000: 95,000 less 5,000 of initial margin may leave.
    world.refused(1, withdraw(90_000_000_001), Reject::BalanceInsufficient);
    world.applied(1, withdraw(90_000_000_000));
}

#[test]
fn governance_can_make_a_market_reduce_only_or_halt_it() {
    let mut world = World::funded(2);
    world.applied(1, place(true, 50_000, 1_000, 1));
    world.applied(2, ioc(false, 50_000, 500));
    world.set_market(&MarketTerms { state: 1, ..market_terms(0) });
    world.refused(2, place(false, 50_000, 10, 1), Reject::MarketReduceOnly);
    world.set_market(&MarketTerms { state: 2, ..market_terms(0) });
    world.refused(2, ioc(true, 50_000, 10), Reject::MarketHalted);
    world.refused(1, replace(1, 49_000, 10), Reject::MarketHalted);
    world.applied(1, replace(1, 50_000, 100));
    world.applied(1, cancel(1));
}

#[test]
fn the_33rd_position_is_refused() {
    let mut world = World::funded(1);
    for market in 2..33 {
        world.set_market(&MarketTerms { market, feed: 0, ..market_terms(0) });
    }
    world.tick();
    let order = |market| Operation::Place(Place { market, ..limit(true, 50_000, 1, 0) });
    for market in (0..33).filter(|market| *market != 1) {
        world.applied(1, order(market));
    }
    let eth = Place { market: 1, price_e9: 2_000 * E9, qty_e9: E9, ..limit(true, 1, 1, 0) };
    world.refused(1, Operation::Place(eth), Reject::TooManyPositions);
    world.refused(
        1,
        Operation::Place(Place { tif: TimeInForce::Ioc, ..eth }),
        Reject::TooManyPositions,
    );
    world.applied(1, order(0));
}
