//! One epoch after another from L1 data: the whole state in memory and a witness alone give the
//! same chunk roots.
//!
//! The data holds what no honest sequencer posts too: bad directories, bad segments, blocks out of
//! time, `advance`.

use crate::random::{Random, random_world, seeds, sign_all};
use crate::world::*;
use stf::chunk;
use stf::codec::{decode_segment, directory_of, encode_body, encode_segment};
use stf::context;
use stf::error::Fault;
use stf::l1::{header_root, pack_direct};
use stf::machine::{ChunkEnd, Machine, genesis};
use stf::platform::{Inputs, Segment};
use stf::ram::RamStore;
use stf::recording::Recording;
use stf::records::Market;
use stf::store::Store;
use stf::tree::StateTree;
use stf::types::{Block, Direct, RecordMeta};

/// A record with its data, and what native code makes of it.
struct Posted {
    meta: RecordMeta,
    data: Vec<u8>,
    blocks: Vec<Block>,
    sizes: Vec<u32>,
}

impl Posted {
    fn new(meta: RecordMeta, data: Vec<u8>) -> Self {
        let meta = RecordMeta { length: u32::try_from(data.len()).unwrap(), ..meta };
        let mut posted = Self { meta, data, blocks: Vec::new(), sizes: Vec::new() };
        for range in directory_of(&posted.data).unwrap_or_default() {
            posted.sizes.push(range.end - range.start);
            let bytes = &posted.data[range.start as usize..range.end as usize];
            match decode_segment(bytes, meta.t_first_ms, meta.direct_to) {
                Some(block) => posted.blocks.push(block),
                None => break,
            }
        }
        posted
    }
}

/// The records of L1 up to the end of the epoch.
struct Epoch<'a> {
    records: &'a [Posted],
    directs: &'a [Direct],
}

impl Inputs for Epoch<'_> {
    fn record(&mut self, index: u64) -> Result<Option<RecordMeta>, Fault> {
        Ok(self.records.get(index as usize).map(|posted| posted.meta))
    }

    fn segment(&mut self, record: u64, segment: u32) -> Result<Segment<'_>, Fault> {
        let posted = self.records.get(record as usize).ok_or(Fault::Missing)?;
        let place = segment as usize;
        let size = posted.sizes.get(place).copied();
        Ok(match (posted.blocks.get(place), size) {
            (Some(block), Some(size)) => Segment::Block { block, size, closed: true },
            (None, Some(_)) => Segment::Bad,
            _ => Segment::End,
        })
    }

    fn direct(&mut self, index: u64) -> Result<Direct, Fault> {
        self.directs.get(index as usize).cloned().ok_or(Fault::Missing)
    }
}

/// Blocks of a batch.
const BLOCKS: usize = 7;

/// The blocks of a random run in small batches, with what no honest sequencer posts around them.
///
/// Only in the last ones a block of the run itself is lost: what follows has wrong nonces.
fn posted(feed: &Feed, random: &mut Random) -> Vec<Posted> {
    let mut records = Vec::new();
    for landed in &feed.records {
        if !landed.meta.batch {
            records.push(Posted::new(landed.meta, Vec::new()));
        }
        for blocks in landed.blocks.chunks(BLOCKS) {
            let (first, last) = (&blocks[0], &blocks[blocks.len() - 1]);
            let meta = RecordMeta {
                t_first_ms: first.time_ms,
                t_last_ms: last.time_ms,
                direct_to: last.direct_to,
                ..landed.meta
            };
            let encode = |block| encode_segment(block, meta.t_first_ms, meta.direct_to).unwrap();
            let mut segments: Vec<Vec<u8>> = blocks.iter().map(encode).collect();
            match random.below(6) {
                0 => segments.push(vec![0; 4]),
                1 => segments.push(Vec::new()),
                2 => segments.push(encode(first)),
                3 => segments.push(encode(&Block { time_ms: last.time_ms + 1, ..last.clone() })),
                _ => {}
            }
            records.push(Posted::new(meta, encode_body(&segments).unwrap()));
            match random.below(6) {
                0 => records.push(Posted::new(meta, vec![1, 1, 9])),
                1 => records.push(Posted::new(meta, encode_body(&[]).unwrap())),
                _ => {}
            }
        }
    }
    let late = records.len() - 3;
    for record in records.iter_mut().skip(late).filter(|record| record.meta.batch) {
        let mut data = record.data.clone();
        let at = random.below(data.len() as u64) as usize;
        data[at] ^= 1 << random.below(8);
        *record = Posted::new(record.meta, data);
    }
    records
}

#[test]
fn a_witness_leads_to_the_roots_of_the_whole_state_in_every_chunk() {
    for seed in seeds() {
        let mut feed = random_world(seed, 160).feed;
        sign_all(&mut feed);
        let mut random = Random::new(seed);
        let records = posted(&feed, &mut random);
        let bad = records.iter().filter(|each| each.sizes.len() != each.blocks.len()).count();
        let (mut chunks, mut end) = (0, 0);
        let mut tree = StateTree::new();
        let mut machine = Machine::new(RamStore::new(), Toy, Log::default(), genesis(), CONTEXT);
        while end < records.len() {
            end = (end + 1 + random.below(3) as usize).min(records.len());
            let mut epoch = Epoch { records: &records[..end], directs: &feed.directs };
            let mut progress = ChunkEnd::Full;
            while progress == ChunkEnd::Full {
                let witnessed = run_witnessed(&machine, &epoch);
                progress = machine.run_chunk(&mut epoch).unwrap();
                let rows = machine.store.take_dirty();
                machine.header.state_root = tree.update(&rows, &mut Toy).unwrap();
                assert_eq!(header_root(&machine.header.encode(), &mut Toy), witnessed);
                chunks += 1;
            }
            assert_eq!(progress, ChunkEnd::EndOfInputs);
            machine.start_chunk();
        }
        println!("seed {seed}: {chunks} chunks, {} records, {bad} bad", records.len());
        assert_eq!(machine.header.record as usize, records.len());
        assert!(bad > 2 && chunks > records.len() / 2, "{chunks}");
        assert!(machine.store.read::<Market>(0).unwrap().trades > 20);
    }
}

/// The root of the next chunk from hashes alone.
fn run_witnessed(machine: &Engine, epoch: &Epoch<'_>) -> stf::types::Word {
    let mut recording = Recording::new();
    let root = recording.add_state(machine.store.present(), &mut Toy).unwrap();
    assert_eq!(root, machine.header.state_root);
    let leaves = |recording: &mut Recording, all: &[Posted]| -> Vec<_> {
        all.iter().map(|each| recording.add_record(&each.meta, &each.data, &mut Toy)).collect()
    };
    let records = leaves(&mut recording, epoch.records);
    let directs: Vec<_> = epoch
        .directs
        .iter()
        .map(|each| recording.add_bytes(&pack_direct(each), &mut Toy))
        .collect();
    let told = context::Context {
        previous: recording.add_header(&machine.header.encode(), &mut Toy),
        records_root: recording.add_leaves(&records, &mut Toy),
        records_count: records.len() as u64,
        directs_root: recording.add_leaves(&directs, &mut Toy),
        directs_count: directs.len() as u64,
        version: CONTEXT.version,
        chain_id: CONTEXT.chain_id,
        inbox: CONTEXT.inbox,
    };
    chunk::run(told, &recording, Toy).unwrap().root
}
