//! What an account is worth and what it must hold (trading.md 5.1-5.5).
//!
//! In: balances, positions, open orders, marks. Out: equity and requirements in USD e9.
//! Holds: equity is rounded down, every requirement up: first the notional, then the margin on it.
//! Not here: who must pass which test (`ops`).

use crate::book;
use crate::error::{Fault, Reject, Stop};
use crate::math::{
    Checked, add, notional_ceil, price_share_ceil, price_share_floor, product_at_least, share_ceil,
    sub, value_floor,
};
use crate::positions;
use crate::records::{Market, MarketState, ORDERS, Order, Position, Subaccount};
use crate::store::Store;

/// Equity and maintenance margin: whether an account can carry what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// E of 5.1.
    pub(crate) equity_e9: i128,
    /// MM of 5.2.
    pub(crate) maintenance_e9: i128,
}

/// Equity and initial margin: whether an account may take on more, or pay out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_field_names)] // The unit is the last word of every name.
pub(crate) struct Room {
    /// `E_IM`, less what the open orders would lose at mark if filled (5.3).
    pub(crate) equity_e9: i128,
    /// IM of 5.2 on the larger side of 5.3.
    pub(crate) initial_e9: i128,
    /// Σ notional of the positions alone.
    pub(crate) notional_e9: i128,
}

/// An order that is tested as if it were open already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extra {
    pub(crate) market: u32,
    pub(crate) buy: bool,
    pub(crate) qty_e9: u64,
    pub(crate) price_e9: u64,
    /// What it would pay as a taker at its limit.
    pub(crate) fee_e9: i128,
}

/// True if the market's mark may be relied on (4.3).
pub(crate) fn is_fresh(market: &Market) -> bool {
    market.fresh && market.state != MarketState::Halted
}

/// A position's part of the equity: its value at mark, stressed if stale, less its entry value.
pub(crate) fn position_equity(position: &Position, market: &Market) -> Checked<i128> {
    let price_e9 = match (is_fresh(market), position.size_e9 >= 0) {
        (true, _) => market.mark_e9,
        (false, true) => {
            market.mark_e9.saturating_sub(price_share_ceil(market.mark_e9, market.stress_ppm))
        }
        (false, false) => {
            market.mark_e9.saturating_add(price_share_ceil(market.mark_e9, market.stress_ppm))
        }
    };
    sub(value_floor(i128::from(position.size_e9), price_e9)?, position.entry_value_e9)
}

/// A position's maintenance margin.
pub(crate) fn maintenance(position: &Position, market: &Market) -> Checked<i128> {
    let notional = notional_ceil(position.size_e9.unsigned_abs().into(), market.mark_e9)?;
    share_ceil(notional, market.mmf_ppm.into())
}

/// Equity and maintenance margin of a subaccount.
pub(crate) fn health<S: Store>(store: &mut S, subaccount: u64) -> Result<Health, Stop> {
    let record = *store.read::<Subaccount>(subaccount)?;
    let mut health = Health { equity_e9: record.balance_e9, maintenance_e9: 0 };
    for slot in used_slots(&record) {
        let position = *store.read::<Position>(positions::index(subaccount, slot))?;
        if position.size_e9 == 0 {
            continue;
        }
        let market = store.read::<Market>(position.market.into())?;
        health.equity_e9 = add(health.equity_e9, position_equity(&position, market)?)?;
        health.maintenance_e9 = add(health.maintenance_e9, maintenance(&position, market)?)?;
    }
    Ok(health)
}

/// Health once one position has become another and cash has moved.
pub(crate) fn health_after(
    before: &Health,
    market: &Market,
    (old, new): (&Position, &Position),
    cash_e9: i128,
) -> Checked<Health> {
    let gained = sub(position_equity(new, market)?, position_equity(old, market)?)?;
    let required = sub(maintenance(new, market)?, maintenance(old, market)?)?;
    Ok(Health {
        equity_e9: add(before.equity_e9, add(gained, cash_e9)?)?,
        maintenance_e9: add(before.maintenance_e9, required)?,
    })
}

/// The second clause of 5.4: the position shrinks without changing sign and the account is not
/// worse for it.
pub(crate) fn only_reduces(
    (old, new): (&Position, &Position),
    before: &Health,
    after: &Health,
) -> bool {
    shrinks(old, new) && not_worse(before, after)
}

/// A position shrinks without changing sign.
pub(crate) fn shrinks(old: &Position, new: &Position) -> bool {
    new.size_e9.unsigned_abs() < old.size_e9.unsigned_abs()
        && (new.size_e9 == 0 || (new.size_e9 > 0) == (old.size_e9 > 0))
}

/// E₁ >= 0 and E₁·MM₀ >= E₀·MM₁; never from a negative equity.
fn not_worse(before: &Health, after: &Health) -> bool {
    let parts = [after.equity_e9, before.maintenance_e9, before.equity_e9, after.maintenance_e9];
    match parts.map(u128::try_from) {
        [Ok(e1), Ok(mm0), Ok(e0), Ok(mm1)] => product_at_least(e1, mm0, e0, mm1),
        _ => false,
    }
}

/// True if some open order may be priced worse than mark, so that `room` must look at each.
///
/// A bid of ours is no higher than the market's best bid: if that is at mark or below, none of our
/// bids is above mark and their distance is zero; likewise for asks.
pub(crate) fn needs_scan<S: Store>(store: &mut S, subaccount: u64) -> Result<bool, Fault> {
    let record = *store.read::<Subaccount>(subaccount)?;
    for slot in used_slots(&record) {
        let position = *store.read::<Position>(positions::index(subaccount, slot))?;
        for (buy, open_e9) in [(true, position.buys_e9), (false, position.sells_e9)] {
            if open_e9 == 0 {
                continue;
            }
            let Some(tick) = book::best(store, position.market, buy)? else { continue };
            let market = store.read::<Market>(position.market.into())?;
            let price_e9 = u128::from(tick) * u128::from(market.tick_e9);
            let mark_e9 = u128::from(market.mark_e9);
            if if buy { price_e9 > mark_e9 } else { price_e9 < mark_e9 } {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Equity and initial margin of a subaccount, an order added if given; `scan` as `needs_scan`
/// found.
pub(crate) fn room<S: Store>(
    store: &mut S,
    subaccount: u64,
    extra: Option<Extra>,
    scan: bool,
) -> Result<Room, Stop> {
    let record = *store.read::<Subaccount>(subaccount)?;
    let mut room = Room { equity_e9: record.balance_e9, initial_e9: 0, notional_e9: 0 };
    let mut pending = extra;
    for slot in used_slots(&record) {
        let position = *store.read::<Position>(positions::index(subaccount, slot))?;
        let here = pending.take_if(|extra| extra.market == position.market);
        add_position(store, &mut room, &position, here)?;
    }
    if let Some(extra) = pending {
        let position = Position { market: extra.market, ..Position::default() };
        add_position(store, &mut room, &position, Some(extra))?;
    }
    if scan {
        let distance = open_order_distance(store, subaccount, &record)?;
        room.equity_e9 = sub(room.equity_e9, distance)?;
    }
    Ok(room)
}

fn add_position<S: Store>(
    store: &mut S,
    room: &mut Room,
    position: &Position,
    extra: Option<Extra>,
) -> Result<(), Stop> {
    let market = store.read::<Market>(position.market.into())?;
    let (mut buys, mut sells) = (i128::from(position.buys_e9), i128::from(position.sells_e9));
    if let Some(extra) = extra {
        *(if extra.buy { &mut buys } else { &mut sells }) += i128::from(extra.qty_e9);
        let distance = adverse(extra.buy, extra.qty_e9, extra.price_e9, market.mark_e9)?;
        room.equity_e9 = sub(room.equity_e9, add(distance, extra.fee_e9)?)?;
    }
    let size = i128::from(position.size_e9);
    let reserved = (size + buys).unsigned_abs().max((size - sells).unsigned_abs());
    let initial = share_ceil(notional_ceil(reserved, market.mark_e9)?, market.imf_ppm.into())?;
    room.initial_e9 = add(room.initial_e9, initial)?;
    room.equity_e9 = add(room.equity_e9, position_equity(position, market)?)?;
    let notional = notional_ceil(size.unsigned_abs(), market.mark_e9)?;
    room.notional_e9 = add(room.notional_e9, notional)?;
    Ok(())
}

/// Σ over the open orders of quantity times how much worse than mark they are priced.
fn open_order_distance<S: Store>(
    store: &mut S,
    subaccount: u64,
    record: &Subaccount,
) -> Result<i128, Stop> {
    let mut total = 0;
    for slot in open_slots(record) {
        let order = *store.read::<Order>(subaccount * ORDERS as u64 + slot)?;
        let market = store.read::<Market>(order.market.into())?;
        let price_e9 = price_of(market, order.tick)?;
        total = add(total, adverse(order.buy, order.open_e9, price_e9, market.mark_e9)?)?;
    }
    Ok(total)
}

/// What filling at `price_e9` loses against mark, rounded up.
fn adverse(buy: bool, qty_e9: u64, price_e9: u64, mark_e9: u64) -> Checked<i128> {
    let (paid, fair) = if buy { (price_e9, mark_e9) } else { (mark_e9, price_e9) };
    notional_ceil(qty_e9.into(), paid.saturating_sub(fair))
}

/// What may leave (7.4): E - max(IM, 10 % of notional), at least 0.
pub(crate) fn outflow(room: &Room) -> Checked<i128> {
    let tenth = share_ceil(room.notional_e9, 100_000)?;
    Ok(sub(room.equity_e9, room.initial_e9.max(tenth))?.max(0))
}

/// Price of a tick.
pub(crate) fn price_of(market: &Market, tick: u32) -> Checked<u64> {
    u64::from(tick).checked_mul(market.tick_e9).ok_or(Reject::Overflow)
}

/// The band around mark that limits must keep (3.5).
pub(crate) fn in_band(market: &Market, price_e9: u64) -> bool {
    let width = price_share_floor(market.mark_e9, market.band_ppm);
    price_e9.abs_diff(market.mark_e9) <= width
}

/// Value of a fill or order; exact, because tick · lot is a multiple of 1e9.
pub(crate) fn notional(qty_e9: u64, price_e9: u64) -> Checked<i128> {
    value_floor(qty_e9.into(), price_e9)
}

/// Fee on a fill, rounded up; negative parts per million are a rebate, which so is rounded down.
pub(crate) fn fee(qty_e9: u64, price_e9: u64, fee_ppm: i64) -> Checked<i128> {
    share_ceil(notional(qty_e9, price_e9)?, fee_ppm)
}

/// Position slots in use, ascending.
pub(crate) fn used_slots(record: &Subaccount) -> impl Iterator<Item = u64> {
    (0..).zip(record.slots).filter(|(_, entry)| *entry != 0).map(|(slot, _)| slot)
}

/// Order slots in use, ascending.
pub(crate) fn open_slots(record: &Subaccount) -> impl Iterator<Item = u64> {
    (0..ORDERS as u64).zip(bits(record.open_slots)).filter(|(_, used)| *used).map(|(slot, _)| slot)
}

fn bits(word: [u8; 32]) -> impl Iterator<Item = bool> {
    word.into_iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1))
}
