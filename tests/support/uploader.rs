//! Somebody who uploads in several requests.

use serde_json::Value;

use super::TestApp;
use super::client::{Call, Reply, get};

/// The size of a part in an application made by [`Uploader::app`], in bytes.
pub const PART: usize = 64;

/// Ada, signed in.
pub struct Uploader<'a> {
    pub app: &'a TestApp,
    token: String,
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

    /// Her files.
    pub async fn files(&self) -> Vec<Value> {
        let reply = self.send(get("/api/files")).await.expect(200);
        reply.json()["files"].as_array().unwrap().clone()
    }
}
