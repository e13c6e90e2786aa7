//! The memory that one isolate may use, and the pauses in which other requests get a turn ([`pauses`]).
//!
//! A Worker's isolate has 128 MiB for wasm and JavaScript together, and serves many requests at once. If a request
//! needs more than a few small buffers, it first gets a [`Lease`] for the greatest amount of memory that it will hold
//! at any time. If too little of the budget is free, the request waits in a queue, and the oldest request is served
//! first. If the request waits longer than [`MAX_WAIT`], or if the queue is full, the client gets 503 with
//! `Retry-After`.

pub mod budget;
pub mod leased;
pub mod pauses;

use std::sync::Arc;

use chrono::TimeDelta;

use self::budget::{Lease, Memory, MemoryBudget, QueuePlace};
use crate::app::App;
use crate::error::{Code, Problem, Result};

/// Greatest time for which a request waits for memory.
pub const MAX_WAIT: TimeDelta = TimeDelta::seconds(60);

/// Greatest time for one step of reading a request body. A step has [`step_bytes`](crate::body::read_size::step_bytes)
/// bytes. If a step takes longer, the request ends with 408.
pub const MAX_STALL: TimeDelta = TimeDelta::seconds(60);

/// A second limit for the steps of [`MAX_STALL`]. It counts only the seconds in which other requests wait for memory.
/// If a step exceeds either limit, the request ends with 408.
pub const MAX_STALL_IN_CONTENTION: TimeDelta = TimeDelta::seconds(2);

/// Greatest time for which a response waits until its client reads the next piece. After this time, the response
/// breaks. Applies only to a response whose bytes come from wasm.
pub const MAX_UNREAD: TimeDelta = TimeDelta::seconds(120);

/// A second limit for the response of [`MAX_UNREAD`]. It counts only the seconds in which other requests wait for
/// memory. If the response exceeds either limit, the response breaks.
pub const MAX_UNREAD_IN_CONTENTION: TimeDelta = TimeDelta::seconds(20);

/// Time after which a waiting request asks for memory again. Each request has its own timer. A request cannot wake
/// another request, because the runtime binds each I/O operation to the request that began the operation.
const RETRY_EVERY: TimeDelta = TimeDelta::milliseconds(20);

/// Maximum factor by which [`RETRY_EVERY`] is multiplied. The more requests wait before a request, the longer the
/// request sleeps before it asks again: 20 to 500 ms.
const MAX_DELAY_FACTOR: i32 = 25;

/// Maximum number of requests that may wait for one budget. The limit is necessary because the headers and the parsed
/// query or body of each waiting request stay in memory.
const MAX_WAITING: usize = 256;

/// `Retry-After` of the response to a request that got no memory, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// [`App::lease_wide_memory`] takes no lease for at most this number of bytes.
pub const SMALL_BYTES: usize = 64 << 10;

impl App {
    /// Waits for memory for the buffers that a request needs. The caller may hold a lease of
    /// [`Self::lease_body_memory`], but no other lease.
    ///
    /// # Errors
    /// `unavailable` with `Retry-After`, if the memory has not become free within [`MAX_WAIT`].
    pub async fn lease_memory(&self, amount: Memory) -> Result<Lease> {
        self.lease_from(&self.memory.common, amount).await
    }

    /// Waits for memory in wasm for a JSON body. The caller must hold no lease.
    ///
    /// # Errors
    /// The errors of [`Self::lease_memory`].
    pub async fn lease_body_memory(&self, bytes: usize) -> Result<Lease> {
        self.lease_from(&self.memory.bodies, Memory::wasm(bytes)).await
    }

    /// Waits for memory in wasm for the profile or the header of a file with many columns or bytes. Returns `None` if
    /// `bytes` is at most [`SMALL_BYTES`]. The caller may hold leases from `bodies` and `common`, but no other lease.
    ///
    /// # Errors
    /// The errors of [`Self::lease_memory`].
    pub async fn lease_wide_memory(&self, bytes: usize) -> Result<Option<Lease>> {
        match bytes {
            ..=SMALL_BYTES => Ok(None),
            bytes => self.lease_from(&self.memory.wide, Memory::wasm(bytes)).await.map(Some),
        }
    }

    /// Waits for memory for a long record, a long page of rows or a list. The caller may hold leases from `bodies`,
    /// `common` and `wide`, but no other lease from `large`.
    ///
    /// # Errors
    /// The errors of [`Self::lease_memory`].
    pub async fn lease_large_memory(&self, amount: Memory) -> Result<Lease> {
        self.lease_from(&self.memory.large, amount).await
    }

    async fn lease_from(&self, budget: &Arc<MemoryBudget>, amount: Memory) -> Result<Lease> {
        let began = self.clock.now();
        let busy = || {
            let detail = "The service is busy. Repeat the request after the time in Retry-After.";
            Problem::new(Code::Unavailable, detail).retry_after(RETRY_AFTER_S)
        };
        if budget.usage().waiting >= MAX_WAITING {
            return Err(busy());
        }
        let mut place = None;
        loop {
            let now = self.clock.now();
            if let Some(lease) = budget.try_lease(amount, now, &mut place) {
                return Ok(lease);
            }
            if now - began >= MAX_WAIT {
                return Err(busy());
            }
            let before = place.as_ref().map_or(0, QueuePlace::waiters_before);
            self.clock.sleep(RETRY_EVERY * i32::from(before / 2).clamp(1, MAX_DELAY_FACTOR)).await;
        }
    }
}
