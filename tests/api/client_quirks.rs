//! Requests in the forms that common clients use: without a `Content-Length`, with the older header `Digest`, with a
//! media type other than `text/csv`, or with the method `PUT`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::json;

use super::files::assert_refused;
use super::form::long_csv;
use crate::support::client::{Call, delete, get, head, patch_json, post, post_json, upload};
use crate::support::hashing::{sha256, sha256_hex};
use crate::support::parts::{create as create_in_parts, part};
use crate::support::tus::{create, create_with, patch, tus};
use crate::support::uploader::{Uploader, csv};
use crate::support::{On, TestApp, TestBody};

const CSV: &str = "a,b\n1,2\n";

#[tokio::test]
async fn a_body_without_a_length_is_stored_in_parts_of_5_mib() {
    const MIB: usize = 1 << 20;
    for (size, parts) in [(8, 0), (MIB, 0), (5 * MIB, 0), (5 * MIB + 1, 2), (12 * MIB, 3)] {
        let app = TestApp::new();
        let token = app.user("ada");
        let bytes = long_csv(size);
        let digest = format!("sha-256=:{}:", STANDARD.encode(sha256(&bytes)));
        let call = upload("a.csv", bytes.clone()).without("content-length").header("x-file-tags", "x");
        let file = app.send(call.header("repr-digest", digest).bearer(&token)).await.expect(201).json();
        let file = file["file"].clone();
        assert_eq!((&file["size"], &file["checksum"]), (&json!(size), &json!(sha256_hex(&bytes))));
        assert_eq!(file["userTags"], json!(["x"]));
        assert_eq!(app.faults.count(&On::objects().method("put_part_buffer")), parts, "{size}");
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        assert!(app.send(get(&path).bearer(&token)).await.expect(200).body == bytes, "{size}");
        app.assert_consistent();
    }
}

#[tokio::test]
async fn a_refused_body_without_a_length_leaves_no_file_and_no_object() {
    let unmeasured = |call: Call| call.without("content-length");
    let wrong = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    let cases = [
        ("over the quota", unmeasured(upload("a.csv", vec![b'x'; 201])), 507, "quota_exceeded"),
        ("over the limit", unmeasured(upload("a.csv", vec![b'x'; 1025])), 413, "too_large"),
        (
            "a wrong digest",
            unmeasured(upload("a.csv", CSV)).header("repr-digest", wrong),
            422,
            "digest_mismatch",
        ),
        ("an image", unmeasured(upload("a.csv", "\u{89}PNG\0")), 415, "unsupported_type"),
        ("no body", unmeasured(upload("a.csv", "")), 422, "empty_file"),
    ];
    for (case, call, status, code) in cases {
        assert_refused(case, call, status, code).await;
    }
    let app = TestApp::new();
    let token = app.user("ada");
    let bytes = long_csv(6 << 20);
    let broken = unmeasured(upload("a.csv", "")).stream(TestBody::broken(&bytes, (6 << 20) - 9));
    app.send(broken.bearer(&token)).await.expect_problem(400, "bad_request");
    assert_eq!((app.objects.keys(), app.objects.open_uploads()), (Vec::new(), Vec::new()));
    app.assert_consistent();
}

#[tokio::test]
async fn the_older_digest_header_is_checked() {
    let digest = |bytes: &[u8]| format!("md5=AAAA, SHA-256={}", STANDARD.encode(sha256(bytes)));
    let app = TestApp::new();
    let token = app.user("ada");
    let right = upload("a.csv", CSV).header("digest", digest(CSV.as_bytes()));
    app.send(right.bearer(&token)).await.expect(201);
    let wrong = upload("a.csv", CSV).header("digest", digest(b"other"));
    assert_refused("a wrong digest", wrong, 422, "digest_mismatch").await;
    let scene = Uploader::alone();
    let bytes = csv(10);
    let wrong = create_with(10, &bytes).header("digest", digest(b"other"));
    scene.send(wrong).await.expect_problem(422, "digest_mismatch");
    let parts = scene.begin_by(create_in_parts(10)).await;
    let wrong = part(&parts, 1, &bytes).header("digest", digest(b"other"));
    scene.send(wrong).await.expect_problem(422, "digest_mismatch");
    scene.send(part(&parts, 1, &bytes).header("digest", digest(&bytes))).await.expect(200);
}

#[tokio::test]
async fn each_route_refuses_the_file_headers_that_it_does_not_read() {
    let scene = Uploader::alone();
    let file = scene.app.upload(&scene.app.token_of("ada"), "a.csv", CSV).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let begun = scene.begin(10).await;
    let parts = scene.begin_by(create_in_parts(10)).await;
    let description =
        ["x-file-name", "x-file-tags", "x-file-metadata", "x-file-expires", "x-file-storage-class"];
    let digests = ["repr-digest", "content-digest", "digest"];
    let never = ["content-md5"];
    let checksum = ["upload-checksum"];
    type Make<'a> = Box<dyn Fn() -> Call + 'a>;
    let cases: Vec<(Make<'_>, Vec<&'static str>)> = vec![
        (Box::new(|| upload("b.csv", CSV)), [&never[..], &checksum].concat()),
        (Box::new(|| post("/api/files/upload").bytes(CSV)), [&never[..], &checksum].concat()),
        (Box::new(|| create(10)), [&description[..], &never, &digests, &checksum].concat()),
        (Box::new(|| create_with(10, &csv(10))), [&description[..], &never].concat()),
        (Box::new(|| patch(&begun, 0).bytes(csv(10))), [&description[..], &never].concat()),
        (Box::new(|| tus(head(&begun))), [&description[..], &never, &digests, &checksum].concat()),
        (Box::new(|| create_in_parts(10)), [&description[..], &never, &digests, &checksum].concat()),
        (Box::new(|| part(&parts, 1, &csv(10))), [&description[..], &never, &checksum].concat()),
        (
            Box::new(|| patch_json(&path, &json!({"tags": ["x"]}))),
            [&description[..], &never, &digests, &checksum].concat(),
        ),
        (
            Box::new(|| post_json(&format!("{path}/save"), &json!({}))),
            [&description[..], &never, &digests, &checksum].concat(),
        ),
        (Box::new(|| delete(&path)), [&description[..], &never, &digests, &checksum].concat()),
        (Box::new(|| get(&path)), [&description[..], &never, &digests, &checksum].concat()),
    ];
    let before = scene.app.database.row_counts();
    for (call, names) in cases {
        for name in names {
            let value = match name {
                "repr-digest" | "content-digest" => format!("sha-256=:{}:", STANDARD.encode(sha256(b"x"))),
                "digest" => format!("SHA-256={}", STANDARD.encode(sha256(b"x"))),
                "upload-checksum" => format!("sha256 {}", STANDARD.encode(sha256(b"x"))),
                "x-file-expires" => "2031-01-01T00:00:00Z".to_owned(),
                "x-file-metadata" => "{}".to_owned(),
                "x-file-storage-class" => "Standard".to_owned(),
                _ => "x.csv".to_owned(),
            };
            let call = call().without("x-file-name").header(name, value);
            let route = format!("{} {}", call.request.method(), call.request.uri());
            let response = scene.send(call).await;
            assert_eq!(response.status.as_u16(), 400, "{route} {name}: {response}");
            if response.has("content-type") && !route.starts_with("HEAD") {
                let detail = response.json()["detail"].as_str().unwrap().to_lowercase();
                assert!(detail.contains(name) || detail.contains("digest"), "{route}: {detail}");
            }
        }
    }
    assert_eq!(scene.app.database.row_counts(), before);
    scene.app.assert_consistent();
}

#[tokio::test]
async fn media_types_that_clients_send_for_csv_are_stored_as_text_csv() {
    let app = TestApp::new();
    let token = app.user("ada");
    for declared in [
        "text/comma-separated-values",
        "text/x-comma-separated-values",
        "text/x-csv",
        "application/x-csv",
        "application/octet-stream",
        "application/json",
        "*/*",
    ] {
        let call = post("/api/files").header("content-type", declared).bytes(CSV);
        let file = app.send(call.bearer(&token)).await.expect(201).json()["file"].clone();
        assert_eq!(file["contentType"], "text/csv", "{declared}");
    }
    let json_body = post("/api/files").json(&json!([{"a": 1}])).bearer(&token);
    app.send(json_body).await.expect_problem(415, "unsupported_type");
}

#[tokio::test]
async fn a_put_of_a_file_is_refused_and_the_problem_names_the_right_command() {
    let app = TestApp::new();
    let token = app.user("ada");
    for path in ["/api/files", "/api/files/late.csv", "/api/v1/files/late.csv", "/api/files/"] {
        let call = Call::new(Method::PUT, path).bytes(CSV).bearer(&token);
        let problem = app.send(call).await.expect_problem(405, "method_not_allowed");
        assert!(problem["detail"].as_str().unwrap().contains("curl -X POST -T"), "{path}: {problem}");
    }
    assert_eq!(app.database.row_counts()["files"], 0);
}

#[tokio::test]
async fn the_location_of_a_new_tus_upload_has_the_origin_of_the_request() {
    let scene = Uploader::alone();
    for origin in ["https://cutty.example", "http://127.0.0.1:8787"] {
        for key in [None, Some("k")] {
            let mut call = create(10);
            *call.request.uri_mut() = format!("{origin}/api/v1/uploads/").parse().unwrap();
            let call = key.into_iter().fold(call, |call, key| call.header("idempotency-key", key));
            let response = scene.send(call).await.expect(201);
            let path = response.header("location").strip_prefix(origin).unwrap();
            assert!(path.starts_with("/api/uploads/"), "{path}");
            scene.send(tus(head(path))).await.expect(200);
        }
    }
}

#[tokio::test]
async fn requests_that_read_no_body_refuse_one() {
    let app = TestApp::new();
    let token = app.user("ada");
    let path = format!("/api/files/{}", app.upload(&token, "a.csv", CSV).await["id"].as_str().unwrap());
    let bodies = [r#"{"permanent":true}"#, "x"];
    for call in [get, head, delete] {
        for body in bodies {
            let refused = app.send(call(&path).bytes(body).bearer(&token)).await;
            assert_eq!(refused.status, 400, "{body}");
        }
    }
    let chunked =
        |body| delete(&path).header("transfer-encoding", "chunked").stream(TestBody::from_bytes(body));
    app.send(chunked("x").bearer(&token)).await.expect_problem(400, "bad_request");
    assert_eq!(app.database.value("SELECT lifecycle_status FROM files"), "active");
    app.send(chunked("").bearer(&token)).await.expect(200);
}

#[tokio::test]
async fn json_bodies_need_a_well_formed_media_type_and_utf8() {
    let app = TestApp::new();
    let token = app.user("ada");
    let path = format!("/api/files/{}", app.upload(&token, "a.csv", CSV).await["id"].as_str().unwrap());
    let rename = |media_type: &'static str| {
        let call = patch_json(&path, &json!({"filename": "b.csv"})).without("content-type");
        app.send(call.header("content-type", media_type).bearer(&token))
    };
    for accepted in ["application/json; charset=UTF-8", "application/merge-patch+json", "Application/JSON;"] {
        rename(accepted).await.expect(200);
    }
    for refused in [
        "application/json; charset=latin1",
        "application/json; charset=utf-8; charset=utf-8",
        "application/json; x",
        "json",
        "a b+json",
    ] {
        rename(refused).await.expect_problem(415, "unsupported_type");
    }
}
