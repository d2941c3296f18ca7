//! Binary trees of `H` over words that lie in memory, and the roots of empty ones.
//!
//! In: leaves, left to right. Out: a root, a proof. Used for words of a record, pages, headers,
//! receipts, and by whoever serves proofs.
//! Holds: leaves that are missing on the right are zero words, whole missing subtrees `EMPTY`.
//! Not here: trees that grow (`incremental`), the state (`tree`).

use alloc::vec::Vec;

use crate::aligned::Hash;
use crate::hash::hash64;
use crate::platform::Platform;
use crate::types::{Word, ZERO};

/// Deepest tree there is: kinds 6 and 7 of the state.
pub const MAX_DEPTH: usize = 36;

/// Root of a tree of zero words, by height.
pub const EMPTY: [Word; MAX_DEPTH + 1] = empty_roots();

/// The same in one place in memory: a constant would be copied wherever it is used.
static EMPTY_TABLE: [Hash; MAX_DEPTH + 1] = aligned(&EMPTY);

/// For heights that do not exist.
static NOTHING: Hash = Hash(ZERO);

const fn aligned(words: &[Word; MAX_DEPTH + 1]) -> [Hash; MAX_DEPTH + 1] {
    let mut hashes = [Hash(ZERO); MAX_DEPTH + 1];
    let mut at = 0;
    while at < words.len() {
        hashes[at] = Hash(words[at]);
        at += 1;
    }
    hashes
}

const fn empty_roots() -> [Word; MAX_DEPTH + 1] {
    let mut roots = [ZERO; MAX_DEPTH + 1];
    let mut height = 0;
    while height < MAX_DEPTH {
        roots[height + 1] = hash64(&roots[height], &roots[height]);
        height += 1;
    }
    roots
}

/// Root of the empty tree of this height; heights over `MAX_DEPTH` do not exist and give the zero
/// word.
pub fn empty(height: u32) -> &'static Word {
    &empty_aligned(height).0
}

/// The same where alignment counts.
pub(crate) fn empty_aligned(height: u32) -> &'static Hash {
    EMPTY_TABLE.get(height as usize).unwrap_or(&NOTHING)
}

/// Replaces the nodes of one height by those of the next, in place.
fn ascend(nodes: &mut Vec<Word>, height: u32, platform: &mut impl Platform) {
    let parents = nodes.len().div_ceil(2);
    for parent in 0..parents {
        let left = nodes.get(2 * parent).unwrap_or(&ZERO);
        let right = nodes.get(2 * parent + 1).unwrap_or(empty(height));
        let node = platform.hash64(left, right);
        if let Some(place) = nodes.get_mut(parent) {
            *place = node;
        }
    }
    nodes.truncate(parents);
}

/// Root of the tree of `depth` over `leaves`; leaves over `2^depth` are the caller's mistake.
pub fn root(leaves: &[Word], depth: u32, platform: &mut impl Platform) -> Word {
    let mut nodes = leaves.to_vec();
    for height in 0..depth {
        ascend(&mut nodes, height, platform);
    }
    nodes.first().copied().unwrap_or(*empty(depth))
}

/// Siblings of leaf `index`, lowest first; for a leaf that is missing, its proof of absence.
pub fn proof(leaves: &[Word], depth: u32, index: u64, platform: &mut impl Platform) -> Vec<Word> {
    let mut nodes = leaves.to_vec();
    let mut siblings = Vec::with_capacity(depth as usize);
    for height in 0..depth {
        let sibling = usize::try_from((index >> height) ^ 1).ok().and_then(|at| nodes.get(at));
        siblings.push(*sibling.unwrap_or(empty(height)));
        ascend(&mut nodes, height, platform);
    }
    siblings
}

/// Root that a proof leads to from `leaf`.
pub fn climb(leaf: &Word, index: u64, siblings: &[Word], platform: &mut impl Platform) -> Word {
    let mut node = *leaf;
    for (height, sibling) in siblings.iter().enumerate() {
        node = if index >> height & 1 == 0 {
            platform.hash64(&node, sibling)
        } else {
            platform.hash64(sibling, &node)
        };
    }
    node
}

/// Root of eight words: headers and withdrawal leaves.
pub fn root_of_eight(words: &[Word; 8], platform: &mut impl Platform) -> Word {
    let [w0, w1, w2, w3, w4, w5, w6, w7] = words;
    let (n0, n1) = (platform.hash64(w0, w1), platform.hash64(w2, w3));
    let (n2, n3) = (platform.hash64(w4, w5), platform.hash64(w6, w7));
    let (left, right) = (platform.hash64(&n0, &n1), platform.hash64(&n2, &n3));
    platform.hash64(&left, &right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Software;

    fn leaves(count: u8) -> Vec<Word> {
        (1..=count).map(|n| [n; 32]).collect()
    }

    #[test]
    fn missing_leaves_are_zero_words() {
        for count in 0..=16 {
            let short = leaves(count);
            let mut long = short.clone();
            long.resize(16, ZERO);
            assert_eq!(root(&short, 4, &mut Software), root(&long, 4, &mut Software));
        }
    }

    #[test]
    fn every_proof_leads_to_the_root_and_no_other_leaf_does() {
        let some = leaves(11);
        let top = root(&some, 4, &mut Software);
        for index in 0..16u8 {
            let leaf = some.get(usize::from(index)).copied().unwrap_or(ZERO);
            let index = u64::from(index);
            let path = proof(&some, 4, index, &mut Software);
            assert_eq!(climb(&leaf, index, &path, &mut Software), top);
            assert_ne!(climb(&[99; 32], index, &path, &mut Software), top);
        }
    }

    #[test]
    fn eight_words_are_a_tree_of_depth_three() {
        let mut words = [ZERO; 8];
        words.copy_from_slice(&leaves(8));
        assert_eq!(root_of_eight(&words, &mut Software), root(&words, 3, &mut Software));
    }
}
