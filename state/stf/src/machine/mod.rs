//! The chunk loop: records, blocks, ticks, direct inputs, envelopes, operations, fills, one step at
//! a time.
//!
//! In: a header, a store, and `Inputs`. Out: the header and the store after as many steps as fit.
//! Holds: a step's weight is known before it runs; what comes next stands in the header and the
//! `Taker` record only, so a run may stop between any two steps and go on elsewhere (rollup.md 3.1,
//! 3.2).
//! Not here: `header.state_root`, which whoever computes roots sets; what operations do (`ops`).

mod blocks;
mod inputs;

use crate::error::Fault;
use crate::incremental::EMPTY_ROOT;
use crate::ops::Env;
use crate::platform::{Inputs, Platform, Sink};
use crate::records::{Header, Phase};
use crate::store::Store;
use crate::tree::EMPTY_STATE_ROOT;
use crate::types::Address;
use crate::weight;

/// What a run is told besides its inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Chain id of the L2.
    pub chain_id: u64,
    /// The Inbox on L1.
    pub inbox: Address,
    /// Program version; under another one in the header every chunk is the identity (rollup.md
    /// 3.3).
    pub version: u32,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// One step.
    Done {
        /// What it weighed.
        weight: u64,
    },
    /// Nothing: the next step would pass the budget.
    OutOfBudget,
    /// Nothing: the block is open and has no more inputs yet, or the batch no more blocks yet.
    Wait,
    /// Nothing: there are no more records, or they are another program's.
    End,
}

/// Why a chunk stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkEnd {
    /// The next step belongs to the next chunk.
    Full,
    /// No more records.
    EndOfInputs,
    /// More inputs may come.
    Wait,
}

/// The transition at work.
pub struct Machine<S, P, K> {
    /// The state.
    pub store: S,
    /// Hashing and signatures.
    pub platform: P,
    /// Where events go.
    pub sink: K,
    /// Where the loop stands.
    pub header: Header,
    /// What is fixed.
    pub context: Context,
    /// Weight used in the current chunk.
    used: u64,
    /// The segment that this chunk has paid for (record, segment).
    loaded: Option<(u64, u32)>,
}

/// The header before anything has run (docs/formats.md §2).
pub fn genesis() -> Header {
    Header {
        version: 1,
        state_root: EMPTY_STATE_ROOT,
        withdrawals_root: EMPTY_ROOT,
        ..Header::default()
    }
}

impl<S: Store, P: Platform, K: Sink> Machine<S, P, K> {
    /// A machine at the start of a chunk.
    pub fn new(store: S, platform: P, sink: K, header: Header, context: Context) -> Self {
        Self { store, platform, sink, header, context, used: 0, loaded: None }
    }

    /// Starts a chunk: nothing used, no segment decoded. `run_chunk` does so itself after a full
    /// one; callers do at the end of an epoch.
    pub fn start_chunk(&mut self) {
        (self.used, self.loaded) = (0, None);
    }

    /// Weight used in the current chunk.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Runs until the chunk is full or inputs are missing; goes on where it stopped when called
    /// again.
    ///
    /// # Errors
    /// `Fault` if the inputs or the state are not what a lawful run can meet.
    pub fn run_chunk(&mut self, inputs: &mut impl Inputs) -> Result<ChunkEnd, Fault> {
        loop {
            match self.step(inputs, weight::CHUNK.saturating_sub(self.used))? {
                Progress::Done { weight } => self.used = self.used.saturating_add(weight),
                Progress::OutOfBudget => {
                    self.start_chunk();
                    return Ok(ChunkEnd::Full);
                }
                Progress::Wait => return Ok(ChunkEnd::Wait),
                Progress::End => return Ok(ChunkEnd::EndOfInputs),
            }
        }
    }

    /// Runs one step if it fits.
    ///
    /// # Errors
    /// As `run_chunk`.
    pub fn step(&mut self, inputs: &mut impl Inputs, budget: u64) -> Result<Progress, Fault> {
        if self.header.version != self.context.version {
            return Ok(Progress::End);
        }
        self.store.checkpoint();
        match self.header.phase {
            Phase::Record => self.open_record(inputs, budget),
            Phase::Block => self.open_block(inputs, budget),
            Phase::Tick => self.tick(budget, Phase::Directs),
            Phase::Directs => self.drain(inputs, budget, Phase::Inputs),
            Phase::Inputs => self.open_input(inputs, budget),
            Phase::Operation => self.operate(inputs, budget),
            Phase::Match => self.match_one(inputs, budget),
            Phase::DrainTick => self.tick(budget, Phase::DrainDirects),
            Phase::DrainDirects => self.drain(inputs, budget, Phase::Record),
            Phase::Void => self.void(inputs, budget),
        }
    }

    fn env(&mut self) -> Env<'_, S, P, K> {
        Env {
            store: &mut self.store,
            platform: &mut self.platform,
            sink: &mut self.sink,
            header: &mut self.header,
            context: &self.context,
        }
    }

    /// Enters a phase with its cursors at zero.
    fn enter(&mut self, phase: Phase) {
        self.header.phase = phase;
        (self.header.sub_cursor, self.header.tick_weight) = (0, 0);
    }
}

/// A step that only moves the cursor.
const MOVED: Progress = Progress::Done { weight: weight::CURSOR };
