//! The header: what a chunk root commits to besides the state, above all where the loop stands.
//!
//! Fields: docs/formats.md §2. Not part of the state tree.

use crate::types::Word;
use crate::words::{get_u32, get_u64, put_u32, put_u64};

/// What the loop does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Open the record under the cursor.
    #[default]
    Record = 0,
    /// Open the segment under the cursor.
    Block = 1,
    /// Run the tick, market by market.
    Tick = 2,
    /// Drain direct inputs for the block.
    Directs = 3,
    /// Run the inputs of the block.
    Inputs = 4,
    /// Run the operations of an envelope.
    Operation = 5,
    /// Match the active taker.
    Match = 6,
    /// The tick at the end of a record.
    DrainTick = 7,
    /// Drain direct inputs at the end of a record.
    DrainDirects = 8,
    /// Void all resting orders after `advance`.
    Void = 9,
}

impl Phase {
    fn from_u8(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Record,
            1 => Self::Block,
            2 => Self::Tick,
            3 => Self::Directs,
            4 => Self::Inputs,
            5 => Self::Operation,
            6 => Self::Match,
            7 => Self::DrainTick,
            8 => Self::DrainDirects,
            9 => Self::Void,
            _ => return None,
        })
    }
}

/// Words of a header.
pub const HEADER_WORDS: usize = 8;

/// Everything a chunk root commits to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Program version.
    pub version: u32,
    /// What comes next.
    pub phase: Phase,
    /// Weight used by the current envelope (trading.md 1.6).
    pub envelope_weight: u64,
    /// Block time.
    pub time_ms: u64,
    /// Number of the newest tick: time / `tick_ms`.
    pub last_tick: u64,
    /// Root of the state tree.
    pub state_root: Word,
    /// Root of the withdrawals tree.
    pub withdrawals_root: Word,
    /// Leaves of the withdrawals tree.
    pub withdrawals_count: u64,
    /// Next direct input.
    pub direct: u64,
    /// Direct inputs before this are drained for the current block.
    pub block_direct_to: u64,
    /// Cursor inside a tick or a voiding.
    pub sub_cursor: u64,
    /// L1 record under the cursor.
    pub record: u64,
    /// Segment under the cursor.
    pub segment: u32,
    /// Input under the cursor.
    pub input: u32,
    /// Operation under the cursor.
    pub operation: u32,
    /// Weight used by the current tick.
    pub tick_weight: u64,
}

impl Header {
    /// The eight words.
    pub fn encode(&self) -> [Word; HEADER_WORDS] {
        let mut out = [[0; 32]; HEADER_WORDS];
        put_u32(&mut out[0], 0, self.version);
        out[0][4] = self.phase as u8;
        put_u64(&mut out[0], 8, self.envelope_weight);
        put_u64(&mut out[0], 16, self.time_ms);
        put_u64(&mut out[0], 24, self.last_tick);
        out[1] = self.state_root;
        out[2] = self.withdrawals_root;
        put_u64(&mut out[3], 0, self.withdrawals_count);
        put_u64(&mut out[3], 8, self.direct);
        put_u64(&mut out[3], 16, self.block_direct_to);
        put_u64(&mut out[3], 24, self.sub_cursor);
        put_u64(&mut out[4], 0, self.record);
        put_u32(&mut out[4], 8, self.segment);
        put_u32(&mut out[4], 12, self.input);
        put_u32(&mut out[4], 16, self.operation);
        put_u64(&mut out[4], 24, self.tick_weight);
        out
    }

    /// Reads what `encode` wrote; None for an unknown phase.
    pub fn decode(words: &[Word; HEADER_WORDS]) -> Option<Self> {
        Some(Self {
            version: get_u32(&words[0], 0),
            phase: Phase::from_u8(words[0][4])?,
            envelope_weight: get_u64(&words[0], 8),
            time_ms: get_u64(&words[0], 16),
            last_tick: get_u64(&words[0], 24),
            state_root: words[1],
            withdrawals_root: words[2],
            withdrawals_count: get_u64(&words[3], 0),
            direct: get_u64(&words[3], 8),
            block_direct_to: get_u64(&words[3], 16),
            sub_cursor: get_u64(&words[3], 24),
            record: get_u64(&words[4], 0),
            segment: get_u32(&words[4], 8),
            input: get_u32(&words[4], 12),
            operation: get_u32(&words[4], 16),
            tick_weight: get_u64(&words[4], 24),
        })
    }
}
