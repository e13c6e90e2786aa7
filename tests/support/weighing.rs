//! An allocator that records the peak of the allocated memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Computes, for each thread, the number of allocated bytes minus the number of freed bytes. The result can be
/// negative, because a thread can free memory that another thread allocated.
struct CountingAllocator;

thread_local! {
    static HELD_BYTES: Cell<isize> = const { Cell::new(0) };
    static PEAK_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count_allocated(bytes: usize) {
    let held = HELD_BYTES.get().wrapping_add_unsigned(bytes);
    HELD_BYTES.set(held);
    PEAK_BYTES.set(PEAK_BYTES.get().max(held));
}

fn count_freed(bytes: usize) {
    HELD_BYTES.set(HELD_BYTES.get().wrapping_sub_unsigned(bytes));
}

// SAFETY: each call is passed unchanged to the system's allocator.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocated(layout.size());
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count_freed(layout.size());
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both allocations exist while the system copies the old one to the new one.
        count_allocated(size);
        count_freed(layout.size());
        // SAFETY: the caller upholds the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Returns the number of bytes that `work` allocates and does not free, and the result of `work`.
pub fn left_by<T>(work: impl FnOnce() -> T) -> (isize, T) {
    let before = HELD_BYTES.get();
    let outcome = work();
    (HELD_BYTES.get() - before, outcome)
}

/// Returns the maximum number of bytes that `work` holds at the same time, and the result of `work`. Bytes held before
/// the call are not counted.
pub fn peak_held_by<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD_BYTES.get();
    PEAK_BYTES.set(before);
    let outcome = work();
    (usize::try_from(PEAK_BYTES.get() - before).unwrap(), outcome)
}
