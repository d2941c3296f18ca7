//! What unit tests share: a seeded generator.
//!
//! Not here: stores (`ram`) and platforms (`hash::Software`), which tests use as they are.

use crate::types::Address;

/// Xorshift64*, so that a run repeats by its seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn address(&mut self) -> Address {
        let mut bytes = [0; 20];
        for byte in &mut bytes {
            *byte = self.next().to_le_bytes()[7];
        }
        Address(bytes)
    }
}
