//! The service refuses headers, query parameters and JSON members that it cannot use. It does not silently ignore them.

use cutty::error::Code;
use cutty::http::text;
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::files::assert_refused;
use crate::support::client::{Call, Form, delete, get, patch_json, post, post_json, upload};
use crate::support::contract::{Operation, operations};
use crate::support::hashing::sha256;
use crate::support::parts::{complete, create as create_in_parts, part};
use crate::support::tus::{create as create_upload, create_with, metadata_typed, patch, sha256_of};
use crate::support::uploader::{Uploader, csv};
use crate::support::{TestApp, TestBody};

const CSV: &str = "a,b\n1,2\n";

/// Sets a header to these bytes. The bytes may be invalid UTF-8.
fn raw(mut call: Call, name: &'static str, value: &[u8]) -> Call {
    let value = HeaderValue::from_bytes(value).unwrap();
    call.request.headers_mut().insert(HeaderName::from_static(name), value);
    call
}

fn detail_of(problem: &Value) -> &str {
    problem["detail"].as_str().unwrap()
}

#[tokio::test]
async fn tags_and_metadata_are_read_as_utf8() {
    let app = TestApp::new();
    let token = app.user("ada");
    let call = upload("a.csv", CSV)
        .header("x-file-tags", "köln,b")
        .header("x-file-metadata", r#"{"city":"Köln"}"#)
        .bearer(&token);
    let file = app.send(call).await.expect(201).json()["file"].clone();
    assert_eq!(file["metadata"], json!({"city": "Köln"}));
    assert_eq!(file["userTags"], json!(["b", "köln"]));
}

#[tokio::test]
async fn an_unreadable_header_is_refused_and_the_problem_names_the_header() {
    let cases: [(&str, &[u8], u16, &str); 16] = [
        ("x-file-name", b"\xff.csv", 400, "bad_request"),
        // The platform replaces bytes that are not UTF-8 with this character.
        ("x-file-name", "\u{fffd}.csv".as_bytes(), 400, "bad_request"),
        ("x-file-tags", "k\u{fffd}ln".as_bytes(), 400, "bad_request"),
        ("repr-digest", b"zzz", 400, "bad_request"),
        ("repr-digest", b"sha-512=:AAAA:", 400, "bad_request"),
        ("x-file-tags", b"k\xf6ln", 400, "bad_request"),
        ("x-file-metadata", b"{\"city\":\"K\xf6ln\"}", 400, "bad_request"),
        ("x-file-expires", "é".as_bytes(), 400, "bad_metadata"),
        ("x-file-expires", b"\xe9", 400, "bad_request"),
        (
            "repr-digest",
            "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:;é".as_bytes(),
            400,
            "bad_request",
        ),
        ("repr-digest", b"sha-256=:AA==:;\xe9", 400, "bad_request"),
        ("content-digest", "é".as_bytes(), 400, "bad_request"),
        ("content-type", "text/csv; é".as_bytes(), 415, "unsupported_type"),
        ("content-type", b"image/png; \xe9", 400, "bad_request"),
        ("content-type", b"multipart/form-data; boundary=\xe9", 400, "bad_request"),
        ("content-length", b"\xe9", 400, "bad_request"),
    ];
    for (name, value, status, code) in cases {
        let case = format!("{name}: {}", String::from_utf8_lossy(value));
        let problem = assert_refused(&case, raw(upload("a.csv", CSV), name, value), status, code).await;
        let unreadable = std::str::from_utf8(value).map_or(true, |text| text.contains('\u{fffd}'));
        if code == "bad_request" && unreadable {
            assert!(detail_of(&problem).to_lowercase().contains(name), "{problem}");
        }
    }
}

#[tokio::test]
async fn an_unreadable_tus_header_is_refused() {
    let bytes = csv(10);
    let scene = Uploader::alone();
    let cases: [(&str, &[u8]); 6] = [
        ("upload-checksum", "sha1 é".as_bytes()),
        ("upload-checksum", b"sha1 \xe9"),
        ("upload-metadata", "filename YS5jc3Y=,note é".as_bytes()),
        ("upload-metadata", "filename YS5jc3Y=,é YQ==".as_bytes()),
        ("upload-metadata", b"filename YS5jc3Y=,note \xe9"),
        ("upload-length", "é".as_bytes()),
    ];
    for (name, value) in cases {
        let response = scene.send(raw(create_with(10, &bytes), name, value)).await;
        let problem = response.expect_problem(400, "bad_request");
        assert!(detail_of(&problem).to_lowercase().contains(name), "{problem}");
    }
    scene.assert_nothing_is_left("creations").await;
    let path = scene.begin(10).await;
    for (name, value) in [("upload-checksum", "sha1 é"), ("upload-offset", "é"), ("upload-length", "é")] {
        let call = patch(&path, 0).bytes(bytes.clone());
        scene.send(raw(call, name, value.as_bytes())).await.expect_problem(400, "bad_request");
    }
    assert_eq!(scene.offset(&path).await, 0);
}

#[tokio::test]
async fn an_upload_with_a_content_coding_is_refused_and_stores_nothing() {
    for coding in ["gzip", "identity, br", "x", "é"] {
        let call = upload("a.csv", CSV).header("content-encoding", coding);
        let problem = assert_refused(coding, call, 415, "unsupported_type").await;
        assert!(detail_of(&problem).contains("Content-Encoding"), "{problem}");
    }
    let bytes = csv(10);
    let scene = Uploader::alone();
    let coded = |call: Call| call.header("content-encoding", "gzip");
    scene.send(coded(create_with(10, &bytes))).await.expect_problem(415, "unsupported_type");
    scene.assert_nothing_is_left("a creation").await;
    let path = scene.begin(10).await;
    scene.send(coded(patch(&path, 0).bytes(bytes.clone()))).await.expect_problem(415, "unsupported_type");
    assert_eq!(scene.offset(&path).await, 0);
    let parts = scene.send(create_in_parts(10)).await.expect(201).header("location").to_owned();
    scene.send(coded(part(&parts, 1, &bytes))).await.expect_problem(415, "unsupported_type");
    assert_eq!(scene.send(get(&parts)).await.expect(200).json()["partsUploaded"], 0);
    let plain = patch(&path, 0).bytes(bytes.clone()).header("content-encoding", "Identity");
    scene.send(plain).await.expect(204);
}

#[tokio::test]
async fn a_json_body_with_a_content_coding_is_refused_and_changes_nothing() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let before = app.database.row_counts();
    let calls = || {
        [
            patch_json(&path, &json!({"filename": "b.csv"})),
            post_json(&format!("{path}/cut"), &json!({})),
            post_json(&format!("{path}/save"), &json!({})),
            post_json("/api/files/multipart", &json!({"filename": "b.csv", "size": 10})),
            post_json("/api/auth/register", &json!({"username": "eve", "password": "correct horse battery"})),
        ]
    };
    for coding in ["gzip", "identity, br", "x"] {
        for call in calls() {
            let response = app.send(call.header("content-encoding", coding).bearer(&token)).await;
            let problem = response.expect_problem(415, "unsupported_type");
            assert!(detail_of(&problem).contains("Content-Encoding"), "{problem}");
        }
    }
    assert_eq!(app.database.row_counts(), before);
    for call in calls() {
        let response = app.send(call.header("content-encoding", "identity").bearer(&token)).await;
        assert!(response.status.is_success(), "{response}");
    }
}

#[tokio::test]
async fn a_path_that_is_not_utf8_is_not_found() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.send(get("/api/cuts/%FF").bearer(&token)).await.expect_problem(404, "not_found");
    app.database.execute("UPDATE users SET role = 'admin'");
    let resolve = post("/api/admin/findings/%FF/resolve").bearer(&token);
    app.send(resolve).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn the_problem_for_a_wrong_json_type_contains_no_internal_names() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let changed = |body: Value| Call::new(Method::PATCH, &path).json(&body);
    let calls = [
        post_json("/api/auth/register", &json!(["dora2", "dora2@example.com", "pw", "pw"])),
        post_json("/api/auth/login", &json!(["dora2", "pw"])),
        post_json("/api/files/multipart", &json!(["a.csv", 10])),
        post_json("/api/files/multipart", &json!({"filename": "a.csv", "size": -1})),
        changed(json!(["b.csv"])),
        changed(json!("b.csv")),
        changed(json!(7)),
        changed(json!({"filename": ["b.csv"], "tags": 1})),
    ];
    for call in calls {
        let problem = app.send(call.bearer(&token)).await.expect_problem(400, Code::BadRequest.name());
        let detail = detail_of(&problem);
        for internal_name in ["struct", "Body", "Request", "u64", "elements", "sequence", " map"] {
            assert!(!detail.contains(internal_name), "{detail}");
        }
    }
    assert_eq!(app.database.row_counts()["users"], 1);
}

#[tokio::test]
async fn problem_details_are_whole_sentences() {
    let scene = Uploader::alone();
    let path = scene.begin_by(create_in_parts(10)).await;
    let cases = [
        (
            get(&format!("{path}/parts?after=-1")),
            "After must be a whole number from 0 to 18446744073709551615.",
        ),
        (
            get(&format!("{path}/parts?limit=1&limit=2")),
            "The query cannot be read: duplicate field `limit`. Send each parameter once.",
        ),
        (part(&path, 2, b"a"), "The upload has parts 1 to 1; there is no part 2."),
        (part(&path, 0, b"a"), "The upload has parts 1 to 1; there is no part 0."),
    ];
    for (call, wanted) in cases {
        let problem = scene.send(call).await.expect_problem(400, "bad_request");
        assert_eq!(detail_of(&problem), wanted);
    }
    for number in ["-1", "x", "99999999999999999999999"] {
        let call = Call::new(Method::PUT, &format!("{path}/parts/{number}")).bytes("a");
        let problem = scene.send(call).await.expect_problem(400, "bad_request");
        let wanted = format!("There is no part {number:?}. Part numbers are whole numbers from 1 to 10000.");
        assert_eq!(detail_of(&problem), wanted);
    }
    let file = scene.app.upload(&scene.app.token_of("ada"), "a.csv", CSV).await;
    let cut = get(&format!("/api/files/{}/cut?columns=%22id", file["id"].as_str().unwrap()));
    let problem = scene.send(cut).await.expect_problem(400, "bad_request");
    assert!(detail_of(&problem).ends_with("at character 0. This quote is never closed."), "{problem}");
}

#[tokio::test]
async fn a_deletion_is_permanent_only_if_the_parameter_permanent_is_true() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    for query in ["permanent", "permanent=", "permanent=1", "permanent=0", "permanent=TRUE", "permanent=yes"]
    {
        let call = delete(&format!("{path}?{query}")).bearer(&token);
        app.send(call).await.expect_problem(400, "bad_request");
    }
    app.send(get(&path).bearer(&token)).await.expect(200);
    app.send(delete(&format!("{path}?permanent=false")).bearer(&token)).await.expect(200);
    app.send(get(&format!("{path}/metadata")).bearer(&token)).await.expect(200);
}

/// Returns the `Repr-Digest` of these bytes (RFC 9530).
fn digest_of(bytes: &[u8]) -> String {
    use base64::Engine;
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(sha256(bytes)))
}

#[tokio::test]
async fn a_digest_of_a_tus_chunk_is_checked() {
    let bytes = csv(200);
    for name in ["repr-digest", "content-digest"] {
        let scene = Uploader::alone();
        let wrong = create_with(200, &bytes).header(name, digest_of(b"other"));
        scene.send(wrong).await.expect_problem(422, "digest_mismatch");
        let part = create_with(200, &bytes[..90]).header(name, digest_of(b"other"));
        scene.send(part).await.expect_problem(422, "digest_mismatch");
        let none = create_upload(200).header(name, digest_of(&bytes));
        scene.send(none).await.expect_problem(400, "bad_request");
        let other = create_with(200, &bytes).header(name, "sha-512=:AAAA:");
        scene.send(other).await.expect_problem(400, "bad_request");
        scene.assert_nothing_is_left(name).await;

        let first = create_with(200, &bytes[..90]).header(name, digest_of(&bytes[..90]));
        let path = scene.begin_by(first.header("upload-checksum", sha256_of(&bytes[..90]))).await;
        assert_eq!(scene.offset(&path).await, 90);
        let rest = || patch(&path, 90).bytes(bytes[90..].to_vec());
        let wrong = rest().header(name, digest_of(&bytes)).header("upload-checksum", sha256_of(&bytes[90..]));
        scene.send(wrong).await.expect_problem(422, "digest_mismatch");
        let wrong = rest().header(name, digest_of(&bytes[90..])).header("upload-checksum", sha256_of(b"x"));
        scene.send(wrong).await.expect_problem(460, "checksum_mismatch");
        assert_eq!(scene.offset(&path).await, 90);
        scene.send(rest().header(name, digest_of(&bytes[90..]))).await.expect(204);
        scene.assert_only_file_is(&bytes).await;
    }
}

#[tokio::test]
async fn a_cut_that_is_not_saved_refuses_tags_and_metadata() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    for route in ["cut", "process"] {
        let cut = |body: Value| post_json(&format!("{path}/{route}"), &body).bearer(&token);
        for body in [json!({"tags": ["q"]}), json!({"metadata": {"a": 1}}), json!({"tags": []})] {
            let problem = app.send(cut(body)).await.expect_problem(400, "bad_request");
            assert!(detail_of(&problem).contains("/save"), "{problem}");
        }
        app.send(cut(json!({"filename": "a/b.csv"}))).await.expect_problem(422, "bad_name");
        let named = app.send(cut(json!({"filename": "mine.txt"}))).await.expect(200);
        assert!(named.header("content-disposition").contains("filename=\"mine.txt\""), "{named}");
    }
}

#[tokio::test]
async fn every_json_route_refuses_unknown_members() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.database.execute("UPDATE users SET role = 'admin'");
    let file = app.upload(&token, "a.csv", CSV).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let begun = app.send(create_in_parts(10).bearer(&token)).await.expect(201).header("location").to_owned();
    let password = "correct horse battery";
    let calls = [
        post_json("/api/auth/register", &json!({"username": "eve", "password": password, "role": "admin"})),
        post_json("/api/auth/login", &json!({"username": "eve", "password": password, "zzz": 1})),
        post_json("/api/auth/refresh", &json!({"refresh_token": "x", "zzz": 1})),
        post_json("/api/auth/logout", &json!({"refresh_token": "x", "zzz": 1})),
        post_json("/api/files/multipart", &json!({"filename": "b.csv", "size": 10, "zzz": 1})),
        post_json(&format!("{begun}/complete"), &json!({"parts": [], "zzz": 1})),
        post_json(
            &format!("{begun}/complete"),
            &json!({"parts": [{"partNumber": 1, "etag": "x", "zzz": 1}]}),
        ),
        post_json("/api/admin/fsck", &json!({"deep": false, "zzz": 1})),
        Call::new(Method::PATCH, &path).json(&json!({"zzz": 1})),
    ];
    for call in calls {
        let problem = app.send(call.bearer(&token)).await.expect_problem(400, "bad_request");
        let names_the_member = ["zzz", "role"].iter().any(|name| detail_of(&problem).contains(name));
        assert!(names_the_member, "{problem}");
    }
    assert_eq!(app.database.row_counts()["users"], 1);
}

#[tokio::test]
async fn unknown_and_repeated_form_fields_are_refused() {
    let file = || Form::default().file("a.csv", CSV.as_bytes());
    let cases = [
        ("an unknown field before the file", Form::default().field("zzz", "1").file("a.csv", CSV.as_bytes())),
        ("an unknown field after the file", file().field("zzz", "1")),
        ("tags twice", Form::default().field("tags", "a").file("a.csv", CSV.as_bytes()).field("tags", "b")),
        ("metadata twice", file().field("metadata", "{}").field("metadata", "{}")),
        ("an empty field twice", file().field("tags", "").field("tags", "")),
    ];
    for (case, form) in cases {
        assert_refused(case, form.post(), 400, "bad_request").await;
    }
    for name in ["expiresAt", "metadata"] {
        let header = if name == "metadata" { "x-file-metadata" } else { "x-file-expires" };
        let by_header = raw(upload("a.csv", CSV), header, b"");
        let problem = assert_refused(header, by_header, 400, "bad_metadata").await;
        let by_field = assert_refused(name, file().field(name, "").post(), 400, "bad_metadata").await;
        assert_eq!(by_field["detail"], problem["detail"]);
    }
}

#[tokio::test]
async fn the_problem_for_a_large_file_names_the_routes_for_large_files() {
    let too_large = upload("a.csv", "x").without("content-length").header("content-length", 1025);
    let problem = assert_refused("a body", too_large, 413, "too_large").await;
    assert!(detail_of(&problem).contains("/api/uploads"), "{problem}");
    assert!(detail_of(&problem).contains("/api/files/multipart"), "{problem}");
    let form = Form::default().file("a.csv", &[b'x'; 70_000]).post();
    let problem = assert_refused("a form", form, 413, "too_large").await;
    assert!(detail_of(&problem).contains("/api/uploads"), "{problem}");
}

#[tokio::test]
async fn storage_health_reports_whether_the_store_works() {
    let app = TestApp::new();
    let healthy = app.send(get("/health/storage")).await.expect(200).json();
    let report = |success: bool, status: &str| {
        json!({
            "success": success, "status": status, "storage": status, "timestamp": app.now().to_string(),
            "services": {"r2": {"status": status}, "redis": {"status": "disabled"}}, "overall": status,
        })
    };
    assert_eq!(healthy, report(true, "healthy"));
    app.faults.inject(crate::support::Fault::Failed, crate::support::On::objects(), 1);
    let down = app.send(get("/health/storage")).await.expect(503).json();
    assert_eq!(down, report(false, "unhealthy"));
}

/// Returns a request for an operation, with the body and the headers that the operation requires.
fn call_of(operation: &Operation, id: &str, query: &str) -> Call {
    let call = Call::new(operation.method.clone(), &format!("{}{query}", operation.path(id)));
    let call = if operation.takes_json() { call.json(&json!({})) } else { call };
    call.header("tus-resumable", "1.0.0")
}

#[tokio::test]
async fn every_operation_refuses_headers_and_queries_that_cannot_be_read_and_changes_nothing() {
    let app = TestApp::new();
    let token = app.user("ada");
    let id = app.upload(&token, "a.csv", CSV).await["id"].as_str().unwrap().to_owned();
    let before = app.database.row_counts();
    let unreadable: [(&str, &[u8]); 11] = [
        ("if-match", "\"r1\"\u{fffd}".as_bytes()),
        ("if-match", b"\"r1\"\xe9"),
        ("if-match", b"r1"),
        ("if-match", b"\"r1\" \"r2\""),
        ("if-match", b""),
        ("if-none-match", b"*, \"a\""),
        ("if-none-match", b"w/\"a\""),
        ("if-unmodified-since", b"\xff"),
        ("range", "bytes=0-\u{fffd}".as_bytes()),
        ("idempotency-key", "a\u{fffd}".as_bytes()),
        ("content-encoding", "gzip\u{fffd}".as_bytes()),
    ];
    let queries = ["?name__eq=caf%E9", "?caf%E9=1", "?limit=1&q=%ff", "?a=%C3&b=%A9"];
    app.faults.forget_calls();
    for operation in operations() {
        let name_of = format!("{} {}", operation.method, operation.template);
        for (name, value) in unreadable {
            let call = raw(call_of(&operation, &id, ""), name, value).bearer(&token);
            let response = app.send(call).await;
            assert_eq!(response.status, 400, "{name_of}, {name}: {response}");
            if operation.method != Method::HEAD {
                let problem = response.expect_problem(400, "bad_request");
                assert_eq!(problem["header"], name, "{name_of}");
                assert!(detail_of(&problem).contains(name), "{problem}");
            }
        }
        for query in queries {
            let response = app.send(call_of(&operation, &id, query).bearer(&token)).await;
            assert_eq!(response.status, 400, "{name_of}{query}: {response}");
            if operation.method != Method::HEAD {
                let problem = response.expect_problem(400, "bad_request");
                assert!(detail_of(&problem).contains("UTF-8"), "{problem}");
                assert!(query.contains(problem["parameter"].as_str().unwrap()), "{problem}");
            }
        }
    }
    assert!(app.faults.calls().is_empty(), "a refused request called a store");
    assert_eq!(app.database.row_counts(), before);
    app.send(get(&format!("/api/files/{id}")).bearer(&token)).await.expect(200);
}

#[tokio::test]
async fn a_deletion_with_an_unreadable_if_match_deletes_nothing() {
    let app = TestApp::new();
    let token = app.user("ada");
    let id = app.upload(&token, "a.csv", CSV).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/files/{id}");
    for query in ["", "?permanent=true"] {
        let values = (0u8..=0x1f).chain([0x7f]).filter(|&byte| byte != b'\t').map(|byte| byte as char);
        for character in values {
            let value = text::header_value(&format!("\"r1\"{character}"));
            let call = raw(delete(&format!("{path}{query}")), "if-match", value.as_bytes()).bearer(&token);
            let problem = app.send(call).await.expect_problem(400, "bad_request");
            assert_eq!(problem["header"], "if-match", "{character:?}");
        }
    }
    app.send(get(&path).bearer(&token)).await.expect(200);
}

#[tokio::test]
async fn headers_that_only_describe_the_sender_may_have_any_encoding() {
    let app = TestApp::new();
    for name in ["user-agent", "referer", "cookie"] {
        app.send(raw(get("/health"), name, b"K\xf6ln")).await.expect(200);
    }
}

#[tokio::test]
async fn a_form_part_with_unreadable_headers_is_refused_and_nothing_is_stored() {
    let part = |disposition: &[u8], content_type: &[u8]| {
        let boundary = b"----form-of-a-test";
        let body = [
            b"--",
            &boundary[..],
            b"\r\nContent-Disposition: ",
            disposition,
            b"\r\nContent-Type: ",
            content_type,
            b"\r\n\r\na,b\n1,2\n\r\n--",
            boundary,
            b"--\r\n",
        ];
        Form::call(TestBody::empty()).bytes(body.concat())
    };
    let cases: [(&str, &[u8], &[u8]); 6] = [
        ("a filename", b"form-data; name=\"file\"; filename=\"caf\xe9.csv\"", b"text/csv"),
        ("a name", b"form-data; name=\"fil\xe9\"; filename=\"a.csv\"", b"text/csv"),
        ("filename*", b"form-data; name=\"file\"; filename*=UTF-8''caf%E9.csv", b"text/csv"),
        ("another parameter", b"form-data; name=\"file\"; filename=\"a.csv\"; x=\"\xe9\"", b"text/csv"),
        ("two filenames", b"form-data; name=\"file\"; filename=\"a.csv\"; filename=\"b.csv\"", b"text/csv"),
        ("a media type", b"form-data; name=\"file\"; filename=\"a.csv\"", b"text/csv; charset=\"\xe9\""),
    ];
    for (case, disposition, content_type) in cases {
        assert_refused(case, part(disposition, content_type), 400, "bad_request").await;
    }
}

#[tokio::test]
async fn every_json_route_refuses_a_repeated_member() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.database.execute("UPDATE users SET role = 'admin'");
    let id = app.upload(&token, "a.csv", CSV).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/files/{id}");
    let begun = app.send(create_in_parts(10).bearer(&token)).await.expect(201).header("location").to_owned();
    let before = app.database.row_counts();
    let cases = [
        (Method::PATCH, path.clone(), r#"{"filename": "b.csv", "filename": "c.csv"}"#),
        (Method::PATCH, path.clone(), r#"{"tags": ["b"], "userTags": ["c"]}"#),
        (Method::PATCH, path.clone(), r#"{"metadata": {"a": 1, "a": 2}}"#),
        (Method::PATCH, path.clone(), r#"{"metadata": {"a": 1, "\u0061": 2}}"#),
        (Method::POST, format!("{path}/cut"), r#"{"whereFilters": {"a": "1", "a": "2"}}"#),
        (Method::POST, format!("{path}/cut"), r#"{"limit": 1, "limit": 2}"#),
        (
            Method::POST,
            format!("{path}/process"),
            r#"{"filter": {"and": [{"column": "a", "op": "eq", "value": "1", "value": "2"}]}}"#,
        ),
        (Method::POST, format!("{path}/save"), r#"{"metadata": {"a": 1, "a": 1}}"#),
        (Method::POST, format!("{path}/save"), r#"{"filter": {"not": {"or": []}, "not": {"and": []}}}"#),
        (
            Method::POST,
            "/api/files/multipart".to_owned(),
            r#"{"filename": "b.csv", "size": 1, "metadata": {"k": 1, "k": 2}}"#,
        ),
        (
            Method::POST,
            format!("{begun}/complete"),
            r#"{"parts": [{"partNumber": 1, "etag": "x", "etag": "y"}]}"#,
        ),
        (Method::POST, "/api/admin/fsck".to_owned(), r#"{"deep": false, "deep": true}"#),
        (
            Method::POST,
            "/api/auth/register".to_owned(),
            r#"{"username": "eve", "username": "bob", "password": "correct horse battery"}"#,
        ),
        (
            Method::POST,
            "/api/auth/login".to_owned(),
            r#"{"username": "ada", "password": "x", "password": "y"}"#,
        ),
        (Method::POST, "/api/auth/refresh".to_owned(), r#"{"refresh_token": "x", "refresh_token": "y"}"#),
        (Method::POST, "/api/auth/logout".to_owned(), r#"{"refresh_token": "x", "refresh_token": "y"}"#),
    ];
    for (method, path, body) in cases {
        let call = Call::new(method, &path).header("content-type", "application/json").bytes(body);
        app.send(call.bearer(&token)).await.expect_problem(400, "bad_request");
    }
    for (name, value) in [("x-file-metadata", r#"{"a":1,"a":2}"#)] {
        let call = upload("b.csv", CSV).header(name, value).bearer(&token);
        app.send(call).await.expect_problem(400, "bad_metadata");
    }
    let form = Form::default().field("metadata", r#"{"a":1,"a":2}"#).file("b.csv", CSV.as_bytes());
    app.send(form.post().bearer(&token)).await.expect_problem(400, "bad_metadata");
    assert_eq!(app.database.row_counts(), before);
}

#[tokio::test]
async fn a_post_without_members_must_have_an_empty_body_or_an_empty_object() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.database.execute("UPDATE users SET role = 'admin'");
    let id = app.upload(&token, "a.csv", CSV).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/files/{id}");
    let finding = format!("/api/admin/findings/{}/resolve", uuid_of_nothing());
    let restore = format!("{path}/restore");
    let json = |path: &str, body: &'static str| {
        post(path).header("content-type", "application/json").bytes(body).bearer(&token)
    };
    for (route, accepted) in [
        (restore.as_str(), 200),
        ("/api/admin/sweeps?kind=empty_trash", 200),
        (finding.as_str(), 404),
        ("/api/admin/fsck", 200),
    ] {
        for keyed in [false, true] {
            let key = |call: Call, key: &str| if keyed { call.header("idempotency-key", key) } else { call };
            for (number, call) in [
                post(route).bearer(&token),
                post(route).bytes("").bearer(&token),
                json(route, ""),
                json(route, "{}"),
                json(route, " { } \n"),
            ]
            .into_iter()
            .enumerate()
            {
                app.send(delete(&path).bearer(&token)).await.expect(200);
                let response = app.send(key(call, &format!("{route}{number}"))).await;
                assert_eq!(response.status, accepted, "{route}: {response}");
            }
            app.send(delete(&path).bearer(&token)).await.expect(200);
            for body in [r#"{"zzz": 1}"#, "[]", "null", "x", "{} {}", "{"] {
                let call = key(json(route, body), &format!("{route}{body}").replace(' ', "_"));
                app.send(call).await.expect_problem(400, "bad_request");
            }
            // A refused request must not restore the file.
            app.send(get(&path).bearer(&token)).await.expect_problem(404, "not_found");
        }
    }
    app.send(post(&restore).bytes("{}").bearer(&token)).await.expect(200);
    let long = post(&restore).bytes(" ".repeat(2000)).bearer(&token);
    app.send(long).await.expect_problem(413, "too_large");
    let coded = post(&restore).header("content-encoding", "gzip").bytes("x").bearer(&token);
    app.send(coded).await.expect_problem(415, "unsupported_type");
}

fn uuid_of_nothing() -> &'static str {
    "018f0000-0000-7000-8000-00000000dead"
}

#[tokio::test]
async fn a_repeated_completion_of_an_upload_in_parts_may_have_an_empty_body() {
    let scene = Uploader::alone();
    let bytes = csv(10);
    let path = scene.begin_by(create_in_parts(10)).await;
    let stored = scene.send(part(&path, 1, &bytes)).await.expect(200).json()["part"].clone();
    scene.send(complete(&path, &[])).await.expect_problem(409, "conflict");
    scene.send(post(&format!("{path}/complete"))).await.expect_problem(409, "conflict");
    let first = scene.send(complete(&path, &[stored])).await.expect(201).json();
    for call in [post(&format!("{path}/complete")), post_json(&format!("{path}/complete"), &json!({}))] {
        assert_eq!(scene.send(call).await.expect(201).json()["file"]["id"], first["file"]["id"]);
    }
}

#[tokio::test]
async fn an_invalid_method_override_is_refused_and_creates_nothing() {
    let scene = Uploader::alone();
    for value in ["PAT CH", "", "(", "é"] {
        let call = raw(create_upload(10), "x-http-method-override", value.as_bytes());
        let problem = scene.send(call).await.expect_problem(400, "bad_request");
        assert!(detail_of(&problem).to_lowercase().contains("x-http-method-override"), "{problem}");
    }
    scene.assert_nothing_is_left("creations").await;
}

#[tokio::test]
async fn an_empty_digest_is_refused_and_the_problem_names_the_header() {
    for (name, value) in [("repr-digest", ""), ("content-digest", " "), ("digest", ","), ("digest", "")] {
        let problem =
            assert_refused(name, raw(upload("a.csv", CSV), name, value.as_bytes()), 400, "bad_request");
        let problem = problem.await;
        assert_eq!(problem["header"], name);
        assert!(detail_of(&problem).contains(name), "{problem}");
        let scene = Uploader::alone();
        let created = raw(create_with(10, &csv(5)), name, value.as_bytes());
        scene.send(created).await.expect_problem(400, "bad_request");
        let path = scene.begin(10).await;
        let chunk = raw(patch(&path, 0).bytes(csv(5)), name, value.as_bytes());
        scene.send(chunk).await.expect_problem(400, "bad_request");
        let path = scene.begin_by(create_in_parts(10)).await;
        let put = raw(part(&path, 1, &csv(10)), name, value.as_bytes());
        scene.send(put).await.expect_problem(400, "bad_request");
    }
}

#[tokio::test]
async fn a_header_that_cutty_does_not_know_although_it_describes_the_file_is_refused() {
    let cases = [
        ("x-file-encoding", "utf-8"),
        ("x-file-namee", "b.csv"),
        ("x-http-method-override", "PUT"),
        ("x-http-method-override", "POST"),
        ("trailer", "Server-Timing, Repr-Digest"),
        ("trailer", "upload-checksum"),
        ("trailer", "é,content-digest"),
    ];
    for (name, value) in cases {
        let call = upload("a.csv", CSV).header(name, value);
        let problem = assert_refused(name, call, 400, "bad_request").await;
        assert_eq!(problem["header"], name);
        if name.starts_with("x-file-") {
            assert!(detail_of(&problem).contains("X-File-Expires"), "{problem}");
        }
        let scene = Uploader::alone();
        if !name.starts_with("x-http-") {
            scene.send(create_upload(10).header(name, value)).await.expect_problem(400, "bad_request");
            scene.send(create_in_parts(10).header(name, value)).await.expect_problem(400, "bad_request");
        }
    }
    let app = TestApp::new();
    let token = app.user("ada");
    let call = upload("a.csv", CSV).header("x-file-id", "1").header("trailer", "Server-Timing");
    app.send(call.bearer(&token)).await.expect(201);
    let form = Form::default().part("name=\"file\"; filename=\"a.csv\"", "X-File-Encoding: x\r\n", b"a\n");
    assert_refused("a part", form.post(), 400, "bad_request").await;
}

#[tokio::test]
async fn a_declared_type_is_refused_at_the_creation_of_an_upload() {
    let types = ["text/html", "garbage", "text/csv; charset=nope", "text/csv; header=maybe"];
    for declared in types {
        let call = upload("a.csv", CSV).without("content-type").header("content-type", declared);
        let problem = assert_refused(declared, call, 415, "unsupported_type").await;
        let scene = Uploader::alone();
        let metadata = metadata_typed(declared);
        let call = create_upload(10).without("upload-metadata").header("upload-metadata", metadata);
        let by_tus = scene.send(call).await.expect_problem(415, "unsupported_type");
        let body = json!({"filename": "a.csv", "size": 10, "contentType": declared});
        let in_parts = scene.send(post_json("/api/files/multipart", &body)).await;
        let in_parts = in_parts.expect_problem(415, "unsupported_type");
        assert_eq!([detail_of(&by_tus), detail_of(&in_parts)], [detail_of(&problem); 2], "{declared}");
        scene.assert_nothing_is_left(declared).await;
    }
}

#[tokio::test]
async fn empty_tags_and_unknown_options_are_refused() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", CSV).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    for tags in [json!([""]), json!(["a", " "])] {
        let calls = [
            patch_json(&path, &json!({"tags": tags})),
            post_json(&format!("{path}/save"), &json!({"tags": tags})),
            post_json("/api/files/multipart", &json!({"filename": "a.csv", "size": 10, "tags": tags})),
        ];
        for call in calls {
            let problem = app.send(call.bearer(&token)).await.expect_problem(400, "bad_metadata");
            assert!(detail_of(&problem).contains("empty"), "{problem}");
        }
    }
    for option in ["nope", "limit"] {
        let call = patch_json(&path, &json!({"dialect": {option: null}}));
        let problem = app.send(call.bearer(&token)).await.expect(400).json();
        assert!(detail_of(&problem).contains(option), "{problem}");
    }
    app.send(patch_json(&path, &json!({"dialect": {"quote": null}})).bearer(&token)).await.expect(200);
    app.send(upload("b.csv", CSV).header("x-file-tags", "a,,b").bearer(&token)).await.expect(201);
}

#[tokio::test]
async fn a_cut_with_a_malformed_accept_encoding_is_refused() {
    let app = TestApp::new();
    let token = app.user("ada");
    let id = app.upload(&token, "a.csv", CSV).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/files/{id}/cut");
    let before = app.database.row_counts();
    for value in ["gzip;q=x", "gzip br", "gzip;q=2"] {
        for call in [get(&path), post_json(&path, &json!({}))] {
            let response = app.send(call.header("accept-encoding", value).bearer(&token)).await;
            let problem = response.expect_problem(400, "bad_request");
            assert!(detail_of(&problem).contains("Accept-Encoding"), "{problem}");
        }
    }
    assert_eq!(app.database.row_counts(), before);
}

/// Returns the number of calls of `put_bytes` and the number of calls of `delete`.
fn writes(app: &TestApp) -> (usize, usize) {
    use crate::support::On;
    (app.faults.count(&On::objects().method("put_bytes")), app.faults.count(&On::objects().method("delete")))
}

#[tokio::test]
async fn the_readiness_check_fails_if_the_store_cannot_be_written() {
    use crate::support::{Fault, On};
    for broken in ["put_bytes", "delete"] {
        let app = TestApp::new();
        app.faults.always(Fault::Failed, On::objects().method(broken));
        for _ in 0..2 {
            let down = app.send(get("/health/ready")).await.expect(503).json();
            let wanted = json!({"success": false, "status": "degraded", "database": "healthy", "storage": "unhealthy"});
            assert_eq!(down, wanted, "{broken}");
        }
        assert_eq!(app.log.with("message", "the object store cannot be written").len(), 2);
        assert_eq!(writes(&app).0, 1, "a failed check must not be repeated within 30 s");
        app.faults.clear();
        app.advance(chrono::TimeDelta::seconds(30));
        app.send(get("/health/ready")).await.expect(200);
    }
}

#[tokio::test]
async fn the_readiness_check_writes_and_deletes_one_object_per_30_seconds() {
    let app = TestApp::new();
    for wanted in 1..=3 {
        for seconds in [0, 29] {
            app.advance(chrono::TimeDelta::seconds(seconds));
            app.send(get("/health/ready")).await.expect(200);
            app.send(get("/health/storage")).await.expect(200);
        }
        assert_eq!(writes(&app), (wanted, wanted));
        app.advance(chrono::TimeDelta::seconds(1));
    }
    assert!(app.objects.keys().is_empty(), "{:?}", app.objects.keys());
}

#[tokio::test]
async fn concurrent_readiness_checks_write_one_object() {
    let app = TestApp::new();
    app.faults.set_yield_before_calls(true);
    let check = || app.send(get("/health/ready"));
    let (one, two, three) = tokio::join!(check(), check(), check());
    for response in [one, two, three] {
        response.expect(200);
    }
    assert_eq!(writes(&app), (1, 1));
}
