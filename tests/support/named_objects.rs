//! In-process named objects: the real implementations, with rows in memory and a limit for the length of a row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use cutty::app::App;
use cutty::body::stream::NativeBody;
use cutty::domain::ids::AttemptId;
use cutty::domain::time::Timestamp;
use cutty::error::{Problem, Result};
use cutty::ports::{NamedObject, NamedObjects, ObjectClass, ObjectStorage, StoreError};
use serde_json::Value;
use sha2::Sha256;
use sha2::digest::common::hazmat::SerializedState;

use super::faults::{Call, Faults, Port};

/// Maximum length of a row, in bytes. The platform's limit is twice as high.
const MAX_ROW_BYTES: usize = 1 << 20;

/// The rows and the alarm of one named object. They are kept when the named object is evicted.
#[derive(Default)]
pub struct MemoryRows {
    rows: Mutex<BTreeMap<String, Vec<u8>>>,
    set_alarm: Mutex<Option<Timestamp>>,
}

#[async_trait]
impl ObjectStorage for MemoryRows {
    fn get(&self, name: &str) -> std::result::Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows.lock().unwrap().get(name).cloned())
    }

    fn put(&self, name: &str, value: &[u8]) -> std::result::Result<(), StoreError> {
        assert!(value.len() <= MAX_ROW_BYTES, "row {name} has {} bytes, more than the limit", value.len());
        self.rows.lock().unwrap().insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    fn delete(&self, name: &str) -> std::result::Result<(), StoreError> {
        self.rows.lock().unwrap().remove(name);
        Ok(())
    }

    fn names(&self, prefix: &str) -> std::result::Result<Vec<String>, StoreError> {
        let rows = self.rows.lock().unwrap();
        Ok(rows.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }

    async fn set_alarm(&self, time: Timestamp) -> std::result::Result<(), StoreError> {
        *self.set_alarm.lock().unwrap() = Some(time);
        Ok(())
    }

    async fn clear(&self) -> std::result::Result<(), StoreError> {
        self.rows.lock().unwrap().clear();
        Ok(())
    }
}

/// The class and the name of a named object.
type ObjectId = (ObjectClass, String);

pub struct MemoryObjectsByName {
    app: Mutex<Weak<App>>,
    rows: Mutex<BTreeMap<ObjectId, Arc<MemoryRows>>>,
    running: Mutex<BTreeMap<ObjectId, Arc<dyn NamedObject>>>,
    faults: Faults,
}

impl MemoryObjectsByName {
    pub fn new(faults: Faults) -> Arc<Self> {
        Arc::new(Self { app: Mutex::default(), rows: Mutex::default(), running: Mutex::default(), faults })
    }

    /// Runs the named objects in this application. Their memory is lost, as after a deploy.
    pub fn run_in(&self, app: &Arc<App>) {
        *self.app.lock().unwrap() = Arc::downgrade(app);
        self.evict();
    }

    /// Drops the memory of all named objects, as the platform may do at any time. Their rows are kept.
    pub fn evict(&self) {
        self.running.lock().unwrap().clear();
    }

    /// Returns the name and the length of each row of an upload session.
    pub fn rows_of(&self, upload: AttemptId) -> BTreeMap<String, usize> {
        let rows = self.rows_at(&session(upload));
        let rows = rows.rows.lock().unwrap();
        rows.iter().map(|(name, value)| (name.clone(), value.len())).collect()
    }

    /// Removes the saved profiler state of an upload and keeps the saved hash state. Then this version cannot restore
    /// the profiler, as if another version of Cutty had saved the state.
    pub fn lose_profiler_state(&self, upload: AttemptId) {
        let rows = self.rows_at(&session(upload));
        for (name, value) in rows.rows.lock().unwrap().iter_mut() {
            if name.starts_with("learned/") {
                value.truncate(SerializedState::<Sha256>::default().len());
            }
        }
    }

    /// Returns the number of named objects of a class that have rows.
    pub fn with_rows(&self, class: ObjectClass) -> usize {
        let rows = self.rows.lock().unwrap();
        let has_rows = |rows: &MemoryRows| !rows.rows.lock().unwrap().is_empty();
        rows.iter().filter(|((of, _), rows)| *of == class && has_rows(rows)).count()
    }

    /// Runs the alarm of each named object whose alarm is due.
    pub async fn ring(&self, now: Timestamp) {
        let due: Vec<_> = {
            let rows = self.rows.lock().unwrap();
            let is_due =
                |rows: &MemoryRows| rows.set_alarm.lock().unwrap().take_if(|time| *time <= now).is_some();
            rows.iter().filter(|(_, rows)| is_due(rows)).map(|(id, _)| id.clone()).collect()
        };
        for id in due {
            self.object(&id).alarm().await.unwrap();
        }
    }

    fn rows_at(&self, id: &ObjectId) -> Arc<MemoryRows> {
        self.rows.lock().unwrap().entry(id.clone()).or_default().clone()
    }

    fn object(&self, id: &ObjectId) -> Arc<dyn NamedObject> {
        let rows = self.rows_at(id);
        let app = self.app.lock().unwrap().upgrade().expect("the application was dropped");
        let mut running = self.running.lock().unwrap();
        running.entry(id.clone()).or_insert_with(|| cutty::named_objects::open(id.0, app, rows)).clone()
    }
}

fn session(upload: AttemptId) -> ObjectId {
    (ObjectClass::UploadSession, upload.to_string())
}

/// A command that a named object runs. If this value is dropped before the command ends, the named object loses its
/// memory.
struct RunningCommand<'a> {
    objects: &'a MemoryObjectsByName,
    id: &'a ObjectId,
    has_ended: bool,
}

impl Drop for RunningCommand<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.objects.running.lock().unwrap().remove(self.id);
        }
    }
}

#[async_trait]
impl NamedObjects for MemoryObjectsByName {
    async fn call(
        &self,
        class: ObjectClass,
        name: &str,
        command: Value,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Value> {
        let id = (class, name.to_owned());
        // Command and result are converted to text and back, as on the wire.
        let text = command.to_string();
        let command = serde_json::from_str(&text).unwrap();
        let call = Call { port: Port::NamedObjects, method: "call", subject: text, statements: 1 };
        let action = async {
            let mut running = RunningCommand { objects: self, id: &id, has_ended: false };
            let outcome = self.object(&id).call(command, body).await;
            running.has_ended = true;
            outcome
        };
        let outcome = self.faults.call(call, Problem::unavailable, action).await;
        let text = serde_json::to_string(&outcome).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}
