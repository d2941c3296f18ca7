//! A rollup in memory for tests: users, one asset, two markets, blocks on demand.

use std::collections::BTreeMap;

pub use crate::terms::*;
use stf::error::{Fault, Reject};
use stf::events::Event;
use stf::hash::Software;
use stf::invariants;
use stf::machine::{Context, Machine, Progress, genesis};
use stf::platform::{Inputs, Platform, Segment, Sink};
use stf::ram::RamStore;
use stf::records::{Account, Chain, Header, Market, Phase, Position, Subaccount};
use stf::store::Store;
use stf::types::{
    Address, Block, Body, Direct, E9, Envelope, Form, Input, Operation, RecordMeta, Report, Signer,
    Word,
};

pub const TOKEN: Address = Address([0x70; 20]);
pub const VAULT: Address = Address([0x76; 20]);
pub const ONE: i128 = E9 as i128;
/// Bytes that tests say a segment has.
pub const SEGMENT_BYTES: u32 = 500;

pub const CONTEXT: Context = Context { chain_id: 17, inbox: Address([9; 20]), version: 1 };

/// Hashes for real, and a signature scheme without secrets: signer, then digest.
#[derive(Clone, Copy, Debug)]
pub struct Toy;

impl Toy {
    pub fn sign(digest: &Word, signer: Address) -> [u8; 64] {
        let mut signature = [0; 64];
        signature[..20].copy_from_slice(&signer.0);
        signature[20..52].copy_from_slice(digest);
        signature
    }
}

impl Platform for Toy {
    fn hash64(&mut self, left: &Word, right: &Word) -> Word {
        Software.hash64(left, right)
    }

    fn keccak256(&mut self, data: &[u8]) -> Word {
        Software.keccak256(data)
    }

    fn recover(&mut self, digest: &Word, signature: &[u8; 64]) -> Option<Address> {
        let signer = Address(signature[..20].try_into().unwrap());
        (signature[20..52] == digest[..]).then_some(signer)
    }
}

/// A record as tests build it.
#[derive(Clone)]
pub struct Landed {
    pub meta: RecordMeta,
    pub blocks: Vec<Block>,
    /// What is asked for after the last block: nothing yet, the end, or a bad segment.
    pub end: End,
}

#[derive(Clone, Copy, PartialEq)]
pub enum End {
    Open,
    Closed,
    Bad,
}

/// All that a run reads.
#[derive(Clone, Default)]
pub struct Feed {
    pub records: Vec<Landed>,
    pub directs: Vec<Direct>,
}

impl Inputs for Feed {
    fn record(&mut self, index: u64) -> Result<Option<RecordMeta>, Fault> {
        Ok(self.records.get(index as usize).map(|record| record.meta))
    }

    fn segment(&mut self, record: u64, segment: u32) -> Result<Segment<'_>, Fault> {
        let landed = self.records.get(record as usize).ok_or(Fault::Missing)?;
        let last = landed.blocks.len() as u32;
        Ok(match (landed.blocks.get(segment as usize), landed.end) {
            (Some(block), _) => Segment::Block { block, size: SEGMENT_BYTES, closed: true },
            (None, End::Open) => Segment::NotYet,
            (None, End::Bad) if segment == last => Segment::Bad,
            (None, _) => Segment::End,
        })
    }

    fn direct(&mut self, index: u64) -> Result<Direct, Fault> {
        self.directs.get(index as usize).cloned().ok_or(Fault::Missing)
    }
}

/// What the transition told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    pub events: Vec<Event>,
    kept: usize,
    /// Code and reason of each operation.
    pub operations: Vec<(u8, u16)>,
    /// Reason of each input.
    pub ends: Vec<u16>,
}

impl Sink for Log {
    fn begin(&mut self, _kind: u8) {
        self.kept = self.events.len();
    }

    fn operation(&mut self, code: u8, reason: u16) {
        self.operations.push((code, reason));
        self.kept = self.events.len();
    }

    fn event(&mut self, _operation: u16, event: Event) {
        self.events.push(event);
    }

    fn drop_events(&mut self) {
        self.events.truncate(self.kept);
    }

    fn end(&mut self, reason: u16) {
        self.ends.push(reason);
    }
}

pub type Engine = Machine<RamStore, Toy, Log>;

pub struct World {
    pub machine: Engine,
    pub feed: Feed,
    pub time_ms: u64,
    /// Check every invariant after every step.
    pub is_checking: bool,
    /// How often each reason was given so far, for operations, inputs and cancelled orders.
    pub reasons: BTreeMap<u16, u32>,
    nonces: BTreeMap<u8, u64>,
}

pub fn user(name: u8) -> Address {
    Address([name; 20])
}

/// The first address of the reporters.
const REPORTER: u8 = 200;

impl World {
    /// Asset, one reporter, two markets: BTC (tick 0.1, lot 0.001) and ETH (tick 0.01, lot 0.01),
    /// no fees.
    pub fn new() -> Self {
        let machine = Machine::new(RamStore::new(), Toy, Log::default(), genesis(), CONTEXT);
        let feed = Feed::default();
        let mut world = Self {
            machine,
            feed,
            time_ms: 1_000_000,
            is_checking: true,
            reasons: BTreeMap::new(),
            nonces: BTreeMap::new(),
        };
        world.open_record();
        world.govern(&[&[1], &1_000_u64.to_be_bytes(), &30_000_u64.to_be_bytes()]);
        world.govern(&[&[2], &TOKEN.0, &VAULT.0, &1_000_u64.to_be_bytes()]);
        world.govern(&[&[3, 0], &user(REPORTER).0]);
        world.queue_market(&market_terms(0));
        world.set_market(&market_terms(1));
        world
    }

    /// As `new`, with users 1 to `users` holding 100,000 USD each, BTC at 50,000 and ETH at 2,000.
    pub fn funded(users: u8) -> Self {
        let mut world = Self::new();
        for name in 1..=users {
            world.deposit(name, 0, 100_000 * ONE);
        }
        world.price(0, 50_000 * E9);
        world.price(1, 2_000 * E9);
        world.tick();
        world
    }

    pub fn open_record(&mut self) {
        let meta = RecordMeta {
            batch: true,
            length: 100_000,
            t_first_ms: self.time_ms,
            t_last_ms: u64::MAX,
            direct_to: u64::MAX,
        };
        self.feed.records.push(Landed { meta, blocks: Vec::new(), end: End::Open });
    }

    /// Ends the open batch at the current time, all direct inputs drained.
    pub fn close_record(&mut self, end: End) {
        let direct_to = self.feed.directs.len() as u64;
        let record = self.feed.records.last_mut().unwrap();
        record.end = end;
        (record.meta.t_last_ms, record.meta.direct_to) = (self.time_ms, direct_to);
        self.run();
        assert_eq!(self.machine.header.phase, Phase::Record);
    }

    /// Closes the open batch, lands an `advance`, opens the next batch.
    pub fn advance(&mut self) {
        self.close_record(End::Closed);
        self.time_ms += 10;
        let meta = RecordMeta {
            batch: false,
            length: 0,
            t_first_ms: self.time_ms,
            t_last_ms: self.time_ms,
            direct_to: self.feed.directs.len() as u64,
        };
        self.feed.records.push(Landed { meta, blocks: Vec::new(), end: End::Closed });
        self.run();
        self.open_record();
    }

    /// Queues a direct input; the next block drains it.
    pub fn direct(&mut self, kind: u8, sender: Address, data: Vec<u8>) {
        let index = self.feed.directs.len() as u64;
        let time_ms = self.time_ms;
        self.feed.directs.push(Direct { kind, sender, index, time_ms, data });
    }

    pub fn govern(&mut self, parts: &[&[u8]]) {
        self.direct(7, Address([3; 20]), parts.concat());
    }

    pub fn queue_market(&mut self, terms: &MarketTerms) {
        self.govern(&[&terms.encode()]);
    }

    pub fn set_market(&mut self, terms: &MarketTerms) {
        self.queue_market(terms);
        self.block(Vec::new());
    }

    pub fn queue_deposit(&mut self, name: u8, number: u32, token: Address, amount_e9: i128) {
        let amount = (amount_e9 as u128).to_be_bytes();
        let data = [&user(name).0[..], &number.to_be_bytes(), &token.0, &amount].concat();
        self.direct(1, user(name), data);
    }

    pub fn deposit(&mut self, name: u8, number: u32, amount_e9: i128) {
        self.queue_deposit(name, number, TOKEN, amount_e9);
        self.block(Vec::new());
    }

    /// A report by the one reporter, in a block of its own.
    pub fn price(&mut self, feed: u32, price_e9: u64) {
        self.time_ms += 1;
        let input = self.report(feed, price_e9);
        self.block(vec![input]);
    }

    pub fn report(&self, feed: u32, price_e9: u64) -> Input {
        let report = Report { feed, price_e9, time_ms: self.time_ms, signature: [0; 64] };
        Input { body: Body::Report(report), signer: Signer::Known(user(REPORTER)) }
    }

    /// Moves to the next multiple of the tick and runs it.
    pub fn tick(&mut self) {
        self.time_ms = (self.time_ms / 1_000 + 1) * 1_000;
        self.block(Vec::new());
    }

    /// An envelope of subaccount 0 with the user's next nonce.
    pub fn envelope(&mut self, name: u8, operations: Vec<Operation>) -> Input {
        self.envelope_of(name, 0, operations)
    }

    pub fn envelope_of(&mut self, name: u8, number: u32, operations: Vec<Operation>) -> Input {
        let account = self.machine_account(name);
        let next = self.nonces.entry(name).or_default();
        let nonce = *next;
        *next += 1;
        let envelope = Envelope {
            form: Form::Type2Default,
            account,
            nonce,
            subaccount: number,
            batch: true,
            operations,
            signature: [0; 64],
        };
        Input { body: Body::Envelope(envelope), signer: Signer::Known(user(name)) }
    }

    pub fn machine_account(&mut self, name: u8) -> u32 {
        stf::address::find(&mut self.machine.store, &user(name)).unwrap()
    }

    /// Appends a block and runs it; the log starts anew.
    pub fn block(&mut self, inputs: Vec<Input>) {
        let direct_to = self.feed.directs.len() as u64;
        let block = Block { time_ms: self.time_ms, direct_to, inputs };
        self.feed.records.last_mut().unwrap().blocks.push(block);
        self.machine.sink = Log::default();
        self.run();
        self.count_reasons();
    }

    fn count_reasons(&mut self) {
        let log = &self.machine.sink;
        let of_operations = log.operations.iter().map(|(_, reason)| *reason);
        let of_cancels = self.cancels().into_iter().map(|(_, _, reason)| reason);
        let all: Vec<u16> =
            of_operations.chain(of_cancels).chain(log.ends.iter().copied()).collect();
        for reason in all {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    /// Runs step by step, every invariant checked after every step.
    pub fn run(&mut self) {
        loop {
            let progress = self.machine.step(&mut self.feed, stf::weight::CHUNK).unwrap();
            match progress {
                Progress::Done { .. } if self.is_checking => self.check(),
                Progress::Done { .. } => {}
                Progress::OutOfBudget => panic!("a step passes the budget of a whole chunk"),
                Progress::Wait | Progress::End => return,
            }
        }
    }

    pub fn check(&mut self) {
        let is_matching = self.machine.header.phase == Phase::Match;
        let store = &mut self.machine.store;
        assert_eq!(invariants::check(store).unwrap(), Ok(()));
        assert_eq!(invariants::check_taker(store, is_matching).unwrap(), Ok(()));
    }

    /// One operation in a block of its own: 0, or why it was rejected.
    pub fn act(&mut self, name: u8, operation: Operation) -> u16 {
        let input = self.envelope(name, vec![operation]);
        self.block(vec![input]);
        assert_eq!(self.log().ends, [0]);
        self.log().operations[0].1
    }

    pub fn applied(&mut self, name: u8, operation: Operation) {
        assert_eq!(self.act(name, operation), 0);
    }

    pub fn refused(&mut self, name: u8, operation: Operation, reason: Reject) {
        let before = self.rows();
        assert_eq!(self.act(name, operation), reason as u16, "{reason:?} was expected");
        assert!(self.log().events.iter().all(|e| matches!(e, Event::OperationRejected { .. })));
        let changed: Vec<_> = self.rows().into_iter().filter(|row| !before.contains(row)).collect();
        // A rejected operation changes nothing but the nonce (11.7).
        assert!(changed.iter().all(|(kind, _, _)| *kind == 1), "{changed:?}");
    }

    pub fn log(&self) -> &Log {
        &self.machine.sink
    }

    /// Taker side, price, quantity of each trade of the last block.
    pub fn trades(&self) -> Vec<(bool, u64, u64)> {
        let trade = |event: &Event| match *event {
            Event::Trade { taker_buy, price_e9, qty_e9, .. } => Some((taker_buy, price_e9, qty_e9)),
            _ => None,
        };
        self.log().events.iter().filter_map(trade).collect()
    }

    /// Client id, quantity and reason of each cancellation of the last block.
    pub fn cancels(&self) -> Vec<(u64, u64, u16)> {
        let cancel = |event: &Event| match *event {
            Event::OrderCancelled { client_id, qty_e9, reason, .. } => {
                Some((client_id, qty_e9, reason))
            }
            _ => None,
        };
        self.log().events.iter().filter_map(cancel).collect()
    }

    pub fn rows(&self) -> Vec<(u16, u64, Vec<u8>)> {
        self.machine.store.present().collect()
    }

    pub fn header(&self) -> &Header {
        &self.machine.header
    }

    pub fn chain(&mut self) -> Chain {
        *self.machine.store.read::<Chain>(0).unwrap()
    }

    pub fn market(&mut self, market: u64) -> Market {
        *self.machine.store.read::<Market>(market).unwrap()
    }

    pub fn account(&mut self, name: u8) -> Account {
        let account = self.machine_account(name);
        *self.machine.store.read::<Account>(account.into()).unwrap()
    }

    pub fn subaccount_index(&mut self, name: u8) -> u64 {
        u64::from(self.machine_account(name)) * 16
    }

    pub fn subaccount(&mut self, name: u8) -> Subaccount {
        let index = self.subaccount_index(name);
        *self.machine.store.read::<Subaccount>(index).unwrap()
    }

    pub fn balance(&mut self, name: u8) -> i128 {
        self.subaccount(name).balance_e9
    }

    pub fn position(&mut self, name: u8, market: u32) -> Position {
        let index = self.subaccount_index(name);
        let record = *self.machine.store.read::<Subaccount>(index).unwrap();
        let slot = record.slots.iter().position(|entry| u32::from(*entry) == market + 1);
        match slot {
            Some(slot) => *self.machine.store.read::<Position>(index * 32 + slot as u64).unwrap(),
            None => Position::default(),
        }
    }

    pub fn size(&mut self, name: u8, market: u32) -> i64 {
        self.position(name, market).size_e9
    }
}
