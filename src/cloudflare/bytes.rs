//! The inbound byte path: reads JavaScript streams with one recycled buffer for each reader.
//!
//! An ordinary stream reader returns 4 KiB at a time. A BYOB reader with `readAtLeast` returns as many bytes as the
//! caller asks for, and needs about a tenth of the time. The caller passes a buffer to each read and gets the buffer
//! back with the result. The buffer therefore stays in JavaScript and is used again. Wasm receives copies, one piece at
//! a time.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use async_trait::async_trait;
use bytes::Bytes;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::ReadableStream;
use worker::send::{SendFuture, SendWrapper};

use super::isolate::count_bytes_into_wasm;
use super::js::{ByobReader, ReadResult, error_text, object};
use super::stall::StallWatch;
use crate::body::read_size::{LONG_READ_BYTES, OBJECT_READ_BYTES, Pace, step_bytes};
use crate::body::stream::{ByteSource, NativeBody, PIECE_BYTES, Remainder};
use crate::error::{Code, Problem, Result};
use crate::ports::PartBuffer;

/// The sender of a stream. If the stream breaks, the sender decides which problem the request gets.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    /// The client sends the stream: a request body.
    Client,
    /// The object store sends the stream: the bytes of an object.
    Store,
}

/// A JavaScript stream of bytes, and the piece that [`NativeBody::peek`] read from it.
pub struct NativeStream {
    stream: ReadableStream,
    side: Side,
    reader: Option<PieceReader>,
    peeked: Option<Uint8Array>,
    reading: SharedReading,
}

/// A shared [`StreamReading`]. The wrapper makes it `Send`. This is safe, because a Worker has one thread.
type SharedReading = SendWrapper<Rc<StreamReading>>;

/// The read state of a stream, shared by its reader and by its [`NativeRemainder`].
#[derive(Default)]
struct StreamReading {
    reader: RefCell<Option<ByobReader>>,
    ended: Cell<bool>,
}

impl NativeStream {
    /// Wraps an unlocked stream.
    pub fn new(stream: ReadableStream, side: Side) -> Self {
        Self { stream, side, reader: None, peeked: None, reading: SendWrapper::default() }
    }

    /// Returns the stream if nothing was read from it.
    pub fn untouched(&self) -> Option<&ReadableStream> {
        self.reader.is_none().then_some(&self.stream)
    }

    /// Returns a reader. Its first piece is the peeked piece, if there is one.
    pub fn into_reader(self) -> Result<PieceReader> {
        let mut reader = match self.reader {
            Some(reader) => reader,
            None => PieceReader::open(&self.stream, self.side, self.reading)?,
        };
        reader.peeked = self.peeked;
        Ok(reader)
    }
}

#[async_trait]
impl NativeBody for NativeStream {
    async fn peek(&mut self) -> Result<Bytes> {
        SendFuture::new(async {
            if self.reader.is_none() {
                let mut reader = PieceReader::open(&self.stream, self.side, self.reading.clone())?;
                self.peeked = reader.next().await?;
                self.reader = Some(reader);
            }
            let mut first = Vec::new();
            if let Some(view) = &self.peeked {
                append(view, &mut first);
            }
            Ok(Bytes::from(first))
        })
        .await
    }

    fn into_source(self: Box<Self>) -> Box<dyn ByteSource> {
        Box::new(NativeSource { state: State::Unopened(Some(*self)), read: None, is_expected_fast: false })
    }

    fn remainder(&self) -> Option<Box<dyn Remainder>> {
        let (stream, reading) = (self.stream.clone(), self.reading.clone());
        Some(Box::new(NativeRemainder { stream, side: self.side, reading }))
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

/// Reads a stream into one recycled JavaScript buffer and returns views of the buffer. A view holds one or more pieces.
pub struct PieceReader {
    reader: ByobReader,
    side: Side,
    pace: Pace,
    long: Option<LongReader>,
    buffer: Option<Uint8Array>,
    peeked: Option<Uint8Array>,
    reading: SharedReading,
    stall: StallWatch,
}

impl PieceReader {
    fn open(stream: &ReadableStream, side: Side, reading: SharedReading) -> Result<Self> {
        let options = object(&[("mode", "byob".into())]);
        let reader = js_sys::Reflect::get(stream, &"getReader".into())
            .and_then(|method| {
                method.unchecked_into::<js_sys::Function>().apply(stream, &Array::of1(&options))
            })
            .map_err(|error| broken(side, &error))?;
        let reader: ByobReader = reader.unchecked_into();
        reading.reader.replace(Some(reader.clone()));
        Ok(Self::resume(reader, side, reading))
    }

    fn resume(reader: ByobReader, side: Side, reading: SharedReading) -> Self {
        let pace = match side {
            Side::Client => Pace::BODY,
            Side::Store => Pace::OBJECT,
        };
        Self {
            reader,
            side,
            pace,
            long: None,
            buffer: None,
            peeked: None,
            reading,
            stall: StallWatch::of_request_body(),
        }
    }

    /// Reads the next bytes. Returns a view of them, or `None` at the end of the stream. When the caller no longer
    /// needs the view, it passes the view to [`Self::recycle`].
    pub async fn next(&mut self) -> Result<Option<Uint8Array>> {
        if let Some(peeked) = self.peeked.take() {
            return Ok(Some(peeked));
        }
        if self.reading.ended.get() {
            return Ok(None);
        }
        let wanted_bytes = self.wanted_bytes();
        let wanted = narrow(wanted_bytes);
        let mut buffer = match self.buffer.take() {
            Some(buffer) if buffer.length() >= wanted => buffer,
            short => {
                short.into_iter().for_each(keep_buffer);
                spare_buffer(wanted)
            }
        };
        let asked_ms = js_sys::Date::now();
        let mut filled = 0;
        while filled < wanted && !self.reading.ended.get() {
            let least = narrow(step_bytes(wanted_bytes)).min(wanted - filled);
            let result = self.read(least, &buffer.subarray(filled, wanted)).await?;
            // A stream that was cancelled returns no buffer.
            let Some(view) = result.value() else {
                self.reading.ended.set(true);
                return Ok(None);
            };
            self.reading.ended.set(view.length() == 0 || result.done());
            filled += view.length();
            buffer = Uint8Array::new(&view.buffer());
        }
        self.pace.note(filled.into(), js_sys::Date::now() - asked_ms);
        let view = buffer.subarray(0, filled);
        if filled == 0 {
            self.recycle(&view);
            return Ok(None);
        }
        Ok(Some(view))
    }

    /// Reads at least `least` bytes into `view`. If fewer bytes remain in the stream, reads all of them.
    async fn read(&mut self, least: u32, view: &Uint8Array) -> Result<ReadResult> {
        let read = Box::pin(self.reader.read_at_least(least, view));
        let result = match self.side {
            Side::Store => read.await,
            Side::Client => match self.stall.watch(read).await {
                Some(result) => result,
                None => {
                    self.reading.ended.set(true);
                    // The result is ignored, because the stream is not used again.
                    let _ = self.reader.cancel().await;
                    return Err(stalled());
                }
            },
        };
        Ok(result.map_err(|error| broken(self.side, &error))?.unchecked_into())
    }

    /// Returns the length of the next read, in bytes. A long read needs a permit ([`LongReader`]). If the reader gets
    /// no permit, the read is short.
    fn wanted_bytes(&mut self) -> usize {
        let wanted = self.pace.read_bytes();
        if wanted < LONG_READ_BYTES {
            return wanted;
        }
        self.long = self.long.take().or_else(LongReader::new);
        if self.long.is_some() { wanted } else { PIECE_BYTES }
    }

    /// Takes a view's buffer back for the next read.
    pub fn recycle(&mut self, read: &Uint8Array) {
        self.buffer = Some(Uint8Array::new(&read.buffer()));
    }

    /// Tells the sender that nothing more will be read.
    pub async fn cancel(&self) {
        // The result is ignored, because a broken stream need not be cancelled.
        let _ = self.reader.cancel().await;
    }
}

fn stalled() -> Problem {
    let detail = "The body arrived too slowly. Send the request again, or continue the upload at its offset.";
    Problem::new(Code::RequestTimeout, detail)
}

/// The unread rest of a stream.
struct NativeRemainder {
    stream: ReadableStream,
    side: Side,
    reading: SharedReading,
}

impl NativeRemainder {
    fn into_reader(self) -> Result<PieceReader> {
        let opened = self.reading.reader.take();
        match opened {
            Some(reader) => Ok(PieceReader::resume(reader, self.side, self.reading)),
            None => PieceReader::open(&self.stream, self.side, self.reading),
        }
    }
}

#[async_trait]
impl Remainder for NativeRemainder {
    fn was_begun(&self) -> bool {
        self.reading.reader.borrow().is_some()
    }

    async fn discard(self: Box<Self>, max_bytes: u64) {
        // `into_reader` fails if other code has locked the stream, or if the stream is broken. Then nothing can be
        // discarded.
        let Ok(mut reader) = self.into_reader() else { return };
        SendFuture::new(async move {
            let mut discarded = 0;
            while discarded < max_bytes {
                let Ok(Some(piece)) = reader.next().await else { return };
                discarded += u64::from(piece.length());
                reader.recycle(&piece);
            }
        })
        .await;
    }
}

impl Drop for PieceReader {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            keep_buffer(buffer);
        }
    }
}

/// Maximum number of readers in an isolate that have a long buffer at the same time. All requests of an isolate share
/// the memory of the isolate.
const MAX_LONG_READERS: usize = 4;

thread_local! {
    static LONG_READERS: Cell<usize> = const { Cell::new(0) };
}

/// A permit for a long buffer. When the permit is dropped, another reader can get one.
struct LongReader;

impl LongReader {
    fn new() -> Option<Self> {
        let readers = LONG_READERS.get();
        (readers < MAX_LONG_READERS).then(|| {
            LONG_READERS.set(readers + 1);
            Self
        })
    }
}

impl Drop for LongReader {
    fn drop(&mut self) {
        LONG_READERS.set(LONG_READERS.get() - 1);
    }
}

/// Maximum total length of the spare buffers, in bytes. When a reader ends, its buffer becomes a spare buffer, and a
/// later reader uses it again. A dropped buffer stays in memory until the runtime collects garbage. If each request of
/// a long upload dropped its buffer, many dropped buffers would be in memory at the same time.
const MAX_SPARE_BYTES: usize = 2 * LONG_READ_BYTES;

thread_local! {
    static SPARE_BUFFERS: RefCell<Vec<Uint8Array>> = const { RefCell::new(Vec::new()) };
}

/// Returns a buffer for a read of `wanted` bytes. Each buffer has one of three lengths. This function chooses the
/// shortest length that is at least `wanted`. If a spare buffer has this length, the function returns the spare buffer.
/// Otherwise it returns a new buffer.
fn spare_buffer(wanted: u32) -> Uint8Array {
    let sizes = [PIECE_BYTES, OBJECT_READ_BYTES, LONG_READ_BYTES].map(narrow);
    let length = sizes.into_iter().find(|length| *length >= wanted).unwrap_or(wanted);
    let spare = SPARE_BUFFERS.with_borrow_mut(|spare| {
        let fitting = spare.iter().position(|buffer| buffer.length() == length);
        fitting.map(|place| spare.swap_remove(place))
    });
    spare.unwrap_or_else(|| Uint8Array::new_with_length(length))
}

/// Keeps a buffer for later readers. Drops the buffer if the spare buffers together would be longer than
/// [`MAX_SPARE_BYTES`].
fn keep_buffer(buffer: Uint8Array) {
    SPARE_BUFFERS.with_borrow_mut(|spare| {
        let kept: u32 = spare.iter().map(Uint8Array::length).sum();
        if kept + buffer.length() <= narrow(MAX_SPARE_BYTES) {
            spare.push(buffer);
        }
    });
}

enum State {
    Unopened(Option<NativeStream>),
    Open(PieceReader),
}

/// Splits the result of one read into pieces of at most [`PIECE_BYTES`].
pub fn pieces(read: &Uint8Array) -> impl Iterator<Item = Uint8Array> {
    let piece = narrow(PIECE_BYTES);
    (0..read.length())
        .step_by(PIECE_BYTES)
        .map(move |from| read.subarray(from, read.length().min(from + piece)))
}

/// A native stream that is read into wasm.
struct NativeSource {
    state: State,
    /// The result of the last read, and the number of its bytes that were copied into wasm.
    read: Option<(Uint8Array, u32)>,
    is_expected_fast: bool,
}

#[async_trait]
impl ByteSource for NativeSource {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        if let State::Unopened(stream) = &mut self.state {
            let stream = stream.take().ok_or_else(|| Problem::internal("the stream could not be opened"))?;
            let mut reader = stream.into_reader()?;
            if self.is_expected_fast {
                reader.pace.expect_fast();
            }
            self.state = State::Open(reader);
        }
        let State::Open(reader) = &mut self.state else {
            return Err(Problem::internal("the stream is not open"));
        };
        let (read, from) = match self.read.take() {
            Some(rest) => rest,
            None => match SendFuture::new(reader.next()).await? {
                Some(read) => (read, 0),
                None => return Ok(0),
            },
        };
        let end = read.length().min(from + narrow(PIECE_BYTES));
        let length = append(&read.subarray(from, end), buffer);
        match end < read.length() {
            true => self.read = Some((read, end)),
            false => reader.recycle(&read),
        }
        Ok(length)
    }

    fn expect_fast(&mut self) {
        self.is_expected_fast = true;
    }

    async fn cancel(&mut self) {
        if let State::Open(reader) = &self.state {
            SendFuture::new(reader.cancel()).await;
        }
    }
}

/// A buffer for one part, in JavaScript memory.
pub struct NativeBuffer {
    bytes: Uint8Array,
    filled: u32,
}

impl NativeBuffer {
    /// Creates an empty buffer with a capacity of `length_bytes`.
    pub fn new(length_bytes: usize) -> Self {
        let length = narrow(length_bytes);
        let spare = SPARE_PART.take().filter(|spare| spare.length() == length);
        Self { bytes: spare.unwrap_or_else(|| Uint8Array::new_with_length(length)), filled: 0 }
    }

    /// Returns a view of the buffer's content.
    pub fn view(&self) -> Uint8Array {
        self.bytes.subarray(0, self.filled)
    }
}

thread_local! {
    /// The JavaScript buffer of the last [`NativeBuffer`] that was dropped. The next request of the same upload needs a
    /// buffer of this length, and uses this buffer.
    static SPARE_PART: Cell<Option<Uint8Array>> = const { Cell::new(None) };
}

impl Drop for NativeBuffer {
    fn drop(&mut self) {
        SPARE_PART.set(Some(self.bytes.clone()));
    }
}

impl PartBuffer for NativeBuffer {
    fn len(&self) -> usize {
        self.filled as usize
    }

    fn append(&mut self, bytes: &[u8]) {
        let end = self.filled + narrow(bytes.len());
        self.bytes.subarray(self.filled, end).copy_from(bytes);
        self.filled = end;
    }

    fn copy(&self, range: Range<usize>) -> Vec<u8> {
        self.bytes.subarray(narrow(range.start), narrow(range.end)).to_vec()
    }

    fn clear(&mut self) {
        self.filled = 0;
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Converts a length in bytes to 32 bits. No length is greater than the length of a part, which is far below 4 GiB.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Appends a piece to `buffer` in wasm and returns the piece's length in bytes.
pub fn append(piece: &Uint8Array, buffer: &mut Vec<u8>) -> usize {
    let length = piece.length() as usize;
    buffer.reserve(length);
    piece.copy_to_uninit(&mut buffer.spare_capacity_mut()[..length]);
    // SAFETY: `length` bytes were reserved and initialized above.
    unsafe { buffer.set_len(buffer.len() + length) };
    count_bytes_into_wasm(length);
    length
}

/// Returns the problem that a broken stream causes.
pub fn broken(side: Side, error: &JsValue) -> Problem {
    let cause = error_text(error);
    match side {
        Side::Client => {
            Problem::new(Code::BadRequest, "The body ended before its announced length. Send it again.")
                .caused_by(cause)
        }
        Side::Store => Problem::unavailable(cause),
    }
}
