//! Data by hash: all that the guest can read, and how natively recorded data answers the same.
//!
//! In: keys that the caller got from a root it trusts, never from a user. Out: what hashes to them.
//! Holds: whoever implements this may fail, but not answer with anything else (docs/formats.md §10).
//! Not here: what is read so (`witness`, `witness_inputs`), the calls themselves (`state/guest`).

use alloc::vec::Vec;

use crate::error::Fault;
use crate::merkle::empty;
use crate::types::Word;

/// Longest preimage: a direct input's leaf, rounded up to words.
pub const MAX_PREIMAGE_BYTES: usize = 1_088;

/// Reads preimages of keccak256.
pub trait Preimages {
    /// Both halves of the node with this hash.
    ///
    /// # Errors
    /// `Fault::Missing` natively; the guest's machine fails instead.
    fn node(&mut self, key: &Word) -> Result<(Word, Word), Fault>;
    /// The same for a root whose first byte is the tag 00 instead of the hash's.
    ///
    /// # Errors
    /// As `node`.
    fn tagged_node(&mut self, key: &Word) -> Result<(Word, Word), Fault>;
    /// A preimage of any length up to `MAX_PREIMAGE_BYTES`.
    ///
    /// # Errors
    /// As `node`; `Fault::Corrupt` for one that is longer.
    fn bytes(&mut self, key: &Word) -> Result<Vec<u8>, Fault>;
}

/// Leaf `index` of a tree of `depth` under `root`; None where nothing was ever put.
///
/// # Errors
/// Those of `Preimages`.
pub(crate) fn descend(
    preimages: &mut impl Preimages,
    root: &Word,
    depth: u32,
    index: u64,
) -> Result<Option<Word>, Fault> {
    let mut node = *root;
    for height in (1..=depth).rev() {
        if node == *empty(height) {
            return Ok(None);
        }
        let (left, right) = preimages.node(&node)?;
        node = if index >> (height - 1) & 1 == 0 { left } else { right };
    }
    Ok(Some(node))
}

/// The eight words under a root that has the tag 00: a header.
///
/// # Errors
/// Those of `Preimages`.
pub fn tagged_eight(preimages: &mut impl Preimages, root: &Word) -> Result<[Word; 8], Fault> {
    let (left, right) = preimages.tagged_node(root)?;
    let ((n0, n1), (n2, n3)) = (preimages.node(&left)?, preimages.node(&right)?);
    let ((w0, w1), (w2, w3)) = (preimages.node(&n0)?, preimages.node(&n1)?);
    let ((w4, w5), (w6, w7)) = (preimages.node(&n2)?, preimages.node(&n3)?);
    Ok([w0, w1, w2, w3, w4, w5, w6, w7])
}

/// Half of the order of secp256k1, big-endian: the largest lawful s.
const HALF_ORDER: Word = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// Input of Ethereum's ecrecover for an EIP-2098 signature: digest, v, r, s; None if s is high.
pub fn recover_input(digest: &Word, signature: &[u8; 64]) -> Option<[u8; 128]> {
    let ([r, s], _) = signature.as_chunks::<32>() else { return None };
    let mut s = *s;
    let parity = s[0] >> 7;
    s[0] &= 0x7f;
    if s > HALF_ORDER {
        return None;
    }
    let mut out = [0; 128];
    let v = {
        let mut word = [0; 32];
        word[31] = 27 + parity;
        word
    };
    let pieces = [digest, &v, r, &s];
    for (to, from) in out.iter_mut().zip(pieces.into_iter().flatten()) {
        *to = *from;
    }
    Some(out)
}
