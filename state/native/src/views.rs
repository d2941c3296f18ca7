//! Answers about the newest state, as dictionaries.
//!
//! In: the store. Out: what `state.types` names.
//! Holds: amounts are integers; a market, account or subaccount that does not exist is None.
//! Not here: locks (`engine`), the past (`state.store`).

use stf::error::Fault;
use stf::ram::RamStore;
use stf::records::{
    Chain, Level, Market, ORDERS, Order, POSITIONS, Position, SUBACCOUNTS, Subaccount, Ticks,
};
use stf::store::Store;
use stf::types::Address;
use stf::view::{self, Figures};

/// Bitmap nodes of one side (docs/formats.md §1).
const SIDE_SHIFT: u32 = 17;
const TOP: u64 = 1;
const MIDDLE: u64 = 256;
const BOTTOM: u64 = 65_536;

/// Price and open quantity.
pub(crate) type PriceLevel = (u64, u64);

/// A market and the top of its book.
pub(crate) struct MarketFigures {
    pub(crate) market: Market,
    pub(crate) bid: PriceLevel,
    pub(crate) ask: PriceLevel,
}

/// A subaccount, its margin and its positions with their value and mark.
pub(crate) struct SubaccountFigures {
    pub(crate) account: u32,
    pub(crate) record: Subaccount,
    pub(crate) margin: Option<Figures>,
    pub(crate) positions: Vec<(Position, Option<i128>, u64)>,
}

/// Both sides of trading.md 11.1.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) balances_e9: i128,
    pub(crate) entry_values_e9: i128,
    pub(crate) chain: Chain,
}

/// The index of a subaccount that exists.
pub(crate) fn subaccount_index(
    store: &mut RamStore,
    address: &Address,
    number: u64,
) -> Result<Option<(u32, u64)>, Fault> {
    let account = view::account_of(store, address)?;
    if account == 0 || number >= SUBACCOUNTS {
        return Ok(None);
    }
    let index = u64::from(account) * SUBACCOUNTS + number;
    Ok(store.read::<Subaccount>(index)?.exists.then_some((account, index)))
}

/// A subaccount with its figures.
pub(crate) fn subaccount(
    store: &mut RamStore,
    address: &Address,
    number: u64,
) -> Result<Option<SubaccountFigures>, Fault> {
    let Some((account, index)) = subaccount_index(store, address, number)? else {
        return Ok(None);
    };
    let record = *store.read::<Subaccount>(index)?;
    let mut positions = Vec::new();
    for (slot, market) in (0..).zip(record.slots) {
        if market != 0 {
            let position = *store.read::<Position>(index * POSITIONS as u64 + slot)?;
            let market = store.read::<Market>(position.market.into())?;
            let value = view::unrealised_e9(&position, market);
            positions.push((position, value, market.mark_e9));
        }
    }
    let margin = view::figures(store, index)?;
    Ok(Some(SubaccountFigures { account, record, margin, positions }))
}

/// The open orders of a subaccount with their prices, by slot.
pub(crate) fn open_orders(
    store: &mut RamStore,
    address: &Address,
    number: u64,
) -> Result<Vec<(Order, u64)>, Fault> {
    let Some((_, index)) = subaccount_index(store, address, number)? else {
        return Ok(Vec::new());
    };
    let open = store.read::<Subaccount>(index)?.open_slots;
    let mut orders = Vec::new();
    for slot in 0..ORDERS {
        if open[slot / 8] >> (slot % 8) & 1 == 1 {
            let order = *store.read::<Order>(index * ORDERS as u64 + slot as u64)?;
            let tick_e9 = store.read::<Market>(order.market.into())?.tick_e9;
            orders.push((order, u64::from(order.tick) * tick_e9));
        }
    }
    Ok(orders)
}

/// A market with the top of its book.
pub(crate) fn market(store: &mut RamStore, number: u32) -> Result<Option<MarketFigures>, Fault> {
    let Ok(market) = store.read::<Market>(number.into()).copied() else { return Ok(None) };
    if !market.exists {
        return Ok(None);
    }
    let mut top = |buy| -> Result<PriceLevel, Fault> {
        Ok(side(store, number, buy, 1)?.first().copied().unwrap_or_default())
    };
    Ok(Some(MarketFigures { market, bid: top(true)?, ask: top(false)? }))
}

/// The best `depth` levels of a side, best first.
pub(crate) fn side(
    store: &mut RamStore,
    market: u32,
    buy: bool,
    depth: usize,
) -> Result<Vec<PriceLevel>, Fault> {
    let base = (u64::from(market) * 2 + u64::from(!buy)) << SIDE_SHIFT;
    let tick_e9 = store.read::<Market>(market.into())?.tick_e9;
    let mut levels = Vec::new();
    for high in bits(store, base + TOP, buy)? {
        for middle in bits(store, base + MIDDLE + high, buy)? {
            let upper = high << 8 | middle;
            for low in bits(store, base + BOTTOM + upper, buy)? {
                if levels.len() == depth {
                    return Ok(levels);
                }
                let tick = upper << 8 | low;
                let level = store.read::<Level>(u64::from(market) << 24 | tick)?;
                levels.push((tick * tick_e9, level.open_e9));
            }
        }
    }
    Ok(levels)
}

/// The set bits of a node, best first.
fn bits(store: &mut RamStore, node: u64, descending: bool) -> Result<Vec<u64>, Fault> {
    let limbs = store.read::<Ticks>(node)?.limbs;
    let is_set = |bit: &u64| limbs[(bit / 64) as usize] >> (bit % 64) & 1 == 1;
    Ok(if descending {
        (0..256).rev().filter(is_set).collect()
    } else {
        (0..256).filter(is_set).collect()
    })
}

/// The sums of invariant 11.1, over all accounts.
pub(crate) fn totals(store: &mut RamStore) -> Result<Totals, Fault> {
    let chain = *store.read::<Chain>(0)?;
    let mut totals = Totals { chain, ..Totals::default() };
    let first = SUBACCOUNTS;
    for index in first..(u64::from(chain.account_count) + 1) * SUBACCOUNTS {
        let record = *store.read::<Subaccount>(index)?;
        if !record.exists {
            continue;
        }
        totals.balances_e9 += record.balance_e9;
        for (slot, market) in (0..).zip(record.slots) {
            if market != 0 {
                let position = store.read::<Position>(index * POSITIONS as u64 + slot)?;
                totals.entry_values_e9 += position.entry_value_e9;
            }
        }
    }
    Ok(totals)
}

/// The chain's own record.
pub(crate) fn chain(store: &mut RamStore) -> Result<Chain, Fault> {
    Ok(*store.read::<Chain>(0)?)
}
