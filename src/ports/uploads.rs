//! Upload sessions: how they are reached, and what one of them has stored.

use async_trait::async_trait;

use super::StoreError;
use crate::body::stream::NativeBody;
use crate::domain::ids::AttemptId;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::storage::resumable::{Command, Progress};

/// Upload sessions by id (Durable Objects), each the single writer of its upload and the truth of how far it is.
#[async_trait]
pub trait Uploads: Send + Sync {
    /// Has the session of `upload` carry out a command, to which `body` brings bytes.
    ///
    /// # Errors
    /// What the session answers; or `unavailable`: it may have carried it out or not.
    async fn send(
        &self,
        upload: AttemptId,
        command: Command,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Progress>;
}

/// What one upload session has stored: rows by name. Writes between which nothing is awaited take effect together.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// A row, if it is there.
    fn get(&self, name: &str) -> std::result::Result<Option<Vec<u8>>, StoreError>;

    /// Writes a row of at most 1 MiB.
    fn put(&self, name: &str, value: &[u8]) -> std::result::Result<(), StoreError>;

    /// Drops a row; one that is missing is no error.
    fn delete(&self, name: &str) -> std::result::Result<(), StoreError>;

    /// The names of the rows that begin so, in order.
    fn names(&self, prefix: &str) -> std::result::Result<Vec<String>, StoreError>;

    /// Asks to be woken at a time, instead of at any asked for before.
    async fn wake_at(&self, time: Timestamp) -> std::result::Result<(), StoreError>;

    /// Drops every row.
    async fn clear(&self) -> std::result::Result<(), StoreError>;
}
