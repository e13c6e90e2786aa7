//! The tus protocol: capabilities, checksums, errors and metadata.

use cutty::error::{Code, Problem};
use http::Method;
use serde_json::json;

use crate::support::client::{Call, delete, get, head, post};
use crate::support::contract::operations;
use crate::support::tus::{CHUNK, create, metadata, patch, sha1_of, sha256_of, tus};
use crate::support::uploader::{PART, Uploader, csv};
use crate::support::{TestApp, TestBody};

#[tokio::test]
async fn an_options_request_without_credentials_gets_the_capabilities_and_a_preflight_gets_the_cors_headers()
{
    let app = TestApp::new();
    for path in ["/api/uploads", "/api/uploads/x", "/api/v1/uploads/"] {
        let response = app.send(Call::new(Method::OPTIONS, path)).await.expect(204);
        assert_eq!(response.header("tus-resumable"), "1.0.0");
        assert_eq!(response.header("tus-version"), "1.0.0");
        assert_eq!(response.header("tus-max-size"), "53687091200");
        assert_eq!(response.header("tus-checksum-algorithm"), "sha1,sha256");
        let wanted = "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration";
        assert_eq!(response.header("tus-extension"), wanted);
        let from_page = Call::new(Method::OPTIONS, path).header("origin", "https://cutty.com");
        let response = app.send(from_page).await.expect(204);
        assert!(response.header("access-control-expose-headers").contains("Upload-Offset"), "{response}");
        let preflight = Call::new(Method::OPTIONS, path)
            .header("origin", "https://cutty.com")
            .header("access-control-request-method", "PATCH");
        let response = app.send(preflight).await.expect(204);
        assert!(!response.has("tus-version"), "{response}");
        for name in ["Tus-Resumable", "Upload-Offset", "Upload-Metadata", "Upload-Checksum"] {
            assert!(response.header("access-control-allow-headers").contains(name), "{response}");
        }
    }
}

#[tokio::test]
async fn the_bytes_of_a_request_with_a_checksum_are_stored_completely_or_not_at_all() {
    let bytes = csv(3 * PART + 10);
    for (from, to) in [(0, 10), (0, PART), (0, 3 * PART), (10, 2 * PART + 5), (PART + 1, 3 * PART + 10)] {
        for announce in [sha1_of, sha256_of] {
            let scene = Uploader::alone();
            let path = scene.begin(bytes.len()).await;
            scene.send(patch(&path, 0).bytes(bytes[..from].to_vec())).await.expect(204);
            let chunk = &bytes[from..to];
            let mut wrong = chunk.to_vec();
            wrong[0] ^= 1;
            let call = || patch(&path, from).header("upload-checksum", announce(chunk));
            scene.send(call().bytes(wrong.clone())).await.expect_problem(460, "checksum_mismatch");
            assert_eq!(scene.offset(&path).await, from);
            let broken = TestBody::broken(chunk, chunk.len() / 2);
            scene.send(call().header("content-length", chunk.len()).stream(broken)).await.expect(400);
            assert_eq!(scene.offset(&path).await, from, "no byte of a failed request may be kept");
            scene.app.named_objects.evict();
            scene.send(call().bytes(chunk.to_vec())).await.expect(204);
            assert_eq!(scene.offset(&path).await, to);
            if to < bytes.len() {
                scene.send(patch(&path, to).bytes(bytes[to..].to_vec())).await.expect(204);
            }
            scene.assert_only_file_is(&bytes).await;
        }
    }
}

#[tokio::test]
async fn each_protocol_error_has_its_status() {
    let scene = Uploader::alone();
    let path = scene.begin(100).await;
    let bytes = || csv(10);
    let media = "application/offset+octet-stream";
    let bare = |method: Method| Call::new(method, &path);
    let cases: Vec<(Call, u16, &str)> = vec![
        (post("/api/uploads").header("upload-length", 1), 412, "precondition_failed"),
        (tus(post("/api/uploads")), 400, "bad_request"),
        (tus(post("/api/uploads")).header("upload-length", "-1"), 400, "bad_request"),
        (create(1).header("upload-defer-length", 1), 400, "bad_request"),
        (tus(post("/api/uploads")).header("upload-defer-length", 2), 400, "bad_request"),
        (create(1).header("upload-concat", "partial"), 400, "bad_request"),
        (create(1).header("upload-concat", "final;/a /b"), 400, "bad_request"),
        (create(0), 422, "empty_file"),
        (create(53_687_091_201), 413, "too_large"),
        (create(20_000_000_000), 507, "quota_exceeded"),
        (create(1).without("upload-metadata").header("upload-metadata", "a !"), 400, "bad_request"),
        (
            create(1).without("upload-metadata").header("upload-metadata", metadata(&[("metadata", "[]")])),
            400,
            "bad_metadata",
        ),
        (
            create(1).without("upload-metadata").header("upload-metadata", "filename /w=="),
            400,
            "bad_metadata",
        ),
        (create(1).without("upload-metadata").header("upload-metadata", "filename YQpi"), 422, "bad_name"),
        (create(10).header("content-type", "text/csv").bytes(bytes()), 415, "unsupported_type"),
        (
            bare(Method::PATCH).header("upload-offset", 0).header("content-type", media).bytes(bytes()),
            412,
            "precondition_failed",
        ),
        (tus(bare(Method::PATCH)).header("upload-offset", 0).bytes(bytes()), 415, "unsupported_type"),
        (tus(bare(Method::PATCH)).header("content-type", media).bytes(bytes()), 400, "bad_request"),
        (patch(&path, 1).bytes(bytes()), 409, "upload_offset"),
        (patch(&path, 0).bytes(csv(101)), 413, "too_large"),
        (patch(&path, 0).header("upload-length", 99).bytes(bytes()), 400, "bad_request"),
        (
            patch(&path, 0).header("upload-checksum", "md5 XUFAKrxLKna5cZ2REBfFkg==").bytes(bytes()),
            400,
            "bad_request",
        ),
        (patch("/api/uploads/x", 0).bytes(bytes()), 404, "not_found"),
        (patch("/api/uploads/018f0000-0000-7000-8000-000000000001", 0).bytes(bytes()), 404, "not_found"),
        (tus(get(&path)), 405, "method_not_allowed"),
    ];
    for (call, status, code) in cases {
        let sent = format!("{:?}", call.request);
        let response = scene.send(call).await;
        assert_eq!(response.header("tus-resumable"), "1.0.0", "{sent}");
        assert_eq!(response.has("tus-version"), status == 412, "{sent}");
        assert_eq!(response.status.as_u16(), status, "{sent}: {response}");
        response.expect_problem(status, code);
        assert_eq!(scene.offset(&path).await, 0);
    }
    let chunked = TestBody::pieces([csv(60), csv(60)]);
    scene.send(patch(&path, 0).stream(chunked)).await.expect_problem(413, "too_large");
    scene.send(tus(delete(&path))).await.expect(204);
    scene.assert_nothing_is_left("after mistakes").await;
}

#[tokio::test]
async fn the_response_to_a_wrong_offset_has_the_right_offset_and_a_retry_delay() {
    let scene = Uploader::alone();
    let path = scene.begin(100).await;
    scene.send(patch(&path, 0).bytes(csv(30))).await.expect(204);
    let response = scene.send(patch(&path, 10).bytes(csv(30))).await;
    assert_eq!(response.header("retry-after"), "1");
    assert_eq!(response.expect_problem(409, "upload_offset")["offset"], 30);
}

#[tokio::test]
async fn the_upload_metadata_header_sets_the_tags_the_metadata_and_the_expiry_of_the_file() {
    let scene = Uploader::alone();
    let sent = metadata(&[
        ("tags", "a, b"),
        ("metadata", "{\"k\":1}"),
        ("expiresAt", "2026-02-01T00:00:00Z"),
        ("other", "x"),
    ]);
    let call = create(10).without("upload-metadata").header("upload-metadata", &sent);
    let path = scene.send(call).await.expect(201).header("location").to_owned();
    assert_eq!(scene.send(tus(head(&path))).await.expect(200).header("upload-metadata"), sent);
    scene.send(patch(&path, 0).bytes(csv(10))).await.expect(204);
    let file = scene.assert_only_file_is(&csv(10)).await;
    assert_eq!((&file["userTags"], &file["metadata"]), (&json!(["a", "b"]), &json!({"k": 1})));
    assert_eq!(file["expiresAt"], "2026-02-01T00:00:00.000Z");
    assert_eq!((&file["contentType"], &file["systemTags"]), (&json!("text/csv"), &json!(["uploaded"])));
}

#[tokio::test]
async fn a_post_can_override_its_method() {
    let scene = Uploader::alone();
    let path = scene.begin(20).await;
    let meant = |method: &str, call: Call| call.header("x-http-method-override", method);
    let call = tus(post(&path)).header("upload-offset", 0);
    let call = call.header("content-type", CHUNK).bytes(csv(5));
    scene.send(meant("PATCH", call)).await.expect(204);
    assert_eq!(scene.offset(&path).await, 5);
    scene.send(meant("DELETE", tus(post(&path)))).await.expect(204);
    scene.send(tus(head(&path))).await.expect(410);
    scene.send(meant("DELETE", post("/api/files"))).await.expect_problem(400, "bad_request");
    scene.send(meant("DELETE", tus(head(&path)))).await.expect(400);
    for path in [path.as_str(), "/api/uploads"] {
        scene.send(meant("PUT", tus(post(path)))).await.expect_problem(405, "method_not_allowed");
    }
    let operations = operations();
    let creation = operations.iter().find(|known| known.method == "POST" && known.template == "/api/uploads");
    assert!(creation.unwrap().statuses().contains(&405));
}

#[tokio::test]
async fn a_problem_from_a_session_reaches_the_client_unchanged() {
    let problem = Problem::new(Code::UploadOffset, "d").with("offset", 3);
    let text = serde_json::to_string(&problem).unwrap();
    let read: Problem = serde_json::from_str(&text).unwrap();
    assert_eq!(read.document("/", "r"), problem.document("/", "r"));
    assert_eq!((read.code(), read.retry_after_s()), (Code::UploadOffset, Some(1)));
}
