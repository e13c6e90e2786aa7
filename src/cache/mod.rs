//! FileCache: what was read of files a moment ago. It makes things faster and decides nothing.
//!
//! It holds profiles by the version (attempt) of the bytes they are of, which never changes, so nothing in it can be
//! stale; what is older than `CACHE_TTL` is forgotten all the same, whenever something is asked or kept, so that a
//! deleted file's values do not stay for long. Who may see a file is decided by its row, which is read before anything is
//! asked of the cache.

use std::sync::Arc;

use chrono::TimeDelta;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::csv::profile::Profile;
use crate::time::Timestamp;

/// The most bytes of profiles kept in one isolate, by their stored length.
const CAPACITY_BYTES: u64 = 8 << 20;

/// How many profiles are expected at most.
const EXPECTED_ENTRIES: usize = 64;

/// A profile, its stored length, and when it is forgotten.
#[derive(Clone)]
struct Entry {
    ends_at: Timestamp,
    profile: Arc<Profile>,
    stored_bytes: u64,
}

#[derive(Clone)]
struct ByStoredBytes;

impl Weighter<String, Entry> for ByStoredBytes {
    fn weight(&self, _: &String, entry: &Entry) -> u64 {
        entry.stored_bytes.max(1)
    }
}

/// One an isolate.
pub struct FileCache {
    profiles: Cache<String, Entry, ByStoredBytes>,
}

impl Default for FileCache {
    fn default() -> Self {
        Self { profiles: Cache::with_weighter(EXPECTED_ENTRIES, CAPACITY_BYTES, ByStoredBytes) }
    }
}

impl FileCache {
    /// The profile of a version, if it is kept as of `now`.
    pub fn profile(&self, attempt: &str, now: Timestamp) -> Option<Arc<Profile>> {
        self.forget_ended(now);
        self.profiles.get(attempt).map(|entry| entry.profile)
    }

    /// Keeps a profile for a time as of `now`, or until its place is needed.
    pub fn keep_profile(
        &self,
        attempt: &str,
        profile: Arc<Profile>,
        stored_bytes: u64,
        (now, term): (Timestamp, TimeDelta),
    ) {
        self.forget_ended(now);
        if term > TimeDelta::zero() {
            let ends_at = now.plus(term);
            self.profiles.insert(attempt.to_owned(), Entry { ends_at, profile, stored_bytes });
        }
    }

    fn forget_ended(&self, now: Timestamp) {
        self.profiles.retain(|_, entry| now < entry.ends_at);
    }
}
