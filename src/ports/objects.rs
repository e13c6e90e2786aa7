//! The object store: objects by key, and their metadata.

use std::any::Any;
use std::ops::Range;

use async_trait::async_trait;

use crate::body::stream::NativeBody;
use crate::domain::storage_class::StorageClass;
use crate::domain::storage_key::StorageKey;
use crate::error::Problem;
use crate::http::range::ByteRange;

/// Length and entity tag of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    /// Length in bytes.
    pub size: u64,
    /// Entity tag that the store assigned, without quotes. If the object was stored in parts, the tag is not a hash of
    /// the content.
    pub etag: String,
}

/// A page of a list of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Key and facts of each object.
    pub objects: Vec<(String, ObjectFacts)>,
    /// Cursor of the next page; `None` on the last page.
    pub cursor: Option<String>,
}

/// The outcome of reading an object.
pub enum Fetched {
    /// The object's facts and the requested bytes.
    Found(ObjectFacts, Box<dyn NativeBody>),
    /// No object has this key.
    Missing,
    /// The etag of the object is not the required etag.
    Different,
}

/// Key and metadata of an object to create.
#[derive(Debug, Clone)]
pub struct NewObject {
    /// Key of the object.
    pub key: StorageKey,
    /// Media type, stored with the object.
    pub content_type: &'static str,
    /// Names and values stored with the object as custom metadata. R2 accepts at most 8,192 bytes of metadata for an
    /// object.
    pub labels: Vec<(&'static str, String)>,
    /// Storage class of the object.
    pub storage_class: StorageClass,
    /// SHA-256 that the bytes must have. If the bytes have another SHA-256, the store must not create the object.
    pub expected_sha256: Option<[u8; 32]>,
}

/// A stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Length and entity tag as the store reports them.
    pub facts: ObjectFacts,
    /// SHA-256 of the bytes, computed while they were sent.
    pub sha256: [u8; 32],
}

/// Why a write to the store failed.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// An object with this key exists. Nothing was changed.
    #[error("an object with this key exists")]
    Exists,
    /// The bytes do not have the expected hash. Nothing was stored.
    #[error("the digest does not match")]
    DigestMismatch,
    /// The body broke, or the service refused it while it was read. Nothing was stored.
    #[error("{0}")]
    Body(Problem),
    /// The store failed. The object may or may not exist.
    #[error("{0}")]
    Store(StoreError),
}

/// Converts the error of a write into the problem that the client receives.
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

/// A failed call to the object store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A multipart upload cannot be completed, because the store has no part with the given number and etag. Nothing
    /// was changed.
    #[error("object store: a part of the upload is not stored: {0}")]
    OtherPart(String),
    /// Any other failure. A write may or may not have taken effect.
    #[error("object store: {0}")]
    Unknown(String),
}

impl StoreError {
    /// Classifies the store's message. R2 puts the error's number at the end, as in `completeMultipartUpload: One or
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

/// The object store (R2). It is strongly consistent. Only [`ObjectStore::replace_bytes`] replaces an existing object.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Returns the facts of an object, or `None` if it does not exist.
    async fn head(&self, key: &StorageKey) -> std::result::Result<Option<ObjectFacts>, StoreError>;

    /// Opens a whole object, or only its byte range `range`. Returns [`Fetched::Different`] if the object's etag is not
    /// `only_if_etag`.
    async fn get(
        &self,
        key: &StorageKey,
        range: Option<ByteRange>,
        only_if_etag: Option<&str>,
    ) -> std::result::Result<Fetched, StoreError>;

    /// Stores `body` as an object of exactly `length_bytes` bytes, and hashes these bytes at the same time. `observer`
    /// receives every byte once, in order.
    async fn put_stream(
        &self,
        object: NewObject,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
        observer: &mut dyn PieceObserver,
    ) -> std::result::Result<StoredObject, PutError>;

    /// Stores `bytes` as an object.
    async fn put_bytes(&self, object: NewObject, bytes: &[u8]) -> std::result::Result<ObjectFacts, PutError>;

    /// Stores `bytes` as an object. If an object with this key exists, replaces it: each reader sees either the old
    /// object or the new object. Use this function only for objects that can be made again from other objects.
    async fn replace_bytes(
        &self,
        object: NewObject,
        bytes: &[u8],
    ) -> std::result::Result<ObjectFacts, StoreError>;

    /// Creates an empty buffer with a capacity of `length_bytes`, for [`Self::put_buffer`] and
    /// [`Self::put_part_buffer`].
    fn part_buffer(&self, length_bytes: usize) -> Box<dyn PartBuffer>;

    /// Stores the content of a buffer as an object.
    async fn put_buffer(
        &self,
        object: NewObject,
        buffer: &dyn PartBuffer,
    ) -> std::result::Result<ObjectFacts, PutError>;

    /// Begins a multipart upload and returns its id.
    async fn create_multipart(&self, object: &NewObject) -> std::result::Result<String, StoreError>;

    /// Stores the content of a buffer as part `number`, counted from 1. All parts except the last must have the same
    /// length. Returns the part's etag.
    async fn put_part_buffer(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        buffer: &dyn PartBuffer,
    ) -> std::result::Result<String, StoreError>;

    /// Stores `body`, which must have exactly `length_bytes` bytes, as part `number`. If the bytes do not have the
    /// expected hash, the store keeps the part that it already has under this number. Returns the part's etag.
    async fn put_part_stream(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
        expected_sha256: Option<[u8; 32]>,
    ) -> std::result::Result<String, PutError>;

    /// Completes a multipart upload: joins its parts into the object. `part_etags` contains the etags of the parts, in
    /// order.
    async fn complete_multipart(
        &self,
        key: &StorageKey,
        upload_id: &str,
        part_etags: &[String],
    ) -> std::result::Result<ObjectFacts, StoreError>;

    /// Aborts a multipart upload. Does nothing if the upload is unknown, completed or already aborted.
    async fn abort_multipart(&self, key: &StorageKey, upload_id: &str)
    -> std::result::Result<(), StoreError>;

    /// Lists at most `limit` (1 to 1,000) objects whose keys begin with `prefix`, in the order of their keys.
    /// `cursor` is the cursor of the previous page. An object that is stored or deleted while the list is read may or
    /// may not be listed.
    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> std::result::Result<Listing, StoreError>;

    /// Deletes an object. A missing object is not an error.
    async fn delete(&self, key: &StorageKey) -> std::result::Result<(), StoreError>;
}

/// Receives the bytes of a body while they are stored.
pub trait PieceObserver: Send {
    /// Called with the next piece.
    fn observe(&mut self, piece: &[u8]);
}

/// An observer that ignores the bytes.
pub struct IgnorePieces;

impl PieceObserver for IgnorePieces {
    fn observe(&mut self, _: &[u8]) {}
}

/// A buffer for one part of an object. The buffer is in JavaScript memory, because wasm memory never shrinks.
pub trait PartBuffer: Send + Sync {
    /// Returns the number of bytes in the buffer.
    fn len(&self) -> usize;

    /// Whether the buffer is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends bytes. The content must not exceed the capacity.
    fn append(&mut self, bytes: &[u8]);

    /// Returns a copy of the bytes in `range`.
    fn copy(&self, range: Range<usize>) -> Vec<u8>;

    /// Removes all bytes.
    fn clear(&mut self);

    /// Returns the buffer as [`Any`], so that the adapter can downcast the buffer to its own type.
    fn as_any(&self) -> &dyn Any;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_10025_means_that_a_part_of_the_upload_is_not_stored() {
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
