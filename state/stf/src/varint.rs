//! Variable-length integers in their one canonical form, and the reader over bytes that all
//! decoders share.
//!
//! In: bytes of a batch or of calldata. Out: integers, or why there is none.
//! Holds: total; LEB128 with the least bytes (docs/formats.md §4), so one value has one encoding.
//! Not here: what the integers mean (`codec`, `operations`).

use crate::error::Reject;
use alloc::vec::Vec;

/// Why bytes do not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// They end too early.
    Truncated,
    /// Not the least bytes, or out of the range of the field.
    NotCanonical,
}

impl From<Broken> for Reject {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Truncated => Self::Malformed,
            Broken::NotCanonical => Self::NonCanonicalEncoding,
        }
    }
}

/// A cursor over bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not yet read.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, Broken> {
        let (first, rest) = self.rest.split_first().ok_or(Broken::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// The next `size` bytes.
    pub fn take(&mut self, size: usize) -> Result<&'a [u8], Broken> {
        let (head, rest) = self.rest.split_at_checked(size).ok_or(Broken::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Broken::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    /// A varint of at most 64 bits.
    pub fn varint(&mut self) -> Result<u64, Broken> {
        // Most varints of a segment are one byte.
        if let Some((&first, rest)) = self.rest.split_first()
            && first < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(first));
        }
        u64::try_from(self.varint_u128()?).map_err(|_| Broken::NotCanonical)
    }

    /// A varint of at most 32 bits.
    pub fn varint_u32(&mut self) -> Result<u32, Broken> {
        u32::try_from(self.varint()?).map_err(|_| Broken::NotCanonical)
    }

    /// A varint of at most 128 bits.
    pub fn varint_u128(&mut self) -> Result<u128, Broken> {
        let mut value = 0_u128;
        // 18 × 7 = 126: the nineteenth byte has room for two bits.
        for shift in (0..=126_u32).step_by(7) {
            let byte = self.byte()?;
            if shift == 126 && byte > 3 {
                return Err(Broken::NotCanonical);
            }
            value |= u128::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                // A last byte of zero adds nothing: the same value has a shorter form.
                return if byte == 0 && shift > 0 { Err(Broken::NotCanonical) } else { Ok(value) };
            }
        }
        Err(Broken::NotCanonical)
    }

    /// A zigzag varint: a wrapping difference of 64 bits.
    pub fn difference(&mut self) -> Result<u64, Broken> {
        self.varint().map(unzigzag)
    }
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, value: u64) {
    let mut rest = value;
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a varint of up to 128 bits.
pub fn put_varint_u128(out: &mut Vec<u8>, value: u128) {
    let mut rest = value;
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends `value - previous` (wrapping) as a zigzag varint.
pub fn put_difference(out: &mut Vec<u8>, value: u64, previous: u64) {
    put_varint(out, zigzag(value.wrapping_sub(previous)));
}

/// Small differences of either sign become small numbers.
pub const fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ (difference.cast_signed() >> 63).cast_unsigned()
}

/// Undoes `zigzag`.
pub const fn unzigzag(value: u64) -> u64 {
    (value >> 1) ^ (value & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_varint_reads_back_at_every_width() {
        for bits in 0..128 {
            for value in [1_u128 << bits, (1_u128 << bits) - 1, u128::MAX >> bits] {
                let mut out = Vec::new();
                put_varint_u128(&mut out, value);
                assert!(out.len() <= 19);
                let mut reader = Reader::new(&out);
                assert_eq!(reader.varint_u128(), Ok(value));
                assert_eq!(reader.remaining(), 0);
                if let Ok(small) = u64::try_from(value) {
                    let mut short = Vec::new();
                    put_varint(&mut short, small);
                    assert_eq!(short, out);
                    assert_eq!(Reader::new(&out).varint(), Ok(small));
                    assert!(out.len() <= 10);
                } else {
                    assert_eq!(Reader::new(&out).varint(), Err(Broken::NotCanonical));
                }
            }
        }
    }

    #[test]
    fn a_varint_with_a_byte_too_many_or_a_bit_too_many_is_refused() {
        assert_eq!(Reader::new(&[0x80, 0x00]).varint(), Err(Broken::NotCanonical));
        assert_eq!(Reader::new(&[0xff, 0x80, 0x00]).varint(), Err(Broken::NotCanonical));
        assert_eq!(Reader::new(&[0x80]).varint(), Err(Broken::Truncated));
        assert_eq!(Reader::new(&[]).varint(), Err(Broken::Truncated));
        let mut over = vec![0xff; 9];
        over.push(0x02);
        assert_eq!(Reader::new(&over).varint(), Err(Broken::NotCanonical));
        let mut wide = vec![0xff; 18];
        wide.push(0x03);
        assert_eq!(Reader::new(&wide).varint_u128(), Ok(u128::MAX));
        wide[18] = 0x04;
        assert_eq!(Reader::new(&wide).varint_u128(), Err(Broken::NotCanonical));
        assert_eq!(Reader::new(&[0xff; 40]).varint_u128(), Err(Broken::NotCanonical));
    }

    #[test]
    fn zigzag_turns_back_and_keeps_small_differences_small() {
        for difference in [0, 1, 2, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1] {
            assert_eq!(unzigzag(zigzag(difference)), difference);
        }
        assert_eq!(zigzag(u64::MAX), 1);
        assert_eq!(zigzag(1), 2);
    }
}
