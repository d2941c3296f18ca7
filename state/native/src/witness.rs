//! What one chunk reads, for whoever runs the guest: tests against the VM, and disputes.
//!
//! In: the state before the chunk as rows, its header, the epoch's records and direct inputs. Out:
//! the chunk root after it, its context, and the preimages that were asked for on the way.
//! Holds: the root comes from the function that the guest runs (`stf::chunk`).
//! Not here: running the guest.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use stf::chunk::{self, Outcome};
use stf::context::Context;
use stf::error::Fault;
use stf::l1::record_meta_of;
use stf::ram::Row;
use stf::recording::{PreimageKind, Recording, RecordingPlatform};
use stf::records::Header;
use stf::types::{Address, Word};

use crate::engine;
use crate::platform::Native;
use crate::values::leaf_place;

/// What came of the chunk, its context, its preimages.
type Recorded = (Outcome, Vec<u8>, Vec<(PreimageKind, Word, Vec<u8>)>);

/// Everything that a chunk may read.
struct Epoch {
    rows: Vec<Row>,
    header: [Word; 8],
    records: Vec<(Word, Vec<u8>)>,
    directs: Vec<Vec<u8>>,
    chain_id: u64,
    inbox: Address,
}

impl Epoch {
    fn run(self) -> Result<Recorded, Fault> {
        let mut recording = Recording::new();
        let header = Header::decode(&self.header).ok_or(Fault::Corrupt)?;
        if recording.add_state(self.rows.into_iter(), &mut Native)? != header.state_root {
            return Err(Fault::Corrupt);
        }
        let mut records = Vec::with_capacity(self.records.len());
        for (meta, data) in &self.records {
            let meta = record_meta_of(meta).ok_or(Fault::Corrupt)?;
            records.push(recording.add_record(&meta, data, &mut Native));
        }
        let mut directs = Vec::with_capacity(self.directs.len());
        for packed in &self.directs {
            directs.push(recording.add_bytes(packed, &mut Native));
        }
        let context = Context {
            previous: recording.add_header(&self.header, &mut Native),
            records_root: recording.add_leaves(&records, &mut Native),
            records_count: records.len() as u64,
            directs_root: recording.add_leaves(&directs, &mut Native),
            directs_count: directs.len() as u64,
            version: header.version,
            chain_id: self.chain_id,
            inbox: self.inbox,
        };
        let platform = RecordingPlatform { inner: Native, recording: &recording };
        let outcome = chunk::run(context, &recording, platform)?;
        Ok((outcome, context.encode().concat(), recording.into_used()))
    }
}

/// Preimages as Python gets them: number of the kind, key, bytes.
type PyPreimages<'py> = Vec<(u8, Bound<'py, PyBytes>, Bound<'py, PyBytes>)>;
/// Root, weight, context, preimages.
type PyRecorded<'py> = (Bound<'py, PyBytes>, u64, Bound<'py, PyBytes>, PyPreimages<'py>);

/// Runs the chunk that starts at `header` and hands out what it read. Records and direct inputs:
/// all of the chain, from the first one on.
#[pyfunction]
#[pyo3(signature = (rows, header, records, directs, chain_id, inbox))]
pub(crate) fn record_chunk(
    py: Python<'_>,
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    header: [u8; 256],
    records: Vec<(Word, Vec<u8>)>,
    directs: Vec<Vec<u8>>,
    chain_id: u64,
    inbox: [u8; 20],
) -> PyResult<PyRecorded<'_>> {
    let mut words = [[0; 32]; 8];
    for (word, bytes) in words.iter_mut().zip(header.as_chunks::<32>().0) {
        *word = *bytes;
    }
    let inbox = Address(inbox);
    let rows = rows
        .into_iter()
        .map(|(key, words)| leaf_place(&key).map(|(kind, index)| (kind, index, words)));
    let Some(rows) = rows.collect::<Option<Vec<Row>>>() else {
        return Err(PyValueError::new_err("a row's key is a kind and an index, ten bytes"));
    };
    let epoch = Epoch { rows, header: words, records, directs, chain_id, inbox };
    let (outcome, context, used) = py
        .detach(|| epoch.run())
        .map_err(|fault| engine::Fault::new_err(format!("the chunk cannot be run: {fault:?}")))?;
    let used = used
        .into_iter()
        .map(|(kind, key, bytes)| (kind as u8, PyBytes::new(py, &key), PyBytes::new(py, &bytes)));
    let (root, context) = (PyBytes::new(py, &outcome.root), PyBytes::new(py, &context));
    Ok((root, outcome.weight, context, used.collect()))
}
