//! A complete application that runs on native doubles.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use chrono::TimeDelta;
use cutty::app::{App, SharedApp};
use cutty::auth::mailbox::DevelopmentMailbox;
use cutty::config::Config;
use cutty::domain::budget::CallBudget;
use cutty::domain::time::Timestamp;
use cutty::error::Result;
use cutty::jobs::job::DeliveryOutcome;
use cutty::ports::{Email, Isolate};
use cutty::sweeps::SweepReport;
use futures_util::FutureExt;
use serde_json::Value;

use super::clock::ManualClock;
use super::database::MemoryDatabase;
use super::email::RecordingEmail;
use super::faults::{Fault, Faults, On};
use super::fsck::fsck;
use super::hashing::NativeHashing;
use super::limits::CountingLimits;
use super::log::RecordingLog;
use super::named_objects::MemoryObjectsByName;
use super::objects::MemoryObjects;
use super::queue::RecordingQueue;
use super::random::SeededRandom;
use super::scanner::TestScanner;

/// The bearer token that gives access to `/api/admin` without an account.
pub const OPERATOR_TOKEN: &str = "operator-of-tests-0123456789abcdef";

/// The variables that each application has, unless a test changes them.
///
/// The clock of a test stands still, so the rate limits are a thousand times higher than by default.
const VARIABLES: [(&str, &str); 8] = [
    ("JWT_SECRET", "a secret of tests, 32 bytes or more"),
    ("OPERATOR_TOKEN", OPERATOR_TOKEN),
    ("CUTS_PER_MINUTE", "120000"),
    ("SCAN_BYTES_PER_HOUR", "100000000000000"),
    ("UPLOADS_PER_MINUTE", "600000"),
    ("SIGN_UPS_PER_HOUR", "20000"),
    ("SIGN_IN_FREE_FAILURES", "3000"),
    ("SHARES_PER_MINUTE", "60000"),
];

/// The application and the doubles that it runs on. A `TestApp` dereferences to [`App`].
pub struct TestApp {
    pub app: SharedApp,
    pub faults: Faults,
    pub database: Arc<MemoryDatabase>,
    pub objects: Arc<MemoryObjects>,
    pub queue: Arc<RecordingQueue>,
    /// Gets the messages if the configuration has `EMAIL_FROM` and `PUBLIC_URL`.
    pub email: Arc<RecordingEmail>,
    pub named_objects: Arc<MemoryObjectsByName>,
    pub limits: Arc<CountingLimits>,
    pub clock: Arc<ManualClock>,
    pub random: Arc<SeededRandom>,
    pub scanner: Arc<TestScanner>,
    pub log: Arc<RecordingLog>,
}

impl TestApp {
    /// Creates an application with the default configuration.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// Creates an application with these variables set, as `[vars]` in `wrangler.toml` would set them.
    pub fn with(variables: &[(&str, &str)]) -> Self {
        Self::configured(config(variables))
    }

    /// Creates an application with the default configuration, but with upload parts of `bytes` bytes. Its object store
    /// accepts parts of any length, so tests can use small files.
    pub fn with_parts_of(bytes: u64) -> Self {
        let app = Self::configured(Config { max_chunk_size_bytes: bytes, ..config(&[]) });
        app.objects.set_min_part_bytes(1);
        app
    }

    /// Creates an application with upload parts of `bytes` bytes that keeps its messages in the mailbox.
    pub fn with_parts_and_mailbox(bytes: u64) -> Self {
        let config = config(&[("EMAIL_MAILBOX", "true")]);
        let app = Self::configured(Config { max_chunk_size_bytes: bytes, ..config });
        app.objects.set_min_part_bytes(1);
        app
    }

    /// Creates an application with this configuration.
    pub fn configured(config: Config) -> Self {
        let faults = Faults::default();
        let clock = ManualClock::new();
        let database = MemoryDatabase::new(faults.clone());
        let objects = MemoryObjects::new(faults.clone(), clock.clone());
        let queue = RecordingQueue::new(faults.clone());
        let named_objects = MemoryObjectsByName::new(faults.clone());
        let email = RecordingEmail::new();
        let limits = CountingLimits::new();
        let random = SeededRandom::new(1);
        let scanner = TestScanner::new(faults.clone());
        let log = RecordingLog::new();
        let app = Arc::new(App {
            email: email_of(&config, &database, &email),
            config,
            objects: objects.clone(),
            database: database.clone(),
            cache: Arc::default(),
            queue: queue.clone(),
            named_objects: named_objects.clone(),
            limits: limits.clone(),
            hashing: Arc::new(NativeHashing),
            scanner: Some(scanner.clone()),
            scanner_check: Arc::default(),
            waiting: Default::default(),
            refusals: Arc::default(),
            memory: Arc::default(),
            checks: Arc::default(),
            switches: Arc::default(),
            isolate: Arc::new(NoIsolate),
            clock: clock.clone(),
            random: random.clone(),
            log: log.clone(),
        });
        named_objects.run_in(&app);
        know_switches(&app);
        faults.forget_calls();
        Self {
            app,
            faults,
            database,
            objects,
            queue,
            email,
            named_objects,
            limits,
            clock,
            random,
            scanner,
            log,
        }
    }

    /// Removes the operator token.
    #[must_use]
    pub fn without_operator_token(self) -> Self {
        let mut config = self.config.clone();
        config.operator_token = None;
        self.under(config)
    }

    /// Changes the variables and keeps the stored state, as a deploy does. Also keeps the waiting messages and the
    /// faults.
    #[must_use]
    pub fn reconfigured(self, variables: &[(&str, &str)]) -> Self {
        self.under(config(variables))
    }

    fn under(mut self, config: Config) -> Self {
        let app = Arc::new(App {
            email: email_of(&config, &self.database, &self.email),
            config,
            objects: self.objects.clone(),
            database: self.database.clone(),
            cache: Arc::default(),
            queue: self.queue.clone(),
            named_objects: self.named_objects.clone(),
            limits: self.limits.clone(),
            hashing: Arc::new(NativeHashing),
            scanner: Some(self.scanner.clone()),
            scanner_check: Arc::default(),
            waiting: Default::default(),
            refusals: Arc::default(),
            memory: Arc::default(),
            checks: Arc::default(),
            switches: Arc::default(),
            isolate: Arc::new(NoIsolate),
            clock: self.clock.clone(),
            random: self.random.clone(),
            log: self.log.clone(),
        });
        self.named_objects.run_in(&app);
        know_switches(&app);
        self.app = app;
        self
    }

    /// Returns the time of the test clock, in the form in which it is stored.
    pub fn now(&self) -> Timestamp {
        self.clock.timestamp()
    }

    /// Moves the test clock forward.
    pub fn advance(&self, delta: TimeDelta) {
        self.clock.advance(delta);
    }

    /// Lets the isolate read the switches, if what it knows is too old.
    pub fn know_switches(&self) {
        know_switches(&self.app);
    }

    /// Runs the alarm of each upload session whose alarm is due.
    pub async fn ring_alarms(&self) {
        self.named_objects.ring(self.now()).await;
    }

    /// Delivers the waiting messages in one batch. Puts the messages that must be retried back into the queue and
    /// returns their number.
    pub async fn deliver(&self) -> usize {
        self.deliver_times(1).await
    }

    /// Handles a batch of messages. Returns the outcomes in the order of the messages.
    pub async fn do_jobs(&self, messages: Vec<Value>) -> Vec<DeliveryOutcome> {
        let mut outcomes = Vec::new();
        self.app.do_jobs(messages, |place, outcome| outcomes.push((place, outcome))).await;
        outcomes.sort_by_key(|(place, _)| *place);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Delivers the waiting messages twice, because a queue may deliver a message more than once. Puts the messages
    /// that must be retried after the second delivery back into the queue and returns their number.
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

    /// Runs one sweep now.
    ///
    /// # Errors
    /// The error of [`App::run_sweeps`].
    pub async fn run_sweep(&self, name: &str) -> Result<SweepReport> {
        let sweep = cutty::sweeps::named(name).expect("no sweep has this name");
        self.run_sweeps(&[sweep], self.now(), CallBudget::of_event()).await
    }

    /// Panics with a list of the violations unless rows, objects and quotas agree.
    pub fn assert_consistent(&self) {
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

/// Runs `work` once for each pair of a [`Fault`] and a call that `work` makes to a port. Each run injects one fault
/// into one call.
///
/// Each run uses a new application from `prepare`. After the run, the faults are removed, and `check` inspects the
/// application. The second argument of `check` names the fault and the call. Returns the number of runs, so that a test
/// can check that `work` made calls.
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

/// An isolate that reports 0 bytes, because a native build has no wasm memory.
struct NoIsolate;

impl Isolate for NoIsolate {
    fn bytes_into_wasm(&self) -> u64 {
        0
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}

/// The running named objects hold the application, and the application holds them. Without this, no application of a test
/// would ever be freed, and a run of all tests would need 16 GB.
impl Drop for TestApp {
    fn drop(&mut self) {
        self.named_objects.evict();
    }
}

/// Lets the application read the switches, as the first request of an isolate does. So the calls of later requests do not
/// depend on their order.
fn know_switches(app: &App) {
    app.refresh_switches().now_or_never().expect("the database responds at once");
}

/// Returns the email service that the configuration chooses.
fn email_of(
    config: &Config,
    database: &Arc<MemoryDatabase>,
    email: &Arc<RecordingEmail>,
) -> Option<Arc<dyn Email>> {
    match (config.email_mailbox, &config.email_from, &config.public_url) {
        (true, ..) => Some(Arc::new(DevelopmentMailbox::new(database.clone()))),
        (false, Some(_), Some(_)) => Some(email.clone()),
        _ => None,
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
