//! The application: its configuration and its ports, wired once per isolate.

use std::sync::Arc;

use crate::cache::FileCache;
use crate::config::Config;
use crate::domain::ids::FreshId;
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::ports::{
    Clock, Database, Hashing, Isolate, JobQueue, Log, NamedObjects, ObjectStore, Random, RateLimiter,
};

/// Everything a request needs. Services are methods' worth of this; it holds no state of its own.
pub struct App {
    /// The parsed configuration.
    pub config: Config,
    /// Bytes.
    pub objects: Arc<dyn ObjectStore>,
    /// Facts.
    pub database: Arc<dyn Database>,
    /// What was read of files a moment ago.
    pub cache: Arc<FileCache>,
    /// Background work.
    pub queue: Arc<dyn JobQueue>,
    /// Objects by name.
    pub named_objects: Arc<dyn NamedObjects>,
    /// Rate limits.
    pub limits: Arc<dyn RateLimiter>,
    /// SHA-256 at the platform's speed.
    pub hashing: Arc<dyn Hashing>,
    /// What the isolate uses.
    pub isolate: Arc<dyn Isolate>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Logs.
    pub log: Arc<dyn Log>,
}

/// The application as handlers share it.
pub type SharedApp = Arc<App>;

impl App {
    /// Now, as it is stored.
    pub fn now(&self) -> Timestamp {
        Timestamp::new(self.clock.now())
    }

    /// Writes a line to the log.
    pub fn write_log(&self, line: LogLine) {
        self.log.line(&line.into_json(self.now()));
    }

    /// A new id of this moment.
    pub fn fresh_id<T: FreshId>(&self) -> T {
        let mut random = [0; 10];
        self.random.fill(&mut random);
        T::fresh(u64::try_from(self.clock.now().timestamp_millis()).unwrap_or(0), &random)
    }
}
