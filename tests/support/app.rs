//! An application on native doubles, in one line.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use chrono::TimeDelta;
use cutty::app::{App, SharedApp};
use cutty::config::Config;
use cutty::domain::budget::Subrequests;
use cutty::domain::time::Timestamp;
use cutty::error::Result;
use cutty::jobs::job::DeliveryOutcome;
use cutty::ports::Isolate;
use cutty::sweeps::SweepReport;
use serde_json::Value;

use super::clock::ManualClock;
use super::database::MemoryDatabase;
use super::faults::{Fault, Faults, On};
use super::fsck::fsck;
use super::hashing::NativeHashing;
use super::limits::CountingLimits;
use super::log::RecordingLog;
use super::named_objects::MemoryObjectsByName;
use super::objects::MemoryObjects;
use super::queue::RecordingQueue;
use super::random::SeededRandom;

/// What opens `/api/admin` without an account.
pub const OPERATOR_TOKEN: &str = "operator-of-tests-0123456789abcdef";

/// The variables that have no default.
const VARIABLES: [(&str, &str); 2] =
    [("JWT_SECRET", "a secret of tests, 32 bytes or more"), ("OPERATOR_TOKEN", OPERATOR_TOKEN)];

/// The application and the doubles it runs on. What [`App`] offers can be called on it directly.
pub struct TestApp {
    pub app: SharedApp,
    pub faults: Faults,
    pub database: Arc<MemoryDatabase>,
    pub objects: Arc<MemoryObjects>,
    pub queue: Arc<RecordingQueue>,
    pub named_objects: Arc<MemoryObjectsByName>,
    pub limits: Arc<CountingLimits>,
    pub clock: Arc<ManualClock>,
    pub random: Arc<SeededRandom>,
    pub log: Arc<RecordingLog>,
}

impl TestApp {
    /// With the default configuration.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// With some variables set, as `[vars]` would.
    pub fn with(variables: &[(&str, &str)]) -> Self {
        Self::configured(config(variables))
    }

    /// With the default configuration and parts of an upload in several requests so short, shorter than the platform
    /// allows, so that tests stay small.
    pub fn with_parts_of(bytes: u64) -> Self {
        let app = Self::configured(Config { max_chunk_size_bytes: bytes, ..config(&[]) });
        app.objects.set_min_part_bytes(1);
        app
    }

    /// With this configuration.
    pub fn configured(config: Config) -> Self {
        let faults = Faults::default();
        let clock = ManualClock::new();
        let database = MemoryDatabase::new(faults.clone());
        let objects = MemoryObjects::new(faults.clone(), clock.clone());
        let queue = RecordingQueue::new(faults.clone());
        let named_objects = MemoryObjectsByName::new(faults.clone());
        let limits = CountingLimits::new();
        let random = SeededRandom::new(1);
        let log = RecordingLog::new();
        let app = Arc::new(App {
            config,
            objects: objects.clone(),
            database: database.clone(),
            cache: Arc::default(),
            queue: queue.clone(),
            named_objects: named_objects.clone(),
            limits: limits.clone(),
            hashing: Arc::new(NativeHashing),
            isolate: Arc::new(NoIsolate),
            clock: clock.clone(),
            random: random.clone(),
            log: log.clone(),
        });
        named_objects.run_in(&app);
        Self { app, faults, database, objects, queue, named_objects, limits, clock, random, log }
    }

    /// The same without an operator's token.
    #[must_use]
    pub fn without_operator_token(self) -> Self {
        let mut config = self.config.clone();
        config.operator_token = None;
        self.under(config)
    }

    /// The same stored state under other variables, as after a deploy. Waiting jobs and faults stay too.
    #[must_use]
    pub fn reconfigured(self, variables: &[(&str, &str)]) -> Self {
        self.under(config(variables))
    }

    fn under(self, config: Config) -> Self {
        let app = Arc::new(App {
            config,
            objects: self.objects.clone(),
            database: self.database.clone(),
            cache: Arc::default(),
            queue: self.queue.clone(),
            named_objects: self.named_objects.clone(),
            limits: self.limits.clone(),
            hashing: Arc::new(NativeHashing),
            isolate: Arc::new(NoIsolate),
            clock: self.clock.clone(),
            random: self.random.clone(),
            log: self.log.clone(),
        });
        self.named_objects.run_in(&app);
        Self { app, ..self }
    }

    /// Now, as it is stored.
    pub fn now(&self) -> Timestamp {
        self.clock.timestamp()
    }

    /// Lets time pass.
    pub fn advance(&self, delta: TimeDelta) {
        self.clock.advance(delta);
    }

    /// Wakes the upload sessions whose time has come.
    pub async fn ring_alarms(&self) {
        self.named_objects.ring(self.now()).await;
    }

    /// Delivers the messages waiting, in one batch; those that are not acknowledged wait again. How many do.
    pub async fn deliver(&self) -> usize {
        self.deliver_times(1).await
    }

    /// Does a batch of messages; the outcomes in the order of the messages.
    pub async fn do_jobs(&self, messages: Vec<Value>) -> Vec<DeliveryOutcome> {
        let mut outcomes = Vec::new();
        self.app.do_jobs(messages, |place, outcome| outcomes.push((place, outcome))).await;
        outcomes.sort_by_key(|(place, _)| *place);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Delivers the messages waiting twice, as a queue may.
    pub async fn deliver_twice(&self) -> usize {
        self.deliver_times(2).await
    }

    async fn deliver_times(&self, times: usize) -> usize {
        let messages = self.queue.take();
        let mut outcomes = Vec::new();
        for _ in 0..times {
            outcomes = self.do_jobs(messages.clone()).await;
        }
        let retried: Vec<_> = messages
            .into_iter()
            .zip(outcomes)
            .filter(|(_, outcome)| *outcome == DeliveryOutcome::Retry)
            .map(|(message, _)| message)
            .collect();
        let count = retried.len();
        self.queue.put_back(retried);
        count
    }

    /// Runs one sweep, now.
    ///
    /// # Errors
    /// Those of all sweeps.
    pub async fn run_sweep(&self, name: &str) -> Result<SweepReport> {
        let sweep = cutty::sweeps::named(name).expect("a sweep");
        self.run_sweeps(&[sweep], self.now(), Subrequests::of_event()).await
    }

    /// Fails, naming each violation, unless rows and objects agree.
    pub fn assert_sound(&self) {
        let violations = fsck(self);
        assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
    }
}

impl Deref for TestApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

/// Does `work` once for every call it makes to a port and every way in which that call can go wrong, each time on an
/// application fresh from `prepare`, and then lets `check` look at what is left, the faults gone.
///
/// `check` is told what went wrong. Returns how many calls were broken, so that a test can say that there were some.
pub async fn break_every_call(
    prepare: impl AsyncFn() -> TestApp,
    work: impl AsyncFn(&TestApp),
    check: impl AsyncFn(&TestApp, &str),
) -> usize {
    let mut broken = 0;
    for fault in Fault::ALL {
        for nth in 1.. {
            let app = prepare().await;
            app.faults.forget_calls();
            app.faults.inject(fault, On::any(), nth);
            let _crashed = app.faults.until_crash(work(&app)).await.is_none();
            if app.faults.fired() == 0 {
                break;
            }
            let call = app.faults.calls().swap_remove(nth - 1);
            app.faults.clear();
            check(&app, &format!("{fault:?} at call {nth}, {call}")).await;
            broken += 1;
        }
    }
    broken
}

/// Natively nothing enters wasm.
struct NoIsolate;

impl Isolate for NoIsolate {
    fn bytes_into_wasm(&self) -> u64 {
        0
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}

fn config(variables: &[(&str, &str)]) -> Config {
    let all: BTreeMap<String, String> = VARIABLES
        .iter()
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Config::parse(&|name: &str| all.get(name).cloned()).unwrap()
}
