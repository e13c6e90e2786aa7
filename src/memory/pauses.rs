//! Pauses in long work, so that the isolate can serve other requests meanwhile.
//!
//! An isolate has one thread. Reading from R2 need not give other requests a turn: the runtime may have the bytes
//! already. So work that reads or makes many bytes pauses now and then.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::ports::Clock;

/// Work of this many bytes is done without a pause. It takes some tens of milliseconds.
const BYTES_PER_TURN: usize = 4 << 20;

/// Counts the bytes of one piece of work, and pauses after each 4 MiB.
pub struct Pauses {
    clock: Arc<dyn Clock>,
    bytes: usize,
}

impl Pauses {
    /// Creates a counter at zero.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, bytes: 0 }
    }

    /// Counts `bytes`, and lets other requests run if a turn is over.
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
    async fn work_pauses_after_each_turn() {
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
