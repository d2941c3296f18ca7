//! RLP, as far as Ethereum transactions need it: canonical only.
//!
//! In: bytes of a signed transaction. Out: its fields; and back.
//! Holds: total; a length or integer that has a shorter form is refused by name.
//! Not here: which fields a transaction has (`envelope`).

use crate::error::Reject;
use alloc::vec::Vec;

/// A cursor over the items of a list.
#[derive(Clone, Copy, Debug)]
pub struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    /// Opens `bytes`, which must be one list and nothing after it.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Reject> {
        let mut outer = Self { rest: bytes };
        let list = outer.list()?;
        outer.end()?;
        Ok(list)
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<(), Reject> {
        if self.rest.is_empty() { Ok(()) } else { Err(Reject::Malformed) }
    }

    /// The next item, a list.
    pub fn list(&mut self) -> Result<Self, Reject> {
        match self.item()? {
            (true, content) => Ok(Self { rest: content }),
            (false, _) => Err(Reject::Malformed),
        }
    }

    /// The next item, a string of bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], Reject> {
        match self.item()? {
            (false, content) => Ok(content),
            (true, _) => Err(Reject::Malformed),
        }
    }

    /// The next item, an unsigned integer: its big-endian bytes without leading zeros.
    pub fn uint(&mut self) -> Result<&'a [u8], Reject> {
        let bytes = self.bytes()?;
        if bytes.first() == Some(&0) { Err(Reject::NonCanonicalEncoding) } else { Ok(bytes) }
    }

    /// The next item, an integer below 2^64; `too_large` if it is not.
    pub fn u64(&mut self, too_large: Reject) -> Result<u64, Reject> {
        let bytes = self.uint()?;
        if bytes.len() > 8 {
            return Err(too_large);
        }
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// The next item: is it a list, and its content.
    fn item(&mut self) -> Result<(bool, &'a [u8]), Reject> {
        let (first, rest) = self.rest.split_first().ok_or(Reject::Malformed)?;
        let (list, content, after) = match *first {
            0x00..0x80 => {
                let (content, after) = self.rest.split_at_checked(1).ok_or(Reject::Malformed)?;
                (false, content, after)
            }
            0x80..0xb8 => {
                let (content, after) = split(rest, u64::from(*first - 0x80))?;
                // A lone byte below 0x80 stands for itself.
                if content.len() == 1 && content.first().is_some_and(|byte| *byte < 0x80) {
                    return Err(Reject::NonCanonicalEncoding);
                }
                (false, content, after)
            }
            0xb8..0xc0 => {
                let (content, after) = split_long(rest, usize::from(*first - 0xb7))?;
                (false, content, after)
            }
            0xc0..0xf8 => {
                let (content, after) = split(rest, u64::from(*first - 0xc0))?;
                (true, content, after)
            }
            0xf8..=0xff => {
                let (content, after) = split_long(rest, usize::from(*first - 0xf7))?;
                (true, content, after)
            }
        };
        self.rest = after;
        Ok((list, content))
    }
}

/// Splits `size` bytes off.
fn split(bytes: &[u8], size: u64) -> Result<(&[u8], &[u8]), Reject> {
    let size = usize::try_from(size).map_err(|_| Reject::Malformed)?;
    bytes.split_at_checked(size).ok_or(Reject::Malformed)
}

/// Reads a length of `width` bytes and splits so many off.
fn split_long(bytes: &[u8], width: usize) -> Result<(&[u8], &[u8]), Reject> {
    let (length, rest) = bytes.split_at_checked(width).ok_or(Reject::Malformed)?;
    let size = length.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if length.first() == Some(&0) || size < 56 {
        return Err(Reject::NonCanonicalEncoding);
    }
    split(rest, size)
}

/// Appends a string of bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes {
        [byte] if *byte < 0x80 => out.push(*byte),
        _ => {
            put_head(out, 0x80, bytes.len());
            out.extend_from_slice(bytes);
        }
    }
}

/// Appends an unsigned integer given in big-endian bytes.
pub fn put_uint(out: &mut Vec<u8>, big_endian: &[u8]) {
    let mut digits = big_endian;
    while let [0, rest @ ..] = digits {
        digits = rest;
    }
    put_bytes(out, digits);
}

/// Appends an integer of 64 bits.
pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    put_uint(out, &value.to_be_bytes());
}

/// Appends a list, given its encoded items.
pub fn put_list(out: &mut Vec<u8>, items: &[u8]) {
    put_head(out, 0xc0, items.len());
    out.extend_from_slice(items);
}

/// Appends the head of a string (`base` 0x80) or list (0xc0) of `size` bytes.
fn put_head(out: &mut Vec<u8>, base: u8, size: usize) {
    match u8::try_from(size) {
        Ok(short) if short < 56 => out.push(base.wrapping_add(short)),
        _ => {
            let bytes = size.to_be_bytes();
            let mut digits = bytes.as_slice();
            while let [0, rest @ ..] = digits {
                digits = rest;
            }
            let [width, ..] = digits.len().to_le_bytes();
            out.push(base.wrapping_add(55).wrapping_add(width));
            out.extend_from_slice(digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn strings_and_lists_of_every_length_class_read_back() {
        for size in [0, 1, 2, 55, 56, 255, 256, 65_535, 65_536] {
            let content = vec![0x91; size];
            let (mut items, mut whole) = (Vec::new(), Vec::new());
            put_bytes(&mut items, &content);
            put_u64(&mut items, size as u64);
            put_list(&mut whole, &items);
            let mut list = Items::open(&whole).unwrap();
            assert_eq!(list.bytes(), Ok(content.as_slice()));
            assert_eq!(list.u64(Reject::Overflow), Ok(size as u64));
            assert_eq!(list.end(), Ok(()));
        }
    }

    #[test]
    fn what_has_a_shorter_form_is_refused() {
        let cases: [(&[u8], Reject); 8] = [
            (&[0xc2, 0x81, 0x05], Reject::NonCanonicalEncoding),
            (&[0xc1, 0x00], Reject::NonCanonicalEncoding),
            (&[0xc3, 0x82, 0x00, 0x05], Reject::NonCanonicalEncoding),
            (&[0xc3, 0xb8, 0x01, 0x85], Reject::NonCanonicalEncoding),
            (&[0xf8, 0x01, 0x05], Reject::NonCanonicalEncoding),
            (&[0xc2, 0x82, 0x05], Reject::Malformed),
            (&[0xc1, 0xc0], Reject::Malformed),
            (&[0xc1, 0xbf], Reject::Malformed),
        ];
        for (bytes, reason) in cases {
            let read = Items::open(bytes).and_then(|mut list| list.u64(Reject::Overflow));
            assert_eq!(read, Err(reason), "{bytes:x?}");
        }
        assert_eq!(Items::open(&[0xc0, 0x00]).err(), Some(Reject::Malformed));
        assert_eq!(Items::open(&[]).err(), Some(Reject::Malformed));
    }

    #[test]
    fn an_integer_over_64_bits_is_refused_by_the_callers_reason() {
        let bytes = [0xca, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let read = Items::open(&bytes).and_then(|mut list| list.u64(Reject::FeeFieldTooLarge));
        assert_eq!(read, Err(Reject::FeeFieldTooLarge));
    }
}
