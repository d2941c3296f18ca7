//! Words at addresses that the guest's machine can hash without a copy.
//!
//! In: words. Out: the same words, aligned as its calls ask (docs/formats.md §10).
//! Holds: the guest has no unaligned access, so a plain word is copied byte by byte there, and one
//! of these by eight bytes: that is half of what a path costs.
//! Not here: the calls (`state/guest`).

use crate::types::Word;

/// A word at a multiple of 32.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
pub struct Hash(pub Word);

impl Hash {
    /// Whether both are the same, eight bytes at a time.
    #[inline]
    pub fn is(&self, other: &Self) -> bool {
        let ((mine, _), (theirs, _)) = (self.0.as_chunks::<8>(), other.0.as_chunks::<8>());
        let pairs = mine.iter().zip(theirs);
        pairs.fold(0, |seen, (a, b)| seen | (u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b))) == 0
    }
}

/// Two words at a multiple of 64: the children of a node.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct Pair {
    /// Child for bit 0.
    pub left: Hash,
    /// Child for bit 1.
    pub right: Hash,
}

impl Pair {
    /// One of the children.
    #[inline]
    pub const fn side(&self, right: bool) -> &Hash {
        if right { &self.right } else { &self.left }
    }

    /// The same, to change it.
    #[inline]
    pub const fn side_mut(&mut self, right: bool) -> &mut Hash {
        if right { &mut self.right } else { &mut self.left }
    }
}
