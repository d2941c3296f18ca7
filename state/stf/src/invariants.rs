//! What must hold after every operation (trading.md §11), recomputed from the records.
//!
//! In: a store. Out: nothing, or the first rule that is broken and where.
//! Holds: nothing is edited. It walks every account and book: for tests and for the node's checks,
//! not for steps.
//! Not here: what mends a violation; nothing does, it is a fault.

use alloc::collections::BTreeMap;

use crate::book;
use crate::error::Fault;
use crate::margin::{self, open_slots, used_slots};
use crate::ops::resting;
use crate::positions;
use crate::records::{
    Account, Chain, ClientIds, Level, Market, Order, Position, Subaccount, Taker,
};
use crate::store::Store;
use crate::types::TimeInForce;

/// A rule that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: &'static str,
    /// Subaccount, market or order reference.
    pub at: u64,
}

/// What a check found.
pub type Finding = Result<(), Violation>;

fn hold(condition: bool, rule: &'static str, at: u64) -> Finding {
    if condition { Ok(()) } else { Err(Violation { rule, at }) }
}

/// Sums over all accounts.
#[derive(Default)]
struct Totals {
    balances_e9: i128,
    entries_e9: i128,
    /// Per market: Σ sizes, Σ longs, orders.
    markets: BTreeMap<u32, (i128, i128, u32)>,
}

/// Checks every rule.
///
/// # Errors
/// `Fault` if a record cannot be read.
pub fn check<S: Store>(store: &mut S) -> Result<Finding, Fault> {
    let chain = *store.read::<Chain>(0)?;
    let mut totals = Totals::default();
    for account in 1..=u64::from(chain.account_count) {
        let bitmap = store.read::<Account>(account)?.subaccounts;
        for number in (0..16).filter(|number| bitmap >> number & 1 == 1) {
            let finding = check_subaccount(store, account * 16 + number, &mut totals)?;
            if finding.is_err() {
                return Ok(finding);
            }
        }
    }
    for market in 0..chain.market_count {
        let finding = check_market(store, market, &totals)?;
        if finding.is_err() {
            return Ok(finding);
        }
    }
    Ok(check_sums(&chain, &totals))
}

/// 11.1: nothing is made and nothing is lost.
fn check_sums(chain: &Chain, totals: &Totals) -> Finding {
    let held = totals.balances_e9 - totals.entries_e9
        + chain.fees_e9
        + chain.rounding_e9
        + chain.rejected_deposits_e9;
    hold(held == chain.deposits_e9 - chain.withdrawals_e9, "11.1 sums", 0)?;
    hold(chain.fees_e9 >= 0, "fees are not negative", 0)
}

/// 11.2, 11.3 and 11.5 for one market.
fn check_market<S: Store>(store: &mut S, market: u32, totals: &Totals) -> Result<Finding, Fault> {
    let record = *store.read::<Market>(market.into())?;
    let at = u64::from(market);
    let (sizes, longs, orders) = totals.markets.get(&market).copied().unwrap_or_default();
    let bid = book::best(store, market, true)?;
    let ask = book::best(store, market, false)?;
    Ok((|| {
        hold(sizes == 0, "11.2 sizes sum to zero", at)?;
        hold(longs == i128::from(record.open_interest_e9), "11.3 open interest", at)?;
        hold(orders == record.open_orders, "11.5 open orders of the market", at)?;
        let crossed = bid.zip(ask).is_some_and(|(bid, ask)| bid >= ask);
        hold(!crossed, "11.5 the book is uncrossed", at)
    })())
}

/// 11.5: every reservation of a subaccount equals its recomputation.
fn check_subaccount<S: Store>(
    store: &mut S,
    subaccount: u64,
    totals: &mut Totals,
) -> Result<Finding, Fault> {
    let record = *store.read::<Subaccount>(subaccount)?;
    totals.balances_e9 += record.balance_e9;
    let mut open = BTreeMap::new();
    for slot in open_slots(&record) {
        let reference = resting::reference(subaccount, slot);
        let finding = check_order(store, reference)?;
        if finding.is_err() {
            return Ok(finding);
        }
        let order = store.read::<Order>(reference)?;
        let sums: &mut (u64, u64, u16) = open.entry(order.market).or_default();
        *(if order.buy { &mut sums.0 } else { &mut sums.1 }) += order.open_e9;
        sums.2 += 1;
    }
    let mut positions = 0;
    for slot in used_slots(&record) {
        let position = *store.read::<Position>(positions::index(subaccount, slot))?;
        let finding = check_position(&position, &mut open, positions::index(subaccount, slot));
        if finding.is_err() || positions::slot_of(&record, position.market) != Some(slot) {
            return Ok(finding.and(hold(false, "position slot names its market", subaccount)));
        }
        totals.entries_e9 += position.entry_value_e9;
        let sums = totals.markets.entry(position.market).or_default();
        sums.0 += i128::from(position.size_e9);
        sums.1 += i128::from(position.size_e9.max(0));
        sums.2 += u32::from(position.open_orders);
        positions += 1;
    }
    let orders = open_slots(&record).count();
    Ok((|| {
        hold(record.exists, "a listed subaccount exists", subaccount)?;
        hold(open.is_empty(), "11.5 every open order has a position slot", subaccount)?;
        hold(positions == record.position_count, "position count", subaccount)?;
        hold(orders == usize::from(record.open_count), "open count", subaccount)
    })())
}

fn check_position(
    position: &Position,
    open: &mut BTreeMap<u32, (u64, u64, u16)>,
    at: u64,
) -> Finding {
    let sums = open.remove(&position.market).unwrap_or_default();
    let kept = (position.buys_e9, position.sells_e9, position.open_orders);
    hold(sums == kept, "11.5 reservations", at)?;
    let is_empty = position.size_e9 == 0 && position.buys_e9 == 0 && position.sells_e9 == 0;
    hold(!is_empty, "an empty position gives its slot back", at)?;
    hold(position.size_e9 != 0 || position.entry_value_e9 == 0, "no size, no entry value", at)
}

/// An open order stands in its queue, under its client id, with a price and an id that fit.
fn check_order<S: Store>(store: &mut S, reference: u64) -> Result<Finding, Fault> {
    let order = *store.read::<Order>(reference)?;
    let part = resting::subaccount_of(reference) * 4 + reference % 256 / 64;
    let ids = store.read::<ClientIds>(part)?.ids;
    let client_id = (0..).zip(ids).find(|(place, _)| *place == reference % 64);
    let market = *store.read::<Market>(order.market.into())?;
    let level = *store.read::<Level>(book::level_index(order.market, order.tick))?;
    let queue = match order.previous.checked_sub(1) {
        None => level.head == reference + 1,
        Some(previous) => store.read::<Order>(previous)?.next == reference + 1,
    };
    let finding = (|| {
        hold(order.open_e9 > 0, "an open order has something open", reference)?;
        hold(order.open_e9 <= order.placed_e9, "no more open than placed", reference)?;
        hold(queue, "11.5 an open order stands in its queue", reference)?;
        hold(client_id.is_some_and(|(_, id)| id == order.client_id), "client id", reference)?;
        hold(order.order_id % 256 == reference % 256, "order id names its slot", reference)?;
        hold(margin::price_of(&market, order.tick).is_ok(), "price in range", reference)
    })();
    if finding.is_err() || order.previous != 0 {
        return Ok(finding);
    }
    check_level(store, &order, &level)
}

/// The sums of a level equal its queue's; walked once, from its head.
fn check_level<S: Store>(store: &mut S, head: &Order, level: &Level) -> Result<Finding, Fault> {
    let at = book::level_index(head.market, head.tick);
    let (mut open_e9, mut count, mut link, mut last) = (0_u128, 0_u32, level.head, 0);
    while let Some(reference) = link.checked_sub(1) {
        let order = store.read::<Order>(reference)?;
        let here = (order.market, order.tick, order.buy) == (head.market, head.tick, head.buy);
        if !here || order.previous != last || count == level.count {
            return Ok(hold(false, "11.5 queue", at));
        }
        open_e9 += u128::from(order.open_e9);
        count += 1;
        (last, link) = (link, order.next);
    }
    let same = open_e9 == u128::from(level.open_e9) && count == level.count && last == level.tail;
    Ok(hold(same, "11.5 level sums", at))
}

/// The taker record is empty between operations, and lawful while one is matched.
///
/// # Errors
/// `Fault` if it cannot be read.
pub fn check_taker<S: Store>(store: &mut S, is_matching: bool) -> Result<Finding, Fault> {
    let taker = *store.read::<Taker>(0)?;
    Ok((|| {
        hold(taker.active == is_matching, "a taker is there iff one is matched", 0)?;
        let lawful = taker.left_e9 > 0 && taker.tif <= TimeInForce::Ioc as u8;
        hold(!taker.active || lawful, "a taker has something left", 0)?;
        hold(taker.active || taker == Taker::default(), "no trace of an ended taker", 0)
    })())
}
