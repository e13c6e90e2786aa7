//! Bytes on their way: streams that live outside wasm.

use std::any::Any;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

/// How many bytes move at a time wherever bytes enter wasm: large enough that the calls do not count, small enough
/// that a hundred streams fit an isolate.
pub const PIECE_BYTES: usize = 256 * 1024;

/// Room for a piece of a cut on its way out, which ends behind the row that makes it as large as a piece: such buffers are
/// exchanged along the way, and each that had to grow would stay twice as large.
pub const OUTGOING_BYTES: usize = PIECE_BYTES + 64 * 1024;

/// A stream of bytes read piece by piece into the caller's buffer.
#[async_trait]
pub trait ByteSource: Send {
    /// Appends the next piece to `buffer` and returns its length; 0 is the end. A piece is about [`PIECE_BYTES`] long.
    ///
    /// # Errors
    /// The stream is broken; what was appended before is not the whole.
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize>;

    /// Told, before it is read, that what came last from there came quickly ([`crate::body::read_size`]).
    fn expect_quick(&mut self) {}

    /// Told that nobody will read on: the client has gone.
    async fn cancel(&mut self) {}
}

/// A stream that lives outside wasm: a request body, or the bytes of an object.
///
/// It can be handed on untouched (the adapter takes it back with `into_any`), or read.
#[async_trait]
pub trait NativeBody: Send {
    /// The first piece (at most [`PIECE_BYTES`]), which stays in the stream. Empty when the body is.
    ///
    /// # Errors
    /// The stream broke before its first piece was complete.
    async fn peek(&mut self) -> Result<Bytes>;

    /// Reads it from the start.
    fn into_source(self: Box<Self>) -> Box<dyn ByteSource>;

    /// What will have been left unread of it; `None` for a body that nobody waits to be rid of.
    fn remainder(&self) -> Option<Box<dyn Remainder>> {
        None
    }

    /// The adapter's own type.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// What is left unread of a request's body, whoever has the body now.
///
/// A connection breaks when its request is answered while a reader that was opened has not come to the end. So whoever
/// answers discards the remainder first.
#[async_trait]
pub trait Remainder: Send {
    /// Whether somebody has begun to read. A body that nobody has touched needs no discarding: the platform does it.
    fn was_begun(&self) -> bool;

    /// Reads on to the end, at most `most_bytes`, and keeps nothing; a body that breaks meanwhile is at its end.
    async fn discard(self: Box<Self>, most_bytes: u64);
}
