//! The methods of the port [`ObjectStore`]. A test can inject a fault into each call.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use cutty::body::stream::NativeBody;
use cutty::domain::storage_key::StorageKey;
use cutty::http::range::ByteRange;
use cutty::ports::{
    Clock, Fetched, IgnorePieces, Listing, NewObject, ObjectFacts, ObjectStore, PartBuffer, PieceObserver,
    PutError, StoreError, StoredObject,
};

use super::buffer::{MemoryBuffer, buffered};
use super::rules::{BadBody, MAX_PARTS, check_limits, content_etag, join, slice, take_exactly};
use super::{MemoryObjects, Multipart, Object};
use crate::support::body::TestBody;
use crate::support::faults::{Call, Port};
use crate::support::hashing::{sha256, sha256_hex};

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 1024;
/// The largest number of objects on a page of a listing.
const MAX_LISTED: u32 = 1000;

/// Helpers that carry out the calls of the port on the objects in memory.
impl MemoryObjects {
    /// Stores bytes as a part.
    pub async fn put_part(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        bytes: &[u8],
    ) -> Result<String, StoreError> {
        let mut buffer = self.part_buffer(bytes.len());
        buffer.append(bytes);
        self.put_part_buffer(key, upload_id, number, buffer.as_ref()).await
    }

    fn open(
        &self,
        key: &str,
        range: Option<ByteRange>,
        only_if_etag: Option<&str>,
    ) -> Result<Fetched, StoreError> {
        let state = self.state();
        let Some(object) = state.objects.get(key) else { return Ok(Fetched::Missing) };
        if only_if_etag.is_some_and(|etag| etag != object.etag) {
            return Ok(Fetched::Different);
        }
        let bytes = match range {
            None => object.bytes.clone(),
            Some(range) => slice(&object.bytes, range)?,
        };
        let body = match object.breaks_after {
            Some(length) if length < bytes.len() => TestBody::broken(&bytes, length),
            _ => match state.piece_bytes {
                Some(length) => TestBody::in_pieces_of(&bytes, length),
                None => TestBody::from_bytes(bytes),
            },
        };
        Ok(Fetched::Found(object.facts(), Box::new(body)))
    }

    fn create(&self, new: NewObject, bytes: Bytes) -> Result<ObjectFacts, PutError> {
        check_limits(&new);
        let mut state = self.state();
        let key = new.key.to_string();
        if state.objects.contains_key(&key) {
            return Err(PutError::Exists);
        }
        if new.expected_sha256.is_some_and(|wanted| wanted != sha256(&bytes)) {
            return Err(PutError::DigestMismatch);
        }
        let etag = content_etag(&bytes);
        let NewObject { content_type, labels, storage_class, .. } = new;
        let object = Object { bytes, etag, content_type, labels, storage_class, breaks_after: None };
        let facts = object.facts();
        state.objects.insert(key, object);
        Ok(facts)
    }

    fn replace(&self, new: NewObject, bytes: Bytes) -> ObjectFacts {
        check_limits(&new);
        let etag = content_etag(&bytes);
        let NewObject { key, content_type, labels, storage_class, .. } = new;
        let object = Object { bytes, etag, content_type, labels, storage_class, breaks_after: None };
        let facts = object.facts();
        self.state().objects.insert(key.to_string(), object);
        facts
    }

    fn add_part(&self, key: &str, upload_id: &str, number: u16, bytes: &[u8]) -> Result<String, StoreError> {
        let mut state = self.state();
        let etag = format!("part{:08}", state.next_serial());
        let upload = state.upload(key, upload_id, self.clock.now())?;
        if !(1..=MAX_PARTS).contains(&usize::from(number)) {
            return Err(StoreError::from_message(format!(
                "part number {number} is outside 1 to {MAX_PARTS}"
            )));
        }
        upload.parts.insert(number, (etag.clone(), Bytes::copy_from_slice(bytes)));
        Ok(etag)
    }

    fn page(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Listing {
        let state = self.state();
        let after = |key: &str| cursor.is_none_or(|cursor| key > cursor);
        let matching = state.objects.iter().filter(|(key, _)| key.starts_with(prefix) && after(key.as_str()));
        let mut objects: Vec<_> =
            matching.take(limit + 1).map(|(key, object)| (key.clone(), object.facts())).collect();
        let more = objects.len() > limit;
        objects.truncate(limit);
        let cursor = objects.last().filter(|_| more).map(|(key, _)| key.clone());
        Listing { objects, cursor }
    }

    fn complete(&self, key: &str, upload_id: &str, part_etags: &[String]) -> Result<ObjectFacts, StoreError> {
        let mut state = self.state();
        let min_part_bytes = state.min_part_bytes;
        let upload = state.upload(key, upload_id, self.clock.now())?;
        let bytes = join(&upload.parts, part_etags, min_part_bytes)?;
        let etag = format!("{}-{}", &sha256_hex(upload_id.as_bytes())[..32], part_etags.len());
        let NewObject { content_type, labels, storage_class, .. } = upload.object.clone();
        let object = Object { bytes, etag, content_type, labels, storage_class, breaks_after: None };
        let facts = object.facts();
        state.multiparts.remove(upload_id);
        if state.objects.insert(key.to_owned(), object).is_some() {
            state.overwritten.push(key.to_owned());
        }
        Ok(facts)
    }

    async fn call<T, E>(
        &self,
        method: &'static str,
        key: &StorageKey,
        error: impl FnOnce(StoreError) -> E,
        action: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let subject = key.to_string();
        assert!(
            (1..=MAX_KEY_BYTES).contains(&subject.len()),
            "the key has {} bytes, but R2 allows 1 to 1024",
            subject.len()
        );
        let call = Call { port: Port::Objects, method, subject, statements: 1 };
        self.faults.call(call, |message| error(StoreError::from_message(message)), action).await
    }
}

#[async_trait]
impl ObjectStore for MemoryObjects {
    async fn head(&self, key: &StorageKey) -> Result<Option<ObjectFacts>, StoreError> {
        let action = async { Ok(self.object(&key.to_string()).map(|object| object.facts())) };
        self.call("head", key, |error| error, action).await
    }

    async fn get(
        &self,
        key: &StorageKey,
        range: Option<ByteRange>,
        only_if_etag: Option<&str>,
    ) -> Result<Fetched, StoreError> {
        let action = async { self.open(&key.to_string(), range, only_if_etag) };
        self.call("get", key, |error| error, action).await
    }

    async fn put_stream(
        &self,
        object: NewObject,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
        observer: &mut dyn PieceObserver,
    ) -> Result<StoredObject, PutError> {
        let key = object.key.clone();
        let body = own(body);
        let action = async {
            let bytes = match take_exactly(body, length_bytes, observer) {
                Ok(bytes) => bytes,
                Err(BadBody { whole: Some(bytes), .. }) => {
                    self.create(object, bytes.into())?;
                    let message = "the store reports a failed body, although it stored the object";
                    return Err(PutError::Store(StoreError::from_message(message.to_owned())));
                }
                Err(BadBody { problem, .. }) => return Err(PutError::Body(problem)),
            };
            let sha256 = sha256(&bytes);
            Ok(StoredObject { facts: self.create(object, bytes.into())?, sha256 })
        };
        self.call("put_stream", &key, PutError::Store, action).await
    }

    async fn put_bytes(&self, object: NewObject, bytes: &[u8]) -> Result<ObjectFacts, PutError> {
        let key = object.key.clone();
        let action = async { self.create(object, Bytes::copy_from_slice(bytes)) };
        self.call("put_bytes", &key, PutError::Store, action).await
    }

    async fn replace_bytes(&self, object: NewObject, bytes: &[u8]) -> Result<ObjectFacts, StoreError> {
        let key = object.key.clone();
        let action = async { Ok(self.replace(object, Bytes::copy_from_slice(bytes))) };
        self.call("replace_bytes", &key, |error| error, action).await
    }

    fn part_buffer(&self, length_bytes: usize) -> Box<dyn PartBuffer> {
        Box::new(MemoryBuffer::new(length_bytes))
    }

    async fn put_buffer(&self, object: NewObject, buffer: &dyn PartBuffer) -> Result<ObjectFacts, PutError> {
        let key = object.key.clone();
        let action = async { self.create(object, buffered(buffer)) };
        self.call("put_buffer", &key, PutError::Store, action).await
    }

    async fn create_multipart(&self, object: &NewObject) -> Result<String, StoreError> {
        check_limits(object);
        let action = async {
            let mut state = self.state();
            let id = format!("upload{:08}", state.next_serial());
            let upload =
                Multipart { object: object.clone(), parts: BTreeMap::new(), began: self.clock.now() };
            state.multiparts.insert(id.clone(), upload);
            Ok(id)
        };
        self.call("create_multipart", &object.key, |error| error, action).await
    }

    async fn put_part_buffer(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        buffer: &dyn PartBuffer,
    ) -> Result<String, StoreError> {
        let action = async { self.add_part(&key.to_string(), upload_id, number, &buffered(buffer)) };
        self.call("put_part_buffer", key, |error| error, action).await
    }

    async fn put_part_stream(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
        expected_sha256: Option<[u8; 32]>,
    ) -> Result<String, PutError> {
        let body = own(body);
        let action = async {
            let bytes = take_exactly(body, length_bytes, &mut IgnorePieces)
                .map_err(|bad| PutError::Body(bad.problem))?;
            if expected_sha256.is_some_and(|wanted| wanted != sha256(&bytes)) {
                return Err(PutError::DigestMismatch);
            }
            self.add_part(&key.to_string(), upload_id, number, &bytes).map_err(PutError::Store)
        };
        self.call("put_part_stream", key, PutError::Store, action).await
    }

    async fn complete_multipart(
        &self,
        key: &StorageKey,
        upload_id: &str,
        part_etags: &[String],
    ) -> Result<ObjectFacts, StoreError> {
        let action = async { self.complete(&key.to_string(), upload_id, part_etags) };
        self.call("complete_multipart", key, |error| error, action).await
    }

    async fn abort_multipart(&self, key: &StorageKey, upload_id: &str) -> Result<(), StoreError> {
        let action = async {
            self.state().multiparts.remove(upload_id);
            Ok(())
        };
        self.call("abort_multipart", key, |error| error, action).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Listing, StoreError> {
        assert!((1..=MAX_LISTED).contains(&limit), "a page must have 1 to 1000 objects, not {limit}");
        let call = Call { port: Port::Objects, method: "list", subject: prefix.to_owned(), statements: 1 };
        self.faults
            .call(call, StoreError::from_message, async { Ok(self.page(prefix, cursor, limit as usize)) })
            .await
    }

    async fn delete(&self, key: &StorageKey) -> Result<(), StoreError> {
        let action = async {
            self.state().objects.remove(&key.to_string());
            Ok(())
        };
        self.call("delete", key, |error| error, action).await
    }
}

/// Converts a body to the body type of this double. Panics for other bodies. The platform's adapter has the same rule:
/// it accepts only bodies of its own type.
fn own(body: Box<dyn NativeBody>) -> TestBody {
    *body.into_any().downcast().expect("the body is not a `TestBody`")
}
