//! Somebody who uploads in several requests.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::TestApp;
use super::client::{Call, Reply, get};
use super::parts::part;

/// The size of a part in an application made by [`Uploader::app`], in bytes.
pub const PART: usize = 64;

/// A CSV of so many bytes.
pub fn csv(length: usize) -> Vec<u8> {
    b"id,name\n".iter().chain(b"1,ada\n2,bob\n3,eve\n".iter().cycle()).take(length).copied().collect()
}

/// Ada, signed in.
pub struct Uploader<'a> {
    pub app: &'a TestApp,
    token: String,
}

impl Uploader<'static> {
    /// On an application of her own, with short parts.
    pub fn alone() -> Self {
        Self::on(TestApp::with_parts_of(PART as u64))
    }

    /// On an application that nobody else has, where she gets an account.
    pub fn on(app: TestApp) -> Self {
        app.user("ada");
        Self::of(Box::leak(Box::new(app)))
    }
}

impl<'a> Uploader<'a> {
    /// An application with short parts, where she has an account.
    pub fn app() -> TestApp {
        let app = TestApp::with_parts_of(PART as u64);
        app.user("ada");
        app
    }

    pub fn of(app: &'a TestApp) -> Self {
        Self { app, token: app.token_of("ada") }
    }

    pub async fn send(&self, call: Call) -> Reply {
        self.app.send(call.bearer(&self.token)).await
    }

    /// Begins an upload and returns its path.
    pub async fn begin_by(&self, create: Call) -> String {
        self.send(create).await.expect(201).header("location").to_owned()
    }

    /// Her files.
    pub async fn files(&self) -> Vec<Value> {
        let reply = self.send(get("/api/files")).await.expect(200);
        reply.json()["files"].as_array().unwrap().clone()
    }

    /// Asks that a file has these bytes.
    pub async fn assert_file_is(&self, id: &Value, bytes: &[u8]) {
        let path = format!("/api/files/{}", id.as_str().unwrap());
        assert!(self.send(get(&path)).await.expect(200).body == bytes, "other bytes");
    }

    /// Sends parts of a file, in this order of numbers.
    pub async fn put_parts(&self, path: &str, file: &[u8], order: impl IntoIterator<Item = usize>) {
        for number in order {
            let piece = file.chunks(PART).nth(number - 1).unwrap();
            let reply = self.send(part(path, number, piece)).await.expect(200);
            let said = &reply.json()["part"];
            assert_eq!(reply.header("etag"), format!("\"{}\"", said["etag"].as_str().unwrap()));
            assert_eq!((&said["partNumber"], &said["size"]), (&json!(number), &json!(piece.len())));
        }
    }

    /// The parts that are stored.
    pub async fn parts(&self, path: &str) -> Vec<Value> {
        let reply = self.send(get(&format!("{path}/parts?limit=1000"))).await.expect(200);
        reply.json()["parts"].as_array().unwrap().clone()
    }

    /// Asks that nothing is left of her uploads but files, once alarms and sweeps have run for ten days.
    pub async fn assert_nothing_is_left(&self, case: &str) {
        for _ in 0..12 {
            self.app.advance(TimeDelta::hours(20));
            self.app.ring_alarms().await;
            assert_eq!(self.app.sweep(self.app.now()).await.unwrap().failed, 0, "{case}");
        }
        self.app.assert_sound();
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
        assert_eq!(self.app.named_objects.with_rows(), 0, "{case}");
    }
}
