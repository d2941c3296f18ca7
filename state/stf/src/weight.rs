//! What each step costs at most, in VM instructions, from sizes known before it runs (rollup.md
//! 3.2).
//!
//! In: how many records a step may touch, and how deep they lie. Out: weights; chunks and envelopes
//! are cut by them.
//! Holds: every step is at most 2^25, so a chunk of 2^26 always makes progress; asserted below. A
//! weight counts every way down a tree as if nothing of it were known yet; where a step's own ways
//! must share, they share.
//! Not here: measuring them against the VM (`tests/twins` does, on the guest).

use crate::direct::Kind;
use crate::positions::slot_of;
use crate::records::{ORDERS, POSITIONS, Subaccount};
use crate::types::Operation;

/// A chunk ends before the step that would pass this.
pub const CHUNK: u64 = 1 << 26;
/// An envelope's operations are refused `too_heavy` beyond this (trading.md 1.6).
pub const ENVELOPE: u64 = 1 << 30;
/// Most that a tick may weigh before the next input has its turn (trading.md 1.7).
const TICK_MAX: u64 = 1 << 31;
/// Markets that there can be: their tree is 12 deep.
const MARKETS_MAX: u64 = 1 << 12;
/// Most that one step may weigh.
pub const STEP_MAX: u64 = 1 << 25;

/// One node of a tree opened, checked, and hashed again, with the work on its record; measured: 700
/// to 960.
const NODE: u64 = 1_024;
/// A phase entered, a cursor moved.
pub(crate) const CURSOR: u64 = 4_096;
/// Digest and recovery of a signature.
const SIGNATURE: u64 = 1 << 16;
/// One operation of an envelope, hashed with it.
const HASHED_OPERATION: u64 = 4_096;
/// A direct input found in its tree, its data of at most 1,024 bytes hashed.
const OPENED_DIRECT: u64 = 1 << 16;
/// One open order looked at beside its neighbours.
const SCANNED_ORDER: u64 = 3_072;
/// One byte of a segment decoded and encoded again, its page hashed.
const SEGMENT_BYTE: u64 = 256;
/// The directory and what does not depend on size.
const SEGMENT: u64 = 1 << 20;
/// Most bytes of a batch (docs/formats.md §3).
const BATCH_BYTES: u64 = 117_956;

// Nodes on the way to a record: the top tree's, the kind's, the record's own (docs/formats.md §1).
const CHAIN: u64 = 5 + 3;
const TAKER: u64 = 5 + 2;
const ACCOUNT: u64 = 5 + 24 + 1;
const SUBACCOUNT: u64 = 5 + 28 + 3;
const POSITION: u64 = 5 + 33 + 1;
const MARKET: u64 = 5 + 12 + 3;
const ORDER: u64 = 5 + 36 + 1;
const LEVEL: u64 = 5 + 36;
const CLIENT_IDS: u64 = 5 + 30 + 4;
const FRONTIER: u64 = 5 + 32;
/// Three nodes of one side's bitmap: they part 17 levels above the leaves.
const TICKS: u64 = 5 + 30 + 2 * 17;
/// All reporters, and a report of each on one feed.
const REPORTERS: u64 = 5 + 64;
const REPORTS: u64 = 5 + 12 + 64;
/// The four records of a subaccount's client ids.
const ALL_CLIENT_IDS: u64 = CLIENT_IDS + 3 * 6;
/// An order joins a queue at its end, or leaves it from its head: it, one neighbour, its level, its
/// side's bitmap.
const QUEUE_END: u64 = 2 * ORDER + LEVEL + TICKS;
/// An order leaves a queue from within: two neighbours.
const QUEUE: u64 = QUEUE_END + ORDER;
/// An account's part in a fill: subaccount, position, client id.
const OWNER: u64 = SUBACCOUNT + POSITION + CLIENT_IDS;
/// An account's part in a request: its client ids are searched.
const SEARCHED: u64 = SUBACCOUNT + POSITION + ALL_CLIENT_IDS;
/// A position beside others of its subaccount, and its market.
const VALUED: u64 = 3 + MARKET;
/// The best prices of a market.
const BEST: u64 = 2 * TICKS;
/// One more order of an account that cancels 64: half of every way is known by then (6 of 36 levels
/// shared by neighbours, 6 of 24 by levels, 6 of 17 by bitmap nodes, all but 2 by the order's own
/// slot).
const CANCELLED: u64 = 3 + 2 * 31 + 19 + 12 + 9 + VALUED;

/// Orders that one step of `cancel_all` cancels.
pub(crate) const CANCELLED_PER_STEP: usize = 64;
/// Orders voided in one step after `advance`.
pub(crate) const VOIDED_PER_STEP: u64 = 8;

/// Opening a segment of `size` bytes.
pub const fn segment(size: u64) -> u64 {
    SEGMENT + size * SEGMENT_BYTE
}

/// A market's part of a tick.
pub(crate) const fn tick() -> u64 {
    NODE * (CHAIN + MARKET + BEST + REPORTERS + REPORTS)
}

/// Opening an envelope of so many operations.
pub(crate) const fn envelope(operations: u64) -> u64 {
    SIGNATURE + NODE * ACCOUNT + operations * HASHED_OPERATION
}

/// A report: its signature, the reporters, the newest of its reporter.
pub(crate) const fn report() -> u64 {
    SIGNATURE + NODE * (CHAIN + REPORTERS + REPORTS)
}

/// Voiding a few orders.
pub(crate) const fn void() -> u64 {
    NODE * VOIDED_PER_STEP * (QUEUE + TICKS + OWNER) + NODE * (CHAIN + MARKET)
}

/// Valuing a subaccount with the best prices of its markets; `scan` adds each open order.
const fn valuation(positions: u64, open: u64, scan: bool) -> u64 {
    let orders = if scan { open * SCANNED_ORDER + NODE * ORDER } else { 0 };
    positions * NODE * (VALUED + BEST) + orders
}

/// Placing, in a market that is valued here; `others` are the positions in other markets.
const fn place(others: u64, open: u64, scan: bool) -> u64 {
    NODE * (CHAIN + TAKER + MARKET + SEARCHED + QUEUE_END + TICKS) + valuation(others, open, scan)
}

/// Placing again what leaves its queue first.
const fn replace(others: u64, open: u64, scan: bool) -> u64 {
    place(others, open, scan) + NODE * QUEUE
}

const fn cancel() -> u64 {
    NODE * (CHAIN + MARKET + SEARCHED + QUEUE)
}

/// One step of cancelling all.
const fn cancel_all(open: u64) -> u64 {
    let most = CANCELLED_PER_STEP as u64;
    let orders = if open < most { open } else { most };
    cancel() + NODE * orders * CANCELLED + open * SCANNED_ORDER
}

const fn withdraw(positions: u64, open: u64, scan: bool) -> u64 {
    // Two ways up the withdrawals tree: the leaf's, and the root's.
    NODE * (CHAIN + ACCOUNT + SUBACCOUNT + 3 * FRONTIER) + valuation(positions, open, scan)
}

/// One step of an operation; only `cancel_all` and matching have more than one.
pub(crate) fn operation(operation: &Operation, subaccount: &Subaccount, scan: bool) -> u64 {
    let (positions, open) = (subaccount.position_count.into(), subaccount.open_count.into());
    let others = |market| positions - u64::from(slot_of(subaccount, market).is_some());
    match operation {
        Operation::Place(order) => place(others(order.market), open, scan),
        Operation::Replace { market, .. } => replace(others(*market), open, scan),
        Operation::Cancel { .. } | Operation::CancelById { .. } => cancel(),
        Operation::CancelAll { .. } => cancel_all(open),
        Operation::Withdraw { .. } => withdraw(positions, open, scan),
    }
}

/// A step of matching: both accounts valued and changed, and the maker's queue or the one that the
/// rest joins.
pub(crate) const fn matching(taker_positions: u64, maker_positions: u64) -> u64 {
    NODE * (CHAIN + TAKER + MARKET + 2 * OWNER + QUEUE_END + TICKS)
        + NODE * (taker_positions + maker_positions) * VALUED
}

/// A direct input; `way` = nodes on the way to its account.
pub(crate) fn direct(kind: Option<Kind>, way: u64, subaccount: &Subaccount, scan: bool) -> u64 {
    let (positions, open) = (subaccount.position_count.into(), subaccount.open_count.into());
    let work = match kind {
        Some(Kind::Deposit) => lookup(way) + NODE * (CHAIN + SUBACCOUNT + 2 * ACCOUNT),
        Some(Kind::Withdraw) => lookup(way) + withdraw(positions, open, scan),
        Some(Kind::CancelAll) => lookup(way) + cancel_all(open),
        Some(Kind::Report) => report(),
        Some(Kind::Govern) => NODE * (CHAIN + MARKET + REPORTERS),
        None => NODE * CHAIN,
    };
    OPENED_DIRECT + work
}

/// Following a way through the tree of addresses, to its account.
const fn lookup(way: u64) -> u64 {
    NODE * (CHAIN + ACCOUNT + way * ACCOUNT)
}

const _: () = {
    let (positions, open, way) = (POSITIONS as u64, ORDERS as u64, 160);
    assert!(segment(BATCH_BYTES) <= STEP_MAX);
    assert!(tick() <= STEP_MAX);
    // So no tick is ever cut in two.
    assert!(MARKETS_MAX * tick() <= TICK_MAX);
    assert!(envelope(64) <= STEP_MAX);
    assert!(report() <= STEP_MAX);
    assert!(void() <= STEP_MAX);
    assert!(replace(positions, open, true) <= STEP_MAX);
    assert!(matching(positions, positions) <= STEP_MAX);
    assert!(OPENED_DIRECT + lookup(way) + cancel_all(open) <= STEP_MAX);
    assert!(OPENED_DIRECT + lookup(way) + withdraw(positions, open, true) <= STEP_MAX);
    assert!(2 * STEP_MAX <= CHUNK);
};
