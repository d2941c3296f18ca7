//! Replacing an order's price and open quantity; its id stays.
//!
//! In: client id and new terms. Out: the order in its old place, at the end of a queue, or as a
//! taker.
//! Holds: the place is kept iff the price stays and the quantity does not grow (trading.md 3.1);
//! such a change only gives margin back, so it is neither tested for margin nor barred by the
//! market's state or band.
//! Not here: checks that placing shares (`place`).

use crate::error::{Fault, Reject, Stop};
use crate::events::{Event, OrderEvent};
use crate::ops::place::{REPLACED, admit, check_entry, check_terms};
use crate::ops::{Env, Outcome, cancel, listed, resting};
use crate::platform::{Platform, Sink};
use crate::positions;
use crate::records::{MarketState, ORDERS, Order, Taker};
use crate::store::Store;
use crate::types::TimeInForce;

/// What is asked for.
pub(crate) struct Terms {
    pub(crate) market: u32,
    pub(crate) client_id: u64,
    pub(crate) price_e9: u64,
    /// New open quantity.
    pub(crate) qty_e9: u64,
}

/// Replaces the order with this client id.
pub(crate) fn replace<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    subaccount: u64,
    terms: &Terms,
    scan: bool,
) -> Result<Outcome, Stop> {
    let market = listed(env.store, terms.market)?;
    let reference = cancel::find(env.store, subaccount, terms.market, terms.client_id)?;
    let tick = check_terms(&market, terms.price_e9, terms.qty_e9)?;
    let order = *env.store.read::<Order>(reference)?;
    if tick == order.tick && terms.qty_e9 <= order.open_e9 {
        shrink(env, reference, &order, terms)?;
        return Ok(Outcome::Done);
    }
    if market.state == MarketState::Halted {
        return Err(Reject::MarketHalted.into());
    }
    resting::take_out(env.store, reference)?;
    let slot = u16::try_from(reference % ORDERS as u64).map_err(|_| Fault::Corrupt)?;
    let taker = Taker {
        order_id: order.order_id,
        client_id: order.client_id,
        left_e9: terms.qty_e9,
        subaccount,
        tick,
        market: terms.market,
        buy: order.buy,
        tif: TimeInForce::Gtc as u8,
        flags: order.flags | REPLACED,
        slot,
        active: true,
        ..Taker::default()
    };
    let position = check_entry(env.store, &market, &taker)?;
    admit(env, &market, &position, taker, scan)
}

/// Less at the same price: the order keeps its place.
fn shrink<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    reference: u64,
    order: &Order,
    terms: &Terms,
) -> Result<(), Stop> {
    let subaccount = resting::subaccount_of(reference);
    let by_e9 = order.open_e9 - terms.qty_e9;
    if by_e9 > 0 {
        let mut position = positions::load(env.store, subaccount, order.market)?;
        resting::reduce(env.store, reference, by_e9, &mut position)?;
        positions::save(env.store, subaccount, position)?;
    }
    env.store.write::<Order>(reference)?.placed_e9 = terms.qty_e9;
    env.emit(Event::OrderReplaced(OrderEvent {
        subaccount,
        market: order.market,
        buy: order.buy,
        order_id: order.order_id,
        client_id: order.client_id,
        price_e9: terms.price_e9,
        qty_e9: terms.qty_e9,
        filled_e9: 0,
        open_e9: terms.qty_e9,
    }));
    Ok(())
}
