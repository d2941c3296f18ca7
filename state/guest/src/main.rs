//! The state transition as a program for L1's RISC-V machine: one chunk, from a root to the next.
//!
//! In: the context and preimages, by calls. Out: the next chunk root, or failure.
//! Holds: no paths and no texts in the image; every failure is the same to L1.
//! Not here: the transition (`stf`), the machine (`bridge`).
#![no_std]
#![no_main]

extern crate alloc;

mod calls;
mod heap;
mod start;

use stf::types::ZERO;

/// Any nonzero code fails the machine.
const FAILED: u64 = 1;

/// The program, once there is a stack.
fn run() -> ! {
    #[cfg(not(feature = "marks"))]
    let outcome = stf::chunk::run(calls::context(), calls::Witness, calls::Machine);
    #[cfg(feature = "marks")]
    let outcome = {
        let mark = |phase, weight| calls::mark(phase as u64, weight);
        stf::chunk::run_observed(calls::context(), calls::Witness, calls::Machine, mark)
    };
    match outcome {
        Ok(outcome) => calls::halt(0, &outcome.root),
        Err(_) => calls::halt(FAILED, &ZERO),
    }
}

/// The info would bring paths into the image: it is not looked at.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    calls::halt(FAILED, &ZERO)
}
