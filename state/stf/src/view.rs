//! Figures for who shows the state to people: read-only, in the transition's own arithmetic.
//!
//! In: a store and an index. Out: margin, best prices, account indices.
//! Holds: nothing is edited; a figure that leaves its range is None. The machine uses none of this.
//! Not here: encodings of the answers (`state/native`).

use crate::error::{Fault, Stop};
use crate::records::{Market, Position, Subaccount};
use crate::store::Store;
use crate::types::Address;
use crate::{address, book, margin};

/// Margin of a subaccount (trading.md 5.1-5.3, 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Balance and unrealised profit.
    pub equity_e9: i128,
    /// Initial margin of positions and open orders.
    pub initial_e9: i128,
    /// Maintenance margin of positions.
    pub maintenance_e9: i128,
    /// What may be withdrawn: also at most the balance.
    pub free_e9: i128,
}

/// The account of an address; 0 = none.
///
/// # Errors
/// Those of the store.
pub fn account_of<S: Store>(store: &mut S, address: &Address) -> Result<u32, Fault> {
    address::find(store, address)
}

/// The best price of a side in ticks.
///
/// # Errors
/// Those of the store.
pub fn best<S: Store>(store: &mut S, market: u32, buy: bool) -> Result<Option<u32>, Fault> {
    book::best(store, market, buy)
}

/// Margin of a subaccount; None if a sum leaves its range.
///
/// # Errors
/// Those of the store.
pub fn figures<S: Store>(store: &mut S, subaccount: u64) -> Result<Option<Figures>, Fault> {
    match try_figures(store, subaccount) {
        Ok(figures) => Ok(Some(figures)),
        Err(Stop::Reject(_)) => Ok(None),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

fn try_figures<S: Store>(store: &mut S, subaccount: u64) -> Result<Figures, Stop> {
    let health = margin::health(store, subaccount)?;
    let scan = margin::needs_scan(store, subaccount)?;
    let room = margin::room(store, subaccount, None, scan)?;
    let balance_e9 = store.read::<Subaccount>(subaccount)?.balance_e9;
    Ok(Figures {
        equity_e9: health.equity_e9,
        initial_e9: room.initial_e9,
        maintenance_e9: health.maintenance_e9,
        free_e9: margin::outflow(&room)?.min(balance_e9).max(0),
    })
}

/// Unrealised profit of a position as margin counts it; None if it leaves its range.
pub fn unrealised_e9(position: &Position, market: &Market) -> Option<i128> {
    margin::position_equity(position, market).ok()
}
