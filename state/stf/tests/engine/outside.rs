//! What comes from and goes to L1: deposits, forced operations, governance, withdrawals; envelopes'
//! checks.

use crate::world::*;
use stf::error::Reject;
use stf::events::Event;
use stf::hash::Software;
use stf::incremental;
use stf::l1::{Withdrawal, withdrawal_leaf};
use stf::types::{Address, Body, E9, Input, Signer};

#[test]
fn a_deposit_makes_the_account_and_every_later_one_adds() {
    let mut world = World::new();
    assert_eq!(world.machine_account(1), 0);
    world.deposit(1, 0, 5 * ONE);
    world.deposit(2, 15, 7 * ONE);
    world.deposit(1, 0, ONE);
    assert_eq!((world.machine_account(1), world.machine_account(2)), (1, 2));
    assert_eq!(world.balance(1), 6 * ONE);
    assert_eq!(world.account(2).subaccounts, 1 << 15);
    assert_eq!(world.chain().deposits_e9, 13 * ONE);
}

#[test]
fn a_deposit_to_nowhere_is_kept_aside_and_never_fails() {
    let mut world = World::new();
    world.queue_deposit(1, 16, TOKEN, 5 * ONE);
    world.queue_deposit(1, 0, Address([1; 20]), 7 * ONE);
    world.block(Vec::new());
    assert_eq!(world.log().ends, [0, 0]);
    assert_eq!(world.chain().rejected_deposits_e9, 12 * ONE);
    assert_eq!(world.machine_account(1), 0);
}

#[test]
fn malformed_and_unknown_direct_inputs_change_nothing() {
    let mut world = World::funded(1);
    let before = world.rows();
    for (kind, size) in [(1, 59), (1, 61), (2, 39), (3, 5), (6, 83), (7, 0), (4, 0), (5, 4), (9, 9)]
    {
        world.direct(kind, user(1), vec![0; size]);
    }
    world.direct(1, user(1), vec![0xff; 60]);
    world.block(Vec::new());
    let (malformed, unsupported) = (300, 302);
    let expected = [malformed; 6].into_iter().chain([unsupported; 3]).chain([malformed]);
    assert_eq!(world.log().ends, expected.collect::<Vec<u16>>());
    assert_eq!(world.rows(), before);
}

#[test]
fn the_owner_can_force_a_withdrawal_and_a_cancellation() {
    let mut world = World::funded(1);
    world.applied(1, place(true, 49_000, 10, 1));
    world.direct(3, user(1), vec![0; 4]);
    let data = [&[0; 4][..], &TOKEN.0, &1_000_000_u128.to_be_bytes()].concat();
    world.direct(2, user(1), data.clone());
    world.direct(2, user(9), data);
    world.direct(3, user(1), 1_u32.to_be_bytes().to_vec());
    world.block(Vec::new());
    let unknown = Reject::SubaccountUnknown as u16;
    assert_eq!(world.log().ends, [0, 0, unknown, unknown]);
    assert_eq!(world.cancels().len(), 1);
    assert_eq!(world.balance(1), 99_999 * ONE);
    let is_owner =
        |e: &Event| matches!(e, Event::Withdrawn { recipient, .. } if *recipient == user(1));
    assert!(world.log().events.iter().any(is_owner));
}

#[test]
fn a_forced_cancellation_of_many_orders_takes_many_steps_and_tells_of_one_input() {
    let mut world = World::funded(1);
    for _ in 0..3 {
        let orders = (0..60).map(|i| place(true, 49_000 + i, 1, 0)).collect();
        let input = world.envelope(1, orders);
        world.block(vec![input]);
    }
    world.direct(3, user(1), vec![0; 4]);
    world.queue_deposit(1, 0, TOKEN, ONE);
    world.block(Vec::new());
    assert_eq!((world.log().ends.as_slice(), world.cancels().len()), (&[0, 0][..], 180));
    assert_eq!((world.market(0).open_orders, world.header().sub_cursor), (0, 0));
}

#[test]
fn a_withdrawal_appends_the_leaf_that_l1_pays_out() {
    let mut world = World::funded(1);
    let mut frontier = [[0; 32]; 32];
    for index in 0..3 {
        world.applied(1, withdraw(2_000_000));
        let leaf = Withdrawal {
            index,
            chain_id: CONTEXT.chain_id,
            vault: VAULT,
            owner: user(1),
            token: TOKEN,
            amount: 2_000_000,
            recipient: Address([5; 20]),
        };
        let leaf = withdrawal_leaf(&leaf, &mut Software);
        let root = incremental::append(&mut frontier, index, leaf, &mut Software).unwrap();
        assert_eq!(world.header().withdrawals_root, root);
        assert_eq!(world.header().withdrawals_count, index + 1);
    }
    assert_eq!(world.balance(1), 99_994 * ONE);
    assert_eq!(world.chain().withdrawals_e9, 6 * ONE);
}

#[test]
fn a_withdrawal_is_refused_for_a_foreign_token_or_an_amount_that_cannot_leave() {
    use stf::types::Operation::Withdraw;
    let mut world = World::funded(2);
    let (root, recipient) = (world.header().withdrawals_root, user(1));
    let foreign = Withdraw { token: VAULT, amount: 1, recipient };
    world.refused(1, foreign, Reject::TokenUnknown);
    world.refused(1, withdraw(0), Reject::AmountDoesNotFit);
    world.refused(1, withdraw(u128::MAX), Reject::AmountDoesNotFit);
    world.refused(1, withdraw(100_000_000_001), Reject::BalanceInsufficient);
    // An open order of 50,000 USD holds 5,000 back, a position of as much too.
    world.applied(1, place(true, 50_000, 1_000, 1));
    world.refused(1, withdraw(95_000_000_001), Reject::BalanceInsufficient);
    world.applied(2, ioc(false, 50_000, 1_000));
    world.refused(1, withdraw(95_000_000_001), Reject::BalanceInsufficient);
    assert_eq!(world.header().withdrawals_root, root);
    world.applied(1, withdraw(95_000_000_000));
}

#[test]
fn profit_that_is_not_realised_cannot_leave_beyond_the_balance() {
    let mut world = World::funded(2);
    world.applied(1, place(true, 50_000, 1_000, 1));
    world.applied(2, ioc(false, 50_000, 1_000));
    world.price(0, 54_000 * E9);
    world.tick();
    // E = 104,000, IM = 5,400, balance 100,000.
    world.refused(1, withdraw(98_600_000_001), Reject::BalanceInsufficient);
    world.applied(1, withdraw(98_600_000_000));
}

fn ends(world: &mut World, input: Input) -> u16 {
    world.block(vec![input]);
    world.log().ends[0]
}

#[test]
fn an_envelope_needs_its_accounts_signature_and_exactly_its_next_nonce() {
    let mut world = World::funded(2);
    let before = world.rows();
    let good = world.envelope(1, vec![place(true, 49_000, 10, 1)]);
    let change = |nonce, account, signer| {
        let Body::Envelope(mut envelope) = good.body.clone() else { panic!() };
        (envelope.nonce, envelope.account) = (nonce, account);
        Input { body: Body::Envelope(envelope), signer }
    };
    let known = Signer::Known(user(1));
    let cases = [
        (change(1, 1, known), Reject::NonceTooHigh),
        (change(0, 2, known), Reject::SignerUnknown),
        (change(0, 0, known), Reject::SignerUnknown),
        (change(0, 3, known), Reject::SignerUnknown),
        (change(0, u32::MAX, known), Reject::SignerUnknown),
        (change(0, 1, Signer::Known(user(2))), Reject::SignerUnknown),
        (change(0, 1, Signer::Invalid), Reject::SignatureInvalid),
        (change(0, 1, Signer::Unknown), Reject::SignatureInvalid),
    ];
    for (input, reason) in cases {
        assert_eq!(ends(&mut world, input), reason as u16);
        assert_eq!(world.rows(), before);
    }
    assert_eq!(ends(&mut world, good.clone()), 0);
    assert_eq!(ends(&mut world, good), Reject::NonceTooLow as u16);
    assert_eq!(world.account(1).nonce, 1);
}

#[test]
fn a_rejected_operation_does_not_stop_the_next_one_of_its_envelope() {
    let mut world = World::funded(1);
    let operations = vec![place(true, 49_000, 10, 1), cancel(7), place(true, 49_000, 10, 2)];
    let input = world.envelope(1, operations);
    world.block(vec![input]);
    assert_eq!(world.log().operations, [(1, 0), (2, Reject::OrderNotFound as u16), (1, 0)]);
    assert_eq!(world.account(1).nonce, 1);
}

#[test]
fn a_subaccount_that_no_deposit_made_does_nothing() {
    let mut world = World::funded(1);
    for number in [1, 15, 16, u32::MAX] {
        let input = world.envelope_of(1, number, vec![place(true, 49_000, 10, 1)]);
        world.block(vec![input]);
        assert_eq!(world.log().operations, [(1, Reject::SubaccountUnknown as u16)]);
    }
}

#[test]
fn governance_takes_sound_parameters_only() {
    let mut world = World::funded(2);
    let good = market_terms(0);
    let cases = [
        MarketTerms { market: 3, ..good },
        MarketTerms { state: 3, ..good },
        MarketTerms { feed: 4_096, ..good },
        MarketTerms { tick_e9: 0, ..good },
        MarketTerms { lot_e9: 7, ..good },
        MarketTerms { imf_ppm: 1_000_001, ..good },
        MarketTerms { mmf_ppm: 100_000, ..good },
        MarketTerms { mmf_ppm: 0, mark_cap_ppm: 0, ..good },
        MarketTerms { mark_cap_ppm: 12_501, ..good },
        MarketTerms { maker_fee_ppm: -1, ..good },
        MarketTerms { taker_fee_ppm: 100_001, ..good },
        MarketTerms { stress_ppm: 1_000_001, ..good },
    ];
    let before = world.rows();
    for terms in cases {
        world.queue_market(&terms);
    }
    world.govern(&[&[1], &[0; 8], &[1; 8]]);
    world.govern(&[&[2], &[1; 20], &[1; 20], &1_000_u64.to_be_bytes()]);
    world.govern(&[&[3, 32], &[1; 20]]);
    world.govern(&[&[3, 5], &user(200).0]);
    world.govern(&[&[5]]);
    world.block(Vec::new());
    assert_eq!(world.log().ends, [Reject::GovernanceInvalid as u16; 17]);
    assert_eq!(world.rows(), before);

    // Steps may change only while nothing is open that rests on them.
    let finer = MarketTerms { tick_e9: E9 / 100, ..good };
    world.applied(1, place(true, 49_000, 10, 1));
    world.set_market(&finer);
    assert_eq!(world.log().ends, [Reject::GovernanceInvalid as u16]);
    world.applied(1, cancel(1));
    world.set_market(&finer);
    assert_eq!((world.log().ends[0], world.market(0).tick_e9), (0, E9 / 100));
}

#[test]
fn a_report_may_come_through_l1_and_its_signature_is_recovered() {
    let mut world = World::funded(1);
    let parts = [&0_u32.to_be_bytes()[..], &E9.to_be_bytes(), &1_u64.to_be_bytes(), &[7; 64]];
    world.direct(6, user(1), parts.concat());
    world.block(Vec::new());
    // Software knows no recovery, so nobody signed it.
    assert_eq!(world.log().ends, [Reject::SignatureInvalid as u16]);
}
