//! API keys: making, using, rotating and revoking them, and their restriction to a tag.

mod account;
mod credentials;
mod rotation;
mod tags;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, TestResponse, get, post_json};

const CSV: &str = "a,b\n1,2\n3,4\n";

/// An application in which Ada has an account.
struct Scene {
    app: TestApp,
    token: String,
}

impl Scene {
    fn new() -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        Self { app, token }
    }

    /// Sends a request with Ada's access token.
    async fn send(&self, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.token)).await
    }

    /// Makes a key and returns the body of the response.
    async fn make(&self, body: &Value) -> Value {
        self.send(post_json("/api/keys", body)).await.expect(201).json()
    }

    /// Makes a key with these scopes and returns its secret.
    async fn secret(&self, scopes: &[&str]) -> String {
        let name = format!("key {}", self.app.fresh_id::<cutty::domain::ids::EventId>());
        secret_in(&self.make(&json!({"name": name, "scopes": scopes})).await)
    }

    /// Makes a key with these scopes and this tag, and returns its secret.
    async fn tagged(&self, scopes: &[&str], tag: &str) -> String {
        secret_in(&self.make(&json!({"name": format!("only {tag}"), "scopes": scopes, "tag": tag})).await)
    }

    /// Returns the status of a list of files with a secret.
    async fn status_of(&self, secret: &str) -> u16 {
        self.app.send(get("/api/files").bearer(secret)).await.status.as_u16()
    }
}

fn secret_in(made: &Value) -> String {
    made["secret"].as_str().unwrap().to_owned()
}

/// Returns the path of the key in a response.
fn path_in(made: &Value) -> String {
    format!("/api/keys/{}", made["key"]["id"].as_str().unwrap())
}

/// Adds a user name and a password, as `curl -u` and `requests` send them.
fn basic(call: Call, user: &str, password: &str) -> Call {
    call.header("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}
