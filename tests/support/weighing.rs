//! An allocator that says how much was held at once.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What the tests' threads hold, each for itself; less than nothing when one gives back what another took.
struct Weighing;

thread_local! {
    static HELD_BYTES: Cell<isize> = const { Cell::new(0) };
    static MOST_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn take(bytes: usize) {
    let held = HELD_BYTES.get().wrapping_add_unsigned(bytes);
    HELD_BYTES.set(held);
    MOST_BYTES.set(MOST_BYTES.get().max(held));
}

fn give_back(bytes: usize) {
    HELD_BYTES.set(HELD_BYTES.get().wrapping_sub_unsigned(bytes));
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Weighing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while one is copied to the other.
        take(size);
        give_back(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Weighing = Weighing;

/// What `work` leaves held, less what it gives back.
pub fn left_by<T>(work: impl FnOnce() -> T) -> (isize, T) {
    let before = HELD_BYTES.get();
    let outcome = work();
    (HELD_BYTES.get() - before, outcome)
}

/// The most that `work` holds at once, beyond what was held before.
pub fn most_held_by<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD_BYTES.get();
    MOST_BYTES.set(before);
    let outcome = work();
    (usize::try_from(MOST_BYTES.get() - before).unwrap(), outcome)
}
