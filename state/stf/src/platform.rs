//! The seams: what differs between native code and the guest, and where results go.
//!
//! In: nothing. Out: traits that `machine` and `ops` are generic over.
//! Holds: no method reads a clock or randomness, so that a run is a function of its inputs.
//! Not here: the implementations (`ram`, `witness`, `state/native`, `state/guest`).

use crate::aligned::{Hash, Pair};
use crate::error::Fault;
use crate::events::Event;
use crate::types::{Address, Block, Direct, RecordMeta, Word};

/// Hashing and signatures: native code on one side, VM calls on the other.
pub trait Platform {
    /// keccak256 of `left || right`.
    fn hash64(&mut self, left: &Word, right: &Word) -> Word;
    /// The same for words that lie as the guest's machine wants them.
    fn hash_pair(&mut self, pair: &Pair) -> Hash {
        Hash(self.hash64(&pair.left.0, &pair.right.0))
    }
    /// keccak256 of any bytes (signed digests only; state is hashed by `hash64`).
    fn keccak256(&mut self, data: &[u8]) -> Word;
    /// ecrecover of an EIP-2098 signature; None unless it is valid and low-s.
    fn recover(&mut self, digest: &Word, signature: &[u8; 64]) -> Option<Address>;
}

/// What is known of a segment when the loop asks for it.
pub enum Segment<'a> {
    /// It decodes to this block; `size` is its length in bytes, `closed` is false while inputs may
    /// still be appended (sequencer).
    Block {
        /// The block.
        block: &'a Block,
        /// Encoded bytes (0 where the sequencer has not encoded it yet).
        size: u32,
        /// No more inputs will come.
        closed: bool,
    },
    /// It does not decode: the batch ends here.
    Bad,
    /// The batch has no such segment: it ends here.
    End,
    /// The sequencer has not opened it yet.
    NotYet,
}

/// What the chunk loop reads besides the state.
pub trait Inputs {
    /// The L1 record at `index`; None past the end of what is available (the epoch, or what landed
    /// so far).
    fn record(&mut self, index: u64) -> Result<Option<RecordMeta>, Fault>;
    /// Segment `segment` of record `record`.
    fn segment(&mut self, record: u64, segment: u32) -> Result<Segment<'_>, Fault>;
    /// The direct input at `index`; asked only below a `direct_to` that the Inbox checked.
    fn direct(&mut self, index: u64) -> Result<Direct, Fault>;
}

/// Where events and results go: receipts natively, nowhere in the guest.
pub trait Sink {
    /// An input starts (kind: 1 envelope, 2 report, 3 direct).
    fn begin(&mut self, kind: u8);
    /// An operation of it ended: its code, and 0 or the reason's number.
    fn operation(&mut self, code: u8, reason: u16);
    /// Something happened in operation `operation` of the current input.
    fn event(&mut self, operation: u16, event: Event);
    /// Forget the events since the last `operation` call (the operation was rejected).
    fn drop_events(&mut self);
    /// The input ended: 0, or why it was skipped as a whole.
    fn end(&mut self, reason: u16);
}

impl<P: Platform> Platform for &mut P {
    fn hash64(&mut self, left: &Word, right: &Word) -> Word {
        (**self).hash64(left, right)
    }

    fn keccak256(&mut self, data: &[u8]) -> Word {
        (**self).keccak256(data)
    }

    fn recover(&mut self, digest: &Word, signature: &[u8; 64]) -> Option<Address> {
        (**self).recover(digest, signature)
    }
}

impl<K: Sink> Sink for &mut K {
    fn begin(&mut self, kind: u8) {
        (**self).begin(kind);
    }

    fn operation(&mut self, code: u8, reason: u16) {
        (**self).operation(code, reason);
    }

    fn event(&mut self, operation: u16, event: Event) {
        (**self).event(operation, event);
    }

    fn drop_events(&mut self) {
        (**self).drop_events();
    }

    fn end(&mut self, reason: u16) {
        (**self).end(reason);
    }
}
