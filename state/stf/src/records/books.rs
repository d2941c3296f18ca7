//! The order book as plain records: orders, price levels, bitmaps of ticks, client ids, the order
//! being matched.

use crate::store::Record;
use crate::types::Word;
use crate::words::{get_i128, get_u16, get_u32, get_u64, put_i128, put_u16, put_u32, put_u64};

/// An open order; index (its *reference*) = subaccount·256 + slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// subaccount·2^36 + (count mod 2^28)·2^8 + slot.
    pub order_id: u64,
    /// The user's number, 0 = none.
    pub client_id: u64,
    /// Open quantity; 0 = the slot is free.
    pub open_e9: u64,
    /// Quantity asked for.
    pub placed_e9: u64,
    /// Reference + 1 of the order before it on its level, 0 = first.
    pub previous: u64,
    /// Reference + 1 of the order after it, 0 = last.
    pub next: u64,
    /// Price in ticks.
    pub tick: u32,
    /// Market number.
    pub market: u32,
    /// Buy or sell.
    pub buy: bool,
    /// Bit 0: post-only.
    pub flags: u8,
}

impl Record for Order {
    const KIND: u16 = 6;
    const DEPTH: u32 = 36;
    const WORDS: usize = 2;

    fn encode(&self, out: &mut [Word]) {
        put_u64(&mut out[0], 0, self.order_id);
        put_u64(&mut out[0], 8, self.client_id);
        put_u64(&mut out[0], 16, self.open_e9);
        put_u64(&mut out[0], 24, self.placed_e9);
        put_u64(&mut out[1], 0, self.previous);
        put_u64(&mut out[1], 8, self.next);
        put_u32(&mut out[1], 16, self.tick);
        put_u32(&mut out[1], 20, self.market);
        out[1][24] = u8::from(self.buy);
        out[1][25] = self.flags;
    }

    fn decode(words: &[Word]) -> Self {
        Self {
            order_id: get_u64(&words[0], 0),
            client_id: get_u64(&words[0], 8),
            open_e9: get_u64(&words[0], 16),
            placed_e9: get_u64(&words[0], 24),
            previous: get_u64(&words[1], 0),
            next: get_u64(&words[1], 8),
            tick: get_u32(&words[1], 16),
            market: get_u32(&words[1], 20),
            buy: words[1][24] != 0,
            flags: words[1][25],
        }
    }
}

/// The queue at one price; index = market·2^24 + tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Reference + 1 of the oldest order.
    pub head: u64,
    /// Reference + 1 of the newest order.
    pub tail: u64,
    /// Σ open quantity.
    pub open_e9: u64,
    /// Number of orders.
    pub count: u32,
}

impl Record for Level {
    const KIND: u16 = 7;
    const DEPTH: u32 = 36;
    const WORDS: usize = 1;

    fn encode(&self, out: &mut [Word]) {
        put_u64(&mut out[0], 0, self.head);
        put_u64(&mut out[0], 8, self.tail);
        put_u64(&mut out[0], 16, self.open_e9);
        put_u32(&mut out[0], 24, self.count);
    }

    fn decode(words: &[Word]) -> Self {
        Self {
            head: get_u64(&words[0], 0),
            tail: get_u64(&words[0], 8),
            open_e9: get_u64(&words[0], 16),
            count: get_u32(&words[0], 24),
        }
    }
}

/// 256 bits of one node of a side's tick index; index = (market·2 + side)·2^17 + node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    /// Bit b is bit b%64 of limb b/64.
    pub limbs: [u64; 4],
}

impl Record for Ticks {
    const KIND: u16 = 8;
    const DEPTH: u32 = 30;
    const WORDS: usize = 1;

    fn encode(&self, out: &mut [Word]) {
        for (limb, value) in self.limbs.iter().enumerate() {
            put_u64(&mut out[0], limb * 8, *value);
        }
    }

    fn decode(words: &[Word]) -> Self {
        let mut limbs = [0; 4];
        for (limb, value) in limbs.iter_mut().enumerate() {
            *value = get_u64(&words[0], limb * 8);
        }
        Self { limbs }
    }
}

/// Client ids of 64 order slots; index = subaccount·4 + part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIds {
    /// Client id of the order in each slot, 0 = none.
    pub ids: [u64; 64],
}

impl Default for ClientIds {
    fn default() -> Self {
        Self { ids: [0; 64] }
    }
}

impl Record for ClientIds {
    const KIND: u16 = 9;
    const DEPTH: u32 = 30;
    const WORDS: usize = 16;

    fn encode(&self, out: &mut [Word]) {
        for (slot, id) in self.ids.iter().enumerate() {
            put_u64(&mut out[slot / 4], slot % 4 * 8, *id);
        }
    }

    fn decode(words: &[Word]) -> Self {
        let mut ids = [0; 64];
        for (slot, id) in ids.iter_mut().enumerate() {
            *id = get_u64(&words[slot / 4], slot % 4 * 8);
        }
        Self { ids }
    }
}

/// The order that is being matched, between the steps of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taker {
    /// Its order id.
    pub order_id: u64,
    /// Its client id.
    pub client_id: u64,
    /// Quantity not yet filled.
    pub left_e9: u64,
    /// Quantity filled.
    pub filled_e9: u64,
    /// Subaccount index.
    pub subaccount: u64,
    /// Limit in ticks.
    pub tick: u32,
    /// Market number.
    pub market: u32,
    /// Buy or sell.
    pub buy: bool,
    /// Time in force.
    pub tif: u8,
    /// Bit 0: post-only.
    pub flags: u8,
    /// Fills so far, at most 64.
    pub fills: u16,
    /// It passes by the second clause of trading.md 5.4: tested after each fill.
    pub reducing: bool,
    /// An order is being matched.
    pub active: bool,
    /// Order slot kept for its rest.
    pub slot: u16,
    /// Σ fill values.
    pub notional_e9: i128,
}

impl Record for Taker {
    const KIND: u16 = 13;
    const DEPTH: u32 = 0;
    const WORDS: usize = 4;

    fn encode(&self, out: &mut [Word]) {
        put_u64(&mut out[0], 0, self.order_id);
        put_u64(&mut out[0], 8, self.client_id);
        put_u64(&mut out[0], 16, self.left_e9);
        put_u64(&mut out[0], 24, self.filled_e9);
        put_u64(&mut out[1], 0, self.subaccount);
        put_u32(&mut out[1], 8, self.tick);
        put_u32(&mut out[1], 12, self.market);
        out[1][16] = u8::from(self.buy);
        out[1][17] = self.tif;
        out[1][18] = self.flags;
        put_u16(&mut out[1], 20, self.fills);
        out[1][22] = u8::from(self.reducing);
        out[1][23] = u8::from(self.active);
        put_u16(&mut out[1], 24, self.slot);
        put_i128(&mut out[2], 0, self.notional_e9);
    }

    fn decode(words: &[Word]) -> Self {
        Self {
            order_id: get_u64(&words[0], 0),
            client_id: get_u64(&words[0], 8),
            left_e9: get_u64(&words[0], 16),
            filled_e9: get_u64(&words[0], 24),
            subaccount: get_u64(&words[1], 0),
            tick: get_u32(&words[1], 8),
            market: get_u32(&words[1], 12),
            buy: words[1][16] != 0,
            tif: words[1][17],
            flags: words[1][18],
            fills: get_u16(&words[1], 20),
            reducing: words[1][22] != 0,
            active: words[1][23] != 0,
            slot: get_u16(&words[1], 24),
            notional_e9: get_i128(&words[2], 0),
        }
    }
}
