//! Bodies for tests: bytes in memory, pieces of chosen lengths, bodies that fail or hang, and large bodies that are
//! generated.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use cutty::body::stream::{ByteSource, NativeBody, PIECE_BYTES, Remainder};
use cutty::error::{Code, Problem, Result};

type Pieces = Box<dyn Iterator<Item = Result<Bytes>> + Send>;

/// A body as a client or the object store sends it.
pub struct TestBody {
    /// Pieces that were peeked at but not yet read.
    ahead: VecDeque<Result<Bytes>>,
    rest: Arc<Mutex<Pieces>>,
    taken_bytes: Arc<AtomicU64>,
    /// While this is false, reads do not report the end of the body.
    may_end: Option<Arc<AtomicBool>>,
    /// Whether each read first yields once to the other tasks.
    lingers: bool,
}

impl TestBody {
    /// Creates a body of `bytes`, in pieces of [`PIECE_BYTES`].
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self::from_results([Ok(bytes.into())])
    }

    /// Creates an empty body.
    pub fn empty() -> Self {
        Self::from_bytes(Bytes::new())
    }

    /// Creates a body whose reads return these pieces. A piece longer than [`PIECE_BYTES`] is split, and an empty piece
    /// is left out.
    pub fn pieces<B: Into<Bytes>>(pieces: impl IntoIterator<Item = B>) -> Self {
        let pieces: Vec<Bytes> = pieces.into_iter().map(Into::into).collect();
        Self::from_results(pieces.into_iter().map(Ok))
    }

    /// Creates a body of `bytes` in pieces of `length` bytes. A length of 1 exposes code that depends on piece
    /// boundaries.
    pub fn in_pieces_of(bytes: &[u8], length: usize) -> Self {
        let pieces: Vec<_> = bytes.chunks(length).map(Bytes::copy_from_slice).collect();
        Self::pieces(pieces)
    }

    /// Creates a body that fails after `after` bytes, like a body whose sender disconnects.
    pub fn broken(bytes: &[u8], after: usize) -> Self {
        let start = Bytes::copy_from_slice(&bytes[..after]);
        Self::from_results([Ok(start), Err(Problem::new(Code::BadRequest, "The body ended early."))])
    }

    /// Creates a body that does not end before the returned flag is set, like a connection that hangs.
    pub fn hanging(bytes: &[u8]) -> (Self, Arc<AtomicBool>) {
        let may_end = Arc::<AtomicBool>::default();
        let body = Self::from_bytes(Bytes::copy_from_slice(bytes));
        (Self { may_end: Some(may_end.clone()), ..body }, may_end)
    }

    /// Makes each read first yield once to the other tasks. So the reads of concurrent requests interleave, piece by
    /// piece.
    #[must_use]
    pub fn lingering(self) -> Self {
        Self { lingers: true, ..self }
    }

    /// Creates a body of `count` pieces. Each piece is made when it is read, so a large body needs little memory.
    pub fn generated(count: usize, make: impl Fn(usize) -> Vec<u8> + Send + 'static) -> Self {
        Self::from_results((0..count).map(move |index| Ok(make(index).into())))
    }

    /// Creates a body from any sequence of pieces and errors.
    pub fn from_results<I>(pieces: I) -> Self
    where
        I: IntoIterator<Item = Result<Bytes>>,
        I::IntoIter: Send + 'static,
    {
        let rest = pieces.into_iter().flat_map(|piece| match piece {
            Ok(bytes) => split(bytes).into_iter().map(Ok).collect(),
            Err(problem) => vec![Err(problem)],
        });
        Self {
            ahead: VecDeque::new(),
            rest: Arc::new(Mutex::new(Box::new(rest))),
            taken_bytes: Arc::default(),
            may_end: None,
            lingers: false,
        }
    }

    /// Returns the counter of bytes that were taken from the body, by a peek or by a read.
    pub fn taken_bytes(&self) -> Arc<AtomicU64> {
        self.taken_bytes.clone()
    }

    /// Reads the rest of the body, or returns the error with which the body fails.
    pub fn drain(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next_piece() {
            bytes.extend_from_slice(&piece?);
        }
        Ok(bytes)
    }

    /// Returns the next piece. It is never empty and has at most [`PIECE_BYTES`] bytes.
    pub fn next_piece(&mut self) -> Option<Result<Bytes>> {
        self.ahead.pop_front().or_else(|| self.take_piece())
    }

    fn take_piece(&mut self) -> Option<Result<Bytes>> {
        self.unread().take_piece()
    }

    fn unread(&self) -> UnreadBody {
        UnreadBody { rest: self.rest.clone(), taken_bytes: self.taken_bytes.clone() }
    }
}

/// The bytes of a body that no peek or read has taken yet.
struct UnreadBody {
    rest: Arc<Mutex<Pieces>>,
    taken_bytes: Arc<AtomicU64>,
}

impl UnreadBody {
    fn take_piece(&self) -> Option<Result<Bytes>> {
        let piece = self.rest.lock().unwrap().next()?;
        if let Ok(bytes) = &piece {
            self.taken_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Some(piece)
    }
}

#[async_trait]
impl Remainder for UnreadBody {
    fn was_begun(&self) -> bool {
        self.taken_bytes.load(Ordering::Relaxed) > 0
    }

    async fn discard(self: Box<Self>, max_bytes: u64) {
        let mut discarded = 0;
        while discarded < max_bytes {
            let Some(Ok(piece)) = self.take_piece() else { return };
            discarded += piece.len() as u64;
        }
    }
}

/// Splits bytes into pieces of [`PIECE_BYTES`]. No piece is empty.
fn split(mut bytes: Bytes) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        pieces.push(bytes.split_to(bytes.len().min(PIECE_BYTES)));
    }
    pieces
}

#[async_trait]
impl NativeBody for TestBody {
    async fn peek(&mut self) -> Result<Bytes> {
        let mut ready: usize = self.ahead.iter().flatten().map(Bytes::len).sum();
        while ready < PIECE_BYTES && !self.ahead.iter().any(Result::is_err) {
            let Some(piece) = self.take_piece() else { break };
            ready += piece.as_ref().map_or(0, Bytes::len);
            self.ahead.push_back(piece);
        }
        let mut first = Vec::new();
        for piece in &self.ahead {
            match piece {
                Ok(bytes) => first.extend_from_slice(bytes),
                Err(problem) if first.len() < PIECE_BYTES => return Err(problem.clone()),
                Err(_) => {}
            }
        }
        first.truncate(PIECE_BYTES);
        Ok(first.into())
    }

    fn into_source(self: Box<Self>) -> Box<dyn ByteSource> {
        self
    }

    fn remainder(&self) -> Option<Box<dyn Remainder>> {
        Some(Box::new(self.unread()))
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[async_trait]
impl ByteSource for TestBody {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        if self.lingers {
            tokio::task::yield_now().await;
        }
        match self.next_piece() {
            None => {
                while self.may_end.as_ref().is_some_and(|may_end| !may_end.load(Ordering::SeqCst)) {
                    tokio::task::yield_now().await;
                }
                Ok(0)
            }
            Some(piece) => {
                let piece = piece?;
                buffer.extend_from_slice(&piece);
                Ok(piece.len())
            }
        }
    }

    async fn cancel(&mut self) {
        *self.rest.lock().unwrap() = Box::new(std::iter::empty());
    }
}

/// Reads a body to its end.
pub async fn read_all(body: Box<dyn NativeBody>) -> Result<Vec<u8>> {
    let mut source = body.into_source();
    let mut bytes = Vec::new();
    while source.read(&mut bytes).await? > 0 {}
    Ok(bytes)
}
