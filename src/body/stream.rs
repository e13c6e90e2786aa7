//! Streams of bytes that live outside wasm.

use std::any::Any;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

/// Length of a piece, in bytes. Bytes enter wasm in pieces of this length. With shorter pieces, the calls would cost
/// too much time. With longer pieces, one isolate could not serve a hundred streams.
pub const PIECE_BYTES: usize = 256 * 1024;

/// Capacity of a buffer for a piece of a cut's output. A cut ends a piece of output at the first row after which the
/// piece has at least half of [`PIECE_BYTES`]. So a piece is often longer than this half, by up to a row. The steps of
/// a cut use the same buffers for all pieces. If a buffer had to grow, its capacity would double and stay doubled.
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

    /// Called once after the last byte of a response was sent, or after its transfer broke because [`Self::read`] failed.
    /// The client does not wait for it. Not called after [`Self::cancel`].
    async fn after_transfer(&mut self) {}
}

/// A stream that lives outside wasm: a request body, or the bytes of an object.
///
/// A caller can read the body. An adapter of the platform can also pass the body on without reading it. For this, the
/// adapter calls `into_any` and casts the result to its own type.
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

    /// Returns a handle that can discard the unread rest of the body. `None` if this kind of body never needs to be
    /// discarded.
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
