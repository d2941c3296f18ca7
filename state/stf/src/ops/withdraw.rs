//! Withdrawing quote: a debit here, a leaf in the withdrawals tree there.
//!
//! In: token, amount, recipient. Out: the leaf appended, the header's withdrawals root and count
//! renewed.
//! Holds: nothing leaves beyond trading.md 7.4; the leaf is docs/formats.md §3.
//! Not here: paying out, which L1 does.

use crate::error::{Fault, Reject, Stop};
use crate::events::Event;
use crate::incremental;
use crate::l1::{Withdrawal, withdrawal_leaf};
use crate::margin;
use crate::ops::Env;
use crate::platform::{Platform, Sink};
use crate::records::{Account, Chain, SUBACCOUNTS, Subaccount, WithdrawalFrontier};
use crate::store::Store;
use crate::types::{Address, Word};

/// Debits a subaccount and appends the withdrawal.
pub(crate) fn withdraw<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    subaccount: u64,
    token: Address,
    amount: u128,
    recipient: Address,
    scan: bool,
) -> Result<(), Stop> {
    let chain = *env.store.read::<Chain>(0)?;
    if chain.unit_e9 == 0 || token != chain.token {
        return Err(Reject::TokenUnknown.into());
    }
    let amount_e9 = to_e9(amount, chain.unit_e9).ok_or(Reject::AmountDoesNotFit)?;
    let room = margin::room(env.store, subaccount, None, scan)?;
    let record = env.store.write::<Subaccount>(subaccount)?;
    if amount_e9 > margin::outflow(&room)?.min(record.balance_e9) {
        return Err(Reject::BalanceInsufficient.into());
    }
    if env.header.withdrawals_count >= incremental::CAPACITY {
        return Err(Reject::Overflow.into());
    }
    record.balance_e9 -= amount_e9;
    let totals = env.store.write::<Chain>(0)?;
    totals.withdrawals_e9 = totals.withdrawals_e9.checked_add(amount_e9).ok_or(Reject::Overflow)?;
    let index = env.header.withdrawals_count;
    let withdrawal = Withdrawal {
        index,
        chain_id: env.context.chain_id,
        vault: chain.vault,
        owner: env.store.read::<Account>(subaccount / SUBACCOUNTS)?.address,
        token,
        amount,
        recipient,
    };
    let leaf = withdrawal_leaf(&withdrawal, env.platform);
    append(env, leaf)?;
    env.emit(Event::Withdrawn { subaccount, index, token, amount, recipient, amount_e9 });
    Ok(())
}

fn append<S: Store, P: Platform, K: Sink>(
    env: &mut Env<'_, S, P, K>,
    leaf: Word,
) -> Result<(), Fault> {
    let frontier = env.store.write::<WithdrawalFrontier>(0)?;
    let count = env.header.withdrawals_count;
    let root = incremental::append(&mut frontier.nodes, count, leaf, env.platform)?;
    env.header.withdrawals_root = root;
    env.header.withdrawals_count = count + 1;
    Ok(())
}

/// Token units in USD e9; None for zero and for what does not fit.
fn to_e9(amount: u128, unit_e9: u64) -> Option<i128> {
    let amount_e9 = i128::try_from(amount.checked_mul(unit_e9.into())?).ok()?;
    (amount_e9 > 0).then_some(amount_e9)
}
