//! FileCache: a cache of profiles that were read recently, and of numbers of rows that were counted recently. With the
//! cache, requests read fewer objects from R2. Without the cache, all responses would be the same.
//!
//! The key of a cached profile is the attempt that stored the bytes of the file. The key of a count begins with it. The bytes of an attempt never change,
//! so an entry is never stale. Each entry expires after `CACHE_TTL`, so that the values of a deleted file do not stay
//! in memory for long. Every call removes expired entries. The cache checks no permission: before a caller asks the
//! cache, it must read the file's row with the owner in the WHERE clause.

mod lookup;

use std::sync::Arc;

use chrono::TimeDelta;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::csv::profile::Profile;
use crate::domain::row_count::RowCount;
use crate::domain::time::Timestamp;

/// Greatest amount of memory for the cached profiles of one isolate, in bytes.
const CAPACITY_BYTES: u64 = 8 << 20;

/// Expected maximum number of profiles.
const EXPECTED_ENTRIES: usize = 64;

/// Maximum number of cached counts. Each needs about 200 bytes.
const MAX_COUNTS: usize = 1_000;

/// A cached profile.
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

/// A cached number of rows.
#[derive(Clone)]
struct CachedCount {
    ends_at: Timestamp,
    count: RowCount,
}

/// The cache of an isolate.
pub struct FileCache {
    profiles: Cache<String, CachedProfile, ByMemory>,
    counts: Cache<String, CachedCount>,
}

impl Default for FileCache {
    fn default() -> Self {
        // One shard is enough, because an isolate has one thread. With several shards, the cache would refuse a profile
        // that is larger than a shard's share of the capacity.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(EXPECTED_ENTRIES)
            .weight_capacity(CAPACITY_BYTES)
            .build()
            .unwrap_or_else(|_| unreachable!("every required option is set"));
        let hasher = DefaultHashBuilder::default();
        let profiles = Cache::with_options(options, ByMemory, hasher, DefaultLifecycle::default());
        Self { profiles, counts: Cache::new(MAX_COUNTS) }
    }
}

impl FileCache {
    /// Returns the profile of an attempt if it is cached and has not expired at `now`.
    pub fn profile(&self, attempt: &str, now: Timestamp) -> Option<Arc<Profile>> {
        self.forget_ended(now);
        self.profiles.get(attempt).map(|entry| entry.profile)
    }

    /// Caches a profile from `now` for `term`, or until other profiles need its memory.
    pub fn keep_profile(&self, attempt: &str, profile: Arc<Profile>, (now, term): (Timestamp, TimeDelta)) {
        self.forget_ended(now);
        if term > TimeDelta::zero() {
            let ends_at = now.plus(term);
            let memory_bytes = profile.memory_bytes() as u64;
            self.profiles.insert(attempt.to_owned(), CachedProfile { ends_at, profile, memory_bytes });
        }
    }

    /// Returns a count if it is cached and has not expired at `now`.
    pub fn count(&self, key: &str, now: Timestamp) -> Option<RowCount> {
        self.forget_ended(now);
        self.counts.get(key).map(|entry| entry.count)
    }

    /// Caches a count from `now` for `term`, or until other counts need its place.
    pub fn keep_count(&self, key: &str, count: RowCount, (now, term): (Timestamp, TimeDelta)) {
        self.forget_ended(now);
        if term > TimeDelta::zero() {
            self.counts.insert(key.to_owned(), CachedCount { ends_at: now.plus(term), count });
        }
    }

    fn forget_ended(&self, now: Timestamp) {
        self.profiles.retain(|_, entry| now < entry.ends_at);
        self.counts.retain(|_, entry| now < entry.ends_at);
    }
}
