//! What users ask for: one file per operation.
//!
//! In: an operation, the subaccount it is for, the environment. Out: edits and events, or a
//! `Reject`.
//! Holds: an operation that rejects is rolled back by `machine`; straight lines here, branching in
//! `run`.
//! Not here: signatures, nonces, budgets (`machine`), direct inputs (`direct`).

pub(crate) mod cancel;
pub(crate) mod matching;
pub(crate) mod place;
pub(crate) mod replace;
pub(crate) mod resting;
pub(crate) mod withdraw;

use crate::error::{Reject, Stop};
use crate::events::Event;
use crate::machine::Context;
use crate::platform::{Platform, Sink};
use crate::records::{Chain, Header, Market, Subaccount};
use crate::store::Store;
use crate::types::Operation;

/// Everything that an operation may touch.
pub(crate) struct Env<'a, S, P, K> {
    pub(crate) store: &'a mut S,
    pub(crate) platform: &'a mut P,
    pub(crate) sink: &'a mut K,
    pub(crate) header: &'a mut Header,
    pub(crate) context: &'a Context,
}

impl<S, P, K: Sink> Env<'_, S, P, K> {
    /// Tells the sink what happened in the current operation.
    pub(crate) fn emit(&mut self, event: Event) {
        let operation = u16::try_from(self.header.operation).unwrap_or(u16::MAX);
        self.sink.event(operation, event);
    }
}

/// How an operation's first step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The operation is done.
    Done,
    /// The `Taker` record is to be matched, one fill per step.
    Matching,
    /// There are more orders to cancel.
    More,
}

/// The first step of an operation; `scan` as `margin::needs_scan` found.
pub(crate) fn run<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    subaccount: u64,
    operation: &Operation,
    scan: bool,
) -> Result<Outcome, Stop> {
    if !env.store.read::<Subaccount>(subaccount)?.exists {
        return Err(Reject::SubaccountUnknown.into());
    }
    match *operation {
        Operation::Place(place) => return place::place(env, subaccount, &place, scan),
        Operation::Cancel { market, client_id } => {
            cancel::by_client_id(env, subaccount, market, client_id)?;
        }
        Operation::CancelById { order_id } => cancel::by_id(env, subaccount, order_id)?,
        Operation::Replace { market, client_id, price_e9, qty_e9 } => {
            let terms = replace::Terms { market, client_id, price_e9, qty_e9 };
            return replace::replace(env, subaccount, &terms, scan);
        }
        Operation::CancelAll { market } => return cancel::all(env, subaccount, market),
        Operation::Withdraw { token, amount, recipient } => {
            withdraw::withdraw(env, subaccount, token, amount, recipient, scan)?;
        }
    }
    Ok(Outcome::Done)
}

/// The market, if it is listed.
pub(crate) fn listed<S: Store>(store: &mut S, market: u32) -> Result<Market, Stop> {
    if market >= store.read::<Chain>(0)?.market_count {
        return Err(Reject::MarketUnknown.into());
    }
    Ok(*store.read::<Market>(market.into())?)
}
