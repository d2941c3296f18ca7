//! What a run told, as receipts and withdrawal leaves.
//!
//! In: the collector of the machine, and who its inputs were. Out: `Done`.
//! Holds: a withdrawal names the vault of its moment, even where governance changes it within one
//! run.
//! Not here: bytes of a receipt (`receipts`), numbers (`numbering`).

use stf::error::Fault;
use stf::events::Event;
use stf::l1::{self, Withdrawal};
use stf::ram::RamStore;
use stf::records::{Account, Chain, SUBACCOUNTS};
use stf::store::Store;
use stf::types::{Address, Direct, Word};

use crate::core::Core;
use crate::platform::Native;
use crate::receipts::{Identity, Stats};

/// Governance operation that names the vault.
const SET_ASSET: u8 = 2;
/// Kind of a direct input in receipts.
const DIRECT: u8 = 3;

/// What a call executed.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// One receipt per input.
    pub(crate) receipts: Vec<Vec<u8>>,
    /// Hash of each input.
    pub(crate) hashes: Vec<Word>,
    /// Sequence number of the first.
    pub(crate) first_seq: u64,
    /// Block of the last.
    pub(crate) block: u64,
    /// Totals.
    pub(crate) stats: Stats,
    /// Leaves of withdrawals.
    pub(crate) withdrawals: Vec<Word>,
}

impl Core {
    /// Where withdrawals are paid now.
    pub(crate) fn vault(&mut self) -> Result<Address, Fault> {
        Ok(self.machine.store.read::<Chain>(0)?.vault)
    }

    /// Turns what the run told into receipts: `who` are its inputs, `vault` is that before it.
    pub(crate) fn finish(
        &mut self,
        who: &[Identity],
        directs: &[DirectIdentity],
        mut vault: Address,
    ) -> Result<Done, Fault> {
        let collector = std::mem::take(&mut self.machine.sink);
        let chain_id = self.machine.context.chain_id;
        let mut done = Done {
            first_seq: self.numbering.next_seq,
            stats: collector.stats(),
            ..Done::default()
        };
        let (mut inputs, mut directs) = (who.iter(), directs.iter());
        let mut owner = Owners { store: &mut self.machine.store, fault: None };
        for entry in collector.entries() {
            let direct = if entry.kind == DIRECT { directs.next() } else { None };
            let (who, place) = match direct {
                Some(direct) => (&direct.who, self.numbering.place_direct(direct.index)),
                None => (inputs.next().ok_or(Fault::Misuse)?, self.numbering.place_input()),
            };
            done.block = place.block;
            done.hashes.push(who.hash);
            done.receipts.push(collector.receipt(entry, who, place, &mut |a| owner.address(a)));
            for event in collector.events_of(entry) {
                if let Event::Governed { op: SET_ASSET } = event {
                    vault = direct.and_then(|direct| direct.vault).ok_or(Fault::Misuse)?;
                }
                done.withdrawals.extend(withdrawal(event, chain_id, vault, &mut owner));
            }
        }
        if let Some(fault) = owner.fault {
            return Err(fault);
        }
        self.machine.sink = collector;
        self.machine.sink.clear();
        Ok(done)
    }
}

/// The leaf of a withdrawal.
fn withdrawal(
    event: &Event,
    chain_id: u64,
    vault: Address,
    owner: &mut Owners<'_>,
) -> Option<Word> {
    let Event::Withdrawn { subaccount, index, token, amount, recipient, .. } = *event else {
        return None;
    };
    let owner = owner.address(subaccount / SUBACCOUNTS);
    let leaf = Withdrawal { index, chain_id, vault, owner, token, amount, recipient };
    Some(l1::withdrawal_leaf(&leaf, &mut Native))
}

/// Addresses by account index.
struct Owners<'a> {
    store: &'a mut RamStore,
    fault: Option<Fault>,
}

impl Owners<'_> {
    fn address(&mut self, account: u64) -> Address {
        match self.store.read::<Account>(account) {
            Ok(account) => account.address,
            Err(fault) => {
                self.fault = Some(fault);
                Address::default()
            }
        }
    }
}

/// Who a direct input is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectIdentity {
    index: u64,
    who: Identity,
    /// The vault that it names, should it set the asset (docs/formats.md §8).
    vault: Option<Address>,
}

impl DirectIdentity {
    /// Of this input.
    pub(crate) fn new(direct: &Direct) -> Self {
        let vault = match direct.data.as_slice() {
            [SET_ASSET, data @ ..] => data.get(20..).and_then(|rest| rest.first_chunk().copied()),
            _ => None,
        };
        let who = Identity { hash: l1::direct_leaf(direct, &mut Native), sender: direct.sender };
        Self { index: direct.index, who, vault: vault.map(Address) }
    }
}
