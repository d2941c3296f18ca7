//! Which inputs may be sequenced: what costs no more than a look into the state.
//!
//! In: verified inputs. Out: 0 or a reason for each.
//! Holds: admitted envelopes count for those after them until they have run.
//! Not here: form and signature (`recovery`), room in the batch (`core`).

use stf::error::{Fault, Reject};
use stf::records::{Account, ReportRecord, Reporter};
use stf::store::Store;
use stf::types::Address;
use stf::view;

use crate::core::{Core, Verified};
use crate::recovery::{SignedReport, Tx};

/// Reporters there can be.
const REPORTERS: u64 = 32;

impl Core {
    /// For each input 0, or why it must not be sequenced; admitted ones count for those after them.
    pub(crate) fn admit(&mut self, inputs: &[Verified]) -> Result<Vec<u16>, Fault> {
        let mut reasons = Vec::with_capacity(inputs.len());
        for input in inputs {
            let reason = match input {
                Verified::Tx(tx) => self.admit_tx(tx)?,
                Verified::Report(report) => self.admit_report(report)?,
            };
            reasons.push(reason.map_or(0, |reason| reason as u16));
        }
        Ok(reasons)
    }

    fn admit_tx(&mut self, tx: &Tx) -> Result<Option<Reject>, Fault> {
        let account = view::account_of(&mut self.machine.store, &tx.who.sender)?;
        if account == 0 {
            return Ok(Some(Reject::SignerUnknown));
        }
        let expected = match self.admitted.get(&account) {
            Some(next) => *next,
            None => self.machine.store.read::<Account>(account.into())?.nonce,
        };
        let nonce = tx.envelope.nonce;
        if nonce < expected {
            return Ok(Some(Reject::NonceTooLow));
        }
        // The last nonce has no successor.
        let (true, Some(next)) = (nonce == expected, nonce.checked_add(1)) else {
            return Ok(Some(Reject::NonceTooHigh));
        };
        self.admitted.insert(account, next);
        Ok(None)
    }

    fn admit_report(&mut self, report: &SignedReport) -> Result<Option<Reject>, Fault> {
        let Some(reporter) = self.reporter(&report.who.sender)? else {
            return Ok(Some(Reject::ReporterUnknown));
        };
        let feed = u64::from(report.report.feed);
        let Ok(last) = self.machine.store.read::<ReportRecord>(feed * REPORTERS + reporter) else {
            return Ok(Some(Reject::FeedUnknown));
        };
        Ok((report.report.time_ms <= last.time_ms).then_some(Reject::ReportOlder))
    }

    fn reporter(&mut self, address: &Address) -> Result<Option<u64>, Fault> {
        for index in 0..REPORTERS {
            if *address != Address::default()
                && self.machine.store.read::<Reporter>(index)?.address == *address
            {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Forgets which nonces were admitted and have not run.
    pub(crate) fn forget_admitted(&mut self) {
        self.admitted.clear();
    }

    /// Drops admitted nonces that have been used.
    pub(crate) fn forget_done(&mut self, inputs: &[Verified]) -> Result<(), Fault> {
        if self.admitted.is_empty() {
            return Ok(());
        }
        for input in inputs {
            if let Verified::Tx(tx) = input {
                let account = view::account_of(&mut self.machine.store, &tx.who.sender)?;
                let nonce = self.machine.store.read::<Account>(account.into())?.nonce;
                if self.admitted.get(&account).is_some_and(|next| *next <= nonce) {
                    self.admitted.remove(&account);
                }
            }
        }
        Ok(())
    }
}
