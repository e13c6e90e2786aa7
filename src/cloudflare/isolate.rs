//! What this isolate uses.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ports::Isolate;

static BYTES_INTO_WASM: AtomicU64 = AtomicU64::new(0);

/// A page of wasm's memory, in bytes.
const PAGE_BYTES: u64 = 64 << 10;

/// Counts bytes of files copied into wasm; called where they are.
pub fn count_bytes_into_wasm(bytes: usize) {
    BYTES_INTO_WASM.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// This isolate.
pub struct WasmIsolate;

impl Isolate for WasmIsolate {
    fn bytes_into_wasm(&self) -> u64 {
        BYTES_INTO_WASM.load(Ordering::Relaxed)
    }

    fn memory_bytes(&self) -> u64 {
        core::arch::wasm32::memory_size(0) as u64 * PAGE_BYTES
    }
}
