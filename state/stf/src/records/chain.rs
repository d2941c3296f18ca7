//! Chain-wide records: counters and sinks, reporters and their newest reports, the withdrawals
//! frontier.

use crate::store::Record;
use crate::types::{Address, Word};
use crate::words::{
    get_address, get_i128, get_u32, get_u64, put_address, put_i128, put_u32, put_u64,
};

/// Counters, sinks, the quote asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Accounts made so far; indices 1 to this.
    pub account_count: u32,
    /// Root of the address tree: 0 none, 2·account leaf, 2·node + 1 node.
    pub address_root: u32,
    /// Length of a tick (trading.md 1.7).
    pub tick_ms: u64,
    /// Oldest report that counts (trading.md 4.1).
    pub max_age_ms: u64,
    /// Reporters listed.
    pub reporter_count: u32,
    /// Markets listed.
    pub market_count: u32,
    /// Fee sink.
    pub fees_e9: i128,
    /// Rounding sink.
    pub rounding_e9: i128,
    /// Total of deposits.
    pub deposits_e9: i128,
    /// Total of withdrawals.
    pub withdrawals_e9: i128,
    /// The quote token on L1.
    pub token: Address,
    /// 1e-9 USD in one token unit; 0 = none listed.
    pub unit_e9: u64,
    /// The vault on L1.
    pub vault: Address,
    /// Deposits that named no valid subaccount or token.
    pub rejected_deposits_e9: i128,
}

impl Record for Chain {
    const KIND: u16 = 0;
    const DEPTH: u32 = 0;
    const WORDS: usize = 8;

    fn encode(&self, out: &mut [Word]) {
        put_u32(&mut out[0], 0, self.account_count);
        put_u32(&mut out[0], 4, self.address_root);
        put_u64(&mut out[0], 8, self.tick_ms);
        put_u64(&mut out[0], 16, self.max_age_ms);
        put_u32(&mut out[0], 24, self.reporter_count);
        put_u32(&mut out[0], 28, self.market_count);
        put_i128(&mut out[1], 0, self.fees_e9);
        put_i128(&mut out[1], 16, self.rounding_e9);
        put_i128(&mut out[2], 0, self.deposits_e9);
        put_i128(&mut out[2], 16, self.withdrawals_e9);
        put_address(&mut out[3], 0, self.token);
        put_u64(&mut out[3], 24, self.unit_e9);
        put_address(&mut out[4], 0, self.vault);
        put_i128(&mut out[5], 0, self.rejected_deposits_e9);
    }

    fn decode(words: &[Word]) -> Self {
        Self {
            account_count: get_u32(&words[0], 0),
            address_root: get_u32(&words[0], 4),
            tick_ms: get_u64(&words[0], 8),
            max_age_ms: get_u64(&words[0], 16),
            reporter_count: get_u32(&words[0], 24),
            market_count: get_u32(&words[0], 28),
            fees_e9: get_i128(&words[1], 0),
            rounding_e9: get_i128(&words[1], 16),
            deposits_e9: get_i128(&words[2], 0),
            withdrawals_e9: get_i128(&words[2], 16),
            token: get_address(&words[3], 0),
            unit_e9: get_u64(&words[3], 24),
            vault: get_address(&words[4], 0),
            rejected_deposits_e9: get_i128(&words[5], 0),
        }
    }
}

/// A reporter's signing address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reporter {
    /// Zero = removed.
    pub address: Address,
}

impl Record for Reporter {
    const KIND: u16 = 10;
    const DEPTH: u32 = 5;
    const WORDS: usize = 1;

    fn encode(&self, out: &mut [Word]) {
        put_address(&mut out[0], 0, self.address);
    }

    fn decode(words: &[Word]) -> Self {
        Self { address: get_address(&words[0], 0) }
    }
}

/// The newest report of one reporter on one feed; index = feed·32 + reporter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportRecord {
    /// USD x 1e9.
    pub price_e9: u64,
    /// When it was observed; 0 = never.
    pub time_ms: u64,
}

impl Record for ReportRecord {
    const KIND: u16 = 11;
    const DEPTH: u32 = 17;
    const WORDS: usize = 1;

    fn encode(&self, out: &mut [Word]) {
        put_u64(&mut out[0], 0, self.price_e9);
        put_u64(&mut out[0], 8, self.time_ms);
    }

    fn decode(words: &[Word]) -> Self {
        Self { price_e9: get_u64(&words[0], 0), time_ms: get_u64(&words[0], 8) }
    }
}

/// Frontier of the withdrawals tree (docs/formats.md §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WithdrawalFrontier {
    /// Newest complete left node of each height.
    pub nodes: [Word; 32],
}

impl Record for WithdrawalFrontier {
    const KIND: u16 = 12;
    const DEPTH: u32 = 0;
    const WORDS: usize = 32;

    fn encode(&self, out: &mut [Word]) {
        out.copy_from_slice(&self.nodes);
    }

    fn decode(words: &[Word]) -> Self {
        let mut nodes = [[0; 32]; 32];
        nodes.copy_from_slice(words);
        Self { nodes }
    }
}
