//! Preimages natively: everything that a run could ask for, and which of it was asked for.
//!
//! In: the state, records, direct inputs, a header. Out: answers; the witness of a run, for the
//! guest.
//! Holds: the witness of a deterministic run is all that any other run of the same chunk reads.
//! Not here: the run itself (`chunk`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::aligned::{Hash, Pair};
use crate::error::Fault;
use crate::incremental::DEPTH;
use crate::l1::{PAGE_BYTES, PAGE_DEPTH, header_root, record_meta_word};
use crate::merkle::empty;
use crate::platform::Platform;
use crate::preimages::{MAX_PREIMAGE_BYTES, Preimages, recover_input};
use crate::ram::Row;
use crate::tree::{SHAPES, TOP_DEPTH, key, leaf, record_depth};
use crate::types::{Address, RecordMeta, Word, ZERO};

/// How a preimage is asked for: a0 of the guest's call 2 (docs/formats.md §10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PreimageKind {
    /// keccak256 of the bytes is the key.
    Keccak = 1,
    /// The same but for the key's first byte, which is 00.
    Tagged = 3,
    /// Input of ecrecover; its keccak256 is the key.
    Recover = 4,
}

type Found = BTreeMap<(PreimageKind, Word), Vec<u8>>;

/// Preimages in memory.
#[derive(Default)]
pub struct Recording {
    all: Found,
    used: RefCell<Found>,
}

impl Recording {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was asked for, by kind and key.
    pub fn into_used(self) -> Vec<(PreimageKind, Word, Vec<u8>)> {
        let used = self.used.into_inner().into_iter();
        used.map(|((kind, key), bytes)| (kind, key, bytes)).collect()
    }

    fn put(&mut self, key: Word, bytes: Vec<u8>) {
        self.all.insert((PreimageKind::Keccak, key), bytes);
    }

    fn join(&mut self, left: &Word, right: &Word, platform: &mut impl Platform) -> Word {
        let node = platform.hash64(left, right);
        self.put(node, [*left, *right].concat());
        node
    }

    /// Any bytes; gives their hash.
    pub fn add_bytes(&mut self, bytes: &[u8], platform: &mut impl Platform) -> Word {
        let hash = platform.keccak256(bytes);
        self.put(hash, bytes.to_vec());
        hash
    }

    /// All nodes of a tree over leaves by index; gives its root.
    fn add_tree(
        &mut self,
        leaves: BTreeMap<u64, Word>,
        depth: u32,
        platform: &mut impl Platform,
    ) -> Word {
        let mut nodes = leaves;
        for height in 0..depth {
            let mut above = BTreeMap::new();
            for index in nodes.keys() {
                let left = nodes.get(&(index & !1)).unwrap_or(empty(height));
                let right = nodes.get(&(index | 1)).unwrap_or(empty(height));
                if let alloc::collections::btree_map::Entry::Vacant(place) = above.entry(index >> 1)
                {
                    place.insert(self.join(left, right, platform));
                }
            }
            nodes = above;
        }
        nodes.first_key_value().map_or(*empty(depth), |(_, root)| *root)
    }

    /// The leaves of an incremental tree (records, direct inputs); gives its root.
    pub fn add_leaves(&mut self, leaves: &[Word], platform: &mut impl Platform) -> Word {
        self.add_tree((0..).zip(leaves.iter().copied()).collect(), DEPTH, platform)
    }

    /// A whole state; gives its root.
    ///
    /// # Errors
    /// As `tree::leaf`.
    pub fn add_state(
        &mut self,
        rows: impl Iterator<Item = Row>,
        platform: &mut impl Platform,
    ) -> Result<Word, Fault> {
        let mut kinds: Vec<BTreeMap<u64, Word>> = SHAPES.iter().map(|_| BTreeMap::new()).collect();
        for (kind, index, bytes) in rows {
            let value = leaf(kind, index, &bytes, platform)?;
            let (words, _): (&[Word], _) = bytes.as_chunks();
            let cells = (0..).zip(words.iter().copied()).collect();
            let root = self.add_tree(cells, record_depth(words.len().max(1)), platform);
            self.put(value, [key(kind, index), root].concat());
            kinds.get_mut(usize::from(kind)).ok_or(Fault::IndexRange)?.insert(index, value);
        }
        let mut roots = BTreeMap::new();
        for ((kind, leaves), shape) in (0..).zip(kinds).zip(SHAPES) {
            roots.insert(kind, self.add_tree(leaves, shape.depth, platform));
        }
        Ok(self.add_tree(roots, TOP_DEPTH, platform))
    }

    /// A record with its data (none for an advance); gives its leaf.
    pub fn add_record(
        &mut self,
        meta: &RecordMeta,
        data: &[u8],
        platform: &mut impl Platform,
    ) -> Word {
        let mut root = ZERO;
        if meta.batch {
            let mut pages = BTreeMap::new();
            for (number, chunk) in (0..).zip(data.chunks(PAGE_BYTES)) {
                let mut page = chunk.to_vec();
                page.resize(PAGE_BYTES, 0);
                pages.insert(number, self.add_bytes(&page, platform));
            }
            root = self.add_tree(pages, PAGE_DEPTH, platform);
        }
        self.join(&record_meta_word(meta), &root, platform)
    }

    /// The words of a header; gives the chunk root.
    pub fn add_header(&mut self, words: &[Word; 8], platform: &mut impl Platform) -> Word {
        let whole = self.add_tree((0..).zip(*words).collect(), 3, platform);
        let root = header_root(words, platform);
        if let Some(top) = self.all.get(&(PreimageKind::Keccak, whole)).cloned() {
            self.all.insert((PreimageKind::Tagged, root), top);
        }
        root
    }

    fn find(&self, kind: PreimageKind, key: &Word) -> Result<Vec<u8>, Fault> {
        let bytes = self.all.get(&(kind, *key)).ok_or(Fault::Missing)?;
        self.used.borrow_mut().insert((kind, *key), bytes.clone());
        Ok(bytes.clone())
    }

    fn find_node(&self, kind: PreimageKind, key: &Hash) -> Result<Pair, Fault> {
        match self.find(kind, &key.0)?.as_chunks() {
            ([left, right], []) => Ok(Pair { left: Hash(*left), right: Hash(*right) }),
            _ => Err(Fault::Corrupt),
        }
    }
}

impl Preimages for &Recording {
    fn node_to(&mut self, key: &Hash, target: &mut Pair) -> Result<(), Fault> {
        *target = self.find_node(PreimageKind::Keccak, key)?;
        Ok(())
    }

    fn tagged_node(&mut self, key: &Hash) -> Result<Pair, Fault> {
        self.find_node(PreimageKind::Tagged, key)
    }

    fn bytes(&mut self, key: &Word) -> Result<Vec<u8>, Fault> {
        let bytes = self.find(PreimageKind::Keccak, key)?;
        if bytes.len() > MAX_PREIMAGE_BYTES { Err(Fault::Corrupt) } else { Ok(bytes) }
    }
}

/// A platform that keeps the inputs of ecrecover for the witness.
pub struct RecordingPlatform<'a, H> {
    /// Who does the work.
    pub inner: H,
    /// Who keeps the inputs.
    pub recording: &'a Recording,
}

impl<H: Platform> Platform for RecordingPlatform<'_, H> {
    fn hash64(&mut self, left: &Word, right: &Word) -> Word {
        self.inner.hash64(left, right)
    }

    fn keccak256(&mut self, data: &[u8]) -> Word {
        self.inner.keccak256(data)
    }

    fn recover(&mut self, digest: &Word, signature: &[u8; 64]) -> Option<Address> {
        let input = recover_input(digest, signature)?;
        let key = self.inner.keccak256(&input);
        let mut used = self.recording.used.borrow_mut();
        used.insert((PreimageKind::Recover, key), input.to_vec());
        self.inner.recover(digest, signature)
    }
}
