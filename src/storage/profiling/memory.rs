//! The memory of a profiler that runs during an upload.

use std::sync::Arc;

use crate::app::App;
use crate::memory::budget::{Lease, Memory, MemoryBudget, WIDE_BUDGET};
use crate::ports::Clock;

/// Memory that the lease of each upload includes for the profiler, in bytes. A file with 100 columns of few
/// values, or of values that hardly repeat, needs less.
const INCLUDED_BYTES: usize = 512 << 10;

/// Amount of each additional lease. A profiler that needs more than [`INCLUDED_BYTES`] takes one or more additional
/// leases.
const STEP: Memory = Memory::wasm(1 << 20);

/// Memory that the profilers of uploads must leave free: half of the budget. An upload may hold its lease for hours,
/// and requests that read profiles need the same budget.
const SPARE: Memory = Memory::wasm(WIDE_BUDGET.wasm / 2);

/// Leases the memory of one profiler. The profiler never waits for memory. If there is no memory, the upload continues
/// without the profiler, and the background pass computes the profile.
pub struct ProfilerMemory {
    budget: Arc<MemoryBudget>,
    clock: Arc<dyn Clock>,
    leases: Vec<Lease>,
}

impl ProfilerMemory {
    /// Creates the memory of a profiler, without additional leases.
    pub fn new(app: &App) -> Self {
        Self { budget: app.memory.wide.clone(), clock: app.clock.clone(), leases: Vec::new() }
    }

    /// Takes leases until the profiler may use `bytes` bytes of memory. Returns `false` if the budget does not
    /// have enough memory. In this case, all leases of the profiler end, and the caller must drop the profiler.
    pub fn admits(&mut self, bytes: usize) -> bool {
        let now = self.clock.now();
        self.leases.iter().for_each(|lease| lease.touch(now));
        while bytes > INCLUDED_BYTES + self.leases.len() * STEP.wasm {
            let Some(lease) = self.budget.try_lease_now(STEP, SPARE, now) else {
                self.leases.clear();
                return false;
            };
            self.leases.push(lease);
        }
        true
    }
}
