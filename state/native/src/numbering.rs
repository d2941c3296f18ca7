//! Numbers of inputs: sequence, block, place in the block.
//!
//! In: the blocks of a run and the inputs that ended, in order. Out: a `Place` for each.
//! Holds: the same numbers whether a block ran input by input or a whole batch at once.
//! Not here: who the inputs are (`receipts`).

use std::collections::VecDeque;

use crate::receipts::Place;

/// A block of the run, as far as numbers go.
#[derive(Clone, Copy, Debug)]
struct Span {
    number: u64,
    direct_to: u64,
    left: usize,
}

/// Hands out numbers.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    /// Number of the next input.
    pub(crate) next_seq: u64,
    /// Number of the newest block that ended; blocks count from 1.
    pub(crate) ended: u64,
    /// Block of the newest input.
    block: u64,
    /// Place of the next input in it.
    index: u32,
    spans: VecDeque<Span>,
}

impl Numbering {
    /// Numbers that go on after `ended` blocks.
    pub(crate) fn resume(next_seq: u64, ended: u64) -> Self {
        Self { next_seq, ended, block: ended, ..Self::default() }
    }

    /// The next block starts, with these inputs so far.
    pub(crate) fn begin(&mut self, direct_to: u64, inputs: usize) {
        let number = self.ended + self.spans.len() as u64 + 1;
        self.spans.push_back(Span { number, direct_to, left: inputs });
    }

    /// Inputs were appended to the newest block.
    pub(crate) fn append(&mut self, inputs: usize) {
        if let Some(span) = self.spans.back_mut() {
            span.left += inputs;
        }
    }

    /// `count` of the blocks that began have ended, the others never were.
    pub(crate) fn end(&mut self, count: u64) {
        self.spans.clear();
        self.ended += count;
        // What no block holds (an `advance` drains it) counts anew, so that a restart numbers it
        // alike.
        (self.block, self.index) = (self.ended, 0);
    }

    /// Of the blocks that began only the first `count` were taken.
    pub(crate) fn keep(&mut self, count: usize) {
        self.spans.truncate(count);
    }

    /// The numbers of direct input `direct`.
    pub(crate) fn place_direct(&mut self, direct: u64) -> Place {
        self.skip(|span| span.direct_to <= direct);
        self.place()
    }

    /// The numbers of the next input of a block.
    pub(crate) fn place_input(&mut self) -> Place {
        self.skip(|span| span.left == 0);
        if let Some(span) = self.spans.front_mut() {
            span.left = span.left.saturating_sub(1);
        }
        self.place()
    }

    /// Leaves blocks that are over, but never the last.
    fn skip(&mut self, over: impl Fn(&Span) -> bool) {
        let begun = self.spans.len();
        let passed = self.spans.iter().take_while(|span| over(span)).count();
        let passed = passed.min(begun.saturating_sub(1));
        if passed > 0 {
            // Their numbers stay used: spans carry them.
            self.spans.drain(..passed);
        }
    }

    fn enter(&mut self, block: u64) {
        if block != self.block {
            self.block = block;
            self.index = 0;
        }
    }

    fn place(&mut self) -> Place {
        if let Some(span) = self.spans.front() {
            self.enter(span.number);
        }
        let place = Place { seq: self.next_seq, block: self.block, index: self.index };
        self.next_seq += 1;
        self.index += 1;
        place
    }
}
