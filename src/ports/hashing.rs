//! Hash functions of the platform, which run outside wasm.

use async_trait::async_trait;

use crate::error::Result;

/// A SHA-256 computation in progress.
#[async_trait]
pub trait Sha256Stream: Send {
    /// Adds bytes.
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// Returns the hash of all bytes.
    async fn finish(self: Box<Self>) -> Result<[u8; 32]>;
}

/// Creates hash computations that run outside wasm.
pub trait Hashing: Send + Sync {
    /// Starts a SHA-256 computation.
    fn sha256(&self) -> Box<dyn Sha256Stream>;
}
