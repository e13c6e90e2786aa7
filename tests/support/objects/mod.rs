//! In-memory objects with the rules of R2: create-only puts, checked hashes and lengths, parts of equal length,
//! conditional reads and range reads.

mod buffer;
mod calls;
mod rules;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use cutty::domain::storage_class::StorageClass;
use cutty::ports::{NewObject, ObjectFacts, StoreError};

use super::clock::ManualClock;
use super::faults::Faults;
use rules::{MIN_PART_BYTES, content_etag};

/// The number of days after which the store drops an unfinished multipart upload.
const UPLOAD_DAYS: i64 = 7;

/// A stored object.
#[derive(Debug, Clone)]
pub struct Object {
    pub bytes: Bytes,
    pub etag: String,
    pub content_type: &'static str,
    pub labels: Vec<(&'static str, String)>,
    pub storage_class: StorageClass,
    /// The number of bytes after which reads fail.
    breaks_after: Option<usize>,
}

impl Object {
    fn facts(&self) -> ObjectFacts {
        ObjectFacts { size: self.bytes.len() as u64, etag: self.etag.clone() }
    }
}

/// A multipart upload that is not completed.
#[derive(Debug, Clone)]
struct Multipart {
    object: NewObject,
    /// The etag and the bytes of each part, by part number.
    parts: BTreeMap<u16, (String, Bytes)>,
    began: DateTime<Utc>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    multiparts: BTreeMap<String, Multipart>,
    overwritten: Vec<String>,
    /// Makes the ids of uploads and the etags of parts unique.
    serial: u64,
    min_part_bytes: usize,
    /// The length of the pieces in which objects are read, in bytes. `None` means the default of [`TestBody`].
    ///
    /// [`TestBody`]: crate::support::body::TestBody
    piece_bytes: Option<usize>,
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
        found.filter(|upload| upload.object.key.to_string() == key && alive(upload)).ok_or_else(|| {
            StoreError::from_message("the specified multipart upload does not exist (10024)".to_owned())
        })
    }
}

pub struct MemoryObjects {
    state: Mutex<State>,
    faults: Faults,
    clock: Arc<ManualClock>,
}

/// Methods with which tests read and change objects directly, without the service.
impl MemoryObjects {
    pub fn new(faults: Faults, clock: Arc<ManualClock>) -> Arc<Self> {
        let state = State { min_part_bytes: MIN_PART_BYTES, ..State::default() };
        Arc::new(Self { state: Mutex::new(state), faults, clock })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Sets the minimum length of a part. A value below the platform's limit lets tests use small files.
    pub fn set_min_part_bytes(&self, bytes: usize) {
        self.state().min_part_bytes = bytes;
    }

    /// Makes all later reads return pieces of `bytes` bytes.
    pub fn set_piece_bytes(&self, bytes: usize) {
        self.state().piece_bytes = Some(bytes);
    }

    /// Returns all keys in ascending order, without the anchor of the audit log, which every seal writes.
    pub fn keys(&self) -> Vec<String> {
        self.state().objects.keys().filter(|key| *key != "audit/anchor.json").cloned().collect()
    }

    /// Returns all keys except the keys of sidecars and of the audit log.
    pub fn file_keys(&self) -> Vec<String> {
        let is_file = |key: &String| !key.contains("/metadata/") && !key.starts_with("audit/");
        self.keys().into_iter().filter(is_file).collect()
    }

    /// Returns the object under a key, or `None` if there is no such object.
    pub fn object(&self, key: &str) -> Option<Object> {
        self.state().objects.get(key).cloned()
    }

    /// Returns the bytes of an object that must exist.
    pub fn bytes(&self, key: &str) -> Bytes {
        self.object(key).unwrap_or_else(|| panic!("no object {key} among {:?}", self.keys())).bytes
    }

    /// Returns the id and the key of each multipart upload that has at least one part.
    ///
    /// Tests assert that no upload with parts is left open. An upload without parts may be left open. If the response
    /// with the id of a new upload is lost, the service cannot abort this upload. Then the store drops the upload after
    /// seven days.
    pub fn open_uploads(&self) -> Vec<(String, String)> {
        let state = self.state();
        let with_parts = state.multiparts.iter().filter(|(_, upload)| !upload.parts.is_empty());
        with_parts.map(|(id, upload)| (id.clone(), upload.object.key.to_string())).collect()
    }

    /// Returns the keys of objects that a completed multipart upload overwrote. There must be none.
    pub fn overwritten(&self) -> Vec<String> {
        self.state().overwritten.clone()
    }

    /// Writes or replaces an object. The etag of the object depends only on `bytes`.
    pub fn plant(&self, key: &str, bytes: impl Into<Bytes>) -> ObjectFacts {
        let bytes = bytes.into();
        let etag = content_etag(&bytes);
        let object = Object {
            bytes,
            etag,
            content_type: "text/csv",
            labels: Vec::new(),
            storage_class: StorageClass::Standard,
            breaks_after: None,
        };
        let facts = object.facts();
        self.state().objects.insert(key.to_owned(), object);
        facts
    }

    /// Flips a bit of the last byte. Size and etag stay the same.
    pub fn corrupt(&self, key: &str) {
        self.change_bytes(key, |bytes| *bytes.last_mut().unwrap() ^= 1);
    }

    /// Changes bytes of the object. Size and etag stay the same.
    pub fn change_bytes(&self, key: &str, change: impl FnOnce(&mut [u8])) {
        self.change(key, |object| {
            let mut bytes = object.bytes.to_vec();
            change(&mut bytes);
            object.bytes = bytes.into();
        });
    }

    /// Truncates the object to `length` bytes. The etag stays the same.
    pub fn truncate(&self, key: &str, length: usize) {
        self.change(key, |object| object.bytes.truncate(length));
    }

    /// Makes all later reads of the object fail after `length` bytes.
    pub fn break_reads(&self, key: &str, length: usize) {
        self.change(key, |object| object.breaks_after = Some(length));
    }

    /// Removes the object, as if the store had lost it.
    pub fn lose(&self, key: &str) {
        assert!(self.state().objects.remove(key).is_some(), "no object {key}");
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Object)) {
        change(self.state().objects.get_mut(key).unwrap_or_else(|| panic!("no object {key}")));
    }
}
