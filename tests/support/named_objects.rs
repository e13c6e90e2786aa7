//! Named objects in-process: the real ones on rows in memory, with the limits of the platform's.

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

/// The longest row: half of what the platform takes.
const MAX_ROW_BYTES: usize = 1 << 20;

/// The rows of one object, which outlive it.
#[derive(Default)]
pub struct MemoryRows {
    rows: Mutex<BTreeMap<String, Vec<u8>>>,
    wake_at: Mutex<Option<Timestamp>>,
}

#[async_trait]
impl ObjectStorage for MemoryRows {
    fn get(&self, name: &str) -> std::result::Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows.lock().unwrap().get(name).cloned())
    }

    fn put(&self, name: &str, value: &[u8]) -> std::result::Result<(), StoreError> {
        assert!(value.len() <= MAX_ROW_BYTES, "{name} has {} bytes", value.len());
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

    async fn wake_at(&self, time: Timestamp) -> std::result::Result<(), StoreError> {
        *self.wake_at.lock().unwrap() = Some(time);
        Ok(())
    }

    async fn clear(&self) -> std::result::Result<(), StoreError> {
        self.rows.lock().unwrap().clear();
        Ok(())
    }
}

/// A class and the name of one of its objects.
type Place = (ObjectClass, String);

pub struct MemoryObjectsByName {
    app: Mutex<Weak<App>>,
    rows: Mutex<BTreeMap<Place, Arc<MemoryRows>>>,
    running: Mutex<BTreeMap<Place, Arc<dyn NamedObject>>>,
    faults: Faults,
}

impl MemoryObjectsByName {
    pub fn new(faults: Faults) -> Arc<Self> {
        Arc::new(Self { app: Mutex::default(), rows: Mutex::default(), running: Mutex::default(), faults })
    }

    /// Runs the objects in this application, as after a deploy: what they had in memory is gone.
    pub fn run_in(&self, app: &Arc<App>) {
        *self.app.lock().unwrap() = Arc::downgrade(app);
        self.evict();
    }

    /// Ends every object, as the platform does when it likes; their rows stay.
    pub fn evict(&self) {
        self.running.lock().unwrap().clear();
    }

    /// The names and lengths of the rows of an upload's session.
    pub fn rows_of(&self, upload: AttemptId) -> BTreeMap<String, usize> {
        let rows = self.rows_at(&session(upload));
        let rows = rows.rows.lock().unwrap();
        rows.iter().map(|(name, value)| (name.clone(), value.len())).collect()
    }

    /// Leaves of what the observers of an upload knew only the hash, as if another version had saved the rest.
    pub fn lose_profiler_state(&self, upload: AttemptId) {
        let rows = self.rows_at(&session(upload));
        for (name, value) in rows.rows.lock().unwrap().iter_mut() {
            if name.starts_with("learned/") {
                value.truncate(SerializedState::<Sha256>::default().len());
            }
        }
    }

    /// How many objects have rows.
    pub fn with_rows(&self) -> usize {
        self.rows.lock().unwrap().values().filter(|rows| !rows.rows.lock().unwrap().is_empty()).count()
    }

    /// Wakes every object whose time has come.
    pub async fn ring(&self, now: Timestamp) {
        let due: Vec<_> = {
            let rows = self.rows.lock().unwrap();
            let is_due =
                |rows: &MemoryRows| rows.wake_at.lock().unwrap().take_if(|time| *time <= now).is_some();
            rows.iter().filter(|(_, rows)| is_due(rows)).map(|(place, _)| place.clone()).collect()
        };
        for place in due {
            self.object(&place).alarm().await.unwrap();
        }
    }

    fn rows_at(&self, place: &Place) -> Arc<MemoryRows> {
        self.rows.lock().unwrap().entry(place.clone()).or_default().clone()
    }

    fn object(&self, place: &Place) -> Arc<dyn NamedObject> {
        let rows = self.rows_at(place);
        let app = self.app.lock().unwrap().upgrade().expect("an application");
        let mut running = self.running.lock().unwrap();
        running.entry(place.clone()).or_insert_with(|| cutty::named_objects::open(place.0, app, rows)).clone()
    }
}

fn session(upload: AttemptId) -> Place {
    (ObjectClass::UploadSession, upload.to_string())
}

/// An object that dies in the middle of a command has lost its memory.
struct Running<'a> {
    objects: &'a MemoryObjectsByName,
    place: &'a Place,
    ended: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.objects.running.lock().unwrap().remove(self.place);
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
        let place = (class, name.to_owned());
        // As both would come over the wire.
        let text = command.to_string();
        let command = serde_json::from_str(&text).unwrap();
        let call = Call { port: Port::NamedObjects, method: "call", subject: text, statements: 1 };
        let deed = async {
            let mut running = Running { objects: self, place: &place, ended: false };
            let outcome = self.object(&place).call(command, body).await;
            running.ended = true;
            outcome
        };
        let outcome = self.faults.call(call, Problem::unavailable, deed).await;
        let text = serde_json::to_string(&outcome).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}
