//! Random bytes that are the same in every run.

use std::sync::{Arc, Mutex};

use cutty::ports::Random;
use sha2::{Digest, Sha256};

/// SHA-256 hashes of a counter. The seed decides where the counter starts.
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(seed << 32)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut counter = self.0.lock().unwrap();
        for chunk in bytes.chunks_mut(32) {
            *counter += 1;
            chunk.copy_from_slice(&Sha256::digest(counter.to_le_bytes())[..chunk.len()]);
        }
    }
}
