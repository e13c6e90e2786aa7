//! The isolate: its memory use, the time, and randomness.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

/// Memory statistics of the current isolate.
pub trait Isolate: Send + Sync {
    /// Returns the number of bytes that Cutty copied from streams into wasm since the isolate started.
    fn bytes_into_wasm(&self) -> u64;
    /// Returns the size of the wasm memory in bytes. The wasm memory never shrinks.
    fn memory_bytes(&self) -> u64;
}

/// The clock.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Returns the current time in UTC. On Cloudflare Workers, the clock advances only at I/O.
    fn now(&self) -> DateTime<Utc>;
    /// Waits until `delay` has passed.
    async fn sleep(&self, delay: TimeDelta);
}

/// A cryptographically secure source of randomness.
pub trait Random: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}
