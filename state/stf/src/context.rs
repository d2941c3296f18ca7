//! The context: all that a chunk is told without proof (docs/formats.md §3).
//!
//! In: eight words. Out: the root before, what the epoch consists of, where we are.
//! Holds: L1 fixes every word of it (rollup.md 4.3).
//! Not here: the data under its roots (`witness_inputs`).

use crate::types::{Address, Word, ZERO};
use crate::words::{get_address, get_u32, get_u64, put_address, put_u32, put_u64};

/// Words of a context.
pub const CONTEXT_WORDS: usize = 8;

/// What a chunk is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Chunk root before.
    pub previous: Word,
    /// Root of the tree of L1 records at the end of the epoch.
    pub records_root: Word,
    /// Records in it.
    pub records_count: u64,
    /// Root of the tree of direct inputs at the end of the epoch.
    pub directs_root: Word,
    /// Direct inputs in it.
    pub directs_count: u64,
    /// Program version that the epoch is judged by.
    pub version: u32,
    /// Chain id of the L2.
    pub chain_id: u64,
    /// The Inbox on L1.
    pub inbox: Address,
}

impl Context {
    /// The eight words.
    pub fn encode(&self) -> [Word; CONTEXT_WORDS] {
        let mut out = [ZERO; CONTEXT_WORDS];
        out[0] = self.previous;
        out[1] = self.records_root;
        put_u64(&mut out[2], 0, self.records_count);
        out[3] = self.directs_root;
        put_u64(&mut out[4], 0, self.directs_count);
        put_u32(&mut out[5], 0, self.version);
        put_u64(&mut out[6], 0, self.chain_id);
        put_address(&mut out[7], 0, self.inbox);
        out
    }

    /// Reads what `encode` wrote.
    pub fn decode(words: &[Word; CONTEXT_WORDS]) -> Self {
        Self {
            previous: words[0],
            records_root: words[1],
            records_count: get_u64(&words[2], 0),
            directs_root: words[3],
            directs_count: get_u64(&words[4], 0),
            version: get_u32(&words[5], 0),
            chain_id: get_u64(&words[6], 0),
            inbox: get_address(&words[7], 0),
        }
    }
}
