//! What the chunk loop reads: the batch that is being built, or one that landed on L1.
//!
//! In: blocks as the sequencer opens and fills them; or data of a record. Out:
//! `stf::platform::Inputs`.
//! Holds: both show the loop the same records, blocks and direct inputs; the open batch ends where
//! the next input is not known yet (`Segment::NotYet`), a landed one never does.
//! Not here: the loop (`stf::machine`), signatures (`recovery`).

use stf::codec;
use stf::error::Fault;
use stf::l1::MAX_BATCH_BYTES;
use stf::platform::{Inputs, Segment};
use stf::types::{Block, Direct, RecordMeta};

use crate::bounds::{BLOCK_BYTES, Bound};

/// Version byte and number of segments.
const HEAD_BYTES: u64 = 1 + 2;

/// Direct inputs that were handed in, from `first` on.
#[derive(Debug, Default)]
pub(crate) struct Directs {
    first: u64,
    list: Vec<Direct>,
}

impl Directs {
    /// Those of one record.
    pub(crate) fn new(first: u64, list: Vec<Direct>) -> Self {
        Self { first, list }
    }

    /// Adds the next ones.
    pub(crate) fn extend(&mut self, more: Vec<Direct>) {
        if let (true, Some(direct)) = (self.list.is_empty(), more.first()) {
            self.first = direct.index;
        }
        self.list.extend(more);
    }

    /// The input at `index`, which must have been handed in.
    pub(crate) fn get(&self, index: u64) -> Option<&Direct> {
        let place = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.list.get(place)
    }
}

/// The batch that the sequencer is building.
#[derive(Debug, Default)]
pub(crate) struct OpenBatch {
    /// Its blocks; the last one may be open.
    pub(crate) blocks: Vec<Block>,
    /// The direct inputs that its blocks name.
    pub(crate) directs: Directs,
    /// The segments of its closed blocks, as if it ended with each.
    segments: Vec<Vec<u8>>,
    /// Bound of their bytes, heads included.
    closed: u64,
    /// Its record number.
    record: u64,
    /// Bound of the open block.
    bound: Bound,
    /// The last block takes more inputs.
    open: bool,
    /// Set when no more blocks come.
    sealed: Option<RecordMeta>,
}

impl OpenBatch {
    /// The batch that will be record `record`.
    pub(crate) fn new(record: u64) -> Self {
        Self { record, ..Self::default() }
    }

    /// The block that takes inputs.
    pub(crate) fn open_block(&self) -> Option<&Block> {
        if self.open { self.blocks.last() } else { None }
    }

    /// Starts a block.
    pub(crate) fn begin(&mut self, block: Block) {
        self.blocks.push(block);
        self.bound = Bound::default();
        self.open = true;
    }

    /// The block that takes inputs, and its bound, to append to them.
    pub(crate) fn filling(&mut self) -> Option<(&mut Block, &mut Bound)> {
        if self.open { Some((self.blocks.last_mut()?, &mut self.bound)) } else { None }
    }

    /// Takes the open block back.
    pub(crate) fn withdraw(&mut self) {
        if self.open {
            self.blocks.pop();
        }
        self.open = false;
    }

    /// Ends the open block; gives its segment.
    pub(crate) fn close(&mut self) -> Result<Vec<u8>, Fault> {
        let block = self.open_block().ok_or(Fault::Misuse)?;
        let first = self.blocks.first().ok_or(Fault::Misuse)?;
        let segment =
            codec::encode_segment(block, first.time_ms, block.direct_to).ok_or(Fault::Corrupt)?;
        self.closed += segment.len() as u64 + BLOCK_BYTES;
        self.segments.push(segment.clone());
        self.open = false;
        Ok(segment)
    }

    /// Bytes that inputs of the open block may still take, were it this one; 0 when it has no room.
    pub(crate) fn room(&self, bound: &Bound) -> u64 {
        let used = HEAD_BYTES + self.closed + BLOCK_BYTES + bound.total();
        let blocks = self.segments.len() + 1;
        let bytes = u64::from(MAX_BATCH_BYTES).saturating_sub(used);
        if blocks > codec::MAX_SEGMENTS { 0 } else { bytes }
    }

    /// Bound of the open block.
    pub(crate) fn bound(&self) -> Bound {
        if self.open { self.bound } else { Bound::default() }
    }

    /// Ends the batch, whose blocks are closed; gives its record and its data.
    pub(crate) fn seal(&mut self) -> Result<(RecordMeta, Vec<u8>), Fault> {
        let (Some(first), Some(last)) = (self.blocks.first(), self.blocks.last()) else {
            return Err(Fault::Misuse);
        };
        let (t_first_ms, direct_to) = (first.time_ms, last.direct_to);
        for (block, segment) in self.blocks.iter().zip(&mut self.segments) {
            if block.direct_to != direct_to {
                *segment =
                    codec::encode_segment(block, t_first_ms, direct_to).ok_or(Fault::Corrupt)?;
            }
        }
        let data = codec::encode_body(&self.segments).ok_or(Fault::Corrupt)?;
        let length = u32::try_from(data.len()).map_err(|_| Fault::Corrupt)?;
        if length > MAX_BATCH_BYTES {
            return Err(Fault::Corrupt);
        }
        let meta =
            RecordMeta { batch: true, length, t_first_ms, t_last_ms: last.time_ms, direct_to };
        self.sealed = Some(meta);
        Ok((meta, data))
    }

    /// What the loop is told of the record while its end is not known.
    fn meta(&self) -> Option<RecordMeta> {
        self.sealed.or_else(|| {
            let first = self.blocks.first()?;
            Some(RecordMeta {
                batch: true,
                length: 0,
                t_first_ms: first.time_ms,
                t_last_ms: u64::MAX,
                direct_to: u64::MAX,
            })
        })
    }
}

impl Inputs for OpenBatch {
    fn record(&mut self, index: u64) -> Result<Option<RecordMeta>, Fault> {
        Ok(if index == self.record { self.meta() } else { None })
    }

    fn segment(&mut self, record: u64, segment: u32) -> Result<Segment<'_>, Fault> {
        if record != self.record {
            return Err(Fault::Misuse);
        }
        let place = segment as usize;
        let closed = !self.open || place + 1 < self.blocks.len();
        Ok(match self.blocks.get(place) {
            Some(block) => Segment::Block { block, size: 0, closed },
            None if self.sealed.is_some() => Segment::End,
            None => Segment::NotYet,
        })
    }

    fn direct(&mut self, index: u64) -> Result<Direct, Fault> {
        self.directs.get(index).cloned().ok_or(Fault::Missing)
    }
}

/// A record that landed on L1, decoded.
#[derive(Debug)]
pub(crate) struct Landed {
    /// Its blocks up to the first bad one.
    pub(crate) blocks: Vec<Block>,
    /// The direct inputs that it drains.
    pub(crate) directs: Directs,
    /// Segments that the loop took as blocks.
    pub(crate) taken: u32,
    /// What is wrong with its data, if anything.
    pub(crate) bad: Option<String>,
    record: u64,
    meta: RecordMeta,
    sizes: Vec<u32>,
}

impl Landed {
    /// Decodes the data of record `record`.
    pub(crate) fn new(record: u64, meta: RecordMeta, data: &[u8], directs: Directs) -> Self {
        let mut landed = Self {
            blocks: Vec::new(),
            directs,
            taken: 0,
            bad: None,
            record,
            meta,
            sizes: Vec::new(),
        };
        if meta.batch {
            landed.decode(data);
        }
        landed
    }

    fn decode(&mut self, data: &[u8]) {
        let Some(ranges) = codec::directory_of(data) else {
            self.bad = Some("bad directory".into());
            return;
        };
        for (number, range) in ranges.iter().enumerate() {
            self.sizes.push(range.end - range.start);
            let bytes = &data[range.start as usize..range.end as usize];
            let (time_ms, direct_to) = (self.meta.t_first_ms, self.meta.direct_to);
            let Some(block) = codec::decode_segment(bytes, time_ms, direct_to) else {
                self.bad = Some(format!("bad segment {number}"));
                return;
            };
            self.blocks.push(block);
        }
    }

    /// Notes a segment that decodes but that the loop did not take.
    pub(crate) fn judge(&mut self) {
        if self.bad.is_none() && (self.taken as usize) < self.blocks.len() {
            self.bad = Some(format!("segment {} has a wrong time or direct_to", self.taken));
        }
    }
}

impl Inputs for Landed {
    fn record(&mut self, index: u64) -> Result<Option<RecordMeta>, Fault> {
        Ok((index == self.record).then_some(self.meta))
    }

    fn segment(&mut self, record: u64, segment: u32) -> Result<Segment<'_>, Fault> {
        if record != self.record {
            return Err(Fault::Misuse);
        }
        self.taken = self.taken.max(segment);
        let place = segment as usize;
        let size = self.sizes.get(place).copied().unwrap_or(0);
        Ok(match self.blocks.get(place) {
            Some(block) => Segment::Block { block, size, closed: true },
            None if place < self.sizes.len() => Segment::Bad,
            None => Segment::End,
        })
    }

    fn direct(&mut self, index: u64) -> Result<Direct, Fault> {
        self.directs.get(index).cloned().ok_or(Fault::Missing)
    }
}
