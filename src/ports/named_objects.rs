//! Objects by name: small pieces of state with one writer each.

use async_trait::async_trait;
use serde_json::Value;

use super::StoreError;
use crate::body::stream::NativeBody;
use crate::domain::time::Timestamp;
use crate::error::Result;

/// A kind of object. Its name is a stored contract: the platform finds an object's rows by class and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectClass {
    /// A resumable upload; the object's name is the upload's id.
    UploadSession,
}

impl ObjectClass {
    /// The name of the class, and of its binding in `wrangler.toml`.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::UploadSession => ("UploadSession", "UPLOADS"),
        }
    }
}

/// The way to objects (Durable Objects): whoever names one reaches the one instance that there is of it.
#[async_trait]
pub trait NamedObjects: Send + Sync {
    /// Has an object carry out a command, to which `body` brings bytes, and returns its answer.
    ///
    /// # Errors
    /// What the object answers; or `unavailable`: it may have carried the command out or not.
    async fn call(
        &self,
        class: ObjectClass,
        name: &str,
        command: Value,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Value>;
}

/// An object, as the platform runs it. It is made anew from its rows whenever the platform likes, and runs commands while
/// others wait for something: it orders them by itself.
#[async_trait]
pub trait NamedObject: Send + Sync {
    /// Carries out a command.
    ///
    /// # Errors
    /// What the caller is told.
    async fn call(&self, command: Value, body: Option<Box<dyn NativeBody>>) -> Result<Value>;

    /// Runs at the time that it asked for with [`ObjectStorage::wake_at`].
    ///
    /// # Errors
    /// It is woken again.
    async fn alarm(&self) -> Result<()>;
}

/// What one object has stored: rows by name. Writes between which nothing is awaited take effect together.
#[async_trait]
pub trait ObjectStorage: Send + Sync {
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
