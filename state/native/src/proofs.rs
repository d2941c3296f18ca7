//! Trees that Python needs whole: commitments of epochs, withdrawals, receipts of a commit group.
//!
//! In: leaves as bytes. Out: roots and sibling lists, lowest sibling first.
//! Holds: docs/formats.md §3 and §7. Not here: the state tree (`engine`).

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use stf::hash;
use stf::merkle;
use stf::types::Word;

use crate::platform::Native;

/// Height of an epoch's commitment.
const COMMITMENT_HEIGHT: u32 = 21;
/// Height of the withdrawals tree.
const WITHDRAWALS_HEIGHT: u32 = 32;

/// Root and last-leaf proof over chunk roots, of which the last repeats to the end.
fn commit(mut nodes: Vec<Word>, last: Word) -> (Word, Vec<Word>) {
    let mut pad = last;
    let mut siblings = Vec::with_capacity(COMMITMENT_HEIGHT as usize);
    for height in 0..COMMITMENT_HEIGHT {
        let sibling = (1usize << (COMMITMENT_HEIGHT - height)) - 2;
        siblings.push(*nodes.get(sibling).unwrap_or(&pad));
        nodes = nodes
            .chunks(2)
            .map(|pair| hash::hash64(&pair[0], pair.get(1).unwrap_or(&pad)))
            .collect();
        pad = hash::hash64(&pad, &pad);
    }
    (nodes.first().copied().unwrap_or(pad), siblings)
}

fn bytes_list<'py>(py: Python<'py>, words: &[Word]) -> Vec<Bound<'py, PyBytes>> {
    words.iter().map(|word| PyBytes::new(py, word)).collect()
}

/// keccak256 of `data`.
#[pyfunction]
pub(crate) fn keccak256<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &hash::keccak256(data))
}

/// Commitment of an epoch over its chunk roots, and the proof of its last leaf.
#[pyfunction]
pub(crate) fn commitment(
    py: Python<'_>,
    chunk_roots: Vec<[u8; 32]>,
) -> PyResult<(Bound<'_, PyBytes>, Vec<Bound<'_, PyBytes>>)> {
    let Some(last) = chunk_roots.last().copied() else {
        return Err(PyValueError::new_err("an epoch has at least one chunk root"));
    };
    if chunk_roots.len() > 1 << COMMITMENT_HEIGHT {
        return Err(PyValueError::new_err("an epoch has at most 2^21 chunk roots"));
    }
    let (root, siblings) = py.detach(|| commit(chunk_roots, last));
    Ok((PyBytes::new(py, &root), bytes_list(py, &siblings)))
}

/// The 32 siblings of withdrawal `index` among all `leaves`.
#[pyfunction]
pub(crate) fn withdrawal_proof(
    py: Python<'_>,
    leaves: Vec<[u8; 32]>,
    index: u64,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    if index >= leaves.len() as u64 {
        return Err(PyValueError::new_err(format!(
            "withdrawal {index} is not among the {} leaves",
            leaves.len()
        )));
    }
    let path = py.detach(|| merkle::proof(&leaves, WITHDRAWALS_HEIGHT, index, &mut Native));
    Ok(bytes_list(py, &path))
}

/// Root of a commit group: a tree over the hashes of its receipts.
#[pyfunction]
pub(crate) fn receipts_root(py: Python<'_>, receipts: Vec<Vec<u8>>) -> Bound<'_, PyBytes> {
    let root = py.detach(|| {
        let leaves = receipt_leaves(&receipts);
        merkle::root(&leaves, depth_of(leaves.len()), &mut Native)
    });
    PyBytes::new(py, &root)
}

/// Siblings of receipt `index` in its commit group.
#[pyfunction]
pub(crate) fn receipts_path(
    py: Python<'_>,
    receipts: Vec<Vec<u8>>,
    index: u64,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    if index >= receipts.len() as u64 {
        return Err(PyValueError::new_err("no receipt of that index in the group"));
    }
    let path = py.detach(|| {
        let leaves = receipt_leaves(&receipts);
        merkle::proof(&leaves, depth_of(leaves.len()), index, &mut Native)
    });
    Ok(bytes_list(py, &path))
}

fn receipt_leaves(receipts: &[Vec<u8>]) -> Vec<Word> {
    receipts.iter().map(|receipt| hash::keccak256(receipt)).collect()
}

/// Height of the smallest tree with this many leaves.
fn depth_of(leaves: usize) -> u32 {
    leaves.next_power_of_two().trailing_zeros()
}
