//! The columns of a segment that are about operations (6 to 14), each with its two directions side
//! by side.
//!
//! In: the envelopes of a block. Out: one column after another; and back, into operations that
//! start blank.
//! Holds: divisions and differences as docs/formats.md §4 has them, all wrapping or checked.
//! Not here: columns about inputs (`columns`).

use super::columns::{envelopes, envelopes_mut};
use crate::operations::{
    MAX_OPERATIONS, all_or_market, blank_operation, market_or_all, operation_byte,
};
use crate::types::{Address, Input, Operation};
use crate::varint::{Broken, Reader, put_difference, put_varint, put_varint_u128};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// 10^0 to 10^15: what prices and quantities of a market are divided by.
const POWERS: [u64; 16] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    100_000_000_000,
    1_000_000_000_000,
    10_000_000_000_000,
    100_000_000_000_000,
    1_000_000_000_000_000,
];

/// Appends columns 6 to 14.
pub(super) fn encode(out: &mut Vec<u8>, inputs: &[Input]) {
    for envelope in envelopes(inputs).filter(|envelope| envelope.batch) {
        put_varint(out, envelope.operations.len() as u64);
    }
    out.extend(operations(inputs).map(operation_byte));
    put_markets(out, inputs);
    put_prices_and_quantities(out, inputs);
    put_client_ids(out, inputs);
    put_order_ids(out, inputs);
    put_withdrawals(out, inputs);
}

/// Reads columns 6 to 14.
pub(super) fn decode(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    read_operation_bytes(reader, inputs)?;
    read_markets(reader, inputs)?;
    read_prices_and_quantities(reader, inputs)?;
    read_client_ids(reader, inputs)?;
    read_order_ids(reader, inputs)?;
    read_withdrawals(reader, inputs)
}

fn operations(inputs: &[Input]) -> impl Iterator<Item = &Operation> {
    envelopes(inputs).flat_map(|envelope| &envelope.operations)
}

fn operations_mut(inputs: &mut [Input]) -> impl Iterator<Item = &mut Operation> {
    envelopes_mut(inputs).flat_map(|envelope| &mut envelope.operations)
}

// Columns 6 and 7: how many operations, and what they are.

fn read_operation_bytes(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    let mut counts = Vec::with_capacity(inputs.len());
    for envelope in envelopes_mut(inputs) {
        let count = if envelope.batch { reader.varint()? } else { 1 };
        match usize::try_from(count) {
            Ok(count) if (1..=MAX_OPERATIONS).contains(&count) => counts.push(count),
            _ => return Err(Broken::NotCanonical),
        }
    }
    for (envelope, count) in envelopes_mut(inputs).zip(counts) {
        // The bytes are there before memory is taken for the operations.
        let bytes = reader.take(count)?;
        let read = bytes.iter().map(|byte| blank_operation(*byte)).collect::<Result<_, _>>();
        envelope.operations = read.map_err(|_| Broken::NotCanonical)?;
    }
    Ok(())
}

// Column 8: market.

fn put_markets(out: &mut Vec<u8>, inputs: &[Input]) {
    for operation in operations(inputs) {
        match *operation {
            Operation::Place(place) => put_varint(out, u64::from(place.market)),
            Operation::Cancel { market, .. } | Operation::Replace { market, .. } => {
                put_varint(out, u64::from(market));
            }
            Operation::CancelAll { market } => put_varint(out, all_or_market(market)),
            Operation::CancelById { .. } | Operation::Withdraw { .. } => {}
        }
    }
}

fn read_markets(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    for operation in operations_mut(inputs) {
        match operation {
            Operation::Place(place) => place.market = reader.varint_u32()?,
            Operation::Cancel { market, .. } | Operation::Replace { market, .. } => {
                *market = reader.varint_u32()?;
            }
            Operation::CancelAll { market } => *market = market_or_all(reader.varint_u32()?),
            Operation::CancelById { .. } | Operation::Withdraw { .. } => {}
        }
    }
    Ok(())
}

// Columns 9 to 11: powers of ten per market, prices, quantities.

/// What the segment knows of one market.
#[derive(Clone, Copy)]
struct Lane {
    price_power: u8,
    qty_power: u8,
    /// Previous price, divided.
    previous: u64,
}

/// Before any price or quantity of a market: every power divides them.
const UNKNOWN: Lane = Lane { price_power: 15, qty_power: 15, previous: 0 };

/// Market, price and quantity of what has them.
fn quote(operation: &Operation) -> Option<(u32, u64, u64)> {
    match *operation {
        Operation::Place(place) => Some((place.market, place.price_e9, place.qty_e9)),
        Operation::Replace { market, price_e9, qty_e9, .. } => Some((market, price_e9, qty_e9)),
        _ => None,
    }
}

fn quote_mut(operation: &mut Operation) -> Option<(u32, &mut u64, &mut u64)> {
    match operation {
        Operation::Place(place) => Some((place.market, &mut place.price_e9, &mut place.qty_e9)),
        Operation::Replace { market, price_e9, qty_e9, .. } => Some((*market, price_e9, qty_e9)),
        _ => None,
    }
}

/// For each quote the place of its market's lane, in order of first appearance; and how many there
/// are.
///
/// One look-up for each: a segment may name a new market in every operation, and its weight knows
/// only its size.
fn lane_places(inputs: &[Input]) -> (Vec<usize>, usize) {
    let mut known: BTreeMap<u32, usize> = BTreeMap::new();
    let mut places = Vec::new();
    let mut last = None;
    for (market, ..) in operations(inputs).filter_map(quote) {
        let place = match last {
            Some((same, place)) if same == market => place,
            _ => {
                let next = known.len();
                *known.entry(market).or_insert(next)
            }
        };
        last = Some((market, place));
        places.push(place);
    }
    (places, known.len())
}

/// The largest power of ten, at most `limit` of at most 15, that divides `value`; zero bears every
/// power.
fn power_within(value: u64, limit: u8) -> u8 {
    if value.is_multiple_of(divisor(limit)) {
        return limit;
    }
    let (mut power, mut rest) = (0, value);
    for step in [8, 4, 2, 1] {
        let by = divisor(step);
        if rest.is_multiple_of(by) {
            rest /= by;
            power += step;
        }
    }
    power
}

fn divisor(power: u8) -> u64 {
    POWERS.get(usize::from(power)).copied().unwrap_or(1)
}

fn put_prices_and_quantities(out: &mut Vec<u8>, inputs: &[Input]) {
    let (places, count) = lane_places(inputs);
    let mut lanes = vec![(UNKNOWN, 0, 0); count];
    for (place, (_, price, qty)) in places.iter().zip(operations(inputs).filter_map(quote)) {
        let Some((lane, prices, quantities)) = lanes.get_mut(*place) else { continue };
        lane.price_power = power_within(price, lane.price_power);
        lane.qty_power = power_within(qty, lane.qty_power);
        *prices |= price;
        *quantities |= qty;
    }
    for (lane, prices, quantities) in &mut lanes {
        // Where all are zero, the power is zero by definition.
        lane.price_power = if *prices == 0 { 0 } else { lane.price_power };
        lane.qty_power = if *quantities == 0 { 0 } else { lane.qty_power };
        out.push(lane.price_power | lane.qty_power << 4);
    }
    for (place, (_, price, _)) in places.iter().zip(operations(inputs).filter_map(quote)) {
        let Some((lane, ..)) = lanes.get_mut(*place) else { continue };
        let value = price.checked_div(divisor(lane.price_power)).unwrap_or(0);
        put_difference(out, value, lane.previous);
        lane.previous = value;
    }
    for (place, (_, _, qty)) in places.iter().zip(operations(inputs).filter_map(quote)) {
        let Some((lane, ..)) = lanes.get(*place) else { continue };
        put_varint(out, qty.checked_div(divisor(lane.qty_power)).unwrap_or(0));
    }
}

fn read_prices_and_quantities(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    let (places, count) = lane_places(inputs);
    let powers = reader.take(count)?.iter();
    let mut lanes: Vec<Lane> = powers
        .map(|byte| Lane { price_power: byte & 15, qty_power: byte >> 4, previous: 0 })
        .collect();
    let quotes = operations_mut(inputs).filter_map(quote_mut);
    for (place, (_, price, _)) in places.iter().zip(quotes) {
        let lane = lanes.get_mut(*place).ok_or(Broken::NotCanonical)?;
        lane.previous = lane.previous.wrapping_add(reader.difference()?);
        let scaled = lane.previous.checked_mul(divisor(lane.price_power));
        *price = scaled.ok_or(Broken::NotCanonical)?;
    }
    let quotes = operations_mut(inputs).filter_map(quote_mut);
    for (place, (_, _, qty)) in places.iter().zip(quotes) {
        let lane = lanes.get(*place).ok_or(Broken::NotCanonical)?;
        let scaled = reader.varint()?.checked_mul(divisor(lane.qty_power));
        *qty = scaled.ok_or(Broken::NotCanonical)?;
    }
    Ok(())
}

// Column 12: client id, as a difference per account.

fn client_id(operation: &Operation) -> Option<u64> {
    match *operation {
        Operation::Place(place) => Some(place.client_id),
        Operation::Cancel { client_id, .. } | Operation::Replace { client_id, .. } => {
            Some(client_id)
        }
        _ => None,
    }
}

fn client_id_mut(operation: &mut Operation) -> Option<&mut u64> {
    match operation {
        Operation::Place(place) => Some(&mut place.client_id),
        Operation::Cancel { client_id, .. } | Operation::Replace { client_id, .. } => {
            Some(client_id)
        }
        _ => None,
    }
}

fn put_client_ids(out: &mut Vec<u8>, inputs: &[Input]) {
    let mut previous: BTreeMap<u32, u64> = BTreeMap::new();
    for envelope in envelopes(inputs) {
        let last = previous.entry(envelope.account).or_insert(0);
        for id in envelope.operations.iter().filter_map(client_id) {
            put_difference(out, id, *last);
            *last = id;
        }
    }
}

fn read_client_ids(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    let mut previous: BTreeMap<u32, u64> = BTreeMap::new();
    for envelope in envelopes_mut(inputs) {
        let last = previous.entry(envelope.account).or_insert(0);
        for id in envelope.operations.iter_mut().filter_map(client_id_mut) {
            *id = last.wrapping_add(reader.difference()?);
            *last = *id;
        }
    }
    Ok(())
}

// Columns 13 and 14: order ids, withdrawals.

fn put_order_ids(out: &mut Vec<u8>, inputs: &[Input]) {
    for operation in operations(inputs) {
        if let Operation::CancelById { order_id } = operation {
            put_varint(out, *order_id);
        }
    }
}

fn read_order_ids(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    for operation in operations_mut(inputs) {
        if let Operation::CancelById { order_id } = operation {
            *order_id = reader.varint()?;
        }
    }
    Ok(())
}

fn put_withdrawals(out: &mut Vec<u8>, inputs: &[Input]) {
    for operation in operations(inputs) {
        if let Operation::Withdraw { token, amount, recipient } = operation {
            out.extend_from_slice(&token.0);
            put_varint_u128(out, *amount);
            out.extend_from_slice(&recipient.0);
        }
    }
}

fn read_withdrawals(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    for operation in operations_mut(inputs) {
        if let Operation::Withdraw { token, amount, recipient } = operation {
            *token = Address(reader.array()?);
            *amount = reader.varint_u128()?;
            *recipient = Address(reader.array()?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_is_the_largest_that_divides_and_that_is_allowed() {
        for limit in 0..=15 {
            assert_eq!(power_within(0, limit), limit);
            for power in 0..=19 {
                for digit in [1, 3, 18, 1_844_674_407_370_955_161] {
                    let Some(value) = 10_u64.checked_pow(power).and_then(|p| p.checked_mul(digit))
                    else {
                        continue;
                    };
                    assert_eq!(u32::from(power_within(value, limit)), power.min(limit.into()));
                }
            }
        }
    }
}
