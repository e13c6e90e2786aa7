//! A user who uploads a file in several requests.

use chrono::TimeDelta;
use serde_json::{Value, json};

use cutty::ports::ObjectClass;

use super::TestApp;
use super::client::{Call, TestResponse, get};
use super::parts::part;

/// Length of a part, in bytes, in the applications that [`Uploader`] creates.
pub const PART: usize = 64;

/// Returns a CSV file of `length` bytes.
pub fn csv(length: usize) -> Vec<u8> {
    b"id,name\n".iter().chain(b"1,ada\n2,bob\n3,eve\n".iter().cycle()).take(length).copied().collect()
}

/// A signed-in user, Ada.
pub struct Uploader<'a> {
    pub app: &'a TestApp,
    token: String,
}

impl Uploader<'static> {
    /// Returns Ada, signed in to a new application with short upload parts.
    pub fn alone() -> Self {
        Self::on(TestApp::with_parts_of(PART as u64))
    }

    /// Returns Ada, signed in to this application with a new account. Leaks the application, so that the test need not
    /// keep it.
    pub fn on(app: TestApp) -> Self {
        app.user("ada");
        Self::new(Box::leak(Box::new(app)))
    }
}

impl<'a> Uploader<'a> {
    /// Returns an application with short upload parts and an account for Ada.
    pub fn app() -> TestApp {
        let app = TestApp::with_parts_of(PART as u64);
        app.user("ada");
        app
    }

    pub fn new(app: &'a TestApp) -> Self {
        Self { app, token: app.token_of("ada") }
    }

    pub async fn send(&self, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.token)).await
    }

    /// Creates an upload and returns its path.
    pub async fn begin_by(&self, create: Call) -> String {
        self.send(create).await.expect(201).header("location").to_owned()
    }

    /// Returns Ada's files.
    pub async fn files(&self) -> Vec<Value> {
        let response = self.send(get("/api/files")).await.expect(200);
        response.json()["files"].as_array().unwrap().clone()
    }

    /// Asserts that a file has these bytes.
    pub async fn assert_file_is(&self, id: &Value, bytes: &[u8]) {
        let path = format!("/api/files/{}", id.as_str().unwrap());
        assert!(self.send(get(&path)).await.expect(200).body == bytes, "the file has other bytes");
    }

    /// Sends the parts of `file` whose numbers are in `order`, in this order.
    pub async fn put_parts(&self, path: &str, file: &[u8], order: impl IntoIterator<Item = usize>) {
        for number in order {
            let piece = file.chunks(PART).nth(number - 1).unwrap();
            let response = self.send(part(path, number, piece)).await.expect(200);
            let part_json = &response.json()["part"];
            assert_eq!(response.header("etag"), format!("\"{}\"", part_json["etag"].as_str().unwrap()));
            assert_eq!((&part_json["partNumber"], &part_json["size"]), (&json!(number), &json!(piece.len())));
        }
    }

    /// Returns the stored parts of the upload at `path`.
    pub async fn parts(&self, path: &str) -> Vec<Value> {
        let response = self.send(get(&format!("{path}/parts?limit=1000"))).await.expect(200);
        response.json()["parts"].as_array().unwrap().clone()
    }

    /// Runs alarms and sweeps for ten days, then asserts that Ada's uploads have left nothing except files.
    pub async fn assert_nothing_is_left(&self, case: &str) {
        for _ in 0..12 {
            self.app.advance(TimeDelta::hours(20));
            self.app.ring_alarms().await;
            assert_eq!(self.app.sweep(self.app.now()).await.unwrap().failed, 0, "{case}");
        }
        self.app.assert_consistent();
        for left in [
            "coalesce(sum(reserved_bytes), 0) AS n FROM quotas",
            "count(*) AS n FROM files WHERE lifecycle_status = 'pending'",
            "count(*) AS n FROM multipart_uploads WHERE status IN ('open', 'completing')",
            "count(*) AS n FROM multipart_parts",
            "count(*) AS n FROM gc_queue",
        ] {
            assert_eq!(self.app.database.value(&format!("SELECT {left}")), 0, "{case}: {left}");
        }
        assert_eq!(self.app.objects.open_uploads(), [], "{case}");
        assert_eq!(self.app.named_objects.with_rows(ObjectClass::UploadSession), 0, "{case}");
    }
}
