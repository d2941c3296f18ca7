//! Cancelling: by client id, by order id, all.
//!
//! In: what names the orders. Out: they are out of the book, with an event each.
//! Holds: a cancel asks for no margin and works in every market state (trading.md 3.6).
//! Not here: the records behind an order (`resting`).

use crate::error::{Fault, Reject, Stop};
use crate::events::Event;
use crate::margin::open_slots;
use crate::ops::{Env, Outcome, listed, resting};
use crate::platform::{Platform, Sink};
use crate::records::{ORDERS, Order, Subaccount};
use crate::store::Store;
use crate::weight::CANCELLED_PER_STEP;

/// Cancels the order with this client id in this market.
pub(crate) fn by_client_id<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    subaccount: u64,
    market: u32,
    client_id: u64,
) -> Result<(), Stop> {
    let reference = find(env.store, subaccount, market, client_id)?;
    one(env, reference, 0)
}

/// The open order with this client id in this market.
pub(crate) fn find<S: Store>(
    store: &mut S,
    subaccount: u64,
    market: u32,
    client_id: u64,
) -> Result<u64, Stop> {
    listed(store, market)?;
    let found = resting::by_client_id(store, subaccount, client_id)?;
    let reference = found.ok_or(Reject::OrderNotFound)?;
    if store.read::<Order>(reference)?.market != market {
        return Err(Reject::OrderNotFound.into());
    }
    Ok(reference)
}

/// Cancels the order with this id, if it is the subaccount's and open.
pub(crate) fn by_id<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    subaccount: u64,
    order_id: u64,
) -> Result<(), Stop> {
    let reference = resting::reference(subaccount, order_id % ORDERS as u64);
    let order = env.store.read::<Order>(reference)?;
    if order.open_e9 == 0 || order.order_id != order_id {
        return Err(Reject::OrderNotFound.into());
    }
    one(env, reference, 0)
}

/// Cancels orders of a subaccount, in all markets or one: as many as one step may.
pub(crate) fn all<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    subaccount: u64,
    market: Option<u32>,
) -> Result<Outcome, Stop> {
    if let Some(market) = market {
        listed(env.store, market)?;
    }
    let record = *env.store.read::<Subaccount>(subaccount)?;
    let mut cancelled = 0;
    for slot in open_slots(&record) {
        let reference = resting::reference(subaccount, slot);
        let here = env.store.read::<Order>(reference)?.market;
        if market.is_some_and(|market| market != here) {
            continue;
        }
        if cancelled == CANCELLED_PER_STEP {
            return Ok(Outcome::More);
        }
        one(env, reference, 0)?;
        cancelled += 1;
    }
    Ok(Outcome::Done)
}

/// Cancels one open order; `reason` as in its event.
pub(crate) fn one<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    reference: u64,
    reason: u16,
) -> Result<(), Stop> {
    let order = resting::take_out(env.store, reference)?;
    if order.open_e9 == 0 {
        return Err(Fault::Corrupt.into());
    }
    env.emit(Event::OrderCancelled {
        subaccount: resting::subaccount_of(reference),
        market: order.market,
        order_id: order.order_id,
        client_id: order.client_id,
        qty_e9: order.open_e9,
        reason,
    });
    Ok(())
}
