//! Upload sessions as Durable Objects, and the way to them.
//!
//! **Atomicity.** An object runs on one thread. Its rows are written by synchronous calls; those between two awaits
//! become durable together, and no answer leaves before they are. While a body is read or a part is on its way to the
//! store, other requests of the object run, which [`Session`] orders.
//!
//! A command travels as JSON in a header, base64 because headers are not Unicode; its bytes are the request's body, the
//! client's own stream handed on.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::send::SendFuture;
use worker::{DurableObject, Env, ObjectNamespace, Request, Response, State, durable_object};

use super::bytes::{NativeStream, Side};
use super::js::{SyncRows, error_text, object};
use super::wiring::wire;
use crate::body::stream::NativeBody;
use crate::domain::ids::AttemptId;
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::ports::{SessionStore, StoreError, Uploads};
use crate::storage::resumable::session::Session;
use crate::storage::resumable::{Command, Progress};

const COMMAND: &str = "x-command";

/// One upload.
#[durable_object(alarm)]
pub struct UploadSession {
    state: State,
    env: Env,
    session: OnceLock<Arc<Session>>,
}

impl UploadSession {
    fn session(&self) -> Result<Arc<Session>> {
        if let Some(session) = self.session.get() {
            return Ok(session.clone());
        }
        let app = wire(&self.env).map_err(Problem::internal)?;
        let store = Arc::new(Rows::open(&self.state).map_err(|error| Problem::internal(error_text(&error)))?);
        Ok(self.session.get_or_init(|| Arc::new(Session::new(app, store))).clone())
    }

    async fn carry_out(&self, request: &Request) -> Answer {
        let unreadable = || Problem::internal("a command that cannot be read");
        let command = request.headers().get(COMMAND).ok().flatten().ok_or_else(unreadable)?;
        let command = STANDARD.decode(command).map_err(Problem::internal)?;
        let command = serde_json::from_slice(&command).map_err(Problem::internal)?;
        let body = request.inner().body().map(|stream| {
            let body: Box<dyn NativeBody> = Box::new(NativeStream::new(stream, Side::Client));
            body
        });
        self.session()?.handle(command, body).await
    }
}

impl DurableObject for UploadSession {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, session: OnceLock::new() }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let answer = self.carry_out(&request).await;
        Response::from_json(&answer)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        let outcome = match self.session() {
            Ok(session) => session.alarm().await,
            Err(problem) => Err(problem),
        };
        match outcome {
            Ok(()) => Response::empty(),
            // The runtime rings again.
            Err(problem) => Err(worker::Error::RustError(problem.to_string())),
        }
    }
}

/// The rows of one session.
struct Rows {
    storage: JsValue,
    rows: SyncRows,
}

unsafe impl Send for Rows {}
unsafe impl Sync for Rows {}

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
impl SessionStore for Rows {
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

    async fn wake_at(&self, time: Timestamp) -> std::result::Result<(), StoreError> {
        let ms = time.instant().timestamp_millis() as f64;
        SendFuture::new(self.call("setAlarm", &Array::of1(&ms.into()))).await
    }

    async fn clear(&self) -> std::result::Result<(), StoreError> {
        SendFuture::new(self.call("deleteAll", &Array::new())).await
    }
}

fn failed(error: &JsValue) -> StoreError {
    StoreError(format!("upload session's rows: {}", error_text(error)))
}
