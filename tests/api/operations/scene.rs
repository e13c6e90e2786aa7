//! Prepares the state that a case needs, and makes the request of the case.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{CSV, Case};
use crate::support::TestApp;
use crate::support::client::{Call, delete, get, post, post_json};
use crate::support::parts::{create as create_in_parts, part};
use crate::support::tus::{CHUNK, create_with, tus};

const PASSWORD: &str = "correct horse battery";

/// The state that exists before a request.
#[derive(Clone, Copy, PartialEq)]
pub enum Setup {
    Nothing,
    /// Ada has a file.
    File,
    /// Ada has a file in the trash.
    Trashed,
    /// Ada has cut a file. The request is about the receipt of the cut.
    Receipt,
    /// Ada has saved a cut of a file. The request is about the saved cut.
    Saved,
    /// Ada has a file and has sent the same request before.
    Repeat,
    /// Ada has a file and has sent the same request before. The effect of the first request is recorded, but its
    /// response is not stored.
    LostResponse,
    /// Ada has a tus upload that has received half of its bytes.
    HalfUpload,
    /// Ada has an upload in two parts that are both stored.
    BothParts,
    /// Eve has an account and a session.
    Account,
    /// Eve has an account with an email, and a link to verify it was sent more than a minute ago. The request is about
    /// the token of this link.
    Unverified,
    /// Eve has an account with an email, and a link for a new password was sent. The request is about its token.
    Forgotten,
    /// Ada has a file, and a ticket for the file or for a cut. The request is about the ticket.
    Ticket,
    /// Ada has a file and a saved recipe. The request is about the recipe.
    Recipe,
    /// The scrub has recorded a finding about Ada's file.
    Finding,
    /// Ada has shared a file. The request is about the link.
    Link,
    /// Ada has made a link for uploads. The request is about the link.
    UploadLink,
    /// A tus upload through Ada's link has received half of its bytes.
    HalfShared,
    /// Ada has an API key. The request is about the key.
    Key,
}
use Setup::{
    Account, BothParts, File, Finding, Forgotten, HalfShared, HalfUpload, Key, Link, LostResponse, Nothing,
    Receipt, Recipe, Repeat, Saved, Ticket, Trashed, Unverified, UploadLink,
};

/// An application in the state that a case needs.
pub struct Scene {
    pub app: TestApp,
    /// Ada's access token.
    pub token: String,
    /// The subject of the request: a path or a refresh token.
    pub subject: String,
    /// The parts of an upload.
    pub parts: Vec<Value>,
    /// Eve's access token, if she has an account.
    pub access: String,
    /// The id of Eve's session, or the path of Ada's share.
    pub session: String,
}

/// Returns the body with which Eve registers and signs in. Eve owns no file.
pub fn eve() -> Value {
    json!({"username": "eve", "password": PASSWORD})
}

impl Scene {
    /// Prepares the state of a case in an application with upload parts of 8 bytes.
    pub async fn new(case: &Case) -> Self {
        Self::with_other_files(case, 0).await
    }

    /// Prepares the state of a case and adds `other_files` files.
    pub async fn with_other_files(case: &Case, other_files: usize) -> Self {
        let app = TestApp::with_parts_and_mailbox(8);
        let token = app.user("ada");
        app.user("ben");
        for _ in 0..other_files {
            app.upload(&token, "a.csv", CSV).await;
        }
        let mut scene = Self {
            app,
            token,
            subject: String::new(),
            parts: Vec::new(),
            access: String::new(),
            session: String::new(),
        };
        scene.prepare(case).await;
        scene.app.know_switches();
        scene
    }

    /// Returns the request of a case. Ada sends the request, unless the case sets another principal.
    pub fn call(&self, case: &Case) -> Call {
        self.by_ada(case.3(self))
    }

    /// Returns the path of Ada's share.
    pub fn share(&self) -> &str {
        &self.session
    }

    /// Returns the request that creates an upload through Ada's link, and sends `bytes` as the first chunk.
    pub fn create_shared(&self, bytes: &[u8]) -> Call {
        let call = tus(post(&format!("{}/uploads", self.subject))).header("upload-length", CSV.len());
        call.header("content-type", CHUNK).bytes(bytes.to_vec())
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
            Key => {
                let made = post_json("/api/keys", &json!({"name": "known", "scopes": ["read"]}));
                self.subject = self.send(made).await.header("location").to_owned();
            }
            File | Trashed | Receipt | Saved | Repeat | LostResponse | Finding | Ticket | Recipe | Link => {
                self.prepare_file(case).await
            }
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
            UploadLink | HalfShared => {
                let made = self.send(post_json("/api/shares", &json!({"kind": "upload"}))).await.json();
                self.subject = made["share"]["url"].as_str().unwrap().to_owned();
                if case.2 == HalfShared {
                    let half = &CSV.as_bytes()[..CSV.len() / 2];
                    let begun = self.send(self.create_shared(half)).await;
                    self.subject = begun.header("location").to_owned();
                }
            }
            Account | Unverified | Forgotten => {
                let mut body = eve();
                if case.2 != Account {
                    body["email"] = json!("eve@example.com");
                }
                let session = self.send(post_json("/api/auth/register", &body)).await.json();
                self.subject = session["tokens"]["refresh_token"].as_str().unwrap().to_owned();
                self.access = session["tokens"]["access_token"].as_str().unwrap().to_owned();
                let family = self.app.database.value("SELECT family FROM refresh_tokens");
                self.session = family.as_str().unwrap().to_owned();
                if case.2 == Forgotten {
                    self.app.advance(TimeDelta::seconds(1));
                    let body = json!({"email": "eve@example.com"});
                    self.send(post_json("/api/auth/password/reset", &body)).await;
                }
                if case.2 != Account {
                    self.app.deliver().await;
                    self.app.advance(TimeDelta::seconds(61));
                    self.subject = self.newest_token();
                }
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
            Saved => {
                let saved = self.send(post_json(&format!("{}/save", self.subject), &json!({}))).await.json();
                self.subject = format!("/api/files/{}", saved["file"]["id"].as_str().unwrap());
            }
            Recipe => {
                let body = json!({"name": "saved", "cut": {"columns": ["b"]}});
                self.subject =
                    self.send(post_json("/api/recipes", &body)).await.header("location").to_owned();
                self.parts.push(json!(id));
            }
            Link => {
                let mut body = json!({"kind": "download"});
                if case.0.ends_with(", counted") {
                    body["maxUses"] = json!(5);
                }
                let share = self.send(post_json(&format!("{}/share", self.subject), &body)).await.json();
                self.subject = share["share"]["url"].as_str().unwrap().to_owned();
                self.session = format!("/api/shares/{}", share["share"]["id"].as_str().unwrap());
            }
            Ticket => {
                let mut body = json!({"fileId": id});
                if case.0.ends_with(", a cut") {
                    body["recipe"] = json!({});
                }
                let made = self.send(post_json("/api/downloads", &body)).await.json();
                self.subject = made["download"]["url"].as_str().unwrap().to_owned();
            }
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

    /// Returns the token of the link in the newest message of the mailbox.
    fn newest_token(&self) -> String {
        let body = self.app.database.value("SELECT body FROM mailbox ORDER BY id DESC LIMIT 1");
        let (_, link) = body.as_str().unwrap().split_once("/#").unwrap();
        link.split_whitespace().next().unwrap().split_once('=').unwrap().1.to_owned()
    }

    /// Sends a request that must succeed.
    async fn send(&self, call: Call) -> crate::support::client::TestResponse {
        let response = self.app.send(self.by_ada(call)).await;
        assert!(response.status.is_success() && !response.broken, "{response}");
        response
    }
}
