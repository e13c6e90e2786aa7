//! Whose turn it is to write. A connection that hangs looks to the server like one that is slow, and its client may be
//! back long before the network says so: whoever comes asks the one at work to stop, and gets its turn when that one
//! has kept what it had. Bytes of two requests never mix.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex as SyncMutex, PoisonError};

use futures_util::future::{AbortHandle, Abortable};
use futures_util::lock::{Mutex, MutexGuard};

use crate::body::stream::ByteSource;
use crate::error::Result;

/// Nobody is receiving.
const NOBODY: u64 = u64::MAX;

/// A value that one at a time has the use of.
pub struct WriterLock<T> {
    value: Mutex<T>,
    waiting: AtomicUsize,
    /// How far the one who receives is; [`NOBODY`] when nobody does.
    receiving_at: AtomicU64,
    /// Ends the read that is under way.
    reading: SyncMutex<Option<AbortHandle>>,
}

/// What a read has come to.
pub enum InterruptibleRead {
    /// So many bytes, 0 at the end; or the stream broke.
    Done(Result<usize>),
    /// Somebody else wants a turn.
    AskedToStop,
}

impl<T> WriterLock<T> {
    /// Nobody's turn.
    pub fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            waiting: AtomicUsize::new(0),
            receiving_at: AtomicU64::new(NOBODY),
            reading: SyncMutex::new(None),
        }
    }

    /// Asks whoever receives to stop, and waits for it.
    pub async fn take(&self) -> MutexGuard<'_, T> {
        let _waiting = Waiting::join(&self.waiting);
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = reading {
            handle.abort();
        }
        self.value.lock().await
    }

    /// Where the one who receives is, if somebody does.
    pub fn receiving_at(&self) -> Option<u64> {
        Some(self.receiving_at.load(Ordering::SeqCst)).filter(|offset| *offset != NOBODY)
    }

    /// Says that the one whose turn it is receives, until what is returned is dropped.
    pub fn receive(&self) -> Receiving<'_, T> {
        Receiving(self)
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The one who receives.
pub struct Receiving<'a, T>(&'a WriterLock<T>);

impl<T> Receiving<'_, T> {
    /// Reads on, unless asked to stop.
    pub async fn read(
        &self,
        source: &mut dyn ByteSource,
        buffer: &mut Vec<u8>,
        offset: u64,
    ) -> InterruptibleRead {
        let turn = self.0;
        turn.receiving_at.store(offset, Ordering::SeqCst);
        if turn.waiting.load(Ordering::SeqCst) > 0 {
            return InterruptibleRead::AskedToStop;
        }
        let (handle, registration) = AbortHandle::new_pair();
        *turn.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        let outcome = Abortable::new(source.read(buffer), registration).await;
        turn.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        outcome.map_or(InterruptibleRead::AskedToStop, InterruptibleRead::Done)
    }
}

impl<T> Drop for Receiving<'_, T> {
    fn drop(&mut self) {
        self.0.receiving_at.store(NOBODY, Ordering::SeqCst);
        self.0.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
