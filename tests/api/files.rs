//! Uploads in which the request body is the file, and refused uploads.

use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};

use crate::support::client::{Call, get, post, upload};
use crate::support::hashing::{sha256, sha256_hex};
use crate::support::{TestApp, TestBody};

const CSV: &[u8] = b"origin,dep_delay\nJFK,61\nLGA,3\n";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/// Returns the `Repr-Digest` of these bytes (RFC 9530).
fn digest_of(bytes: &[u8]) -> String {
    use base64::Engine;
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(sha256(bytes)))
}

/// Panics if a refused request has changed the database or the object store. `before` must be the row counts before the
/// request.
pub fn assert_untouched(app: &TestApp, before: &std::collections::BTreeMap<String, u64>, case: &str) {
    let mut now = app.database.row_counts();
    // The refused request may have created the user's rows in `quotas` and `usage`. `assert_consistent` and the query
    // below check the values in these rows.
    for table in ["quotas", "usage"] {
        now.insert(table.to_owned(), before[table]);
    }
    assert_eq!(&now, before, "{case}");
    assert_eq!(app.objects.keys(), Vec::<String>::new(), "{case}");
    assert_eq!(app.objects.open_uploads(), Vec::new(), "{case}");
    let bytes = "SELECT coalesce(sum(used_bytes + reserved_bytes), 0) AS bytes FROM quotas";
    assert_eq!(app.database.value(bytes), 0, "{case}");
    app.assert_consistent();
}

/// Sends a request to an application with low limits. Panics unless the request is refused and changes nothing. Returns
/// the problem.
pub async fn assert_refused(case: &str, call: Call, status: u16, code: &str) -> Value {
    let app = TestApp::with(&[("MAX_FILE_SIZE", "1024"), ("DEFAULT_QUOTA_BYTES", "200")]);
    let token = app.user("ada");
    let before = app.database.row_counts();
    let response = app.send(call.bearer(&token)).await;
    assert_eq!(response.status.as_u16(), status, "{case}: {response}");
    let problem = response.expect_problem(status, code);
    assert_untouched(&app, &before, case);
    problem
}

#[tokio::test]
async fn an_upload_returns_the_metadata_and_a_download_returns_the_same_bytes() {
    let app = TestApp::new();
    let token = app.user("ada");
    let call = upload("fl%C3%BCge%202024.csv", CSV)
        .bearer(&token)
        .header("x-file-tags", "north, \"a, b\", north")
        .header("x-file-metadata", r#"{"project": "n", "year": 2024}"#)
        .header("x-file-expires", "2027-01-01T00:00:00+01:00")
        .header("repr-digest", digest_of(CSV));
    let response = app.send(call).await.expect(201);
    let created = response.json();
    let file = &created["file"];
    let id = file["id"].as_str().unwrap();
    assert_eq!(created["success"], true);
    assert_eq!(response.header("location"), format!("/api/files/{id}"));
    assert_eq!(response.header("etag"), format!("\"{}\"", file["etag"].as_str().unwrap()));
    assert_eq!((&file["dialect"]["delimiter"], &file["dialect"]["confidence"]), (&json!(","), &json!(1.0)));
    assert_eq!(
        *file,
        json!({
            "dialect": file["dialect"], "id": id, "filename": "flüge 2024.csv", "size": CSV.len(), "contentType": "text/csv",
            "checksum": sha256_hex(CSV), "verified": true, "etag": file["etag"], "createdAt": "2026-01-02T03:04:05.678Z",
            "updatedAt": "2026-01-02T03:04:05.678Z", "lastAccessed": null, "accessCount": 0,
            "systemTags": ["uploaded"], "userTags": ["a, b", "north"],
            "metadata": {"project": "n", "year": 2024}, "storageClass": "Standard",
            "lifecycleStatus": "active", "expiresAt": "2026-12-31T23:00:00.000Z", "source": "upload",
            "rowCount": 2, "columnCount": 2, "revision": 1,
        })
    );
    let read = app.send(get(response.header("location")).bearer(&token)).await.expect(200);
    assert_eq!(read.body, CSV);
    app.assert_consistent();
}

#[tokio::test]
async fn all_aliases_of_the_upload_route_work() {
    let app = TestApp::new();
    let token = app.user("ada");
    for path in [
        "/api/files",
        "/api/files/",
        "/api/v1/files",
        "/api/v1/files/",
        "/api/files/upload",
        "/api/v1/files/upload/",
    ] {
        let call = post(path).bearer(&token).header("content-type", "text/csv").bytes(CSV);
        let response = app.send(call).await.expect(201);
        let id = response.json()["file"]["id"].as_str().unwrap().to_owned();
        assert_eq!(response.header("location"), format!("/api/files/{id}"), "{path}");
        for read in [format!("/api/v1/files/{id}"), format!("/api/files/{id}/")] {
            assert_eq!(app.send(get(&read).bearer(&token)).await.expect(200).body, CSV, "{read}");
        }
    }
    assert_eq!(app.database.row_counts()["files"], 6);
}

#[tokio::test]
async fn a_refused_upload_leaves_no_row_and_no_object_and_uses_no_quota() {
    let named = |name: &'static str| upload(name, CSV);
    let with = |name: &'static str, value: &str| upload("a.csv", CSV).header(name, value);
    let typed = |name: &'static str, declared: &'static str, bytes: &'static [u8]| {
        post("/api/files").header("x-file-name", name).header("content-type", declared).bytes(bytes)
    };
    let long_tag = "t".repeat(65);
    let many_tags: Vec<_> = (0..33).map(|index| index.to_string()).collect();
    let cases: Vec<(&str, Call, u16, &str)> = vec![
        (
            "over the limit without a length",
            upload("a.csv", vec![b'x'; 1025]).without("content-length"),
            413,
            "too_large",
        ),
        ("no bytes and no length", upload("a.csv", "").without("content-length"), 422, "empty_file"),
        (
            "a length that is not a number",
            with("content-length", "x").without("content-length").header("content-length", "x"),
            400,
            "bad_request",
        ),
        (
            "over the limit",
            named("a.csv").without("content-length").header("content-length", 1025),
            413,
            "too_large",
        ),
        ("an image named a.csv", typed("a.csv", "text/csv", PNG), 415, "unsupported_type"),
        (
            "an image without a declared type",
            typed("a.csv", "application/octet-stream", PNG),
            415,
            "unsupported_type",
        ),
        ("declared as an image", typed("a.csv", "image/png", CSV), 415, "unsupported_type"),
        ("named like an image", typed("a.png", "text/csv", CSV), 415, "unsupported_type"),
        ("a NUL byte", typed("a.csv", "text/csv", b"a,b\n1,\0\n"), 415, "unsupported_type"),
        ("empty", upload("a.csv", ""), 422, "empty_file"),
        ("a wrong digest", with("repr-digest", &digest_of(b"other")), 422, "digest_mismatch"),
        ("a wrong content digest", with("content-digest", &digest_of(b"other")), 422, "digest_mismatch"),
        (
            "two digests, one of them wrong",
            with("repr-digest", &digest_of(CSV)).header("content-digest", digest_of(b"other")),
            422,
            "digest_mismatch",
        ),
        ("a malformed digest", with("repr-digest", "sha-256=x"), 400, "bad_request"),
        ("a path as the name", named("..%2f..%2fetc%2fpasswd"), 422, "bad_name"),
        ("a line break in the name", named("a%0d%0aSet-Cookie: x.csv"), 422, "bad_name"),
        ("no name", named("%20"), 422, "bad_name"),
        ("a name of 256 bytes", upload(&"a".repeat(256), CSV), 422, "bad_name"),
        ("an incomplete percent-encoding in the name", named("100%.csv"), 422, "bad_name"),
        ("a name that is not UTF-8", named("%ff.csv"), 422, "bad_name"),
        ("a long tag", with("x-file-tags", &long_tag), 400, "bad_metadata"),
        ("many tags", with("x-file-tags", &many_tags.join(",")), 400, "bad_metadata"),
        ("an unclosed quote", with("x-file-tags", "\"a"), 400, "bad_metadata"),
        ("metadata that is not JSON", with("x-file-metadata", "{"), 400, "bad_metadata"),
        ("metadata that is a list", with("x-file-metadata", "[1]"), 400, "bad_metadata"),
        ("nested metadata", with("x-file-metadata", r#"{"a": {"b": 1}}"#), 400, "bad_metadata"),
        ("an expiry without a zone", with("x-file-expires", "2030-01-01"), 400, "bad_metadata"),
        ("an expiry in the past", with("x-file-expires", "2020-01-01T00:00:00Z"), 400, "bad_metadata"),
        ("over the quota", upload("a.csv", [b'x'; 201].as_slice()), 507, "quota_exceeded"),
        ("a body that breaks", named("a.csv").stream(TestBody::broken(CSV, 9)), 400, "bad_request"),
        (
            "a body that is shorter than announced",
            named("a.csv").stream(TestBody::from_bytes(&CSV[..9])),
            400,
            "bad_request",
        ),
        (
            "a body that is longer than announced",
            named("a.csv").stream(TestBody::from_bytes([CSV, CSV].concat())),
            400,
            "bad_request",
        ),
    ];
    for (case, call, status, code) in cases {
        let problem = assert_refused(case, call, status, code).await;
        assert!(problem["detail"].as_str().unwrap().len() > 15, "{case}: {problem}");
        if code == "too_large" {
            assert_eq!(problem["limitBytes"], 1024);
        }
    }
}

#[tokio::test]
async fn an_upload_with_unacceptable_headers_is_refused_before_its_body_is_read() {
    let app = TestApp::with(&[("MAX_FILE_SIZE", "1024")]);
    let token = app.user("ada");
    let calls = [
        upload("a.csv", CSV).bearer(&token).without("content-length").header("content-length", 1025),
        upload("a.csv", CSV).bearer(&token).without("content-length").header("x-file-tags", "\""),
        upload("a%2fb", CSV).bearer(&token),
        upload("a.csv", CSV),
    ];
    for call in calls {
        let body = TestBody::from_bytes(CSV);
        let taken = body.taken_bytes();
        let response = app.send(call.stream(body)).await;
        assert!(response.status.is_client_error(), "{response}");
        assert_eq!(taken.load(std::sync::atomic::Ordering::Relaxed), 0, "{response}");
    }
}

#[tokio::test]
async fn the_size_and_the_used_quota_both_equal_the_number_of_received_bytes() {
    let app = TestApp::new();
    let token = app.user("ada");
    let wrong_length =
        upload("a.csv", CSV).bearer(&token).without("content-length").header("content-length", 5);
    app.send(wrong_length).await.expect_problem(400, "bad_request");
    let file = app.upload(&token, "a.csv", CSV).await;
    assert_eq!(file["size"], CSV.len());
    assert_eq!(app.database.value("SELECT used_bytes FROM quotas"), CSV.len());
}

#[tokio::test]
async fn a_missing_or_generic_content_type_is_replaced_by_a_csv_type() {
    let app = TestApp::new();
    let token = app.user("ada");
    let cases = [
        (None, "a.csv", "text/csv"),
        (Some("application/octet-stream"), "a.csv", "text/csv"),
        (Some("application/x-www-form-urlencoded"), "a", "text/csv"),
        (Some("application/vnd.ms-excel"), "a.csv", "text/csv"),
        (Some("text/plain; charset=utf-8"), "a.txt", "text/csv"),
        (Some("text/tab-separated-values"), "a", "text/tab-separated-values"),
        (None, "a.tsv", "text/tab-separated-values"),
    ];
    for (declared, name, stored) in cases {
        let mut call = post("/api/files").bearer(&token).header("x-file-name", name).bytes(CSV);
        if let Some(declared) = declared {
            call = call.header("content-type", declared);
        }
        let file = app.send(call).await.expect(201).json();
        assert_eq!(file["file"]["contentType"], stored, "{declared:?} {name}");
    }
}

#[tokio::test]
async fn an_upload_without_a_name_gets_a_default_name_and_two_files_may_have_the_same_name() {
    let app = TestApp::new();
    let token = app.user("ada");
    for _ in 0..2 {
        let file = app.send(post("/api/files").bearer(&token).bytes(CSV)).await.expect(201).json();
        assert_eq!(file["file"]["filename"], "upload.csv");
    }
    assert_eq!(app.objects.file_keys().len(), 2);
}

#[tokio::test]
async fn a_quota_can_be_filled_to_the_last_byte_and_cannot_be_exceeded() {
    let app = TestApp::with(&[("DEFAULT_QUOTA_BYTES", "10")]);
    let token = app.user("ada");
    app.upload(&token, "a.csv", "123456").await;
    app.send(upload("b.csv", "12345").bearer(&token)).await.expect_problem(507, "quota_exceeded");
    app.upload(&token, "c.csv", "1234").await;
    app.send(upload("d.csv", "1").bearer(&token)).await.expect_problem(507, "quota_exceeded");
    let bob = app.user("bob");
    app.upload(&bob, "e.csv", "1234567890").await;
    app.database.execute("UPDATE quotas SET quota_bytes = 11 WHERE user_id = 'ada'");
    app.upload(&token, "f.csv", "1").await;
    app.assert_consistent();
}

#[tokio::test]
async fn concurrent_uploads_share_one_quota() {
    let app = TestApp::with(&[("DEFAULT_QUOTA_BYTES", "25")]);
    let token = app.user("ada");
    let call = || app.send(upload("a.csv", "1234567890").bearer(&token));
    let (one, two, three) = tokio::join!(call(), call(), call());
    let mut statuses = [one.status.as_u16(), two.status.as_u16(), three.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 507]);
    app.assert_consistent();
}

#[tokio::test]
async fn user_metadata_never_replaces_computed_metadata() {
    let app = TestApp::new();
    let token = app.user("ada");
    let claims = json!({"size": 1, "checksum": "x", "user_id": "bob", "id": "7", "systemTags": "x"});
    let call = upload("a.csv", CSV).bearer(&token).header("x-file-metadata", &claims);
    let file = app.send(call).await.expect(201).json()["file"].clone();
    assert_eq!(file["metadata"], claims);
    assert_eq!(file["size"], CSV.len());
    assert_eq!(file["checksum"], sha256_hex(CSV));
    assert_eq!(file["systemTags"], json!(["uploaded"]));
    assert_eq!(app.database.value("SELECT user_id FROM files"), "ada");
    let key = app.objects.keys().swap_remove(0);
    assert!(key.starts_with("uploads/user-ada/"), "{key}");
    let labels = app.objects.object(&key).unwrap().labels;
    assert_eq!(labels.iter().find(|(name, _)| *name == "user-id").unwrap().1, "ada");
}

#[tokio::test]
async fn an_upload_has_one_log_line_and_one_audit_row() {
    let app = TestApp::new();
    let token = app.user("ada");
    let call = upload("a.csv", CSV)
        .bearer(&token)
        .header("user-agent", "curl/8")
        .header("cf-connecting-ip", "192.0.2.7")
        .header("x-request-id", "r-1");
    app.send(call).await.expect(201);
    let rows = app.database.rows("SELECT * FROM file_access_logs");
    assert_eq!(rows.len(), 1);
    let expected = json!({
        "user_id": "ada", "action": "upload", "success": 1, "bytes_transferred": CSV.len(), "duration_ms": 0,
        "ip_address": "192.0.2.7", "user_agent": "curl/8", "request_id": "r-1", "error_code": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(rows[0][name], *value, "{name}");
    }
    let lines = app.log.with("action", "upload");
    assert_eq!((lines.len(), &lines[0]["ip_address"]), (1, &json!("192.0.2.7")));
    assert_eq!((&lines[0]["user_agent"], &lines[0]["request_id"]), (&json!("curl/8"), &json!("r-1")));
}

#[tokio::test]
async fn times_are_stored_in_one_format() {
    let app = TestApp::new();
    let token = app.user("ada");
    let call =
        upload("a.csv", CSV).bearer(&token).header("x-file-expires", "2026-01-02T05:04:05.67899+01:00");
    let file = app.send(call).await.expect(201).json()["file"].clone();
    assert_eq!(file["expiresAt"], "2026-01-02T04:04:05.678Z");
    app.advance(TimeDelta::milliseconds(1));
    let later = app.upload(&token, "b.csv", CSV).await;
    assert!(later["createdAt"].as_str() > file["createdAt"].as_str());
    app.assert_consistent();
}

#[tokio::test]
async fn the_refusal_of_an_unsupported_method_lists_the_allowed_methods() {
    let app = TestApp::new();
    let token = app.user("ada");
    let response = app.send(Call::new(Method::PUT, "/api/files").bearer(&token)).await;
    let allowed = response.header("allow").to_owned();
    response.expect_problem(405, "method_not_allowed");
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    let not_found: Value = app.send(get("/api/nothing")).await.expect_problem(404, "not_found");
    assert_eq!(not_found["instance"], "/api/nothing");
}
