//! Objects in memory with the rules of R2: create-only puts, checked hashes and lengths, equal parts, conditional
//! and ranged reads.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use cutty::error::{Code, Problem};
use cutty::http::range::ByteRange;
use cutty::ports::{
    Clock, Fetched, Listing, NativeBody, NewObject, ObjectFacts, ObjectStore, PartBuffer, PieceObserver,
    PutError, StoreError, Stored,
};
use cutty::storage::key::StorageKey;

use super::body::TestBody;
use super::clock::ManualClock;
use super::faults::{Call, Faults, Port};
use super::hashing::{sha256, sha256_hex};

/// R2's limits: the shortest part but the last, the number of parts, the life of an upload, key and labels in bytes,
/// objects on a page.
const MIN_PART_BYTES: usize = 5 << 20;
const MAX_PARTS: usize = 10_000;
const UPLOAD_DAYS: i64 = 7;
const MAX_KEY_BYTES: usize = 1024;
const MAX_LABEL_BYTES: usize = 2048;
const MAX_LISTED: u32 = 1000;

/// An object as it is stored.
#[derive(Debug, Clone)]
pub struct Object {
    pub bytes: Bytes,
    pub etag: String,
    pub content_type: &'static str,
    pub labels: Vec<(&'static str, String)>,
    /// Reads break after so many bytes.
    breaks_after: Option<usize>,
}

impl Object {
    fn facts(&self) -> ObjectFacts {
        ObjectFacts { size: self.bytes.len() as u64, etag: self.etag.clone() }
    }
}

/// An upload in parts that is under way.
#[derive(Debug, Clone)]
struct Multipart {
    object: NewObject,
    parts: BTreeMap<u16, (String, Bytes)>,
    began: DateTime<Utc>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    multiparts: BTreeMap<String, Multipart>,
    overwritten: Vec<String>,
    /// Numbers upload ids and part etags, so that none comes twice.
    serial: u64,
    min_part_bytes: usize,
}

impl State {
    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn upload(
        &mut self,
        key: &str,
        upload_id: &str,
        now: DateTime<Utc>,
    ) -> Result<&mut Multipart, StoreError> {
        let alive = |upload: &Multipart| now - upload.began < TimeDelta::days(UPLOAD_DAYS);
        let found = self.multiparts.get_mut(upload_id);
        found
            .filter(|upload| upload.object.key.to_string() == key && alive(upload))
            .ok_or_else(|| StoreError("the specified multipart upload does not exist (10024)".to_owned()))
    }
}

pub struct MemoryObjects {
    state: Mutex<State>,
    faults: Faults,
    clock: Arc<ManualClock>,
}

/// What happens behind the service's back.
impl MemoryObjects {
    pub fn new(faults: Faults, clock: Arc<ManualClock>) -> Arc<Self> {
        let state = State { min_part_bytes: MIN_PART_BYTES, ..State::default() };
        Arc::new(Self { state: Mutex::new(state), faults, clock })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets parts be shorter than the platform allows, so that tests stay small.
    pub fn set_min_part_bytes(&self, bytes: usize) {
        self.state().min_part_bytes = bytes;
    }

    /// Every key, in order.
    pub fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    /// The keys of files: all but those of profiles.
    pub fn file_keys(&self) -> Vec<String> {
        self.keys().into_iter().filter(|key| !key.contains("/metadata/")).collect()
    }

    /// The object, or `None` when there is none.
    pub fn object(&self, key: &str) -> Option<Object> {
        self.state().objects.get(key).cloned()
    }

    /// The bytes of an object that must exist.
    pub fn bytes(&self, key: &str) -> Bytes {
        self.object(key).unwrap_or_else(|| panic!("no object {key} among {:?}", self.keys())).bytes
    }

    /// The uploads in parts that take up space: id and key.
    ///
    /// Not those without a part: when the answer that told an upload's id is lost, nobody can name it to drop it, and
    /// the store forgets it within a week.
    pub fn open_uploads(&self) -> Vec<(String, String)> {
        let state = self.state();
        let with_parts = state.multiparts.iter().filter(|(_, upload)| !upload.parts.is_empty());
        with_parts.map(|(id, upload)| (id.clone(), upload.object.key.to_string())).collect()
    }

    /// The keys that a completed upload in parts has written over. There must be none.
    pub fn overwritten(&self) -> Vec<String> {
        self.state().overwritten.clone()
    }

    /// Puts an object there, or another in its place, with an etag of its own.
    pub fn plant(&self, key: &str, bytes: impl Into<Bytes>) -> ObjectFacts {
        let bytes = bytes.into();
        let etag = content_etag(&bytes);
        let object = Object { bytes, etag, content_type: "text/csv", labels: Vec::new(), breaks_after: None };
        let facts = object.facts();
        self.state().objects.insert(key.to_owned(), object);
        facts
    }

    /// Flips a bit of the last byte; size and etag stay.
    pub fn corrupt(&self, key: &str) {
        self.change(key, |object| {
            let mut bytes = object.bytes.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            object.bytes = bytes.into();
        });
    }

    /// Cuts the object to `length` bytes; the etag stays.
    pub fn truncate(&self, key: &str, length: usize) {
        self.change(key, |object| object.bytes.truncate(length));
    }

    /// Lets every later read of the object break after `length` bytes.
    pub fn break_reads(&self, key: &str, length: usize) {
        self.change(key, |object| object.breaks_after = Some(length));
    }

    /// Loses the object.
    pub fn lose(&self, key: &str) {
        assert!(self.state().objects.remove(key).is_some(), "no object {key}");
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Object)) {
        change(self.state().objects.get_mut(key).unwrap_or_else(|| panic!("no object {key}")));
    }
}

/// What the calls do.
impl MemoryObjects {
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
            _ => TestBody::of(bytes),
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
        let NewObject { content_type, labels, .. } = new;
        let object = Object { bytes, etag, content_type, labels, breaks_after: None };
        let facts = object.facts();
        state.objects.insert(key, object);
        Ok(facts)
    }

    fn add_part(&self, key: &str, upload_id: &str, number: u16, bytes: &[u8]) -> Result<String, StoreError> {
        let mut state = self.state();
        let etag = format!("part{:08}", state.next_serial());
        let upload = state.upload(key, upload_id, self.clock.now())?;
        if !(1..=MAX_PARTS).contains(&usize::from(number)) {
            return Err(StoreError(format!("part number {number} is outside 1 to {MAX_PARTS}")));
        }
        upload.parts.insert(number, (etag.clone(), Bytes::copy_from_slice(bytes)));
        Ok(etag)
    }

    fn page(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Listing {
        let state = self.state();
        let behind = |key: &str| cursor.is_none_or(|cursor| key > cursor);
        let matching =
            state.objects.iter().filter(|(key, _)| key.starts_with(prefix) && behind(key.as_str()));
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
        let NewObject { content_type, labels, .. } = upload.object.clone();
        let object = Object { bytes, etag, content_type, labels, breaks_after: None };
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
        report: impl FnOnce(StoreError) -> E,
        deed: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let subject = key.to_string();
        assert!((1..=MAX_KEY_BYTES).contains(&subject.len()), "a key of {} bytes", subject.len());
        let call = Call { port: Port::Objects, method, subject, statements: 1 };
        self.faults.call(call, |message| report(StoreError(message)), deed).await
    }
}

#[async_trait]
impl ObjectStore for MemoryObjects {
    async fn head(&self, key: &StorageKey) -> Result<Option<ObjectFacts>, StoreError> {
        let deed = async { Ok(self.object(&key.to_string()).map(|object| object.facts())) };
        self.call("head", key, |error| error, deed).await
    }

    async fn get(
        &self,
        key: &StorageKey,
        range: Option<ByteRange>,
        only_if_etag: Option<&str>,
    ) -> Result<Fetched, StoreError> {
        let deed = async { self.open(&key.to_string(), range, only_if_etag) };
        self.call("get", key, |error| error, deed).await
    }

    async fn put_stream(
        &self,
        object: NewObject,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
        observer: &mut dyn PieceObserver,
    ) -> Result<Stored, PutError> {
        let key = object.key.clone();
        let body = own(body);
        let deed = async {
            let bytes = take_exactly(body, length_bytes, observer).map_err(PutError::Body)?;
            let sha256 = sha256(&bytes);
            Ok(Stored { facts: self.create(object, bytes.into())?, sha256 })
        };
        self.call("put_stream", &key, PutError::Store, deed).await
    }

    async fn put_bytes(&self, object: NewObject, bytes: &[u8]) -> Result<ObjectFacts, PutError> {
        let key = object.key.clone();
        let deed = async { self.create(object, Bytes::copy_from_slice(bytes)) };
        self.call("put_bytes", &key, PutError::Store, deed).await
    }

    fn part_buffer(&self, length_bytes: usize) -> Box<dyn PartBuffer> {
        Box::new(MemoryBuffer { bytes: Vec::new(), length_bytes })
    }

    async fn put_buffer(&self, object: NewObject, buffer: &dyn PartBuffer) -> Result<ObjectFacts, PutError> {
        let key = object.key.clone();
        let deed = async { self.create(object, buffered(buffer)) };
        self.call("put_buffer", &key, PutError::Store, deed).await
    }

    async fn create_multipart(&self, object: &NewObject) -> Result<String, StoreError> {
        check_limits(object);
        let deed = async {
            let mut state = self.state();
            let id = format!("upload{:08}", state.next_serial());
            let upload =
                Multipart { object: object.clone(), parts: BTreeMap::new(), began: self.clock.now() };
            state.multiparts.insert(id.clone(), upload);
            Ok(id)
        };
        self.call("create_multipart", &object.key, |error| error, deed).await
    }

    async fn put_part(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        bytes: &[u8],
    ) -> Result<String, StoreError> {
        let deed = async { self.add_part(&key.to_string(), upload_id, number, bytes) };
        self.call("put_part", key, |error| error, deed).await
    }

    async fn put_part_buffer(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        buffer: &dyn PartBuffer,
    ) -> Result<String, StoreError> {
        let deed = async { self.add_part(&key.to_string(), upload_id, number, &buffered(buffer)) };
        self.call("put_part_buffer", key, |error| error, deed).await
    }

    async fn put_part_stream(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
    ) -> Result<String, PutError> {
        let body = own(body);
        let deed = async {
            let bytes = take_exactly(body, length_bytes, &mut Unseen).map_err(PutError::Body)?;
            self.add_part(&key.to_string(), upload_id, number, &bytes).map_err(PutError::Store)
        };
        self.call("put_part_stream", key, PutError::Store, deed).await
    }

    async fn complete_multipart(
        &self,
        key: &StorageKey,
        upload_id: &str,
        part_etags: &[String],
    ) -> Result<ObjectFacts, StoreError> {
        let deed = async { self.complete(&key.to_string(), upload_id, part_etags) };
        self.call("complete_multipart", key, |error| error, deed).await
    }

    async fn abort_multipart(&self, key: &StorageKey, upload_id: &str) -> Result<(), StoreError> {
        let deed = async {
            self.state().multiparts.remove(upload_id);
            Ok(())
        };
        self.call("abort_multipart", key, |error| error, deed).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Listing, StoreError> {
        assert!((1..=MAX_LISTED).contains(&limit), "a page of {limit} objects");
        let call = Call { port: Port::Objects, method: "list", subject: prefix.to_owned(), statements: 1 };
        self.faults.call(call, StoreError, async { Ok(self.page(prefix, cursor, limit as usize)) }).await
    }

    async fn delete(&self, key: &StorageKey) -> Result<(), StoreError> {
        let deed = async {
            self.state().objects.remove(&key.to_string());
            Ok(())
        };
        self.call("delete", key, |error| error, deed).await
    }
}

/// Bytes of one part.
struct MemoryBuffer {
    bytes: Vec<u8>,
    length_bytes: usize,
}

impl PartBuffer for MemoryBuffer {
    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        assert!(self.bytes.len() <= self.length_bytes, "more than the buffer was made for");
    }

    fn copy(&self, range: Range<usize>) -> Vec<u8> {
        self.bytes[range].to_vec()
    }

    fn clear(&mut self) {
        self.bytes.clear();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn buffered(buffer: &dyn PartBuffer) -> Bytes {
    Bytes::copy_from_slice(
        &buffer.as_any().downcast_ref::<MemoryBuffer>().expect("a buffer of this store").bytes,
    )
}

/// The double's own body type, as the adapter on the platform takes back its own.
fn own(body: Box<dyn NativeBody>) -> TestBody {
    *body.into_any().downcast().expect("the object store takes only bodies of its own platform")
}

/// Nobody looks at the pieces.
struct Unseen;

impl PieceObserver for Unseen {
    fn observe(&mut self, _: &[u8]) {}
}

/// Reads a body that must be just so long.
fn take_exactly(
    mut body: TestBody,
    length_bytes: u64,
    observer: &mut dyn PieceObserver,
) -> Result<Vec<u8>, Problem> {
    let wrong =
        |what: &str| Problem::new(Code::BadRequest, format!("The body is {what} than its length says."));
    let mut bytes = Vec::new();
    while let Some(piece) = body.next_piece() {
        let piece = piece?;
        observer.observe(&piece);
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > length_bytes {
            return Err(wrong("longer"));
        }
    }
    if (bytes.len() as u64) < length_bytes { Err(wrong("shorter")) } else { Ok(bytes) }
}

/// A range of the bytes. Like R2 it ends with the object, and must begin in it.
fn slice(bytes: &Bytes, range: ByteRange) -> Result<Bytes, StoreError> {
    assert!(range.end_inclusive() < 1 << 53, "the platform panics at {range:?}");
    let size = bytes.len() as u64;
    if range.start() >= size {
        return Err(StoreError(format!("{range:?} of {size} bytes is not satisfiable (10039)")));
    }
    let end = range.end_inclusive().min(size - 1);
    Ok(bytes.slice(range.start() as usize..=end as usize))
}

/// The parts as one, if they are those named, equally long but for the last, and none too short.
fn join(
    parts: &BTreeMap<u16, (String, Bytes)>,
    part_etags: &[String],
    min_part_bytes: usize,
) -> Result<Bytes, StoreError> {
    let refused = |why: String| Err(StoreError(why));
    if part_etags.is_empty() || part_etags.len() > MAX_PARTS {
        return refused(format!("{} parts", part_etags.len()));
    }
    let mut joined = Vec::new();
    let part_bytes = parts.get(&1).map_or(0, |(_, bytes)| bytes.len());
    for (number, etag) in (1u16..).zip(part_etags) {
        let Some((_, bytes)) = parts.get(&number).filter(|(stored, _)| stored == etag) else {
            return refused(format!("part {number} is not the one stored (10025)"));
        };
        let last = usize::from(number) == part_etags.len();
        if !last && bytes.len() < min_part_bytes {
            return refused(format!("part {number} is too small (10011)"));
        }
        if !last && bytes.len() != part_bytes || bytes.len() > part_bytes {
            return refused("all non-trailing parts must have the same length (10048)".to_owned());
        }
        joined.extend_from_slice(bytes);
    }
    Ok(joined.into())
}

fn check_limits(object: &NewObject) {
    let bytes: usize = object.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes <= MAX_LABEL_BYTES, "{bytes} bytes of labels");
}

/// 32 hex digits that follow from the bytes, as the etag of an object put whole does.
fn content_etag(bytes: &[u8]) -> String {
    sha256_hex(bytes)[..32].to_owned()
}
