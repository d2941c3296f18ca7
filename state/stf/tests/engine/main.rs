//! The engine by its public face: blocks and direct inputs go in, events and records come out.
//!
//! `orders`, `margins`, `outside`, `loops`: one rule at a time, what it allows beside what it
//! refuses.
//! `random`: every invariant after every step, and that a run may stop between any two steps.

// Helpers of tests may stop a test, and their numbers are small.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
#![allow(clippy::wildcard_imports, unreachable_pub)]

mod chunks;
mod extremes;
mod loops;
mod margins;
mod orders;
mod outside;
mod random;
mod terms;
mod world;
