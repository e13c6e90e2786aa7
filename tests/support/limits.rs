//! Rate limits that count, and never forget.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cutty::ports::{Admission, LimitError, RateLimit, RateLimiter};

/// As many as anybody likes, until a test says otherwise.
#[derive(Default)]
pub struct CountingLimits {
    seen: Mutex<BTreeMap<(RateLimit, String), u32>>,
    most: Mutex<BTreeMap<RateLimit, u32>>,
    is_broken: Mutex<bool>,
}

impl CountingLimits {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Admits so many of each key.
    pub fn set(&self, limit: RateLimit, most: u32) {
        self.most.lock().unwrap().insert(limit, most);
    }

    /// Every call fails from now on.
    pub fn break_down(&self) {
        *self.is_broken.lock().unwrap() = true;
    }

    /// How often each key was counted.
    pub fn seen(&self, limit: RateLimit) -> BTreeMap<String, u32> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|((of, _), _)| *of == limit).map(|((_, key), n)| (key.clone(), *n)).collect()
    }
}

#[async_trait]
impl RateLimiter for CountingLimits {
    async fn count(&self, limit: RateLimit, key: &str) -> Result<Admission, LimitError> {
        if *self.is_broken.lock().unwrap() {
            return Err(LimitError("made to fail".to_owned()));
        }
        let mut seen = self.seen.lock().unwrap();
        let count = seen.entry((limit, key.to_owned())).or_default();
        *count += 1;
        let is_admitted = self.most.lock().unwrap().get(&limit).is_none_or(|most| *count <= *most);
        Ok(Admission::of(limit, is_admitted))
    }
}
