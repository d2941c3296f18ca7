//! The machine in memory and the two ways to drive it: block by block as the sequencer does, or
//! record by record as everyone does who follows L1.
//!
//! In: verified inputs, direct inputs, records. Out: receipts, sealed batches, chunk roots.
//! Holds: after `seal` the header equals that of `apply` on the batch's record; a refused call
//! changes nothing; after a fault nothing more is done. Not here: Python, locks (`engine`), hashing
//! of sealed batches (`engine`).

use std::collections::HashMap;
use std::sync::Arc;

use stf::codec::MAX_INPUTS;
use stf::error::Fault;
use stf::incremental;
use stf::l1;
use stf::machine::{ChunkEnd, Context, Machine};
use stf::ram::{RamStore, Row};
use stf::records::Header;
use stf::tree::EMPTY_STATE_ROOT;
use stf::types::{Address, Block, Body, Direct, Input, RecordMeta, Signer, Word};
use stf::view;

use crate::batch::OpenBatch;
use crate::bounds::Bound;
use crate::numbering::Numbering;
use crate::platform::Native;
use crate::receipts::{Collector, Identity};
use crate::recovery::{SignedReport, Tx};
use crate::told::{DirectIdentity, Done};

/// The program that this is (rollup.md 3.3).
const VERSION: u32 = 1;

/// Why a call was not done.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The caller's mistake: nothing has changed.
    Misuse(String),
    /// Ours: the engine stops.
    Fault(Fault),
    /// The engine has stopped already.
    Stopped,
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

pub(crate) fn misuse<T>(text: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Misuse(text.into()))
}

/// An input that may be executed.
#[derive(Clone, Debug)]
pub(crate) enum Verified {
    /// A user's envelope.
    Tx(Arc<Tx>),
    /// An oracle report.
    Report(Arc<SignedReport>),
}

impl Verified {
    /// Its bound.
    pub(crate) fn bound(&self) -> &Bound {
        match self {
            Self::Tx(tx) => &tx.bound,
            Self::Report(report) => &report.bound,
        }
    }

    pub(crate) fn who(&self) -> Identity {
        match self {
            Self::Tx(tx) => tx.who,
            Self::Report(report) => report.who,
        }
    }
}

/// A batch that takes no more blocks.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) record: u64,
    pub(crate) meta: RecordMeta,
    pub(crate) data: Vec<u8>,
    pub(crate) page_root: Word,
    pub(crate) record_leaf: Word,
    pub(crate) header: Header,
    pub(crate) rows: Vec<Row>,
    pub(crate) first_block: u64,
    pub(crate) blocks: u64,
    pub(crate) inputs: u64,
    pub(crate) operations: u64,
    pub(crate) next_seq: u64,
    pub(crate) next_block: u64,
}

/// The machine and what it is fed with.
pub(crate) struct Core {
    /// The transition, its records, where it stands, what it tells.
    pub(crate) machine: Machine<RamStore, Native, Collector>,
    /// Numbers of inputs and blocks.
    pub(crate) numbering: Numbering,
    /// The batch that is being built.
    pub(crate) batch: OpenBatch,
    /// The header before the open block.
    before_block: Header,
    /// Next nonce of accounts with inputs that were admitted and have not run.
    pub(crate) admitted: HashMap<u32, u64>,
    /// Roots of the chunks of the current epoch.
    pub(crate) chunk_roots: Vec<Word>,
}

impl Core {
    /// The genesis state.
    pub(crate) fn new(chain_id: u64, inbox: Address) -> Self {
        let header = Header {
            version: VERSION,
            state_root: EMPTY_STATE_ROOT,
            withdrawals_root: incremental::EMPTY_ROOT,
            ..Header::default()
        };
        let context = Context { chain_id, inbox, version: VERSION };
        Self {
            machine: Machine::new(RamStore::new(), Native, Collector::default(), header, context),
            numbering: Numbering::default(),
            batch: OpenBatch::default(),
            before_block: header,
            admitted: HashMap::new(),
            chunk_roots: Vec::new(),
        }
    }

    /// Runs the loop until it needs more inputs. Only who follows L1 cuts chunks.
    fn run_open(&mut self) -> Result<(), Fault> {
        loop {
            if self.machine.run_chunk(&mut self.batch)? != ChunkEnd::Full {
                return Ok(());
            }
        }
    }

    /// Starts a block, runs its tick and drains its direct inputs.
    pub(crate) fn open_block(
        &mut self,
        time_ms: u64,
        direct_to: u64,
        directs: Vec<Direct>,
    ) -> Result<Done, Trouble> {
        self.check_block(time_ms, direct_to, &directs)?;
        if self.batch.blocks.is_empty() {
            self.batch = OpenBatch::new(self.machine.header.record);
        }
        self.before_block = self.machine.header;
        let who: Vec<DirectIdentity> = directs.iter().map(DirectIdentity::new).collect();
        let vault = self.vault()?;
        self.batch.directs.extend(directs);
        self.batch.begin(Block { time_ms, direct_to, inputs: Vec::new() });
        self.numbering.begin(direct_to, 0);
        self.run_open()?;
        if self.machine.header.direct != direct_to {
            return Err(Fault::Corrupt.into());
        }
        Ok(self.finish(&[], &who, vault)?)
    }

    fn check_block(&self, time_ms: u64, direct_to: u64, directs: &[Direct]) -> Result<(), Trouble> {
        let header = &self.machine.header;
        if self.batch.open_block().is_some() {
            return misuse("a block is open: close it first");
        }
        if time_ms < header.time_ms {
            return misuse(format!("time {time_ms} is before the last block's {}", header.time_ms));
        }
        if self.batch.room(&Bound::default()) == 0 {
            return misuse("the batch is full: seal it first");
        }
        let expected = header.direct..direct_to;
        if direct_to < header.direct || !directs.iter().map(|d| d.index).eq(expected) {
            return misuse(format!(
                "direct inputs must be those from {} to direct_to {direct_to}, in order",
                header.direct
            ));
        }
        Ok(())
    }

    /// Appends inputs to the open block and runs them.
    pub(crate) fn execute(&mut self, inputs: &[Verified]) -> Result<Done, Trouble> {
        if self.batch.open_block().is_none() {
            return misuse("no block is open: call open_block first");
        }
        let fitting = self.fits(inputs);
        if fitting < inputs.len() {
            return misuse(format!(
                "only {fitting} of {} inputs fit into the open block: ask fits() first",
                inputs.len()
            ));
        }
        let bodies = self.bodies(inputs)?;
        if let Some((block, bound)) = self.batch.filling() {
            block.inputs.extend(bodies);
            for input in inputs {
                *bound = bound.with(input.bound());
            }
        }
        self.numbering.append(inputs.len());
        self.run_open()?;
        let who: Vec<Identity> = inputs.iter().map(Verified::who).collect();
        self.forget_done(inputs)?;
        let vault = self.vault()?;
        Ok(self.finish(&who, &[], vault)?)
    }

    /// The inputs as the block holds them, with their account indices.
    fn bodies(&mut self, inputs: &[Verified]) -> Result<Vec<Input>, Trouble> {
        let mut bodies = Vec::with_capacity(inputs.len());
        for input in inputs {
            let signer = Signer::Known(input.who().sender);
            let body = match input {
                Verified::Report(report) => Body::Report(report.report),
                Verified::Tx(tx) => {
                    let account = view::account_of(&mut self.machine.store, &tx.who.sender)?;
                    if account == 0 {
                        return misuse(format!(
                            "signer {} has no account: inputs must pass admit() first",
                            hex(&tx.who.sender.0)
                        ));
                    }
                    let mut envelope = tx.envelope.clone();
                    envelope.account = account;
                    Body::Envelope(envelope)
                }
            };
            bodies.push(Input { body, signer });
        }
        Ok(bodies)
    }

    /// Leading inputs that fit into the open block.
    pub(crate) fn fits(&self, inputs: &[Verified]) -> usize {
        let Some(block) = self.batch.open_block() else { return 0 };
        let mut bound = self.batch.bound();
        let space = MAX_INPUTS - block.inputs.len().min(MAX_INPUTS);
        let mut fitting = 0;
        for input in inputs.iter().take(space) {
            bound = bound.with(input.bound());
            if self.batch.room(&bound) == 0 {
                break;
            }
            fitting += 1;
        }
        fitting
    }

    /// Ends the open block; gives its segment, or takes a block back that changed nothing.
    pub(crate) fn close_block(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        let Some(block) = self.batch.open_block() else {
            return misuse("no block is open");
        };
        let was = &self.before_block;
        let idle = block.inputs.is_empty()
            && self.machine.header.direct == was.direct
            && self.machine.header.last_tick == was.last_tick;
        if idle {
            self.batch.withdraw();
            self.machine.header = self.before_block;
            self.numbering.end(0);
            return Ok(None);
        }
        let segment = self.batch.close()?;
        self.run_open()?;
        self.numbering.end(1);
        Ok(Some(segment))
    }

    /// Ends the batch; None if it has no block.
    pub(crate) fn seal(&mut self) -> Result<Option<Sealed>, Trouble> {
        if self.batch.open_block().is_some() {
            self.close_block()?;
        }
        if self.batch.blocks.is_empty() {
            return Ok(None);
        }
        let record = self.machine.header.record;
        let (meta, data) = self.batch.seal()?;
        self.run_open()?;
        if self.machine.header.record != record + 1 || self.machine.header.direct != meta.direct_to
        {
            return Err(Fault::Corrupt.into());
        }
        let batch = std::mem::take(&mut self.batch);
        let inputs = batch.blocks.iter().flat_map(|block| &block.inputs);
        let (mut count, mut operations) = (0, 0);
        for input in inputs {
            count += 1;
            if let Body::Envelope(envelope) = &input.body {
                operations += envelope.operations.len() as u64;
            }
        }
        let blocks = batch.blocks.len() as u64;
        let page_root = l1::page_root(&data, &mut Native).ok_or(Fault::Corrupt)?;
        let mut rows = self.machine.store.take_dirty();
        rows.sort_unstable_by_key(|(kind, index, _)| (*kind, *index));
        Ok(Some(Sealed {
            record,
            record_leaf: l1::record_leaf(&meta, &page_root, &mut Native),
            meta,
            data,
            page_root,
            header: self.machine.header,
            rows,
            first_block: self.numbering.ended + 1 - blocks,
            blocks,
            inputs: count,
            operations,
            next_seq: self.numbering.next_seq,
            next_block: self.numbering.ended + 1,
        }))
    }
}

/// Bytes as people read them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
