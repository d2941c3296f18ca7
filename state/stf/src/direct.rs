//! Direct inputs from L1: deposits, forced operations, reports, governance (docs/formats.md §3,
//! §8).
//!
//! In: `Direct`, as the Inbox queued it. Out: the same edits and events as the operations of users.
//! Holds: a deposit never fails: what names no valid place goes to `rejected_deposits_e9`.
//! Not here: the order and bounds of the queue (the Inbox), governance itself (`govern`).

use crate::address;
use crate::error::{Fault, Reject, Stop};
use crate::events::Event;
use crate::govern;
use crate::ops::{Env, Outcome, cancel, withdraw};
use crate::oracle;
use crate::platform::{Platform, Sink};
use crate::records::{Account, Chain, SUBACCOUNTS, Subaccount};
use crate::store::Store;
use crate::types::{Address, Direct, Report, Signer};
use crate::varint::Reader;

/// A deposit above this is nothing that a vault can hold: 2^96 / 1e9 USD.
const DEPOSIT_MAX_E9: u128 = 1 << 96;

/// The kinds that are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Deposit,
    Withdraw,
    CancelAll,
    Report,
    Govern,
}

impl Kind {
    /// By number; None for the reserved and the unknown.
    pub(crate) fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Deposit,
            2 => Self::Withdraw,
            3 => Self::CancelAll,
            6 => Self::Report,
            7 => Self::Govern,
            _ => return None,
        })
    }
}

/// The subaccount index that a forced operation is for; 0 = none such.
pub(crate) fn target<S: Store>(store: &mut S, direct: &Direct) -> Result<u64, Fault> {
    let forced = matches!(Kind::of(direct.kind), Some(Kind::Withdraw | Kind::CancelAll));
    let Some(number) = direct.data.first_chunk::<4>().filter(|_| forced) else { return Ok(0) };
    let number = u64::from(u32::from_be_bytes(*number));
    let account = u64::from(address::find(store, &direct.sender)?);
    if account == 0 || number >= SUBACCOUNTS {
        return Ok(0);
    }
    Ok(account * SUBACCOUNTS + number)
}

/// Nodes on the way to the account that a direct input is for; 0 if it is for none.
pub(crate) fn way<S: Store>(store: &mut S, direct: &Direct) -> Result<u64, Fault> {
    match (Kind::of(direct.kind), direct.data.first_chunk()) {
        (Some(Kind::Deposit), Some(owner)) => address::way(store, &Address(*owner)),
        (Some(Kind::Withdraw | Kind::CancelAll), _) => address::way(store, &direct.sender),
        _ => Ok(0),
    }
}

/// Runs one direct input; `subaccount` as `target` found.
pub(crate) fn run<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    direct: &Direct,
    subaccount: u64,
    scan: bool,
) -> Result<Outcome, Stop> {
    let mut data = Data(Reader::new(&direct.data));
    match Kind::of(direct.kind) {
        Some(Kind::Deposit) => deposit(env, direct, data)?,
        Some(Kind::Withdraw) => {
            let (_, token, amount) = (data.u32()?, data.address()?, data.u128()?);
            data.end()?;
            check_exists(env.store, subaccount)?;
            withdraw::withdraw(env, subaccount, token, amount, direct.sender, scan)?;
        }
        Some(Kind::CancelAll) => {
            data.u32()?;
            data.end()?;
            check_exists(env.store, subaccount)?;
            return cancel::all(env, subaccount, None);
        }
        Some(Kind::Report) => {
            let (feed, price_e9, time_ms) = (data.u32()?, data.u64()?, data.u64()?);
            let signature = data.array()?;
            data.end()?;
            report(env, &Report { feed, price_e9, time_ms, signature }, Signer::Unknown)?;
        }
        Some(Kind::Govern) => govern::run(env, data)?,
        None => return Err(Reject::DirectUnsupported.into()),
    }
    Ok(Outcome::Done)
}

/// Takes a report, whoever sent it.
pub(crate) fn report<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    report: &Report,
    signer: Signer,
) -> Result<(), Stop> {
    let context = (env.context.chain_id, &env.context.inbox, env.header.time_ms);
    let reporter = oracle::accept(env.store, env.platform, report, signer, context)?;
    let Report { feed, price_e9, time_ms, .. } = *report;
    env.emit(Event::ReportAccepted { feed, reporter, price_e9, time_ms });
    Ok(())
}

fn check_exists<S: Store>(store: &mut S, subaccount: u64) -> Result<(), Stop> {
    if subaccount == 0 || !store.read::<Subaccount>(subaccount)?.exists {
        return Err(Reject::SubaccountUnknown.into());
    }
    Ok(())
}

fn deposit<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    direct: &Direct,
    mut data: Data<'_>,
) -> Result<(), Stop> {
    let (owner, number, token) = (data.address()?, data.u32()?, data.address()?);
    let amount_e9 = Some(data.u128()?).filter(|amount| *amount <= DEPOSIT_MAX_E9);
    let amount_e9 = i128::try_from(amount_e9.ok_or(Reject::DirectMalformed)?)
        .map_err(|_| Reject::DirectMalformed)?;
    data.end()?;
    let place = find_place(env.store, &owner, number, &token)?;
    let chain = env.store.write::<Chain>(0)?;
    chain.deposits_e9 = chain.deposits_e9.checked_add(amount_e9).ok_or(Reject::Overflow)?;
    let Some(subaccount) = place else {
        let rejected = chain.rejected_deposits_e9.checked_add(amount_e9);
        chain.rejected_deposits_e9 = rejected.ok_or(Reject::Overflow)?;
        return Ok(());
    };
    let record = env.store.write::<Subaccount>(subaccount)?;
    record.exists = true;
    record.balance_e9 = record.balance_e9.checked_add(amount_e9).ok_or(Reject::Overflow)?;
    env.emit(Event::Deposited { subaccount, amount_e9, direct_index: direct.index });
    Ok(())
}

/// The subaccount that a deposit is for, made if it is new; None if it names no valid one, or
/// another token.
fn find_place<S: Store>(
    store: &mut S,
    owner: &Address,
    number: u32,
    token: &Address,
) -> Result<Option<u64>, Fault> {
    let chain = store.read::<Chain>(0)?;
    let listed = chain.unit_e9 != 0 && chain.token == *token;
    if !listed || u64::from(number) >= SUBACCOUNTS {
        return Ok(None);
    }
    let Some(account) = address::find_or_create(store, owner)? else { return Ok(None) };
    let account = u64::from(account);
    store.write::<Account>(account)?.subaccounts |= 1 << number;
    Ok(Some(account * SUBACCOUNTS + u64::from(number)))
}

/// Packed big-endian data; anything missing or left over is malformed.
pub(crate) struct Data<'a>(Reader<'a>);

impl Data<'_> {
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Reject> {
        self.0.array().map_err(|_| Reject::DirectMalformed)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Reject> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Reject> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Reject> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Reject> {
        self.array().map(u64::from_be_bytes)
    }

    fn u128(&mut self) -> Result<u128, Reject> {
        self.array().map(u128::from_be_bytes)
    }

    pub(crate) fn address(&mut self) -> Result<Address, Reject> {
        self.array().map(Address)
    }

    pub(crate) fn end(&self) -> Result<(), Reject> {
        if self.0.remaining() == 0 { Ok(()) } else { Err(Reject::DirectMalformed) }
    }
}
