//! The byte path in: one reader that fills one buffer, over and over.
//!
//! The runtime gives an ordinary reader 4 KiB at a time, at ten times the cost; a BYOB reader asked for at least a
//! whole piece gets one. BYOB takes the buffer away and gives it back with the answer, so it lives in JavaScript and
//! is recycled; wasm sees copies, a piece at a time.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use async_trait::async_trait;
use bytes::Bytes;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::ReadableStream;
use worker::send::SendFuture;

use super::isolate::count_bytes_into_wasm;
use super::js::{ByobReader, ReadResult, error_text, object};
use crate::body::read_size::{LONG_READ_BYTES, OBJECT_READ_BYTES, Pace};
use crate::body::stream::{ByteSource, NativeBody, PIECE_BYTES, Remainder};
use crate::error::{Code, Problem, Result};
use crate::ports::PartBuffer;

/// Whose fault a broken stream is.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    /// The client's: a request body.
    Client,
    /// Ours: an object.
    Store,
}

/// A JavaScript stream of bytes, with what was peeked of it.
pub struct NativeStream {
    stream: ReadableStream,
    side: Side,
    reader: Option<PieceReader>,
    peeked: Option<Uint8Array>,
    reading: Rc<StreamReading>,
}

/// How far the reading of a stream is: known to its reader, and to whoever discards what that leaves.
#[derive(Default)]
struct StreamReading {
    reader: RefCell<Option<ByobReader>>,
    ended: Cell<bool>,
}

// A Worker has one thread.
unsafe impl Send for NativeStream {}

impl NativeStream {
    /// Wraps a stream nobody has locked.
    pub fn new(stream: ReadableStream, side: Side) -> Self {
        Self { stream, side, reader: None, peeked: None, reading: Rc::default() }
    }

    /// The stream itself; only while nothing has been peeked.
    pub fn untouched(&self) -> Option<&ReadableStream> {
        self.reader.is_none().then_some(&self.stream)
    }

    /// Its reader, beginning with what was peeked.
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
        Box::new(NativeSource { state: State::Unopened(Some(*self)), read: None, is_expected_quick: false })
    }

    fn remainder(&self) -> Option<Box<dyn Remainder>> {
        let (stream, reading) = (self.stream.clone(), self.reading.clone());
        Some(Box::new(NativeRemainder { stream, side: self.side, reading }))
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

/// What is read of a stream, as views of one recycled JavaScript buffer: a piece each, or a few of them.
pub struct PieceReader {
    reader: ByobReader,
    side: Side,
    pace: Pace,
    long: Option<LongReader>,
    buffer: Option<Uint8Array>,
    peeked: Option<Uint8Array>,
    reading: Rc<StreamReading>,
}

unsafe impl Send for PieceReader {}

impl PieceReader {
    fn open(stream: &ReadableStream, side: Side, reading: Rc<StreamReading>) -> Result<Self> {
        let options = object(&[("mode", "byob".into())]);
        let reader = js_sys::Reflect::get(stream, &"getReader".into())
            .and_then(|method| {
                method.unchecked_into::<js_sys::Function>().apply(stream, &Array::of1(&options))
            })
            .map_err(|error| broken(side, &error))?;
        let reader: ByobReader = reader.unchecked_into();
        reading.reader.replace(Some(reader.clone()));
        Ok(Self::go_on(reader, side, reading))
    }

    fn go_on(reader: ByobReader, side: Side, reading: Rc<StreamReading>) -> Self {
        let pace = match side {
            Side::Client => Pace::BODY,
            Side::Store => Pace::OBJECT,
        };
        Self { reader, side, pace, long: None, buffer: None, peeked: None, reading }
    }

    /// What comes next; to be given back with [`Self::recycle`] when it is no longer needed.
    pub async fn next(&mut self) -> Result<Option<Uint8Array>> {
        if let Some(peeked) = self.peeked.take() {
            return Ok(Some(peeked));
        }
        if self.reading.ended.get() {
            return Ok(None);
        }
        let wanted = narrow(self.wanted_bytes());
        let buffer = match self.buffer.take() {
            Some(buffer) if buffer.length() >= wanted => buffer,
            short => {
                short.into_iter().for_each(keep_buffer);
                spare_buffer(wanted)
            }
        };
        let asked_ms = js_sys::Date::now();
        let result = self.reader.read_at_least(wanted, &buffer.subarray(0, wanted)).await;
        let result: ReadResult = result.map_err(|error| broken(self.side, &error))?.unchecked_into();
        let view = result.value();
        let length = view.as_ref().map_or(0, Uint8Array::length);
        self.pace.note(length.into(), js_sys::Date::now() - asked_ms);
        self.reading.ended.set(length == 0 || result.done());
        match view {
            Some(view) if length == 0 => {
                self.recycle(&view);
                Ok(None)
            }
            view => Ok(view),
        }
    }

    /// How long the next read is: a long one only if there are not too many who read so.
    fn wanted_bytes(&mut self) -> usize {
        let wanted = self.pace.read_bytes();
        if wanted < LONG_READ_BYTES {
            return wanted;
        }
        self.long = self.long.take().or_else(LongReader::new);
        if self.long.is_some() { wanted } else { PIECE_BYTES }
    }

    /// Takes a buffer back.
    pub fn recycle(&mut self, read: &Uint8Array) {
        self.buffer = Some(Uint8Array::new(&read.buffer()));
    }

    /// Tells the other end that nothing more will be read.
    pub async fn cancel(&self) {
        // A stream that is broken already needs no cancelling.
        let _ = self.reader.cancel().await;
    }
}

/// What its readers leave of a stream.
struct NativeRemainder {
    stream: ReadableStream,
    side: Side,
    reading: Rc<StreamReading>,
}

unsafe impl Send for NativeRemainder {}

impl NativeRemainder {
    fn into_reader(self) -> Result<PieceReader> {
        let opened = self.reading.reader.take();
        match opened {
            Some(reader) => Ok(PieceReader::go_on(reader, self.side, self.reading)),
            None => PieceReader::open(&self.stream, self.side, self.reading),
        }
    }
}

#[async_trait]
impl Remainder for NativeRemainder {
    fn was_begun(&self) -> bool {
        self.reading.reader.borrow().is_some()
    }

    async fn discard(self: Box<Self>, most_bytes: u64) {
        // A stream that has been handed on cannot be read here, and one that is broken needs it no more.
        let Ok(mut reader) = self.into_reader() else { return };
        SendFuture::new(async move {
            let mut discarded = 0;
            while discarded < most_bytes {
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

/// So many readers have a long buffer at once, whatever else goes on: memory is that of all requests together.
const MOST_LONG_READERS: usize = 4;

thread_local! {
    static LONG_READERS: Cell<usize> = const { Cell::new(0) };
}

/// One of those readers.
struct LongReader;

impl LongReader {
    fn new() -> Option<Self> {
        let readers = LONG_READERS.get();
        (readers < MOST_LONG_READERS).then(|| {
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

/// Buffers that readers leave to the next: what a request throws away stays in memory until the runtime next looks for
/// garbage, which a long upload of many requests would notice.
const MOST_SPARE_BYTES: usize = 2 * LONG_READ_BYTES;

thread_local! {
    static SPARE_BUFFERS: RefCell<Vec<Uint8Array>> = const { RefCell::new(Vec::new()) };
}

/// A buffer for a read of so many bytes: there are three sizes of them.
fn spare_buffer(wanted: u32) -> Uint8Array {
    let sizes = [PIECE_BYTES, OBJECT_READ_BYTES, LONG_READ_BYTES].map(narrow);
    let length = sizes.into_iter().find(|length| *length >= wanted).unwrap_or(wanted);
    let spare = SPARE_BUFFERS.with_borrow_mut(|spare| {
        let fitting = spare.iter().position(|buffer| buffer.length() == length);
        fitting.map(|place| spare.swap_remove(place))
    });
    spare.unwrap_or_else(|| Uint8Array::new_with_length(length))
}

fn keep_buffer(buffer: Uint8Array) {
    SPARE_BUFFERS.with_borrow_mut(|spare| {
        let kept: u32 = spare.iter().map(Uint8Array::length).sum();
        if kept + buffer.length() <= narrow(MOST_SPARE_BYTES) {
            spare.push(buffer);
        }
    });
}

enum State {
    Unopened(Option<NativeStream>),
    Open(PieceReader),
}

/// The pieces of what was read at once.
pub fn pieces(read: &Uint8Array) -> impl Iterator<Item = Uint8Array> {
    let piece = narrow(PIECE_BYTES);
    (0..read.length())
        .step_by(PIECE_BYTES)
        .map(move |from| read.subarray(from, read.length().min(from + piece)))
}

/// A native stream read into wasm.
struct NativeSource {
    state: State,
    /// What has been read, and how much of it has been copied.
    read: Option<(Uint8Array, u32)>,
    is_expected_quick: bool,
}

#[async_trait]
impl ByteSource for NativeSource {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        if let State::Unopened(stream) = &mut self.state {
            let stream = stream.take().ok_or_else(|| Problem::internal("the stream could not be opened"))?;
            let mut reader = stream.into_reader()?;
            if self.is_expected_quick {
                reader.pace.expect_quick();
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

    fn expect_quick(&mut self) {
        self.is_expected_quick = true;
    }

    async fn cancel(&mut self) {
        if let State::Open(reader) = &self.state {
            SendFuture::new(reader.cancel()).await;
        }
    }
}

/// Bytes of one part, in JavaScript.
pub struct NativeBuffer {
    bytes: Uint8Array,
    filled: u32,
}

unsafe impl Send for NativeBuffer {}
unsafe impl Sync for NativeBuffer {}

impl NativeBuffer {
    /// An empty one for so many bytes.
    pub fn new(length_bytes: usize) -> Self {
        Self { bytes: Uint8Array::new_with_length(narrow(length_bytes)), filled: 0 }
    }

    /// What is in it.
    pub fn view(&self) -> Uint8Array {
        self.bytes.subarray(0, self.filled)
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

/// Lengths in one part, which stay far below 4 GiB.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Copies a piece into wasm, behind what is in `buffer`. How long it was.
pub fn append(piece: &Uint8Array, buffer: &mut Vec<u8>) -> usize {
    let length = piece.length() as usize;
    buffer.reserve(length);
    piece.copy_to_uninit(&mut buffer.spare_capacity_mut()[..length]);
    // SAFETY: so many bytes have just been reserved and written.
    unsafe { buffer.set_len(buffer.len() + length) };
    count_bytes_into_wasm(length);
    length
}

/// What a stream that broke means to the client.
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
