//! Upload sessions in-process: the real session on rows in memory, with the limits of the platform's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use cutty::app::App;
use cutty::body::stream::NativeBody;
use cutty::domain::ids::AttemptId;
use cutty::domain::time::Timestamp;
use cutty::error::{Problem, Result};
use cutty::ports::{SessionStore, StoreError, Uploads};
use cutty::storage::resumable::session::Session;
use cutty::storage::resumable::{Command, Progress};
use sha2::Sha256;
use sha2::digest::common::hazmat::SerializedState;

use super::faults::{Call, Faults, Port};

/// The longest row: half of what the platform takes.
const MAX_ROW_BYTES: usize = 1 << 20;

/// The rows of one session, which outlive it.
#[derive(Default)]
pub struct MemoryRows {
    rows: Mutex<BTreeMap<String, Vec<u8>>>,
    wake_at: Mutex<Option<Timestamp>>,
}

#[async_trait]
impl SessionStore for MemoryRows {
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

pub struct MemoryUploads {
    app: Mutex<Weak<App>>,
    rows: Mutex<BTreeMap<AttemptId, Arc<MemoryRows>>>,
    sessions: Mutex<BTreeMap<AttemptId, Arc<Session>>>,
    faults: Faults,
}

impl MemoryUploads {
    pub fn new(faults: Faults) -> Arc<Self> {
        Arc::new(Self { app: Mutex::default(), rows: Mutex::default(), sessions: Mutex::default(), faults })
    }

    /// Runs the sessions in this application, as after a deploy: what they had in memory is gone.
    pub fn run_in(&self, app: &Arc<App>) {
        *self.app.lock().unwrap() = Arc::downgrade(app);
        self.evict();
    }

    /// Ends every session, as the platform does when it likes; their rows stay.
    pub fn evict(&self) {
        self.sessions.lock().unwrap().clear();
    }

    /// The names and lengths of the rows of a session.
    pub fn rows_of(&self, upload: AttemptId) -> BTreeMap<String, usize> {
        let rows = self.rows.lock().unwrap().entry(upload).or_default().clone();
        let rows = rows.rows.lock().unwrap();
        rows.iter().map(|(name, value)| (name.clone(), value.len())).collect()
    }

    /// Leaves of what the observers of a session knew only the hash, as if another version had saved the rest.
    pub fn lose_profiler_state(&self, upload: AttemptId) {
        let rows = self.rows.lock().unwrap().entry(upload).or_default().clone();
        for (name, value) in rows.rows.lock().unwrap().iter_mut() {
            if name.starts_with("learned/") {
                value.truncate(SerializedState::<Sha256>::default().len());
            }
        }
    }

    /// How many sessions have rows.
    pub fn with_rows(&self) -> usize {
        self.rows.lock().unwrap().values().filter(|rows| !rows.rows.lock().unwrap().is_empty()).count()
    }

    /// Wakes every session whose time has come.
    pub async fn ring(&self, now: Timestamp) {
        let due: Vec<_> = {
            let rows = self.rows.lock().unwrap();
            let is_due =
                |rows: &MemoryRows| rows.wake_at.lock().unwrap().take_if(|time| *time <= now).is_some();
            rows.iter().filter(|(_, rows)| is_due(rows)).map(|(upload, _)| *upload).collect()
        };
        for upload in due {
            self.session(upload).alarm().await.unwrap();
        }
    }

    fn session(&self, upload: AttemptId) -> Arc<Session> {
        let rows = self.rows.lock().unwrap().entry(upload).or_default().clone();
        let app = self.app.lock().unwrap().upgrade().expect("an application");
        let mut sessions = self.sessions.lock().unwrap();
        sessions.entry(upload).or_insert_with(|| Arc::new(Session::new(app, rows))).clone()
    }
}

/// A session that dies in the middle of a command has lost its memory.
struct Running<'a> {
    uploads: &'a MemoryUploads,
    upload: AttemptId,
    ended: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.uploads.sessions.lock().unwrap().remove(&self.upload);
        }
    }
}

#[async_trait]
impl Uploads for MemoryUploads {
    async fn send(
        &self,
        upload: AttemptId,
        command: Command,
        body: Option<Box<dyn NativeBody>>,
    ) -> Result<Progress> {
        // As it would come over the wire.
        let text = serde_json::to_string(&command).unwrap();
        let command = serde_json::from_str(&text).unwrap();
        let call = Call { port: Port::Uploads, method: "send", subject: text, statements: 1 };
        let deed = async {
            let mut running = Running { uploads: self, upload, ended: false };
            let outcome = self.session(upload).handle(command, body).await;
            running.ended = true;
            outcome
        };
        let outcome = self.faults.call(call, Problem::unavailable, deed).await;
        let text = serde_json::to_string(&outcome).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}
