//! The first instructions: a stack, then the program.
//!
//! Holds: the linker keeps `.text.start` and puts it first; registers and zeroed data are as the
//! machine starts.
#![allow(unsafe_code)]

use core::arch::global_asm;

global_asm!(
    ".section .text.start, \"ax\"",
    ".globl _start",
    "_start:",
    "la sp, __stack_top",
    "j {main}",
    main = sym main,
);

extern "C" fn main() -> ! {
    crate::run()
}
