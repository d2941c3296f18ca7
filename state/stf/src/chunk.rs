//! One chunk, from root to root: the whole of what a dispute is about.
//!
//! In: a context, preimages, a platform. Out: the next chunk root, the weight of the steps to it.
//! Holds: the guest and native code run this very function (rollup.md 4.4).
//! Not here: the loop (`machine`), where preimages come from (`state/guest`, `recording`).

use crate::context::Context;
use crate::error::Fault;
use crate::events::Event;
use crate::l1::header_root;
use crate::machine::{self, Machine, Progress};
use crate::platform::{Platform, Sink};
use crate::preimages::{Preimages, tagged_eight};
use crate::records::{Header, Phase};
use crate::types::Word;
use crate::weight;
use crate::witness::WitnessStore;
use crate::witness_inputs::WitnessInputs;

/// Nobody listens.
struct Silent;

impl Sink for Silent {
    fn begin(&mut self, _kind: u8) {}
    fn operation(&mut self, _code: u8, _reason: u16) {}
    fn event(&mut self, _operation: u16, _event: Event) {}
    fn drop_events(&mut self) {}
    fn end(&mut self, _reason: u16) {}
}

/// What came of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The next chunk root.
    pub root: Word,
    /// Weight of its steps.
    pub weight: u64,
}

/// Runs the chunk that starts at `context.previous`.
///
/// # Errors
/// Those of `Preimages`; `Fault::Corrupt` if the root before is not that of a running rollup.
pub fn run<W: Preimages + Copy>(
    context: Context,
    preimages: W,
    platform: impl Platform,
) -> Result<Outcome, Fault> {
    run_observed(context, preimages, platform, |_, _| ())
}

/// The same, telling after each step its phase and weight: for measuring weights against the
/// machine.
///
/// # Errors
/// As `run`.
pub fn run_observed<W: Preimages + Copy>(
    context: Context,
    preimages: W,
    platform: impl Platform,
    mut observe: impl FnMut(Phase, u64),
) -> Result<Outcome, Fault> {
    let words = tagged_eight(&mut { preimages }, &context.previous)?;
    let header = Header::decode(&words).ok_or(Fault::Corrupt)?;
    let told = machine::Context {
        chain_id: context.chain_id,
        inbox: context.inbox,
        version: context.version,
    };
    let store = WitnessStore::new(header.state_root, preimages);
    let mut machine = Machine::new(store, platform, Silent, header, told);
    let mut inputs = WitnessInputs::new(context, preimages);
    let mut used = 0;
    loop {
        let phase = machine.header.phase;
        match machine.step(&mut inputs, weight::CHUNK.saturating_sub(used))? {
            Progress::Done { weight } => {
                used += weight;
                observe(phase, weight);
            }
            Progress::OutOfBudget | Progress::End => break,
            // What is on L1 is complete.
            Progress::Wait => return Err(Fault::Corrupt),
        }
    }
    machine.header.state_root = machine.store.root(&mut machine.platform)?;
    let root = header_root(&machine.header.encode(), &mut machine.platform);
    Ok(Outcome { root, weight: used })
}
