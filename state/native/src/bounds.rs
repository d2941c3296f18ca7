//! How many bytes inputs may take in a batch, known before the batch is encoded.
//!
//! In: inputs as they are appended. Out: an upper bound of the encoded size of the open block.
//! Holds: never less than what `stf::codec` writes. Differences of prices and of client ids are at
//! most as long as the longest value of the block, because |a - b| ≤ max(a, b); powers of ten only
//! shorten them.
//! Not here: the limits (`core`), the encoding (`stf::codec`).

use stf::types::{Envelope, Form, Operation, Report};

/// Bytes of a block before its inputs: time, `direct_to`, number of inputs, and its size in the
/// directory.
pub(crate) const BLOCK_BYTES: u64 = 10 + 10 + 2 + 3;
/// Form byte and signature.
const INPUT_BYTES: u64 = 1 + 64;
/// Account index where it is introduced, and the 0 before it.
const ACCOUNT_BYTES: u64 = 1 + 5;
/// A nonce: the distance from one that is lower wraps, whatever the nonce itself.
const NONCE_BYTES: u64 = 10;

/// Parts of a bound. The total needs the longest price and client id of the whole block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    fixed: u64,
    prices: u64,
    price_length: u64,
    clients: u64,
    client_length: u64,
}

/// Length of a varint.
const fn length(value: u128) -> u64 {
    let bits = 128 - value.leading_zeros() as u64;
    if bits == 0 { 1 } else { bits.div_ceil(7) }
}

/// Length of a zigzag varint of a value as far from zero as this; at most 10.
const fn signed_length(value: u64) -> u64 {
    let doubled = length((value as u128) << 1 | 1);
    if doubled > 10 { 10 } else { doubled }
}

impl Bound {
    /// Bound of one envelope.
    pub(crate) fn of_envelope(envelope: &Envelope) -> Self {
        let fees = match envelope.form {
            Form::Type2Default => 0,
            Form::Type2 { tip, max_fee, gas } => plain(tip) + plain(max_fee) + plain(gas),
            Form::Legacy { gas_price, gas } => plain(gas_price) + plain(gas),
        };
        let head = INPUT_BYTES + ACCOUNT_BYTES + NONCE_BYTES + fees;
        let mut bound =
            Self { fixed: head + plain(envelope.subaccount.into()) + 1, ..Self::default() };
        for operation in &envelope.operations {
            bound.add_operation(operation);
        }
        bound
    }

    /// Bound of one report.
    pub(crate) fn of_report(report: &Report) -> Self {
        Self {
            fixed: INPUT_BYTES + plain(report.feed.into()) + 10,
            prices: 1,
            price_length: signed_length(report.price_e9),
            ..Self::default()
        }
    }

    fn add_operation(&mut self, operation: &Operation) {
        self.fixed += 1;
        match operation {
            Operation::Place(place) => {
                self.add_level(place.market, place.price_e9, place.qty_e9, place.client_id);
            }
            Operation::Cancel { market, client_id } => {
                self.fixed += plain((*market).into());
                self.add_client(*client_id);
            }
            Operation::CancelById { order_id } => self.fixed += plain(*order_id),
            Operation::Replace { market, client_id, price_e9, qty_e9 } => {
                self.add_level(*market, *price_e9, *qty_e9, *client_id);
            }
            Operation::CancelAll { market } => {
                self.fixed += plain(u64::from(market.unwrap_or(0)) + 1);
            }
            Operation::Withdraw { amount, .. } => self.fixed += 40 + length(*amount),
        }
    }

    /// Market, its exponents byte, price, quantity and client id.
    fn add_level(&mut self, market: u32, price_e9: u64, qty_e9: u64, client_id: u64) {
        self.fixed += plain(market.into()) + 1 + plain(qty_e9);
        self.prices += 1;
        self.price_length = self.price_length.max(signed_length(price_e9));
        self.add_client(client_id);
    }

    fn add_client(&mut self, client_id: u64) {
        self.clients += 1;
        self.client_length = self.client_length.max(signed_length(client_id));
    }

    /// The bound of both together.
    pub(crate) fn with(&self, other: &Self) -> Self {
        Self {
            fixed: self.fixed + other.fixed,
            prices: self.prices + other.prices,
            price_length: self.price_length.max(other.price_length),
            clients: self.clients + other.clients,
            client_length: self.client_length.max(other.client_length),
        }
    }

    /// Bytes at most.
    pub(crate) const fn total(&self) -> u64 {
        self.fixed + self.prices * self.price_length + self.clients * self.client_length
    }
}

const fn plain(value: u64) -> u64 {
    length(value as u128)
}
