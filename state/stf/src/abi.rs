//! The Solidity ABI of the seven functions that change something (docs/formats.md §5).
//!
//! In: calldata. Out: subaccount and operations; and back.
//! Holds: canonical only: `encode(decode(calldata)) == calldata`; every other form has its own
//! refusal.
//! Not here: the views (node), the rows inside `batch` (`operations`).

use crate::error::Reject;
use crate::operations::{decode_rows, encode_rows};
use crate::types::{Address, Operation, Place, TimeInForce, Word};
use alloc::vec::Vec;

const PLACE: [u8; 4] = [0xdd, 0x1e, 0xcc, 0x28];
const CANCEL: [u8; 4] = [0xc4, 0xc2, 0x1e, 0xf3];
const CANCEL_BY_ID: [u8; 4] = [0xc8, 0x70, 0xf3, 0x34];
const REPLACE: [u8; 4] = [0x74, 0x4e, 0x7d, 0xd8];
const CANCEL_ALL: [u8; 4] = [0x81, 0x29, 0x53, 0x07];
const WITHDRAW: [u8; 4] = [0x86, 0x4a, 0x1b, 0x77];
const BATCH: [u8; 4] = [0x55, 0xab, 0xfa, 0x49];

/// "All" where `cancelAll` names a market.
const ALL_MARKETS: u32 = u32::MAX;
/// Offset of the only dynamic argument of `batch`.
const ROWS_AT: u32 = 64;

/// What calldata asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Subaccount number.
    pub subaccount: u32,
    /// It is the `batch` function.
    pub batch: bool,
    /// 1 to 64; exactly 1 unless `batch`.
    pub operations: Vec<Operation>,
}

/// Reads calldata.
pub fn decode(calldata: &[u8]) -> Result<Call, Reject> {
    let (selector, arguments) = calldata.split_first_chunk::<4>().ok_or(Reject::UnknownSelector)?;
    let mut words = Words { rest: arguments };
    let read = match *selector {
        PLACE => place,
        CANCEL => cancel,
        CANCEL_BY_ID => cancel_by_id,
        REPLACE => replace,
        CANCEL_ALL => cancel_all,
        WITHDRAW => withdraw,
        BATCH => return batch(&mut words),
        _ => return Err(Reject::UnknownSelector),
    };
    let subaccount = words.u32()?;
    let operation = read(&mut words)?;
    words.end()?;
    Ok(Call { subaccount, batch: false, operations: Vec::from([operation]) })
}

fn place(words: &mut Words) -> Result<Operation, Reject> {
    let (market, buy) = (words.u32()?, words.bool()?);
    let (price_e9, qty_e9) = (words.u64()?, words.u64()?);
    let tif = match words.u8()? {
        0 => TimeInForce::Gtc,
        1 => TimeInForce::Ioc,
        2 | 3 => return Err(Reject::TifUnsupported),
        _ => return Err(Reject::NonCanonicalEncoding),
    };
    let post_only = match words.u8()? {
        0 => false,
        1 => true,
        2 | 3 => return Err(Reject::FlagsUnsupported),
        _ => return Err(Reject::NonCanonicalEncoding),
    };
    let client_id = words.u64()?;
    Ok(Operation::Place(Place { market, buy, price_e9, qty_e9, tif, post_only, client_id }))
}

fn cancel(words: &mut Words) -> Result<Operation, Reject> {
    Ok(Operation::Cancel { market: words.u32()?, client_id: words.u64()? })
}

fn cancel_by_id(words: &mut Words) -> Result<Operation, Reject> {
    Ok(Operation::CancelById { order_id: words.u64()? })
}

fn replace(words: &mut Words) -> Result<Operation, Reject> {
    Ok(Operation::Replace {
        market: words.u32()?,
        client_id: words.u64()?,
        price_e9: words.u64()?,
        qty_e9: words.u64()?,
    })
}

fn cancel_all(words: &mut Words) -> Result<Operation, Reject> {
    let market = words.u32()?;
    Ok(Operation::CancelAll { market: (market != ALL_MARKETS).then_some(market) })
}

fn withdraw(words: &mut Words) -> Result<Operation, Reject> {
    let token = Address(words.tail()?);
    let amount = u128::from_be_bytes(words.tail_or(Reject::AmountTooLarge)?);
    Ok(Operation::Withdraw { token, amount, recipient: Address(words.tail()?) })
}

fn batch(words: &mut Words) -> Result<Call, Reject> {
    let subaccount = words.u32()?;
    if words.u32()? != ROWS_AT {
        return Err(Reject::NonCanonicalEncoding);
    }
    let size = usize::try_from(words.u64()?).map_err(|_| Reject::Malformed)?;
    let (rows, padding) = words.rest.split_at_checked(size).ok_or(Reject::Malformed)?;
    if padding.len() < padding_of(size) {
        return Err(Reject::Malformed);
    }
    if padding.len() > padding_of(size) || padding.iter().any(|byte| *byte != 0) {
        return Err(Reject::NonCanonicalEncoding);
    }
    Ok(Call { subaccount, batch: true, operations: decode_rows(rows)? })
}

/// Zero bytes that fill `size` up to whole words.
const fn padding_of(size: usize) -> usize {
    size.wrapping_neg() & 31
}

/// Writes calldata. Without `batch` only the first operation counts.
pub fn encode(subaccount: u32, batch: bool, operations: &[Operation]) -> Vec<u8> {
    if batch {
        return encode_batch(subaccount, operations);
    }
    let Some(operation) = operations.first() else { return Vec::new() };
    let mut out = Vec::with_capacity(4 + 32 * 8);
    out.extend_from_slice(match operation {
        Operation::Place(_) => &PLACE,
        Operation::Cancel { .. } => &CANCEL,
        Operation::CancelById { .. } => &CANCEL_BY_ID,
        Operation::Replace { .. } => &REPLACE,
        Operation::CancelAll { .. } => &CANCEL_ALL,
        Operation::Withdraw { .. } => &WITHDRAW,
    });
    put_u64(&mut out, u64::from(subaccount));
    put_arguments(&mut out, operation);
    out
}

fn put_arguments(out: &mut Vec<u8>, operation: &Operation) {
    match *operation {
        Operation::Place(place) => {
            put_u64(out, u64::from(place.market));
            put_u64(out, u64::from(place.buy));
            put_u64(out, place.price_e9);
            put_u64(out, place.qty_e9);
            put_u64(out, place.tif as u64);
            put_u64(out, u64::from(place.post_only));
            put_u64(out, place.client_id);
        }
        Operation::Cancel { market, client_id } => {
            put_u64(out, u64::from(market));
            put_u64(out, client_id);
        }
        Operation::CancelById { order_id } => put_u64(out, order_id),
        Operation::Replace { market, client_id, price_e9, qty_e9 } => {
            put_u64(out, u64::from(market));
            put_u64(out, client_id);
            put_u64(out, price_e9);
            put_u64(out, qty_e9);
        }
        Operation::CancelAll { market } => put_u64(out, u64::from(market.unwrap_or(ALL_MARKETS))),
        Operation::Withdraw { token, amount, recipient } => {
            put_word(out, &token.0);
            put_word(out, &amount.to_be_bytes());
            put_word(out, &recipient.0);
        }
    }
}

fn encode_batch(subaccount: u32, operations: &[Operation]) -> Vec<u8> {
    let rows = encode_rows(operations);
    let mut out = Vec::with_capacity(rows.len() + 4 + 32 * 4);
    out.extend_from_slice(&BATCH);
    put_u64(&mut out, u64::from(subaccount));
    put_u64(&mut out, u64::from(ROWS_AT));
    put_u64(&mut out, rows.len() as u64);
    out.extend_from_slice(&rows);
    out.resize(out.len() + padding_of(rows.len()), 0);
    out
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    put_word(out, &value.to_be_bytes());
}

/// Appends `bytes`, at most 32, right-aligned in a word.
fn put_word(out: &mut Vec<u8>, bytes: &[u8]) {
    let zeros = 32_usize.saturating_sub(bytes.len());
    out.resize(out.len() + zeros, 0);
    out.extend_from_slice(bytes);
}

/// A cursor over words.
struct Words<'a> {
    rest: &'a [u8],
}

impl Words<'_> {
    fn word(&mut self) -> Result<Word, Reject> {
        let (word, rest) = self.rest.split_first_chunk::<32>().ok_or(Reject::Malformed)?;
        self.rest = rest;
        Ok(*word)
    }

    fn end(&self) -> Result<(), Reject> {
        if self.rest.is_empty() { Ok(()) } else { Err(Reject::NonCanonicalEncoding) }
    }

    /// The last `N` bytes of the next word, or `refusal` if the bytes before them are not zero.
    fn tail_or<const N: usize>(&mut self, refusal: Reject) -> Result<[u8; N], Reject> {
        let word = self.word()?;
        let (head, tail) = word.split_last_chunk::<N>().ok_or(refusal)?;
        if head.iter().any(|byte| *byte != 0) { Err(refusal) } else { Ok(*tail) }
    }

    fn tail<const N: usize>(&mut self) -> Result<[u8; N], Reject> {
        self.tail_or(Reject::NonCanonicalEncoding)
    }

    fn u8(&mut self) -> Result<u8, Reject> {
        self.tail().map(u8::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Reject> {
        self.tail().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Reject> {
        self.tail().map(u64::from_be_bytes)
    }

    fn bool(&mut self) -> Result<bool, Reject> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Reject::NonCanonicalEncoding),
        }
    }
}
