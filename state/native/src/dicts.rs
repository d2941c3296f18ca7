//! Views as Python dictionaries: the keys of `state.types`.
//!
//! In: figures of `views`. Out: dictionaries.
//! Holds: one key per field of the typed dictionary. Not here: how the figures come about.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use stf::records::{Chain, Order};

use crate::views::{MarketFigures, SubaccountFigures, Totals};

/// A dictionary from `key => value` pairs.
macro_rules! dict {
    ($py:expr, $($key:literal => $value:expr,)*) => {{
        let dict = PyDict::new($py);
        $(dict.set_item(pyo3::intern!($py, $key), $value)?;)*
        Ok(dict)
    }};
}

type Dict<'py> = PyResult<Bound<'py, PyDict>>;

pub(crate) fn subaccount<'py>(
    py: Python<'py>,
    number: u64,
    figures: &SubaccountFigures,
) -> Dict<'py> {
    let positions = PyList::empty(py);
    for (position, value_e9, mark_e9) in &figures.positions {
        let view: Dict<'py> = dict!(py,
            "market" => position.market,
            "size_e9" => position.size_e9,
            "entry_value_e9" => position.entry_value_e9,
            "value_e9" => value_e9.unwrap_or(0),
            "buys_e9" => position.buys_e9,
            "sells_e9" => position.sells_e9,
            "open_orders" => position.open_orders,
            "mark_e9" => *mark_e9,
        );
        positions.append(view?)?;
    }
    let margin = figures.margin;
    dict!(py,
        "account" => figures.account,
        "subaccount" => number,
        "balance_e9" => figures.record.balance_e9,
        "equity_e9" => margin.map_or(0, |margin| margin.equity_e9),
        "im_e9" => margin.map_or(0, |margin| margin.initial_e9),
        "mm_e9" => margin.map_or(0, |margin| margin.maintenance_e9),
        "free_e9" => margin.map_or(0, |margin| margin.free_e9),
        "placed_count" => figures.record.placed_count,
        "open_orders" => figures.record.open_count,
        "positions" => positions,
    )
}

pub(crate) fn order<'py>(py: Python<'py>, order: &Order, price_e9: u64) -> Dict<'py> {
    dict!(py,
        "order_id" => order.order_id,
        "client_id" => order.client_id,
        "market" => order.market,
        "buy" => order.buy,
        "price_e9" => price_e9,
        "open_e9" => order.open_e9,
        "placed_e9" => order.placed_e9,
        "post_only" => order.flags & 1 == 1,
    )
}

pub(crate) fn market<'py>(py: Python<'py>, number: u32, figures: &MarketFigures) -> Dict<'py> {
    let market = &figures.market;
    let name = String::from_utf8_lossy(&market.name);
    dict!(py,
        "market" => number,
        "name" => name.trim_end_matches('\0'),
        "state" => market.state as u8,
        "feed" => market.feed,
        "tick_e9" => market.tick_e9,
        "lot_e9" => market.lot_e9,
        "min_notional_e9" => market.min_notional_e9,
        "imf_ppm" => market.imf_ppm,
        "mmf_ppm" => market.mmf_ppm,
        "maker_fee_ppm" => market.maker_fee_ppm,
        "taker_fee_ppm" => market.taker_fee_ppm,
        "band_ppm" => market.band_ppm,
        "mark_cap_ppm" => market.mark_cap_ppm,
        "stress_ppm" => market.stress_ppm,
        "index_e9" => market.index_e9,
        "mark_e9" => market.mark_e9,
        "index_time_ms" => market.index_time_ms,
        "fresh" => market.fresh,
        "open_interest_e9" => market.open_interest_e9,
        "last_e9" => market.last_e9,
        "last_time_ms" => market.last_time_ms,
        "trades" => market.trades,
        "open_orders" => market.open_orders,
        "best_bid_e9" => figures.bid.0,
        "best_bid_qty_e9" => figures.bid.1,
        "best_ask_e9" => figures.ask.0,
        "best_ask_qty_e9" => figures.ask.1,
    )
}

pub(crate) fn chain<'py>(py: Python<'py>, chain: &Chain) -> Dict<'py> {
    dict!(py,
        "account_count" => chain.account_count,
        "market_count" => chain.market_count,
        "reporter_count" => chain.reporter_count,
        "tick_ms" => chain.tick_ms,
        "max_age_ms" => chain.max_age_ms,
        "fees_e9" => chain.fees_e9,
        "rounding_e9" => chain.rounding_e9,
        "deposits_e9" => chain.deposits_e9,
        "withdrawals_e9" => chain.withdrawals_e9,
        "rejected_deposits_e9" => chain.rejected_deposits_e9,
        "token" => PyBytes::new(py, &chain.token.0),
        "vault" => PyBytes::new(py, &chain.vault.0),
        "unit_e9" => chain.unit_e9,
    )
}

pub(crate) fn totals<'py>(py: Python<'py>, totals: &Totals) -> Dict<'py> {
    let chain = &totals.chain;
    let held = totals.balances_e9 - totals.entry_values_e9
        + chain.fees_e9
        + chain.rounding_e9
        + chain.rejected_deposits_e9;
    dict!(py,
        "balances_e9" => totals.balances_e9,
        "entry_values_e9" => totals.entry_values_e9,
        "fees_e9" => chain.fees_e9,
        "rounding_e9" => chain.rounding_e9,
        "rejected_deposits_e9" => chain.rejected_deposits_e9,
        "deposits_e9" => chain.deposits_e9,
        "withdrawals_e9" => chain.withdrawals_e9,
        "difference_e9" => held - (chain.deposits_e9 - chain.withdrawals_e9),
    )
}
