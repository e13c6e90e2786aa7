//! Hashing at the speed of the platform, outside wasm.

use async_trait::async_trait;

use crate::error::Result;

/// A running SHA-256.
#[async_trait]
pub trait Sha256Stream: Send {
    /// Takes more bytes.
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// The hash of all of them.
    async fn finish(self: Box<Self>) -> Result<[u8; 32]>;
}

/// Hashing at the platform's speed.
pub trait Hashing: Send + Sync {
    /// A new SHA-256.
    fn sha256(&self) -> Box<dyn Sha256Stream>;
}
