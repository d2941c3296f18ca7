//! What each step costs at most, in VM instructions, from sizes known before it runs (rollup.md 3.2).
//!
//! In: counts of records that a step may touch. Out: weights; chunks and envelopes are cut by them.
//! Holds: every step is at most 2^25, so a chunk of 2^26 always makes progress; asserted below.
//! Not here: measuring them against the VM (CI does, on the guest).

use crate::direct::Kind;
use crate::records::{ORDERS, POSITIONS, Subaccount};
use crate::types::Operation;

/// A chunk ends before the step that would pass this.
pub const CHUNK: u64 = 1 << 26;
/// An envelope's operations are refused `too_heavy` beyond this (trading.md 1.6).
pub const ENVELOPE: u64 = 1 << 30;
/// Most that one step may weigh.
pub const STEP_MAX: u64 = 1 << 25;

/// One record found, checked against the root, changed and hashed again.
const RECORD: u64 = 12_288;
/// One open order read beside its neighbours.
const SCANNED_ORDER: u64 = 3_072;
/// A phase entered, a cursor moved.
pub(crate) const CURSOR: u64 = 4_096;
/// Digest and recovery of a signature.
const SIGNATURE: u64 = 1 << 19;
/// One byte of a segment decoded and encoded again, its page hashed.
const SEGMENT_BYTE: u64 = 256;
/// The directory and what does not depend on size.
const SEGMENT: u64 = 1 << 20;
/// Most bytes of a batch (docs/formats.md §3).
const BATCH_BYTES: u64 = 117_956;
/// Records behind one open order: itself, two neighbours, its level, three tick nodes.
const ORDER_RECORDS: u64 = 7;
/// Records of an account's other half: subaccount, position, market, client ids, chain, taker.
const SHARED_RECORDS: u64 = 9;
/// Records read per position to value it with its book's best prices: position, market, six tick nodes.
const POSITION_RECORDS: u64 = 8;

/// Orders voided in one step after `advance`.
pub(crate) const VOIDED_PER_STEP: u64 = 8;

/// Opening a segment of `size` bytes.
pub(crate) const fn segment(size: u64) -> u64 {
    SEGMENT + size * SEGMENT_BYTE
}

/// A market's part of a tick: market, six tick nodes, a reporter and a report of each.
pub(crate) const fn tick() -> u64 {
    RECORD * (8 + 2 * 32)
}

/// Opening an envelope of so many operations.
pub(crate) const fn envelope(operations: u64) -> u64 {
    SIGNATURE + RECORD * 2 + operations * 1_024
}

/// A report: its signature, the reporters, the newest of its reporter.
pub(crate) const fn report() -> u64 {
    SIGNATURE + RECORD * 34
}

/// Voiding a few orders.
pub(crate) const fn void() -> u64 {
    VOIDED_PER_STEP * RECORD * (ORDER_RECORDS + SHARED_RECORDS)
}

/// What the sizes of a subaccount make it cost to value it; `scan` adds each open order.
const fn valuation(positions: u64, open: u64, scan: bool) -> u64 {
    positions * POSITION_RECORDS * RECORD + if scan { open * SCANNED_ORDER } else { 0 }
}

const fn place(positions: u64, open: u64, scan: bool) -> u64 {
    RECORD * (2 * ORDER_RECORDS + SHARED_RECORDS + 8) + valuation(positions, open, scan)
}

const fn cancel_all(open: u64) -> u64 {
    RECORD * (SHARED_RECORDS + POSITIONS as u64 * 2) + open * ORDER_RECORDS * RECORD
}

const fn withdraw(positions: u64, open: u64, scan: bool) -> u64 {
    RECORD * 40 + valuation(positions, open, scan)
}

/// An operation's first step.
pub(crate) fn operation(operation: &Operation, subaccount: &Subaccount, scan: bool) -> u64 {
    let (positions, open) = (subaccount.position_count.into(), subaccount.open_count.into());
    match operation {
        Operation::Place(_) | Operation::Replace { .. } => place(positions, open, scan),
        Operation::Cancel { .. } | Operation::CancelById { .. } => {
            RECORD * (ORDER_RECORDS + SHARED_RECORDS)
        }
        Operation::CancelAll { .. } => cancel_all(open),
        Operation::Withdraw { .. } => withdraw(positions, open, scan),
    }
}

/// A step of matching: both accounts valued, both changed, the taker's rest.
pub(crate) const fn matching(taker_positions: u64, maker_positions: u64) -> u64 {
    RECORD * (2 * ORDER_RECORDS + 2 * SHARED_RECORDS + 8)
        + (taker_positions + maker_positions) * 2 * RECORD
}

/// A direct input: finding or making its account, then what it asks for.
pub(crate) fn direct(kind: Option<Kind>, subaccount: &Subaccount, scan: bool) -> u64 {
    let (positions, open) = (subaccount.position_count.into(), subaccount.open_count.into());
    match kind {
        Some(Kind::Deposit) => lookup(),
        Some(Kind::Withdraw) => lookup() + withdraw(positions, open, scan),
        Some(Kind::CancelAll) => lookup() + cancel_all(open),
        Some(Kind::Report) => report(),
        Some(Kind::Govern) => RECORD * 40,
        None => RECORD * 2,
    }
}

/// The longest way through the tree of addresses, twice at an insertion.
const fn lookup() -> u64 {
    RECORD * (160 + 8)
}

const _: () = {
    let (positions, open) = (POSITIONS as u64, ORDERS as u64);
    assert!(segment(BATCH_BYTES) <= STEP_MAX);
    assert!(tick() <= STEP_MAX);
    assert!(envelope(64) <= STEP_MAX);
    assert!(report() <= STEP_MAX);
    assert!(void() <= STEP_MAX);
    assert!(place(positions, open, true) <= STEP_MAX);
    assert!(matching(positions, positions) <= STEP_MAX);
    assert!(lookup() + cancel_all(open) <= STEP_MAX);
    assert!(lookup() + withdraw(positions, open, true) <= STEP_MAX);
    assert!(2 * STEP_MAX <= CHUNK);
};
