//! Governance inputs: chain, asset, reporters, markets (docs/formats.md §8).
//!
//! In: the data of a direct input of kind 7; that the Timelock sent it the Inbox has checked. Out:
//! parameters.
//! Holds: nothing is accepted that would break what rests on it: steps of a market in use, the one
//! asset.
//! Not here: notice periods (the Timelock).

use crate::book::TICKS;
use crate::direct::Data;
use crate::error::{Reject, Stop};
use crate::events::Event;
use crate::ops::Env;
use crate::oracle::{FEEDS, REPORTERS, reporter_of};
use crate::platform::{Platform, Sink};
use crate::records::{Chain, Market, MarketState, Reporter};
use crate::store::{Record, Store};
use crate::types::{Address, E9, PPM};

/// Fees are at most a tenth.
const FEE_MAX_PPM: u32 = 100_000;

/// Runs one governance input.
pub(crate) fn run<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    mut data: Data<'_>,
) -> Result<(), Stop> {
    let op = data.u8()?;
    match op {
        1 => set_chain(env, &mut data)?,
        2 => set_asset(env.store, &mut data)?,
        3 => set_reporter(env.store, &mut data)?,
        4 => set_market(env.store, &mut data)?,
        _ => return Err(Reject::GovernanceInvalid.into()),
    }
    env.emit(Event::Governed { op });
    Ok(())
}

fn set_chain<S: Store, P, K>(env: &mut Env<'_, S, P, K>, data: &mut Data<'_>) -> Result<(), Stop> {
    let (tick_ms, max_age_ms) = (data.u64()?, data.u64()?);
    data.end()?;
    // The tick's number is counted anew, so that the next tick is at the next multiple of the new
    // length.
    let tick = env.header.time_ms.checked_div(tick_ms).ok_or(Reject::GovernanceInvalid)?;
    let chain = env.store.write::<Chain>(0)?;
    (chain.tick_ms, chain.max_age_ms) = (tick_ms, max_age_ms);
    env.header.last_tick = tick;
    Ok(())
}

fn set_asset<S: Store>(store: &mut S, data: &mut Data<'_>) -> Result<(), Stop> {
    let (token, vault, unit_e9) = (data.address()?, data.address()?, data.u64()?);
    data.end()?;
    let chain = store.write::<Chain>(0)?;
    let other = chain.unit_e9 != 0 && (chain.token != token || chain.unit_e9 != unit_e9);
    if unit_e9 == 0 || other {
        return Err(Reject::GovernanceInvalid.into());
    }
    (chain.token, chain.vault, chain.unit_e9) = (token, vault, unit_e9);
    Ok(())
}

fn set_reporter<S: Store>(store: &mut S, data: &mut Data<'_>) -> Result<(), Stop> {
    let (index, address) = (data.u8()?, data.address()?);
    data.end()?;
    let removal = address == Address::default();
    if index >= REPORTERS || (!removal && reporter_of(store, &address)?.is_some()) {
        return Err(Reject::GovernanceInvalid.into());
    }
    store.write::<Reporter>(index.into())?.address = address;
    let chain = store.write::<Chain>(0)?;
    chain.reporter_count = chain.reporter_count.max(u32::from(index) + 1);
    Ok(())
}

fn set_market<S: Store>(store: &mut S, data: &mut Data<'_>) -> Result<(), Stop> {
    let market = data.u32()?;
    let terms = decode_market(data)?;
    data.end()?;
    let count = store.read::<Chain>(0)?.market_count;
    if market > count || market >> Market::DEPTH != 0 || !are_sound(&terms) {
        return Err(Reject::GovernanceInvalid.into());
    }
    let record = store.write::<Market>(market.into())?;
    let in_use = record.open_orders != 0 || record.open_interest_e9 != 0;
    if in_use && (record.tick_e9, record.lot_e9) != (terms.tick_e9, terms.lot_e9) {
        return Err(Reject::GovernanceInvalid.into());
    }
    *record = Market {
        open_orders: record.open_orders,
        index_e9: record.index_e9,
        mark_e9: record.mark_e9,
        index_time_ms: record.index_time_ms,
        fresh: record.fresh && record.feed == terms.feed,
        open_interest_e9: record.open_interest_e9,
        last_e9: record.last_e9,
        last_time_ms: record.last_time_ms,
        trades: record.trades,
        ..terms
    };
    let chain = store.write::<Chain>(0)?;
    chain.market_count = count.max(market + 1);
    Ok(())
}

fn decode_market(data: &mut Data<'_>) -> Result<Market, Reject> {
    let state = match data.u8()? {
        0 => MarketState::Open,
        1 => MarketState::ReduceOnly,
        2 => MarketState::Halted,
        _ => return Err(Reject::GovernanceInvalid),
    };
    // Fields are read in the order in which they stand here.
    Ok(Market {
        exists: true,
        state,
        name: data.array()?,
        feed: data.u32()?,
        tick_e9: data.u64()?,
        lot_e9: data.u64()?,
        min_notional_e9: data.u64()?,
        imf_ppm: data.u32()?,
        mmf_ppm: data.u32()?,
        maker_fee_ppm: data.i32()?,
        taker_fee_ppm: data.u32()?,
        band_ppm: data.u32()?,
        mark_cap_ppm: data.u32()?,
        stress_ppm: data.u32()?,
        ..Market::default()
    })
}

/// What docs/formats.md §8 asks of a market.
fn are_sound(terms: &Market) -> bool {
    let step = u128::from(terms.tick_e9) * u128::from(terms.lot_e9);
    let fees = i64::from(terms.maker_fee_ppm) + i64::from(terms.taker_fee_ppm);
    step != 0
        && step.is_multiple_of(u128::from(E9))
        && terms.tick_e9 <= u64::MAX / TICKS
        && 0 < terms.mmf_ppm
        && terms.mmf_ppm < terms.imf_ppm
        && u64::from(terms.imf_ppm) <= PPM
        && terms.mark_cap_ppm <= terms.mmf_ppm / 4
        && u64::from(terms.stress_ppm) <= PPM
        && fees >= 0
        && terms.maker_fee_ppm.unsigned_abs() <= FEE_MAX_PPM
        && terms.taker_fee_ppm <= FEE_MAX_PPM
        && terms.feed < FEEDS
        && terms.name.is_ascii()
}
