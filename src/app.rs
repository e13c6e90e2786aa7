//! The application: its configuration and its ports.

use std::sync::Arc;

use crate::audit::refusals::RefusalCounts;
use crate::audit::waiting::WaitingMessages;
use crate::cache::FileCache;
use crate::config::Config;
use crate::domain::ids::FreshId;
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::health::checks::HealthChecks;
use crate::memory::budget::IsolateMemory;
use crate::ports::{
    Clock, ContentScanner, Database, Email, Hashing, Isolate, JobQueue, Log, NamedObjects, ObjectStore,
    PlatformLimits, Random,
};
use crate::scanning::check::ScannerCheck;
use crate::switches::known::KnownSwitches;

/// Configuration and ports that services use. Only the fields `cache`, `checks`, `memory`, `refusals`, `scanner_check`
/// and `switches` hold state between requests.
pub struct App {
    /// Parsed configuration.
    pub config: Config,
    /// Object store (R2): the bytes of files.
    pub objects: Arc<dyn ObjectStore>,
    /// Database (D1).
    pub database: Arc<dyn Database>,
    /// Cache of recently used profiles.
    pub cache: Arc<FileCache>,
    /// Queue of background jobs.
    pub queue: Arc<dyn JobQueue>,
    /// Named objects (Durable Objects).
    pub named_objects: Arc<dyn NamedObjects>,
    /// Email; `None` if the service sends no messages.
    pub email: Option<Arc<dyn Email>>,
    /// The rate limits of the platform, on signing in.
    pub limits: Arc<dyn PlatformLimits>,
    /// The platform's SHA-256. It is faster than SHA-256 in wasm.
    pub hashing: Arc<dyn Hashing>,
    /// The content scanner; `None` if no scanner is set.
    pub scanner: Option<Arc<dyn ContentScanner>>,
    /// The time and the outcome of the last scan.
    pub scanner_check: Arc<ScannerCheck>,
    /// Entries of the audit log that wait for the end of the response.
    pub waiting: WaitingMessages,
    /// Counts of refused requests whose senders are not known.
    pub refusals: Arc<RefusalCounts>,
    /// Budgets of the isolate's memory.
    pub memory: Arc<IsolateMemory>,
    /// Outcomes of health checks that the requests of the isolate share.
    pub checks: Arc<HealthChecks>,
    /// What the isolate knows about the switches.
    pub switches: Arc<KnownSwitches>,
    /// Memory statistics of the isolate.
    pub isolate: Arc<dyn Isolate>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Source of random bytes.
    pub random: Arc<dyn Random>,
    /// Log.
    pub log: Arc<dyn Log>,
}

/// The application, shared by handlers.
pub type SharedApp = Arc<App>;

impl App {
    /// Returns the current time as a timestamp.
    pub fn now(&self) -> Timestamp {
        Timestamp::new(self.clock.now())
    }

    /// Writes a line to the log.
    pub fn write_log(&self, line: LogLine) {
        self.log.line(&line.into_json(self.now()));
    }

    /// Makes a new id from the current time and random bytes.
    pub fn fresh_id<T: FreshId>(&self) -> T {
        let mut random = [0; 10];
        self.random.fill(&mut random);
        T::fresh(u64::try_from(self.clock.now().timestamp_millis()).unwrap_or(0), &random)
    }
}
