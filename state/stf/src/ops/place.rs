//! Placing an order: every check, then either a rest in the book or a taker to be matched.
//!
//! In: `Place` terms, or a replaced order's. Out: an open order, an active `Taker`, or a `Reject`.
//! Holds: the margin test comes once, before matching, for the whole order at its limit (trading.md
//! 5.5).
//! Not here: matching itself (`matching`).

use crate::book;
use crate::error::{Reject, Stop};
use crate::margin::{self, Extra};
use crate::ops::{Env, Outcome, listed, matching, resting};
use crate::platform::{Platform, Sink};
use crate::positions;
use crate::records::{Market, MarketState, ORDERS, POSITIONS, Position, Subaccount, Taker};
use crate::store::Store;
use crate::types::{Place, TimeInForce};

/// Flag of orders: refuse rather than take.
pub(crate) const POST_ONLY: u8 = 1;
/// Flag of takers: the order is a replaced one.
pub(crate) const REPLACED: u8 = 2;

/// Places a new order.
pub(crate) fn place<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    subaccount: u64,
    place: &Place,
    scan: bool,
) -> Result<Outcome, Stop> {
    let market = listed(env.store, place.market)?;
    if market.state == MarketState::Halted {
        return Err(Reject::MarketHalted.into());
    }
    let tick = check_terms(&market, place.price_e9, place.qty_e9)?;
    if place.post_only && place.tif == TimeInForce::Ioc {
        return Err(Reject::FlagsUnsupported.into());
    }
    let mut taker = Taker {
        client_id: place.client_id,
        left_e9: place.qty_e9,
        subaccount,
        tick,
        market: place.market,
        buy: place.buy,
        tif: place.tif as u8,
        flags: if place.post_only { POST_ONLY } else { 0 },
        active: true,
        ..Taker::default()
    };
    let position = check_entry(env.store, &market, &taker)?;
    name_order(env.store, &mut taker)?;
    admit(env, &market, &position, taker, scan)
}

/// Price and quantity in the market's steps and above its minimum; the price in ticks.
pub(crate) fn check_terms(market: &Market, price_e9: u64, qty_e9: u64) -> Result<u32, Reject> {
    if price_e9 == 0 {
        return Err(Reject::PriceZero);
    }
    let tick = price_e9.checked_div(market.tick_e9).ok_or(Reject::PriceWrongTick)?;
    if tick >= book::TICKS || tick.checked_mul(market.tick_e9) != Some(price_e9) {
        return Err(Reject::PriceWrongTick);
    }
    if qty_e9 == 0 || qty_e9.checked_rem(market.lot_e9) != Some(0) {
        return Err(Reject::QtyWrongLot);
    }
    if margin::notional(qty_e9, price_e9)? < i128::from(market.min_notional_e9) {
        return Err(Reject::NotionalTooSmall);
    }
    u32::try_from(tick).map_err(|_| Reject::PriceWrongTick)
}

/// What the market takes at all now: reductions only if it is not fresh; the band; post-only.
pub(crate) fn check_entry<S: Store>(
    store: &mut S,
    market: &Market,
    taker: &Taker,
) -> Result<Position, Stop> {
    let position = positions::load(store, taker.subaccount, taker.market)?;
    if !takes_anything(market) && !may_reduce(taker, &position) {
        return Err(Reject::MarketReduceOnly.into());
    }
    if !margin::in_band(market, margin::price_of(market, taker.tick)?) {
        return Err(Reject::PriceOutOfBand.into());
    }
    if taker.flags & POST_ONLY != 0 && crosses(store, taker)? {
        return Err(Reject::PostOnlyWouldCross.into());
    }
    Ok(position)
}

/// True unless only reductions are taken (trading.md 4.3, 3.6).
pub(crate) fn takes_anything(market: &Market) -> bool {
    margin::is_fresh(market) && market.state == MarketState::Open
}

/// An order that cannot but shrink the position: the case of the second clause of 5.4.
fn may_reduce(taker: &Taker, position: &Position) -> bool {
    taker.tif == TimeInForce::Ioc as u8
        && taker.left_e9 <= position.size_e9.unsigned_abs()
        && (position.size_e9 < 0) == taker.buy
}

fn crosses<S: Store>(store: &mut S, taker: &Taker) -> Result<bool, Stop> {
    Ok(book::crossing(store, taker.market, taker.buy, taker.tick)?.is_some())
}

/// Gives a new order its slot and id, once its client id is known to be free.
///
/// An immediate-or-cancel order never rests, so it needs no free slot.
fn name_order<S: Store>(store: &mut S, taker: &mut Taker) -> Result<(), Stop> {
    if resting::by_client_id(store, taker.subaccount, taker.client_id)?.is_some() {
        return Err(Reject::ClientIdInUse.into());
    }
    let subaccount = store.read::<Subaccount>(taker.subaccount)?;
    taker.slot = match resting::free_slot(subaccount) {
        Some(slot) => slot,
        None if taker.tif == TimeInForce::Ioc as u8 => 0,
        None => return Err(Reject::TooManyOpenOrders.into()),
    };
    let full = usize::from(subaccount.position_count) >= POSITIONS;
    if full && positions::slot_of(subaccount, taker.market).is_none() {
        return Err(Reject::TooManyPositions.into());
    }
    let count = u64::from(subaccount.placed_count) % (1 << 28);
    taker.order_id = (taker.subaccount << 28 | count) * ORDERS as u64 + u64::from(taker.slot);
    let subaccount = store.write::<Subaccount>(taker.subaccount)?;
    subaccount.placed_count = subaccount.placed_count.wrapping_add(1);
    Ok(())
}

/// The margin test, then the book or the matching.
pub(crate) fn admit<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    market: &Market,
    position: &Position,
    mut taker: Taker,
    scan: bool,
) -> Result<Outcome, Stop> {
    check_size(position, taker.left_e9)?;
    if !has_room(env.store, market, &taker, scan)? {
        let solvent = margin::health(env.store, taker.subaccount)?.equity_e9 >= 0;
        if !solvent || !may_reduce(&taker, position) {
            return Err(Reject::MarginInsufficient.into());
        }
        taker.reducing = true;
    }
    if crosses(env.store, &taker)? {
        *env.store.write::<Taker>(0)? = taker;
        return Ok(Outcome::Matching);
    }
    matching::finish(env, &taker, None)?;
    Ok(Outcome::Done)
}

/// Whatever fills, in whatever order, the size stays in range: |size| + buys + sells never grows by
/// a fill.
fn check_size(position: &Position, qty_e9: u64) -> Result<(), Reject> {
    let parts = [position.size_e9.unsigned_abs(), position.buys_e9, position.sells_e9, qty_e9];
    let total: u128 = parts.into_iter().map(u128::from).sum();
    i64::try_from(total).map(|_| ()).map_err(|_| Reject::Overflow)
}

/// The first clause of 5.4, the order counted as open, with what it would pay if it took all at its
/// limit.
fn has_room<S: Store>(
    store: &mut S,
    market: &Market,
    taker: &Taker,
    scan: bool,
) -> Result<bool, Stop> {
    let price_e9 = margin::price_of(market, taker.tick)?;
    let fee_e9 = if taker.flags & POST_ONLY == 0 {
        margin::fee(taker.left_e9, price_e9, market.taker_fee_ppm.into())?
    } else {
        0
    };
    let (market, buy, qty_e9) = (taker.market, taker.buy, taker.left_e9);
    let extra = Extra { market, buy, qty_e9, price_e9, fee_e9 };
    let room = margin::room(store, taker.subaccount, Some(extra), scan)?;
    Ok(room.equity_e9 >= room.initial_e9)
}
