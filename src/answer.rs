//! What a request is answered with: a head, and a body that is carried past the router untouched.
//!
//! The router's own body type would draw every byte through wasm in 4 KiB chunks. A body that is large is therefore
//! put into the response's extensions and taken out again at the edge.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_core::future::BoxFuture;

use crate::error::Result;
use crate::http::range::ByteRange;
use crate::ports::{ByteSource, NativeBody};

/// The body of an answer.
pub enum AnswerBody {
    /// None.
    Empty,
    /// Bytes at hand.
    Bytes(Bytes),
    /// Bytes of an object, which never enter wasm.
    Native(NativeAnswer),
    /// Bytes made as they are sent.
    Generated(Box<dyn ByteSource>),
}

/// Object bytes, or several stretches of them with framing between.
pub struct NativeAnswer {
    /// The stretches in order.
    pub segments: Vec<Segment>,
    /// What all of them come to, in bytes.
    pub length_bytes: u64,
    /// Called once, when the last byte has gone or the transfer has failed.
    pub on_settled: Settled,
}

/// One stretch of a [`NativeAnswer`].
pub enum Segment {
    /// Framing.
    Bytes(Bytes),
    /// An object's bytes, already open.
    Open(Box<dyn NativeBody>),
    /// An object's bytes, opened when their turn comes.
    Later(Box<dyn OpenLater>),
}

/// Opens a stretch of an object.
#[async_trait]
pub trait OpenLater: Send {
    /// Opens it.
    ///
    /// # Errors
    /// The object is gone or another: the transfer must break.
    async fn open(self: Box<Self>) -> Result<Box<dyn NativeBody>>;
}

/// What to do when a transfer has ended: told whether every byte went out.
pub type Settled = Box<dyn FnOnce(bool) -> BoxFuture<'static, ()> + Send>;

/// A stretch of an object by key.
pub struct ObjectStretch {
    /// Where from.
    pub objects: Arc<dyn crate::ports::ObjectStore>,
    /// Which object.
    pub key: crate::storage::key::StorageKey,
    /// Which version of it.
    pub etag: String,
    /// How long all of it is, in bytes.
    pub size_bytes: u64,
    /// Which bytes of it.
    pub range: ByteRange,
}

#[async_trait]
impl OpenLater for ObjectStretch {
    async fn open(self: Box<Self>) -> Result<Box<dyn NativeBody>> {
        let fetched = self.objects.get(&self.key, Some(self.range), Some(&self.etag)).await?;
        crate::storage::download::expect_found(fetched, &self.key.to_string(), self.size_bytes)
    }
}

#[derive(Clone)]
struct Carried(Arc<Mutex<Option<AnswerBody>>>);

impl IntoResponse for AnswerBody {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(Carried(Arc::new(Mutex::new(Some(self)))));
        response
    }
}

/// Whether a response's body is carried beside it.
pub fn is_carried(response: &Response) -> bool {
    response.extensions().get::<Carried>().is_some()
}

/// Takes the carried body out of a response, if it has one.
pub fn take_carried(response: &mut Response) -> Option<AnswerBody> {
    let carried = response.extensions_mut().remove::<Carried>()?;
    carried.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// A request's body on its way past the router.
#[derive(Clone)]
pub struct Incoming(Arc<Mutex<Option<Box<dyn NativeBody>>>>);

impl Incoming {
    /// Wraps a body, or the lack of one.
    pub fn new(body: Option<Box<dyn NativeBody>>) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    /// Takes the body; `None` when there is none or it was taken before.
    pub fn take(&self) -> Option<Box<dyn NativeBody>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
