//! Connects the ports to the bindings of the platform.

use std::sync::{Arc, LazyLock};

use wasm_bindgen::JsCast;
use worker::Env;

use super::clock::{ConsoleLog, WorkerClock, WorkerRandom};
use super::d1::D1;
use super::email::CloudflareEmail;
use super::hash::NativeHashing;
use super::isolate::{MEMORY, WasmIsolate};
use super::js::R2Bucket;
use super::limits::RateLimits;
use super::named_objects::DurableObjects;
use super::queue::CloudflareQueue;
use super::r2::R2Store;
use super::scanner::HttpScanner;
use crate::app::{App, SharedApp};
use crate::audit::refusals::RefusalCounts;
use crate::audit::waiting::WaitingMessages;
use crate::auth::mailbox::DevelopmentMailbox;
use crate::cache::FileCache;
use crate::config::Config;
use crate::health::checks::HealthChecks;
use crate::ports::ContentScanner;
use crate::ports::{Database, Email};
use crate::scanning::check::ScannerCheck;
use crate::switches::known::KnownSwitches;

/// The file cache. All events of an isolate share it.
static CACHE: LazyLock<Arc<FileCache>> = LazyLock::new(Arc::default);

/// Outcomes of health checks. All requests of an isolate share them.
static CHECKS: LazyLock<Arc<HealthChecks>> = LazyLock::new(Arc::default);

/// What the isolate knows about the switches. All requests use it.
static SWITCHES: LazyLock<Arc<KnownSwitches>> = LazyLock::new(Arc::default);

/// Counts of refused requests. All events of an isolate share them.
static REFUSALS: LazyLock<Arc<RefusalCounts>> = LazyLock::new(Arc::default);

/// The time and the outcome of the last scan. All requests of an isolate use this outcome.
static SCANNER_CHECK: LazyLock<Arc<ScannerCheck>> = LazyLock::new(Arc::default);

/// Creates the application from the environment's bindings. This function runs for each event, so it must be fast.
///
/// # Errors
/// A text for the operator. The text names the setting or the binding that is missing or invalid.
pub fn wire(env: &Env) -> Result<SharedApp, String> {
    let variable = |name: &str| env.var(name).ok().map(|value| value.to_string());
    let config = Config::parse(&variable).map_err(|error| error.to_string())?;
    let missing = |error: worker::Error| format!("binding: {error}");
    let bucket = env.bucket("FILES_BUCKET").map_err(missing)?;
    let database: Arc<dyn Database> = Arc::new(D1::new(env.d1("DB").map_err(missing)?));
    let email = email(env, &config, &database);
    let scanner = config.scanning.as_ref().map(|settings| {
        let scanner: Arc<dyn ContentScanner> = Arc::new(HttpScanner::new(settings));
        scanner
    });
    Ok(Arc::new(App {
        config,
        email,
        objects: Arc::new(R2Store::new(wasm_bindgen::JsValue::from(bucket).unchecked_into::<R2Bucket>())),
        database,
        cache: CACHE.clone(),
        queue: Arc::new(CloudflareQueue::new(env.queue("JOBS").map_err(missing)?)),
        named_objects: Arc::new(DurableObjects::bound(env).map_err(missing)?),
        limits: Arc::new(RateLimits::bound(env).map_err(missing)?),
        hashing: Arc::new(NativeHashing),
        scanner,
        scanner_check: SCANNER_CHECK.clone(),
        waiting: WaitingMessages::default(),
        refusals: REFUSALS.clone(),
        memory: MEMORY.clone(),
        checks: CHECKS.clone(),
        switches: SWITCHES.clone(),
        isolate: Arc::new(WasmIsolate),
        clock: Arc::new(WorkerClock),
        random: Arc::new(WorkerRandom),
        log: Arc::new(ConsoleLog),
    }))
}

/// Returns the mailbox of a development server, or the binding that sends email. `None` if a setting or the binding is
/// missing: then Cutty sends no email.
fn email(env: &Env, config: &Config, database: &Arc<dyn Database>) -> Option<Arc<dyn Email>> {
    if config.email_mailbox {
        return Some(Arc::new(DevelopmentMailbox::new(database.clone())));
    }
    let (from, Some(_)) = (config.email_from.as_deref()?, &config.public_url) else { return None };
    CloudflareEmail::bound(env, from).map(|email| Arc::new(email) as Arc<dyn Email>)
}
