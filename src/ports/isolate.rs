//! What the isolate itself can tell or give: what it has used, the time, randomness.

use chrono::{DateTime, Utc};

/// What the isolate that serves this has used since it began.
pub trait Isolate: Send + Sync {
    /// Bytes of files copied into wasm.
    fn bytes_into_wasm(&self) -> u64;
    /// The size of wasm's memory, which never shrinks, in bytes.
    fn memory_bytes(&self) -> u64;
}

/// The time.
pub trait Clock: Send + Sync {
    /// Now, in UTC. On the platform it moves only between I/O.
    fn now(&self) -> DateTime<Utc>;
}

/// Randomness fit for secrets.
pub trait Random: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}
