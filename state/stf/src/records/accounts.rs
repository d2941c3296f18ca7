//! Accounts, the tree that finds them by address, their subaccounts and positions.

use super::POSITIONS;
use crate::store::Record;
use crate::types::{Address, Word};
use crate::words::{
    get_address, get_i64, get_i128, get_u16, get_u32, get_u64, put_address, put_i64, put_i128,
    put_u16, put_u32, put_u64,
};

/// An address that has ever received a deposit; index from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its address.
    pub address: Address,
    /// Next nonce of the Ethereum form (trading.md 1.4).
    pub nonce: u64,
    /// Which subaccounts exist.
    pub subaccounts: u16,
}

impl Record for Account {
    const KIND: u16 = 1;
    const DEPTH: u32 = 24;
    const WORDS: usize = 2;

    fn encode(&self, out: &mut [Word]) {
        put_address(&mut out[0], 0, self.address);
        put_u64(&mut out[0], 24, self.nonce);
        put_u16(&mut out[1], 0, self.subaccounts);
    }

    fn decode(words: &[Word]) -> Self {
        Self {
            address: get_address(&words[0], 0),
            nonce: get_u64(&words[0], 24),
            subaccounts: get_u16(&words[1], 0),
        }
    }
}

/// Inner node of the crit-bit tree over addresses; index = the account whose insertion made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressNode {
    /// First differing bit, 0 = most significant of the address.
    pub bit: u8,
    /// Child for bit 0: 2·account, or 2·node + 1.
    pub left: u64,
    /// Child for bit 1.
    pub right: u64,
}

impl Record for AddressNode {
    const KIND: u16 = 2;
    const DEPTH: u32 = 24;
    const WORDS: usize = 1;

    fn encode(&self, out: &mut [Word]) {
        out[0][0] = self.bit;
        put_u64(&mut out[0], 8, self.left);
        put_u64(&mut out[0], 16, self.right);
    }

    fn decode(words: &[Word]) -> Self {
        Self { bit: words[0][0], left: get_u64(&words[0], 8), right: get_u64(&words[0], 16) }
    }
}

/// A pocket of margin; index = account·16 + number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subaccount {
    /// Quote balance.
    pub balance_e9: i128,
    /// Orders ever placed (for order ids).
    pub placed_count: u32,
    /// Orders open now, at most 256.
    pub open_count: u16,
    /// Position slots in use, at most 32.
    pub position_count: u8,
    /// It was made by a deposit.
    pub exists: bool,
    /// Order slots in use: slot s is byte s/8, bit s%8.
    pub open_slots: Word,
    /// Market + 1 of each position slot, 0 = free.
    pub slots: [u16; POSITIONS],
}

impl Record for Subaccount {
    const KIND: u16 = 3;
    const DEPTH: u32 = 28;
    const WORDS: usize = 8;

    fn encode(&self, out: &mut [Word]) {
        put_i128(&mut out[0], 0, self.balance_e9);
        put_u32(&mut out[0], 16, self.placed_count);
        put_u16(&mut out[0], 20, self.open_count);
        out[0][22] = self.position_count;
        out[0][23] = u8::from(self.exists);
        out[1] = self.open_slots;
        for (slot, market) in self.slots.iter().enumerate() {
            put_u16(&mut out[2 + slot / 16], slot % 16 * 2, *market);
        }
    }

    fn decode(words: &[Word]) -> Self {
        let mut slots = [0; POSITIONS];
        for (slot, market) in slots.iter_mut().enumerate() {
            *market = get_u16(&words[2 + slot / 16], slot % 16 * 2);
        }
        Self {
            balance_e9: get_i128(&words[0], 0),
            placed_count: get_u32(&words[0], 16),
            open_count: get_u16(&words[0], 20),
            position_count: words[0][22],
            exists: words[0][23] != 0,
            open_slots: words[1],
            slots,
        }
    }
}

/// Position and open-order sums of one subaccount in one market; index = subaccount·32 + slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Signed size.
    pub size_e9: i64,
    /// Signed entry value, USD.
    pub entry_value_e9: i128,
    /// Market number.
    pub market: u32,
    /// Σ open buy quantity.
    pub buys_e9: u64,
    /// Σ open sell quantity.
    pub sells_e9: u64,
    /// Number of open orders.
    pub open_orders: u16,
}

impl Record for Position {
    const KIND: u16 = 4;
    const DEPTH: u32 = 33;
    const WORDS: usize = 2;

    fn encode(&self, out: &mut [Word]) {
        put_i64(&mut out[0], 0, self.size_e9);
        put_i128(&mut out[0], 8, self.entry_value_e9);
        put_u32(&mut out[0], 24, self.market);
        put_u64(&mut out[1], 0, self.buys_e9);
        put_u64(&mut out[1], 8, self.sells_e9);
        put_u16(&mut out[1], 16, self.open_orders);
    }

    fn decode(words: &[Word]) -> Self {
        Self {
            size_e9: get_i64(&words[0], 0),
            entry_value_e9: get_i128(&words[0], 8),
            market: get_u32(&words[0], 24),
            buys_e9: get_u64(&words[1], 0),
            sells_e9: get_u64(&words[1], 8),
            open_orders: get_u16(&words[1], 16),
        }
    }
}
