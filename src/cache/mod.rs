//! FileCache: what was read of files a moment ago. It makes things faster and decides nothing.
//!
//! It holds profiles by the version (attempt) of the bytes they are of, which never changes, so nothing in it can be
//! stale; what is older than `CACHE_TTL` is forgotten all the same, whenever something is asked or kept, so that a
//! deleted file's values do not stay for long. Who may see a file is decided by its row, which is read before anything is
//! asked of the cache.

use std::sync::Arc;

use chrono::TimeDelta;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::csv::profile::Profile;
use crate::domain::time::Timestamp;

/// The most bytes of profiles kept in one isolate, by what they take in memory.
const CAPACITY_BYTES: u64 = 8 << 20;

/// How many profiles are expected at most.
const EXPECTED_ENTRIES: usize = 64;

/// A profile, what it takes in memory, and when it is forgotten.
#[derive(Clone)]
struct CachedProfile {
    ends_at: Timestamp,
    profile: Arc<Profile>,
    memory_bytes: u64,
}

#[derive(Clone)]
struct ByMemory;

impl Weighter<String, CachedProfile> for ByMemory {
    fn weight(&self, _: &String, entry: &CachedProfile) -> u64 {
        entry.memory_bytes
    }
}

/// One an isolate.
pub struct FileCache {
    profiles: Cache<String, CachedProfile, ByMemory>,
}

impl Default for FileCache {
    fn default() -> Self {
        // One shard: an isolate has one thread, and a shard takes nothing that weighs more than its share.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(EXPECTED_ENTRIES)
            .weight_capacity(CAPACITY_BYTES)
            .build()
            .unwrap_or_else(|_| unreachable!("all that is asked for is given"));
        let hasher = DefaultHashBuilder::default();
        Self { profiles: Cache::with_options(options, ByMemory, hasher, DefaultLifecycle::default()) }
    }
}

impl FileCache {
    /// The profile of a version, if it is kept as of `now`.
    pub fn profile(&self, attempt: &str, now: Timestamp) -> Option<Arc<Profile>> {
        self.forget_ended(now);
        self.profiles.get(attempt).map(|entry| entry.profile)
    }

    /// Keeps a profile for a time as of `now`, or until its place is needed.
    pub fn keep_profile(&self, attempt: &str, profile: Arc<Profile>, (now, term): (Timestamp, TimeDelta)) {
        self.forget_ended(now);
        if term > TimeDelta::zero() {
            let ends_at = now.plus(term);
            let memory_bytes = profile.memory_bytes() as u64;
            self.profiles.insert(attempt.to_owned(), CachedProfile { ends_at, profile, memory_bytes });
        }
    }

    fn forget_ended(&self, now: Timestamp) {
        self.profiles.retain(|_, entry| now < entry.ends_at);
    }
}
