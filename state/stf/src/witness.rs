//! The store of the guest: records fetched by hash when they are touched, under the old state root.
//!
//! In: the state root before, preimages. Out: records; the state root after.
//! Holds: the same records as `ram` and the same root as `tree` for the same edits.
//! Not here: the inputs (`witness_inputs`).

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;

use crate::aligned::{Hash, Pair};
use crate::error::Fault;
use crate::merkle::empty_aligned;
use crate::partial::{PartialTree, Way};
use crate::platform::Platform;
use crate::preimages::Preimages;
use crate::records::{
    Account, AddressNode, Chain, ClientIds, Level, Market, Order, Position, ReportRecord, Reporter,
    Subaccount, Taker, Ticks, WithdrawalFrontier,
};
use crate::store::{Access, Record, Store};
use crate::tree::{key, record_depth};
use crate::types::{Word, ZERO};

/// Most words of a record.
const WORDS_MAX: usize = 32;

/// Words of a record, each at a multiple of 32.
#[repr(C, align(64))]
struct Words([Word; WORDS_MAX]);

struct Cell<R> {
    record: R,
    dirty: bool,
    /// The checkpoint since which the undo log has it.
    logged_in: u64,
}

struct Cells<R> {
    known: BTreeMap<u64, Cell<R>>,
    undo: Vec<(u64, R)>,
}

impl<R> Default for Cells<R> {
    fn default() -> Self {
        Self { known: BTreeMap::new(), undo: Vec::new() }
    }
}

fn way<R: Record>(index: u64) -> Result<Way, Fault> {
    if index >> R::DEPTH != 0 {
        return Err(Fault::IndexRange);
    }
    Ok(Way { kind: R::KIND, depth: R::DEPTH, index })
}

/// The cell at `index`, fetched if it is not known yet.
fn cell<'a, R: Record>(
    known: &'a mut BTreeMap<u64, Cell<R>>,
    index: u64,
    tree: &mut PartialTree,
    preimages: &mut impl Preimages,
) -> Result<&'a mut Cell<R>, Fault> {
    match known.entry(index) {
        Entry::Occupied(entry) => Ok(entry.into_mut()),
        Entry::Vacant(entry) => {
            let leaf = tree.leaf(way::<R>(index)?, preimages)?;
            let record = open_leaf(&leaf, index, preimages)?;
            Ok(entry.insert(Cell { record, dirty: false, logged_in: 0 }))
        }
    }
}

impl<R: Record> Cells<R> {
    fn edit(
        &mut self,
        index: u64,
        checkpoint: u64,
        tree: &mut PartialTree,
        preimages: &mut impl Preimages,
    ) -> Result<&mut R, Fault> {
        let cell = cell(&mut self.known, index, tree, preimages)?;
        cell.dirty = true;
        if cell.logged_in != checkpoint {
            cell.logged_in = checkpoint;
            self.undo.push((index, cell.record));
        }
        Ok(&mut cell.record)
    }

    fn undo(&mut self) {
        while let Some((index, old)) = self.undo.pop() {
            if let Some(cell) = self.known.get_mut(&index) {
                cell.record = old;
            }
        }
    }

    /// Puts the leaves of what is dirty into the tree.
    fn flush(
        &mut self,
        tree: &mut PartialTree,
        preimages: &mut impl Preimages,
        platform: &mut impl Platform,
    ) -> Result<(), Fault> {
        for (index, cell) in &mut self.known {
            if cell.dirty {
                cell.dirty = false;
                tree.set(way::<R>(*index)?, &leaf_of(&cell.record, *index, platform), preimages)?;
            }
        }
        Ok(())
    }
}

/// The record under a leaf.
fn open_leaf<R: Record>(
    leaf: &Word,
    index: u64,
    preimages: &mut impl Preimages,
) -> Result<R, Fault> {
    if *leaf == ZERO {
        return Ok(R::default());
    }
    let opened = preimages.node(&Hash(*leaf))?;
    if opened.left.0 != key(R::KIND, index) {
        return Err(Fault::Corrupt);
    }
    let depth = record_depth(R::WORDS);
    let Words(words) = &mut Words([ZERO; WORDS_MAX]);
    words[0] = opened.right.0;
    for height in (1..=depth).rev() {
        // From the last one down, so that no node is overwritten before it is opened.
        for at in (0..1usize << (depth - height)).rev() {
            let node = Hash(*words.get(at).ok_or(Fault::Corrupt)?);
            let children = if node.is(empty_aligned(height)) {
                let below = *empty_aligned(height - 1);
                Pair { left: below, right: below }
            } else {
                preimages.node(&node)?
            };
            *words.get_mut(2 * at).ok_or(Fault::Corrupt)? = children.left.0;
            *words.get_mut(2 * at + 1).ok_or(Fault::Corrupt)? = children.right.0;
        }
    }
    Ok(R::decode(words.get(..R::WORDS).ok_or(Fault::Corrupt)?))
}

/// The leaf of a record.
fn leaf_of<R: Record>(record: &R, index: u64, platform: &mut impl Platform) -> Hash {
    if *record == R::default() {
        return Hash(ZERO);
    }
    let Words(words) = &mut Words([ZERO; WORDS_MAX]);
    if let Some(place) = words.get_mut(..R::WORDS) {
        record.encode(place);
    }
    let mut count = R::WORDS.next_power_of_two();
    while count > 1 {
        count /= 2;
        for at in 0..count {
            let left = Hash(*words.get(2 * at).unwrap_or(&ZERO));
            let right = Hash(*words.get(2 * at + 1).unwrap_or(&ZERO));
            if let Some(place) = words.get_mut(at) {
                *place = platform.hash_pair(&Pair { left, right }).0;
            }
        }
    }
    let (left, right) = (Hash(key(R::KIND, index)), Hash(words[0]));
    platform.hash_pair(&Pair { left, right })
}

macro_rules! witness_store {
    ($($field:ident: $record:ty,)*) => {
        /// Records by hash.
        pub struct WitnessStore<P> {
            preimages: P,
            tree: PartialTree,
            checkpoint: u64,
            $($field: Cells<$record>,)*
        }

        impl<P: Preimages> WitnessStore<P> {
            /// The state under `root`.
            pub fn new(root: Word, preimages: P) -> Self {
                let tree = PartialTree::new(root);
                Self { preimages, tree, checkpoint: 1, $($field: Cells::default(),)* }
            }

            /// The state root after all edits.
            ///
            /// # Errors
            /// Those of `Preimages`.
            pub fn root(&mut self, platform: &mut impl Platform) -> Result<Word, Fault> {
                let Self { tree, preimages, .. } = self;
                $(self.$field.flush(tree, preimages, platform)?;)*
                tree.root(platform)
            }
        }

        $(impl<P: Preimages> Access<$record> for WitnessStore<P> {
            fn get(&mut self, index: u64) -> Result<&$record, Fault> {
                let Self { tree, preimages, $field, .. } = self;
                Ok(&cell(&mut $field.known, index, tree, preimages)?.record)
            }

            fn edit(&mut self, index: u64) -> Result<&mut $record, Fault> {
                let Self { tree, preimages, $field, checkpoint, .. } = self;
                $field.edit(index, *checkpoint, tree, preimages)
            }
        })*

        impl<P: Preimages> Store for WitnessStore<P> {
            fn checkpoint(&mut self) {
                self.checkpoint += 1;
                $(self.$field.undo.clear();)*
            }

            fn rollback(&mut self) {
                self.checkpoint += 1;
                $(self.$field.undo();)*
            }
        }
    };
}

witness_store! {
    chain: Chain,
    accounts: Account,
    address_nodes: AddressNode,
    subaccounts: Subaccount,
    positions: Position,
    markets: Market,
    orders: Order,
    levels: Level,
    ticks: Ticks,
    client_ids: ClientIds,
    reporters: Reporter,
    reports: ReportRecord,
    withdrawals: WithdrawalFrontier,
    taker: Taker,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Software;
    use crate::ram::{RamStore, Row};
    use crate::recording::Recording;
    use crate::testing::Random;
    use crate::tree::StateTree;

    /// One edit of some kind of record, at a place that repeats now and then.
    fn edit(store: &mut impl Store, random: &mut Random) -> Result<(), Fault> {
        let (index, value) = (random.below(40), random.below(3));
        match random.below(9) {
            0 => store.write::<Chain>(0)?.market_count = u32::try_from(value).unwrap_or(0),
            1 => store.write::<Account>(index)?.nonce = value,
            2 => store.write::<Subaccount>(index)?.balance_e9 = -i128::from(value),
            3 => store.write::<Order>(index << 30)?.open_e9 = value,
            4 => store.write::<Level>(index)?.open_e9 = value,
            5 => store.write::<ClientIds>(index)?.ids[7] = value,
            6 => store.write::<Taker>(0)?.fills = u16::try_from(value).unwrap_or(0),
            7 => store.write::<WithdrawalFrontier>(0)?.nodes[31][3] = 1,
            _ => {
                store.read::<Position>(index)?;
            }
        }
        Ok(())
    }

    fn edit_some(store: &mut impl Store, random: &mut Random) -> Result<(), Fault> {
        for round in 0..20 {
            store.checkpoint();
            for _ in 0..random.below(6) {
                edit(store, random)?;
            }
            if round % 3 == 0 {
                store.rollback();
            }
        }
        Ok(())
    }

    #[test]
    fn the_same_edits_lead_to_the_same_root_as_with_everything_in_memory() -> Result<(), Fault> {
        for seed in 0..40 {
            let mut ram = RamStore::new();
            let mut tree = StateTree::new();
            edit_some(&mut ram, &mut Random::new(seed))?;
            let before = tree.update(&ram.take_dirty(), &mut Software)?;
            let mut recording = Recording::new();
            let rows: alloc::vec::Vec<Row> = ram.present().collect();
            assert_eq!(recording.add_state(rows.into_iter(), &mut Software)?, before);

            let mut witness = WitnessStore::new(before, &recording);
            assert_eq!(witness.root(&mut Software)?, before);
            edit_some(&mut witness, &mut Random::new(seed + 1_000))?;
            edit_some(&mut ram, &mut Random::new(seed + 1_000))?;
            let after = tree.update(&ram.take_dirty(), &mut Software)?;
            assert_eq!(witness.root(&mut Software)?, after, "seed {seed}");
        }
        Ok(())
    }

    #[test]
    fn a_leaf_of_another_place_is_corrupt_and_a_missing_one_is_missing() {
        let recording = Recording::new();
        let mut witness = WitnessStore::new([7; 32], &recording);
        assert_eq!(witness.read::<Account>(1), Err(Fault::Missing));
        assert_eq!(witness.read::<Account>(1 << 24), Err(Fault::IndexRange));

        let mut recording = Recording::new();
        let mut node = recording.add_bytes(&[key(1, 2), [9; 32]].concat(), &mut Software);
        assert_eq!(
            open_leaf::<Account>(&node, 1, &mut &recording),
            Err(Fault::Corrupt),
            "it is the leaf of account 2"
        );
        node[0] ^= 1;
        assert_eq!(open_leaf::<Account>(&node, 2, &mut &recording), Err(Fault::Missing));
    }
}
