//! Memory budgets and statistics of the current isolate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use crate::memory::budget::IsolateMemory;
use crate::ports::Isolate;

/// The memory budgets. All events of the isolate share them.
pub static MEMORY: LazyLock<Arc<IsolateMemory>> = LazyLock::new(Arc::default);

static BYTES_INTO_WASM: AtomicU64 = AtomicU64::new(0);

/// Size of a page of wasm memory, in bytes.
const PAGE_BYTES: u64 = 64 << 10;

/// Adds `bytes` to the number of bytes copied into wasm. Must be called for each copied piece.
pub fn count_bytes_into_wasm(bytes: usize) {
    BYTES_INTO_WASM.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// The current isolate.
pub struct WasmIsolate;

impl Isolate for WasmIsolate {
    fn bytes_into_wasm(&self) -> u64 {
        BYTES_INTO_WASM.load(Ordering::Relaxed)
    }

    fn memory_bytes(&self) -> u64 {
        core::arch::wasm32::memory_size(0) as u64 * PAGE_BYTES
    }
}
