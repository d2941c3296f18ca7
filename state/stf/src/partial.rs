//! The part of the state tree that a run touches, opened node by node.
//!
//! In: a state root, preimages. Out: leaves; the root after some of them changed.
//! Holds: a node is opened at most once; nodes that were never opened keep their hash, so the new root is right
//! without them.
//! Not here: the whole tree in memory (`tree`), what a leaf is made of (`witness`).

use alloc::vec::Vec;

use crate::error::Fault;
use crate::merkle::empty;
use crate::platform::Platform;
use crate::preimages::Preimages;
use crate::tree::TOP_DEPTH;
use crate::types::{Word, ZERO};

struct Node {
    hash: Word,
    /// Place of the left child, the right one after it; 0 = not opened.
    children: usize,
    /// Something below has changed.
    stale: bool,
}

/// A tree of which only some nodes are known.
pub(crate) struct PartialTree {
    nodes: Vec<Node>,
}

/// Way from the state root to a leaf.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) kind: u16,
    pub(crate) depth: u32,
    pub(crate) index: u64,
}

impl Way {
    /// Which child to take from a node of this height above the leaf.
    fn side(self, height: u32) -> usize {
        let bit = match height.checked_sub(self.depth + 1) {
            Some(above) => u64::from(self.kind) >> above & 1,
            None => self.index >> (height - 1) & 1,
        };
        usize::from(bit == 1)
    }

    /// Whether nothing is below a node of this height: only inside the tree of a kind.
    fn is_empty(self, height: u32, hash: &Word) -> bool {
        height <= self.depth && hash == empty(height)
    }
}

impl PartialTree {
    /// Only the root is known.
    pub(crate) fn new(root: Word) -> Self {
        Self { nodes: Vec::from([Node { hash: root, children: 0, stale: false }]) }
    }

    /// The leaf at the end of `way`; zero if absent.
    pub(crate) fn leaf(&mut self, way: Way, preimages: &mut impl Preimages) -> Result<Word, Fault> {
        let mut at = 0;
        for height in (1..=way.depth + TOP_DEPTH).rev() {
            let node = self.nodes.get(at).ok_or(Fault::Corrupt)?;
            if node.children == 0 && way.is_empty(height, &node.hash) {
                return Ok(ZERO);
            }
            at = self.open(at, way, height, preimages)? + way.side(height);
        }
        Ok(self.nodes.get(at).ok_or(Fault::Corrupt)?.hash)
    }

    /// Puts in a leaf.
    pub(crate) fn set(
        &mut self,
        way: Way,
        leaf: Word,
        preimages: &mut impl Preimages,
    ) -> Result<(), Fault> {
        let mut at = 0;
        for height in (1..=way.depth + TOP_DEPTH).rev() {
            let left = self.open(at, way, height, preimages)?;
            self.nodes.get_mut(at).ok_or(Fault::Corrupt)?.stale = true;
            at = left + way.side(height);
        }
        self.nodes.get_mut(at).ok_or(Fault::Corrupt)?.hash = leaf;
        Ok(())
    }

    /// Makes sure that the children of the node at `at` are known; gives the place of the left one.
    fn open(
        &mut self,
        at: usize,
        way: Way,
        height: u32,
        preimages: &mut impl Preimages,
    ) -> Result<usize, Fault> {
        let node = self.nodes.get(at).ok_or(Fault::Corrupt)?;
        if node.children != 0 {
            return Ok(node.children);
        }
        let (left, right) = if way.is_empty(height, &node.hash) {
            (*empty(height - 1), *empty(height - 1))
        } else {
            preimages.node(&node.hash)?
        };
        let children = self.nodes.len();
        self.nodes.push(Node { hash: left, children: 0, stale: false });
        self.nodes.push(Node { hash: right, children: 0, stale: false });
        self.nodes.get_mut(at).ok_or(Fault::Corrupt)?.children = children;
        Ok(children)
    }

    /// The root, after hashing whatever is stale.
    pub(crate) fn root(&mut self, platform: &mut impl Platform) -> Result<Word, Fault> {
        self.hash(0, platform)
    }

    /// Recursion: at most 41 deep, the way to a leaf.
    fn hash(&mut self, at: usize, platform: &mut impl Platform) -> Result<Word, Fault> {
        let node = self.nodes.get(at).ok_or(Fault::Corrupt)?;
        if !node.stale {
            return Ok(node.hash);
        }
        let children = node.children;
        let left = self.hash(children, platform)?;
        let right = self.hash(children + 1, platform)?;
        let hash = platform.hash64(&left, &right);
        let node = self.nodes.get_mut(at).ok_or(Fault::Corrupt)?;
        node.hash = hash;
        node.stale = false;
        Ok(hash)
    }
}
