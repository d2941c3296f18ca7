//! Envelopes as Ethereum transactions: from the bytes that a wallet signed, and back to them.
//!
//! In: a raw transaction (admission), or an `Envelope` from a segment (everyone else).
//! Out: `Decoded`; the signed bytes rebuilt to the last bit, so that L1 data alone proves each
//! signature.
//! Holds: `raw_transaction(decode_transaction(raw)) == raw`; one refusal by name per mistake.
//! Not here: who the signer is and the nonce rule (`ops`), calldata (`abi`).

use crate::abi;
use crate::error::Reject;
use crate::platform::Platform;
use crate::rlp::{Items, put_bytes, put_list, put_u64, put_uint};
use crate::types::{Address, Envelope, Form, Word};
use alloc::vec::Vec;

/// Where envelopes are sent to.
pub const EXCHANGE: Address =
    Address([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x4e, 0x4f, 0x56, 0x41]);

/// Priority fee that the node names.
pub const DEFAULT_TIP: u64 = 1;
/// Fee cap that the libraries make of it.
pub const DEFAULT_MAX_FEE: u64 = 3;
/// Gas that the node names.
pub const DEFAULT_GAS: u64 = 1_000_000;

/// Order of the curve.
const N: Word = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];
/// Half of it: the largest low s.
const HALF_N: Word = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// A transaction that is an envelope; who signed it is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Its content; `account` is 0 until the signer is recovered.
    pub envelope: Envelope,
    /// What keccak256 is taken of for the signature.
    pub payload: Vec<u8>,
}

/// The form of a type 2 transaction with these fee fields.
pub const fn type2_form(tip: u64, max_fee: u64, gas: u64) -> Form {
    if tip == DEFAULT_TIP && max_fee == DEFAULT_MAX_FEE && gas == DEFAULT_GAS {
        Form::Type2Default
    } else {
        Form::Type2 { tip, max_fee, gas }
    }
}

/// Reads a signed transaction for the chain `chain_id`.
pub fn decode_transaction(raw: &[u8], chain_id: u64) -> Result<Decoded, Reject> {
    let envelope = match raw.split_first().ok_or(Reject::Malformed)? {
        (2, body) => decode_type2(body, chain_id)?,
        (0xc0..=0xff, _) => decode_legacy(raw, chain_id)?,
        (0x00..=0x7f, _) => return Err(Reject::UnsupportedTxType),
        _ => return Err(Reject::Malformed),
    };
    let payload = signing_payload(&envelope, chain_id);
    Ok(Decoded { envelope, payload })
}

fn decode_type2(body: &[u8], chain_id: u64) -> Result<Envelope, Reject> {
    let mut items = Items::open(body)?;
    if items.u64(Reject::WrongChainId)? != chain_id {
        return Err(Reject::WrongChainId);
    }
    let nonce = items.u64(Reject::NonceTooHigh)?;
    let tip = items.u64(Reject::FeeFieldTooLarge)?;
    let max_fee = items.u64(Reject::FeeFieldTooLarge)?;
    let gas = items.u64(Reject::FeeFieldTooLarge)?;
    let call = decode_call(&mut items)?;
    if items.list()?.end().is_err() {
        return Err(Reject::AccessListNotEmpty);
    }
    let odd = match items.u64(Reject::SignatureInvalid)? {
        0 => false,
        1 => true,
        _ => return Err(Reject::SignatureInvalid),
    };
    let signature = decode_signature(&mut items, odd)?;
    items.end()?;
    Ok(envelope(type2_form(tip, max_fee, gas), nonce, call, signature))
}

fn decode_legacy(raw: &[u8], chain_id: u64) -> Result<Envelope, Reject> {
    let mut items = Items::open(raw)?;
    let nonce = items.u64(Reject::NonceTooHigh)?;
    let gas_price = items.u64(Reject::FeeFieldTooLarge)?;
    let gas = items.u64(Reject::FeeFieldTooLarge)?;
    let call = decode_call(&mut items)?;
    let odd = parity_of_v(items.uint()?, chain_id)?;
    let signature = decode_signature(&mut items, odd)?;
    items.end()?;
    Ok(envelope(Form::Legacy { gas_price, gas }, nonce, call, signature))
}

fn envelope(form: Form, nonce: u64, call: abi::Call, signature: [u8; 64]) -> Envelope {
    let abi::Call { subaccount, batch, operations } = call;
    Envelope { form, account: 0, nonce, subaccount, batch, operations, signature }
}

/// Recipient, value and calldata, in the order both types have them.
fn decode_call(items: &mut Items) -> Result<abi::Call, Reject> {
    if items.bytes()? != EXCHANGE.0 {
        return Err(Reject::WrongRecipient);
    }
    if !items.uint()?.is_empty() {
        return Err(Reject::ValueNotZero);
    }
    abi::decode(items.bytes()?)
}

/// Parity from EIP-155's v = 2·chain id + 35 + parity.
fn parity_of_v(digits: &[u8], chain_id: u64) -> Result<bool, Reject> {
    if digits.len() > 16 {
        return Err(Reject::WrongChainId);
    }
    match digits.iter().fold(0_u128, |value, byte| value << 8 | u128::from(*byte)) {
        27 | 28 => Err(Reject::NotReplayProtected),
        0..35 => Err(Reject::SignatureInvalid),
        v if (v - 35) >> 1 == u128::from(chain_id) => Ok(v & 1 == 0),
        _ => Err(Reject::WrongChainId),
    }
}

/// r and s as EIP-2098.
fn decode_signature(items: &mut Items, odd: bool) -> Result<[u8; 64], Reject> {
    let (r, mut s) = (scalar(items.uint()?)?, scalar(items.uint()?)?);
    if s > HALF_N {
        return Err(Reject::SignatureHighS);
    }
    // A low s leaves its top bit free.
    if odd {
        s[0] |= 0x80;
    }
    let mut signature = [0; 64];
    for (out, byte) in signature.iter_mut().zip(r.iter().chain(&s)) {
        *out = *byte;
    }
    Ok(signature)
}

/// A number from 1 to n - 1, in 32 bytes.
fn scalar(digits: &[u8]) -> Result<Word, Reject> {
    if digits.is_empty() || digits.len() > 32 {
        return Err(Reject::SignatureInvalid);
    }
    let mut word = [0; 32];
    for (out, digit) in word.iter_mut().rev().zip(digits.iter().rev()) {
        *out = *digit;
    }
    if word < N { Ok(word) } else { Err(Reject::SignatureInvalid) }
}

/// The exact bytes whose keccak256 the signer signed.
pub fn signing_payload(envelope: &Envelope, chain_id: u64) -> Vec<u8> {
    let mut items = unsigned_items(envelope, chain_id);
    if let Form::Legacy { .. } = envelope.form {
        // EIP-155: chain id, 0, 0 stand for the signature.
        put_u64(&mut items, chain_id);
        put_u64(&mut items, 0);
        put_u64(&mut items, 0);
    }
    finish(envelope.form, &items)
}

/// keccak256 of `signing_payload`.
pub fn signing_digest(envelope: &Envelope, chain_id: u64, platform: &mut impl Platform) -> Word {
    platform.keccak256(&signing_payload(envelope, chain_id))
}

/// The exact signed transaction; its keccak256 is the transaction's hash.
pub fn raw_transaction(envelope: &Envelope, chain_id: u64) -> Vec<u8> {
    let mut items = unsigned_items(envelope, chain_id);
    let (r, s) = envelope.signature.split_at(32);
    let mut low_s = [0; 32];
    for (out, byte) in low_s.iter_mut().zip(s) {
        *out = *byte;
    }
    let odd = low_s[0] & 0x80 != 0;
    low_s[0] &= 0x7f;
    match envelope.form {
        Form::Legacy { .. } => {
            let v = u128::from(chain_id) * 2 + 35 + u128::from(odd);
            put_uint(&mut items, &v.to_be_bytes());
        }
        Form::Type2Default | Form::Type2 { .. } => put_u64(&mut items, u64::from(odd)),
    }
    put_uint(&mut items, r);
    put_uint(&mut items, &low_s);
    finish(envelope.form, &items)
}

/// The items before the signature (type 2: with the access list; legacy: up to the data).
fn unsigned_items(envelope: &Envelope, chain_id: u64) -> Vec<u8> {
    let calldata = abi::encode(envelope.subaccount, envelope.batch, &envelope.operations);
    let mut items = Vec::with_capacity(calldata.len() + 160);
    match envelope.form {
        Form::Type2Default => {
            put_type2_head(
                &mut items,
                chain_id,
                envelope.nonce,
                [DEFAULT_TIP, DEFAULT_MAX_FEE, DEFAULT_GAS],
            );
        }
        Form::Type2 { tip, max_fee, gas } => {
            put_type2_head(&mut items, chain_id, envelope.nonce, [tip, max_fee, gas]);
        }
        Form::Legacy { gas_price, gas } => {
            put_u64(&mut items, envelope.nonce);
            put_u64(&mut items, gas_price);
            put_u64(&mut items, gas);
        }
    }
    put_bytes(&mut items, &EXCHANGE.0);
    put_u64(&mut items, 0);
    put_bytes(&mut items, &calldata);
    if !matches!(envelope.form, Form::Legacy { .. }) {
        put_list(&mut items, &[]);
    }
    items
}

fn put_type2_head(items: &mut Vec<u8>, chain_id: u64, nonce: u64, fees: [u64; 3]) {
    put_u64(items, chain_id);
    put_u64(items, nonce);
    for fee in fees {
        put_u64(items, fee);
    }
}

/// The list around the items, with the type byte before it.
fn finish(form: Form, items: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(items.len() + 10);
    if !matches!(form, Form::Legacy { .. }) {
        out.push(2);
    }
    put_list(&mut out, items);
    out
}
