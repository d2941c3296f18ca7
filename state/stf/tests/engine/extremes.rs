//! Numbers of every width in every field: whatever users and governance send is applied or refused
//! by name.
//!
//! Sums are checked for overflow in this build, so a sum that wraps stops the test; so does a
//! fault.

use std::collections::BTreeMap;

use crate::random::{Random, seeds};
use crate::world::*;
use stf::error::Reject;
use stf::types::{Input, Operation, Place, TimeInForce};

const USERS: u64 = 4;
const MARKETS: u64 = 3;

/// Any width is as likely as any other.
fn wide(random: &mut Random) -> u64 {
    let bits = random.below(65);
    let number = random.below(1 << 32) << 32 | random.below(1 << 32);
    if bits == 0 { 0 } else { number >> (64 - bits) }
}

fn power_of_ten(random: &mut Random, most: u64) -> u64 {
    10_u64.pow(random.below(most + 1) as u32)
}

struct Scene {
    random: Random,
    /// Tick and lot of each market.
    steps: [(u64, u64); MARKETS as usize],
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let steps = std::array::from_fn(|_| {
            loop {
                let (tick, lot) = (power_of_ten(&mut random, 12), power_of_ten(&mut random, 19));
                if (u128::from(tick) * u128::from(lot)).is_multiple_of(1_000_000_000) {
                    break (tick, lot);
                }
            }
        });
        Self { random, steps }
    }

    fn terms(&mut self, market: u32) -> MarketTerms {
        let random = &mut self.random;
        let (tick_e9, lot_e9) = self.steps[market as usize];
        let mmf_ppm = 4 + random.below(999_000) as u32;
        let fee = random.below(100_001) as u32;
        MarketTerms {
            market,
            state: [0, 0, 0, 0, 1, 2][random.below(6) as usize],
            feed: market,
            tick_e9,
            lot_e9,
            min_notional_e9: wide(random) >> 20,
            imf_ppm: mmf_ppm + 1 + random.below(u64::from(999_999 - mmf_ppm) + 1) as u32,
            mmf_ppm,
            maker_fee_ppm: -(random.below(u64::from(fee) + 1) as i32),
            taker_fee_ppm: fee,
            band_ppm: [100_000, 1_000_000, u32::MAX][random.below(3) as usize],
            mark_cap_ppm: mmf_ppm / 4,
            stress_ppm: random.below(1_000_001) as u32,
        }
    }

    fn market(&mut self) -> u32 {
        if self.random.below(12) == 0 {
            [3, 4_095, 65_535, u32::MAX][self.random.below(4) as usize]
        } else {
            self.random.below(MARKETS) as u32
        }
    }

    /// A price and a quantity, nearly always in the market's steps.
    fn quote(&mut self, market: u32) -> (u64, u64) {
        let (tick, lot) = self.steps[market.min(2) as usize];
        let random = &mut self.random;
        if random.below(15) == 0 {
            return (wide(random), wide(random));
        }
        let ticks = if random.below(4) == 0 { wide(random) >> 40 } else { 1 + random.below(6) };
        let lots = u64::MAX / lot;
        let lots = match random.below(3) {
            0 => 1 + random.below(20),
            1 => wide(random).min(lots),
            _ => lots / (1 + random.below(9)),
        };
        (ticks.saturating_mul(tick), lots.saturating_mul(lot))
    }

    fn operation(&mut self) -> Operation {
        let market = self.market();
        let (price_e9, qty_e9) = self.quote(market);
        let client_id = self.random.below(6);
        match self.random.below(12) {
            0..=6 => Operation::Place(Place {
                market,
                buy: self.random.below(2) == 0,
                price_e9,
                qty_e9,
                tif: if self.random.below(2) == 0 { TimeInForce::Ioc } else { TimeInForce::Gtc },
                post_only: self.random.below(8) == 0,
                client_id,
            }),
            7 | 8 => Operation::Replace { market, client_id, price_e9, qty_e9 },
            9 => Operation::Cancel { market, client_id },
            10 if self.random.below(3) == 0 => Operation::CancelAll { market: Some(market) },
            10 => Operation::CancelById { order_id: wide(&mut self.random) },
            _ => withdraw(u128::from(wide(&mut self.random)) << self.random.below(65)),
        }
    }

    fn block(&mut self, world: &mut World) {
        world.time_ms += 1 + self.random.below(900);
        let mut inputs: Vec<Input> = Vec::new();
        for feed in 0..MARKETS as u32 {
            if self.random.below(3) > 0 {
                let (tick, _) = self.steps[feed as usize];
                let high = self.random.below(12) == 0;
                let ticks = if high { wide(&mut self.random) } else { 1 + self.random.below(5) };
                inputs.push(world.report(feed, ticks.saturating_mul(tick)));
            }
        }
        if self.random.below(8) == 0 {
            let market = self.random.below(MARKETS) as u32;
            let terms = self.terms(market);
            world.queue_market(&terms);
        }
        for _ in 0..self.random.below(6) {
            let name = 1 + self.random.below(USERS) as u8;
            let operations = (0..=self.random.below(8)).map(|_| self.operation()).collect();
            inputs.push(world.envelope(name, operations));
        }
        world.block(inputs);
    }
}

#[test]
fn numbers_of_any_width_are_applied_or_refused_and_never_wrap() {
    let mut met: BTreeMap<u16, u32> = BTreeMap::new();
    let (mut trades, mut cases) = (0, 0);
    for seed in seeds().into_iter().flat_map(|seed| (0..12).map(move |n| seed ^ n << 7)) {
        let mut world = World::new();
        let mut scene = Scene::new(seed);
        for market in 0..MARKETS as u32 {
            let terms = MarketTerms { state: 0, ..scene.terms(market) };
            world.queue_market(&terms);
        }
        for name in 1..=USERS as u8 {
            for _ in 0..2 {
                world.queue_deposit(name, 0, TOKEN, 1 << (60 + scene.random.below(37)));
            }
        }
        world.block(Vec::new());
        for _ in 0..60 {
            scene.block(&mut world);
        }
        cases += world.reasons.values().sum::<u32>();
        trades += (0..MARKETS).map(|market| world.market(market).trades).sum::<u64>();
        for (reason, count) in world.reasons {
            *met.entry(reason).or_default() += count;
        }
    }
    println!("cases run {cases}, trades {trades}, reasons {met:?}");
    assert!(trades > 200, "{trades}");
    assert!(met[&(Reject::Overflow as u16)] > 50);
}
