//! What crosses into Python as values: verified inputs, refusals, receipts, sealed batches.
//!
//! In: results of `recovery`, `core`, `apply`. Out: frozen Python objects that hold them.
//! Holds: bytes are made where they are asked for. Not here: what they mean (the stub file says
//! it).

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use stf::l1;
use stf::ram::Row;
use stf::types::{Operation, Word};

use crate::apply::Outcome;
use crate::core::{Sealed, Verified};
use crate::receipts::Stats;
use crate::recovery::{Refused, SignedReport, Tx};
use crate::told::Done;

fn bytes<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, data)
}

fn all_bytes<'py, T: AsRef<[u8]>>(py: Python<'py>, list: &[T]) -> Vec<Bound<'py, PyBytes>> {
    list.iter().map(|data| bytes(py, data.as_ref())).collect()
}

/// A leaf as the store keeps it: key, words.
type Leaf<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// Key of a leaf in the store: kind, then index, big-endian, so that leaves lie in order.
pub(crate) fn leaf_key(kind: u16, index: u64) -> [u8; 10] {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&kind.to_be_bytes());
    key[2..].copy_from_slice(&index.to_be_bytes());
    key
}

/// Reads what `leaf_key` made.
pub(crate) fn leaf_place(key: &[u8]) -> Option<(u16, u64)> {
    let (kind, index) = key.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*kind), u64::from_be_bytes(index.try_into().ok()?)))
}

fn leaves<'py>(py: Python<'py>, rows: &[Row]) -> Vec<Leaf<'py>> {
    let row = |(kind, index, words): &Row| (bytes(py, &leaf_key(*kind, *index)), bytes(py, words));
    rows.iter().map(row).collect()
}

/// The words of a header as bytes.
pub(crate) fn header_bytes(words: &[Word; 8]) -> &[u8] {
    words.as_flattened()
}

/// An envelope whose form, chain id and signature were checked.
#[pyclass(frozen, module = "state._native")]
pub(crate) struct VerifiedTx(pub(crate) Arc<Tx>);

#[pymethods]
impl VerifiedTx {
    #[getter]
    fn hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.who.hash)
    }
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.raw)
    }
    #[getter]
    fn sender<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.who.sender.0)
    }
    #[getter]
    fn nonce(&self) -> u64 {
        self.0.envelope.nonce
    }
    #[getter]
    fn subaccount(&self) -> u32 {
        self.0.envelope.subaccount
    }
    #[getter]
    fn operations(&self) -> usize {
        self.0.envelope.operations.len()
    }
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.envelope.operations.first().map_or("", name_of)
    }
    #[getter]
    fn kinds(&self) -> Vec<&'static str> {
        self.0.envelope.operations.iter().map(name_of).collect()
    }
    #[getter]
    fn size_max(&self) -> u64 {
        self.0.bound.total()
    }
}

fn name_of(operation: &Operation) -> &'static str {
    match operation {
        Operation::Place(_) => "place",
        Operation::Cancel { .. } => "cancel",
        Operation::CancelById { .. } => "cancel_by_id",
        Operation::Replace { .. } => "replace",
        Operation::CancelAll { .. } => "cancel_all",
        Operation::Withdraw { .. } => "withdraw",
    }
}

/// A report whose signature was checked.
#[pyclass(frozen, module = "state._native")]
pub(crate) struct VerifiedReport(pub(crate) Arc<SignedReport>);

#[pymethods]
impl VerifiedReport {
    #[getter]
    fn hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.who.hash)
    }
    #[getter]
    fn reporter<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.who.sender.0)
    }
    #[getter]
    fn feed(&self) -> u32 {
        self.0.report.feed
    }
    #[getter]
    fn price_e9(&self) -> u64 {
        self.0.report.price_e9
    }
    #[getter]
    fn time_ms(&self) -> u64 {
        self.0.report.time_ms
    }
    #[getter]
    fn signature<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.report.signature)
    }
    #[getter]
    fn size_max(&self) -> u64 {
        self.0.bound.total()
    }
}

/// Why an input goes no further: a value, because there are thousands per call.
#[pyclass(frozen, module = "state._native")]
pub(crate) struct Refusal(pub(crate) Refused);

#[pymethods]
impl Refusal {
    #[getter]
    fn reason(&self) -> u16 {
        self.0.reason as u16
    }
    #[getter]
    fn slug(&self) -> &'static str {
        self.0.reason.slug()
    }
    #[getter]
    fn hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.hash)
    }
}

/// The verified inputs of a Python list.
pub(crate) fn verified(items: &[Bound<'_, PyAny>]) -> PyResult<Vec<Verified>> {
    let mut inputs = Vec::with_capacity(items.len());
    for item in items {
        inputs.push(if let Ok(tx) = item.cast::<VerifiedTx>() {
            Verified::Tx(Arc::clone(&tx.get().0))
        } else if let Ok(report) = item.cast::<VerifiedReport>() {
            Verified::Report(Arc::clone(&report.get().0))
        } else {
            return Err(PyTypeError::new_err("inputs are VerifiedTx or VerifiedReport"));
        });
    }
    Ok(inputs)
}

/// What a call executed: one receipt per input.
#[pyclass(frozen, module = "state._native")]
pub(crate) struct Executed(pub(crate) Done);

#[pymethods]
impl Executed {
    #[getter]
    fn receipts<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        all_bytes(py, &self.0.receipts)
    }
    #[getter]
    fn hashes<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        all_bytes(py, &self.0.hashes)
    }
    #[getter]
    fn withdrawals<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        all_bytes(py, &self.0.withdrawals)
    }
    #[getter]
    fn first_seq(&self) -> u64 {
        self.0.first_seq
    }
    #[getter]
    fn block(&self) -> u64 {
        self.0.block
    }
    fn rows<'py>(&self, py: Python<'py>) -> Vec<(u64, Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let pairs = self.0.hashes.iter().zip(&self.0.receipts);
        (self.0.first_seq..)
            .zip(pairs)
            .map(|(seq, (hash, receipt))| (seq, bytes(py, hash), bytes(py, receipt)))
            .collect()
    }
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        stats_dict(py, &self.0.stats)
    }
    fn __len__(&self) -> usize {
        self.0.receipts.len()
    }
}

fn stats_dict<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("inputs", stats.inputs)?;
    dict.set_item("operations", stats.operations)?;
    dict.set_item("rejected", stats.rejected)?;
    dict.set_item("skipped", stats.skipped)?;
    dict.set_item("placed", stats.placed)?;
    dict.set_item("replaced", stats.replaced)?;
    dict.set_item("cancelled", stats.cancelled)?;
    dict.set_item("trades", stats.trades)?;
    dict.set_item("deposits", stats.deposits)?;
    dict.set_item("withdrawals", stats.withdrawals)?;
    dict.set_item("reports", stats.reports)?;
    Ok(dict)
}

/// A batch that takes no more blocks, ready for L1.
#[pyclass(frozen, module = "state._native")]
pub(crate) struct SealedBatch(pub(crate) Arc<Sealed>);

#[pymethods]
impl SealedBatch {
    #[getter]
    fn record(&self) -> u64 {
        self.0.record
    }
    #[getter]
    fn meta<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &l1::record_meta_word(&self.0.meta))
    }
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.data)
    }
    #[getter]
    fn t_first_ms(&self) -> u64 {
        self.0.meta.t_first_ms
    }
    #[getter]
    fn t_last_ms(&self) -> u64 {
        self.0.meta.t_last_ms
    }
    #[getter]
    fn direct_to(&self) -> u64 {
        self.0.meta.direct_to
    }
    #[getter]
    fn page_root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.page_root)
    }
    #[getter]
    fn record_leaf<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.record_leaf)
    }
    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut header = self.0.header;
        header.state_root = stf::types::ZERO;
        bytes(py, header_bytes(&header.encode()))
    }
    #[getter]
    fn first_block(&self) -> u64 {
        self.0.first_block
    }
    #[getter]
    fn blocks(&self) -> u64 {
        self.0.blocks
    }
    #[getter]
    fn inputs(&self) -> u64 {
        self.0.inputs
    }
    #[getter]
    fn operations(&self) -> u64 {
        self.0.operations
    }
    #[getter]
    fn signatures(&self) -> u64 {
        self.0.inputs
    }
    #[getter]
    fn next_seq(&self) -> u64 {
        self.0.next_seq
    }
    #[getter]
    fn next_block(&self) -> u64 {
        self.0.next_block
    }
    fn records<'py>(&self, py: Python<'py>) -> Vec<Leaf<'py>> {
        leaves(py, &self.0.rows)
    }
}

/// What a record of L1 did.
#[pyclass(frozen, module = "state._native")]
pub(crate) struct RecordOutcome {
    pub(crate) outcome: Outcome,
    pub(crate) next_seq: u64,
    pub(crate) next_block: u64,
}

#[pymethods]
impl RecordOutcome {
    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.outcome.root)
    }
    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, header_bytes(&self.outcome.header.encode()))
    }
    #[getter]
    fn chunk_roots<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        all_bytes(py, &self.outcome.chunk_roots)
    }
    #[getter]
    fn inputs(&self) -> u64 {
        self.outcome.done.stats.inputs
    }
    #[getter]
    fn operations(&self) -> u64 {
        self.outcome.done.stats.operations
    }
    #[getter]
    fn blocks(&self) -> u64 {
        self.outcome.blocks
    }
    #[getter]
    fn withdrawals<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        all_bytes(py, &self.outcome.done.withdrawals)
    }
    #[getter]
    fn receipts<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        all_bytes(py, &self.outcome.done.receipts)
    }
    #[getter]
    fn hashes<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        all_bytes(py, &self.outcome.done.hashes)
    }
    #[getter]
    fn first_seq(&self) -> u64 {
        self.outcome.done.first_seq
    }
    #[getter]
    fn next_seq(&self) -> u64 {
        self.next_seq
    }
    #[getter]
    fn next_block(&self) -> u64 {
        self.next_block
    }
    #[getter]
    fn bad(&self) -> Option<&str> {
        self.outcome.bad.as_deref()
    }
    fn records<'py>(&self, py: Python<'py>) -> Vec<Leaf<'py>> {
        leaves(py, &self.outcome.rows)
    }
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        stats_dict(py, &self.outcome.done.stats)
    }
}
