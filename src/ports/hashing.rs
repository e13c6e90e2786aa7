//! Hash functions of the platform, which run outside wasm.

use async_trait::async_trait;

use crate::error::Result;

/// A SHA-256 computation in progress.
#[async_trait]
pub trait Sha256Stream: Send {
    /// Adds bytes to the hash.
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// Returns the hash of all bytes that were written.
    async fn finish(self: Box<Self>) -> Result<[u8; 32]>;
}

/// Starts hash computations that run outside wasm.
pub trait Hashing: Send + Sync {
    /// Starts a SHA-256 computation.
    fn sha256(&self) -> Box<dyn Sha256Stream>;
}
