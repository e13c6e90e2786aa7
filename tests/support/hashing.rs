//! SHA-256 for tests, computed with the crate `sha2`.

use async_trait::async_trait;
use cutty::error::Result;
use cutty::ports::{Hashing, Sha256Stream};
use sha2::{Digest, Sha256};

/// Returns the SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Returns the SHA-256 of `bytes` as lower-case hex, the form that rows store.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}

pub struct NativeHashing;

impl Hashing for NativeHashing {
    fn sha256(&self) -> Box<dyn Sha256Stream> {
        Box::new(Sha256State(Sha256::new()))
    }
}

struct Sha256State(Sha256);

#[async_trait]
impl Sha256Stream for Sha256State {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.update(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<[u8; 32]> {
        Ok(self.0.finalize().into())
    }
}
