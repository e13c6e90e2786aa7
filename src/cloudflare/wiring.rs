//! Connects the ports to the bindings of the platform.

use std::sync::{Arc, LazyLock};

use wasm_bindgen::JsCast;
use worker::Env;

use super::clock::{ConsoleLog, WorkerClock, WorkerRandom};
use super::d1::D1;
use super::hash::NativeHashing;
use super::isolate::{MEMORY, WasmIsolate};
use super::js::R2Bucket;
use super::limits::RateLimits;
use super::named_objects::DurableObjects;
use super::queue::CloudflareQueue;
use super::r2::R2Store;
use crate::app::{App, SharedApp};
use crate::cache::FileCache;
use crate::config::Config;
use crate::integrity::write_check::WriteCheck;

/// The file cache. All events of an isolate share it.
static CACHE: LazyLock<Arc<FileCache>> = LazyLock::new(Arc::default);

/// The time and the result of the last check whether Cutty can write to the object store. All requests of an isolate
/// use this result.
static WRITE_CHECK: LazyLock<Arc<WriteCheck>> = LazyLock::new(Arc::default);

/// Creates the application from the environment's bindings. This function runs for each event, so it must be fast.
///
/// # Errors
/// A text for the operator. The text names the setting or the binding that is missing or invalid.
pub fn wire(env: &Env) -> Result<SharedApp, String> {
    let variable = |name: &str| env.var(name).ok().map(|value| value.to_string());
    let config = Config::parse(&variable).map_err(|error| error.to_string())?;
    let missing = |error: worker::Error| format!("binding: {error}");
    let bucket = env.bucket("FILES_BUCKET").map_err(missing)?;
    Ok(Arc::new(App {
        config,
        objects: Arc::new(R2Store::new(wasm_bindgen::JsValue::from(bucket).unchecked_into::<R2Bucket>())),
        database: Arc::new(D1::new(env.d1("DB").map_err(missing)?)),
        cache: CACHE.clone(),
        queue: Arc::new(CloudflareQueue::new(env.queue("JOBS").map_err(missing)?)),
        named_objects: Arc::new(DurableObjects::bound(env).map_err(missing)?),
        limits: Arc::new(RateLimits::bound(env).map_err(missing)?),
        hashing: Arc::new(NativeHashing),
        memory: MEMORY.clone(),
        write_check: WRITE_CHECK.clone(),
        isolate: Arc::new(WasmIsolate),
        clock: Arc::new(WorkerClock),
        random: Arc::new(WorkerRandom),
        log: Arc::new(ConsoleLog),
    }))
}
