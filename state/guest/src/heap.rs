//! The heap: upwards, never given back, with an end.
//!
//! Holds: a chunk's work is bounded, so what it allocates is; past the end the program fails like
//! any other that breaks a rule of the machine. The newest block grows in place, which is what
//! vectors do.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr::null_mut;

unsafe extern "C" {
    static __heap_start: u8;
    static __heap_end: u8;
}

struct Heap {
    /// First free address; 0 before the first call.
    next: Cell<usize>,
}

// SAFETY: the machine has one thread.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap { next: Cell::new(0) };

impl Heap {
    fn start(&self) -> usize {
        match self.next.get() {
            0 => (&raw const __heap_start).addr(),
            next => next,
        }
    }

    /// The end of a block from `start` on, if it is inside the heap.
    fn end(start: usize, size: usize) -> Option<usize> {
        let end = start.checked_add(size)?;
        (end <= (&raw const __heap_end).addr()).then_some(end)
    }
}

// SAFETY: blocks lie one after the other inside the heap and are never given out twice.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.start().next_multiple_of(layout.align());
        let Some(end) = Self::end(start, layout.size()) else { return null_mut() };
        self.next.set(end);
        (&raw const __heap_start).with_addr(start).cast_mut()
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // Only the newest block can be given back.
        if block.addr() + layout.size() == self.next.get() {
            self.next.set(block.addr());
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if block.addr() + layout.size() == self.next.get() {
            let Some(end) = Self::end(block.addr(), size) else { return null_mut() };
            self.next.set(end);
            return block;
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the caller's layout has a lawful alignment, and `size` is what it asks for.
        let layout_new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: both blocks are ours and do not overlap; the old one has `layout.size()` bytes.
        unsafe {
            let moved = self.alloc(layout_new);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size());
            }
            moved
        }
    }
}
