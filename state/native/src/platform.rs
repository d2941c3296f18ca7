//! The platform of native code: keccak256 in software, signatures by libsecp256k1.
//!
//! In: digests and EIP-2098 signatures. Out: addresses.
//! Holds: a signature with high s recovers to nobody, as in the guest; no state, so threads share
//! nothing.
//! Not here: which digest an input has (`stf::envelope`, `stf::eip712`), threads (`recovery`).

use secp256k1::Message;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use stf::hash;
use stf::platform::Platform;
use stf::types::{Address, Word};

/// Half of the group order, rounded down: the largest low s.
const HALF_ORDER: Word = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// What the transition runs on outside the guest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Native;

impl Platform for Native {
    fn hash64(&mut self, left: &Word, right: &Word) -> Word {
        hash::hash64(left, right)
    }

    fn keccak256(&mut self, data: &[u8]) -> Word {
        hash::keccak256(data)
    }

    fn recover(&mut self, digest: &Word, signature: &[u8; 64]) -> Option<Address> {
        recover(digest, signature)
    }
}

/// Who signed `digest`; None unless the signature is valid and low-s.
pub(crate) fn recover(digest: &Word, signature: &[u8; 64]) -> Option<Address> {
    let mut compact = *signature;
    let parity = compact[32] >> 7;
    compact[32] &= 0x7f;
    if compact[32..] > HALF_ORDER[..] {
        return None;
    }
    let id = RecoveryId::from_u8_masked(parity);
    let signature = RecoverableSignature::from_compact(&compact, id).ok()?;
    let key = signature.recover(Message::from_digest(*digest)).ok()?;
    let hashed = hash::keccak256(&key.serialize_uncompressed()[1..]);
    let mut address = [0; 20];
    address.copy_from_slice(&hashed[12..]);
    Some(Address(address))
}
