//! A perpetual market: parameters set by governance, prices set by ticks, sums kept by fills.

use crate::store::Record;
use crate::types::Word;
use crate::words::{get_i32, get_u32, get_u64, put_i32, put_u32, put_u64};

/// What governance lets a market do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum MarketState {
    /// Everything.
    #[default]
    Open = 0,
    /// Reductions and cancels.
    ReduceOnly = 1,
    /// Cancels.
    Halted = 2,
}

/// A market; index from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Market {
    /// It is listed.
    pub exists: bool,
    /// What it allows.
    pub state: MarketState,
    /// Its oracle feed.
    pub feed: u32,
    /// ASCII, zero padded.
    pub name: [u8; 16],
    /// Orders open in it.
    pub open_orders: u32,
    /// Price step.
    pub tick_e9: u64,
    /// Quantity step.
    pub lot_e9: u64,
    /// Least order value, USD.
    pub min_notional_e9: u64,
    /// Initial margin fraction.
    pub imf_ppm: u32,
    /// Maintenance margin fraction.
    pub mmf_ppm: u32,
    /// Maker fee; negative = rebate.
    pub maker_fee_ppm: i32,
    /// Taker fee.
    pub taker_fee_ppm: u32,
    /// Orders must be this near to mark.
    pub band_ppm: u32,
    /// Mark stays this near to index.
    pub mark_cap_ppm: u32,
    /// Adverse move of a stale price.
    pub stress_ppm: u32,
    /// Newest index; 0 = never.
    pub index_e9: u64,
    /// Mark of the newest tick.
    pub mark_e9: u64,
    /// Tick time of `index_e9`.
    pub index_time_ms: u64,
    /// Index had its quorum at the newest tick.
    pub fresh: bool,
    /// Σ long sizes.
    pub open_interest_e9: u64,
    /// Last trade's price.
    pub last_e9: u64,
    /// Last trade's time.
    pub last_time_ms: u64,
    /// Trades so far.
    pub trades: u64,
}

impl Record for Market {
    const KIND: u16 = 5;
    const DEPTH: u32 = 12;
    const WORDS: usize = 8;

    fn encode(&self, out: &mut [Word]) {
        out[0][0] = u8::from(self.exists);
        out[0][1] = self.state as u8;
        put_u32(&mut out[0], 4, self.feed);
        out[0][8..24].copy_from_slice(&self.name);
        put_u32(&mut out[0], 24, self.open_orders);
        put_u64(&mut out[1], 0, self.tick_e9);
        put_u64(&mut out[1], 8, self.lot_e9);
        put_u64(&mut out[1], 16, self.min_notional_e9);
        put_u32(&mut out[1], 24, self.imf_ppm);
        put_u32(&mut out[1], 28, self.mmf_ppm);
        put_i32(&mut out[2], 0, self.maker_fee_ppm);
        put_u32(&mut out[2], 4, self.taker_fee_ppm);
        put_u32(&mut out[2], 8, self.band_ppm);
        put_u32(&mut out[2], 12, self.mark_cap_ppm);
        put_u32(&mut out[2], 16, self.stress_ppm);
        put_u64(&mut out[3], 0, self.index_e9);
        put_u64(&mut out[3], 8, self.mark_e9);
        put_u64(&mut out[3], 16, self.index_time_ms);
        out[3][24] = u8::from(self.fresh);
        put_u64(&mut out[4], 0, self.open_interest_e9);
        put_u64(&mut out[4], 8, self.last_e9);
        put_u64(&mut out[4], 16, self.last_time_ms);
        put_u64(&mut out[4], 24, self.trades);
    }

    fn decode(words: &[Word]) -> Self {
        let mut name = [0; 16];
        name.copy_from_slice(&words[0][8..24]);
        Self {
            exists: words[0][0] != 0,
            state: match words[0][1] {
                0 => MarketState::Open,
                1 => MarketState::ReduceOnly,
                _ => MarketState::Halted,
            },
            feed: get_u32(&words[0], 4),
            name,
            open_orders: get_u32(&words[0], 24),
            tick_e9: get_u64(&words[1], 0),
            lot_e9: get_u64(&words[1], 8),
            min_notional_e9: get_u64(&words[1], 16),
            imf_ppm: get_u32(&words[1], 24),
            mmf_ppm: get_u32(&words[1], 28),
            maker_fee_ppm: get_i32(&words[2], 0),
            taker_fee_ppm: get_u32(&words[2], 4),
            band_ppm: get_u32(&words[2], 8),
            mark_cap_ppm: get_u32(&words[2], 12),
            stress_ppm: get_u32(&words[2], 16),
            index_e9: get_u64(&words[3], 0),
            mark_e9: get_u64(&words[3], 8),
            index_time_ms: get_u64(&words[3], 16),
            fresh: words[3][24] != 0,
            open_interest_e9: get_u64(&words[4], 0),
            last_e9: get_u64(&words[4], 8),
            last_time_ms: get_u64(&words[4], 16),
            trades: get_u64(&words[4], 24),
        }
    }
}
