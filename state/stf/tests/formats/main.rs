//! Formats of docs/formats.md: against vectors that Python wrote, and against random and damaged
//! bytes.
//!
//! `NOVATION_SEED` repeats a run; every random test prints its seed and how many cases it had.

// Helpers of tests may stop a test; the lint excepts only functions marked `#[test]`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod damaged;
mod generator;
mod json;
mod l1;
mod vectors;

use stf::platform::Platform;
use stf::types::{Address, Word};

/// Hashes for real; signatures are not part of these tests.
pub(crate) struct Hashes;

impl Platform for Hashes {
    fn hash64(&mut self, left: &Word, right: &Word) -> Word {
        stf::hash::keccak256(&[*left, *right].concat())
    }

    fn keccak256(&mut self, data: &[u8]) -> Word {
        stf::hash::keccak256(data)
    }

    fn recover(&mut self, _: &Word, _: &[u8; 64]) -> Option<Address> {
        None
    }
}
