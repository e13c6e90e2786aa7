//! Streams of bytes that live outside wasm.

use std::any::Any;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

/// Length of a piece, in bytes. Bytes enter wasm in pieces of this length. The length is large enough that the cost of
/// the calls does not matter, and small enough that one isolate can serve a hundred streams.
pub const PIECE_BYTES: usize = 256 * 1024;

/// Capacity of a buffer for a piece of a cut's output. A piece of output ends with the row that brings the piece to
/// half of [`PIECE_BYTES`] or more. So a piece can be longer than half of [`PIECE_BYTES`]. The steps of a cut use the
/// same buffers again and again. If a buffer had to grow, its capacity would double and stay doubled.
pub const OUTGOING_BYTES: usize = PIECE_BYTES / 2 + 64 * 1024;

/// A stream of bytes that is read piece by piece into the caller's buffer.
#[async_trait]
pub trait ByteSource: Send {
    /// Appends the next piece to `buffer` and returns the piece's length: about [`PIECE_BYTES`], or 0 at the end of the
    /// stream.
    ///
    /// # Errors
    /// The stream broke. The bytes that were read so far are incomplete.
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize>;

    /// Announces that the previous request of this sender was fast, so that reads may be long from the start
    /// ([`crate::body::read_size`]). Must be called before the first read.
    fn expect_fast(&mut self) {}

    /// Cancels the stream. The caller will not read the rest, because the client has disconnected.
    async fn cancel(&mut self) {}
}

/// A stream that lives outside wasm: a request body, or the bytes of an object.
///
/// A caller can read the body. An adapter can instead pass the body on without reading it. For this, the adapter gets
/// its own type from `into_any`.
#[async_trait]
pub trait NativeBody: Send {
    /// Returns the first piece (at most [`PIECE_BYTES`]) without removing it from the stream. Empty if the body is
    /// empty.
    ///
    /// # Errors
    /// The stream broke before its first piece was complete.
    async fn peek(&mut self) -> Result<Bytes>;

    /// Turns the body into a source that starts at the first byte of the body.
    fn into_source(self: Box<Self>) -> Box<dyn ByteSource>;

    /// Returns a handle that can discard the unread rest of the body, or `None` if there is never anything to
    /// discard.
    fn remainder(&self) -> Option<Box<dyn Remainder>> {
        None
    }

    /// Returns the value as the adapter's own type, for downcasting.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// The unread rest of a request body. The handle works even while other code holds the body.
///
/// If the response is sent before an open reader has reached the end of the body, the client's connection breaks. The
/// code that sends the response therefore discards the remainder first.
#[async_trait]
pub trait Remainder: Send {
    /// Whether reading has begun. The platform itself discards a body that was never read.
    fn was_begun(&self) -> bool;

    /// Reads the rest of the body, at most `max_bytes`, and drops the bytes. Stops without an error if the stream
    /// breaks.
    async fn discard(self: Box<Self>, max_bytes: u64);
}
