//! The columns of a segment that are about inputs, each with its two directions side by side.
//!
//! In: the inputs of a block. Out: one column after another; and back, into inputs that start out
//! blank.
//! Holds: what a column needs of earlier ones it reads from the inputs, so both directions agree.
//! Not here: columns 6 to 14 (`operation_columns`), canonical form (`segment` encodes again and
//! compares).

use super::operation_columns;
use super::segment::signature;
use crate::envelope::type2_form;
use crate::types::{Block, Body, Envelope, Form, Input, Report, Signer};
use crate::varint::{Broken, Reader, put_difference, put_varint};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

const TYPE2_DEFAULT: u8 = 0;
const TYPE2: u8 = 1;
const LEGACY: u8 = 2;
const REPORT: u8 = 3;
const BATCH: u8 = 8;

/// Appends all columns.
pub(super) fn encode(out: &mut Vec<u8>, block: &Block) {
    let inputs = &block.inputs;
    out.extend(inputs.iter().map(form_byte));
    put_accounts(out, inputs);
    put_nonces(out, inputs);
    put_fees(out, inputs);
    for envelope in envelopes(inputs) {
        put_varint(out, u64::from(envelope.subaccount));
    }
    operation_columns::encode(out, inputs);
    put_reports(out, block);
    for input in inputs {
        out.extend_from_slice(signature(&input.body));
    }
}

/// Reads all columns of `count` inputs.
pub(super) fn decode(reader: &mut Reader, block: &mut Block, count: usize) -> Result<(), Broken> {
    let forms = reader.take(count)?;
    block.inputs = forms.iter().map(|form| blank_input(*form)).collect::<Result<_, _>>()?;
    let inputs = &mut block.inputs;
    read_accounts(reader, inputs)?;
    read_nonces(reader, inputs)?;
    read_fees(reader, inputs)?;
    for envelope in envelopes_mut(inputs) {
        envelope.subaccount = reader.varint_u32()?;
    }
    operation_columns::decode(reader, inputs)?;
    read_reports(reader, block)?;
    read_signatures(reader, &mut block.inputs)
}

/// The envelopes of a block, in order.
pub(super) fn envelopes(inputs: &[Input]) -> impl Iterator<Item = &Envelope> {
    inputs.iter().filter_map(|input| match &input.body {
        Body::Envelope(envelope) => Some(envelope),
        Body::Report(_) => None,
    })
}

/// The same, to be filled.
pub(super) fn envelopes_mut(inputs: &mut [Input]) -> impl Iterator<Item = &mut Envelope> {
    inputs.iter_mut().filter_map(|input| match &mut input.body {
        Body::Envelope(envelope) => Some(envelope),
        Body::Report(_) => None,
    })
}

fn reports_mut(inputs: &mut [Input]) -> impl Iterator<Item = &mut Report> {
    inputs.iter_mut().filter_map(|input| match &mut input.body {
        Body::Report(report) => Some(report),
        Body::Envelope(_) => None,
    })
}

// Column 1: form.

fn form_byte(input: &Input) -> u8 {
    let Body::Envelope(envelope) = &input.body else { return REPORT };
    let form = match canonical(envelope.form) {
        Form::Type2Default => TYPE2_DEFAULT,
        Form::Type2 { .. } => TYPE2,
        Form::Legacy { .. } => LEGACY,
    };
    form | if envelope.batch { BATCH } else { 0 }
}

/// Explicit fee fields that are the default ones are the default form.
fn canonical(form: Form) -> Form {
    match form {
        Form::Type2 { tip, max_fee, gas } => type2_form(tip, max_fee, gas),
        other => other,
    }
}

fn blank_input(byte: u8) -> Result<Input, Broken> {
    let blank = |form| {
        Body::Envelope(Envelope {
            form,
            account: 0,
            nonce: 0,
            subaccount: 0,
            batch: byte & BATCH != 0,
            operations: Vec::new(),
            signature: [0; 64],
        })
    };
    let body = match byte & !BATCH {
        TYPE2_DEFAULT => blank(Form::Type2Default),
        TYPE2 => blank(Form::Type2 { tip: 0, max_fee: 0, gas: 0 }),
        LEGACY => blank(Form::Legacy { gas_price: 0, gas: 0 }),
        REPORT if byte == REPORT => {
            Body::Report(Report { feed: 0, price_e9: 0, time_ms: 0, signature: [0; 64] })
        }
        _ => return Err(Broken::NotCanonical),
    };
    Ok(Input { body, signer: Signer::Unknown })
}

// Column 2: account; the first use in a segment introduces it.

fn put_accounts(out: &mut Vec<u8>, inputs: &[Input]) {
    let mut places: BTreeMap<u32, u64> = BTreeMap::new();
    for envelope in envelopes(inputs) {
        let next = places.len() as u64 + 1;
        let place = *places.entry(envelope.account).or_insert(next);
        if place == next {
            put_varint(out, 0);
            put_varint(out, u64::from(envelope.account));
        } else {
            put_varint(out, place);
        }
    }
}

fn read_accounts(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    let mut introduced = Vec::new();
    for envelope in envelopes_mut(inputs) {
        envelope.account = if let Some(place) = reader.varint_u32()?.checked_sub(1) {
            *introduced.get(place as usize).ok_or(Broken::NotCanonical)?
        } else {
            let account = reader.varint_u32()?;
            introduced.push(account);
            account
        };
    }
    Ok(())
}

// Column 3: nonce; after the first, the distance from the expected one.

fn put_nonces(out: &mut Vec<u8>, inputs: &[Input]) {
    let mut expected: BTreeMap<u32, u64> = BTreeMap::new();
    for envelope in envelopes(inputs) {
        let next = envelope.nonce.wrapping_add(1);
        let base = expected.insert(envelope.account, next).unwrap_or(0);
        put_varint(out, envelope.nonce.wrapping_sub(base));
    }
}

fn read_nonces(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    let mut expected: BTreeMap<u32, u64> = BTreeMap::new();
    for envelope in envelopes_mut(inputs) {
        let next = expected.entry(envelope.account).or_insert(0);
        envelope.nonce = next.wrapping_add(reader.varint()?);
        *next = envelope.nonce.wrapping_add(1);
    }
    Ok(())
}

// Column 4: fee fields, where they are not the default ones.

fn put_fees(out: &mut Vec<u8>, inputs: &[Input]) {
    for envelope in envelopes(inputs) {
        match canonical(envelope.form) {
            Form::Type2Default => {}
            Form::Type2 { tip, max_fee, gas } => {
                put_varint(out, tip);
                put_varint(out, max_fee);
                put_varint(out, gas);
            }
            Form::Legacy { gas_price, gas } => {
                put_varint(out, gas_price);
                put_varint(out, gas);
            }
        }
    }
}

fn read_fees(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    for envelope in envelopes_mut(inputs) {
        match &mut envelope.form {
            Form::Type2Default => {}
            Form::Type2 { tip, max_fee, gas } => {
                *tip = reader.varint()?;
                *max_fee = reader.varint()?;
                *gas = reader.varint()?;
            }
            Form::Legacy { gas_price, gas } => {
                *gas_price = reader.varint()?;
                *gas = reader.varint()?;
            }
        }
    }
    Ok(())
}

// Columns 15 and 16: oracle reports, signatures.

fn put_reports(out: &mut Vec<u8>, block: &Block) {
    let mut previous: BTreeMap<u32, u64> = BTreeMap::new();
    for input in &block.inputs {
        let Body::Report(report) = &input.body else { continue };
        let last = previous.insert(report.feed, report.price_e9).unwrap_or(0);
        put_varint(out, u64::from(report.feed));
        put_difference(out, report.price_e9, last);
        put_difference(out, report.time_ms, block.time_ms);
    }
}

fn read_reports(reader: &mut Reader, block: &mut Block) -> Result<(), Broken> {
    let mut previous: BTreeMap<u32, u64> = BTreeMap::new();
    for report in reports_mut(&mut block.inputs) {
        report.feed = reader.varint_u32()?;
        let last = previous.entry(report.feed).or_insert(0);
        report.price_e9 = last.wrapping_add(reader.difference()?);
        *last = report.price_e9;
        report.time_ms = block.time_ms.wrapping_add(reader.difference()?);
    }
    Ok(())
}

fn read_signatures(reader: &mut Reader, inputs: &mut [Input]) -> Result<(), Broken> {
    for input in inputs {
        let bytes = reader.array()?;
        match &mut input.body {
            Body::Envelope(envelope) => envelope.signature = bytes,
            Body::Report(report) => report.signature = bytes,
        }
    }
    Ok(())
}
