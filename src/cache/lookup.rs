//! Lookups in the cache of an application. While the cache is switched off, nothing is found and nothing is kept.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::app::App;
use crate::csv::profile::Profile;
use crate::domain::row_count::RowCount;
use crate::domain::switch::Switch;

impl App {
    /// Returns the cached profile of an attempt.
    pub fn cached_profile(&self, attempt: &str) -> Option<Arc<Profile>> {
        self.cache_term().and_then(|_| self.cache.profile(attempt, self.now()))
    }

    /// Caches a profile for `CACHE_TTL`.
    pub fn keep_profile(&self, attempt: &str, profile: Arc<Profile>) {
        if let Some(term) = self.cache_term() {
            self.cache.keep_profile(attempt, profile, (self.now(), term));
        }
    }

    /// Returns a cached count.
    pub fn cached_count(&self, key: &str) -> Option<RowCount> {
        self.cache_term().and_then(|_| self.cache.count(key, self.now()))
    }

    /// Caches a count for `CACHE_TTL`.
    pub fn keep_count(&self, key: &str, count: RowCount) {
        if let Some(term) = self.cache_term() {
            self.cache.keep_count(key, count, (self.now(), term));
        }
    }

    /// Returns the time for which entries stay; `None` while the cache is switched off.
    fn cache_term(&self) -> Option<TimeDelta> {
        let is_on = self.known_switches().is_on(Switch::Cache);
        is_on.then(|| TimeDelta::seconds(self.config.cache_ttl_s.into()))
    }
}
