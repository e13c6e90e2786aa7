//! What is there before a request is made.

use serde_json::{Value, json};

use super::{CSV, Case};
use crate::support::TestApp;
use crate::support::client::{Call, delete, get, post_json};
use crate::support::parts::{create as create_in_parts, part};
use crate::support::tus::create_with;

const PASSWORD: &str = "correct horse battery";

/// What is there before a request.
#[derive(Clone, Copy, PartialEq)]
pub enum Before {
    Nothing,
    /// A file of ada's.
    File,
    /// The same, in the trash.
    Trashed,
    /// A cut of it, whose receipt the request is about.
    Receipt,
    /// A file of ada's, and the same request, answered.
    Repeat,
    /// A file of ada's, and the same request, whose answer was lost.
    LostResponse,
    /// A resumable upload of ada's that has half of its bytes.
    HalfUpload,
    /// An upload of ada's in two parts, both of them stored.
    BothParts,
    /// eve's account, and a session of hers.
    Account,
    /// A finding about a file of ada's.
    Finding,
}
use Before::{
    Account, BothParts, File, Finding, HalfUpload, LostResponse, Nothing, Receipt, Repeat, Trashed,
};

/// Where a request is made.
pub struct Scene {
    pub app: TestApp,
    /// ada's.
    pub token: String,
    /// What the request is about: a path, or a refresh token.
    pub subject: String,
    /// The parts of an upload.
    pub parts: Vec<Value>,
}

/// A stranger to ada's files.
pub fn eve() -> Value {
    json!({"username": "eve", "password": PASSWORD})
}

impl Scene {
    /// Everything that a case needs, in an application whose uploads have parts of 8 bytes.
    pub async fn of(case: &Case) -> Self {
        Self::with_other_files(case, 0).await
    }

    /// The same, beside so many other files.
    pub async fn with_other_files(case: &Case, other_files: usize) -> Self {
        let app = TestApp::with_parts_of(8);
        let token = app.user("ada");
        for _ in 0..other_files {
            app.upload(&token, "a.csv", CSV).await;
        }
        let mut scene = Self { app, token, subject: String::new(), parts: Vec::new() };
        scene.prepare(case).await;
        scene
    }

    /// The request of a case, by ada unless it says by whom.
    pub fn call(&self, case: &Case) -> Call {
        self.by_ada(case.3(self))
    }

    fn by_ada(&self, call: Call) -> Call {
        match call.request.headers().contains_key("authorization") {
            true => call,
            false => call.bearer(&self.token),
        }
    }

    async fn prepare(&mut self, case: &Case) {
        match case.2 {
            Nothing => {}
            File | Trashed | Receipt | Repeat | LostResponse | Finding => self.prepare_file(case).await,
            HalfUpload => {
                let half = &CSV.as_bytes()[..CSV.len() / 2];
                let begun = self.send(create_with(CSV.len(), half)).await;
                self.subject = begun.header("location").to_owned();
            }
            BothParts => {
                let begun = self.send(create_in_parts(CSV.len() + 4)).await.json();
                self.subject = format!("/api/files/multipart/{}", begun["uploadId"].as_str().unwrap());
                for (number, bytes) in [(1, &b"a,b\n1,2\n"[..]), (2, b"3,4\n5,6\n")] {
                    let stored = self.send(part(&self.subject, number, bytes)).await.json();
                    self.parts.push(stored["part"].clone());
                }
            }
            Account => {
                let session = self.send(post_json("/api/auth/register", &eve())).await.json();
                self.subject = session["tokens"]["refresh_token"].as_str().unwrap().to_owned();
            }
        }
    }

    async fn prepare_file(&mut self, case: &Case) {
        let file = self.app.upload(&self.token, "a.csv", CSV).await;
        let id = file["id"].as_str().unwrap();
        self.subject = format!("/api/files/{id}");
        match case.2 {
            Trashed => drop(self.send(delete(&self.subject)).await),
            Receipt => self.subject = self.send(get(&format!("{}/cut", self.subject))).await.receipt_path(),
            Repeat | LostResponse => {
                self.send(self.call(case)).await;
                if case.2 == LostResponse {
                    self.app.database.execute("UPDATE idempotency_keys SET status = NULL, response = NULL");
                }
            }
            Finding => {
                let finding = self.app.fresh_id::<cutty::domain::ids::EventId>();
                self.app.database.execute(&format!(
                    "INSERT INTO findings (id, file_id, user_id, r2_key, kind, first_seen_at, last_seen_at, details)
                     SELECT '{finding}', id, user_id, r2_key, 'unreadable', created_at, created_at, '{{}}' FROM files
                     WHERE id = '{id}'"
                ));
                self.subject = format!("/api/admin/findings/{finding}");
            }
            _ => {}
        }
    }

    /// Sends what must succeed.
    async fn send(&self, call: Call) -> crate::support::client::Reply {
        let reply = self.app.send(self.by_ada(call)).await;
        assert!(reply.status.is_success() && !reply.broken, "{reply}");
        reply
    }
}
