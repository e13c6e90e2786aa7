//! The events of the Worker: requests, batches of queue messages, and cron events.

use chrono::DateTime;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::{Context, Env, MessageBatch, MessageExt, RawMessage, ScheduleContext, ScheduledEvent};

use super::bytes::{NativeStream, Side};
use super::clock::{WorkerClock, WorkerRandom, write_log};
use super::js::error_text;
use super::respond::respond;
use super::wiring::wire;
use crate::auth::keys::KeyUse;
use crate::body::stream::NativeBody;
use crate::domain::ids::{EventId, FreshId};
use crate::domain::log::LogLine;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem};
use crate::http::safe_headers::{self, REQUEST_ID};
use crate::http::text;
use crate::jobs::job::DeliveryOutcome;
use crate::ports::{Clock, Random};
use crate::routes;
use crate::routes::extract::limits::Settlements;

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
    let headers = read_headers(&request);
    let app = match wire(&env) {
        Ok(app) => app,
        Err(problem) => return misconfigured(&problem, &headers.unwrap_or_default()),
    };
    let recorder = app.clone();
    let (parts, body) = match headers.and_then(|headers| read_head(&request, headers)) {
        Ok(head) => routes::handle(app, head, body).await,
        Err(reason) => {
            let headers = read_headers(&request).unwrap_or_default();
            let detail = format!("The request cannot be read: {reason}. Correct its URL, method or headers.");
            routes::refuse_unrouted(&app, &headers, &detail).await
        }
    };
    let response = respond(&parts, body, &context).map_err(worker::Error::from)?;
    let used = parts.extensions.get::<KeyUse>().cloned();
    let settlements = parts.extensions.get::<Settlements>().cloned();
    let settled = recorder.clone();
    context.wait_until(async move {
        if let Some(settlements) = settlements {
            settlements.settle(&settled).await;
        }
    });
    context.wait_until(async move {
        recorder.audit().send_waiting().await;
        if let Some(used) = used {
            recorder.keys().record_use(&used).await;
        }
    });
    Ok(response)
}

/// Reads all headers. If a value is not a valid header value, [`text::header_value`] keeps it in a form that the router
/// refuses.
fn read_headers(request: &web_sys::Request) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for entry in request.headers().entries() {
        let pair = js_sys::Array::from(&entry.map_err(|error| error_text(&error))?);
        let (Some(name), Some(value)) = (pair.get(0).as_string(), pair.get(1).as_string()) else {
            return Err("a header is not text".to_owned());
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        headers.append(name, text::header_value(&value));
    }
    restore_accept_encoding(request, &mut headers);
    Ok(headers)
}

fn read_head(request: &web_sys::Request, headers: HeaderMap) -> Result<Request<()>, String> {
    let method = Method::from_bytes(request.method().as_bytes()).map_err(|error| error.to_string())?;
    let mut head =
        Request::builder().method(method).uri(request.url()).body(()).map_err(|error| error.to_string())?;
    *head.headers_mut() = headers;
    Ok(head)
}

/// Sets `Accept-Encoding` to the value that the client sent. The runtime replaces the client's header by a fixed value
/// and keeps the client's value in `request.cf`. A client must not get a content coding that it did not ask for.
fn restore_accept_encoding(request: &web_sys::Request, headers: &mut HeaderMap) {
    headers.remove(ACCEPT_ENCODING);
    let cf = js_sys::Reflect::get(request, &"cf".into()).unwrap_or_default();
    let sent =
        js_sys::Reflect::get(&cf, &"clientAcceptEncoding".into()).ok().and_then(|sent| sent.as_string());
    if let Some(sent) = sent.filter(|sent| !sent.is_empty()) {
        headers.insert(ACCEPT_ENCODING, text::header_value(&sent));
    }
}

/// Responds with 503 because the configuration is invalid. The reason is only in the log.
fn misconfigured(problem: &str, headers: &HeaderMap) -> worker::Result<web_sys::Response> {
    let request_id = safe_headers::request_id(headers).map_or_else(fresh_request_id, str::to_owned);
    let line = LogLine::error("the service is not configured").with("request_id", request_id.as_str());
    write_log(line.caused_by(problem));
    let detail = "The service is not configured. Its operator finds the reason in the log.";
    let problem = Problem::new(Code::Unavailable, detail);
    let document = problem.document("/", &request_id).to_string();
    let response = worker::Response::error(document, problem.code().status().as_u16())?;
    let mut defaults = HeaderMap::new();
    safe_headers::add_defaults(&mut defaults, 0);
    defaults.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    defaults.insert(REQUEST_ID, text::header_value(&request_id));
    for (name, value) in &defaults {
        response.headers().set(name.as_str(), value.to_str().unwrap_or_default())?;
    }
    Ok(response.into())
}

fn fresh_request_id() -> String {
    let mut random = [0; 10];
    WorkerRandom.fill(&mut random);
    let unix_ms = u64::try_from(WorkerClock.now().timestamp_millis()).unwrap_or(0);
    EventId::fresh(unix_ms, &random).to_string()
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
