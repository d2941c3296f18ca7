//! Little-endian integers inside 32-byte words (docs/formats.md §1).
//!
//! In: a word and an offset that the caller fixes at compile time. Out: the integer, or the word
//! changed.
//! Holds: offsets are constants of `records`; a wrong one is caught by the round-trip tests.

use crate::types::{Address, Word};

macro_rules! integer {
    ($get:ident, $put:ident, $type:ty, $size:literal) => {
        /// Reads the integer at `at`.
        pub(crate) fn $get(word: &Word, at: usize) -> $type {
            let mut bytes = [0; $size];
            bytes.copy_from_slice(&word[at..at + $size]);
            <$type>::from_le_bytes(bytes)
        }

        /// Writes the integer at `at`.
        pub(crate) fn $put(word: &mut Word, at: usize, value: $type) {
            word[at..at + $size].copy_from_slice(&value.to_le_bytes());
        }
    };
}

integer!(get_u16, put_u16, u16, 2);
integer!(get_u32, put_u32, u32, 4);
integer!(get_i32, put_i32, i32, 4);
integer!(get_u64, put_u64, u64, 8);
integer!(get_i64, put_i64, i64, 8);
integer!(get_i128, put_i128, i128, 16);

/// Reads the address at `at`.
pub(crate) fn get_address(word: &Word, at: usize) -> Address {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&word[at..at + 20]);
    Address(bytes)
}

/// Writes the address at `at`.
pub(crate) fn put_address(word: &mut Word, at: usize, value: Address) {
    word[at..at + 20].copy_from_slice(&value.0);
}
