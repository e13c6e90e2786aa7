//! The byte path out: an answer becomes the runtime's Response.
//!
//! Object bytes are piped from store to client by the runtime; generated ones leave through a pull stream, so that
//! nothing is made faster than the client takes it.

use std::cell::RefCell;
use std::rc::Rc;

use http::response::Parts;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{
    Headers, ReadableStream, ReadableStreamDefaultController, Response, ResponseInit, WritableStream,
};
use worker::Context;

use super::bytes::NativeStream;
use super::js::{FixedLengthStream, object};
use crate::answer::{AnswerBody, NativeAnswer, Segment};
use crate::error::Problem;
use crate::ports::{ByteSource, NativeBody, PIECE_BYTES};

/// Renders an answer.
///
/// # Errors
/// The runtime refused the head or a stream; a fault of ours.
pub fn respond(parts: &Parts, body: AnswerBody, context: &Context) -> std::result::Result<Response, JsValue> {
    let init = ResponseInit::new();
    init.set_status(parts.status.as_u16());
    init.set_headers(headers(parts)?.as_ref());
    if parts.headers.contains_key(http::header::CONTENT_ENCODING) {
        // The bytes are coded already; the runtime would code them again.
        js_sys::Reflect::set(&init, &"encodeBody".into(), &"manual".into())?;
    }
    match body {
        AnswerBody::Empty => Response::new_with_opt_str_and_init(None, &init),
        AnswerBody::Bytes(bytes) => {
            Response::new_with_opt_buffer_source_and_init(Some(&Uint8Array::from(bytes.as_ref())), &init)
        }
        AnswerBody::Native(native) => {
            let fixed = FixedLengthStream::new(native.length_bytes as f64);
            context.wait_until(pipe(native, fixed.writable()));
            Response::new_with_opt_readable_stream_and_init(Some(&fixed.readable()), &init)
        }
        AnswerBody::Generated(source) => {
            let stream = pull_stream(source)?;
            Response::new_with_opt_readable_stream_and_init(Some(&stream), &init)
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

async fn pipe(native: NativeAnswer, target: WritableStream) {
    let complete = pipe_segments(native.segments, &target).await.is_ok();
    if !complete {
        // The client must see a broken transfer; a stream that failed by itself is aborted already.
        let _ = JsFuture::from(target.abort()).await;
    }
    (native.on_settled)(complete).await;
}

async fn pipe_segments(segments: Vec<Segment>, target: &WritableStream) -> std::result::Result<(), JsValue> {
    for segment in segments {
        match segment {
            Segment::Bytes(bytes) => {
                let writer = target.get_writer()?;
                JsFuture::from(writer.write_with_chunk(&Uint8Array::from(bytes.as_ref()))).await?;
                writer.release_lock();
            }
            Segment::Open(body) => pipe_body(body, target).await?,
            Segment::Later(later) => {
                let body = later.open().await.map_err(|problem| JsValue::from_str(&problem.to_string()))?;
                pipe_body(body, target).await?;
            }
        }
    }
    JsFuture::from(target.close()).await?;
    Ok(())
}

async fn pipe_body(body: Box<dyn NativeBody>, target: &WritableStream) -> std::result::Result<(), JsValue> {
    let foreign = |_| JsValue::from_str("a body that is not the platform's");
    let stream = body.into_any().downcast::<NativeStream>().map_err(foreign)?;
    let readable = stream.untouched().ok_or_else(|| JsValue::from_str("a body that was read before"))?;
    let options = web_sys::StreamPipeOptions::new();
    options.set_prevent_close(true);
    JsFuture::from(readable.pipe_to_with_options(target, &options)).await?;
    Ok(())
}

/// What a pull stream holds between pulls.
struct Pulled {
    source: Box<dyn ByteSource>,
    piece: Vec<u8>,
}

/// A stream that makes its next piece when the client has taken the last ones.
fn pull_stream(source: Box<dyn ByteSource>) -> std::result::Result<ReadableStream, JsValue> {
    let state = Rc::new(RefCell::new(Some(Pulled { source, piece: Vec::with_capacity(2 * PIECE_BYTES) })));
    let cancelled = state.clone();
    let pull = Closure::<dyn FnMut(ReadableStreamDefaultController) -> Promise>::new(
        move |controller: ReadableStreamDefaultController| {
            future_to_promise(pull_once(state.clone(), controller))
        },
    );
    let cancel = Closure::<dyn FnMut() -> Promise>::new(move || {
        let taken = cancelled.borrow_mut().take();
        future_to_promise(async move {
            if let Some(mut pulled) = taken {
                pulled.source.cancel().await;
            }
            Ok(JsValue::UNDEFINED)
        })
    });
    // The closures live as long as the stream: the runtime frees them with it.
    let source = object(&[("pull", pull.into_js_value()), ("cancel", cancel.into_js_value())]);
    let strategy = object(&[("highWaterMark", JsValue::from_f64(1.0))]);
    ReadableStream::new_with_underlying_source_and_strategy(&source, strategy.unchecked_ref())
}

async fn pull_once(
    state: Rc<RefCell<Option<Pulled>>>,
    controller: ReadableStreamDefaultController,
) -> std::result::Result<JsValue, JsValue> {
    // A pull never overlaps another; the state is only away while a cancel comes in between.
    let Some(mut pulled) = state.borrow_mut().take() else { return Ok(JsValue::UNDEFINED) };
    pulled.piece.clear();
    match pulled.source.read(&mut pulled.piece).await {
        Ok(0) => controller.close()?,
        Ok(_) => match controller.enqueue_with_chunk(&Uint8Array::from(pulled.piece.as_slice())) {
            Ok(()) => *state.borrow_mut() = Some(pulled),
            // The client left while the piece was made.
            Err(_) => pulled.source.cancel().await,
        },
        Err(problem) => controller.error_with_e(&js_error(&problem)),
    }
    Ok(JsValue::UNDEFINED)
}

fn js_error(problem: &Problem) -> JsValue {
    js_sys::Error::new(problem.detail()).into()
}
