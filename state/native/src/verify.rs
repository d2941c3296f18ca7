//! Functions that need no engine: verifying many inputs, roots of headers.
//!
//! In: raw transactions, signed reports. Out: verified values or refusals, in order.
//! Holds: the GIL is released while signatures are recovered. Not here: the recovery (`recovery`).

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use stf::l1;
use stf::types::{Address, Report, Word};

use crate::engine::detached;
use crate::platform::Native;
use crate::recovery::{Refused, parallel, verify_report, verify_transaction};
use crate::values::{Refusal, VerifiedReport, VerifiedTx};

/// Python objects for results, in order.
fn objects<T, C: pyo3::PyClass + Into<PyClassInitializer<C>>>(
    py: Python<'_>,
    results: Vec<Result<T, Refused>>,
    wrap: impl Fn(T) -> C,
) -> PyResult<Vec<Py<PyAny>>> {
    results
        .into_iter()
        .map(|result| {
            Ok(match result {
                Ok(value) => Py::new(py, wrap(value))?.into_any(),
                Err(refused) => Py::new(py, Refusal(refused))?.into_any(),
            })
        })
        .collect()
}

/// Decodes raw transactions and recovers their signers.
#[pyfunction]
#[pyo3(signature = (raws, chain_id, threads = 2))]
pub(crate) fn verify_envelopes(
    py: Python<'_>,
    raws: Vec<Bound<'_, PyBytes>>,
    chain_id: u64,
    threads: usize,
) -> PyResult<Vec<Py<PyAny>>> {
    let slices: Vec<&[u8]> = raws.iter().map(PyBytesMethods::as_bytes).collect();
    let results = detached(py, || {
        parallel(&slices, threads, |raw| verify_transaction(raw.to_vec(), chain_id))
    })?;
    objects(py, results, |tx| VerifiedTx(tx.into()))
}

/// Recovers the signers of reports (feed, price, time, EIP-2098 signature).
#[pyfunction]
#[pyo3(signature = (reports, chain_id, inbox, threads = 2))]
pub(crate) fn verify_reports(
    py: Python<'_>,
    reports: Vec<(u32, u64, u64, [u8; 64])>,
    chain_id: u64,
    inbox: [u8; 20],
    threads: usize,
) -> PyResult<Vec<Py<PyAny>>> {
    let inbox = Address(inbox);
    let results = detached(py, || {
        parallel(&reports, threads, |(feed, price_e9, time_ms, signature)| {
            let report = Report {
                feed: *feed,
                price_e9: *price_e9,
                time_ms: *time_ms,
                signature: *signature,
            };
            verify_report(report, chain_id, &inbox)
        })
    })?;
    objects(py, results, |report| VerifiedReport(report.into()))
}

/// Chunk root of a header's eight words.
#[pyfunction]
pub(crate) fn header_root<'py>(py: Python<'py>, header: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let words: Option<&[Word; 8]> = header.as_chunks::<32>().0.try_into().ok();
    match words.filter(|_| header.len() == 256) {
        Some(words) => Ok(PyBytes::new(py, &l1::header_root(words, &mut Native))),
        None => Err(PyValueError::new_err("a header is 256 bytes")),
    }
}
