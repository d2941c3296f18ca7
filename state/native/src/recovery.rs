//! Signatures, many at a time: the one costly and stateless part of an input, spread over threads.
//!
//! In: raw transactions, reports, decoded blocks. Out: who signed each, and its hash.
//! Holds: results in the order of the inputs; threads live for one call and share nothing but the
//! inputs.
//! Not here: nonces and accounts, which need the state (`core`).

use std::panic::resume_unwind;
use std::thread;

use stf::eip712;
use stf::envelope;
use stf::error::Reject;
use stf::hash;
use stf::types::{Address, Block, Body, Envelope, Report, Signer, Word};

use crate::bounds::Bound;
use crate::platform::{Native, recover};
use crate::receipts::Identity;

/// Most threads of one call.
pub(crate) const THREADS_MAX: usize = 64;
/// Fewer items than this for each thread are not worth starting one.
const ITEMS_PER_THREAD: usize = 8;

/// An envelope whose form, chain id and signature were checked.
#[derive(Debug)]
pub(crate) struct Tx {
    /// What it says; its account index is found when it runs.
    pub(crate) envelope: Envelope,
    /// Its hash and its signer.
    pub(crate) who: Identity,
    /// The bytes as they came.
    pub(crate) raw: Vec<u8>,
    /// Most bytes it takes in a batch.
    pub(crate) bound: Bound,
}

/// A report whose signature was checked.
#[derive(Debug)]
pub(crate) struct SignedReport {
    /// What it says.
    pub(crate) report: Report,
    /// Its digest and its signer.
    pub(crate) who: Identity,
    /// Most bytes it takes in a batch.
    pub(crate) bound: Bound,
}

/// Why an input goes no further.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    /// The reason.
    pub(crate) reason: Reject,
    /// Its hash.
    pub(crate) hash: Word,
}

/// Applies `work` to each item, on up to `threads` threads; results in order.
pub(crate) fn parallel<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.clamp(1, THREADS_MAX).min(items.len() / ITEMS_PER_THREAD);
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    let share = items.len().div_ceil(threads);
    thread::scope(|scope| {
        let mut parts = items.chunks(share);
        let own = parts.next().unwrap_or_default();
        let others: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let mut results: Vec<R> = own.iter().map(work).collect();
        for other in others {
            match other.join() {
                Ok(part) => results.extend(part),
                Err(panicked) => resume_unwind(panicked),
            }
        }
        results
    })
}

/// Decodes a raw transaction and finds its signer.
pub(crate) fn verify_transaction(raw: Vec<u8>, chain_id: u64) -> Result<Tx, Refused> {
    let hash = hash::keccak256(&raw);
    let refuse = |reason| Refused { reason, hash };
    let decoded = envelope::decode_transaction(&raw, chain_id).map_err(refuse)?;
    let digest = hash::keccak256(&decoded.payload);
    let sender = recover(&digest, &decoded.envelope.signature)
        .ok_or_else(|| refuse(Reject::SignatureInvalid))?;
    let bound = Bound::of_envelope(&decoded.envelope);
    Ok(Tx { envelope: decoded.envelope, who: Identity { hash, sender }, raw, bound })
}

/// Finds the signer of a report.
pub(crate) fn verify_report(
    report: Report,
    chain_id: u64,
    inbox: &Address,
) -> Result<SignedReport, Refused> {
    let hash = eip712::report_digest(&report, chain_id, inbox, &mut Native);
    let sender = recover(&hash, &report.signature)
        .ok_or(Refused { reason: Reject::SignatureInvalid, hash })?;
    let bound = Bound::of_report(&report);
    Ok(SignedReport { report, who: Identity { hash, sender }, bound })
}

/// Hash and signer of an input of a decoded block.
fn identify(body: &Body, chain_id: u64, inbox: &Address) -> (Identity, Signer) {
    let (hash, signer) = match body {
        Body::Envelope(envelope) => {
            let digest = envelope::signing_digest(envelope, chain_id, &mut Native);
            let raw = envelope::raw_transaction(envelope, chain_id);
            (hash::keccak256(&raw), recover(&digest, &envelope.signature))
        }
        Body::Report(report) => {
            let digest = eip712::report_digest(report, chain_id, inbox, &mut Native);
            (digest, recover(&digest, &report.signature))
        }
    };
    match signer {
        Some(sender) => (Identity { hash, sender }, Signer::Known(sender)),
        None => (Identity { hash, sender: Address::default() }, Signer::Invalid),
    }
}

/// Recovers every signature of `blocks` and notes the signers in them; gives who each input was.
pub(crate) fn identify_blocks(
    blocks: &mut [Block],
    chain_id: u64,
    inbox: &Address,
    threads: usize,
) -> Vec<Identity> {
    let bodies: Vec<&Body> =
        blocks.iter().flat_map(|block| block.inputs.iter().map(|input| &input.body)).collect();
    let found = parallel(&bodies, threads, |body| identify(body, chain_id, inbox));
    let inputs = blocks.iter_mut().flat_map(|block| block.inputs.iter_mut());
    for (input, (_, signer)) in inputs.zip(&found) {
        input.signer = *signer;
    }
    found.into_iter().map(|(who, _)| who).collect()
}
