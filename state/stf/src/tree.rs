//! The tree over all records: what a state root is (docs/formats.md §1), kept up to date in memory.
//!
//! In: records that changed, as rows. Out: the state root, proofs of records that are there or
//! absent.
//! Holds: the root depends on the records only, not on the way to them.
//! Not here: where the records are kept (`ram`), the guest's partial tree (`witness`).

use alloc::vec::Vec;

use crate::blocks::{BlockTree, Leaf};
use crate::error::Fault;
use crate::hash::hash64;
use crate::merkle::{self, EMPTY};
use crate::platform::Platform;
use crate::ram::Row;
use crate::records::{
    Account, AddressNode, Chain, ClientIds, Level, Market, Order, Position, ReportRecord, Reporter,
    Subaccount, Taker, Ticks, WithdrawalFrontier,
};
use crate::store::Record;
use crate::types::{Word, ZERO};

/// Depth of the tree over the roots of the kinds.
pub const TOP_DEPTH: u32 = 5;
/// Places in it.
pub const KINDS_MAX: usize = 1 << TOP_DEPTH;

/// What the tree knows of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Depth of its tree.
    pub depth: u32,
    /// Words of a record.
    pub words: usize,
}

const fn shape<R: Record>() -> Shape {
    Shape { depth: R::DEPTH, words: R::WORDS }
}

/// The kinds, by number.
pub const SHAPES: [Shape; 14] = [
    shape::<Chain>(),
    shape::<Account>(),
    shape::<AddressNode>(),
    shape::<Subaccount>(),
    shape::<Position>(),
    shape::<Market>(),
    shape::<Order>(),
    shape::<Level>(),
    shape::<Ticks>(),
    shape::<ClientIds>(),
    shape::<Reporter>(),
    shape::<ReportRecord>(),
    shape::<WithdrawalFrontier>(),
    shape::<Taker>(),
];

/// Root of the state without records.
pub const EMPTY_STATE_ROOT: Word = empty_state_root();

const fn empty_state_root() -> Word {
    let mut nodes = [ZERO; KINDS_MAX];
    let mut kind = 0;
    while kind < SHAPES.len() {
        nodes[kind] = EMPTY[SHAPES[kind].depth as usize];
        kind += 1;
    }
    let mut count = KINDS_MAX;
    while count > 1 {
        count /= 2;
        let mut at = 0;
        while at < count {
            nodes[at] = hash64(&nodes[2 * at], &nodes[2 * at + 1]);
            at += 1;
        }
    }
    nodes[0]
}

/// The word that ties a leaf to its place.
pub const fn key(kind: u16, index: u64) -> Word {
    let mut word = ZERO;
    word[0] = kind.to_le_bytes()[0];
    word[1] = kind.to_le_bytes()[1];
    let bytes = index.to_le_bytes();
    let mut at = 0;
    while at < bytes.len() {
        word[8 + at] = bytes[at];
        at += 1;
    }
    word
}

/// Levels of the tree over the words of a record.
pub const fn record_depth(words: usize) -> u32 {
    words.next_power_of_two().ilog2()
}

/// Leaf of a record given as words; no words = absent.
///
/// # Errors
/// `Fault::IndexRange` for a place that does not exist, `Fault::Corrupt` for a wrong length.
pub fn leaf(
    kind: u16,
    index: u64,
    bytes: &[u8],
    platform: &mut impl Platform,
) -> Result<Word, Fault> {
    let shape = SHAPES.get(usize::from(kind)).ok_or(Fault::IndexRange)?;
    if index >> shape.depth != 0 {
        return Err(Fault::IndexRange);
    }
    let (words, rest): (&[Word], _) = bytes.as_chunks();
    if words.iter().all(|word| *word == ZERO) && rest.is_empty() && words.len() <= shape.words {
        return Ok(ZERO);
    }
    if words.len() != shape.words || !rest.is_empty() {
        return Err(Fault::Corrupt);
    }
    let root = match words {
        [word] => *word,
        _ => merkle::root(words, record_depth(shape.words), platform),
    };
    Ok(platform.hash64(&key(kind, index), &root))
}

/// The whole tree.
pub struct StateTree {
    kinds: Vec<BlockTree>,
    root: Word,
}

impl Default for StateTree {
    fn default() -> Self {
        let kinds = SHAPES.iter().map(|shape| BlockTree::new(shape.depth)).collect();
        Self { kinds, root: EMPTY_STATE_ROOT }
    }
}

impl StateTree {
    /// The tree of the empty state.
    pub fn new() -> Self {
        Self::default()
    }

    /// The state root.
    pub fn root(&self) -> Word {
        self.root
    }

    /// Puts in changed records (the last of equal places counts) and gives the state root.
    ///
    /// # Errors
    /// As `leaf`; then nothing has changed.
    pub fn update(&mut self, rows: &[Row], platform: &mut impl Platform) -> Result<Word, Fault> {
        let mut leaves = Vec::with_capacity(rows.len());
        for (kind, index, bytes) in rows {
            let value = leaf(*kind, *index, bytes, platform)?;
            leaves.push((*kind, Leaf { index: *index, value }));
        }
        leaves.sort_by_key(|(kind, leaf)| (*kind, leaf.index));
        let mut of_kind = Vec::new();
        for group in leaves.chunk_by(|a, b| a.0 == b.0) {
            let kind = group.first().map_or(0, |(kind, _)| usize::from(*kind));
            of_kind.clear();
            of_kind.extend(group.iter().map(|(_, leaf)| *leaf));
            self.kinds.get_mut(kind).ok_or(Fault::IndexRange)?.update(&of_kind, platform);
        }
        if !leaves.is_empty() {
            self.root = merkle::root(&self.kind_roots(), TOP_DEPTH, platform);
        }
        Ok(self.root)
    }

    /// Siblings of a record's leaf, lowest first: those of its kind, then five of the top tree.
    ///
    /// # Errors
    /// `Fault::IndexRange` for a place that does not exist.
    pub fn proof(
        &self,
        kind: u16,
        index: u64,
        platform: &mut impl Platform,
    ) -> Result<Vec<Word>, Fault> {
        let shape = SHAPES.get(usize::from(kind)).ok_or(Fault::IndexRange)?;
        if index >> shape.depth != 0 {
            return Err(Fault::IndexRange);
        }
        let tree = self.kinds.get(usize::from(kind)).ok_or(Fault::IndexRange)?;
        let mut siblings = tree.proof(index);
        siblings.extend(merkle::proof(&self.kind_roots(), TOP_DEPTH, kind.into(), platform));
        Ok(siblings)
    }

    fn kind_roots(&self) -> Vec<Word> {
        self.kinds.iter().map(BlockTree::root).collect()
    }
}

/// Root that a proof leads to from a leaf, for whoever verifies.
pub fn root_of_proof(
    kind: u16,
    index: u64,
    leaf: &Word,
    siblings: &[Word],
    platform: &mut impl Platform,
) -> Result<Word, Fault> {
    let shape = SHAPES.get(usize::from(kind)).ok_or(Fault::IndexRange)?;
    if index >> shape.depth != 0 || siblings.len() != (shape.depth + TOP_DEPTH) as usize {
        return Err(Fault::IndexRange);
    }
    let (below, top) = siblings.split_at(shape.depth as usize);
    let root = merkle::climb(leaf, index, below, platform);
    Ok(merkle::climb(&root, kind.into(), top, platform))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Software;
    use crate::ram::RamStore;
    use crate::store::Store;
    use alloc::vec;

    fn some_rows() -> Result<Vec<Row>, Fault> {
        let mut store = RamStore::new();
        store.write::<Chain>(0)?.market_count = 2;
        for n in 1..40u64 {
            store.write::<Account>(n)?.nonce = n;
            store.write::<Order>(n << 30 | n)?.open_e9 = n;
            store.write::<Level>((n % 3) << 24 | n)?.open_e9 = n;
            store.write::<ClientIds>(n * n)?.ids[5] = n;
        }
        Ok(store.take_dirty())
    }

    #[test]
    fn the_root_depends_on_the_records_only() -> Result<(), Fault> {
        let rows = some_rows()?;
        let mut once = StateTree::new();
        let root = once.update(&rows, &mut Software)?;
        let mut slowly = StateTree::new();
        for row in rows.iter().rev() {
            slowly.update(&[(row.0, row.1, vec![0xee; row.2.len()])], &mut Software)?;
            slowly.update(core::slice::from_ref(row), &mut Software)?;
        }
        assert_eq!(slowly.root(), root);
        let gone: Vec<Row> = rows.iter().map(|row| (row.0, row.1, Vec::new())).collect();
        assert_eq!(once.update(&gone, &mut Software), Ok(EMPTY_STATE_ROOT));
        Ok(())
    }

    #[test]
    fn proofs_lead_to_the_root_for_present_and_absent_records() -> Result<(), Fault> {
        let rows = some_rows()?;
        let mut tree = StateTree::new();
        let root = tree.update(&rows, &mut Software)?;
        for (kind, index, bytes) in &rows {
            let value = leaf(*kind, *index, bytes, &mut Software)?;
            let path = tree.proof(*kind, *index, &mut Software)?;
            assert_eq!(root_of_proof(*kind, *index, &value, &path, &mut Software), Ok(root));
            assert_ne!(root_of_proof(*kind, *index, &ZERO, &path, &mut Software), Ok(root));
        }
        for (kind, index) in [(13, 0), (3, 16), (6, (1 << 36) - 1), (7, 4)] {
            let path = tree.proof(kind, index, &mut Software)?;
            assert_eq!(root_of_proof(kind, index, &ZERO, &path, &mut Software), Ok(root));
        }
        Ok(())
    }

    #[test]
    fn a_row_of_no_place_changes_nothing() {
        let mut tree = StateTree::new();
        for row in [(14, 0, vec![]), (0, 1, vec![]), (1, 1, vec![1; 63]), (1, 1, vec![1; 96])] {
            assert!(tree.update(&[(1, 1, vec![1; 64]), row], &mut Software).is_err());
        }
        assert_eq!(tree.root(), EMPTY_STATE_ROOT);
    }
}
