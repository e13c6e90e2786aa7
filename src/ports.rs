//! What Cutty needs from the platform, as traits: the adapters in `cloudflare` and the fakes of the tests implement
//! them, and services know nothing else of either.
//!
//! No port retries on its own: whoever calls knows whether doing a thing twice is safe.

use std::any::Any;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Problem, Result};
use crate::http::range::ByteRange;
use crate::idempotency::overtaken;
use crate::ids::AttemptId;
use crate::jobs::Job;
use crate::storage::key::StorageKey;
use crate::storage::resumable::{Command, Progress};
use crate::time::Timestamp;

/// How many bytes move at a time wherever bytes enter wasm: large enough that the calls do not count, small enough
/// that a hundred streams fit an isolate.
pub const PIECE_BYTES: usize = 256 * 1024;

/// A stream of bytes read piece by piece into the caller's buffer.
#[async_trait]
pub trait ByteSource: Send {
    /// Appends the next piece to `buffer` and returns its length; 0 is the end. A piece is about [`PIECE_BYTES`] long.
    ///
    /// # Errors
    /// The stream is broken; what was appended before is not the whole.
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize>;

    /// Told that nobody will read on: the client has gone.
    async fn cancel(&mut self) {}
}

/// Sees bytes on their way elsewhere.
pub trait PieceObserver: Send {
    /// Looks at the next piece.
    fn observe(&mut self, piece: &[u8]);
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

    /// The adapter's own type.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// Memory for one part of an object, kept where the platform keeps bytes and not in wasm, which never gives back what it
/// has grown to.
pub trait PartBuffer: Send + Sync {
    /// How many bytes are in it.
    fn len(&self) -> usize;

    /// Whether none are.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds bytes; no more than the length it was made for fit in all.
    fn append(&mut self, bytes: &[u8]);

    /// A copy of some of its bytes.
    fn copy(&self, range: Range<usize>) -> Vec<u8>;

    /// Empties it.
    fn clear(&mut self);

    /// The adapter's own type.
    fn as_any(&self) -> &dyn Any;
}

/// What is known of a stored object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    /// Length in bytes.
    pub size: u64,
    /// The store's own entity tag, unquoted. Not a content hash for objects stored in parts.
    pub etag: String,
}

/// A page of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Key and facts of each.
    pub objects: Vec<(String, ObjectFacts)>,
    /// Where the next page begins; `None`: there is none.
    pub cursor: Option<String>,
}

/// The outcome of reading an object.
pub enum Fetched {
    /// Its facts and the bytes asked for.
    Found(ObjectFacts, Box<dyn NativeBody>),
    /// No object has this key.
    Missing,
    /// The object's etag is another than the one required.
    Different,
}

/// What an object is created with.
#[derive(Debug, Clone)]
pub struct NewObject {
    /// Where it goes.
    pub key: StorageKey,
    /// The media type stored beside it.
    pub content_type: &'static str,
    /// Pairs stored beside it, at most 2,048 bytes in all.
    pub labels: Vec<(&'static str, String)>,
    /// When given, an object with any other hash must not come into being.
    pub expected_sha256: Option<[u8; 32]>,
}

/// An object that has been stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Length and entity tag as the store reports them.
    pub facts: ObjectFacts,
    /// SHA-256 of the bytes that were sent, computed on the way.
    pub sha256: [u8; 32],
}

/// Why an object was not stored, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The key is taken. Nothing was changed.
    #[error("an object with this key exists")]
    Exists,
    /// The bytes have another hash than expected. Nothing was stored.
    #[error("the digest does not match")]
    DigestMismatch,
    /// The body broke off or was refused while it was read. Nothing was stored.
    #[error("{0}")]
    Body(Problem),
    /// The store failed: the object may exist or not.
    #[error("{0}")]
    Store(StoreError),
}

/// A call to the object store that failed; a write may have happened all the same.
#[derive(Debug, Clone, thiserror::Error)]
#[error("object store: {0}")]
pub struct StoreError(pub String);

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Problem::unavailable(error)
    }
}

/// Bytes by key (R2). Strongly consistent; writes are create-only.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// The facts of an object, or `None` when there is none.
    async fn head(&self, key: &StorageKey) -> std::result::Result<Option<ObjectFacts>, StoreError>;

    /// Opens an object, or `range` of it, if its etag is `only_if_etag` (when given).
    async fn get(
        &self,
        key: &StorageKey,
        range: Option<ByteRange>,
        only_if_etag: Option<&str>,
    ) -> std::result::Result<Fetched, StoreError>;

    /// Stores exactly `length_bytes` of `body`, hashing on the way; `observer` sees every byte once, in order.
    async fn put_stream(
        &self,
        object: NewObject,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
        observer: &mut dyn PieceObserver,
    ) -> std::result::Result<Stored, PutError>;

    /// Stores bytes at hand.
    async fn put_bytes(&self, object: NewObject, bytes: &[u8]) -> std::result::Result<ObjectFacts, PutError>;

    /// An empty buffer for `length_bytes`, to be used with the calls below.
    fn part_buffer(&self, length_bytes: usize) -> Box<dyn PartBuffer>;

    /// Stores what is in a buffer.
    async fn put_buffer(
        &self,
        object: NewObject,
        buffer: &dyn PartBuffer,
    ) -> std::result::Result<ObjectFacts, PutError>;

    /// Begins an object in parts and returns the upload's id.
    async fn create_multipart(&self, object: &NewObject) -> std::result::Result<String, StoreError>;

    /// Stores part `number` (from 1); all parts but the last must be equally long. Returns the part's etag.
    async fn put_part(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        bytes: &[u8],
    ) -> std::result::Result<String, StoreError>;

    /// Stores what is in a buffer as part `number`. Returns the part's etag.
    async fn put_part_buffer(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        buffer: &dyn PartBuffer,
    ) -> std::result::Result<String, StoreError>;

    /// Stores exactly `length_bytes` of `body` as part `number`. Returns the part's etag.
    async fn put_part_stream(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
    ) -> std::result::Result<String, PutError>;

    /// Joins the parts, in order from 1, into the object.
    async fn complete_multipart(
        &self,
        key: &StorageKey,
        upload_id: &str,
        part_etags: &[String],
    ) -> std::result::Result<ObjectFacts, StoreError>;

    /// Drops an upload in parts; one that is unknown or complete is left alone, and that is no error.
    async fn abort_multipart(&self, key: &StorageKey, upload_id: &str)
    -> std::result::Result<(), StoreError>;

    /// At most `limit` (1 to 1,000) objects whose keys begin with `prefix`, in the order of their keys, from where the
    /// page before ended (`cursor`). What is stored or deleted meanwhile may be on a page or not.
    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> std::result::Result<Listing, StoreError>;

    /// Deletes an object; one that is missing is no error.
    async fn delete(&self, key: &StorageKey) -> std::result::Result<(), StoreError>;
}

/// A value bound to, or read from, a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// NULL.
    Null,
    /// An integer, exact up to 2^53.
    Integer(i64),
    /// Text.
    Text(String),
}

/// A statement and what is bound to its numbered parameters, `?1` first.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The text, from [`crate::sql`].
    pub sql: std::borrow::Cow<'static, str>,
    /// The values.
    pub params: Vec<Param>,
}

impl Statement {
    /// A statement with nothing bound.
    pub fn new(sql: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), params: Vec::new() }
    }

    /// Binds the next parameter.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Param>) -> Self {
        self.params.push(value.into());
        self
    }
}

impl From<&str> for Param {
    fn from(value: &str) -> Self {
        Param::Text(value.to_owned())
    }
}

impl From<String> for Param {
    fn from(value: String) -> Self {
        Param::Text(value)
    }
}

impl From<i64> for Param {
    fn from(value: i64) -> Self {
        Param::Integer(value)
    }
}

impl From<bool> for Param {
    fn from(value: bool) -> Self {
        Param::Integer(value.into())
    }
}

impl From<u64> for Param {
    /// Sizes and counts; everything stored stays far below 2^53.
    fn from(value: u64) -> Self {
        Param::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Param>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Self {
        value.map_or(Param::Null, Into::into)
    }
}

/// A row: column name → value.
pub type Row = serde_json::Map<String, Value>;

/// Reads a row into a struct of the same column names.
///
/// # Errors
/// The row has another shape: the schema and the code disagree.
pub fn from_row<T: DeserializeOwned>(row: Row) -> Result<T> {
    serde_json::from_value(Value::Object(row)).map_err(|error| Problem::internal(format!("row: {error}")))
}

/// Why a statement or batch did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// A constraint refused it, as `table.column` where the database says so. Nothing was changed.
    #[error("constraint failed: {0}")]
    Constraint(String),
    /// Anything else. A write may have happened or not: read before writing again.
    #[error("database: {0}")]
    Unknown(String),
}

impl DatabaseError {
    /// Reads the database's message: what a constraint refused lies between "constraint failed" and the name of
    /// the error, as in `D1_ERROR: NOT NULL constraint failed: quotas.reserved_bytes: SQLITE_CONSTRAINT`.
    pub fn from_message(message: &str) -> Self {
        let said = message.split_once("D1_ERROR: ").map_or(message, |(_, said)| said);
        let Some((said, _)) = said.split_once(": SQLITE_CONSTRAINT") else {
            return Self::Unknown(message.to_owned());
        };
        let subject = said.split_once(" constraint failed: ").map_or(said, |(_, subject)| subject);
        Self::Constraint(subject.to_owned())
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Constraint(name) if name == crate::sql::idempotency::LOST => overtaken(),
            other => Problem::unavailable(other),
        }
    }
}

/// Facts in tables (D1).
#[async_trait]
pub trait Database: Send + Sync {
    /// Runs the statements as one transaction: all or none. Returns the rows of each.
    async fn batch(&self, statements: Vec<Statement>) -> std::result::Result<Vec<Vec<Row>>, DatabaseError>;

    /// Runs one statement.
    async fn query(&self, statement: Statement) -> std::result::Result<Vec<Row>, DatabaseError> {
        Ok(self.batch(vec![statement]).await?.pop().unwrap_or_default())
    }
}

/// Background work (Queues): at least once, in any order.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Hands a job over.
    ///
    /// # Errors
    /// It may have been taken or not.
    async fn send(&self, job: Job) -> std::result::Result<(), QueueError>;
}

/// A job that may not have been taken.
#[derive(Debug, Clone, thiserror::Error)]
#[error("queue: {0}")]
pub struct QueueError(pub String);

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

/// What the platform counts, each by keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Tries to log in to one account.
    LoginsOfAccount,
    /// Tries to log in or to register from one address.
    SignInsFromAddress,
}

/// Rate limits of the platform: approximate, and counted anew in every place. A shield, not an account.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one more for `key`; whether it is within the limit.
    ///
    /// # Errors
    /// It was not counted.
    async fn admits(&self, limit: Limit, key: &str) -> std::result::Result<bool, LimitError>;
}

/// Something that was not counted.
#[derive(Debug, Clone, thiserror::Error)]
#[error("rate limit: {0}")]
pub struct LimitError(pub String);

/// A running SHA-256.
#[async_trait]
pub trait Sha256Stream: Send {
    /// Takes more bytes.
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// The hash of all of them.
    async fn finish(self: Box<Self>) -> Result<[u8; 32]>;
}

/// Hashing at the platform's speed.
pub trait Hashing: Send + Sync {
    /// A new SHA-256.
    fn sha256(&self) -> Box<dyn Sha256Stream>;
}

/// What the isolate that serves this has used since it began.
pub trait Isolate: Send + Sync {
    /// Bytes of files copied into wasm.
    fn bytes_into_wasm(&self) -> u64;
    /// The size of wasm's memory, which never shrinks, in bytes.
    fn memory_bytes(&self) -> u64;
}

/// The time.
pub trait Clock: Send + Sync {
    /// Now, in UTC. On the platform it moves only between I/O.
    fn now(&self) -> DateTime<Utc>;
}

/// Randomness fit for secrets.
pub trait Random: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_is_told_from_the_message_by_table_and_column() {
        let cases = [
            (
                "D1_ERROR: NOT NULL constraint failed: quotas.reserved_bytes: SQLITE_CONSTRAINT",
                "quotas.reserved_bytes",
            ),
            (
                "Error: D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
                "users.email",
            ),
            ("D1_ERROR: UNIQUE constraint failed: a.x, a.y: SQLITE_CONSTRAINT", "a.x, a.y"),
            ("D1_ERROR: CHECK constraint failed: used_bytes >= 0: SQLITE_CONSTRAINT", "used_bytes >= 0"),
            ("D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT", "FOREIGN KEY constraint failed"),
            (
                "D1_ERROR: cannot store TEXT value in INTEGER column quotas.used_bytes: SQLITE_CONSTRAINT",
                "cannot store TEXT value in INTEGER column quotas.used_bytes",
            ),
        ];
        for (message, wanted) in cases {
            let error = DatabaseError::from_message(message);
            assert!(matches!(&error, DatabaseError::Constraint(subject) if subject == wanted), "{error:?}");
        }
    }

    #[test]
    fn any_other_message_leaves_the_outcome_unknown() {
        for message in ["D1_ERROR: Network connection lost.", "D1_ERROR: no such table: x: SQLITE_ERROR", ""]
        {
            assert!(matches!(DatabaseError::from_message(message), DatabaseError::Unknown(_)), "{message}");
        }
    }
}
