//! Named objects. Each named object has a small storage that only this object can read and write.

use async_trait::async_trait;
use serde_json::Value;

use super::StoreError;
use crate::body::stream::NativeBody;
use crate::domain::time::Timestamp;
use crate::error::Result;

/// A class of named objects. The name of a class must not change, because the platform finds the rows of an object by
/// the class name and the object name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectClass {
    /// A resumable upload; the object's name is the upload's id.
    UploadSession,
    /// The rate limits of a principal, address or share; the object's name says which.
    RateLimiter,
}

impl ObjectClass {
    /// Every class.
    pub const ALL: [Self; 2] = [Self::UploadSession, Self::RateLimiter];

    /// Returns the name of the class and the name of its binding in `wrangler.toml`.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::UploadSession => ("UploadSession", "UPLOADS"),
            Self::RateLimiter => ("RateLimiter", "LIMITS"),
        }
    }
}

/// Calls named objects (Durable Objects). For each class and name there is exactly one instance.
#[async_trait]
pub trait NamedObjects: Send + Sync {
    /// Sends a command to an object, with `body` if there is one, and returns the object's reply.
    ///
    /// # Errors
    /// The problem that the object returns; `unavailable` if the call failed. After a failed call, the object may or
    /// may not have executed the command.
    async fn call(
        &self,
        class: ObjectClass,
        name: &str,
        command: Value,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Value>;
}

/// A named object, as the platform runs it. The platform may discard the object at any time and create it again from
/// its rows. While one command waits for I/O, other commands run. So the object itself must put its commands in order.
#[async_trait]
pub trait NamedObject: Send + Sync {
    /// Executes a command and returns the reply.
    ///
    /// # Errors
    /// The problem that the caller receives.
    async fn call(&self, command: Value, body: Option<Box<dyn NativeBody>>) -> Result<Value>;

    /// Runs at the time that was set with [`ObjectStorage::set_alarm`].
    ///
    /// # Errors
    /// Any problem makes the platform call the alarm again.
    async fn alarm(&self) -> Result<()>;
}

/// The storage of one named object: rows by name. Writes with no `await` between them take effect together.
#[async_trait]
pub trait ObjectStorage: Send + Sync {
    /// Returns a row, or `None` if it does not exist.
    fn get(&self, name: &str) -> std::result::Result<Option<Vec<u8>>, StoreError>;

    /// Writes a row of at most 1 MiB.
    fn put(&self, name: &str, value: &[u8]) -> std::result::Result<(), StoreError>;

    /// Deletes a row. A missing row is not an error.
    fn delete(&self, name: &str) -> std::result::Result<(), StoreError>;

    /// Returns the row names that begin with `prefix`, in text order.
    fn names(&self, prefix: &str) -> std::result::Result<Vec<String>, StoreError>;

    /// Sets the time of the object's alarm. An object has one alarm, so the new time replaces the previous time.
    async fn set_alarm(&self, time: Timestamp) -> std::result::Result<(), StoreError>;

    /// Deletes all rows.
    async fn clear(&self) -> std::result::Result<(), StoreError>;
}
