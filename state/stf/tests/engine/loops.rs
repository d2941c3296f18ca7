//! The chunk loop: ticks, bounds of blocks, ends of records, voiding, weights (rollup.md 2.4, 3.2;
//! trading.md 1.6).

use crate::world::*;
use stf::error::Reject;
use stf::machine::{ChunkEnd, Context, Machine, Progress};
use stf::records::Phase;
use stf::types::{Block, E9, Operation, Place};
use stf::weight;

#[test]
fn a_tick_runs_once_before_the_first_input_past_each_multiple() {
    let mut world = World::funded(1);
    let mark = world.market(0).mark_e9;
    world.price(0, 50_500 * E9);
    assert_eq!(world.market(0).mark_e9, mark);
    world.tick();
    assert_eq!(world.market(0).mark_e9, 50_500 * E9);
    let last = world.header().last_tick;
    world.time_ms += 999;
    world.block(Vec::new());
    assert_eq!(world.header().last_tick, last);
    // Missed ticks are not made up.
    world.time_ms += 5_001;
    world.block(Vec::new());
    assert_eq!(world.header().last_tick, last + 6);
}

#[test]
fn the_mark_follows_the_book_at_the_next_tick() {
    let mut world = World::funded(1);
    world.applied(1, place(true, 50_100, 10, 1));
    world.applied(1, place(false, 50_200, 10, 2));
    assert_eq!(world.market(0).mark_e9, 50_000 * E9);
    world.tick();
    assert_eq!(world.market(0).mark_e9, 50_100 * E9);
}

#[test]
fn a_block_out_of_its_bounds_ends_the_batch_and_nothing_before_it_is_undone() {
    let changes: [fn(&mut Block); 3] = [
        |block| block.time_ms -= 1_000_000,
        |block| block.time_ms += 1_000_000,
        |block| block.direct_to += 1,
    ];
    for change in changes {
        let mut world = World::funded(1);
        world.time_ms += 10;
        let input = world.envelope(1, vec![place(true, 49_000, 10, 1)]);
        world.block(vec![input]);
        let input = world.envelope(1, vec![place(true, 49_000, 10, 2)]);
        let direct_to = world.feed.directs.len() as u64;
        let mut bad = Block { time_ms: world.time_ms, direct_to, inputs: vec![input] };
        change(&mut bad);
        let record = world.feed.records.last_mut().unwrap();
        record.blocks.push(bad);
        (record.meta.t_last_ms, record.meta.direct_to) = (world.time_ms, direct_to);
        world.run();
        assert_eq!(world.header().phase, Phase::Record);
        assert_eq!((world.header().record, world.market(0).open_orders), (1, 1));
        assert_eq!(world.header().time_ms, world.time_ms);
    }
}

#[test]
fn a_bad_segment_ends_the_batch_and_the_waiting_direct_inputs_are_drained() {
    let mut world = World::funded(1);
    world.queue_deposit(1, 0, TOKEN, ONE);
    world.time_ms += 5_000;
    let last = world.header().last_tick;
    world.close_record(End::Bad);
    assert_eq!(world.balance(1), 100_001 * ONE);
    assert_eq!((world.header().record, world.header().last_tick), (1, last + 5));
    world.open_record();
    world.applied(1, place(true, 49_000, 10, 1));
}

#[test]
fn advance_voids_every_resting_order_before_anything_else() {
    let mut world = World::funded(3);
    for name in 1..=3 {
        let mut orders: Vec<_> = (0..20).map(|i| place(true, 49_000 + i, 1, 0)).collect();
        orders.extend((0..20).map(|i| place(false, 50_001 + i, 1, 0)));
        let input = world.envelope(name, orders);
        world.block(vec![input]);
    }
    assert_eq!(world.market(0).open_orders, 120);
    world.queue_deposit(1, 0, TOKEN, ONE);
    world.machine.sink = Log::default();
    world.advance();
    assert_eq!(world.cancels().len(), 120);
    assert!(world.cancels().iter().all(|(_, _, reason)| *reason == Reject::BookVoided as u16));
    assert_eq!(world.market(0).open_orders, 0);
    assert_eq!(world.balance(1), 100_001 * ONE);
    world.applied(1, place(true, 49_000, 10, 1));
}

#[test]
fn advance_passes_every_market_that_there_can_be() {
    let mut world = World::funded(1);
    world.is_checking = false;
    for market in 2..4_096 {
        world.queue_market(&MarketTerms { feed: 0, ..market_terms(market) });
    }
    world.block(Vec::new());
    world.queue_market(&MarketTerms { feed: 0, ..market_terms(4_096) });
    world.block(Vec::new());
    assert_eq!(world.log().ends, [Reject::GovernanceInvalid as u16]);
    assert_eq!(world.chain().market_count, 4_096);
    let last = place(true, 2_000, 1_000, 1);
    let Operation::Place(order) = last else { panic!("a place") };
    world.price(0, 2_000 * E9);
    world.tick();
    world.applied(1, Operation::Place(Place { market: 4_095, ..order }));
    world.advance();
    assert_eq!((world.header().phase, world.header().record), (Phase::Record, 2));
    assert_eq!(world.market(4_095).open_orders, 0);
}

#[test]
fn under_another_program_version_every_chunk_is_the_identity() {
    let mut world = World::funded(1);
    let header = *world.header();
    world.machine.context = Context { version: 2, ..CONTEXT };
    let input = world.envelope(1, vec![place(true, 49_000, 10, 1)]);
    world.block(vec![input]);
    assert_eq!(world.machine.run_chunk(&mut world.feed), Ok(ChunkEnd::EndOfInputs));
    assert_eq!(*world.header(), header);
}

#[test]
fn an_envelope_beyond_its_budget_is_refused_from_there_on() {
    // 2,304 small orders: more fills than 2^30 of weight allow.
    let mut world = World::funded(10);
    world.is_checking = false;
    for name in 1..=9 {
        for _ in 0..4 {
            let orders = (0..64).map(|_| place(false, 50_000, 1, 0)).collect();
            let input = world.envelope(name, orders);
            world.block(vec![input]);
        }
    }
    let input = world.envelope(10, (0..64).map(|_| place(true, 50_000, 60, 0)).collect());
    world.block(vec![input]);
    world.check();
    let operations = &world.log().operations;
    let heavy = Reject::TooHeavy as u16;
    let first = operations.iter().position(|(_, reason)| *reason == heavy).unwrap();
    assert!(first > 10, "{first}");
    assert_eq!(operations.len(), 64);
    assert!(operations[..first].iter().all(|(_, reason)| *reason == 0));
    assert!(operations[first..].iter().all(|(_, reason)| *reason == heavy));
    // The order under way was cut, the fills before it stand, and the next envelope has a budget of
    // its own.
    let (_, left_e9, reason) = *world.cancels().last().unwrap();
    assert_eq!((reason, left_e9 % milli(1)), (heavy, 0));
    assert_eq!(world.size(10, 0) as u64, world.market(0).trades * milli(1));
    world.applied(10, place(true, 50_000, 1, 1));
}

#[test]
fn chunks_end_before_the_step_that_would_pass_the_budget() {
    let mut world = World::funded(2);
    for i in 0..100 {
        let orders = (0..8).map(|j| place(true, 40_000 + 5_000 + i * 8 + j, 1, 0)).collect();
        let input = world.envelope(1, orders);
        let cancel = world.envelope(1, vec![Operation::CancelAll { market: None }]);
        world.block(vec![input, cancel]);
    }
    world.close_record(End::Closed);
    let mut feed = world.feed.clone();
    let mut machine = Machine::new(
        stf::ram::RamStore::new(),
        Toy,
        Log::default(),
        stf::machine::genesis(),
        CONTEXT,
    );
    let mut chunks = 0;
    while machine.run_chunk(&mut feed).unwrap() == ChunkEnd::Full {
        chunks += 1;
        // What the next step weighs does not fit into what the full chunk left.
        assert_eq!(machine.used(), 0);
    }
    assert!(chunks > 3, "{chunks}");
    assert_eq!(machine.header, *world.header());
    assert_eq!(machine.step(&mut feed, weight::CHUNK), Ok(Progress::End));
}

#[test]
fn who_starts_at_the_end_of_a_block_pays_for_decoding_it() {
    let mut world = World::funded(1);
    world.time_ms += 10;
    world.block(Vec::new());
    let (mut feed, mut header, mut store) =
        (world.feed.clone(), stf::machine::genesis(), stf::ram::RamStore::new());
    let mut ends = 0;
    loop {
        let mut machine = Machine::new(&mut store, Toy, Log::default(), header, CONTEXT);
        let Progress::Done { weight } = machine.step(&mut feed, weight::CHUNK).unwrap() else {
            break;
        };
        if header.phase == Phase::Inputs && machine.header.phase == Phase::Block {
            assert!(weight >= weight::segment(SEGMENT_BYTES.into()), "{weight}");
            ends += 1;
        }
        header = machine.header;
    }
    assert!(ends > 3, "{ends}");
}

#[test]
fn a_step_that_does_not_fit_changes_nothing() {
    let mut world = World::funded(2);
    world.applied(1, place(false, 50_000, 10, 1));
    let input = world.envelope(2, vec![place(true, 50_000, 10, 1)]);
    let block = Block {
        time_ms: world.time_ms,
        direct_to: world.feed.directs.len() as u64,
        inputs: vec![input],
    };
    world.feed.records.last_mut().unwrap().blocks.push(block);
    loop {
        let (header, rows) = (*world.header(), world.rows());
        let starved = world.machine.step(&mut world.feed, 1).unwrap();
        assert_eq!((*world.header(), world.rows()), (header, rows));
        match world.machine.step(&mut world.feed, weight::CHUNK).unwrap() {
            Progress::Done { weight } => {
                assert_eq!(starved, Progress::OutOfBudget);
                assert!(weight <= 2 * weight::STEP_MAX);
            }
            other => {
                assert_eq!(starved, other);
                break;
            }
        }
    }
    assert_eq!(world.size(2, 0), 10_000_000);
}
