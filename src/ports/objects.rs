//! The object store: bytes by key, and what is known of them.

use std::any::Any;
use std::ops::Range;

use async_trait::async_trait;

use crate::body::stream::NativeBody;
use crate::domain::storage_key::StorageKey;
use crate::error::Problem;
use crate::http::range::ByteRange;

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
pub struct StoredObject {
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

/// A put that failed, as the client sees it.
impl From<PutError> for Problem {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Exists => Self::internal(error),
            PutError::DigestMismatch => Self::digest_mismatch(),
            PutError::Body(problem) => problem,
            PutError::Store(error) => error.into(),
        }
    }
}

/// A call to the object store that failed; a write may have happened all the same.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// An upload in parts cannot be completed: a part is not the one named. Nothing was changed.
    #[error("object store: a part is not the one named: {0}")]
    OtherPart(String),
    /// Anything else. A write may have happened or not.
    #[error("object store: {0}")]
    Unknown(String),
}

impl StoreError {
    /// Reads the store's message. R2's names its error by a number at the end, as in `completeMultipartUpload: One or
    /// more of the specified parts could not be found. (10025)`.
    pub fn from_message(message: impl Into<String>) -> Self {
        let message = message.into();
        match message.contains("(10025)") || message.contains("parts could not be found") {
            true => Self::OtherPart(message),
            false => Self::Unknown(message),
        }
    }
}

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
    ) -> std::result::Result<StoredObject, PutError>;

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

    /// Stores exactly `length_bytes` of `body` as part `number`, unless they have another hash than expected: then what
    /// was there before stays. Returns the part's etag.
    async fn put_part_stream(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
        expected_sha256: Option<[u8; 32]>,
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

/// Sees bytes on their way elsewhere.
pub trait PieceObserver: Send {
    /// Looks at the next piece.
    fn observe(&mut self, piece: &[u8]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_not_the_one_named_is_told_from_the_message() {
        for (message, is_other_part) in [
            ("completeMultipartUpload: One or more of the specified parts could not be found. (10025)", true),
            ("part 3 is not the one stored (10025)", true),
            ("The specified multipart upload does not exist. (10024)", false),
            ("Network connection lost.", false),
            ("", false),
        ] {
            let error = StoreError::from_message(message);
            assert_eq!(matches!(error, StoreError::OtherPart(_)), is_other_part, "{message}");
        }
    }
}
