//! The events a Worker has: a request, a batch of queue messages, a tick of the clock.

use chrono::DateTime;
use http::{HeaderName, HeaderValue, Method, Request};
use worker::{Context, Env, MessageBatch, ScheduleContext, ScheduledEvent};

use super::bytes::{NativeStream, Side};
use super::respond::respond;
use super::wiring::wire;
use crate::jobs::Job;
use crate::ports::NativeBody;
use crate::routes;
use crate::time::Timestamp;

/// A request. Its body is taken first, so that nothing else locks it.
///
/// # Errors
/// None that a client can cause.
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
    let head = read_head(&request)?;
    let (parts, body) = routes::handle(app, head, body).await;
    respond(&parts, body, &context).map_err(worker::Error::from)
}

fn read_head(request: &web_sys::Request) -> worker::Result<Request<()>> {
    let method = Method::from_bytes(request.method().as_bytes()).map_err(|error| error.to_string())?;
    let mut head =
        Request::builder().method(method).uri(request.url()).body(()).map_err(|error| error.to_string())?;
    for entry in request.headers().entries() {
        let pair = js_sys::Array::from(&entry?);
        let (name, value) = (pair.get(0).as_string(), pair.get(1).as_string());
        let name = name.and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        let value = value.and_then(|value| HeaderValue::from_str(&value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            head.headers_mut().append(name, value);
        }
    }
    Ok(head)
}

/// An installation that cannot run says what is wrong in its log, and nothing to the client.
fn misconfigured(problem: &str) -> worker::Result<web_sys::Response> {
    worker::console_error!("cutty is not configured: {problem}");
    let document = r#"{"type":"/problems/unavailable","title":"A part of the service is not available","status":503,"detail":"The service is not configured. Its operator finds the reason in the log.","code":"unavailable","error":"unavailable","message":"The service is not configured.","success":false}"#;
    let response = worker::Response::error(document, 503)?;
    response.headers().set("content-type", "application/problem+json")?;
    Ok(response.into())
}

/// A batch of queue messages: acknowledged as a whole, or delivered again.
///
/// # Errors
/// None; a batch that failed is retried.
pub async fn queue(batch: MessageBatch<Job>, env: Env, _: Context) -> worker::Result<()> {
    let outcome = match wire(&env) {
        Ok(app) => {
            let messages: Vec<_> = batch.iter().collect();
            let (known, unknown): (Vec<_>, Vec<_>) = messages.into_iter().partition(Result::is_ok);
            for error in unknown.into_iter().filter_map(Result::err) {
                worker::console_error!("a message that is none of ours was dropped: {error}");
            }
            let jobs = known.into_iter().filter_map(Result::ok).map(worker::Message::into_body).collect();
            app.work_off(jobs).await.map_err(|problem| problem.to_string())
        }
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(()) => batch.ack_all(),
        Err(problem) => {
            worker::console_error!("a batch of jobs failed and will be delivered again: {problem}");
            batch.retry_all();
        }
    }
    Ok(())
}

/// A tick: the sweeps run as of the time it was scheduled for.
pub async fn scheduled(event: ScheduledEvent, env: Env, _: ScheduleContext) {
    let now = DateTime::from_timestamp_millis(event.schedule() as i64).unwrap_or_default();
    let outcome = match wire(&env) {
        Ok(app) => app.sweep(Timestamp::new(now)).await.map(|_| ()).map_err(|problem| problem.to_string()),
        Err(problem) => Err(problem),
    };
    if let Err(problem) = outcome {
        worker::console_error!("the sweep stopped early: {problem}");
    }
}
