//! The inner loop: the inputs of a block, the operations of an envelope, the fills of a taker.
//!
//! In: the block under the cursor. Out: nonces used, operations applied or rejected, the cursors
//! moved on.
//! Holds: only an operation's first step can reject it; a rejected one changes nothing but the
//! nonce.
//! Not here: what operations do (`ops`).

use super::{Machine, Progress};
use crate::direct;
use crate::envelope::signing_digest;
use crate::error::{Fault, Reject, Stop};
use crate::events::Event;
use crate::margin;
use crate::ops::{self, Outcome, matching, resting};
use crate::platform::{Inputs, Platform, Segment, Sink};
use crate::records::{Account, Phase, SUBACCOUNTS, Subaccount, Taker};
use crate::store::Store;
use crate::types::{Body, Envelope, Input, Operation, Report, Signer};
use crate::weight;

/// Numbers of inputs for `Sink::begin`.
const ENVELOPE: u8 = 1;
const REPORT: u8 = 2;
/// Operations of an envelope.
const OPERATIONS_MAX: usize = 64;
/// Account indices fit the depth of their tree.
const ACCOUNT_BITS: u32 = 24;

/// What is under the input cursor.
enum Under<'a> {
    Input { input: &'a Input, decode: u64 },
    Nothing { decode: u64, closed: bool },
}

impl<S: Store, P: Platform, K: Sink> Machine<S, P, K> {
    /// The input under the cursor, and what decoding its segment weighs if this chunk has not done
    /// so.
    fn under<'a>(&self, inputs: &'a mut impl Inputs) -> Result<Under<'a>, Fault> {
        let place = (self.header.record, self.header.segment);
        let Segment::Block { block, size, closed } = inputs.segment(place.0, place.1)? else {
            return Err(Fault::Missing);
        };
        let decode = if self.loaded == Some(place) { 0 } else { weight::segment(size.into()) };
        let at = usize::try_from(self.header.input).map_err(|_| Fault::Corrupt)?;
        Ok(match block.inputs.get(at) {
            Some(input) => Under::Input { input, decode },
            None => Under::Nothing { decode, closed },
        })
    }

    /// The envelope under the cursor.
    fn under_envelope<'a>(
        &self,
        inputs: &'a mut impl Inputs,
    ) -> Result<(&'a Envelope, u64), Fault> {
        match self.under(inputs)? {
            Under::Input { input: Input { body: Body::Envelope(envelope), .. }, decode } => {
                Ok((envelope, decode))
            }
            _ => Err(Fault::Corrupt),
        }
    }

    fn mark_loaded(&mut self) {
        self.loaded = Some((self.header.record, self.header.segment));
    }

    pub(super) fn open_input(
        &mut self,
        inputs: &mut impl Inputs,
        budget: u64,
    ) -> Result<Progress, Fault> {
        let (input, decode) = match self.under(inputs)? {
            Under::Input { input, decode } => (input, decode),
            Under::Nothing { closed: false, .. } => return Ok(Progress::Wait),
            Under::Nothing { decode, closed: true } => {
                let weight = decode + weight::CURSOR;
                if weight > budget {
                    return Ok(Progress::OutOfBudget);
                }
                (self.header.segment, self.header.input) = (self.header.segment + 1, 0);
                self.enter(Phase::Block);
                return Ok(Progress::Done { weight });
            }
        };
        let work = match &input.body {
            Body::Envelope(envelope) => weight::envelope(envelope.operations.len() as u64),
            Body::Report(_) => weight::report(),
        };
        if decode + work > budget {
            return Ok(Progress::OutOfBudget);
        }
        self.mark_loaded();
        match &input.body {
            Body::Envelope(envelope) => self.open_envelope(envelope, input.signer, work)?,
            Body::Report(report) => self.take_report(report, input.signer)?,
        }
        Ok(Progress::Done { weight: decode + work })
    }

    fn take_report(&mut self, report: &Report, signer: Signer) -> Result<(), Fault> {
        self.header.operation = 0;
        self.sink.begin(REPORT);
        let reason = match direct::report(&mut self.env(), report, signer) {
            Ok(()) => 0,
            Err(Stop::Fault(fault)) => return Err(fault),
            Err(Stop::Reject(reason)) => {
                self.store.rollback();
                reason as u16
            }
        };
        self.end_input(reason);
        Ok(())
    }

    fn open_envelope(
        &mut self,
        envelope: &Envelope,
        signer: Signer,
        work: u64,
    ) -> Result<(), Fault> {
        self.sink.begin(ENVELOPE);
        match self.check_envelope(envelope, signer) {
            Ok(()) => {
                self.store.write::<Account>(envelope.account.into())?.nonce += 1;
                (self.header.operation, self.header.envelope_weight) = (0, work);
                self.header.phase = Phase::Operation;
            }
            Err(Stop::Reject(reason)) => self.end_input(reason as u16),
            Err(Stop::Fault(fault)) => return Err(fault),
        }
        Ok(())
    }

    /// Signature, account, nonce (trading.md 1.2, 1.4); form and chain id are in the digest.
    fn check_envelope(&mut self, envelope: &Envelope, signer: Signer) -> Result<(), Stop> {
        if envelope.operations.is_empty() || envelope.operations.len() > OPERATIONS_MAX {
            return Err(Reject::TooManyOperations.into());
        }
        let signer = match signer {
            Signer::Known(address) => Some(address),
            Signer::Invalid => None,
            Signer::Unknown => {
                let digest = signing_digest(envelope, self.context.chain_id, &mut self.platform);
                self.platform.recover(&digest, &envelope.signature)
            }
        };
        let signer = signer.ok_or(Reject::SignatureInvalid)?;
        if envelope.account == 0 || envelope.account >> ACCOUNT_BITS != 0 {
            return Err(Reject::SignerUnknown.into());
        }
        let account = self.store.read::<Account>(envelope.account.into())?;
        if account.address != signer {
            return Err(Reject::SignerUnknown.into());
        }
        if envelope.nonce < account.nonce {
            return Err(Reject::NonceTooLow.into());
        }
        if envelope.nonce > account.nonce || envelope.nonce == u64::MAX {
            return Err(Reject::NonceTooHigh.into());
        }
        Ok(())
    }

    /// A step of the operation under the cursor: its first, unless it has more to cancel.
    pub(super) fn operate(
        &mut self,
        inputs: &mut impl Inputs,
        budget: u64,
    ) -> Result<Progress, Fault> {
        let (envelope, decode) = self.under_envelope(inputs)?;
        let at = usize::try_from(self.header.operation).map_err(|_| Fault::Corrupt)?;
        let operation = envelope.operations.get(at).ok_or(Fault::Corrupt)?;
        let subaccount = subaccount_of(envelope);
        let scan = self.is_scan_needed(operation, subaccount)?;
        let record = self.store.read::<Subaccount>(subaccount)?;
        let work = weight::operation(operation, record, scan);
        if decode + work > budget {
            return Ok(Progress::OutOfBudget);
        }
        self.mark_loaded();
        let total = self.header.envelope_weight.saturating_add(work);
        let is_first = self.header.sub_cursor == 0;
        self.header.sub_cursor = 0;
        let result = if total > weight::ENVELOPE && is_first {
            Err(Reject::TooHeavy.into())
        } else {
            self.header.envelope_weight = total;
            ops::run(&mut self.env(), subaccount, operation, scan)
        };
        match result {
            Ok(Outcome::Matching) => self.header.phase = Phase::Match,
            Ok(Outcome::More) => self.header.sub_cursor = 1,
            Ok(Outcome::Done) => self.end_operation(operation, envelope, 0),
            Err(Stop::Fault(fault)) => return Err(fault),
            Err(Stop::Reject(reason)) => {
                self.store.rollback();
                self.sink.drop_events();
                let (code, reason) = (operation.code(), reason as u16);
                self.env().emit(Event::OperationRejected { code, reason });
                self.end_operation(operation, envelope, reason);
            }
        }
        Ok(Progress::Done { weight: decode + work })
    }

    /// Only what tests initial margin looks at the prices of open orders.
    fn is_scan_needed(&mut self, operation: &Operation, subaccount: u64) -> Result<bool, Fault> {
        match operation {
            Operation::Place(_) | Operation::Replace { .. } | Operation::Withdraw { .. } => {
                margin::needs_scan(&mut self.store, subaccount)
            }
            _ => Ok(false),
        }
    }

    /// One fill, or the end, of the active taker.
    pub(super) fn match_one(
        &mut self,
        inputs: &mut impl Inputs,
        budget: u64,
    ) -> Result<Progress, Fault> {
        let (envelope, decode) = self.under_envelope(inputs)?;
        let taker = *self.store.read::<Taker>(0)?;
        let maker = matching::next_maker(&mut self.store, &taker)?;
        let work = self.matching_weight(&taker, maker)?;
        if decode + work > budget {
            return Ok(Progress::OutOfBudget);
        }
        self.mark_loaded();
        let total = self.header.envelope_weight.saturating_add(work);
        self.header.envelope_weight = total;
        let is_done = if total > weight::ENVELOPE {
            matching::stop(&mut self.env(), &taker, Reject::TooHeavy)?;
            true
        } else {
            matching::step(&mut self.env(), maker)?
        };
        if is_done {
            let at = usize::try_from(self.header.operation).map_err(|_| Fault::Corrupt)?;
            let operation = envelope.operations.get(at).ok_or(Fault::Corrupt)?;
            self.end_operation(operation, envelope, 0);
        }
        Ok(Progress::Done { weight: decode + work })
    }

    fn matching_weight(&mut self, taker: &Taker, maker: Option<u64>) -> Result<u64, Fault> {
        let mut positions = |subaccount: u64| {
            let record = self.store.read::<Subaccount>(subaccount);
            record.map(|record| u64::from(record.position_count))
        };
        let of_taker = positions(taker.subaccount)?;
        let of_maker = match maker {
            Some(maker) => positions(resting::subaccount_of(maker))?,
            None => 0,
        };
        Ok(weight::matching(of_taker, of_maker))
    }

    fn end_operation(&mut self, operation: &Operation, envelope: &Envelope, reason: u16) {
        self.sink.operation(operation.code(), reason);
        self.header.operation += 1;
        self.header.phase = Phase::Operation;
        if u64::from(self.header.operation) >= envelope.operations.len() as u64 {
            self.header.phase = Phase::Inputs;
            self.end_input(0);
        }
    }

    fn end_input(&mut self, reason: u16) {
        self.sink.end(reason);
        self.header.input += 1;
        (self.header.operation, self.header.envelope_weight) = (0, 0);
    }
}

/// The subaccount index that an envelope is for; one that cannot exist if its number is out of
/// range.
fn subaccount_of(envelope: &Envelope) -> u64 {
    let number = u64::from(envelope.subaccount);
    if number < SUBACCOUNTS { u64::from(envelope.account) * SUBACCOUNTS + number } else { 0 }
}
