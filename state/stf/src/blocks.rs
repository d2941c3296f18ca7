//! A binary tree of fixed depth with all inner nodes in memory, in blocks of sixteen leaves.
//!
//! In: leaves by index. Out: the root, siblings. The trees of the state's kinds are of this.
//! Holds: a block exists only while a leaf below it is not zero, so untouched space costs nothing;
//! an update hashes every node on a touched path once. Sixteen, because a block of 256 would cost
//! 16 KB for one lonely order.
//! Not here: what a leaf is (`tree`).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::merkle::empty;
use crate::platform::Platform;
use crate::types::{Word, ZERO};

/// Levels of a block; the topmost of a tree may have fewer.
const LEVELS: u32 = 4;
const LEAVES: usize = 1 << LEVELS;

/// A leaf on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) index: u64,
    pub(crate) value: Word,
}

struct Block {
    /// As in a heap: 1 is the root, the leaves are from `1 << levels` on, 0 is unused.
    nodes: [Word; 2 * LEAVES],
    /// What hangs below each leaf, unless this is the lowest block.
    children: [Option<Box<Block>>; LEAVES],
}

/// Levels of the block whose root is at `height`.
fn levels_at(height: u32) -> u32 {
    match height % LEVELS {
        0 => LEVELS.min(height),
        odd => odd,
    }
}

/// Place of the leaf on the way to `index`, in a block whose leaves are at height `below`.
fn slot_of(index: u64, below: u32, levels: u32) -> usize {
    usize::try_from(index >> below & ((1 << levels) - 1)).unwrap_or(0)
}

impl Block {
    fn new(height: u32) -> Self {
        let levels = levels_at(height);
        let mut nodes = [ZERO; 2 * LEAVES];
        for (at, node) in nodes.iter_mut().enumerate().skip(1) {
            *node = *empty(height.saturating_sub(at.ilog2()).max(height - levels));
        }
        Self { nodes, children: [const { None }; LEAVES] }
    }

    /// Puts in leaves, in order of index, all below this block. Recursion: at most nine deep.
    fn update(&mut self, height: u32, leaves: &[Leaf], platform: &mut impl Platform) -> Word {
        let levels = levels_at(height);
        let below = height - levels;
        let mut touched = 0u64;
        for group in leaves.chunk_by(|a, b| a.index >> below == b.index >> below) {
            let slot = slot_of(group.first().map_or(0, |leaf| leaf.index), below, levels);
            let value = self.update_child(slot, below, group, platform);
            let place = (1 << levels) | slot;
            if let Some(node) = self.nodes.get_mut(place) {
                *node = value;
            }
            touched |= 1 << place;
        }
        for parent in (1..1usize << levels).rev() {
            if touched >> (2 * parent) & 3 != 0 {
                touched |= 1 << parent;
                // The mask is no limit: it tells the compiler that the place exists.
                let (left, right) = (2 * parent % (2 * LEAVES), (2 * parent + 1) % (2 * LEAVES));
                let node = platform.hash64(&self.nodes[left], &self.nodes[right]);
                self.nodes[parent % (2 * LEAVES)] = node;
            }
        }
        self.nodes[1]
    }

    fn update_child(
        &mut self,
        slot: usize,
        height: u32,
        leaves: &[Leaf],
        platform: &mut impl Platform,
    ) -> Word {
        if height == 0 {
            return leaves.last().map_or(ZERO, |leaf| leaf.value);
        }
        let Some(place) = self.children.get_mut(slot) else { return ZERO };
        let child = place.get_or_insert_with(|| Box::new(Self::new(height)));
        let root = child.update(height, leaves, platform);
        if root == *empty(height) {
            *place = None;
        }
        root
    }
}

/// A tree of fixed depth.
pub(crate) struct BlockTree {
    depth: u32,
    root: Word,
    top: Option<Box<Block>>,
}

impl BlockTree {
    /// An empty tree.
    pub(crate) fn new(depth: u32) -> Self {
        Self { depth, root: *empty(depth), top: None }
    }

    /// Its root.
    pub(crate) fn root(&self) -> Word {
        self.root
    }

    /// Puts in leaves, sorted by index (the last of equal ones counts), and gives the root.
    pub(crate) fn update(&mut self, leaves: &[Leaf], platform: &mut impl Platform) -> Word {
        let Some(last) = leaves.last() else { return self.root };
        if self.depth == 0 {
            self.root = last.value;
            return self.root;
        }
        let depth = self.depth;
        let top = self.top.get_or_insert_with(|| Box::new(Block::new(depth)));
        self.root = top.update(depth, leaves, platform);
        self.root
    }

    /// Siblings of leaf `index`, lowest first.
    pub(crate) fn proof(&self, index: u64) -> Vec<Word> {
        let mut siblings = Vec::with_capacity(self.depth as usize);
        let mut height = self.depth;
        let mut block = self.top.as_deref();
        while height > 0 {
            let levels = levels_at(height);
            height -= levels;
            let slot = slot_of(index, height, levels);
            for level in (0..levels).rev() {
                let place = ((1 << levels) | slot) >> level;
                let node = block.and_then(|block| block.nodes.get(place ^ 1));
                siblings.push(*node.unwrap_or(empty(height + level)));
            }
            block = block.and_then(|block| block.children.get(slot)?.as_deref());
        }
        siblings.reverse();
        siblings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Software;
    use crate::merkle;
    use alloc::vec;

    fn leaf(index: u64, byte: u8) -> Leaf {
        Leaf { index, value: [byte; 32] }
    }

    #[test]
    fn every_depth_agrees_with_the_plain_tree() {
        for depth in 0..=9 {
            let mut tree = BlockTree::new(depth);
            let mut plain = vec![ZERO; 1 << depth];
            for round in 1..=6u8 {
                let mut leaves: Vec<Leaf> = (0..5u8)
                    .map(|n| {
                        leaf(u64::from(n) * 977 % (1 << depth), if n == round { 0 } else { round })
                    })
                    .collect();
                leaves.sort_by_key(|leaf| leaf.index);
                for leaf in &leaves {
                    plain[usize::try_from(leaf.index).expect("small")] = leaf.value;
                }
                let root = merkle::root(&plain, depth, &mut Software);
                assert_eq!(tree.update(&leaves, &mut Software), root, "depth {depth}");
                for index in (0..1 << depth).step_by(7) {
                    assert_eq!(
                        tree.proof(index),
                        merkle::proof(&plain, depth, index, &mut Software)
                    );
                }
            }
        }
    }

    #[test]
    fn blocks_that_became_empty_are_given_back() {
        let mut tree = BlockTree::new(36);
        tree.update(&[leaf(1 << 35, 7), leaf((1 << 35) + 1, 8)], &mut Software);
        assert_ne!(tree.root(), *empty(36));
        tree.update(&[leaf(1 << 35, 0), leaf((1 << 35) + 1, 0)], &mut Software);
        assert_eq!(tree.root(), *empty(36));
        assert!(tree.top.is_some_and(|top| top.children.iter().all(Option::is_none)));
    }
}
