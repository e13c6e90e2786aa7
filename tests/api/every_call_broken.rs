//! Every operation that changes something, every call that it makes to a port broken in every way: the client gets a whole
//! answer or is asked to come again, and once the alarms have rung and the sweeps have run, the stores agree. What each
//! operation promises beyond that is tested beside it.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};

use super::faults::sweep_up;
use crate::support::app::OPERATOR_TOKEN;
use crate::support::client::{Call, delete, get, patch_json, post, post_json, upload};
use crate::support::contract::{self, operations};
use crate::support::parts::{complete, create as create_in_parts, part};
use crate::support::tus::{CHUNK, create, create_with, tus};
use crate::support::{Fault, On, TestApp};

const CSV: &str = "a,b\n1,2\n3,4\n";
const PASSWORD: &str = "correct horse battery";

/// What is there before the request.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    /// A file of ada's.
    File,
    /// The same, in the trash.
    Trashed,
    /// A resumable upload of ada's that has half of its bytes.
    HalfUpload,
    /// An upload of ada's in two parts, both of them stored.
    BothParts,
    /// eve's account, and a session of hers.
    Session,
    /// A finding about a file of ada's.
    Finding,
}
use Before::{BothParts, File, Finding, HalfUpload, Nothing, Session, Trashed};

/// Where a request is made.
struct Scene {
    app: TestApp,
    /// Opens what the request is about.
    token: String,
    /// What the request is about: a path, or a refresh token.
    subject: String,
    /// The parts of an upload.
    parts: Vec<Value>,
}

type Case = (&'static str, Before, fn(&Scene) -> Call);

/// Each operation that changes something, and one request of it.
const CASES: [Case; 23] = [
    ("DELETE /api/files/multipart/{id}", BothParts, |scene| delete(&scene.subject)),
    ("DELETE /api/files/{id}", File, |scene| delete(&scene.subject)),
    ("DELETE /api/uploads/{id}", HalfUpload, |scene| tus(delete(&scene.subject))),
    ("PATCH /api/files/{id}", File, |scene| patch_json(&scene.subject, &json!({"tags": ["x"]}))),
    ("PATCH /api/uploads/{id}", HalfUpload, |scene| {
        let rest = &CSV.as_bytes()[CSV.len() / 2..];
        let call = tus(Call::new(Method::PATCH, &scene.subject)).header("upload-offset", CSV.len() / 2);
        call.header("content-type", CHUNK).bytes(rest.to_vec())
    }),
    ("POST /api/admin/findings/{id}/resolve", Finding, |scene| post(&format!("{}/resolve", scene.subject))),
    ("POST /api/admin/fsck", File, |_| post_json("/api/admin/fsck", &json!({})).bearer(OPERATOR_TOKEN)),
    ("POST /api/admin/sweeps", Trashed, |_| post("/api/admin/sweeps").bearer(OPERATOR_TOKEN)),
    ("POST /api/auth/login", Session, |_| post_json("/api/auth/login", &eve())),
    ("POST /api/auth/logout", Session, |scene| with_refresh_token("logout", scene)),
    ("POST /api/auth/refresh", Session, |scene| with_refresh_token("refresh", scene)),
    ("POST /api/auth/register", Nothing, |_| post_json("/api/auth/register", &eve())),
    ("POST /api/files", Nothing, |_| upload("b.csv", CSV)),
    ("POST /api/files/multipart", Nothing, |_| create_in_parts(CSV.len())),
    ("POST /api/files/multipart/{id}/complete", BothParts, |scene| complete(&scene.subject, &scene.parts)),
    ("POST /api/files/upload", Nothing, |_| post("/api/files/upload").bytes(CSV)),
    ("POST /api/files/{id}/cut", File, |scene| post_json(&format!("{}/cut", scene.subject), &json!({}))),
    ("POST /api/files/{id}/process", File, |scene| {
        post_json(&format!("{}/process", scene.subject), &json!({}))
    }),
    ("POST /api/files/{id}/restore", Trashed, |scene| post(&format!("{}/restore", scene.subject))),
    ("POST /api/files/{id}/save", File, |scene| post_json(&format!("{}/save", scene.subject), &json!({}))),
    ("POST /api/uploads", Nothing, |_| create_with(CSV.len(), CSV.as_bytes())),
    ("PUT /api/files/multipart/{id}/parts/{number}", BothParts, |scene| {
        part(&scene.subject, 2, b"3,4\n5,6\n")
    }),
    ("GET /api/files/{id}/cut", File, |scene| get(&format!("{}/cut", scene.subject))),
];

fn eve() -> Value {
    json!({"username": "eve", "password": PASSWORD})
}

fn with_refresh_token(what: &str, scene: &Scene) -> Call {
    post_json(&format!("/api/auth/{what}"), &json!({"refresh_token": scene.subject}))
}

async fn prepare(before: Before) -> Scene {
    let app = TestApp::with_parts_of(8);
    let token = app.user("ada");
    let mut scene = Scene { app, token, subject: String::new(), parts: Vec::new() };
    let (app, ada) = (&scene.app, &scene.token);
    match before {
        Nothing => {}
        File | Trashed | Finding => {
            let file = app.upload(ada, "a.csv", CSV).await;
            let id = file["id"].as_str().unwrap().to_owned();
            scene.subject = format!("/api/files/{id}");
            if before == Trashed {
                app.send(delete(&scene.subject).bearer(ada)).await.expect(200);
            }
            if before == Finding {
                let finding = app.fresh_id::<cutty::domain::ids::EventId>();
                app.database.execute(&format!(
                    "INSERT INTO findings (id, file_id, user_id, r2_key, kind, first_seen_at, last_seen_at, details)
                     SELECT '{finding}', id, user_id, r2_key, 'unreadable', created_at, created_at, '{{}}' FROM files"
                ));
                scene.subject = format!("/api/admin/findings/{finding}");
                scene.token = OPERATOR_TOKEN.to_owned();
            }
        }
        HalfUpload => {
            let half = &CSV.as_bytes()[..CSV.len() / 2];
            let begun = app.send(create_with(CSV.len(), half).bearer(ada)).await.expect(201);
            scene.subject = begun.header("location").to_owned();
        }
        BothParts => {
            let begun = app.send(create_in_parts(CSV.len() + 4).bearer(ada)).await.expect(201).json();
            scene.subject = format!("/api/files/multipart/{}", begun["uploadId"].as_str().unwrap());
            for (number, bytes) in [(1, &b"a,b\n1,2\n"[..]), (2, b"3,4\n5,6\n")] {
                let stored =
                    app.send(part(&scene.subject, number, bytes).bearer(ada)).await.expect(200).json();
                scene.parts.push(stored["part"].clone());
            }
        }
        Session => {
            let session = app.send(post_json("/api/auth/register", &eve())).await.expect(201).json();
            scene.subject = session["tokens"]["refresh_token"].as_str().unwrap().to_owned();
        }
    }
    scene
}

/// The request, by whoever may make it.
fn call(scene: &Scene, make: fn(&Scene) -> Call) -> Call {
    let call = make(scene);
    match call.request.headers().contains_key("authorization") {
        true => call,
        false => call.bearer(&scene.token),
    }
}

/// Lets alarms ring and sweeps run until nothing can be left over.
async fn settle(app: &TestApp, case: &str) {
    for _ in 0..3 {
        app.advance(TimeDelta::hours(25));
        app.ring_alarms().await;
    }
    app.advance(TimeDelta::days(9));
    sweep_up(app, case).await;
}

/// Breaks every call of one case in every way; how many calls were broken.
async fn break_each((operation, before, make): &Case) -> usize {
    let scene = prepare(*before).await;
    let request = call(&scene, *make);
    let template = contract::operation_of(request.request.method(), request.request.uri().path());
    assert_eq!(template.as_deref(), Some(*operation));
    let reply = scene.app.send(request).await;
    assert!(reply.status.is_success() && !reply.broken, "{operation}, nothing broken: {reply}");
    let mut broken = 0;
    for fault in Fault::ALL {
        for nth in 1.. {
            let scene = prepare(*before).await;
            let app = &scene.app;
            let request = call(&scene, *make);
            app.faults.forget_calls();
            app.faults.inject(fault, On::any(), nth);
            let reply = app.faults.until_crash(app.send(request)).await;
            if app.faults.fired() == 0 {
                break;
            }
            let case =
                format!("{operation}: {fault:?} at call {nth}, {}", app.faults.calls().swap_remove(nth - 1));
            if let Some(reply) = reply {
                let may_come_again = reply.status == 503 || reply.broken;
                assert!(reply.status.is_success() || may_come_again, "{case}: {reply}");
            }
            app.faults.clear();
            app.named_objects.evict();
            let again = app.send(call(&scene, *make)).await;
            assert!(!again.status.is_server_error() && !again.broken, "{case}: sent again: {again}");
            settle(app, &case).await;
            broken += 1;
        }
    }
    broken
}

#[tokio::test]
async fn every_call_of_every_operation_that_changes_something_is_broken() {
    let changing: BTreeSet<_> = operations()
        .into_iter()
        .filter(|operation| !operation.method.is_safe())
        .map(|operation| format!("{} {}", operation.method, operation.template))
        .collect();
    let cases = CASES.iter().map(|(operation, ..)| (*operation).to_owned());
    let cases: BTreeSet<_> = cases.filter(|operation| !operation.starts_with("GET")).collect();
    assert_eq!(changing, cases, "an operation is missing here, or does not exist any more");
    let mut table = String::new();
    for case in &CASES {
        let broken = break_each(case).await;
        assert!(broken >= Fault::ALL.len(), "{}: no call was broken", case.0);
        table += &format!("{:<46} {broken}\n", case.0);
    }
    // How many calls were broken: four ways for each call that the operation makes.
    insta::assert_snapshot!(table, @r"
    DELETE /api/files/multipart/{id}               16
    DELETE /api/files/{id}                         8
    DELETE /api/uploads/{id}                       12
    PATCH /api/files/{id}                          8
    PATCH /api/uploads/{id}                        32
    POST /api/admin/findings/{id}/resolve          4
    POST /api/admin/fsck                           108
    POST /api/admin/sweeps                         48
    POST /api/auth/login                           8
    POST /api/auth/logout                          4
    POST /api/auth/refresh                         4
    POST /api/auth/register                        4
    POST /api/files                                20
    POST /api/files/multipart                      12
    POST /api/files/multipart/{id}/complete        24
    POST /api/files/upload                         20
    POST /api/files/{id}/cut                       20
    POST /api/files/{id}/process                   20
    POST /api/files/{id}/restore                   8
    POST /api/files/{id}/save                      36
    POST /api/uploads                              24
    PUT /api/files/multipart/{id}/parts/{number}   16
    GET /api/files/{id}/cut                        20
    ");
}

/// An upload that has no bytes yet is an effect by itself.
#[tokio::test]
async fn every_call_of_a_creation_without_bytes_is_broken() {
    let case: Case = ("POST /api/uploads", Nothing, |_| create(CSV.len()));
    assert!(break_each(&case).await >= Fault::ALL.len());
}
