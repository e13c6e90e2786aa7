//! What a request is answered with: a head, and a body that is carried past the router untouched.
//!
//! The router's own body type would draw every byte through wasm in 4 KiB chunks. A body that is large is therefore
//! put into the response's extensions and taken out again at the edge.

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::future::BoxFuture;

use super::stream::{ByteSource, NativeBody};
use crate::error::Result;

/// The body of an answer.
pub enum ResponseBody {
    /// None.
    Empty,
    /// Bytes at hand.
    Bytes(Bytes),
    /// Bytes of an object, which never enter wasm.
    Native(NativeResponse),
    /// Bytes made as they are sent.
    Generated(Box<dyn ByteSource>),
}

/// Object bytes, or several stretches of them with framing between.
pub struct NativeResponse {
    /// The stretches in order.
    pub segments: Vec<BodySegment>,
    /// What all of them come to, in bytes.
    pub length_bytes: u64,
    /// Called once, when the last byte has gone or the transfer has failed.
    pub on_settled: Settled,
}

/// One stretch of a [`NativeResponse`].
pub enum BodySegment {
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
