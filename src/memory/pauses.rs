//! Pauses in long work, so that the isolate can serve other requests meanwhile.
//!
//! An isolate has one thread. While a request waits for bytes from R2, other requests can run. But if the runtime
//! already has the bytes, a read does not wait. So an operation that reads or makes many bytes must pause from time to
//! time.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::ports::Clock;

/// Number of bytes between two pauses. An operation needs some tens of milliseconds for this number of bytes.
const BYTES_PER_TURN: usize = 4 << 20;

/// Counts the bytes that one operation reads or makes, and pauses after each 4 MiB.
pub struct Pauses {
    clock: Arc<dyn Clock>,
    bytes: usize,
}

impl Pauses {
    /// Creates a counter at zero.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, bytes: 0 }
    }

    /// Adds `bytes` to the count. If the count has reached 4 MiB, sets it to zero and pauses once, so that other
    /// requests can run.
    pub async fn after(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= BYTES_PER_TURN {
            self.bytes = 0;
            self.clock.sleep(TimeDelta::zero()).await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use chrono::{DateTime, Utc};

    use super::*;

    #[derive(Default)]
    struct CountedSleeps(AtomicUsize);

    #[async_trait]
    impl Clock for CountedSleeps {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }

        async fn sleep(&self, _: TimeDelta) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn an_operation_pauses_after_each_4_mib() {
        let clock = Arc::new(CountedSleeps::default());
        let mut pauses = Pauses::new(clock.clone());
        for _ in 0..64 {
            pauses.after(256 << 10).await;
        }
        assert_eq!(clock.0.load(Ordering::SeqCst), 4);
        pauses.after((4 << 20) - 1).await;
        assert_eq!(clock.0.load(Ordering::SeqCst), 4);
        pauses.after(1).await;
        assert_eq!(clock.0.load(Ordering::SeqCst), 5);
    }
}
