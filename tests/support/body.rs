//! Bodies: bytes at hand, pieces of chosen lengths, streams that break, and large ones made on the fly.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use cutty::body::stream::{ByteSource, NativeBody, PIECE_BYTES, Remainder};
use cutty::error::{Code, Problem, Result};

type Pieces = Box<dyn Iterator<Item = Result<Bytes>> + Send>;

/// A stream as a client or the object store would send it.
pub struct TestBody {
    /// Pieces that were peeked at and are still to be read.
    ahead: VecDeque<Result<Bytes>>,
    rest: Arc<Mutex<Pieces>>,
    taken_bytes: Arc<AtomicU64>,
    /// Its end does not come before this is true.
    may_end: Option<Arc<AtomicBool>>,
    /// Every piece lets whoever else is polled go first.
    lingers: bool,
}

impl TestBody {
    /// All of `bytes`, in pieces of [`PIECE_BYTES`].
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        Self::from_results([Ok(bytes.into())])
    }

    /// Nothing.
    pub fn empty() -> Self {
        Self::of(Bytes::new())
    }

    /// Pieces read one by one with just these boundaries.
    pub fn pieces<B: Into<Bytes>>(pieces: impl IntoIterator<Item = B>) -> Self {
        let pieces: Vec<Bytes> = pieces.into_iter().map(Into::into).collect();
        Self::from_results(pieces.into_iter().map(Ok))
    }

    /// `bytes` in pieces of `length`: 1 shows what depends on boundaries.
    pub fn in_pieces_of(bytes: &[u8], length: usize) -> Self {
        let pieces: Vec<_> = bytes.chunks(length).map(Bytes::copy_from_slice).collect();
        Self::pieces(pieces)
    }

    /// The first `after` bytes, then an error, as when the sender goes away.
    pub fn broken(bytes: &[u8], after: usize) -> Self {
        let start = Bytes::copy_from_slice(&bytes[..after]);
        Self::from_results([Ok(start), Err(Problem::new(Code::BadRequest, "The body broke off."))])
    }

    /// These bytes, and no end before what is returned is set: a connection that hangs.
    pub fn hanging(bytes: &[u8]) -> (Self, Arc<AtomicBool>) {
        let may_end = Arc::<AtomicBool>::default();
        let body = Self::of(Bytes::copy_from_slice(bytes));
        (Self { may_end: Some(may_end.clone()), ..body }, may_end)
    }

    /// The same, each piece of it a turn later, so that requests polled together interleave between them.
    #[must_use]
    pub fn lingering(self) -> Self {
        Self { lingers: true, ..self }
    }

    /// `count` pieces made as they are read, so that large bodies take no memory.
    pub fn generated(count: usize, make: impl Fn(usize) -> Vec<u8> + Send + 'static) -> Self {
        Self::from_results((0..count).map(move |index| Ok(make(index).into())))
    }

    /// Any sequence of pieces and errors.
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

    /// Counts the bytes taken from the stream so far, peeked at or read.
    pub fn taken_bytes(&self) -> Arc<AtomicU64> {
        self.taken_bytes.clone()
    }

    /// All that is left, or the error it breaks with.
    pub fn drain(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next_piece() {
            bytes.extend_from_slice(&piece?);
        }
        Ok(bytes)
    }

    /// The next piece: never empty, at most [`PIECE_BYTES`] long.
    pub fn next_piece(&mut self) -> Option<Result<Bytes>> {
        self.ahead.pop_front().or_else(|| self.take_piece())
    }

    fn take_piece(&mut self) -> Option<Result<Bytes>> {
        self.left().take_piece()
    }

    fn left(&self) -> Left {
        Left { rest: self.rest.clone(), taken_bytes: self.taken_bytes.clone() }
    }
}

/// What nobody has taken of a body yet.
struct Left {
    rest: Arc<Mutex<Pieces>>,
    taken_bytes: Arc<AtomicU64>,
}

impl Left {
    fn take_piece(&self) -> Option<Result<Bytes>> {
        let piece = self.rest.lock().unwrap().next()?;
        if let Ok(bytes) = &piece {
            self.taken_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Some(piece)
    }
}

#[async_trait]
impl Remainder for Left {
    fn was_begun(&self) -> bool {
        self.taken_bytes.load(Ordering::Relaxed) > 0
    }

    async fn discard(self: Box<Self>, most_bytes: u64) {
        let mut discarded = 0;
        while discarded < most_bytes {
            let Some(Ok(piece)) = self.take_piece() else { return };
            discarded += piece.len() as u64;
        }
    }
}

/// Cuts bytes into pieces of [`PIECE_BYTES`], without empty ones.
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
        Some(Box::new(self.left()))
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

/// Everything a body holds, whoever made it.
pub async fn read_all(body: Box<dyn NativeBody>) -> Result<Vec<u8>> {
    let mut source = body.into_source();
    let mut bytes = Vec::new();
    while source.read(&mut bytes).await? > 0 {}
    Ok(bytes)
}
