//! Calls named objects, which are Durable Objects.
//!
//! A call is an HTTP request to the object. A header contains the command as JSON, encoded in base64 because header
//! values cannot contain Unicode. If the client's request has a body, the stream of this body is sent unchanged as the
//! body of the request to the object.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use wasm_bindgen::{JsCast, JsValue};
use worker::send::SendFuture;
use worker::{Env, ObjectNamespace};

use super::bytes::NativeStream;
use super::js::{error_text, object};
use crate::body::stream::NativeBody;
use crate::error::{Problem, Result};
use crate::ports::{NamedObjects, ObjectClass};

/// The header that contains the command.
pub(super) const COMMAND: &str = "x-command";

/// The reply of a named object, sent as JSON.
pub(super) type Reply = std::result::Result<Value, Problem>;

/// The Durable Object bindings of all classes.
pub struct DurableObjects {
    upload_sessions: ObjectNamespace,
    rate_limiters: ObjectNamespace,
}

impl DurableObjects {
    /// Looks up the binding of each class.
    ///
    /// # Errors
    /// A binding is missing.
    pub fn bound(env: &Env) -> worker::Result<Self> {
        let namespace = |class: ObjectClass| env.durable_object(class.names().1);
        Ok(Self {
            upload_sessions: namespace(ObjectClass::UploadSession)?,
            rate_limiters: namespace(ObjectClass::RateLimiter)?,
        })
    }

    fn namespace(&self, class: ObjectClass) -> &ObjectNamespace {
        match class {
            ObjectClass::UploadSession => &self.upload_sessions,
            ObjectClass::RateLimiter => &self.rate_limiters,
        }
    }

    async fn send_command(
        &self,
        class: ObjectClass,
        name: &str,
        command: &Value,
        body: Option<Box<dyn NativeBody>>,
    ) -> Reply {
        // The part after a colon may be made from an address. It does not belong into the log.
        let shown = name.split(':').next().unwrap_or_default();
        let lost =
            |error: worker::Error| Problem::unavailable(format!("{} {shown}: {error}", class.names().0));
        let request = request(command, body)?;
        let stub = self.namespace(class).get_by_name(name).map_err(lost)?;
        let mut response = stub.fetch_with_request(request.into()).await.map_err(lost)?;
        let text = response.text().await.map_err(lost)?;
        serde_json::from_str::<Reply>(&text)
            .map_err(|error| Problem::unavailable(format!("{} {shown}: {error}: {text}", class.names().0)))?
    }
}

#[async_trait]
impl NamedObjects for DurableObjects {
    async fn call(
        &self,
        class: ObjectClass,
        name: &str,
        command: Value,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Value> {
        SendFuture::new(self.send_command(class, name, &command, body)).await
    }
}

fn request(command: &Value, body: Option<Box<dyn NativeBody>>) -> Result<web_sys::Request> {
    let refused = |error: JsValue| Problem::internal(error_text(&error));
    let command = STANDARD.encode(command.to_string());
    let headers = object(&[(COMMAND, command.into())]);
    let init = object(&[("method", "POST".into()), ("headers", headers.into())]);
    if let Some(body) = body {
        let foreign = |_| Problem::internal("the body is not a stream of the runtime");
        let stream = body.into_any().downcast::<NativeStream>().map_err(foreign)?;
        let stream =
            stream.untouched().ok_or_else(|| Problem::internal("reading of the body has already begun"))?;
        js_sys::Reflect::set(&init, &"body".into(), stream).map_err(refused)?;
    }
    web_sys::Request::new_with_str_and_init("https://named-object/", init.unchecked_ref()).map_err(refused)
}
