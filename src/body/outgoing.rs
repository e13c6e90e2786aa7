//! A response body that bypasses the router.
//!
//! axum's body type would copy every byte into wasm, 4 KiB at a time. A handler therefore stores a large body in the
//! extensions of the response. `routes::handle` takes the body from the extensions.

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::future::BoxFuture;

use super::stream::{ByteSource, NativeBody};
use crate::error::Result;

/// The body of a response.
pub enum ResponseBody {
    /// No body.
    Empty,
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of one or more objects. The bytes never enter wasm.
    Native(NativeResponse),
    /// Bytes that are generated while they are sent.
    Generated(Box<dyn ByteSource>),
    /// Bytes from a source. The number is the exact number of bytes that the source will return.
    Sized(Box<dyn ByteSource>, u64),
}

/// A response body of object bytes: one byte range, or several byte ranges with framing between them.
pub struct NativeResponse {
    /// The segments, in the order of sending.
    pub segments: Vec<BodySegment>,
    /// Length of all segments together, in bytes.
    pub length_bytes: u64,
    /// Called once: after the last byte was sent, or when the transfer failed.
    pub on_transfer_end: OnTransferEnd,
}

/// One segment of a [`NativeResponse`].
pub enum BodySegment {
    /// Framing, for example the header of a multipart range.
    Bytes(Bytes),
    /// A byte range of an object that is already open.
    Open(Box<dyn NativeBody>),
    /// A byte range of an object. It is opened after the segments before it have been sent.
    Later(Box<dyn DeferredBody>),
}

/// Opens a byte range of an object.
#[async_trait]
pub trait DeferredBody: Send {
    /// Opens the byte range.
    ///
    /// # Errors
    /// The object no longer exists or was replaced. The caller must abort the transfer.
    async fn open(self: Box<Self>) -> Result<Box<dyn NativeBody>>;
}

/// Callback for the end of a transfer. Its argument is `true` if every byte was sent.
pub type OnTransferEnd = Box<dyn FnOnce(bool) -> BoxFuture<'static, ()> + Send>;
