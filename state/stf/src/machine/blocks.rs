//! The outer loop: records, blocks, ticks, direct inputs, voiding.
//!
//! In: the header's cursors. Out: the cursors moved on, ticks and direct inputs run.
//! Holds: a bad segment, or one out of its record's bounds, ends the batch where it stands
//! (rollup.md 2.4).
//! Not here: what is inside a block (`inputs`).

use super::{MOVED, Machine, Progress};
use crate::book;
use crate::direct::{self, Kind};
use crate::error::{Fault, Reject, Stop};
use crate::margin;
use crate::ops::{Outcome, cancel};
use crate::oracle;
use crate::platform::{Inputs, Platform, Segment, Sink};
use crate::records::{Chain, Market, Phase, Subaccount};
use crate::store::Store;
use crate::types::{Block, RecordMeta};
use crate::weight;

/// Number of direct inputs for `Sink::begin`.
const DIRECT: u8 = 3;

impl<S: Store, P: Platform, K: Sink> Machine<S, P, K> {
    pub(super) fn open_record(
        &mut self,
        inputs: &mut impl Inputs,
        budget: u64,
    ) -> Result<Progress, Fault> {
        let Some(meta) = inputs.record(self.header.record)? else { return Ok(Progress::End) };
        if budget < weight::CURSOR {
            return Ok(Progress::OutOfBudget);
        }
        if meta.batch {
            (self.header.segment, self.header.input) = (0, 0);
            self.enter(Phase::Block);
        } else {
            self.header.time_ms = self.header.time_ms.max(meta.t_last_ms);
            self.enter(Phase::Void);
        }
        Ok(MOVED)
    }

    pub(super) fn open_block(
        &mut self,
        inputs: &mut impl Inputs,
        budget: u64,
    ) -> Result<Progress, Fault> {
        let meta = inputs.record(self.header.record)?.ok_or(Fault::Missing)?;
        let (record, segment) = (self.header.record, self.header.segment);
        let (weight, block) = match inputs.segment(record, segment)? {
            Segment::NotYet => return Ok(Progress::Wait),
            Segment::End => (weight::segment(0), None),
            // How long a segment is that does not decode is not known: as long as all.
            Segment::Bad => (weight::segment(meta.length.into()), None),
            Segment::Block { block, size, .. } => (weight::segment(size.into()), Some(block)),
        };
        if weight > budget {
            return Ok(Progress::OutOfBudget);
        }
        match block.filter(|block| self.is_in_bounds(block, &meta)) {
            Some(block) => {
                (self.header.time_ms, self.header.block_direct_to) =
                    (block.time_ms, block.direct_to);
                self.header.input = 0;
                self.loaded = Some((record, segment));
                self.enter(Phase::Tick);
            }
            None => self.end_blocks(&meta),
        }
        Ok(Progress::Done { weight })
    }

    /// Time and direct inputs go forward and stay within the record.
    fn is_in_bounds(&self, block: &Block, meta: &RecordMeta) -> bool {
        let header = &self.header;
        block.time_ms >= header.time_ms
            && block.time_ms >= meta.t_first_ms
            && block.time_ms <= meta.t_last_ms
            && block.direct_to >= header.block_direct_to
            && block.direct_to >= header.direct
            && block.direct_to <= meta.direct_to
    }

    /// What is left of a record: the tick and the direct inputs at its end.
    fn end_blocks(&mut self, meta: &RecordMeta) {
        self.header.time_ms = self.header.time_ms.max(meta.t_last_ms);
        self.header.block_direct_to = self.header.block_direct_to.max(meta.direct_to);
        self.enter(Phase::DrainTick);
    }

    /// One market of the tick, if one is due; then on to `next`.
    pub(super) fn tick(&mut self, budget: u64, next: Phase) -> Result<Progress, Fault> {
        let chain = *self.store.read::<Chain>(0)?;
        let number = self.header.time_ms.checked_div(chain.tick_ms).unwrap_or(0);
        let is_due = number > self.header.last_tick;
        let weight = if is_due { weight::tick() } else { weight::CURSOR };
        if weight > budget {
            return Ok(Progress::OutOfBudget);
        }
        let market = u32::try_from(self.header.sub_cursor).map_err(|_| Fault::Corrupt)?;
        if is_due && market < chain.market_count {
            oracle::tick_market(&mut self.store, market, self.header.time_ms)?;
            self.header.sub_cursor += 1;
            self.header.tick_weight = self.header.tick_weight.saturating_add(weight);
        } else {
            if is_due {
                self.header.last_tick = number;
            }
            self.enter(next);
        }
        Ok(Progress::Done { weight })
    }

    /// One direct input, if one is due; then on to `next`.
    pub(super) fn drain(
        &mut self,
        inputs: &mut impl Inputs,
        budget: u64,
        next: Phase,
    ) -> Result<Progress, Fault> {
        if self.header.direct < self.header.block_direct_to {
            return self.run_direct(inputs, budget);
        }
        if budget < weight::CURSOR {
            return Ok(Progress::OutOfBudget);
        }
        if next == Phase::Record {
            self.header.record += 1;
            (self.header.segment, self.header.input) = (0, 0);
        }
        self.enter(next);
        Ok(MOVED)
    }

    fn run_direct(&mut self, inputs: &mut impl Inputs, budget: u64) -> Result<Progress, Fault> {
        let input = inputs.direct(self.header.direct)?;
        let subaccount = direct::target(&mut self.store, &input)?;
        let kind = Kind::of(input.kind);
        let scan = kind == Some(Kind::Withdraw) && margin::needs_scan(&mut self.store, subaccount)?;
        let way = direct::way(&mut self.store, &input)?;
        let record = self.store.read::<Subaccount>(subaccount)?;
        let weight = weight::direct(kind, way, record, scan);
        if weight > budget {
            return Ok(Progress::OutOfBudget);
        }
        self.header.operation = 0;
        if self.header.sub_cursor == 0 {
            self.sink.begin(DIRECT);
        }
        let reason = match direct::run(&mut self.env(), &input, subaccount, scan) {
            Ok(Outcome::More) => {
                self.header.sub_cursor = 1;
                return Ok(Progress::Done { weight });
            }
            Ok(_) => 0,
            Err(Stop::Fault(fault)) => return Err(fault),
            Err(Stop::Reject(reason)) => {
                self.store.rollback();
                self.sink.drop_events();
                reason as u16
            }
        };
        self.sink.end(reason);
        self.header.direct += 1;
        self.header.sub_cursor = 0;
        Ok(Progress::Done { weight })
    }

    /// A few orders of the market under the cursor; when no market is left, the drains.
    ///
    /// The events come outside of any input: it is no input that voids.
    pub(super) fn void(
        &mut self,
        inputs: &mut impl Inputs,
        budget: u64,
    ) -> Result<Progress, Fault> {
        let market = u32::try_from(self.header.sub_cursor).map_err(|_| Fault::Corrupt)?;
        let is_left = market < self.store.read::<Chain>(0)?.market_count;
        // The market after the last one may be past the end of the tree.
        let is_empty = !is_left || self.store.read::<Market>(market.into())?.open_orders == 0;
        let weight = if is_empty { weight::CURSOR } else { weight::void() };
        if weight > budget {
            return Ok(Progress::OutOfBudget);
        }
        if !is_left {
            let meta = inputs.record(self.header.record)?.ok_or(Fault::Missing)?;
            self.end_blocks(&meta);
        } else if is_empty {
            self.header.sub_cursor += 1;
        } else {
            self.void_some(market)?;
        }
        Ok(Progress::Done { weight })
    }

    fn void_some(&mut self, market: u32) -> Result<(), Fault> {
        self.header.operation = 0;
        for _ in 0..weight::VOIDED_PER_STEP {
            let tick = match book::best(&mut self.store, market, true)? {
                Some(tick) => tick,
                None => match book::best(&mut self.store, market, false)? {
                    Some(tick) => tick,
                    None => break,
                },
            };
            let reference = book::head(&mut self.store, market, tick)?;
            match cancel::one(&mut self.env(), reference, Reject::BookVoided as u16) {
                Ok(()) => {}
                Err(Stop::Fault(fault)) => return Err(fault),
                Err(Stop::Reject(_)) => return Err(Fault::Corrupt),
            }
        }
        Ok(())
    }
}
