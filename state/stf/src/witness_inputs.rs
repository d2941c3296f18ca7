//! The inputs of an epoch, fetched by hash: L1 records, pages, direct inputs.
//!
//! In: the roots of a context, preimages. Out: what `platform::Inputs` asks for.
//! Holds: of a batch only the newest segment is kept decoded; pages are fetched once while their
//! batch is open.
//! Not here: what the data means (`codec`, `l1`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

use crate::aligned::Hash;
use crate::codec::{Bytes, decode_segment, directory};
use crate::context::Context;
use crate::error::Fault;
use crate::incremental::DEPTH;
use crate::l1::{PAGE_BYTES, PAGE_DEPTH, record_meta_of, unpack_direct};
use crate::platform::{Inputs, Segment};
use crate::preimages::{Preimages, descend};
use crate::types::{Block, Direct, RecordMeta, Word};

/// The data of one batch.
struct Pages<P> {
    preimages: P,
    root: Word,
    length: u32,
    known: BTreeMap<u32, Vec<u8>>,
}

impl<P: Preimages> Pages<P> {
    fn page(&mut self, number: u32) -> Result<&[u8], Fault> {
        if !self.known.contains_key(&number) {
            let key = descend(&mut self.preimages, &self.root, PAGE_DEPTH, number.into())?;
            let page = self.preimages.bytes(&key.ok_or(Fault::Corrupt)?)?;
            if page.len() != PAGE_BYTES {
                return Err(Fault::Corrupt);
            }
            self.known.insert(number, page);
        }
        self.known.get(&number).map(Vec::as_slice).ok_or(Fault::Missing)
    }
}

impl<P: Preimages> Bytes for Pages<P> {
    fn size(&self) -> u32 {
        self.length
    }

    fn read(&mut self, at: u32, out: &mut [u8]) -> Result<(), Fault> {
        let (mut at, mut out) = (at as usize, out);
        while !out.is_empty() {
            let number = u32::try_from(at / PAGE_BYTES).map_err(|_| Fault::Misuse)?;
            let page = self.page(number)?.get(at % PAGE_BYTES..).ok_or(Fault::Corrupt)?;
            let size = page.len().min(out.len());
            let (now, later) = out.split_at_mut(size);
            now.copy_from_slice(page.get(..size).ok_or(Fault::Corrupt)?);
            at += size;
            out = later;
        }
        Ok(())
    }
}

/// A record, with what was read of its data.
struct OpenRecord<P> {
    index: u64,
    meta: RecordMeta,
    pages: Pages<P>,
    /// None until asked for.
    segments: Option<Vec<Range<u32>>>,
    newest: Option<(u32, Option<Block>)>,
}

/// Inputs by hash.
pub struct WitnessInputs<P> {
    preimages: P,
    context: Context,
    open: Option<OpenRecord<P>>,
}

impl<P: Preimages + Copy> WitnessInputs<P> {
    /// The inputs of the epoch that `context` tells of.
    pub fn new(context: Context, preimages: P) -> Self {
        Self { preimages, context, open: None }
    }

    fn fetch(&mut self, index: u64) -> Result<OpenRecord<P>, Fault> {
        let leaf = descend(&mut self.preimages, &self.context.records_root, DEPTH, index)?;
        let record = self.preimages.node(&Hash(leaf.ok_or(Fault::Corrupt)?))?;
        let meta = record_meta_of(&record.left.0).ok_or(Fault::Corrupt)?;
        let pages = Pages {
            preimages: self.preimages,
            root: record.right.0,
            length: meta.length,
            known: BTreeMap::new(),
        };
        Ok(OpenRecord { index, meta, pages, segments: None, newest: None })
    }

    /// The record at `index`, which exists.
    fn opened(&mut self, index: u64) -> Result<&mut OpenRecord<P>, Fault> {
        if index >= self.context.records_count {
            return Err(Fault::Misuse);
        }
        if self.open.as_ref().is_none_or(|open| open.index != index) {
            let record = self.fetch(index)?;
            self.open = Some(record);
        }
        self.open.as_mut().ok_or(Fault::Missing)
    }
}

impl<P: Preimages> OpenRecord<P> {
    /// Where segment `segment` lies; None past the last one, and in a batch whose directory is bad.
    fn place(&mut self, segment: u32) -> Result<Option<Range<u32>>, Fault> {
        let segments = match self.segments.take() {
            Some(segments) => segments,
            None => directory(&mut self.pages)?.unwrap_or_default(),
        };
        let place = segments.get(segment as usize).cloned();
        self.segments = Some(segments);
        Ok(place)
    }

    fn decode(&mut self, place: &Range<u32>) -> Result<Option<Block>, Fault> {
        let mut bytes = alloc::vec![0; place.len()];
        self.pages.read(place.start, &mut bytes)?;
        Ok(decode_segment(&bytes, self.meta.t_first_ms, self.meta.direct_to))
    }
}

impl<P: Preimages + Copy> Inputs for WitnessInputs<P> {
    fn record(&mut self, index: u64) -> Result<Option<RecordMeta>, Fault> {
        if index >= self.context.records_count {
            return Ok(None);
        }
        Ok(Some(self.opened(index)?.meta))
    }

    fn segment(&mut self, record: u64, segment: u32) -> Result<Segment<'_>, Fault> {
        let open = self.opened(record)?;
        if !open.meta.batch {
            return Ok(Segment::End);
        }
        let Some(place) = open.place(segment)? else { return Ok(Segment::End) };
        let size = place.end - place.start;
        if open.newest.as_ref().is_none_or(|(at, _)| *at != segment) {
            let block = open.decode(&place)?;
            open.newest = Some((segment, block));
        }
        match &open.newest {
            Some((_, Some(block))) => Ok(Segment::Block { block, size, closed: true }),
            _ => Ok(Segment::Bad),
        }
    }

    fn direct(&mut self, index: u64) -> Result<Direct, Fault> {
        if index >= self.context.directs_count {
            return Err(Fault::Misuse);
        }
        let leaf = descend(&mut self.preimages, &self.context.directs_root, DEPTH, index)?;
        let bytes = self.preimages.bytes(&leaf.ok_or(Fault::Corrupt)?)?;
        unpack_direct(&bytes).ok_or(Fault::Corrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{encode_body, encode_segment};
    use crate::hash::Software;
    use crate::l1::pack_direct;
    use crate::recording::Recording;
    use crate::types::{Address, Body, Input, Report, Signer};

    fn block(time_ms: u64, reports: u64) -> Block {
        let report = |n| Report { feed: 1, price_e9: n, time_ms, signature: [9; 64] };
        let input = |n| Input { body: Body::Report(report(n)), signer: Signer::Unknown };
        Block { time_ms, direct_to: 1, inputs: (0..reports).map(input).collect() }
    }

    fn meta(batch: bool, length: usize) -> RecordMeta {
        let length = u32::try_from(length).expect("small");
        RecordMeta { batch, length, t_first_ms: 1_000, t_last_ms: 2_000, direct_to: 2 }
    }

    #[test]
    fn what_was_posted_comes_back_by_hash() -> Result<(), Fault> {
        let blocks = [block(1_000, 40), block(1_200, 0), block(1_500, 60)];
        let segments = blocks.iter().filter_map(|block| encode_segment(block, 1_000, 2));
        let mut segments: Vec<Vec<u8>> = segments.collect();
        segments.push(Vec::from([1, 2, 3]));
        let body = encode_body(&segments).expect("four segments");
        assert!(body.len() > 3 * PAGE_BYTES, "several pages");
        let direct = Direct {
            kind: 3,
            sender: Address([5; 20]),
            index: 0,
            time_ms: 999,
            data: Vec::from([1; 4]),
        };

        let mut recording = Recording::new();
        let records = [
            recording.add_record(&meta(false, 0), &[], &mut Software),
            recording.add_record(&meta(true, body.len()), &body, &mut Software),
            recording.add_record(&meta(true, 1), &[0], &mut Software),
        ];
        let directs = [recording.add_bytes(&pack_direct(&direct), &mut Software)];
        let context = Context {
            records_root: recording.add_leaves(&records, &mut Software),
            records_count: 3,
            directs_root: recording.add_leaves(&directs, &mut Software),
            directs_count: 1,
            ..Context::default()
        };
        assert_eq!(Context::decode(&context.encode()), context);

        let mut inputs = WitnessInputs::new(context, &recording);
        assert_eq!(inputs.record(1)?, Some(meta(true, body.len())));
        assert_eq!(inputs.record(3)?, None);
        for (at, expected) in (0..).zip(&blocks) {
            let Segment::Block { block, size, closed } = inputs.segment(1, at)? else {
                panic!("segment {at} is a block");
            };
            assert_eq!(block, expected);
            assert_eq!((size as usize, closed), (segments[at as usize].len(), true));
        }
        assert!(matches!(inputs.segment(1, 3)?, Segment::Bad));
        assert!(matches!(inputs.segment(1, 4)?, Segment::End));
        assert!(matches!(inputs.segment(0, 0)?, Segment::End), "an advance has no data");
        assert!(matches!(inputs.segment(2, 0)?, Segment::End), "a bad directory empties it");
        assert_eq!(inputs.direct(0)?, direct);
        assert_eq!(inputs.direct(1), Err(Fault::Misuse));
        Ok(())
    }

    #[test]
    fn a_header_is_found_by_its_tagged_root() -> Result<(), Fault> {
        let words: [Word; 8] = core::array::from_fn(|n| [u8::try_from(n).unwrap_or(0); 32]);
        let mut recording = Recording::new();
        let root = recording.add_header(&words, &mut Software);
        assert_eq!(root[0], 0);
        assert_eq!(crate::preimages::tagged_eight(&mut &recording, &root)?, words);
        Ok(())
    }
}
