//! The part of the state tree that a run touches, opened node by node.
//!
//! In: a state root, preimages. Out: leaves; the root after some of them changed.
//! Holds: a node is opened at most once; nodes that were never opened keep their hash, so the new
//! root is right without them.
//! Not here: the whole tree in memory (`tree`), what a leaf is made of (`witness`).

use alloc::vec::Vec;

use crate::aligned::{Hash, Pair};
use crate::error::Fault;
use crate::merkle::empty_aligned;
use crate::platform::Platform;
use crate::preimages::Preimages;
use crate::tree::TOP_DEPTH;
use crate::types::{Word, ZERO};

/// Room at first: growing copies every node there is.
const NODES_AT_FIRST: usize = 1 << 14;

/// A node whose children are known.
#[derive(Default)]
struct Opened {
    children: Pair,
    /// Places of the children that are opened themselves, left and right; 0 = not.
    places: [usize; 2],
    /// Children below which something has changed.
    stale: [bool; 2],
}

/// A tree of which only some nodes are known.
pub(crate) struct PartialTree {
    /// The first one stands above the root, which is its left child.
    nodes: Vec<Opened>,
}

/// Way from the state root to a leaf.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) kind: u16,
    pub(crate) depth: u32,
    pub(crate) index: u64,
}

impl Way {
    /// Whether to go right from a node of this height above the leaf.
    fn is_right(self, height: u32) -> bool {
        match height.checked_sub(self.depth + 1) {
            Some(above) => self.kind >> above & 1 == 1,
            None => self.index >> (height - 1) & 1 == 1,
        }
    }

    /// Whether nothing is below a node of this height: only inside the tree of a kind.
    fn is_empty(self, height: u32, hash: &Hash) -> bool {
        height <= self.depth && hash.is(empty_aligned(height))
    }
}

impl PartialTree {
    /// Only the root is known.
    pub(crate) fn new(root: Word) -> Self {
        let children = Pair { left: Hash(root), right: Hash(ZERO) };
        let mut nodes = Vec::with_capacity(NODES_AT_FIRST);
        nodes.push(Opened { children, ..Opened::default() });
        Self { nodes }
    }

    /// The leaf at the end of `way`; zero if absent.
    pub(crate) fn leaf(&mut self, way: Way, preimages: &mut impl Preimages) -> Result<Word, Fault> {
        let (mut at, mut right) = (0, false);
        for height in (1..=way.depth + TOP_DEPTH).rev() {
            let node = self.nodes.get(at).ok_or(Fault::Corrupt)?;
            let mut place = node.places[usize::from(right)];
            if place == 0 {
                if way.is_empty(height, node.children.side(right)) {
                    return Ok(ZERO);
                }
                place = self.open(at, right, way, height, preimages)?;
            }
            (at, right) = (place, way.is_right(height));
        }
        Ok(self.nodes.get(at).ok_or(Fault::Corrupt)?.children.side(right).0)
    }

    /// Puts in a leaf.
    pub(crate) fn set(
        &mut self,
        way: Way,
        leaf: &Hash,
        preimages: &mut impl Preimages,
    ) -> Result<(), Fault> {
        let (mut at, mut right) = (0, false);
        for height in (1..=way.depth + TOP_DEPTH).rev() {
            let node = self.nodes.get_mut(at).ok_or(Fault::Corrupt)?;
            node.stale[usize::from(right)] = true;
            let mut place = node.places[usize::from(right)];
            if place == 0 {
                place = self.open(at, right, way, height, preimages)?;
            }
            (at, right) = (place, way.is_right(height));
        }
        *self.nodes.get_mut(at).ok_or(Fault::Corrupt)?.children.side_mut(right) = *leaf;
        Ok(())
    }

    /// Learns the children of a child; gives the place where they are.
    fn open(
        &mut self,
        at: usize,
        right: bool,
        way: Way,
        height: u32,
        preimages: &mut impl Preimages,
    ) -> Result<usize, Fault> {
        let place = self.nodes.len();
        let node = self.nodes.get_mut(at).ok_or(Fault::Corrupt)?;
        let hash = *node.children.side(right);
        node.places[usize::from(right)] = place;
        // Pushed first, so that the machine writes to where it stays.
        self.nodes.push(Opened::default());
        let target = &mut self.nodes.last_mut().ok_or(Fault::Corrupt)?.children;
        if way.is_empty(height, &hash) {
            let below = empty_aligned(height - 1);
            *target = Pair { left: *below, right: *below };
        } else {
            preimages.node_to(&hash, target)?;
        }
        Ok(place)
    }

    /// The root, after hashing whatever is stale.
    pub(crate) fn root(&mut self, platform: &mut impl Platform) -> Result<Word, Fault> {
        self.refresh(0, false, platform)?;
        Ok(self.nodes.first().ok_or(Fault::Corrupt)?.children.left.0)
    }

    /// Hashes a child again if something below it has changed. Recursion: at most 41 deep, the way
    /// to a leaf.
    fn refresh(
        &mut self,
        at: usize,
        right: bool,
        platform: &mut impl Platform,
    ) -> Result<(), Fault> {
        let node = self.nodes.get_mut(at).ok_or(Fault::Corrupt)?;
        if !core::mem::take(&mut node.stale[usize::from(right)]) {
            return Ok(());
        }
        let place = node.places[usize::from(right)];
        self.refresh(place, false, platform)?;
        self.refresh(place, true, platform)?;
        let hash = platform.hash_pair(&self.nodes.get(place).ok_or(Fault::Corrupt)?.children);
        *self.nodes.get_mut(at).ok_or(Fault::Corrupt)?.children.side_mut(right) = hash;
        Ok(())
    }
}
