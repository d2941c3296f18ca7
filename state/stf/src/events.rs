//! What happened, told to whoever keeps receipts. Not part of the state.
//!
//! Fields and numbers: docs/formats.md §7. Subaccounts are given by index (account x 16 + number);
//! addresses are looked up by who encodes the receipt.

use crate::types::Address;

/// An order as events tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    /// Subaccount index.
    pub subaccount: u64,
    /// Market number.
    pub market: u32,
    /// Buy or sell.
    pub buy: bool,
    /// Order id.
    pub order_id: u64,
    /// Client id, 0 = none.
    pub client_id: u64,
    /// Limit price.
    pub price_e9: u64,
    /// Asked quantity.
    pub qty_e9: u64,
    /// Filled at once.
    pub filled_e9: u64,
    /// Left resting.
    pub open_e9: u64,
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Type 1.
    OrderPlaced(OrderEvent),
    /// Type 2.
    OrderCancelled {
        /// Subaccount index.
        subaccount: u64,
        /// Market number.
        market: u32,
        /// Order id.
        order_id: u64,
        /// Client id.
        client_id: u64,
        /// What was open.
        qty_e9: u64,
        /// 0 = asked for, else the reason's number.
        reason: u16,
    },
    /// Type 3.
    OrderReplaced(OrderEvent),
    /// Type 4.
    Trade {
        /// Market number.
        market: u32,
        /// The taker bought.
        taker_buy: bool,
        /// The maker's price.
        price_e9: u64,
        /// Quantity.
        qty_e9: u64,
        /// Maker's subaccount index.
        maker: u64,
        /// Maker's order.
        maker_order_id: u64,
        /// Taker's subaccount index.
        taker: u64,
        /// Taker's order.
        taker_order_id: u64,
        /// Paid by the maker (negative: rebate).
        maker_fee_e9: i128,
        /// Paid by the taker.
        taker_fee_e9: i128,
    },
    /// Type 5.
    OperationRejected {
        /// Operation code.
        code: u8,
        /// The reason's number.
        reason: u16,
    },
    /// Type 6.
    Deposited {
        /// Subaccount index.
        subaccount: u64,
        /// Credited.
        amount_e9: i128,
        /// Which direct input.
        direct_index: u64,
    },
    /// Type 7.
    Withdrawn {
        /// Subaccount index.
        subaccount: u64,
        /// Place in the withdrawals tree.
        index: u64,
        /// Token on L1.
        token: Address,
        /// Token units.
        amount: u128,
        /// Who may claim.
        recipient: Address,
        /// Debited.
        amount_e9: i128,
    },
    /// Type 8.
    ReportAccepted {
        /// Feed number.
        feed: u32,
        /// Reporter number.
        reporter: u8,
        /// Price.
        price_e9: u64,
        /// Observed at.
        time_ms: u64,
    },
    /// Type 9.
    Governed {
        /// Which governance operation.
        op: u8,
    },
}
