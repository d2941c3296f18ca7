//! `Engine`: the transition as a Python object.
//!
//! In: Python calls from any thread. Out: values of `values`, dictionaries of `dicts`.
//! Holds: the GIL is never held while a lock is waited for or work is done; execution and the
//! hashing of sealed batches have a lock each, so that they run side by side; a panic or a fault
//! stops the engine for good.
//! Not here: what the calls do (`core`, `apply`, `views`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use stf::error::Fault as StfFault;
use stf::invariants;
use stf::l1;
use stf::records::Header;
use stf::tree::{EMPTY_STATE_ROOT, StateTree};
use stf::types::{Address, Direct, Word};
use stf::view;

use crate::apply::header_root;
use crate::core::{Core, Trouble, hex, misuse};
use crate::dicts;
use crate::numbering::Numbering;
use crate::platform::Native;
use crate::values::{Executed, RecordOutcome, SealedBatch, header_bytes, leaf_place, verified};
use crate::views;

pyo3::create_exception!(
    _native,
    Fault,
    pyo3::exceptions::PyException,
    "Our mistake, or data that no lawful run can meet: stop, keep everything, call a human."
);

/// The tree, and which batch it expects next.
struct Hasher {
    tree: StateTree,
    next_record: u64,
}

/// The transition, its state and its tree.
#[pyclass(frozen, module = "state._native")]
pub(crate) struct Engine {
    core: Mutex<Core>,
    hasher: Mutex<Hasher>,
    /// State root of the newest commit.
    state_root: Mutex<Word>,
    stopped: AtomicBool,
}

/// A lock that nobody panics under.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Text of a panic.
fn panic_text(panicked: &(dyn std::any::Any + Send)) -> String {
    let text = panicked.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panicked.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Runs `work` without the GIL; a panic becomes a `Fault`.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work))).map_err(|panicked| {
        Fault::new_err(format!("panic in the native core: {}", panic_text(&*panicked)))
    })
}

impl Engine {
    /// Runs `work` on this engine without the GIL, unless it has stopped.
    fn work<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce() -> Result<T, Trouble> + Send,
    ) -> PyResult<T> {
        let result =
            detached(py, work).inspect_err(|_| self.stopped.store(true, Ordering::Release));
        match result? {
            Ok(value) => Ok(value),
            Err(Trouble::Misuse(text)) => Err(PyValueError::new_err(text)),
            Err(Trouble::Stopped) => Err(Fault::new_err("the engine has stopped after a fault")),
            Err(Trouble::Fault(fault)) => {
                Err(Fault::new_err(format!("fault in the transition: {fault:?}")))
            }
        }
    }

    /// A lock of this engine, unless it stopped while the lock was waited for.
    fn hold<'a, T>(&self, mutex: &'a Mutex<T>) -> Result<MutexGuard<'a, T>, Trouble> {
        match mutex.lock() {
            Ok(guard) if !self.stopped.load(Ordering::Acquire) => Ok(guard),
            // A holder that panicked left the lock poisoned.
            _ => Err(Trouble::Stopped),
        }
    }

    /// Stops the engine on a fault. Called while the lock is held, so that nobody gets in after it.
    fn judge<T>(&self, result: Result<T, Trouble>) -> Result<T, Trouble> {
        if matches!(result, Err(Trouble::Fault(_))) {
            self.stopped.store(true, Ordering::Release);
        }
        result
    }

    /// Runs `work` on the machine.
    fn on_core<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Core) -> Result<T, Trouble> + Send,
    ) -> PyResult<T> {
        self.work(py, || {
            let mut core = self.hold(&self.core)?;
            self.judge(work(&mut core))
        })
    }
}

/// Opens packed direct inputs.
fn unpack(directs: &[Vec<u8>]) -> Result<Vec<Direct>, Trouble> {
    directs
        .iter()
        .map(|packed| {
            l1::unpack_direct(packed)
                .ok_or_else(|| Trouble::Misuse("a packed direct input has a wrong length".into()))
        })
        .collect()
}

#[pymethods]
impl Engine {
    #[new]
    fn new(chain_id: u64, inbox: [u8; 20]) -> Self {
        Self {
            core: Mutex::new(Core::new(chain_id, Address(inbox))),
            hasher: Mutex::new(Hasher { tree: StateTree::new(), next_record: 0 }),
            state_root: Mutex::new(EMPTY_STATE_ROOT),
            stopped: AtomicBool::new(false),
        }
    }

    // --- restoring ---

    fn load_records(&self, py: Python<'_>, rows: Vec<(Vec<u8>, Vec<u8>)>) -> PyResult<()> {
        self.on_core(py, |core| {
            for (key, words) in &rows {
                let loaded = leaf_place(key)
                    .ok_or(StfFault::IndexRange)
                    .and_then(|(kind, index)| core.machine.store.load(kind, index, words));
                if loaded.is_err() {
                    return misuse(format!("leaf {} is not a record", hex(key)));
                }
            }
            Ok(())
        })
    }

    fn load_header(
        &self,
        py: Python<'_>,
        header: &[u8],
        next_seq: u64,
        next_block: u64,
    ) -> PyResult<()> {
        let words: Option<&[Word; 8]> = header.as_chunks::<32>().0.try_into().ok();
        let decoded = words.filter(|_| header.len() == 256).and_then(Header::decode);
        self.work(py, || {
            let Some(decoded) = decoded else {
                return Err(Trouble::Misuse("a header is eight words with a known phase".into()));
            };
            let Some(ended) = next_block.checked_sub(1) else {
                return Err(Trouble::Misuse("blocks are numbered from 1".into()));
            };
            let mut core = self.hold(&self.core)?;
            core.machine.header = decoded;
            core.numbering = Numbering::resume(next_seq, ended);
            self.hold(&self.hasher)?.next_record = decoded.record;
            *lock(&self.state_root) = decoded.state_root;
            Ok(())
        })
    }

    fn rebuild<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let root = self.work(py, || {
            let core = self.hold(&self.core)?;
            let (tree, root) = self.judge(rebuild(&core).map_err(Trouble::from))?;
            self.hold(&self.hasher)?.tree = tree;
            *lock(&self.state_root) = root;
            Ok(root)
        })?;
        Ok(PyBytes::new(py, &root))
    }

    // --- the sequencer's way ---

    fn admit(&self, py: Python<'_>, inputs: Vec<Bound<'_, PyAny>>) -> PyResult<Vec<u16>> {
        let inputs = verified(&inputs)?;
        self.on_core(py, |core| Ok(core.admit(&inputs)?))
    }

    fn forget_admitted(&self, py: Python<'_>) -> PyResult<()> {
        self.on_core(py, |core| {
            core.forget_admitted();
            Ok(())
        })
    }

    fn fits(&self, py: Python<'_>, inputs: Vec<Bound<'_, PyAny>>) -> PyResult<usize> {
        let inputs = verified(&inputs)?;
        self.on_core(py, |core| Ok(core.fits(&inputs)))
    }

    fn batch_room(&self, py: Python<'_>) -> PyResult<u64> {
        self.on_core(py, |core| Ok(core.batch.room(&core.batch.bound())))
    }

    fn open_block(
        &self,
        py: Python<'_>,
        time_ms: u64,
        direct_to: u64,
        directs: Vec<Vec<u8>>,
    ) -> PyResult<Executed> {
        self.on_core(py, |core| core.open_block(time_ms, direct_to, unpack(&directs)?))
            .map(Executed)
    }

    fn execute(&self, py: Python<'_>, inputs: Vec<Bound<'_, PyAny>>) -> PyResult<Executed> {
        let inputs = verified(&inputs)?;
        self.on_core(py, |core| core.execute(&inputs)).map(Executed)
    }

    fn close_block<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let segment = self.on_core(py, Core::close_block)?;
        Ok(segment.map(|segment| PyBytes::new(py, &segment)))
    }

    fn seal_batch(&self, py: Python<'_>) -> PyResult<Option<SealedBatch>> {
        let sealed = self.on_core(py, Core::seal)?;
        Ok(sealed.map(|sealed| SealedBatch(sealed.into())))
    }

    fn commit<'py>(
        &self,
        py: Python<'py>,
        sealed: &Bound<'py, SealedBatch>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let sealed = &sealed.get().0;
        let (root, header) = self.work(py, || {
            let mut hasher = self.hold(&self.hasher)?;
            if sealed.record != hasher.next_record {
                return Err(Trouble::Misuse(format!(
                    "batch {} was given to commit, {} is next: commit in the order of sealing",
                    sealed.record, hasher.next_record
                )));
            }
            let mut header = sealed.header;
            let root = hasher.tree.update(&sealed.rows, &mut Native);
            header.state_root = self.judge(root.map_err(Trouble::from))?;
            hasher.next_record += 1;
            *lock(&self.state_root) = header.state_root;
            Ok((header_root(&header), header.encode()))
        })?;
        Ok((PyBytes::new(py, &root), PyBytes::new(py, header_bytes(&header))))
    }

    // --- the way from L1 ---

    #[pyo3(signature = (meta, data, directs, threads = 2))]
    fn apply_record(
        &self,
        py: Python<'_>,
        meta: [u8; 32],
        data: &[u8],
        directs: Vec<Vec<u8>>,
        threads: usize,
    ) -> PyResult<RecordOutcome> {
        self.work(py, || {
            let directs = unpack(&directs)?;
            let mut core = self.hold(&self.core)?;
            let mut hasher = self.hold(&self.hasher)?;
            if hasher.next_record != core.machine.header.record {
                return Err(Trouble::Misuse("sealed batches wait for commit".into()));
            }
            let outcome =
                self.judge(core.apply(&meta, data, directs, &mut hasher.tree, threads))?;
            hasher.next_record = core.machine.header.record;
            *lock(&self.state_root) = outcome.header.state_root;
            let next_seq = core.numbering.next_seq;
            Ok(RecordOutcome { outcome, next_seq, next_block: core.numbering.ended + 1 })
        })
    }

    fn end_epoch<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let roots = self.on_core(py, |core| Ok(core.end_epoch()))?;
        Ok(roots.iter().map(|root| PyBytes::new(py, root)).collect())
    }

    // --- reads ---

    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut header = self.on_core(py, |core| Ok(core.machine.header))?;
        header.state_root = *lock(&self.state_root);
        Ok(PyBytes::new(py, header_bytes(&header.encode())))
    }

    #[getter]
    fn direct_cursor(&self, py: Python<'_>) -> PyResult<u64> {
        self.on_core(py, |core| Ok(core.machine.header.direct))
    }

    #[getter]
    fn record_cursor(&self, py: Python<'_>) -> PyResult<u64> {
        self.on_core(py, |core| Ok(core.machine.header.record))
    }

    #[getter]
    fn time_ms(&self, py: Python<'_>) -> PyResult<u64> {
        self.on_core(py, |core| Ok(core.machine.header.time_ms))
    }

    #[getter]
    fn next_seq(&self, py: Python<'_>) -> PyResult<u64> {
        self.on_core(py, |core| Ok(core.numbering.next_seq))
    }

    #[getter]
    fn next_block(&self, py: Python<'_>) -> PyResult<u64> {
        self.on_core(py, |core| Ok(core.numbering.ended + 1))
    }

    #[getter]
    fn block_inputs(&self, py: Python<'_>) -> PyResult<Option<usize>> {
        self.on_core(py, |core| Ok(core.batch.open_block().map(|block| block.inputs.len())))
    }

    #[getter]
    fn withdrawals_count(&self, py: Python<'_>) -> PyResult<u64> {
        self.on_core(py, |core| Ok(core.machine.header.withdrawals_count))
    }

    #[getter]
    fn withdrawals_root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let root = self.on_core(py, |core| Ok(core.machine.header.withdrawals_root))?;
        Ok(PyBytes::new(py, &root))
    }

    fn record<'py>(&self, py: Python<'py>, kind: u16, index: u64) -> PyResult<Bound<'py, PyBytes>> {
        let words = self.on_core(py, |core| {
            core.machine
                .store
                .record(kind, index)
                .map_err(|_| Trouble::Misuse(format!("no record {index} of kind {kind}")))
        })?;
        Ok(PyBytes::new(py, &words))
    }

    fn proof<'py>(
        &self,
        py: Python<'py>,
        kind: u16,
        index: u64,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let siblings = self.work(py, || {
            self.hold(&self.hasher)?
                .tree
                .proof(kind, index, &mut Native)
                .map_err(|_| Trouble::Misuse(format!("no record {index} of kind {kind}")))
        })?;
        Ok(siblings.iter().map(|word| PyBytes::new(py, word)).collect())
    }

    fn account_index(&self, py: Python<'_>, address: [u8; 20]) -> PyResult<u32> {
        self.on_core(py, |core| Ok(view::account_of(&mut core.machine.store, &Address(address))?))
    }

    fn subaccount_view<'py>(
        &self,
        py: Python<'py>,
        address: [u8; 20],
        number: u64,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let address = Address(address);
        let found = self.on_core(py, |core| {
            Ok(views::subaccount(&mut core.machine.store, &address, number)?)
        })?;
        found.map(|figures| dicts::subaccount(py, number, &figures)).transpose()
    }

    fn open_orders<'py>(
        &self,
        py: Python<'py>,
        address: [u8; 20],
        number: u64,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let address = Address(address);
        let orders = self.on_core(py, |core| {
            Ok(views::open_orders(&mut core.machine.store, &address, number)?)
        })?;
        orders.iter().map(|(order, price_e9)| dicts::order(py, order, *price_e9)).collect()
    }

    fn market_view<'py>(
        &self,
        py: Python<'py>,
        market: u32,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let found = self.on_core(py, |core| Ok(views::market(&mut core.machine.store, market)?))?;
        found.map(|figures| dicts::market(py, market, &figures)).transpose()
    }

    fn book(
        &self,
        py: Python<'_>,
        market: u32,
        depth: usize,
    ) -> PyResult<(Vec<views::PriceLevel>, Vec<views::PriceLevel>)> {
        self.on_core(py, |core| {
            if views::market(&mut core.machine.store, market)?.is_none() {
                return Err(Trouble::Misuse(format!("no market {market}")));
            }
            let bids = views::side(&mut core.machine.store, market, true, depth)?;
            Ok((bids, views::side(&mut core.machine.store, market, false, depth)?))
        })
    }

    fn chain_view<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let chain = self.on_core(py, |core| Ok(views::chain(&mut core.machine.store)?))?;
        dicts::chain(py, &chain)
    }

    fn totals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let totals = self.on_core(py, |core| Ok(views::totals(&mut core.machine.store)?))?;
        dicts::totals(py, &totals)
    }

    fn check_invariants(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.on_core(py, |core| {
            let finding = invariants::check(&mut core.machine.store)?;
            Ok(finding.err().map(|broken| format!("{} (at {})", broken.rule, broken.at)))
        })
        .map(|broken| broken.into_iter().collect())
    }
}

/// Records hashed at a time when the tree is rebuilt.
const REBUILD_ROWS: usize = 1 << 16;

/// The tree over all records, and its root.
fn rebuild(core: &Core) -> Result<(StateTree, Word), StfFault> {
    let mut tree = StateTree::new();
    let mut rows = Vec::with_capacity(REBUILD_ROWS);
    for row in core.machine.store.present() {
        rows.push(row);
        if rows.len() == REBUILD_ROWS {
            tree.update(&rows, &mut Native)?;
            rows.clear();
        }
    }
    let root = tree.update(&rows, &mut Native)?;
    Ok((tree, root))
}
