//! SHA-256 by the same crate that checks it.

use async_trait::async_trait;
use cutty::error::Result;
use cutty::ports::{Hashing, Sha256Stream};
use sha2::{Digest, Sha256};

/// SHA-256 of bytes at hand.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The same as lower-case hex, as rows hold it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}

pub struct NativeHashing;

impl Hashing for NativeHashing {
    fn sha256(&self) -> Box<dyn Sha256Stream> {
        Box::new(Running(Sha256::new()))
    }
}

struct Running(Sha256);

#[async_trait]
impl Sha256Stream for Running {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.update(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<[u8; 32]> {
        Ok(self.0.finalize().into())
    }
}
