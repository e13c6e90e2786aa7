//! The byte path out: an answer becomes the runtime's Response.
//!
//! Object bytes are piped from store to client by the runtime; generated ones leave through an identity stream,
//! so that nothing is made faster than the client takes it.

use http::response::Parts;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Response, ResponseInit, WritableStream};
use worker::Context;

use super::bytes::NativeStream;
use super::js::{FixedLengthStream, IdentityStream};
use crate::body::outgoing::{BodySegment, NativeResponse, ResponseBody};
use crate::body::stream::{ByteSource, NativeBody, OUTGOING_BYTES};
use crate::error::Problem;

/// Renders an answer.
///
/// # Errors
/// The runtime refused the head or a stream; a fault of ours.
pub fn respond(
    parts: &Parts,
    body: ResponseBody,
    context: &Context,
) -> std::result::Result<Response, JsValue> {
    let init = ResponseInit::new();
    init.set_status(parts.status.as_u16());
    init.set_headers(headers(parts)?.as_ref());
    if parts.headers.contains_key(http::header::CONTENT_ENCODING) {
        // The bytes are coded already; the runtime would code them again.
        js_sys::Reflect::set(&init, &"encodeBody".into(), &"manual".into())?;
    }
    match body {
        ResponseBody::Empty => Response::new_with_opt_str_and_init(None, &init),
        ResponseBody::Bytes(bytes) => {
            Response::new_with_opt_buffer_source_and_init(Some(&Uint8Array::from(bytes.as_ref())), &init)
        }
        ResponseBody::Native(native) => {
            let fixed = FixedLengthStream::new(native.length_bytes as f64);
            context.wait_until(pipe(native, fixed.writable()));
            Response::new_with_opt_readable_stream_and_init(Some(&fixed.readable()), &init)
        }
        ResponseBody::Generated(source) => {
            let identity = IdentityStream::new();
            context.wait_until(write_out(source, identity.writable()));
            Response::new_with_opt_readable_stream_and_init(Some(&identity.readable()), &init)
        }
    }
}

fn headers(parts: &Parts) -> std::result::Result<Headers, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            headers.append(name.as_str(), value)?;
        }
    }
    Ok(headers)
}

async fn pipe(native: NativeResponse, target: WritableStream) {
    let complete = pipe_segments(native.segments, &target).await.is_ok();
    if !complete {
        // The client must see a broken transfer; a stream that failed by itself is aborted already.
        let _ = JsFuture::from(target.abort()).await;
    }
    (native.on_settled)(complete).await;
}

async fn pipe_segments(
    segments: Vec<BodySegment>,
    target: &WritableStream,
) -> std::result::Result<(), JsValue> {
    let mut segments = segments.into_iter().peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            BodySegment::Bytes(bytes) => {
                let writer = target.get_writer()?;
                JsFuture::from(writer.write_with_chunk(&Uint8Array::from(bytes.as_ref()))).await?;
                if is_last {
                    JsFuture::from(writer.close()).await?;
                }
                writer.release_lock();
            }
            BodySegment::Open(body) => pipe_body(body, target, is_last).await?,
            BodySegment::Later(later) => {
                let body = later.open().await.map_err(|problem| JsValue::from_str(&problem.to_string()))?;
                pipe_body(body, target, is_last).await?;
            }
        }
    }
    Ok(())
}

/// Pipes a whole body; the last one closes the target, which the runtime does best itself.
async fn pipe_body(
    body: Box<dyn NativeBody>,
    target: &WritableStream,
    is_last: bool,
) -> std::result::Result<(), JsValue> {
    let foreign = |_| JsValue::from_str("a body that is not the platform's");
    let stream = body.into_any().downcast::<NativeStream>().map_err(foreign)?;
    let readable = stream.untouched().ok_or_else(|| JsValue::from_str("a body that was read before"))?;
    let options = web_sys::StreamPipeOptions::new();
    options.set_prevent_close(!is_last);
    JsFuture::from(readable.pipe_to_with_options(target, &options)).await?;
    Ok(())
}

/// Makes pieces as the client takes them: a write is done when its bytes have been read at the other end, so that one
/// buffer in JavaScript serves them all and nothing is made ahead.
async fn write_out(mut source: Box<dyn ByteSource>, target: WritableStream) {
    let Ok(writer) = target.get_writer() else { return };
    let mut piece = Vec::with_capacity(OUTGOING_BYTES);
    let mut outgoing = Outgoing::default();
    loop {
        piece.clear();
        match source.read(&mut piece).await {
            Ok(0) => break,
            Ok(_) => {
                if JsFuture::from(writer.write_with_chunk(&outgoing.filled(&piece))).await.is_err() {
                    // The client has left.
                    return source.cancel().await;
                }
            }
            Err(problem) => {
                // The client must see a broken transfer.
                let _ = JsFuture::from(writer.abort_with_reason(&js_error(&problem))).await;
                return;
            }
        }
    }
    // A client that left after the last byte has all of it.
    let _ = JsFuture::from(writer.close()).await;
}

/// A buffer in JavaScript that outgoing pieces are copied to, made anew only to grow.
#[derive(Default)]
struct Outgoing {
    buffer: Option<Uint8Array>,
}

impl Outgoing {
    fn filled(&mut self, piece: &[u8]) -> Uint8Array {
        let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let fits = |buffer: &Uint8Array| buffer.length() >= length;
        let buffer = match self.buffer.take().filter(fits) {
            Some(buffer) => buffer,
            None => Uint8Array::new_with_length(length.next_power_of_two()),
        };
        let view = buffer.subarray(0, length);
        view.copy_from(piece);
        self.buffer = Some(buffer);
        view
    }
}

fn js_error(problem: &Problem) -> JsValue {
    js_sys::Error::new(problem.detail()).into()
}
