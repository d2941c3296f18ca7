//! The tree that only grows: L1 records, direct inputs, withdrawals (docs/formats.md §3).
//!
//! In: leaves in order. Out: the root after each. State: a frontier of 32 nodes and the count.
//! Holds: the root equals that of `merkle::root` of depth 32 over all leaves; the frontier's nodes
//! of heights whose bit of the count is 0 are left-overs and are never read.
//! Not here: proofs while growing: `merkle::proof` over all leaves.

use crate::error::Fault;
use crate::merkle::{EMPTY, empty};
use crate::platform::Platform;
use crate::types::{Word, ZERO};

/// Height of the tree.
pub const DEPTH: u32 = 32;
/// Most leaves; the last place stays empty, so that a full frontier needs no 33rd node.
pub const CAPACITY: u64 = (1 << DEPTH) - 1;
/// Root without leaves.
pub const EMPTY_ROOT: Word = EMPTY[DEPTH as usize];

/// Appends leaf number `count` and gives the root.
///
/// # Errors
/// `Fault::IndexRange` when the tree is full.
pub fn append(
    frontier: &mut [Word; DEPTH as usize],
    count: u64,
    leaf: Word,
    platform: &mut impl Platform,
) -> Result<Word, Fault> {
    if count >= CAPACITY {
        return Err(Fault::IndexRange);
    }
    let mut node = leaf;
    for (height, left) in frontier.iter_mut().enumerate() {
        if (count + 1) >> height & 1 == 1 {
            *left = node;
            break;
        }
        node = platform.hash64(left, &node);
    }
    Ok(root(frontier, count + 1, platform))
}

/// Root over `count` leaves.
pub fn root(frontier: &[Word; DEPTH as usize], count: u64, platform: &mut impl Platform) -> Word {
    let mut node = ZERO;
    for (height, left) in (0..DEPTH).zip(frontier) {
        node = if count >> height & 1 == 1 {
            platform.hash64(left, &node)
        } else {
            platform.hash64(&node, empty(height))
        };
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Software;
    use crate::merkle;
    use alloc::vec::Vec;

    #[test]
    fn the_root_after_each_leaf_is_that_of_the_whole_tree() {
        let mut frontier = [ZERO; 32];
        let mut leaves: Vec<Word> = Vec::new();
        assert_eq!(root(&frontier, 0, &mut Software), EMPTY_ROOT);
        for count in 0..70u8 {
            let leaf = [count ^ 0xa5; 32];
            leaves.push(leaf);
            let grown = append(&mut frontier, count.into(), leaf, &mut Software);
            assert_eq!(grown, Ok(merkle::root(&leaves, DEPTH, &mut Software)));
        }
    }

    #[test]
    fn a_full_tree_takes_no_leaf() {
        let mut frontier = [ZERO; 32];
        assert_eq!(append(&mut frontier, CAPACITY, [1; 32], &mut Software), Err(Fault::IndexRange));
        assert!(append(&mut frontier, CAPACITY - 1, [1; 32], &mut Software).is_ok());
    }
}
