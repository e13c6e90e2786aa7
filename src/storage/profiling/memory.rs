//! The memory of a profiler beside an upload.

use std::sync::Arc;

use crate::app::App;
use crate::memory::budget::{Lease, Memory, MemoryBudget, WIDE_BUDGET};
use crate::ports::Clock;

/// Memory of a profiler that is part of the lease of its upload, in bytes. A file with 100 columns needs less.
const INCLUDED_BYTES: usize = 512 << 10;

/// How much a profiler leases in one step when it needs more.
const STEP: Memory = Memory::wasm(1 << 20);

/// Half of the budget stays free for requests that read profiles, because an upload may hold its lease for hours.
const SPARE: Memory = Memory::wasm(WIDE_BUDGET.wasm / 2);

/// Leases the memory of one profiler. The profiler never waits. If there is no memory, the upload goes on without it,
/// and the background pass computes the profile.
pub struct ProfilerMemory {
    budget: Arc<MemoryBudget>,
    clock: Arc<dyn Clock>,
    leases: Vec<Lease>,
}

impl ProfilerMemory {
    /// Creates an object without leases.
    pub fn new(app: &App) -> Self {
        Self { budget: app.memory.wide.clone(), clock: app.clock.clone(), leases: Vec::new() }
    }

    /// Whether the profiler may have `bytes` of memory. If not, all its leases end: the caller must drop the profiler.
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
