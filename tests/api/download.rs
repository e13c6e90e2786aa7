//! Downloads: ranges, conditional requests, and objects that do not match their row in `files`.

use base64::Engine;
use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};

use crate::support::client::{Call, get, head};
use crate::support::hashing::sha256;
use crate::support::{Fault, On, TestApp};

const BYTES: &[u8] = b"0123456789";

/// Returns an application, Ada's access token and the JSON of Ada's file. The file contains ten digits.
async fn with_a_file() -> (TestApp, String, Value) {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", BYTES).await;
    app.faults.forget_calls();
    (app, token, file)
}

fn path(file: &Value) -> String {
    format!("/api/files/{}", file["id"].as_str().unwrap())
}

fn etag(file: &Value) -> String {
    format!("\"{}\"", file["etag"].as_str().unwrap())
}

#[tokio::test]
async fn a_download_has_the_headers_that_describe_its_bytes() {
    let (app, token, file) = with_a_file().await;
    let response = app.send(get(&path(&file)).bearer(&token)).await.expect(200);
    let digest = base64::engine::general_purpose::STANDARD.encode(sha256(BYTES));
    let expected_headers = [
        ("content-type", "text/csv"),
        ("content-length", "10"),
        ("content-disposition", "attachment; filename=\"a.csv\""),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-cache"),
        ("last-modified", "Fri, 02 Jan 2026 03:04:05 GMT"),
        ("repr-digest", &format!("sha-256=:{digest}:")),
        ("etag", &etag(&file)),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ];
    for (name, value) in expected_headers {
        assert_eq!(response.header(name), value, "{name}");
    }
    let vary: Vec<_> = response.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(vary.contains(&"Authorization"), "{vary:?}");
    assert_eq!(response.body, BYTES);

    let head_response = app.send(head(&path(&file)).bearer(&token)).await.expect(200);
    for (name, value) in expected_headers {
        assert_eq!(head_response.header(name), value, "HEAD {name}");
    }
    assert!(head_response.body.is_empty());
}

#[tokio::test]
async fn a_range_request_gets_exactly_the_requested_bytes() {
    let (app, token, file) = with_a_file().await;
    let single = [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-99", "0123456789", "bytes 0-9/10"),
        ("bytes=9-99999999999999999999", "9", "bytes 9-9/10"),
    ];
    for (range, bytes, content_range) in single {
        let response = app.send(get(&path(&file)).bearer(&token).header("range", range)).await.expect(206);
        assert_eq!((response.text(), response.header("content-range")), (bytes, content_range), "{range}");
        assert_eq!(response.header("content-length"), bytes.len().to_string(), "{range}");
        assert_eq!(response.header("etag"), etag(&file), "{range}");
    }
    for range in ["bytes=10-", "bytes=-0", "bytes=99-100"] {
        let response = app.send(get(&path(&file)).bearer(&token).header("range", range)).await;
        assert_eq!(response.header("content-range"), "bytes */10", "{range}");
        response.expect_problem(416, "bad_range");
    }
    for range in ["bytes=4-2", "lines=1-2", "bytes=x", "bytes=", "0-1"] {
        let response = app.send(get(&path(&file)).bearer(&token).header("range", range)).await.expect(200);
        assert_eq!(response.body, BYTES, "{range} is not a valid range and must be ignored");
    }
}

#[tokio::test]
async fn several_ranges_are_sent_as_multipart_byteranges() {
    let (app, token, file) = with_a_file().await;
    let call = get(&path(&file)).bearer(&token).header("range", "bytes=0-0, 2-3, -1");
    let response = app.send(call).await.expect(206);
    let boundary = response.header("content-type").strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range: &str, bytes: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/csv\r\nContent-Range: bytes {range}/10\r\n\r\n{bytes}\r\n"
        )
    };
    let expected = [part("0-0", "0"), part("2-3", "23"), part("9-9", "9"), format!("--{boundary}--\r\n")];
    assert_eq!(response.text(), expected.concat());
    assert!(!response.has("content-range"));
    assert_eq!(app.faults.count(&On::objects().method("get")), 3);
}

#[tokio::test]
async fn preconditions_are_evaluated_before_the_object_is_read() {
    let (app, token, file) = with_a_file().await;
    let tag = etag(&file);
    let (then, before) = ("Fri, 02 Jan 2026 03:04:05 GMT", "Fri, 02 Jan 2026 03:04:04 GMT");
    app.advance(TimeDelta::days(1));
    let weak = format!("W/{tag}");
    let several = format!("\"x\", {tag}");
    let cases: [(&str, &str, u16); 13] = [
        ("if-none-match", &tag, 304),
        ("if-none-match", &weak, 304),
        ("if-none-match", &several, 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"x\"", 200),
        ("if-modified-since", then, 304),
        ("if-modified-since", before, 200),
        ("if-match", &tag, 200),
        ("if-match", "*", 200),
        ("if-match", "\"x\"", 412),
        ("if-match", &weak, 412),
        ("if-unmodified-since", before, 412),
        ("if-unmodified-since", then, 200),
    ];
    for (name, value, status) in cases {
        for method in [Method::GET, Method::HEAD] {
            app.faults.forget_calls();
            let call = Call::new(method.clone(), &path(&file)).bearer(&token).header(name, value);
            let response = app.send(call).await;
            assert_eq!(response.status.as_u16(), status, "{method} {name}: {value}");
            if status == 304 {
                assert_eq!(response.header("etag"), tag);
                assert!(response.body.is_empty() && !response.has("content-length"), "{response}");
            }
            let reads = usize::from(status == 200 && method == Method::GET);
            assert_eq!(app.faults.count(&On::objects()), reads, "{method} {name}: {value}");
        }
    }
}

#[tokio::test]
async fn a_range_request_with_a_stale_if_range_gets_the_whole_file() {
    let (app, token, file) = with_a_file().await;
    for (condition, status) in
        [(etag(&file), 206), ("\"x\"".to_owned(), 200), (format!("W/{}", etag(&file)), 200)]
    {
        let call =
            get(&path(&file)).bearer(&token).header("range", "bytes=1-2").header("if-range", &condition);
        let response = app.send(call).await.expect(status);
        assert_eq!(response.text(), if status == 206 { "12" } else { "0123456789" }, "{condition}");
    }
}

#[tokio::test]
async fn a_missing_replaced_or_truncated_object_is_an_integrity_error_and_no_byte_is_sent() {
    type Damage = fn(&TestApp, &str);
    let damages: [(&str, Damage); 3] = [
        ("lost", |app, key| app.objects.lose(key)),
        ("replaced", |app, key| drop(app.objects.plant(key, "9876543210"))),
        ("truncated", |app, key| app.objects.truncate(key, 5)),
    ];
    for (damage_name, inflict) in damages {
        for range in [None, Some("bytes=0-3"), Some("bytes=0-0,4-4")] {
            let (app, token, file) = with_a_file().await;
            let key = app.objects.keys().swap_remove(0);
            inflict(&app, &key);
            let mut call = get(&path(&file)).bearer(&token);
            if let Some(range) = range {
                call = call.header("range", range);
            }
            let response = app.send(call).await;
            assert_eq!(response.status.as_u16(), 500, "{damage_name} {range:?}: {response}");
            let problem = response.expect_problem(500, "integrity_error");
            assert!(!problem.to_string().contains(&key), "{problem}");
            let mut causes = app.log.with("error_code", "integrity_error");
            causes.retain(|line| line["action"].is_null());
            assert!(causes.len() == 1 && causes[0]["cause"].as_str().unwrap().contains(&key), "{causes:?}");
        }
    }
}

#[tokio::test]
async fn a_failed_read_of_the_second_range_breaks_the_transfer() {
    let (app, token, file) = with_a_file().await;
    let call = get(&path(&file)).bearer(&token).header("range", "bytes=0-0,4-4");
    app.faults.inject(Fault::Failed, On::objects().method("get"), 2);
    let response = app.send(call).await;
    assert!(response.status == 206 && response.broken, "{response}");
}

#[tokio::test]
async fn a_download_is_recorded_through_the_queue_after_its_last_byte() {
    let (app, token, file) = with_a_file().await;
    let rows = app.database.row_counts();
    let (_, body) = app.respond(get(&path(&file)).bearer(&token)).await;
    let cutty::body::outgoing::ResponseBody::Native(native) = body else {
        panic!("the response has no native body")
    };
    assert!(app.queue.waiting().is_empty() && app.log.with("action", "download").is_empty());
    app.advance(TimeDelta::milliseconds(250));
    (native.on_transfer_end)(true).await;
    assert_eq!(app.queue.waiting().len(), 1);
    assert_eq!(app.database.row_counts(), rows, "a download must write nothing to the database");
    let line = app.log.with("action", "download").swap_remove(0);
    assert_eq!((&line["success"], &line["duration_ms"]), (&json!(true), &json!(250)));

    assert_eq!(app.deliver_twice().await, 0);
    let seen = app.send(get(&format!("{}/metadata", path(&file))).bearer(&token)).await.expect(200).json();
    assert_eq!(seen["file"]["accessCount"], 1, "a message that is delivered twice must be counted once");
    assert_eq!(seen["file"]["lastAccessed"], "2026-01-02T03:04:05.928Z");
    let logged = "SELECT bytes_transferred FROM file_access_logs WHERE action = 'download'";
    assert_eq!(app.database.rows(logged).len(), 1);
    assert_eq!(app.database.value(logged), 10);
}

#[tokio::test]
async fn a_broken_download_is_recorded_as_failed_and_is_not_counted() {
    let (app, token, file) = with_a_file().await;
    app.disconnect_after(get(&path(&file)).bearer(&token), 0).await;
    app.objects.break_reads(&app.objects.keys()[0], 4);
    let response = app.send(get(&path(&file)).bearer(&token)).await;
    assert!(response.broken && response.body == b"0123", "{response}");
    assert_eq!(app.deliver().await, 0);
    let seen = app.send(get(&format!("{}/metadata", path(&file))).bearer(&token)).await.expect(200).json();
    assert_eq!(seen["file"]["accessCount"], 0);
    let failed = "SELECT count(*) AS n FROM file_access_logs WHERE action = 'download' AND success = 0";
    assert_eq!(app.database.value(failed), 2);
}

#[tokio::test]
async fn a_download_succeeds_without_an_audit_row_if_the_queue_fails() {
    let (app, token, file) = with_a_file().await;
    app.faults.always(Fault::Failed, On::queue());
    assert_eq!(app.send(get(&path(&file)).bearer(&token)).await.expect(200).body, BYTES);
    assert_eq!(app.log.with("level", "error").len(), 1);
}

#[tokio::test]
async fn a_download_never_writes_to_the_database() {
    let (app, token, file) = with_a_file().await;
    for call in [get(&path(&file)), get(&path(&file)).header("range", "bytes=0-1,3-4"), head(&path(&file))] {
        app.send(call.bearer(&token)).await;
    }
    for write in ["INSERT", "UPDATE", "DELETE"] {
        assert_eq!(app.faults.count(&On::database().about(write)), 0, "{write}");
    }
}

#[tokio::test]
async fn an_expired_or_trashed_file_cannot_be_downloaded() {
    let (app, token, file) = with_a_file().await;
    let body = json!({"expiresAt": "2026-01-03T00:00:00Z"});
    let patch = crate::support::client::patch_json(&path(&file), &body);
    app.send(patch.bearer(&token)).await.expect(200);
    app.advance(TimeDelta::days(1));
    app.send(get(&path(&file)).bearer(&token)).await.expect_problem(404, "not_found");
    let trashed = app.upload(&token, "b.csv", BYTES).await;
    app.send(crate::support::client::delete(&path(&trashed)).bearer(&token)).await.expect(200);
    app.send(get(&path(&trashed)).bearer(&token)).await.expect_problem(404, "not_found");
    app.send(head(&path(&trashed)).bearer(&token)).await.expect(404);
}
