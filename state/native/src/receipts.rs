//! Receipts: what the transition tells about each input, in the bytes of docs/formats.md §7.
//!
//! In: calls of the transition (`Sink`), then who each input was (`Identity`). Out: one receipt per
//! input.
//! Holds: the sink only collects, in flat lists; addresses are looked up once the run is over,
//! because the run holds the store. Not here: the order of inputs (`core`), Ethereum logs
//! (`state.receipt`).

use stf::events::{Event, OrderEvent};
use stf::platform::Sink;
use stf::types::{Address, Word};

/// Who an input is: its hash and its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Transaction hash, report digest or direct leaf.
    pub(crate) hash: Word,
    /// Signer, reporter, or sender on L1.
    pub(crate) sender: Address,
}

/// Where an input stands in the order of everything.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// Number among all inputs.
    pub(crate) seq: u64,
    /// Number of its block.
    pub(crate) block: u64,
    /// Place in the block.
    pub(crate) index: u32,
}

/// What happened to one input: ranges of the flat lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// 1 envelope, 2 report, 3 direct.
    pub(crate) kind: u8,
    reason: u16,
    operations: (usize, usize),
    events: (usize, usize),
}

/// Collects what a run tells.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    entries: Vec<Entry>,
    operations: Vec<(u8, u16)>,
    events: Vec<(u16, Event)>,
    /// An input has begun and not ended.
    open: bool,
    /// Events up to here are final.
    settled: usize,
}

/// Totals of a run, for metrics.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    /// Inputs.
    pub(crate) inputs: u64,
    /// Operations that ran.
    pub(crate) operations: u64,
    /// Operations that were rejected.
    pub(crate) rejected: u64,
    /// Inputs skipped as a whole.
    pub(crate) skipped: u64,
    /// Orders placed.
    pub(crate) placed: u64,
    /// Orders replaced.
    pub(crate) replaced: u64,
    /// Orders that left the book unfilled.
    pub(crate) cancelled: u64,
    /// Trades.
    pub(crate) trades: u64,
    /// Deposits credited.
    pub(crate) deposits: u64,
    /// Withdrawals.
    pub(crate) withdrawals: u64,
    /// Reports accepted.
    pub(crate) reports: u64,
}

impl Stats {
    fn count(&mut self, event: &Event) {
        let counter = match event {
            Event::OrderPlaced(_) => &mut self.placed,
            Event::OrderReplaced(_) => &mut self.replaced,
            Event::OrderCancelled { .. } => &mut self.cancelled,
            Event::Trade { .. } => &mut self.trades,
            Event::Deposited { .. } => &mut self.deposits,
            Event::Withdrawn { .. } => &mut self.withdrawals,
            Event::ReportAccepted { .. } => &mut self.reports,
            Event::OperationRejected { .. } | Event::Governed { .. } => return,
        };
        *counter += 1;
    }
}

impl Sink for Collector {
    fn begin(&mut self, kind: u8) {
        self.open = true;
        self.settled = self.events.len();
        self.entries.push(Entry {
            kind,
            reason: 0,
            operations: (self.operations.len(), self.operations.len()),
            events: (self.events.len(), self.events.len()),
        });
    }

    fn operation(&mut self, code: u8, reason: u16) {
        self.operations.push((code, reason));
        self.settled = self.events.len();
    }

    fn event(&mut self, operation: u16, event: Event) {
        // Orders voided by an `advance` record belong to no input, and so to no receipt.
        if self.open {
            self.events.push((operation, event));
        }
    }

    fn drop_events(&mut self) {
        self.events.truncate(self.settled);
    }

    fn end(&mut self, reason: u16) {
        self.open = false;
        if let Some(entry) = self.entries.last_mut() {
            entry.reason = reason;
            entry.operations.1 = self.operations.len();
            entry.events.1 = self.events.len();
        }
    }
}

impl Collector {
    /// Inputs that ended, in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The events of one input, in order.
    pub(crate) fn events_of(&self, entry: &Entry) -> impl Iterator<Item = &Event> {
        self.events[entry.events.0..entry.events.1].iter().map(|(_, event)| event)
    }

    /// Empties the lists and keeps their memory.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.operations.clear();
        self.events.clear();
        self.open = false;
        self.settled = 0;
    }

    /// Totals of what was collected.
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats {
            inputs: self.entries.len() as u64,
            operations: self.operations.len() as u64,
            rejected: self.operations.iter().filter(|(_, reason)| *reason != 0).count() as u64,
            skipped: self.entries.iter().filter(|entry| entry.reason != 0).count() as u64,
            ..Stats::default()
        };
        self.events.iter().for_each(|(_, event)| stats.count(event));
        stats
    }

    /// The receipt of `entry`; `owner` gives the address of an account index.
    pub(crate) fn receipt(
        &self,
        entry: &Entry,
        who: &Identity,
        place: Place,
        owner: &mut impl FnMut(u64) -> Address,
    ) -> Vec<u8> {
        let operations = &self.operations[entry.operations.0..entry.operations.1];
        let events = &self.events[entry.events.0..entry.events.1];
        let applied = match operations {
            [] => entry.reason == 0,
            some => some.iter().any(|(_, reason)| *reason == 0),
        };
        let mut out = Out(Vec::with_capacity(80 + 3 * operations.len() + 110 * events.len()));
        out.u8(entry.kind).u8(applied.into()).u16(entry.reason);
        out.u64(place.seq).u64(place.block).u32(place.index);
        out.raw(&who.hash).raw(&who.sender.0);
        out.count(operations.len()).count(events.len());
        for (code, reason) in operations {
            out.u8(*code).u16(*reason);
        }
        for (operation, event) in events {
            encode_event(&mut out, *operation, event, owner);
        }
        out.0
    }
}

/// Little-endian writer; every call appends.
struct Out(Vec<u8>);

impl Out {
    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
    fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }
    fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }
    fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }
    fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }
    fn u128(&mut self, value: u128) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }
    fn i128(&mut self, value: i128) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// A length. An input has at most 64 operations, each with at most some hundred events.
    fn count(&mut self, value: usize) -> &mut Self {
        self.u16(u16::try_from(value).unwrap_or(u16::MAX))
    }

    /// Address of the owner and number of a subaccount.
    fn subaccount(&mut self, index: u64, owner: &mut impl FnMut(u64) -> Address) -> &mut Self {
        let address = owner(index >> 4);
        self.raw(&address.0).u32(u32::try_from(index & 15).unwrap_or(0))
    }
}

fn encode_order(
    out: &mut Out,
    operation: u16,
    kind: u8,
    order: &OrderEvent,
    owner: &mut impl FnMut(u64) -> Address,
) {
    out.u8(kind).u16(operation).subaccount(order.subaccount, owner);
    out.u32(order.market).u8(order.buy.into()).u64(order.order_id).u64(order.client_id);
    out.u64(order.price_e9).u64(order.qty_e9).u64(order.filled_e9).u64(order.open_e9);
}

fn encode_event(
    out: &mut Out,
    operation: u16,
    event: &Event,
    owner: &mut impl FnMut(u64) -> Address,
) {
    match event {
        Event::OrderPlaced(order) => encode_order(out, operation, 1, order, owner),
        Event::OrderCancelled { subaccount, market, order_id, client_id, qty_e9, reason } => {
            out.u8(2).u16(operation).subaccount(*subaccount, owner).u32(*market);
            out.u64(*order_id).u64(*client_id).u64(*qty_e9).u16(*reason);
        }
        Event::OrderReplaced(order) => encode_order(out, operation, 3, order, owner),
        Event::Trade {
            market,
            taker_buy,
            price_e9,
            qty_e9,
            maker,
            maker_order_id,
            taker,
            taker_order_id,
            maker_fee_e9,
            taker_fee_e9,
        } => {
            out.u8(4).u16(operation).u32(*market).u8((*taker_buy).into());
            out.u64(*price_e9).u64(*qty_e9);
            out.subaccount(*maker, owner).u64(*maker_order_id);
            out.subaccount(*taker, owner).u64(*taker_order_id);
            out.i128(*maker_fee_e9).i128(*taker_fee_e9);
        }
        Event::OperationRejected { code, reason } => {
            out.u8(5).u16(operation).u8(*code).u16(*reason);
        }
        Event::Deposited { subaccount, amount_e9, direct_index } => {
            out.u8(6).u16(operation).subaccount(*subaccount, owner);
            out.i128(*amount_e9).u64(*direct_index);
        }
        Event::Withdrawn { subaccount, index, token, amount, recipient, amount_e9 } => {
            out.u8(7).u16(operation).subaccount(*subaccount, owner).u64(*index);
            out.raw(&token.0).u128(*amount).raw(&recipient.0).i128(*amount_e9);
        }
        Event::ReportAccepted { feed, reporter, price_e9, time_ms } => {
            out.u8(8).u16(operation).u32(*feed).u8(*reporter).u64(*price_e9).u64(*time_ms);
        }
        Event::Governed { op } => {
            out.u8(9).u16(operation).u8(*op);
        }
    }
}
