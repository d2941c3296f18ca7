//! The three calls of the machine, and what the transition builds on them (docs/formats.md §10).
//!
//! In: keys from roots that are trusted. Out: preimages, hashes, signers.
//! Holds: every address given to the machine is aligned as it asks.
//! Not here: what the data means (`stf`).
#![allow(unsafe_code)]
// A call is a few instructions; only inlined does it see how its operands lie.
#![allow(clippy::inline_always)]

use alloc::vec::Vec;
use core::arch::asm;

use stf::aligned::{Hash, Pair};
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

/// Ends the program; code 0 gives `output` as its result.
pub(crate) fn halt(code: u64, output: &Word) -> ! {
    let cell = Hash(*output);
    loop {
        // SAFETY: the machine reads 32 bytes of `cell` and does not come back.
        unsafe {
            asm!("ecall", in("a7") CALL_HALT, in("a0") code, in("a1") &raw const cell);
        }
    }
}

/// Tells a measuring machine that a step has ended.
#[cfg(feature = "marks")]
pub(crate) fn mark(phase: u64, weight: u64) {
    // SAFETY: the measuring machine counts, and changes nothing.
    unsafe {
        asm!("ecall", in("a7") 64, in("a0") phase, in("a1") weight, options(nostack));
    }
}

/// Lets the machine write the word at `offset` of a preimage to `target`.
#[inline(always)]
fn read_to(target: &mut Hash, source: Source, key: &Hash, offset: usize) {
    let (parts, _) = key.0.as_chunks::<8>();
    let part = |at: usize| parts.get(at).map_or(0, |bytes| u64::from_le_bytes(*bytes));
    // SAFETY: the machine writes the 32 bytes of `target`, and nothing else changes.
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
            in("a6") &raw mut *target,
            options(nostack),
        );
    }
}

fn read_word(source: Source, key: &Hash, offset: usize) -> Hash {
    let mut hash = Hash(ZERO);
    read_to(&mut hash, source, key, offset);
    hash
}

#[inline(always)]
fn read_pair(target: &mut Pair, source: Source, key: &Hash) {
    read_to(&mut target.left, source, key, 0);
    read_to(&mut target.right, source, key, 32);
}

/// What the chunk is given.
pub(crate) fn context() -> Context {
    let mut words = [ZERO; CONTEXT_WORDS];
    for (at, word) in words.iter_mut().enumerate() {
        *word = read_word(Source::Context, &Hash(ZERO), 32 * at).0;
    }
    Context::decode(&words)
}

/// Preimages from the witness of the step.
#[derive(Clone, Copy)]
pub(crate) struct Witness;

impl Preimages for Witness {
    #[inline(always)]
    fn node_to(&mut self, key: &Hash, target: &mut Pair) -> Result<(), Fault> {
        read_pair(target, Source::Keccak, key);
        Ok(())
    }

    fn tagged_node(&mut self, key: &Hash) -> Result<Pair, Fault> {
        let mut pair = Pair::default();
        read_pair(&mut pair, Source::Tagged, key);
        Ok(pair)
    }

    fn bytes(&mut self, key: &Word) -> Result<Vec<u8>, Fault> {
        let key = &Hash(*key);
        let [a, b, c, d, e, f, g, h, ..] = read_word(Source::Length, key, 0).0;
        let length = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let length = usize::try_from(length).map_err(|_| Fault::Corrupt)?;
        if length > MAX_PREIMAGE_BYTES {
            return Err(Fault::Corrupt);
        }
        let mut bytes = Vec::with_capacity(length.next_multiple_of(32));
        for offset in (0..length).step_by(32) {
            bytes.extend_from_slice(&read_word(Source::Keccak, key, offset).0);
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Hashing and signatures by the machine.
pub(crate) struct Machine;

impl Platform for Machine {
    fn hash64(&mut self, left: &Word, right: &Word) -> Word {
        self.hash_pair(&Pair { left: Hash(*left), right: Hash(*right) }).0
    }

    #[inline(always)]
    fn hash_pair(&mut self, pair: &Pair) -> Hash {
        let mut hash = Hash(ZERO);
        // SAFETY: the machine reads the 64 bytes of `pair` and writes the 32 of `hash`.
        unsafe {
            asm!(
                "ecall",
                in("a7") CALL_HASH64,
                in("a0") &raw const *pair,
                in("a1") &raw mut hash,
                options(nostack),
            );
        }
        hash
    }

    fn keccak256(&mut self, data: &[u8]) -> Word {
        keccak256(data)
    }

    fn recover(&mut self, digest: &Word, signature: &[u8; 64]) -> Option<Address> {
        let key = Hash(keccak256(&recover_input(digest, signature)?));
        let answer = read_word(Source::Recover, &key, 0).0;
        if answer == ZERO {
            return None;
        }
        let (_, address) = answer.split_last_chunk::<20>()?;
        Some(Address(*address))
    }
}
