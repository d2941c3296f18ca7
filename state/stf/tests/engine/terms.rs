//! Markets and operations as tests write them: whole USD, thousandths of BTC.

use crate::world::TOKEN;
use stf::types::{Address, E9, Operation, Place, TimeInForce};

/// What `set_market` sends.
#[derive(Clone, Copy)]
pub struct MarketTerms {
    pub market: u32,
    pub state: u8,
    pub feed: u32,
    pub tick_e9: u64,
    pub lot_e9: u64,
    pub min_notional_e9: u64,
    pub imf_ppm: u32,
    pub mmf_ppm: u32,
    pub maker_fee_ppm: i32,
    pub taker_fee_ppm: u32,
    pub band_ppm: u32,
    pub mark_cap_ppm: u32,
    pub stress_ppm: u32,
}

impl MarketTerms {
    pub fn encode(&self) -> Vec<u8> {
        [
            &[4][..],
            &self.market.to_be_bytes(),
            &[self.state],
            b"TEST-PERPETUAL\0\0",
            &self.feed.to_be_bytes(),
            &self.tick_e9.to_be_bytes(),
            &self.lot_e9.to_be_bytes(),
            &self.min_notional_e9.to_be_bytes(),
            &self.imf_ppm.to_be_bytes(),
            &self.mmf_ppm.to_be_bytes(),
            &self.maker_fee_ppm.to_be_bytes(),
            &self.taker_fee_ppm.to_be_bytes(),
            &self.band_ppm.to_be_bytes(),
            &self.mark_cap_ppm.to_be_bytes(),
            &self.stress_ppm.to_be_bytes(),
        ]
        .concat()
    }
}

/// IM 10 %, MM 5 %, band 10 %, mark within 1 % of the index, stress 10 %.
pub fn market_terms(market: u32) -> MarketTerms {
    let (tick_e9, lot_e9) = if market == 0 { (E9 / 10, E9 / 1_000) } else { (E9 / 100, E9 / 100) };
    MarketTerms {
        market,
        state: 0,
        feed: market,
        tick_e9,
        lot_e9,
        min_notional_e9: 10 * E9,
        imf_ppm: 100_000,
        mmf_ppm: 50_000,
        maker_fee_ppm: 0,
        taker_fee_ppm: 0,
        band_ppm: 100_000,
        mark_cap_ppm: 10_000,
        stress_ppm: 100_000,
    }
}

/// A GTC order in market 0: whole USD, thousandths of BTC.
pub fn limit(buy: bool, price: u64, milli: u64, client_id: u64) -> Place {
    Place {
        market: 0,
        buy,
        price_e9: price * E9,
        qty_e9: milli * E9 / 1_000,
        tif: TimeInForce::Gtc,
        post_only: false,
        client_id,
    }
}

pub fn place(buy: bool, price: u64, milli: u64, client_id: u64) -> Operation {
    Operation::Place(limit(buy, price, milli, client_id))
}

pub fn post(buy: bool, price: u64, milli: u64, client_id: u64) -> Operation {
    Operation::Place(Place { post_only: true, ..limit(buy, price, milli, client_id) })
}

pub fn ioc(buy: bool, price: u64, milli: u64) -> Operation {
    Operation::Place(Place { tif: TimeInForce::Ioc, ..limit(buy, price, milli, 0) })
}

pub fn replace(client_id: u64, price: u64, milli: u64) -> Operation {
    let (price_e9, qty_e9) = (price * E9, milli * E9 / 1_000);
    Operation::Replace { market: 0, client_id, price_e9, qty_e9 }
}

pub fn cancel(client_id: u64) -> Operation {
    Operation::Cancel { market: 0, client_id }
}

pub fn withdraw(amount: u128) -> Operation {
    Operation::Withdraw { token: TOKEN, amount, recipient: Address([5; 20]) }
}

/// Thousandths of BTC as `_e9`.
pub fn milli(quantity: u64) -> u64 {
    quantity * E9 / 1_000
}
