//! Tests of the doubles. The other tests rely on the properties that are tested here.

use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use cutty::audit::action::Action;
use cutty::audit::entry::Entry;
use cutty::body::stream::{NativeBody, PIECE_BYTES};
use cutty::domain::ids::{FileId, UserId};
use cutty::domain::principal::Principal;
use cutty::domain::storage_class::StorageClass;
use cutty::domain::storage_key::StorageKey;
use cutty::error::{Code, Problem};
use cutty::http::range::ByteRange;
use cutty::jobs::message::RecordRead;
use cutty::ports::{
    Database, DatabaseError, Fetched, NewObject, ObjectStore, PieceObserver, PutError, Statement,
};
use cutty::sql::accounts::InsertUser;
use cutty::sql::quotas::{Ensure, Reserve};

use crate::support::app::break_every_call;
use crate::support::body::read_all;
use crate::support::client::{TestResponse, post_json, upload};
use crate::support::hashing::{sha256, sha256_hex};
use crate::support::{Fault, On, TestApp, TestBody};

/// An observer that collects the observed pieces.
#[derive(Default)]
struct PieceCollector(Vec<u8>);

impl PieceObserver for PieceCollector {
    fn observe(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
    }
}

fn add_user(app: &TestApp, id: &str, name: &str) -> Statement {
    let (user, now) = (UserId::parse(id).unwrap(), app.now());
    InsertUser { user: &user, username: name, email: None, password_hash: "", most_users: 9, now }.statement()
}

/// Returns a statement without parameters, for SQL that the service does not use.
fn ad_hoc(sql: &'static str) -> Statement {
    Statement { sql: sql.into(), params: Vec::new() }
}

fn key(name: &str) -> StorageKey {
    StorageKey::Known(format!("uploads/{name}"))
}

fn object(name: &str) -> NewObject {
    NewObject {
        key: key(name),
        content_type: "text/csv",
        labels: Vec::new(),
        storage_class: StorageClass::Standard,
        expected_sha256: None,
    }
}

async fn put(app: &TestApp, name: &str, body: TestBody, length_bytes: u64) -> Result<u64, PutError> {
    let mut seen = PieceCollector::default();
    let stored = app.objects.put_stream(object(name), Box::new(body), length_bytes, &mut seen).await?;
    assert_eq!(
        seen.0,
        app.objects.bytes(&object(name).key.to_string()),
        "the observer must see the stored bytes"
    );
    Ok(stored.facts.size)
}

async fn fetch(app: &TestApp, name: &str, range: Option<ByteRange>, etag: Option<&str>) -> Fetched {
    app.objects.get(&key(name), range, etag).await.unwrap()
}

#[tokio::test]
async fn a_batch_is_atomic_and_its_error_names_the_constraint() {
    let app = TestApp::new();
    let batch = vec![add_user(&app, "1", "ada"), add_user(&app, "2", "ADA")];
    let error = app.database.batch(batch).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Constraint(column) if column == "users.username"));
    assert_eq!(app.database.row_counts()["users"], 0);

    let (user, now) = (&UserId::parse("1").unwrap(), app.now());
    let ensure = Ensure { user, now }.statement();
    let reserve = Reserve {
        user,
        bytes: 11,
        default_quota_bytes: 10,
        waiting_percent: 100,
        most_files: 1,
        is_cut: false,
        now,
    }
    .statement();
    let error = app.database.batch(vec![ensure, reserve]).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Constraint(column) if column == "quotas.reserved_bytes"));
    let error = app.database.query(ad_hoc("SELECT * FROM nowhere")).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Unknown(_)));
}

#[tokio::test]
async fn foreign_keys_are_enforced_and_rows_have_column_names() {
    let app = TestApp::new();
    let orphan = "INSERT INTO file_tags (file_id, kind, tag) VALUES ('none', 'user', 'x')";
    let error = app.database.query(ad_hoc(orphan)).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Constraint(column) if column.contains("FOREIGN KEY")));

    app.database.query(add_user(&app, "1", "ada")).await.unwrap();
    let rows = app.database.query(ad_hoc("SELECT id, email, 7 AS n FROM users")).await.unwrap();
    assert_eq!(serde_json::to_value(rows).unwrap(), serde_json::json!([{"id": "1", "email": null, "n": 7}]));
}

#[tokio::test]
async fn each_fault_makes_a_call_fail_before_or_after_the_effect_of_the_call() {
    for (fault, happens, returns) in [
        (Fault::Failed, false, true),
        (Fault::DoneButReportedFailed, true, true),
        (Fault::CrashBefore, false, false),
        (Fault::CrashAfter, true, false),
    ] {
        let app = TestApp::new();
        app.faults.inject(fault, On::database().about("INTO users"), 2);
        app.database.query(add_user(&app, "1", "ada")).await.unwrap();
        let outcome = app.faults.until_crash(app.database.query(add_user(&app, "2", "bob"))).await;
        assert_eq!(outcome.is_some(), returns, "{fault:?}");
        assert!(outcome.is_none_or(|outcome| outcome.is_err()), "{fault:?}");
        assert_eq!(app.database.row_counts()["users"], 1 + u64::from(happens), "{fault:?}");
        assert_eq!((app.faults.fired(), app.faults.crashed()), (1, !returns), "{fault:?}");
    }
}

#[tokio::test]
async fn no_call_returns_after_a_crash_until_the_faults_are_cleared() {
    let app = TestApp::new();
    app.faults.inject(Fault::CrashBefore, On::any(), 1);
    assert!(app.faults.until_crash(app.objects.head(&key("a"))).await.is_none());
    assert!(app.faults.until_crash(app.database.query(add_user(&app, "1", "ada"))).await.is_none());
    app.faults.clear();
    assert!(app.faults.until_crash(app.database.query(add_user(&app, "1", "ada"))).await.unwrap().is_ok());
}

#[tokio::test]
async fn each_fault_can_be_injected_into_each_call() {
    let work = async |app: &TestApp| {
        let stored = app.database.query(add_user(app, "1", "ada")).await;
        if stored.is_ok() {
            let _ = put(app, "a", TestBody::from_bytes("x"), 1).await;
        }
    };
    let seen = std::sync::Mutex::new(Vec::new());
    let check = async |app: &TestApp, fault_case: &str| {
        let state = (app.database.row_counts()["users"], app.objects.keys().len());
        seen.lock().unwrap().push((fault_case.split(',').next().unwrap().to_owned(), state));
    };
    assert_eq!(break_every_call(async || TestApp::new(), work, check).await, 8);
    let wanted = [
        ("Failed at call 1", (0, 0)),
        ("Failed at call 2", (1, 0)),
        ("DoneButReportedFailed at call 1", (1, 0)),
        ("DoneButReportedFailed at call 2", (1, 1)),
        ("CrashBefore at call 1", (0, 0)),
        ("CrashBefore at call 2", (1, 0)),
        ("CrashAfter at call 1", (1, 0)),
        ("CrashAfter at call 2", (1, 1)),
    ];
    assert_eq!(*seen.lock().unwrap(), wanted.map(|(fault_case, state)| (fault_case.to_owned(), state)));
}

#[tokio::test]
async fn an_outage_affects_only_the_selected_calls_and_calls_are_counted() {
    let app = TestApp::new();
    app.faults.always(Fault::Failed, On::objects().prefix("uploads/b"));
    for _ in 0..2 {
        assert!(matches!(put(&app, "b", TestBody::from_bytes("x"), 1).await, Err(PutError::Store(_))));
    }
    put(&app, "a", TestBody::from_bytes("x"), 1).await.unwrap();
    assert_eq!(app.objects.keys(), ["uploads/a"]);
    assert_eq!(app.faults.count(&On::objects().method("put_stream")), 3);
    let batch = vec![add_user(&app, "1", "ada"), add_user(&app, "2", "bob")];
    app.database.batch(batch).await.unwrap();
    assert_eq!((app.faults.count(&On::database()), app.faults.statements(&On::database())), (1, 2));
    app.faults.forget_calls();
    assert!(app.faults.calls().is_empty());
}

#[tokio::test]
async fn a_put_never_replaces_an_object_and_checks_length_and_hash() {
    let app = TestApp::new();
    let body = TestBody::in_pieces_of(b"a,b\n1,2\n", 3);
    let stored =
        app.objects.put_stream(object("a"), Box::new(body), 8, &mut PieceCollector::default()).await.unwrap();
    assert_eq!((stored.facts.size, stored.sha256), (8, sha256(b"a,b\n1,2\n")));
    assert!(matches!(put(&app, "a", TestBody::from_bytes("other"), 5).await, Err(PutError::Exists)));

    for (body, length) in
        [(TestBody::from_bytes("12"), 3), (TestBody::from_bytes("12"), 1), (TestBody::broken(b"12", 1), 2)]
    {
        assert!(matches!(put(&app, "b", body, length).await, Err(PutError::Body(_))));
    }
    let wanted = NewObject { expected_sha256: Some(sha256(b"y")), ..object("b") };
    assert!(matches!(app.objects.put_bytes(wanted, b"x").await, Err(PutError::DigestMismatch)));
    assert_eq!(app.objects.keys(), ["uploads/a"]);
    assert_eq!(app.objects.bytes("uploads/a"), "a,b\n1,2\n");
}

#[tokio::test]
async fn reads_support_byte_ranges_and_etags_and_can_fail() {
    let app = TestApp::new();
    let etag = app.objects.plant("uploads/a", "0123456789").etag;
    let range = ByteRange::new(2, 4).unwrap();
    let Fetched::Found(facts, body) = fetch(&app, "a", Some(range), Some(&etag)).await else { panic!() };
    assert_eq!((facts.size, read_all(body).await.unwrap().as_slice()), (10, &b"234"[..]));
    assert!(matches!(fetch(&app, "a", None, Some("other")).await, Fetched::Different));
    assert!(matches!(fetch(&app, "b", None, None).await, Fetched::Missing));
    let outside = ByteRange::new(10, 10).unwrap();
    assert!(app.objects.get(&key("a"), Some(outside), None).await.is_err());

    app.objects.break_reads("uploads/a", 4);
    let Fetched::Found(_, body) = fetch(&app, "a", None, None).await else { panic!() };
    assert!(read_all(body).await.is_err());
}

#[tokio::test]
async fn all_parts_except_the_last_must_be_equally_long_and_not_shorter_than_the_minimum() {
    for (lengths, accepted) in [
        (&[4, 4, 2][..], true),
        (&[2], true),
        (&[4, 2, 4], false),
        (&[4, 5], false),
        (&[3, 3, 1], false),
        (&[], false),
    ] {
        let app = TestApp::new();
        app.objects.set_min_part_bytes(4);
        let id = app.objects.create_multipart(&object("a")).await.unwrap();
        let mut etags = Vec::new();
        for (number, length) in (1..).zip(lengths) {
            let etag = app.objects.put_part(&key("a"), &id, number, &vec![b'x'; *length]).await;
            etags.push(etag.unwrap());
        }
        let completed = app.objects.complete_multipart(&key("a"), &id, &etags).await;
        assert_eq!(completed.is_ok(), accepted, "{lengths:?}");
        assert_eq!(app.objects.open_uploads().is_empty(), accepted || lengths.is_empty());
        if let Ok(facts) = completed {
            assert_eq!(facts.size, lengths.iter().sum::<usize>() as u64);
            assert!(!sha256_hex(&app.objects.bytes("uploads/a")).starts_with(&facts.etag));
            assert!(app.objects.complete_multipart(&key("a"), &id, &etags).await.is_err());
        }
    }
}

#[tokio::test]
async fn a_multipart_upload_ends_when_it_is_aborted_or_seven_days_old() {
    let app = TestApp::new();
    let id = app.objects.create_multipart(&object("a")).await.unwrap();
    app.objects.abort_multipart(&key("a"), &id).await.unwrap();
    app.objects.abort_multipart(&key("a"), &id).await.unwrap();
    assert!(app.objects.put_part(&key("a"), &id, 1, b"x").await.is_err());

    let id = app.objects.create_multipart(&object("a")).await.unwrap();
    let stale = app.objects.put_part(&key("a"), &id, 1, b"x").await.unwrap();
    let fresh = app.objects.put_part(&key("a"), &id, 1, b"y").await.unwrap();
    assert!(app.objects.put_part(&key("a"), &id, 10_001, b"x").await.is_err());
    assert!(app.objects.complete_multipart(&key("a"), &id, &[stale]).await.is_err());
    app.advance(TimeDelta::days(7));
    assert!(app.objects.complete_multipart(&key("a"), &id, &[fresh]).await.is_err());
}

#[tokio::test]
async fn a_peek_does_not_consume_the_body() {
    let bytes: Vec<u8> = (0..PIECE_BYTES + 10).map(|index| index as u8).collect();
    let mut body = TestBody::in_pieces_of(&bytes, 1000);
    let taken_bytes = body.taken_bytes();
    assert_eq!(taken_bytes.load(Ordering::Relaxed), 0);
    assert_eq!(body.peek().await.unwrap(), bytes[..PIECE_BYTES]);
    assert_eq!(body.peek().await.unwrap(), bytes[..PIECE_BYTES]);
    assert_eq!(read_all(Box::new(body)).await.unwrap(), bytes);

    assert!(TestBody::empty().peek().await.unwrap().is_empty());
    let mut broken = TestBody::broken(&bytes, 10);
    assert!(broken.peek().await.is_err());
    assert!(read_all(Box::new(broken)).await.is_err());
    let generated = TestBody::generated(3, |index| vec![index as u8; PIECE_BYTES + 1]);
    assert_eq!(generated.drain().unwrap().len(), 3 * (PIECE_BYTES + 1));
}

#[tokio::test]
async fn queue_messages_wait_until_a_test_delivers_them_once_or_twice() {
    let app = TestApp::new();
    let user = Principal::user(UserId::parse("1").unwrap());
    let operation = Entry::new(&app, Some(&user), Action::View, &Default::default());
    app.enqueue(&RecordRead { operation }).await.unwrap();
    app.faults.inject(Fault::Failed, On::database(), 1);
    assert_eq!(app.deliver().await, 1);
    assert_eq!(app.queue.waiting().len(), 1);
    assert_eq!(app.deliver_twice().await, 0);
    assert_eq!(app.database.row_counts()["file_access_logs"], 1);
    assert!(app.queue.waiting().is_empty());
}

#[test]
fn time_and_randomness_are_the_same_in_every_run() {
    let ids = || {
        let app = TestApp::new();
        let first = app.fresh_id::<FileId>();
        app.advance(TimeDelta::seconds(1));
        (first.to_string(), app.fresh_id::<FileId>().to_string())
    };
    assert_eq!(ids(), ids());
    assert_ne!(ids().0, ids().1);
}

#[test]
#[should_panic(expected = "contains a secret")]
fn an_escaped_secret_in_the_log_is_found() {
    let app = TestApp::new();
    app.app.log.line(&serde_json::json!({"cause": "said pass\"word"}));
    app.log.assert_never_contains("other");
    app.log.assert_never_contains("pass\"word");
}

#[test]
fn variables_set_the_configuration_and_a_reconfiguration_keeps_the_state() {
    let app = TestApp::with(&[("MAX_FILE_SIZE", "10")]);
    app.objects.plant("temp/a", "x");
    let app = app.reconfigured(&[("MAX_FILE_SIZE", "20")]);
    assert_eq!((app.config.max_file_size_bytes, app.objects.keys().len()), (20, 1));
}

#[test]
fn request_helpers_set_the_content_headers_and_response_helpers_check_status_and_code() {
    let call = upload("a.csv", "a\n1\n").bearer("t");
    assert_eq!(call.request.headers()["content-length"], "4");
    assert_eq!(call.body.unwrap().drain().unwrap(), b"a\n1\n");
    let call = post_json("/api/x", &serde_json::json!({"a": 1}));
    assert_eq!(call.request.headers()["content-type"], "application/json");

    let problem = Problem::new(Code::NotFound, "No.");
    let body = problem.document("/api/x", "r").to_string().into_bytes();
    let headers = [(http::header::CONTENT_TYPE, "application/problem+json".parse().unwrap())];
    let response = TestResponse {
        status: problem.code().status(),
        headers: headers.into_iter().collect(),
        body,
        broken: false,
    };
    assert_eq!(response.expect(404).expect_problem(404, "not_found")["detail"], "No.");
}

/// Inserts a file whose row, quota and object agree.
fn plant_file(app: &TestApp) {
    let facts = app.objects.plant("uploads/a", "a\n1\n");
    app.database.execute(&format!(
        "INSERT INTO files (id, user_id, filename, r2_key, mime_type, file_size, checksum, created_at, updated_at,
             lifecycle_status, etag, attempt)
         VALUES ('f', '1', 'a.csv', 'uploads/a', 'text/csv', 4, '{}', '{now}', '{now}', 'active', '{}', 't');
         INSERT INTO quotas (user_id, used_bytes, updated_at) VALUES ('1', 4, '{now}');",
        sha256_hex(b"a\n1\n"),
        facts.etag,
        now = app.now(),
    ));
}

#[test]
fn the_fsck_of_the_tests_finds_each_violation() {
    type Damage = fn(&TestApp);
    let damages: [(&str, Damage); 12] = [
        ("missing", |app| app.objects.lose("uploads/a")),
        ("the row says 4 bytes, the object has 3", |app| app.objects.truncate("uploads/a", 3)),
        ("does not match the bytes", |app| app.objects.corrupt("uploads/a")),
        ("etag", |app| drop(app.objects.plant("uploads/a", "a\n2\n"))),
        ("belongs to no kept file", |app| drop(app.objects.plant("uploads/b", "x"))),
        ("belongs to no kept file", |app| {
            app.database.execute("UPDATE files SET lifecycle_status = 'purged'")
        }),
        ("the quota says 5 bytes used, the files add up to 4", |app| {
            app.database.execute("UPDATE quotas SET used_bytes = 5")
        }),
        ("the quota says 9 bytes reserved, the files add up to 0", |app| {
            app.database.execute("UPDATE quotas SET reserved_bytes = 9")
        }),
        ("the quota says 0 bytes used, the files add up to 4", |app| {
            app.database.execute("DELETE FROM quotas")
        }),
        ("malformed timestamp files.created_at", |app| {
            app.database.execute("UPDATE files SET created_at = '2026-01-01 00:00:00'");
        }),
        ("not in gc_queue", |app| app.database.execute("UPDATE files SET lifecycle_status = 'pending'")),
        ("belongs to an active or archived file", |app| {
            app.database.execute(&format!(
                "INSERT INTO gc_queue (r2_key, attempt, user_id, reason, not_before, created_at)
                 VALUES ('uploads/a', 't', '1', 'deleted', '{now}', '{now}')",
                now = app.now()
            ));
        }),
    ];
    for (wanted, damage) in damages {
        let app = TestApp::new();
        plant_file(&app);
        app.assert_consistent();
        damage(&app);
        let violations = crate::support::fsck::fsck(&app);
        assert!(violations.iter().any(|violation| violation.contains(wanted)), "{wanted}: {violations:?}");
    }
}

#[tokio::test]
async fn an_unreferenced_multipart_upload_and_an_overwritten_object_are_violations() {
    let app = TestApp::new();
    plant_file(&app);
    let id = app.objects.create_multipart(&object("a")).await.unwrap();
    app.assert_consistent();
    let etag = app.objects.put_part(&key("a"), &id, 1, b"a\n1\n").await.unwrap();
    assert_eq!(crate::support::fsck::fsck(&app).len(), 1);
    app.objects.complete_multipart(&key("a"), &id, &[etag]).await.unwrap();
    let violations = crate::support::fsck::fsck(&app);
    assert!(violations.iter().any(|violation| violation.contains("overwritten")), "{violations:?}");
}
