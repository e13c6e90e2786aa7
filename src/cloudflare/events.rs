//! The events of the Worker: requests, batches of queue messages, and cron events.

use chrono::DateTime;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::{Context, Env, MessageBatch, MessageExt, RawMessage, ScheduleContext, ScheduledEvent};

use super::bytes::{NativeStream, Side};
use super::clock::write_log;
use super::js::error_text;
use super::respond::respond;
use super::wiring::wire;
use crate::body::stream::NativeBody;
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::jobs::job::DeliveryOutcome;
use crate::routes;

/// Handles a request. Takes the body first, before other code can lock its stream.
///
/// # Errors
/// The runtime refused the response. No client can cause this error.
pub async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    let body = request.body().map(|stream| {
        let body: Box<dyn NativeBody> = Box::new(NativeStream::new(stream, Side::Client));
        body
    });
    let app = match wire(&env) {
        Ok(app) => app,
        Err(problem) => return misconfigured(&problem),
    };
    let head = match read_head(&request) {
        Ok(head) => head,
        Err(reason) => {
            return static_problem(400, "bad_request", &format!("The request cannot be read: {reason}."));
        }
    };
    let (parts, body) = routes::handle(app, head, body).await;
    respond(&parts, body, &context).map_err(worker::Error::from)
}

fn read_head(request: &web_sys::Request) -> Result<Request<()>, String> {
    let method = Method::from_bytes(request.method().as_bytes()).map_err(|error| error.to_string())?;
    let mut head =
        Request::builder().method(method).uri(request.url()).body(()).map_err(|error| error.to_string())?;
    for entry in request.headers().entries() {
        let pair = js_sys::Array::from(&entry.map_err(|error| error_text(&error))?);
        let (name, value) = (pair.get(0).as_string(), pair.get(1).as_string());
        let name = name.and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        let value = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
        if let (Some(name), Some(value)) = (name, value) {
            head.headers_mut().append(name, value);
        }
    }
    restore_accept_encoding(request, head.headers_mut());
    Ok(head)
}

/// Sets `Accept-Encoding` to the value that the client sent. The runtime replaces the client's header by a fixed value
/// and keeps the client's value in `request.cf`. A client must not get a content coding that it did not ask for.
fn restore_accept_encoding(request: &web_sys::Request, headers: &mut HeaderMap) {
    headers.remove(ACCEPT_ENCODING);
    let cf = js_sys::Reflect::get(request, &"cf".into()).unwrap_or_default();
    let sent =
        js_sys::Reflect::get(&cf, &"clientAcceptEncoding".into()).ok().and_then(|sent| sent.as_string());
    let sent = sent.filter(|sent| !sent.is_empty()).and_then(|sent| HeaderValue::from_str(&sent).ok());
    if let Some(sent) = sent {
        headers.insert(ACCEPT_ENCODING, sent);
    }
}

/// Responds with 503 because the configuration is invalid. Only the log contains the reason.
fn misconfigured(problem: &str) -> worker::Result<web_sys::Response> {
    write_log(LogLine::error("the service is not configured").caused_by(problem));
    static_problem(
        503,
        "unavailable",
        "The service is not configured. Its operator finds the reason in the log.",
    )
}

/// Creates the problem for a request that is refused before it reaches the router.
fn static_problem(status: u16, code: &str, detail: &str) -> worker::Result<web_sys::Response> {
    let document = serde_json::json!({
        "type": format!("/problems/{code}"), "title": detail, "status": status, "detail": detail, "code": code,
        "error": code, "message": detail, "success": false,
    });
    let response = worker::Response::error(document.to_string(), status)?;
    response.headers().set("content-type", "application/problem+json")?;
    Ok(response.into())
}

/// Handles a batch of queue messages. Each message is acknowledged or retried separately.
///
/// # Errors
/// None: failed messages are retried.
pub async fn queue(batch: MessageBatch<Value>, env: Env, _: Context) -> worker::Result<()> {
    let app = match wire(&env) {
        Ok(app) => app,
        Err(problem) => {
            write_log(
                LogLine::error("the service is not configured; its jobs are retried later")
                    .caused_by(problem),
            );
            batch.retry_all();
            return Ok(());
        }
    };
    let messages: Vec<RawMessage> = batch.raw_iter().collect();
    let bodies = messages.iter().map(|message| json_of(&message.body())).collect();
    let settle = |place: usize, outcome| match (messages.get(place), outcome) {
        (Some(message), DeliveryOutcome::Acknowledge) => message.ack(),
        (Some(message), DeliveryOutcome::Retry) => message.retry(),
        (None, _) => {}
    };
    app.do_jobs(bodies, settle).await;
    Ok(())
}

/// Returns the body of a message; null if the body is not JSON. No job accepts null.
fn json_of(body: &JsValue) -> Value {
    // For `undefined`, `stringify` returns `undefined` and not a text.
    let text = js_sys::JSON::stringify(body).ok().and_then(|text| text.as_string());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Handles a cron event: runs the sweeps with the scheduled time as the current time.
pub async fn scheduled(event: ScheduledEvent, env: Env, _: ScheduleContext) {
    let now = DateTime::from_timestamp_millis(event.schedule() as i64).unwrap_or_default();
    let outcome = match wire(&env) {
        Ok(app) => app.sweep(Timestamp::new(now)).await.map(|_| ()).map_err(|problem| problem.to_string()),
        Err(problem) => Err(problem),
    };
    if let Err(problem) = outcome {
        write_log(LogLine::error("the sweeps did not run").caused_by(problem));
    }
}
