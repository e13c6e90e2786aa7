//! The lock of an upload. A request holds the lock while it writes to the upload. Bytes of two requests never mix,
//! because only one request at a time can hold the lock.
//!
//! The server cannot distinguish a connection that hangs from a slow connection. A client whose connection hangs may
//! connect again long before the network reports the failure. So a new request takes over: it interrupts the request
//! that is receiving, waits until the interrupted request has saved its bytes, and then gets the lock.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex as SyncMutex, PoisonError};

use futures_util::future::{AbortHandle, Abortable};
use futures_util::lock::{Mutex, MutexGuard};

use crate::body::stream::ByteSource;
use crate::error::Result;

/// Value of `receiving_at` while no request is receiving.
const NOT_RECEIVING: u64 = u64::MAX;

/// A value that one request at a time may use.
pub struct WriterLock<T> {
    value: Mutex<T>,
    waiting: AtomicUsize,
    /// Number of bytes that the upload had received when the current read began; [`NOT_RECEIVING`] if no request is
    /// receiving.
    receiving_at: AtomicU64,
    /// Aborts the current read.
    reading: SyncMutex<Option<AbortHandle>>,
}

/// The result of an interruptible read.
pub enum InterruptibleRead {
    /// The number of bytes read (0 at the end of the stream), or the error of the stream.
    Done(Result<usize>),
    /// Another request waits for the lock.
    Interrupted,
}

impl<T> WriterLock<T> {
    /// Creates a lock that no request holds.
    pub fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            waiting: AtomicUsize::new(0),
            receiving_at: AtomicU64::new(NOT_RECEIVING),
            reading: SyncMutex::new(None),
        }
    }

    /// Interrupts the request that is receiving, and waits for the lock.
    pub async fn acquire(&self) -> MutexGuard<'_, T> {
        let _waiting = Waiting::join(&self.waiting);
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = reading {
            handle.abort();
        }
        self.value.lock().await
    }

    /// Returns the number of bytes that the upload had received when the current read began; `None` if no request is
    /// receiving.
    pub fn receiving_at(&self) -> Option<u64> {
        Some(self.receiving_at.load(Ordering::SeqCst)).filter(|offset| *offset != NOT_RECEIVING)
    }

    /// Starts to receive. The caller must hold the lock. Receiving ends when the guard is dropped.
    pub fn start_receiving(&self) -> Receiving<'_, T> {
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

/// Guard that a request holds while it is receiving.
pub struct Receiving<'a, T>(&'a WriterLock<T>);

impl<T> Receiving<'_, T> {
    /// Reads more bytes, unless another request waits for the lock. `offset` is the number of bytes that the upload has
    /// received so far.
    pub async fn read(
        &self,
        source: &mut dyn ByteSource,
        buffer: &mut Vec<u8>,
        offset: u64,
    ) -> InterruptibleRead {
        let lock = self.0;
        lock.receiving_at.store(offset, Ordering::SeqCst);
        if lock.waiting.load(Ordering::SeqCst) > 0 {
            return InterruptibleRead::Interrupted;
        }
        let (handle, registration) = AbortHandle::new_pair();
        *lock.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        let outcome = Abortable::new(source.read(buffer), registration).await;
        lock.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        outcome.map_or(InterruptibleRead::Interrupted, InterruptibleRead::Done)
    }
}

impl<T> Drop for Receiving<'_, T> {
    fn drop(&mut self) {
        self.0.receiving_at.store(NOT_RECEIVING, Ordering::SeqCst);
        self.0.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
