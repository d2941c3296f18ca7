//! `state._native`: the Python face of the state transition, and nothing else.
//!
//! In: bytes and verified values from Python. Out: receipts, batches, roots, views.
//! Holds: no panic crosses; the GIL is released while work is done.
//! Not here: the transition (`stf`), disk (`state.store`). The stub `state/_native.pyi` is the
//! manual.

mod admission;
mod apply;
mod batch;
mod bounds;
mod core;
mod dicts;
mod engine;
mod numbering;
mod platform;
mod proofs;
mod receipts;
mod recovery;
mod told;
mod values;
mod verify;
mod views;
mod witness;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Version of this module, that of the distribution.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("EMPTY_STATE_ROOT", PyBytes::new(py, &stf::tree::EMPTY_STATE_ROOT))?;
    module.add("MAX_BATCH_BYTES", stf::l1::MAX_BATCH_BYTES)?;
    module.add("MAX_BLOCK_INPUTS", stf::codec::MAX_INPUTS)?;
    module.add("CHUNK_WEIGHT", stf::weight::CHUNK)?;
    module.add("Fault", py.get_type::<engine::Fault>())?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<values::VerifiedTx>()?;
    module.add_class::<values::VerifiedReport>()?;
    module.add_class::<values::Refusal>()?;
    module.add_class::<values::Executed>()?;
    module.add_class::<values::SealedBatch>()?;
    module.add_class::<values::RecordOutcome>()?;
    module.add_function(wrap_pyfunction!(version, module)?)?;
    module.add_function(wrap_pyfunction!(verify::verify_envelopes, module)?)?;
    module.add_function(wrap_pyfunction!(verify::verify_reports, module)?)?;
    module.add_function(wrap_pyfunction!(verify::header_root, module)?)?;
    module.add_function(wrap_pyfunction!(witness::record_chunk, module)?)?;
    module.add_function(wrap_pyfunction!(proofs::keccak256, module)?)?;
    module.add_function(wrap_pyfunction!(proofs::commitment, module)?)?;
    module.add_function(wrap_pyfunction!(proofs::withdrawal_proof, module)?)?;
    module.add_function(wrap_pyfunction!(proofs::receipts_root, module)?)?;
    module.add_function(wrap_pyfunction!(proofs::receipts_path, module)?)
}
