//! Data by hash: all that the guest can read, and how natively recorded data answers the same.
//!
//! In: keys that the caller got from a root it trusts, never from a user. Out: what hashes to them.
//! Holds: whoever implements this may fail, but not answer with anything else (docs/formats.md
//! §10).
//! Not here: what is read so (`witness`, `witness_inputs`), the calls themselves (`state/guest`).

use alloc::vec::Vec;

use crate::aligned::{Hash, Pair};
use crate::error::Fault;
use crate::merkle::empty_aligned;
use crate::types::{Word, ZERO};

/// Longest preimage: a direct input's leaf, rounded up to words.
pub const MAX_PREIMAGE_BYTES: usize = 1_088;

/// Reads preimages of keccak256.
pub trait Preimages {
    /// Reads both halves of the node with this hash to where they shall be.
    ///
    /// # Errors
    /// `Fault::Missing` natively; the guest's machine fails instead.
    fn node_to(&mut self, key: &Hash, target: &mut Pair) -> Result<(), Fault>;
    /// The same for a root whose first byte is the tag 00 instead of the hash's.
    ///
    /// # Errors
    /// As `node_to`.
    fn tagged_node(&mut self, key: &Hash) -> Result<Pair, Fault>;
    /// A preimage of any length up to `MAX_PREIMAGE_BYTES`.
    ///
    /// # Errors
    /// As `node_to`; `Fault::Corrupt` for one that is longer.
    fn bytes(&mut self, key: &Word) -> Result<Vec<u8>, Fault>;

    /// Both halves of the node with this hash.
    ///
    /// # Errors
    /// As `node_to`.
    fn node(&mut self, key: &Hash) -> Result<Pair, Fault> {
        let mut pair = Pair::default();
        self.node_to(key, &mut pair)?;
        Ok(pair)
    }
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
    let mut node = Hash(*root);
    for height in (1..=depth).rev() {
        if node.is(empty_aligned(height)) {
            return Ok(None);
        }
        node = *preimages.node(&node)?.side(index >> (height - 1) & 1 == 1);
    }
    Ok(Some(node.0))
}

/// The eight words under a root that has the tag 00: a header.
///
/// # Errors
/// Those of `Preimages`.
pub fn tagged_eight(preimages: &mut impl Preimages, root: &Word) -> Result<[Word; 8], Fault> {
    let top = preimages.tagged_node(&Hash(*root))?;
    let (left, right) = (preimages.node(&top.left)?, preimages.node(&top.right)?);
    let (w01, w23) = (preimages.node(&left.left)?, preimages.node(&left.right)?);
    let (w45, w67) = (preimages.node(&right.left)?, preimages.node(&right.right)?);
    let pairs = [w01, w23, w45, w67];
    let mut words = [ZERO; 8];
    for (word, hash) in
        words.iter_mut().zip(pairs.iter().flat_map(|pair| [&pair.left, &pair.right]))
    {
        *word = hash.0;
    }
    Ok(words)
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
