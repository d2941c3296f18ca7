//! Matching: the active taker against the best maker, one fill per step (trading.md 3.5, 5.5).
//!
//! In: the `Taker` record and the book. Out: trades, cancelled makers, and in the end the taker's
//! rest.
//! Holds: execution at the maker's price; nothing here can reject the operation: what cannot go on
//! is cancelled.
//! Not here: whether the taker may trade at all (`place`).

use crate::book;
use crate::error::{Fault, Reject, Stop};
use crate::events::{Event, OrderEvent};
use crate::margin::{self, Health};
use crate::ops::place::{POST_ONLY, REPLACED, takes_anything};
use crate::ops::{Env, cancel, resting};
use crate::platform::{Platform, Sink};
use crate::positions;
use crate::records::{Chain, Market, Order, Position, Subaccount, Taker};
use crate::store::Store;
use crate::types::TimeInForce;

/// Fills of one taker.
pub(crate) const FILLS_MAX: u16 = 64;

/// The maker to meet next; None if the taker is through.
pub(crate) fn next_maker<S: Store>(store: &mut S, taker: &Taker) -> Result<Option<u64>, Fault> {
    match book::crossing(store, taker.market, taker.buy, taker.tick)? {
        Some(tick) => Ok(Some(book::head(store, taker.market, tick)?)),
        None => Ok(None),
    }
}

/// One step of matching; true when the taker is done with.
pub(crate) fn step<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    maker: Option<u64>,
) -> Result<bool, Fault> {
    let taker = *env.store.read::<Taker>(0)?;
    let result = match maker {
        None => finish(env, &taker, None).map(|()| true),
        Some(maker) => meet(env, taker, maker),
    };
    match result {
        Ok(done) => Ok(done),
        Err(Stop::Fault(fault)) => Err(fault),
        Err(Stop::Reject(reason)) => {
            env.store.rollback();
            stop(env, &taker, reason)?;
            Ok(true)
        }
    }
}

/// Ends the taker with its rest cancelled.
pub(crate) fn stop<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    taker: &Taker,
    reason: Reject,
) -> Result<(), Fault> {
    match finish(env, taker, Some(reason)) {
        Err(Stop::Fault(fault)) => Err(fault),
        // A cancelled rest touches neither sums nor the book, so there is nothing to refuse.
        Err(Stop::Reject(_)) => Err(Fault::Corrupt),
        Ok(()) => Ok(()),
    }
}

/// Both sides of a fill, worked out before anything is written.
struct Fill {
    qty_e9: u64,
    price_e9: u64,
    maker_fee_e9: i128,
    taker_fee_e9: i128,
    maker_profit_e9: i128,
    taker_profit_e9: i128,
    maker_before: Position,
    maker_after: Position,
    taker_before: Position,
    taker_after: Position,
}

fn meet<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    taker: Taker,
    maker: u64,
) -> Result<bool, Stop> {
    let owner = |subaccount: u64| subaccount >> 4;
    if owner(resting::subaccount_of(maker)) == owner(taker.subaccount) {
        cancel::one(env, maker, Reject::SelfTrade as u16)?;
        return Ok(false);
    }
    let market = *env.store.read::<Market>(taker.market.into())?;
    let order = *env.store.read::<Order>(maker)?;
    let fill = work_out(env.store, &market, &taker, maker, &order)?;
    if let Some(reason) = maker_refusal(env.store, &market, &fill, maker)? {
        cancel::one(env, maker, reason as u16)?;
        return Ok(false);
    }
    if taker.reducing && !taker_carries(env.store, &market, &fill, taker.subaccount)? {
        return Err(Reject::ReduceStopped.into());
    }
    let taker = settle(env, &market, taker, maker, &fill)?;
    emit_trade(env, &taker, &order, maker, &fill);
    if taker.left_e9 == 0 {
        finish(env, &taker, None)?;
        return Ok(true);
    }
    if taker.fills >= FILLS_MAX {
        stop(env, &taker, Reject::FillLimit)?;
        return Ok(true);
    }
    Ok(false)
}

fn work_out<S: Store>(
    store: &mut S,
    market: &Market,
    taker: &Taker,
    maker: u64,
    order: &Order,
) -> Result<Fill, Stop> {
    let qty_e9 = taker.left_e9.min(order.open_e9);
    let price_e9 = margin::price_of(market, order.tick)?;
    let maker_before = positions::load(store, resting::subaccount_of(maker), taker.market)?;
    let taker_before = positions::load(store, taker.subaccount, taker.market)?;
    let (maker_after, maker_profit_e9) =
        positions::fill(&maker_before, order.buy, qty_e9, price_e9)?;
    let (taker_after, taker_profit_e9) =
        positions::fill(&taker_before, taker.buy, qty_e9, price_e9)?;
    Ok(Fill {
        qty_e9,
        price_e9,
        maker_fee_e9: margin::fee(qty_e9, price_e9, market.maker_fee_ppm.into())?,
        taker_fee_e9: margin::fee(qty_e9, price_e9, market.taker_fee_ppm.into())?,
        maker_profit_e9,
        taker_profit_e9,
        maker_before,
        maker_after,
        taker_before,
        taker_after,
    })
}

/// Why the maker is cancelled instead of filled (5.5, 3.6), if it is.
fn maker_refusal<S: Store>(
    store: &mut S,
    market: &Market,
    fill: &Fill,
    maker: u64,
) -> Result<Option<Reject>, Stop> {
    let sides = (&fill.maker_before, &fill.maker_after);
    if !takes_anything(market) && !margin::shrinks(sides.0, sides.1) {
        return Ok(Some(Reject::MarketReduceOnly));
    }
    let before = margin::health(store, resting::subaccount_of(maker))?;
    let cash_e9 = fill.maker_profit_e9 - fill.maker_fee_e9;
    let after = margin::health_after(&before, market, sides, cash_e9)?;
    let carries =
        after.equity_e9 >= after.maintenance_e9 || margin::only_reduces(sides, &before, &after);
    Ok(if carries { None } else { Some(Reject::MakerMargin) })
}

/// The second clause of 5.4 for the taker, after this fill.
fn taker_carries<S: Store>(
    store: &mut S,
    market: &Market,
    fill: &Fill,
    subaccount: u64,
) -> Result<bool, Stop> {
    let before: Health = margin::health(store, subaccount)?;
    let sides = (&fill.taker_before, &fill.taker_after);
    let cash_e9 = fill.taker_profit_e9 - fill.taker_fee_e9;
    let after = margin::health_after(&before, market, sides, cash_e9)?;
    Ok(margin::only_reduces(sides, &before, &after))
}

/// Writes a fill: both accounts, the maker's order, the market, the fee sink, the taker.
fn settle<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    market: &Market,
    mut taker: Taker,
    maker: u64,
    fill: &Fill,
) -> Result<Taker, Stop> {
    let maker_subaccount = resting::subaccount_of(maker);
    let mut maker_position = fill.maker_after;
    resting::reduce(env.store, maker, fill.qty_e9, &mut maker_position)?;
    positions::save(env.store, maker_subaccount, maker_position)?;
    positions::save(env.store, taker.subaccount, fill.taker_after)?;
    credit(env.store, maker_subaccount, fill.maker_profit_e9 - fill.maker_fee_e9)?;
    credit(env.store, taker.subaccount, fill.taker_profit_e9 - fill.taker_fee_e9)?;
    let chain = env.store.write::<Chain>(0)?;
    let fees = fill.maker_fee_e9 + fill.taker_fee_e9;
    chain.fees_e9 = chain.fees_e9.checked_add(fees).ok_or(Reject::Overflow)?;

    let longs = |position: &Position| i128::from(position.size_e9.max(0));
    let interest = i128::from(market.open_interest_e9) + longs(&fill.maker_after)
        - longs(&fill.maker_before)
        + longs(&fill.taker_after)
        - longs(&fill.taker_before);
    let time_ms = env.header.time_ms;
    let record = env.store.write::<Market>(taker.market.into())?;
    record.open_interest_e9 = u64::try_from(interest).map_err(|_| Reject::Overflow)?;
    (record.last_e9, record.last_time_ms) = (fill.price_e9, time_ms);
    record.trades = record.trades.wrapping_add(1);

    taker.left_e9 -= fill.qty_e9;
    taker.filled_e9 += fill.qty_e9;
    taker.fills += 1;
    let value = margin::notional(fill.qty_e9, fill.price_e9)?;
    taker.notional_e9 = taker.notional_e9.checked_add(value).ok_or(Reject::Overflow)?;
    *env.store.write::<Taker>(0)? = taker;
    Ok(taker)
}

fn credit<S: Store>(store: &mut S, subaccount: u64, amount_e9: i128) -> Result<(), Stop> {
    let record = store.write::<Subaccount>(subaccount)?;
    record.balance_e9 = record.balance_e9.checked_add(amount_e9).ok_or(Reject::Overflow)?;
    Ok(())
}

fn emit_trade<S, P, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    taker: &Taker,
    order: &Order,
    maker: u64,
    fill: &Fill,
) {
    env.emit(Event::Trade {
        market: taker.market,
        taker_buy: taker.buy,
        price_e9: fill.price_e9,
        qty_e9: fill.qty_e9,
        maker: resting::subaccount_of(maker),
        maker_order_id: order.order_id,
        taker: taker.subaccount,
        taker_order_id: taker.order_id,
        maker_fee_e9: fill.maker_fee_e9,
        taker_fee_e9: fill.taker_fee_e9,
    });
}

/// Ends a taker: what is left rests, or is cancelled for `reason` (IOC always cancels).
pub(crate) fn finish<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    taker: &Taker,
    reason: Option<Reject>,
) -> Result<(), Stop> {
    let is_ioc = taker.tif == TimeInForce::Ioc as u8;
    let reason = reason.or(if is_ioc { Some(Reject::IocRemainder) } else { None });
    let rests = taker.left_e9 > 0 && reason.is_none();
    if rests {
        let order = Order {
            order_id: taker.order_id,
            client_id: taker.client_id,
            open_e9: taker.left_e9,
            placed_e9: taker.left_e9 + taker.filled_e9,
            tick: taker.tick,
            market: taker.market,
            buy: taker.buy,
            flags: taker.flags & POST_ONLY,
            ..Order::default()
        };
        resting::rest(env.store, resting::reference(taker.subaccount, taker.slot.into()), order)?;
    }
    if env.store.read::<Taker>(0)?.active {
        *env.store.write::<Taker>(0)? = Taker::default();
    }
    emit_end(env, taker, rests, reason)
}

fn emit_end<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    taker: &Taker,
    rests: bool,
    reason: Option<Reject>,
) -> Result<(), Stop> {
    let market = env.store.read::<Market>(taker.market.into())?;
    let event = OrderEvent {
        subaccount: taker.subaccount,
        market: taker.market,
        buy: taker.buy,
        order_id: taker.order_id,
        client_id: taker.client_id,
        price_e9: margin::price_of(market, taker.tick)?,
        qty_e9: taker.left_e9 + taker.filled_e9,
        filled_e9: taker.filled_e9,
        open_e9: if rests { taker.left_e9 } else { 0 },
    };
    env.emit(if taker.flags & REPLACED == 0 {
        Event::OrderPlaced(event)
    } else {
        Event::OrderReplaced(event)
    });
    if let (false, true, Some(reason)) = (rests, taker.left_e9 > 0, reason) {
        env.emit(Event::OrderCancelled {
            subaccount: taker.subaccount,
            market: taker.market,
            order_id: taker.order_id,
            client_id: taker.client_id,
            qty_e9: taker.left_e9,
            reason: reason as u16,
        });
    }
    Ok(())
}
