//! Records from L1 in order: what validators and replay do.
//!
//! In: a record's meta word, data and direct inputs; the state tree. Out: roots, receipts, the
//! epoch's chunk roots.
//! Holds: signatures are recovered in parallel before the ordered run; the weight of a chunk runs
//! on over records of one epoch. Not here: where records come from (`bridge`).

use std::collections::BTreeMap;

use stf::error::Fault;
use stf::l1;
use stf::machine::ChunkEnd;
use stf::ram::Row;
use stf::records::Header;
use stf::tree::StateTree;
use stf::types::{Direct, Word};

use crate::batch::{Directs, Landed};
use crate::core::{Core, Trouble, misuse};
use crate::platform::Native;
use crate::recovery::identify_blocks;
use crate::told::{DirectIdentity, Done};

/// Most chunks of an epoch: leaves of its commitment.
const CHUNKS_MAX: usize = 1 << l1::COMMITMENT_DEPTH;

/// What a record did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Receipts and withdrawals.
    pub(crate) done: Done,
    /// State root and cursors after it.
    pub(crate) header: Header,
    /// Its chunk root.
    pub(crate) root: Word,
    /// Roots of the chunks that it filled.
    pub(crate) chunk_roots: Vec<Word>,
    /// Changed records, by place.
    pub(crate) rows: Vec<Row>,
    /// Blocks that ran.
    pub(crate) blocks: u64,
    /// What is wrong with its data, if anything.
    pub(crate) bad: Option<String>,
}

/// Chunk root of a header.
pub(crate) fn header_root(header: &Header) -> Word {
    l1::header_root(&header.encode(), &mut Native)
}

impl Core {
    /// Runs the next record of L1.
    pub(crate) fn apply(
        &mut self,
        meta: &Word,
        data: &[u8],
        directs: Vec<Direct>,
        tree: &mut StateTree,
        threads: usize,
    ) -> Result<Outcome, Trouble> {
        if !self.batch.blocks.is_empty() {
            return misuse("a batch is open: seal it before applying records");
        }
        let Some(meta) = l1::record_meta_of(meta) else {
            return misuse("not the meta word of a record");
        };
        if meta.length as usize != data.len() {
            return misuse(format!("data has {} bytes, meta says {}", data.len(), meta.length));
        }
        let first = self.machine.header.direct;
        if !directs.iter().map(|direct| direct.index).eq(first..meta.direct_to) {
            return misuse(format!(
                "direct inputs must be those from {first} to direct_to {}, in order",
                meta.direct_to
            ));
        }
        let record = self.machine.header.record;
        let context = self.machine.context;
        let direct_who: Vec<DirectIdentity> = directs.iter().map(DirectIdentity::new).collect();
        let vault = self.vault()?;
        let mut landed = Landed::new(record, meta, data, Directs::new(first, directs));
        let who = identify_blocks(&mut landed.blocks, context.chain_id, &context.inbox, threads);
        for block in &landed.blocks {
            self.numbering.begin(block.direct_to, block.inputs.len());
        }
        let chunks_before = self.chunk_roots.len();
        let mut rows = BTreeMap::new();
        self.run_record(&mut landed, tree, &mut rows)?;
        if self.machine.header.record != record + 1 {
            return Err(Fault::Corrupt.into());
        }
        landed.judge();
        self.numbering.keep(landed.taken as usize);
        let done = self.finish(&who, &direct_who, vault)?;
        let blocks = u64::from(landed.taken);
        self.numbering.end(blocks);
        Ok(Outcome {
            done,
            header: self.machine.header,
            root: header_root(&self.machine.header),
            chunk_roots: self.chunk_roots[chunks_before..].to_vec(),
            rows: rows.into_iter().map(|((kind, index), words)| (kind, index, words)).collect(),
            blocks,
            bad: landed.bad,
        })
    }

    /// Runs one record to its end, cutting chunks on the way.
    fn run_record(
        &mut self,
        landed: &mut Landed,
        tree: &mut StateTree,
        rows: &mut BTreeMap<(u16, u64), Vec<u8>>,
    ) -> Result<(), Fault> {
        while self.chunk_roots.len() < CHUNKS_MAX {
            let end = self.machine.run_chunk(landed)?;
            let changed = self.machine.store.take_dirty();
            self.machine.header.state_root = tree.update(&changed, &mut Native)?;
            rows.extend(changed.into_iter().map(|(kind, index, words)| ((kind, index), words)));
            match end {
                ChunkEnd::EndOfInputs => return Ok(()),
                ChunkEnd::Full => self.chunk_roots.push(header_root(&self.machine.header)),
                ChunkEnd::Wait => return Err(Fault::Misuse),
            }
        }
        Err(Fault::IndexRange)
    }

    /// Ends the epoch: closes the chunk that is not full and gives all chunk roots.
    pub(crate) fn end_epoch(&mut self) -> Vec<Word> {
        // An epoch without a step still has one chunk: the identity.
        if self.machine.used() != 0 || self.chunk_roots.is_empty() {
            self.chunk_roots.push(header_root(&self.machine.header));
        }
        self.machine.start_chunk();
        std::mem::take(&mut self.chunk_roots)
    }
}
