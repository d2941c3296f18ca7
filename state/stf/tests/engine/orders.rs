//! Placing, matching, cancelling, replacing (trading.md 3).

use crate::world::*;
use stf::error::Reject;
use stf::events::Event;
use stf::types::{E9, Operation, Place, TimeInForce};

#[test]
fn better_prices_trade_first_then_older_orders_and_at_the_makers_price() {
    let mut world = World::funded(4);
    world.applied(1, place(false, 50_010, 10, 1));
    world.applied(2, place(false, 50_000, 10, 2));
    world.applied(3, place(false, 50_000, 10, 3));
    world.applied(4, place(true, 50_010, 25, 4));
    let expected = [(50_000, 10), (50_000, 10), (50_010, 5)];
    assert_eq!(world.trades(), expected.map(|(price, qty)| (true, price * E9, milli(qty))));
    assert_eq!(world.size(2, 0), -10_000_000);
    assert_eq!(world.size(1, 0), -5_000_000);
    assert_eq!(world.position(1, 0).sells_e9, milli(5));
    assert_eq!(world.market(0).open_interest_e9, milli(25));
    assert_eq!(world.market(0).last_e9, 50_010 * E9);
}

#[test]
fn what_does_not_fill_rests_and_what_is_immediate_is_cancelled() {
    let mut world = World::funded(2);
    world.applied(1, place(false, 50_000, 10, 1));
    world.applied(2, place(true, 50_000, 30, 7));
    assert_eq!(world.trades().len(), 1);
    assert_eq!(world.position(2, 0).buys_e9, milli(20));
    world.applied(1, ioc(false, 50_000, 50));
    assert_eq!(world.cancels(), [(0, milli(30), Reject::IocRemainder as u16)]);
    assert_eq!(world.market(0).open_orders, 0);
    assert_eq!((world.size(1, 0), world.size(2, 0)), (-30_000_000, 30_000_000));
}

#[test]
fn the_event_of_an_order_tells_what_filled_and_what_rests() {
    let mut world = World::funded(2);
    world.applied(1, place(false, 50_000, 10, 1));
    world.applied(2, place(true, 50_000, 30, 7));
    let Some(Event::OrderPlaced(order)) = world.log().events.last() else { panic!() };
    assert_eq!((order.qty_e9, order.filled_e9, order.open_e9), (milli(30), milli(10), milli(20)));
    assert_eq!((order.client_id, order.buy, order.price_e9), (7, true, 50_000 * E9));
    let subaccount = world.subaccount_index(2);
    assert_eq!(order_id(&world), subaccount << 36);
}

fn order_id(world: &World) -> u64 {
    match world.log().events.last() {
        Some(Event::OrderPlaced(order) | Event::OrderReplaced(order)) => order.order_id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn terms_out_of_the_markets_steps_are_refused() {
    let mut world = World::funded(1);
    let good = limit(true, 50_000, 10, 1);
    let mut refused = |change: Place, reason| world.refused(1, Operation::Place(change), reason);
    refused(Place { market: 2, ..good }, Reject::MarketUnknown);
    refused(Place { price_e9: 0, ..good }, Reject::PriceZero);
    refused(Place { price_e9: good.price_e9 + 1, ..good }, Reject::PriceWrongTick);
    refused(Place { price_e9: (1 << 24) * E9 / 10, ..good }, Reject::PriceWrongTick);
    refused(Place { qty_e9: 0, ..good }, Reject::QtyWrongLot);
    refused(Place { qty_e9: good.qty_e9 + 1, ..good }, Reject::QtyWrongLot);
    refused(
        Place { market: 1, price_e9: 900 * E9, qty_e9: E9 / 100, ..good },
        Reject::NotionalTooSmall,
    );
    refused(Place { price_e9: 55_000 * E9 + E9 / 10, ..good }, Reject::PriceOutOfBand);
    refused(Place { price_e9: 45_000 * E9 - E9 / 10, ..good }, Reject::PriceOutOfBand);
    refused(Place { post_only: true, tif: TimeInForce::Ioc, ..good }, Reject::FlagsUnsupported);
    refused(Place { qty_e9: u64::MAX / E9 * E9, ..good }, Reject::Overflow);
    world.applied(1, Operation::Place(Place { price_e9: 45_000 * E9, ..good }));
}

#[test]
fn a_market_that_is_not_listed_is_refused_whatever_its_number() {
    let mut world = World::funded(1);
    for market in [2, 4_095, 65_534, 65_535, u32::MAX - 1, u32::MAX] {
        let Operation::Place(order) = place(true, 50_000, 10, 1) else { panic!("a place") };
        world.refused(1, Operation::Place(Place { market, ..order }), Reject::MarketUnknown);
        let replace = Operation::Replace { market, client_id: 1, price_e9: 1, qty_e9: 1 };
        world.refused(1, replace, Reject::MarketUnknown);
        world.refused(1, Operation::Cancel { market, client_id: 1 }, Reject::MarketUnknown);
        let all = Operation::CancelAll { market: Some(market) };
        world.refused(1, all, Reject::MarketUnknown);
    }
}

#[test]
fn a_post_only_order_rests_or_is_refused_but_never_takes() {
    let mut world = World::funded(2);
    world.applied(1, post(false, 50_000, 10, 1));
    world.refused(2, post(true, 50_000, 10, 1), Reject::PostOnlyWouldCross);
    world.applied(2, post(true, 49_999, 10, 1));
    assert!(world.trades().is_empty());
}

#[test]
fn client_ids_are_unique_among_the_open_orders_of_a_subaccount() {
    let mut world = World::funded(2);
    world.applied(1, place(true, 49_000, 10, 5));
    world.refused(1, place(true, 49_001, 10, 5), Reject::ClientIdInUse);
    world.applied(2, place(true, 49_001, 10, 5));
    world.applied(1, cancel(5));
    world.applied(1, place(true, 49_001, 10, 5));
    // No client id is no id: many orders may have none.
    world.applied(1, place(true, 49_002, 10, 0));
    world.applied(1, place(true, 49_003, 10, 0));
}

#[test]
fn orders_are_cancelled_by_client_id_by_order_id_and_all_at_once() {
    let mut world = World::funded(2);
    world.applied(1, place(true, 49_000, 10, 5));
    let first = order_id(&world);
    world.refused(1, cancel(6), Reject::OrderNotFound);
    world.refused(1, cancel(0), Reject::OrderNotFound);
    world.refused(1, Operation::Cancel { market: 1, client_id: 5 }, Reject::OrderNotFound);
    world.refused(1, Operation::Cancel { market: 9, client_id: 5 }, Reject::MarketUnknown);
    world.refused(2, Operation::CancelById { order_id: first }, Reject::OrderNotFound);
    world.applied(1, Operation::CancelById { order_id: first });
    assert_eq!(world.cancels(), [(5, milli(10), 0)]);
    world.refused(1, Operation::CancelById { order_id: first }, Reject::OrderNotFound);

    world.applied(1, place(true, 49_000, 10, 1));
    let eth = Place { market: 1, price_e9: 1_990 * E9, qty_e9: E9, ..limit(true, 1, 1, 2) };
    world.applied(1, Operation::Place(eth));
    world.applied(1, place(false, 51_000, 10, 3));
    world.applied(1, Operation::CancelAll { market: Some(0) });
    assert_eq!(world.cancels(), [(1, milli(10), 0), (3, milli(10), 0)]);
    world.applied(1, Operation::CancelAll { market: None });
    assert_eq!(world.cancels(), [(2, E9, 0)]);
    assert_eq!(world.subaccount(1).slots, [0; 32]);
}

#[test]
fn a_replace_with_less_keeps_its_place_and_with_more_or_elsewhere_does_not() {
    let mut world = World::funded(3);
    world.applied(1, place(false, 50_000, 20, 1));
    let id = order_id(&world);
    world.applied(2, place(false, 50_000, 20, 2));
    world.applied(1, replace(1, 50_000, 10));
    assert_eq!(order_id(&world), id);
    world.applied(3, ioc(true, 50_000, 10));
    assert_eq!(world.size(1, 0), -10_000_000);

    world.applied(1, place(false, 50_000, 10, 1));
    world.applied(2, replace(2, 50_000, 30));
    world.applied(3, ioc(true, 50_000, 10));
    assert_eq!(world.size(1, 0), -20_000_000);
    assert_eq!(world.size(2, 0), 0);
    world.applied(2, replace(2, 50_100, 30));
    world.applied(3, ioc(true, 50_050, 10));
    assert!(world.trades().is_empty());
}

#[test]
fn a_replace_that_crosses_takes_under_its_old_id_unless_it_is_post_only() {
    let mut world = World::funded(3);
    world.applied(1, place(false, 50_000, 10, 1));
    world.applied(2, place(true, 49_900, 15, 2));
    let id = order_id(&world);
    world.applied(2, replace(2, 50_000, 15));
    assert_eq!(world.trades(), [(true, 50_000 * E9, milli(10))]);
    let Some(Event::OrderReplaced(order)) = world.log().events.last() else { panic!() };
    assert_eq!((order.order_id, order.filled_e9, order.open_e9), (id, milli(10), milli(5)));

    world.applied(3, post(true, 49_800, 10, 3));
    world.applied(1, place(false, 50_500, 10, 4));
    world.refused(3, replace(3, 50_500, 10), Reject::PostOnlyWouldCross);
    world.refused(3, replace(9, 50_500, 10), Reject::OrderNotFound);
    world.refused(3, replace(3, 60_000, 10), Reject::PriceOutOfBand);
    world.applied(3, cancel(3));
}

#[test]
fn makers_of_the_takers_own_account_are_cancelled() {
    let mut world = World::funded(2);
    world.deposit(1, 3, 100_000 * ONE);
    let input = world.envelope_of(1, 3, vec![place(false, 50_000, 10, 8)]);
    world.block(vec![input]);
    world.applied(2, place(false, 50_000, 10, 9));
    world.applied(1, place(true, 50_000, 10, 1));
    assert_eq!(world.cancels(), [(8, milli(10), Reject::SelfTrade as u16)]);
    assert_eq!(world.size(1, 0), 10_000_000);
    assert_eq!(world.size(2, 0), -10_000_000);
}

#[test]
fn after_64_fills_the_rest_is_cancelled() {
    let mut world = World::funded(2);
    let orders = (0..64).map(|_| place(false, 50_000, 1, 0)).collect::<Vec<_>>();
    let input = world.envelope(1, orders.clone());
    world.block(vec![input]);
    let input = world.envelope(1, orders);
    world.block(vec![input]);
    world.applied(2, place(true, 50_000, 64, 1));
    assert_eq!((world.trades().len(), world.cancels().len()), (64, 0));
    let input = world.envelope(1, vec![place(false, 50_000, 1, 0)]);
    world.block(vec![input]);
    world.applied(2, place(true, 50_000, 65, 1));
    assert_eq!(world.trades().len(), 64);
    assert_eq!(world.cancels(), [(1, milli(1), Reject::FillLimit as u16)]);
    assert_eq!(world.market(0).open_orders, 1);
}

#[test]
fn the_257th_open_order_is_refused_but_an_immediate_one_is_not() {
    let mut world = World::funded(2);
    for _ in 0..4 {
        let orders = (0..64).map(|i| place(true, 49_000 + i, 1, 0)).collect();
        let input = world.envelope(1, orders);
        world.block(vec![input]);
        assert!(world.log().operations.iter().all(|(_, reason)| *reason == 0));
    }
    world.refused(1, place(true, 49_000, 1, 0), Reject::TooManyOpenOrders);
    world.applied(2, place(false, 50_000, 1, 1));
    world.applied(1, ioc(true, 50_000, 1));
    assert_eq!(world.trades().len(), 1);
    world.applied(1, Operation::CancelAll { market: None });
    assert_eq!(world.cancels().len(), 256);
}
