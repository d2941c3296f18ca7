//! The records of the state: one struct per row of docs/formats.md §1.
//!
//! Holds: `decode(encode(r)) == r`; `Default` encodes to zero words, which is "absent".
//! Not here: what the fields mean to trading (`ops`, `margin`), where they are kept (`store`).

mod accounts;
mod books;
mod chain;
mod header;
mod markets;

pub use accounts::{Account, AddressNode, Position, Subaccount};
pub use books::{ClientIds, Level, Order, Taker, Ticks};
pub use chain::{Chain, ReportRecord, Reporter, WithdrawalFrontier};
pub use header::{HEADER_WORDS, Header, Phase};
pub use markets::{Market, MarketState};

/// Subaccounts of one account.
pub const SUBACCOUNTS: u64 = 16;
/// Position slots of one subaccount (trading.md §2).
pub const POSITIONS: usize = 32;
/// Open orders of one subaccount (trading.md §2).
pub const ORDERS: usize = 256;
