//! Streams of bytes that live outside wasm.

use std::any::Any;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

/// Length of a piece, in bytes: the unit in which bytes enter wasm. It is large enough that the cost of the calls
/// does not matter, and small enough that one isolate can serve a hundred streams.
pub const PIECE_BYTES: usize = 256 * 1024;

/// Capacity of a buffer for a piece of a cut's output. Such a piece ends after the row that fills it to
/// [`PIECE_BYTES`], so it can be longer. The steps of a cut exchange these buffers. A buffer that had to grow would
/// keep its doubled capacity.
pub const OUTGOING_BYTES: usize = PIECE_BYTES + 64 * 1024;

/// A stream of bytes that is read piece by piece into the caller's buffer.
#[async_trait]
pub trait ByteSource: Send {
    /// Appends the next piece to `buffer` and returns its length. A piece is about [`PIECE_BYTES`] long. 0 is the end
    /// of the stream.
    ///
    /// # Errors
    /// The stream broke. The bytes that were read so far are incomplete.
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize>;

    /// Announces that the previous request of this sender was fast, so that reads may be long from the start
    /// ([`crate::body::read_size`]). Must be called before the first read.
    fn expect_fast(&mut self) {}

    /// Cancels the stream: nobody will read the rest, because the client has disconnected.
    async fn cancel(&mut self) {}
}

/// A stream that lives outside wasm: a request body, or the bytes of an object.
///
/// The body can be read, or an adapter can pass it on without reading it (`into_any` returns the adapter's type).
#[async_trait]
pub trait NativeBody: Send {
    /// Returns the first piece (at most [`PIECE_BYTES`]) without removing it from the stream. Empty if the body is
    /// empty.
    ///
    /// # Errors
    /// The stream broke before its first piece was complete.
    async fn peek(&mut self) -> Result<Bytes>;

    /// Turns the body into a source that reads from its first byte.
    fn into_source(self: Box<Self>) -> Box<dyn ByteSource>;

    /// Returns a handle that can discard the unread rest of the body, or `None` if there is never anything to
    /// discard.
    fn remainder(&self) -> Option<Box<dyn Remainder>> {
        None
    }

    /// Returns the value as the adapter's own type, for downcasting.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// The unread rest of a request body. The handle works regardless of who holds the body itself.
///
/// A client's connection breaks if the response is sent while a reader is open that has not reached the end of the
/// body. The code that sends the response therefore discards the remainder first.
#[async_trait]
pub trait Remainder: Send {
    /// Whether reading has begun. A body that was never read needs no discarding: the platform does it.
    fn was_begun(&self) -> bool;

    /// Reads to the end of the body, at most `max_bytes`, and drops the bytes. A stream that breaks meanwhile counts
    /// as ended.
    async fn discard(self: Box<Self>, max_bytes: u64);
}
