//! Long random runs: invariants after every step, and a run that stops between any two steps ends
//! the same.
//!
//! `NOVATION_SEED` adds one seed to the fixed ones; every run prints its seed.

use std::collections::BTreeMap;

use crate::world::*;
use stf::error::Reject;
use stf::machine::{Machine, Progress, genesis};
use stf::ram::RamStore;
use stf::records::Phase;
use stf::types::{Address, Body, E9, Input, Operation, Place, Signer, TimeInForce};
use stf::weight;

const USERS: u64 = 6;
/// What the runs together must have met to say anything.
const MUST_HAPPEN: [Reject; 13] = [
    Reject::MarketHalted,
    Reject::PriceOutOfBand,
    Reject::PostOnlyWouldCross,
    Reject::MarginInsufficient,
    Reject::OrderNotFound,
    Reject::ClientIdInUse,
    Reject::BalanceInsufficient,
    Reject::MarketReduceOnly,
    Reject::SelfTrade,
    Reject::IocRemainder,
    Reject::MakerMargin,
    Reject::ReduceStopped,
    Reject::SubaccountUnknown,
];
const SEEDS: [u64; 3] = [1, 20_240_808, 0xdead_beef];

/// Xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

pub fn seeds() -> Vec<u64> {
    let own = std::env::var("NOVATION_SEED").ok().and_then(|seed| seed.parse().ok());
    SEEDS.into_iter().chain(own).inspect(|seed| println!("seed {seed}")).collect()
}

/// Prices walk, so that accounts run into their margins.
struct Scene {
    random: Random,
    price: [u64; 2],
}

impl Scene {
    fn operation(&mut self) -> Operation {
        let random = &mut self.random;
        let market = random.below(2) as u32;
        let client_id = random.below(12);
        let middle = self.price[market as usize];
        let spread = middle / 50;
        let price_e9 = (middle - spread + random.below(2 * spread)) * E9;
        let most = if random.one_in(3) { 8_000 } else { 300 };
        let lots = 1 + random.below(most);
        let qty_e9 = lots * if market == 0 { E9 / 1_000 } else { E9 / 100 };
        match random.below(20) {
            0..=9 => Operation::Place(Place {
                market,
                buy: random.one_in(2),
                price_e9,
                qty_e9,
                tif: if random.one_in(3) { TimeInForce::Ioc } else { TimeInForce::Gtc },
                post_only: random.one_in(6),
                client_id,
            }),
            10..=12 => Operation::Replace { market, client_id, price_e9, qty_e9 },
            13..=15 => Operation::Cancel { market, client_id },
            16 => Operation::CancelById {
                order_id: (1 + random.below(USERS)) << 40
                    | random.below(400) << 8
                    | random.below(20),
            },
            17 if random.one_in(4) => Operation::CancelAll { market: Some(market) },
            18 => withdraw(1 + u128::from(random.below(10_000_000_000))),
            _ => Operation::Place(Place {
                tif: TimeInForce::Ioc,
                ..limit(random.one_in(2), middle, 10 + random.below(5_000), 0)
            }),
        }
    }

    fn inputs(&mut self, world: &mut World) -> Vec<Input> {
        (0..self.random.below(5))
            .map(|_| {
                let name = 1 + self.random.below(USERS) as u8;
                let number = u32::from(self.random.one_in(12));
                let count = 1 + self.random.below(12);
                let operations = (0..count).map(|_| self.operation()).collect();
                world.envelope_of(name, number, operations)
            })
            .collect()
    }

    fn directs(&mut self, world: &mut World) {
        let name = 1 + self.random.below(USERS) as u8;
        let token = if self.random.one_in(9) { Address([1; 20]) } else { TOKEN };
        let number = self.random.below(3) as u32;
        let amount = 1 + i128::from(self.random.below(50_000 * E9));
        world.queue_deposit(name, number, token, amount);
        if self.random.one_in(3) {
            world.direct(3, user(name), 0_u32.to_be_bytes().to_vec());
        }
        if self.random.one_in(4) {
            let state = [0, 0, 0, 0, 0, 1, 2][self.random.below(7) as usize];
            let fees = MarketTerms { maker_fee_ppm: -50, taker_fee_ppm: 400, ..market_terms(0) };
            world.queue_market(&MarketTerms { state, ..fees });
        }
    }

    fn walk(&mut self, world: &mut World) -> Vec<Input> {
        world.time_ms += 400 + self.random.below(2_000);
        let mut inputs = Vec::new();
        for (feed, price) in (0..).zip(&mut self.price) {
            let step = if self.random.one_in(4) { 60 } else { 15 };
            *price = *price * (1_000 - step + self.random.below(2 * step + 1)) / 1_000;
            if !self.random.one_in(40) {
                inputs.push(world.report(feed, *price * E9));
            }
        }
        if self.random.one_in(60) {
            world.time_ms += 40_000;
        }
        inputs
    }
}

/// A run of a few thousand operations; what it read and where it ended.
pub fn random_world(seed: u64, blocks: u64) -> World {
    let mut world = World::funded(USERS as u8);
    let mut scene = Scene { random: Random::new(seed), price: [50_000, 2_000] };
    for count in 1..=blocks {
        let mut inputs = if scene.random.one_in(4) { scene.walk(&mut world) } else { Vec::new() };
        if scene.random.one_in(4) {
            scene.directs(&mut world);
        }
        inputs.extend(scene.inputs(&mut world));
        world.block(inputs);
        if count % 150 == 0 {
            world.advance();
        } else if count % 50 == 0 {
            world.close_record(End::Closed);
            world.open_record();
        }
    }
    world.close_record(End::Closed);
    world
}

#[test]
fn every_invariant_holds_after_every_step_of_a_random_run() {
    let mut met = BTreeMap::new();
    for seed in seeds() {
        let mut world = random_world(seed, 400);
        let trades = [world.market(0).trades, world.market(1).trades];
        println!("seed {seed}: trades {trades:?}, reasons {:?}", world.reasons);
        assert!(trades.iter().all(|trades| *trades > 50), "{trades:?}");
        assert!(world.header().withdrawals_count > 10 && world.chain().fees_e9 > 0);
        for (reason, count) in world.reasons {
            *met.entry(reason).or_insert(0) += count;
        }
    }
    for reason in MUST_HAPPEN {
        assert!(met.contains_key(&(reason as u16)), "{reason:?} never happened");
    }
}

#[test]
fn a_run_that_stops_between_any_two_steps_ends_in_the_same_state() {
    for seed in seeds() {
        let world = random_world(seed, 120);
        let straight = (*world.header(), world.rows());

        // A new machine for every step, from header and store alone, recovering every signer
        // itself.
        let mut feed = world.feed.clone();
        sign_all(&mut feed);
        let (mut header, mut store, mut steps) = (genesis(), RamStore::new(), 0_u64);
        loop {
            let mut machine = Machine::new(&mut store, Toy, Log::default(), header, CONTEXT);
            let progress = machine.step(&mut feed, weight::CHUNK).unwrap();
            header = machine.header;
            match progress {
                Progress::Done { weight } => assert!(weight <= weight::CHUNK),
                Progress::End => break,
                other => panic!("{other:?}"),
            }
            steps += 1;
        }
        println!("seed {seed}: {steps} steps");
        assert_eq!(header.phase, Phase::Record);
        assert_eq!((header, store.present().collect::<Vec<_>>()), straight);
    }
}

pub fn sign_all(feed: &mut Feed) {
    for block in feed.records.iter_mut().flat_map(|record| &mut record.blocks) {
        for input in &mut block.inputs {
            let Signer::Known(signer) = input.signer else { panic!("tests know every signer") };
            sign(&mut input.body, signer);
            input.signer = Signer::Unknown;
        }
    }
}

fn sign(body: &mut Body, signer: Address) {
    let digest = match body {
        Body::Envelope(envelope) => {
            stf::envelope::signing_digest(envelope, CONTEXT.chain_id, &mut Toy)
        }
        Body::Report(report) => {
            stf::eip712::report_digest(report, CONTEXT.chain_id, &CONTEXT.inbox, &mut Toy)
        }
    };
    match body {
        Body::Envelope(envelope) => envelope.signature = Toy::sign(&digest, signer),
        Body::Report(report) => report.signature = Toy::sign(&digest, signer),
    }
}
