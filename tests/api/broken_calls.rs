//! Tests the guarantees of cuts, receipts, sign-ins and queue jobs when a call to a port fails. `operations::broken`
//! injects faults into every operation that changes something. The modules `faults`, `idempotency`, `multipart` and
//! `tus` test the guarantees of the other operations.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::faults::sweep_up;
use super::form::long_csv;
use crate::support::app::break_every_call;
use crate::support::client::{Call, TestResponse, get, patch_json, post_json};
use crate::support::{Fault, On, TestApp};

const CSV: &str = "a,b\n1,2\n3,4\n";
const PASSWORD: &str = "correct horse battery";

/// Returns three values: an application in which Ada has a file, the access token of Ada, and the path of the file.
async fn with_file() -> (TestApp, String, String) {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    (app, token, path)
}

/// Injects each fault into each call that a cut makes to a port. Returns the number of injected faults.
async fn cut_survives(make: impl Fn(&str) -> Call) -> usize {
    let (token, path, seen) = (RefCell::new(String::new()), RefCell::new(String::new()), RefCell::new(None));
    let call = || make(&path.borrow()).bearer(&token.borrow());
    break_every_call(
        async || {
            let (app, made_token, made_path) = with_file().await;
            token.replace(made_token);
            path.replace(made_path);
            seen.take();
            app
        },
        async |app| {
            let call = call();
            let response = app.send(call).await;
            seen.replace(Some(response));
        },
        async |app, case| {
            let response: Option<TestResponse> = seen.take();
            if let Some(response) = response {
                let whole = response.status == 200 && !response.broken;
                assert!(whole || response.status == 503 || response.broken, "{case}: {response}");
                assert!(
                    !whole || response.text() == CSV,
                    "{case}: a complete response must hold the complete cut"
                );
                let complete = "SELECT count(*) AS n FROM cuts WHERE status = 'complete'";
                assert!(!whole || app.database.value(complete) == 1, "{case}");
            }
            sweep_up(app, case).await;
            let running = "SELECT count(*) AS n FROM cuts WHERE status = 'running'";
            assert_eq!(app.database.value(running), 0, "{case}");
            assert_eq!(app.objects.file_keys().len(), 1, "{case}");
            assert_eq!(app.send(call()).await.expect(200).text(), CSV, "{case}");
        },
    )
    .await
}

#[tokio::test]
async fn a_cut_returns_the_complete_result_or_an_error_after_any_fault() {
    let body = json!({});
    let ways: [&dyn Fn(&str) -> Call; 4] = [
        &|path| get(&format!("{path}/cut")),
        &|path| post_json(&format!("{path}/cut"), &body),
        &|path| post_json(&format!("{path}/process"), &body),
        &|path| get(&format!("{path}/cut?streaming=false")),
    ];
    for way in ways {
        // Each of the 4 faults is injected into 4 calls to D1, 2 calls to R2 and 2 calls to a rate limiter.
        assert_eq!(cut_survives(way).await, 4 * 8);
    }
}

#[tokio::test]
async fn a_spooled_result_leaves_no_object_after_any_fault() {
    let csv = long_csv((8 << 20) + 10);
    let aside = || [(On::objects().prefix("temp/"), 6), (On::database().about("gc_queue"), 3)];
    for fault in [Fault::DoneButReportedFailed, Fault::CrashBefore, Fault::CrashAfter] {
        let app = TestApp::new();
        let token = app.user("ada");
        let file = app.upload(&token, "a.csv", csv.clone()).await;
        let path = format!("/api/files/{}/cut?streaming=false", file["id"].as_str().unwrap());
        for (on, calls) in aside() {
            for nth in 1..=calls {
                let case = format!("{fault:?} at {on:?} {nth}");
                app.faults.inject(fault, on.clone(), nth);
                let response = app.faults.until_crash(app.send(get(&path).bearer(&token))).await;
                assert!(app.faults.fired() > 0, "{case}");
                assert!(
                    response.is_none_or(|response| response.status == 503 || response.body.len() > 8 << 20),
                    "{case}"
                );
                app.faults.clear();
                sweep_up(&app, &case).await;
                assert_eq!(app.objects.file_keys().len(), 1, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_conditional_change_that_is_repeated_after_any_fault_is_applied_once() {
    let (token, path) = (RefCell::new(String::new()), RefCell::new(String::new()));
    let call = || {
        let call = patch_json(&path.borrow(), &json!({"filename": "b.csv"}));
        call.header("if-match", "\"r1\"").bearer(&token.borrow())
    };
    let broken = break_every_call(
        async || {
            let (app, made_token, made_path) = with_file().await;
            token.replace(made_token);
            path.replace(made_path);
            app
        },
        async |app| {
            let call = call();
            drop(app.send(call).await);
        },
        async |app, case| {
            let revision = || app.database.value("SELECT revision FROM files").as_u64().unwrap();
            let happened = revision() == 2;
            let retry = app.send(call()).await;
            assert_eq!(retry.status.as_u16(), if happened { 412 } else { 200 }, "{case}: {retry}");
            assert_eq!(revision(), 2, "{case}");
            sweep_up(app, case).await;
        },
    )
    .await;
    assert!(broken >= 4 * 3, "{broken}");
}

fn register() -> Call {
    post_json("/api/auth/register", &json!({"username": "eve", "password": PASSWORD}))
}

fn login() -> Call {
    post_json("/api/auth/login", &json!({"username": "eve", "password": PASSWORD}))
}

fn with_refresh_token(action: &str, token: &str) -> Call {
    post_json(&format!("/api/auth/{action}"), &json!({"refresh_token": token}))
}

fn refresh_token_of(session: &Value) -> String {
    session["tokens"]["refresh_token"].as_str().unwrap().to_owned()
}

/// Sends the request that `make` returns: to register, to log in, to refresh a token or to log out. Injects each fault
/// into each call that this request makes to a port, and then runs `check`. Returns the number of injected faults. If
/// `is_registered` is true, the user registers first, and `make` and `check` get the user's first refresh token.
/// Otherwise they get an empty text.
async fn session_survives(
    is_registered: bool,
    make: impl Fn(&str) -> Call,
    check: impl AsyncFn(&TestApp, &str, &str),
) -> usize {
    let token = RefCell::new(String::new());
    break_every_call(
        async || {
            let app = TestApp::new();
            if is_registered {
                let session = app.send(register()).await.expect(201).json();
                token.replace(refresh_token_of(&session));
            }
            app
        },
        async |app| {
            let call = make(&token.borrow());
            let response = app.send(call).await;
            assert!(response.status.is_success() || response.status == 503, "{response}");
        },
        async |app, case| {
            let token = token.borrow().clone();
            check(app, &token, case).await;
        },
    )
    .await
}

async fn assert_signed_in(app: &TestApp, session: &Value, case: &str) {
    let token = session["tokens"]["access_token"].as_str().unwrap();
    assert_eq!(app.send(get("/api/auth/user").bearer(token)).await.status, 200, "{case}");
}

#[tokio::test]
async fn a_registration_that_is_repeated_after_any_fault_creates_one_usable_account() {
    let check = async |app: &TestApp, _: &str, case: &str| {
        let retry = app.send(register()).await;
        assert!(retry.status == 201 || retry.json()["code"] == "user_exists", "{case}: {retry}");
        assert_eq!(app.database.row_counts()["users"], 1, "{case}");
        let session = app.send(login()).await.expect(200).json();
        assert_signed_in(app, &session, case).await;
    };
    assert_eq!(session_survives(false, |_| register(), check).await, 4 * 2);
}

#[tokio::test]
async fn a_login_can_be_repeated_after_any_fault() {
    let check = async |app: &TestApp, _: &str, case: &str| {
        let session = app.send(login()).await.expect(200).json();
        assert_signed_in(app, &session, case).await;
        let again = app.send(with_refresh_token("refresh", &refresh_token_of(&session))).await;
        assert_eq!(again.status, 200, "{case}");
    };
    assert_eq!(session_survives(true, |_| login(), check).await, 4 * 5);
}

#[tokio::test]
async fn a_refresh_that_is_repeated_after_any_fault_gives_the_token_one_successor() {
    let check = async |app: &TestApp, token: &str, case: &str| {
        let session = app.send(with_refresh_token("refresh", token)).await.expect(200).json();
        assert_signed_in(app, &session, case).await;
        assert_eq!(app.database.row_counts()["refresh_tokens"], 2, "{case}");
    };
    assert_eq!(session_survives(true, |token| with_refresh_token("refresh", token), check).await, 4 * 2);
}

#[tokio::test]
async fn a_logout_that_is_repeated_after_any_fault_ends_the_session() {
    let check = async |app: &TestApp, token: &str, case: &str| {
        app.send(with_refresh_token("logout", token)).await.expect(200);
        let response = app.send(with_refresh_token("refresh", token)).await;
        assert_eq!(response.status, 401, "{case}: {response}");
    };
    assert_eq!(session_survives(true, |token| with_refresh_token("logout", token), check).await, 4);
}

#[tokio::test]
async fn a_job_that_is_delivered_again_after_any_fault_takes_effect_once() {
    let broken = break_every_call(
        async || {
            let (app, token, path) = with_file().await;
            for _ in 0..2 {
                app.send(get(&path).bearer(&token)).await.expect(200);
            }
            app
        },
        // `waiting` leaves the messages in the queue, so that the check delivers them a second time.
        async |app| {
            let jobs = app.queue.waiting();
            drop(app.do_jobs(jobs).await);
        },
        async |app, case| {
            assert_eq!(app.deliver().await, 0);
            assert_eq!(app.database.value("SELECT access_count FROM files"), 2, "{case}");
            let reads = "SELECT count(*) AS n FROM file_access_logs WHERE action = 'download'";
            assert_eq!(app.database.value(reads), 2, "{case}");
            app.assert_consistent();
        },
    )
    .await;
    assert_eq!(broken, 4);
}
