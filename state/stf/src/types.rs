//! The values that travel through the transition: operations, envelopes, inputs, blocks, L1
//! records.
//!
//! In: decoded by `codec` and `envelope`. Out: read by `machine` and `ops`.
//! Holds: sizes are bounded by their decoders (64 operations, 256 inputs, 1 KB of direct data).
//! Not here: how they are encoded (`codec`, `envelope`, `direct`), what they do (`ops`).

use alloc::vec::Vec;

/// Thirty-two bytes: a hash, or a cell of a record.
pub type Word = [u8; 32];
/// The zero word: an absent leaf.
pub const ZERO: Word = [0; 32];

/// An Ethereum address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(pub [u8; 20]);

/// Units of 1e-9 in one.
pub const E9: u64 = 1_000_000_000;
/// Parts per million in one.
pub const PPM: u64 = 1_000_000;

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc = 0,
    /// What does not fill at once is cancelled.
    Ioc = 1,
}

/// A limit order as asked for (trading.md 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Market number.
    pub market: u32,
    /// Buy or sell.
    pub buy: bool,
    /// Limit, USD x 1e9.
    pub price_e9: u64,
    /// Quantity, base x 1e9.
    pub qty_e9: u64,
    /// How long it lives.
    pub tif: TimeInForce,
    /// Refuse rather than take.
    pub post_only: bool,
    /// The user's own number for it, 0 = none.
    pub client_id: u64,
}

/// One thing a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Place an order.
    Place(Place),
    /// Cancel by client id.
    Cancel {
        /// Market number.
        market: u32,
        /// The user's number of the order.
        client_id: u64,
    },
    /// Cancel by order id.
    CancelById {
        /// The order's id.
        order_id: u64,
    },
    /// New price and open quantity for the order with this client id.
    Replace {
        /// Market number.
        market: u32,
        /// The user's number of the order.
        client_id: u64,
        /// New limit.
        price_e9: u64,
        /// New open quantity.
        qty_e9: u64,
    },
    /// Cancel everything open, in one market or in all.
    CancelAll {
        /// None = all markets.
        market: Option<u32>,
    },
    /// Take quote out to L1.
    Withdraw {
        /// The token on L1.
        token: Address,
        /// Token units.
        amount: u128,
        /// Who may claim it.
        recipient: Address,
    },
}

impl Operation {
    /// The code of the operation byte (docs/formats.md §4, column 7).
    pub const fn code(&self) -> u8 {
        match self {
            Self::Place(_) => 1,
            Self::Cancel { .. } => 2,
            Self::CancelById { .. } => 3,
            Self::Replace { .. } => 4,
            Self::CancelAll { .. } => 5,
            Self::Withdraw { .. } => 6,
        }
    }
}

/// Type and fee fields of the Ethereum transaction that carries an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Type 2 with tip 1, max fee 3, gas 1,000,000.
    Type2Default,
    /// Type 2 with other fee fields.
    Type2 {
        /// maxPriorityFeePerGas.
        tip: u64,
        /// maxFeePerGas.
        max_fee: u64,
        /// Gas limit.
        gas: u64,
    },
    /// Type 0 with EIP-155.
    Legacy {
        /// gasPrice.
        gas_price: u64,
        /// Gas limit.
        gas: u64,
    },
}

/// Operations under one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Transaction type and fee fields.
    pub form: Form,
    /// Account index of the signer, as claimed by who sequenced it; checked against the signature.
    pub account: u32,
    /// Strict nonce of the signer.
    pub nonce: u64,
    /// Subaccount number.
    pub subaccount: u32,
    /// True = the `batch` function, false = one operation by its own function.
    pub batch: bool,
    /// 1 to 64 operations; exactly 1 unless `batch`.
    pub operations: Vec<Operation>,
    /// EIP-2098 signature.
    pub signature: [u8; 64],
}

/// An oracle report, signed by EIP-712.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Feed number.
    pub feed: u32,
    /// USD x 1e9.
    pub price_e9: u64,
    /// When it was observed.
    pub time_ms: u64,
    /// EIP-2098 signature.
    pub signature: [u8; 64],
}

/// What a block contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A user's envelope.
    Envelope(Envelope),
    /// An oracle report.
    Report(Report),
}

/// What is known of the signature of an input before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// Nothing: recover when it runs (the guest).
    Unknown,
    /// Recovered beforehand, in parallel (native).
    Known(Address),
    /// Tried beforehand: not a valid low-s signature.
    Invalid,
}

/// One input of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it says.
    pub body: Body,
    /// Who signed it.
    pub signer: Signer,
}

/// A block: at most 256 inputs at one time. One segment of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Time of all its inputs.
    pub time_ms: u64,
    /// Direct inputs before this index are drained ahead of its inputs.
    pub direct_to: u64,
    /// In order.
    pub inputs: Vec<Input>,
}

/// An L1 record: what the Inbox's content chain is made of (docs/formats.md §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMeta {
    /// True = batch, false = advance.
    pub batch: bool,
    /// Bytes of data.
    pub length: u32,
    /// First time.
    pub t_first_ms: u64,
    /// Last time.
    pub t_last_ms: u64,
    /// Direct inputs before this index are drained at its end.
    pub direct_to: u64,
}

/// A direct input from L1, opened (docs/formats.md §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// Kind number.
    pub kind: u8,
    /// Who sent it on L1.
    pub sender: Address,
    /// Its place in the queue.
    pub index: u64,
    /// When L1 took it.
    pub time_ms: u64,
    /// At most 1,024 bytes.
    pub data: Vec<u8>,
}
