//! The three calls of the machine, and what the transition builds on them (docs/formats.md §10).
//!
//! In: keys from roots that are trusted. Out: preimages, hashes, signers.
//! Holds: every address given to the machine is aligned as it asks.
//! Not here: what the data means (`stf`).
#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::arch::asm;

use stf::context::{CONTEXT_WORDS, Context};
use stf::error::Fault;
use stf::hash::keccak256;
use stf::platform::Platform;
use stf::preimages::{MAX_PREIMAGE_BYTES, Preimages, recover_input};
use stf::types::{Address, Word, ZERO};

const CALL_HALT: u64 = 1;
const CALL_READ_PREIMAGE: u64 = 2;
const CALL_HASH64: u64 = 3;

/// What is read (a0 of call 2).
#[derive(Clone, Copy)]
enum Source {
    Context = 0,
    Keccak = 1,
    Length = 2,
    Tagged = 3,
    Recover = 4,
}

/// Where the machine writes a word.
#[repr(C, align(32))]
struct Cell(Word);

/// What the machine hashes.
#[repr(C, align(64))]
struct Pair([Word; 2]);

/// Ends the program; code 0 gives `output` as its result.
pub(crate) fn halt(code: u64, output: &Word) -> ! {
    let cell = Cell(*output);
    loop {
        // SAFETY: the machine reads 32 bytes of `cell` and does not come back.
        unsafe {
            asm!("ecall", in("a7") CALL_HALT, in("a0") code, in("a1") &raw const cell);
        }
    }
}

fn read_word(source: Source, key: &Word, offset: usize) -> Word {
    let mut cell = Cell(ZERO);
    let (parts, _) = key.as_chunks::<8>();
    let part = |at: usize| parts.get(at).map_or(0, |bytes| u64::from_le_bytes(*bytes));
    // SAFETY: the machine writes 32 bytes to `cell`, and nothing else changes.
    unsafe {
        asm!(
            "ecall",
            in("a7") CALL_READ_PREIMAGE,
            in("a0") source as u64,
            in("a1") part(0),
            in("a2") part(1),
            in("a3") part(2),
            in("a4") part(3),
            in("a5") offset,
            in("a6") &raw mut cell,
            options(nostack),
        );
    }
    cell.0
}

/// What the chunk is given.
pub(crate) fn context() -> Context {
    let mut words = [ZERO; CONTEXT_WORDS];
    for (at, word) in words.iter_mut().enumerate() {
        *word = read_word(Source::Context, &ZERO, 32 * at);
    }
    Context::decode(&words)
}

/// Preimages from the witness of the step.
#[derive(Clone, Copy)]
pub(crate) struct Witness;

impl Preimages for Witness {
    fn node(&mut self, key: &Word) -> Result<(Word, Word), Fault> {
        Ok((read_word(Source::Keccak, key, 0), read_word(Source::Keccak, key, 32)))
    }

    fn tagged_node(&mut self, key: &Word) -> Result<(Word, Word), Fault> {
        Ok((read_word(Source::Tagged, key, 0), read_word(Source::Tagged, key, 32)))
    }

    fn bytes(&mut self, key: &Word) -> Result<Vec<u8>, Fault> {
        let [a, b, c, d, e, f, g, h, ..] = read_word(Source::Length, key, 0);
        let length = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let length = usize::try_from(length).map_err(|_| Fault::Corrupt)?;
        if length > MAX_PREIMAGE_BYTES {
            return Err(Fault::Corrupt);
        }
        let mut bytes = Vec::with_capacity(length.next_multiple_of(32));
        for offset in (0..length).step_by(32) {
            bytes.extend_from_slice(&read_word(Source::Keccak, key, offset));
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Hashing and signatures by the machine.
pub(crate) struct Machine;

impl Platform for Machine {
    fn hash64(&mut self, left: &Word, right: &Word) -> Word {
        let pair = Pair([*left, *right]);
        let mut cell = Cell(ZERO);
        // SAFETY: the machine reads the 64 bytes of `pair` and writes the 32 of `cell`.
        unsafe {
            asm!(
                "ecall",
                in("a7") CALL_HASH64,
                in("a0") &raw const pair,
                in("a1") &raw mut cell,
                options(nostack),
            );
        }
        cell.0
    }

    fn keccak256(&mut self, data: &[u8]) -> Word {
        keccak256(data)
    }

    fn recover(&mut self, digest: &Word, signature: &[u8; 64]) -> Option<Address> {
        let key = keccak256(&recover_input(digest, signature)?);
        let answer = read_word(Source::Recover, &key, 0);
        if answer == ZERO {
            return None;
        }
        let (_, address) = answer.split_last_chunk::<20>()?;
        Some(Address(*address))
    }
}
