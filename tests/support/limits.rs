//! A rate limiter that counts requests and never resets its counts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cutty::ports::{Admission, LimitError, PlatformLimits, RateLimit};

/// Admits every request until a test sets a limit.
#[derive(Default)]
pub struct CountingLimits {
    seen: Mutex<BTreeMap<(RateLimit, String), u32>>,
    max: Mutex<BTreeMap<RateLimit, u32>>,
    is_broken: Mutex<bool>,
}

impl CountingLimits {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Sets the maximum number of requests for each key of a limit.
    pub fn set(&self, limit: RateLimit, max: u32) {
        self.max.lock().unwrap().insert(limit, max);
    }

    /// Makes all later calls fail.
    pub fn break_down(&self) {
        *self.is_broken.lock().unwrap() = true;
    }

    /// Returns the number of counted requests for each key.
    pub fn seen(&self, limit: RateLimit) -> BTreeMap<String, u32> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|((of, _), _)| *of == limit).map(|((_, key), n)| (key.clone(), *n)).collect()
    }
}

#[async_trait]
impl PlatformLimits for CountingLimits {
    async fn count(&self, limit: RateLimit, key: &str) -> Result<Admission, LimitError> {
        if *self.is_broken.lock().unwrap() {
            return Err(LimitError("injected fault".to_owned()));
        }
        let mut seen = self.seen.lock().unwrap();
        let count = seen.entry((limit, key.to_owned())).or_default();
        *count += 1;
        let is_admitted = self.max.lock().unwrap().get(&limit).is_none_or(|max| *count <= *max);
        Ok(Admission::of(limit, is_admitted))
    }
}
