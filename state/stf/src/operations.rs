//! The packed form of operations: the operation byte, and the rows inside the calldata of `batch`.
//!
//! In: bytes of calldata. Out: 1 to 64 operations; and back.
//! Holds: canonical and total (docs/formats.md §4 column 7, §5); rows are what `batch` signs.
//! Not here: the other columns of a segment (`codec`), the ABI around the rows (`abi`).

use crate::error::Reject;
use crate::types::{Address, Operation, Place, TimeInForce};
use crate::varint::{Broken, Reader, put_varint, put_varint_u128};
use alloc::vec::Vec;

/// Operations that one envelope may carry.
pub const MAX_OPERATIONS: usize = 64;

const CODE: u8 = 0x07;
const BUY: u8 = 0x08;
const TIF: u8 = 0x30;
const IOC: u8 = 0x10;
const POST_ONLY: u8 = 0x40;
const REDUCE_ONLY: u8 = 0x80;

/// The operation byte: code, and the small fields of a place.
pub fn operation_byte(operation: &Operation) -> u8 {
    let Operation::Place(place) = operation else { return operation.code() };
    operation.code()
        | if place.buy { BUY } else { 0 }
        | if place.tif == TimeInForce::Ioc { IOC } else { 0 }
        | if place.post_only { POST_ONLY } else { 0 }
}

/// The operation that a byte announces, its other fields zero.
pub fn blank_operation(byte: u8) -> Result<Operation, Reject> {
    let code = byte & CODE;
    if code != 1 && byte != code {
        return Err(Reject::NonCanonicalEncoding);
    }
    Ok(match code {
        1 => Operation::Place(blank_place(byte)?),
        2 => Operation::Cancel { market: 0, client_id: 0 },
        3 => Operation::CancelById { order_id: 0 },
        4 => Operation::Replace { market: 0, client_id: 0, price_e9: 0, qty_e9: 0 },
        5 => Operation::CancelAll { market: None },
        6 => Operation::Withdraw {
            token: Address::default(),
            amount: 0,
            recipient: Address::default(),
        },
        _ => return Err(Reject::Malformed),
    })
}

fn blank_place(byte: u8) -> Result<Place, Reject> {
    let tif = match byte & TIF {
        0 => TimeInForce::Gtc,
        IOC => TimeInForce::Ioc,
        _ => return Err(Reject::TifUnsupported),
    };
    if byte & REDUCE_ONLY != 0 {
        return Err(Reject::FlagsUnsupported);
    }
    Ok(Place {
        market: 0,
        buy: byte & BUY != 0,
        price_e9: 0,
        qty_e9: 0,
        tif,
        post_only: byte & POST_ONLY != 0,
        client_id: 0,
    })
}

/// Market of `cancel_all` as a number: 0 = all, else market + 1.
pub const fn all_or_market(market: Option<u32>) -> u64 {
    match market {
        None => 0,
        Some(number) => number as u64 + 1,
    }
}

/// Undoes `all_or_market`: 0xffffffff is no market, because the ABI says "all" so.
pub const fn market_or_all(value: u32) -> Option<u32> {
    value.checked_sub(1)
}

/// The rows of a `batch`.
pub fn encode_rows(operations: &[Operation]) -> Vec<u8> {
    let mut out = Vec::new();
    for operation in operations {
        out.push(operation_byte(operation));
        put_row(&mut out, operation);
    }
    out
}

/// What follows the operation byte in a row.
fn put_row(out: &mut Vec<u8>, operation: &Operation) {
    match *operation {
        Operation::Place(place) => {
            put_varint(out, u64::from(place.market));
            put_varint(out, place.price_e9);
            put_varint(out, place.qty_e9);
            put_varint(out, place.client_id);
        }
        Operation::Cancel { market, client_id } => {
            put_varint(out, u64::from(market));
            put_varint(out, client_id);
        }
        Operation::CancelById { order_id } => put_varint(out, order_id),
        Operation::Replace { market, client_id, price_e9, qty_e9 } => {
            put_varint(out, u64::from(market));
            put_varint(out, client_id);
            put_varint(out, price_e9);
            put_varint(out, qty_e9);
        }
        Operation::CancelAll { market } => put_varint(out, all_or_market(market)),
        Operation::Withdraw { token, amount, recipient } => {
            out.extend_from_slice(&token.0);
            put_varint_u128(out, amount);
            out.extend_from_slice(&recipient.0);
        }
    }
}

/// Reads the rows of a `batch`.
pub fn decode_rows(rows: &[u8]) -> Result<Vec<Operation>, Reject> {
    let mut reader = Reader::new(rows);
    let mut operations = Vec::new();
    while reader.remaining() > 0 {
        if operations.len() == MAX_OPERATIONS {
            return Err(Reject::TooManyOperations);
        }
        let mut operation = blank_operation(reader.byte()?)?;
        fill_row(&mut reader, &mut operation)?;
        operations.push(operation);
    }
    if operations.is_empty() { Err(Reject::TooManyOperations) } else { Ok(operations) }
}

fn fill_row(reader: &mut Reader, operation: &mut Operation) -> Result<(), Broken> {
    match operation {
        Operation::Place(place) => {
            place.market = reader.varint_u32()?;
            place.price_e9 = reader.varint()?;
            place.qty_e9 = reader.varint()?;
            place.client_id = reader.varint()?;
        }
        Operation::Cancel { market, client_id } => {
            *market = reader.varint_u32()?;
            *client_id = reader.varint()?;
        }
        Operation::CancelById { order_id } => *order_id = reader.varint()?,
        Operation::Replace { market, client_id, price_e9, qty_e9 } => {
            *market = reader.varint_u32()?;
            *client_id = reader.varint()?;
            *price_e9 = reader.varint()?;
            *qty_e9 = reader.varint()?;
        }
        Operation::CancelAll { market } => *market = market_or_all(reader.varint_u32()?),
        Operation::Withdraw { token, amount, recipient } => {
            *token = Address(reader.array()?);
            *amount = reader.varint_u128()?;
            *recipient = Address(reader.array()?);
        }
    }
    Ok(())
}
