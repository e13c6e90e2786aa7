//! The code that all Durable Objects share. `Shell` passes the requests and alarms of a Durable Object to the code of
//! its class ([`NamedObject`]). `Rows` reads and writes the rows of the object.
//!
//! **Atomicity.** An object runs on one thread and writes its rows with synchronous calls. All writes between two
//! awaits become durable together, and the runtime sends no response before they are durable. While one request of an
//! object waits (for example for its body), other requests of the object run. If the order of the requests matters, the
//! code of the class must keep the order.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::send::SendFuture;
use worker::{Env, Request, Response, State};

use super::bytes::{NativeStream, Side};
use super::js::{SyncRows, error_text, object};
use super::named_objects::{COMMAND, Reply};
use super::wiring::wire;
use crate::body::stream::NativeBody;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::named_objects::open;
use crate::ports::{NamedObject, ObjectClass, ObjectStorage, StoreError};

/// Passes the requests and alarms of a Durable Object of any class to the code of the class.
pub struct Shell {
    class: ObjectClass,
    state: State,
    env: Env,
    object: OnceLock<Arc<dyn NamedObject>>,
}

impl Shell {
    /// Creates the shell of an object of `class`.
    pub fn new(class: ObjectClass, state: State, env: Env) -> Self {
        Self { class, state, env, object: OnceLock::new() }
    }

    /// Executes the command that the request contains, and returns the reply as JSON.
    ///
    /// # Errors
    /// The reply cannot be written as JSON. A problem that the object returns is sent as the reply and is not an error.
    pub async fn fetch(&self, request: &Request) -> worker::Result<Response> {
        Response::from_json(&self.execute(request).await)
    }

    /// Runs the alarm of the object. If this function returns an error, the runtime calls the function again later.
    pub async fn alarm(&self) -> worker::Result<Response> {
        let outcome = match self.object() {
            Ok(object) => object.alarm().await,
            Err(problem) => Err(problem),
        };
        match outcome {
            Ok(()) => Response::empty(),
            Err(problem) => Err(worker::Error::RustError(problem.to_string())),
        }
    }

    fn object(&self) -> Result<Arc<dyn NamedObject>> {
        if let Some(object) = self.object.get() {
            return Ok(object.clone());
        }
        let app = wire(&self.env).map_err(Problem::internal)?;
        let storage = Rows::open(&self.state).map_err(|error| Problem::internal(error_text(&error)))?;
        Ok(self.object.get_or_init(|| open(self.class, app, Arc::new(storage))).clone())
    }

    async fn execute(&self, request: &Request) -> Reply {
        let unreadable = || Problem::internal("the request has no readable command");
        let command = request.headers().get(COMMAND).ok().flatten().ok_or_else(unreadable)?;
        let command = STANDARD.decode(command).map_err(Problem::internal)?;
        let command = serde_json::from_slice(&command).map_err(Problem::internal)?;
        let body = request.inner().body().map(|stream| {
            let body: Box<dyn NativeBody> = Box::new(NativeStream::new(stream, Side::Client));
            body
        });
        self.object()?.call(command, body).await
    }
}

/// The rows of one object.
struct Rows {
    storage: JsValue,
    rows: SyncRows,
}

impl Rows {
    fn open(state: &State) -> std::result::Result<Self, JsValue> {
        let storage: JsValue = state.as_raw().storage()?.into();
        let rows = js_sys::Reflect::get(&storage, &"kv".into())?.unchecked_into();
        Ok(Self { storage, rows })
    }

    async fn call(&self, method: &str, arguments: &Array) -> std::result::Result<(), StoreError> {
        let called = js_sys::Reflect::get(&self.storage, &method.into())
            .and_then(|method| method.unchecked_into::<js_sys::Function>().apply(&self.storage, arguments));
        let promise = js_sys::Promise::resolve(&called.map_err(|error| failed(&error))?);
        JsFuture::from(promise).await.map(drop).map_err(|error| failed(&error))
    }
}

#[async_trait]
impl ObjectStorage for Rows {
    fn get(&self, name: &str) -> std::result::Result<Option<Vec<u8>>, StoreError> {
        let value = self.rows.get(name).map_err(|error| failed(&error))?;
        Ok((!value.is_undefined()).then(|| Uint8Array::new(&value).to_vec()))
    }

    fn put(&self, name: &str, value: &[u8]) -> std::result::Result<(), StoreError> {
        self.rows.put(name, &Uint8Array::from(value)).map_err(|error| failed(&error))
    }

    fn delete(&self, name: &str) -> std::result::Result<(), StoreError> {
        self.rows.delete(name).map(drop).map_err(|error| failed(&error))
    }

    fn names(&self, prefix: &str) -> std::result::Result<Vec<String>, StoreError> {
        let found = self.rows.list(&object(&[("prefix", prefix.into())])).map_err(|error| failed(&error))?;
        let pairs = js_sys::try_iter(&found).map_err(|error| failed(&error))?.into_iter().flatten();
        let name = |pair: std::result::Result<JsValue, JsValue>| {
            let pair = pair.map_err(|error| failed(&error))?;
            Ok(Array::from(&pair).get(0).as_string().unwrap_or_default())
        };
        pairs.map(name).collect()
    }

    async fn set_alarm(&self, time: Timestamp) -> std::result::Result<(), StoreError> {
        let ms = time.instant().timestamp_millis() as f64;
        SendFuture::new(self.call("setAlarm", &Array::of1(&ms.into()))).await
    }

    async fn clear(&self) -> std::result::Result<(), StoreError> {
        SendFuture::new(self.call("deleteAll", &Array::new())).await
    }
}

fn failed(error: &JsValue) -> StoreError {
    StoreError::from_message(format!("rows of a named object: {}", error_text(error)))
}
