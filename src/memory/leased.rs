//! A wrapper of a source and a wrapper of an observer. At each piece, a wrapper records that its lease is in use, so
//! that a slow transfer keeps the lease.

use std::sync::Arc;

use async_trait::async_trait;

use super::budget::Lease;
use crate::body::stream::ByteSource;
use crate::error::Result;
use crate::ports::{Clock, PieceObserver};

/// A source that records at each read that its lease is in use.
pub struct LeasedSource {
    source: Box<dyn ByteSource>,
    lease: Arc<Lease>,
    clock: Arc<dyn Clock>,
}

impl LeasedSource {
    /// Wraps a source.
    pub fn new(source: Box<dyn ByteSource>, lease: Arc<Lease>, clock: Arc<dyn Clock>) -> Self {
        Self { source, lease, clock }
    }
}

#[async_trait]
impl ByteSource for LeasedSource {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        self.lease.touch(self.clock.now());
        self.source.read(buffer).await
    }

    fn expect_fast(&mut self) {
        self.source.expect_fast();
    }

    async fn cancel(&mut self) {
        self.source.cancel().await;
    }
}

/// An observer that records at each piece that its lease is in use.
pub struct LeasedObserver<'a, T> {
    observer: &'a mut T,
    lease: Lease,
    clock: Arc<dyn Clock>,
}

impl<'a, T> LeasedObserver<'a, T> {
    /// Wraps an observer.
    pub fn new(observer: &'a mut T, lease: Lease, clock: Arc<dyn Clock>) -> Self {
        Self { observer, lease, clock }
    }
}

impl<T: PieceObserver> PieceObserver for LeasedObserver<'_, T> {
    fn observe(&mut self, piece: &[u8]) {
        self.lease.touch(self.clock.now());
        self.observer.observe(piece);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::body::stream::PIECE_BYTES;
    use crate::memory::budget::{Memory, MemoryBudget};
    use chrono::{DateTime, TimeDelta, Utc};
    use std::sync::Mutex;

    /// A clock that advances by 100 s at each call of `now`.
    struct SlowTransfer(Mutex<i64>);

    #[async_trait]
    impl Clock for SlowTransfer {
        fn now(&self) -> DateTime<Utc> {
            let mut seconds = self.0.lock().unwrap();
            *seconds += 100;
            DateTime::UNIX_EPOCH + TimeDelta::seconds(*seconds)
        }

        async fn sleep(&self, _: TimeDelta) {}
    }

    struct Zeros;

    #[async_trait]
    impl ByteSource for Zeros {
        async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
            buffer.resize(PIECE_BYTES, 0);
            Ok(PIECE_BYTES)
        }
    }

    #[tokio::test]
    async fn a_slow_transfer_keeps_its_lease() {
        let budget = Arc::new(MemoryBudget::new(Memory::wasm(10)));
        let clock: Arc<dyn Clock> = Arc::new(SlowTransfer(Mutex::new(0)));
        let lease = budget.try_lease(Memory::wasm(10), clock.now(), &mut None).unwrap();
        let mut source = LeasedSource::new(Box::new(Zeros), Arc::new(lease), clock.clone());
        for _ in 0..10 {
            assert_eq!(source.read(&mut Vec::new()).await.unwrap(), PIECE_BYTES);
        }
        assert!(budget.try_lease(Memory::wasm(1), clock.now(), &mut None).is_none());
        assert!(budget.try_lease(Memory::wasm(1), clock.now(), &mut None).is_some(), "200 s without a read");
    }
}
