//! The one state transition of Novation: natively for the node, on riscv64im for disputes.
//!
//! In: L1 records (batches, direct inputs) and the state before them. Out: the state after, events,
//! roots.
//! Holds: no floats, no panics on input, no unbounded collection, no third-party crate; a run is a
//! function of its inputs. Not here: disk, threads, Python (`state/native`), system calls
//! (`state/guest`).
#![no_std]

extern crate alloc;

pub mod abi;
pub mod address;
pub mod aligned;
mod blocks;
mod book;
pub mod chunk;
pub mod codec;
pub mod context;
mod direct;
pub mod eip712;
pub mod envelope;
pub mod error;
pub mod events;
mod govern;
pub mod hash;
pub mod incremental;
pub mod invariants;
pub mod l1;
pub mod machine;
mod margin;
mod math;
pub mod merkle;
pub mod operations;
mod ops;
mod oracle;
mod partial;
pub mod platform;
mod positions;
pub mod preimages;
pub mod ram;
pub mod recording;
pub mod records;
pub mod rlp;
pub mod store;
mod table;
#[cfg(test)]
mod testing;
pub mod tree;
pub mod types;
pub mod varint;
pub mod view;
pub mod weight;
pub mod witness;
pub mod witness_inputs;
mod words;
