//! Resumable uploads by tus: whatever is cut, broken off, sent twice or forgotten, the file that comes of it is the one
//! that was sent, or there is none.

use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use cutty::config::Config;
use cutty::error::{Code, Problem};
use http::Method;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::support::app::break_every_call;
use crate::support::client::{Call, Reply, delete, get, head, post};
use crate::support::hashing::sha256_hex;
use crate::support::{Fault, On, TestApp, TestBody};

/// The size of a part in these tests.
const PART: usize = 64;

/// A CSV of so many bytes.
pub fn csv(length: usize) -> Vec<u8> {
    b"id,name\n".iter().chain(b"1,ada\n2,bob\n3,eve\n".iter().cycle()).take(length).copied().collect()
}

fn tus(call: Call) -> Call {
    call.header("tus-resumable", "1.0.0")
}

fn create(length: usize) -> Call {
    tus(post("/api/uploads")).header("upload-length", length).header("upload-metadata", metadata(&[]))
}

fn metadata(more: &[(&str, &str)]) -> String {
    let pairs = [("filename", "größe.csv"), ("filetype", "text/csv")].iter().chain(more);
    pairs.map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect::<Vec<_>>().join(",")
}

fn patch(path: &str, offset: usize) -> Call {
    let call = tus(Call::new(Method::PATCH, path)).header("upload-offset", offset);
    call.header("content-type", "application/offset+octet-stream")
}

fn sha1_of(bytes: &[u8]) -> String {
    format!("sha1 {}", STANDARD.encode(Sha1::digest(bytes)))
}

fn sha256_of(bytes: &[u8]) -> String {
    format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)))
}

/// An application and somebody who uploads.
struct Scene<'a> {
    app: &'a TestApp,
    token: String,
}

impl Scene<'static> {
    /// With small parts.
    fn new() -> Self {
        Self::on(TestApp::with_parts_of(PART as u64))
    }

    fn on(app: TestApp) -> Self {
        app.user("ada");
        Self::of(Box::leak(Box::new(app)))
    }
}

impl<'a> Scene<'a> {
    /// An application where she is known.
    fn of(app: &'a TestApp) -> Self {
        Self { app, token: app.token_of("ada") }
    }

    async fn send(&self, call: Call) -> Reply {
        self.app.send(call.bearer(&self.token)).await
    }

    /// Begins an upload and returns its path.
    async fn begin(&self, length: usize) -> String {
        self.send(create(length)).await.expect(201).header("location").to_owned()
    }

    async fn offset(&self, path: &str) -> usize {
        let reply = self.send(tus(head(path))).await.expect(200);
        assert_eq!(reply.header("cache-control"), "no-store");
        reply.header("upload-offset").parse().unwrap()
    }

    /// The files there are.
    async fn files(&self) -> Vec<Value> {
        let reply = self.send(get("/api/files")).await.expect(200);
        reply.json()["files"].as_array().unwrap().clone()
    }

    /// Asks that there is one file, of these bytes, and nothing that does not belong to it.
    async fn assert_only_file_is(&self, bytes: &[u8]) -> Value {
        let files = self.files().await;
        let [file] = files.as_slice() else { panic!("{files:?}") };
        assert_eq!(file["checksum"], sha256_hex(bytes));
        assert_eq!((&file["size"], &file["verified"]), (&json!(bytes.len()), &json!(true)));
        let read = self.send(get(&format!("/api/files/{}", file["id"].as_str().unwrap()))).await.expect(200);
        assert!(read.body == bytes, "other bytes");
        self.app.assert_sound();
        assert_eq!(self.app.database.row_counts()["gc_queue"], 0);
        assert_eq!(self.app.objects.open_uploads(), []);
        file.clone()
    }

    /// Asks that nothing is left, once alarms and sweeps have run.
    async fn assert_nothing_is_left(&self, case: &str) {
        for _ in 0..12 {
            self.app.advance(TimeDelta::hours(20));
            self.app.ring_alarms().await;
            let report = self.app.sweep(self.app.now()).await.unwrap();
            assert_eq!(report.failed, 0, "{case}");
        }
        self.app.assert_sound();
        assert_eq!(self.app.database.value("SELECT sum(reserved_bytes) AS n FROM quotas"), 0, "{case}");
        assert_eq!(self.app.database.value("SELECT count(*) AS n FROM gc_queue"), 0, "{case}");
        let open = "SELECT count(*) AS n FROM multipart_uploads WHERE status IN ('open', 'completing')";
        assert_eq!(self.app.database.value(open), 0, "{case}");
        assert_eq!(self.app.objects.open_uploads(), [], "{case}");
        assert_eq!(self.app.uploads.with_rows(), 0, "{case}");
    }
}

#[tokio::test]
async fn what_is_offered_is_told_to_anybody_and_a_preflight_stays_one() {
    let app = TestApp::new();
    for path in ["/api/uploads", "/api/uploads/x", "/api/v1/uploads/"] {
        let reply = app.send(Call::new(Method::OPTIONS, path)).await.expect(204);
        assert_eq!(reply.header("tus-resumable"), "1.0.0");
        assert_eq!(reply.header("tus-version"), "1.0.0");
        assert_eq!(reply.header("tus-max-size"), "53687091200");
        assert_eq!(reply.header("tus-checksum-algorithm"), "sha1,sha256");
        let wanted = "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration";
        assert_eq!(reply.header("tus-extension"), wanted);
        let from_page = Call::new(Method::OPTIONS, path).header("origin", "https://cutty.com");
        let reply = app.send(from_page).await.expect(204);
        assert!(reply.header("access-control-expose-headers").contains("Upload-Offset"), "{reply}");
        let preflight = Call::new(Method::OPTIONS, path)
            .header("origin", "https://cutty.com")
            .header("access-control-request-method", "PATCH");
        let reply = app.send(preflight).await.expect(204);
        assert!(!reply.has("tus-version"), "{reply}");
        for name in ["Tus-Resumable", "Upload-Offset", "Upload-Metadata", "Upload-Checksum"] {
            assert!(reply.header("access-control-allow-headers").contains(name), "{reply}");
        }
    }
}

#[tokio::test]
async fn an_upload_in_chunks_of_any_size_is_the_file_that_was_sent() {
    for length in [1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 7] {
        for chunk in [1, 2, 7, PART - 1, PART, PART + 1, 2 * PART + 3, 1000] {
            let scene = Scene::new();
            let bytes = csv(length);
            let path = scene.begin(length).await;
            let mut last = None;
            for (index, piece) in bytes.chunks(chunk).enumerate() {
                if index % 5 == 4 {
                    scene.app.uploads.evict();
                }
                let reply = scene.send(patch(&path, index * chunk).bytes(piece.to_vec())).await.expect(204);
                assert_eq!(reply.header("upload-offset"), (index * chunk + piece.len()).to_string());
                last = Some(reply);
            }
            let file = scene.assert_only_file_is(&bytes).await;
            let last = last.unwrap();
            assert_eq!(last.header("x-file-id"), file["id"], "{length} by {chunk}");
            assert!(!last.has("upload-expires"));
            assert_eq!(file["filename"], "größe.csv");
            let reply = scene.send(tus(head(&path))).await.expect(200);
            assert_eq!(reply.header("upload-offset"), reply.header("upload-length"));
            let location = format!("/api/files/{}", file["id"].as_str().unwrap());
            assert_eq!(reply.header("content-location"), location);
            scene.assert_nothing_is_left("after a whole upload").await;
        }
    }
}

#[tokio::test]
async fn pieces_of_one_request_may_come_at_any_boundary() {
    let bytes = csv(3 * PART + 5);
    for piece in [1, 3, PART - 1, PART, PART + 1] {
        let scene = Scene::new();
        let path = scene.begin(bytes.len()).await;
        scene.send(patch(&path, 0).stream(TestBody::in_pieces_of(&bytes, piece))).await.expect(204);
        scene.assert_only_file_is(&bytes).await;
    }
}

#[tokio::test]
async fn what_came_before_a_connection_broke_is_kept_wherever_it_broke() {
    let bytes = csv(2 * PART + 20);
    for broken in 0..bytes.len() {
        let scene = Scene::new();
        let path = scene.begin(bytes.len()).await;
        let body = TestBody::broken(&bytes, broken);
        scene.send(patch(&path, 0).header("content-length", bytes.len()).stream(body)).await.expect(400);
        if broken % 3 == 0 {
            scene.app.uploads.evict();
        }
        assert_eq!(scene.offset(&path).await, broken);
        scene.send(patch(&path, broken).bytes(bytes[broken..].to_vec())).await.expect(204);
        scene.assert_only_file_is(&bytes).await;
    }
}

#[tokio::test]
async fn a_length_may_be_told_later_and_the_reservation_grows_with_the_bytes() {
    let bytes = csv(2 * PART + 9);
    let reserved = |scene: &Scene<'_>| {
        scene.app.database.value("SELECT reserved_bytes AS n FROM quotas").as_u64().unwrap()
    };
    for (chunk, told_at_end) in [(10, true), (PART, true), (200, true), (10, false)] {
        let scene = Scene::new();
        let begin = tus(post("/api/uploads")).header("upload-defer-length", 1);
        let path = scene.send(begin).await.expect(201).header("location").to_owned();
        assert_eq!(reserved(&scene), 0);
        let reply = scene.send(tus(head(&path))).await.expect(200);
        assert_eq!((reply.header("upload-defer-length"), reply.header("upload-length")), ("1", ""));
        for (index, piece) in bytes.chunks(chunk).enumerate() {
            let mut call = patch(&path, index * chunk).bytes(piece.to_vec());
            if index == 1 && !told_at_end {
                call = call.header("upload-length", bytes.len());
            }
            scene.send(call).await.expect(204);
            let sent = index * chunk + piece.len();
            let done = !told_at_end && sent == bytes.len();
            assert!(done || reserved(&scene) >= sent as u64, "{sent} bytes, {} reserved", reserved(&scene));
        }
        if told_at_end {
            assert_eq!(scene.files().await, [json!(null); 0]);
            let wrong = patch(&path, bytes.len()).header("upload-length", bytes.len() - 1).bytes("");
            scene.send(wrong).await.expect_problem(400, "bad_request");
            let end = patch(&path, bytes.len()).header("upload-length", bytes.len()).bytes("");
            scene.send(end).await.expect(204);
        }
        scene.assert_only_file_is(&bytes).await;
        assert_eq!(reserved(&scene), 0);
    }
}

#[tokio::test]
async fn a_creation_may_bring_the_first_bytes_or_all() {
    let bytes = csv(PART + 10);
    for sent in [1, PART, PART + 1, bytes.len()] {
        let scene = Scene::new();
        let call = create(bytes.len()).header("content-type", "application/offset+octet-stream");
        let reply = scene.send(call.bytes(bytes[..sent].to_vec())).await.expect(201);
        assert_eq!(reply.header("upload-offset"), sent.to_string());
        assert_eq!(reply.has("x-file-id"), sent == bytes.len());
        let path = reply.header("location").to_owned();
        if sent < bytes.len() {
            scene.send(patch(&path, sent).bytes(bytes[sent..].to_vec())).await.expect(204);
        }
        scene.assert_only_file_is(&bytes).await;
    }
}

#[tokio::test]
async fn a_creation_whose_bytes_are_refused_leaves_nothing() {
    let bytes = csv(2 * PART);
    let with_bytes = || create(2 * PART).header("content-type", "application/offset+octet-stream");
    let zip = b"PK\x03\x04 not a table at all".to_vec();
    let zip_call = tus(post("/api/uploads")).header("upload-length", zip.len());
    let zip_call = zip_call.header("content-type", "application/offset+octet-stream").bytes(zip);
    let cases = [
        (with_bytes().header("content-length", 99).stream(TestBody::broken(&bytes, 70)), 400),
        (with_bytes().header("upload-checksum", sha1_of(b"x")).bytes(bytes.clone()), 460),
        (with_bytes().bytes(csv(3 * PART)), 413),
        (zip_call, 415),
    ];
    for (call, status) in cases {
        let scene = Scene::new();
        scene.send(call).await.expect(status);
        assert_eq!(scene.app.database.value("SELECT reserved_bytes AS n FROM quotas"), 0, "{status}");
        scene.assert_nothing_is_left(&status.to_string()).await;
    }
}

#[tokio::test]
async fn a_checksum_keeps_a_request_whole_or_not_at_all() {
    let bytes = csv(3 * PART + 10);
    for (from, to) in [(0, 10), (0, PART), (0, 3 * PART), (10, 2 * PART + 5), (PART + 1, 3 * PART + 10)] {
        for announce in [sha1_of, sha256_of] {
            let scene = Scene::new();
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
            assert_eq!(scene.offset(&path).await, from, "none of a broken request is kept");
            scene.app.uploads.evict();
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
async fn each_mistake_has_its_status() {
    let scene = Scene::new();
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
        let said = format!("{:?}", call.request);
        let reply = scene.send(call).await;
        assert_eq!(reply.header("tus-resumable"), "1.0.0", "{said}");
        assert_eq!(reply.has("tus-version"), status == 412, "{said}");
        assert_eq!(reply.status.as_u16(), status, "{said}: {reply}");
        reply.expect_problem(status, code);
        assert_eq!(scene.offset(&path).await, 0);
    }
    let chunked = TestBody::pieces([csv(60), csv(60)]);
    scene.send(patch(&path, 0).stream(chunked)).await.expect_problem(413, "too_large");
    scene.send(tus(delete(&path))).await.expect(204);
    scene.assert_nothing_is_left("after mistakes").await;
}

#[tokio::test]
async fn a_wrong_offset_tells_the_right_one_and_when_to_come_back() {
    let scene = Scene::new();
    let path = scene.begin(100).await;
    scene.send(patch(&path, 0).bytes(csv(30))).await.expect(204);
    let reply = scene.send(patch(&path, 10).bytes(csv(30))).await;
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(reply.expect_problem(409, "upload_offset")["offset"], 30);
}

#[tokio::test]
async fn metadata_describes_the_file_as_a_form_does() {
    let scene = Scene::new();
    let said = metadata(&[
        ("tags", "a, b"),
        ("metadata", "{\"k\":1}"),
        ("expiresAt", "2026-02-01T00:00:00Z"),
        ("other", "x"),
    ]);
    let call = create(10).without("upload-metadata").header("upload-metadata", &said);
    let path = scene.send(call).await.expect(201).header("location").to_owned();
    assert_eq!(scene.send(tus(head(&path))).await.expect(200).header("upload-metadata"), said);
    scene.send(patch(&path, 0).bytes(csv(10))).await.expect(204);
    let file = scene.assert_only_file_is(&csv(10)).await;
    assert_eq!((&file["userTags"], &file["metadata"]), (&json!(["a", "b"]), &json!({"k": 1})));
    assert_eq!(file["expiresAt"], "2026-02-01T00:00:00.000Z");
    assert_eq!((&file["contentType"], &file["systemTags"]), (&json!("text/csv"), &json!(["uploaded"])));
}

#[tokio::test]
async fn content_that_is_no_table_ends_the_upload() {
    for length in [40, 3 * PART] {
        let scene = Scene::new();
        let path = scene.begin(length).await;
        let mut bytes = b"%PDF-1.7\n".to_vec();
        bytes.resize(length, b'x');
        scene.send(patch(&path, 0).bytes(bytes)).await.expect_problem(415, "unsupported_type");
        scene.send(patch(&path, 0).bytes(csv(10))).await.expect_problem(410, "gone");
        assert_eq!(scene.app.database.value("SELECT reserved_bytes AS n FROM quotas"), 0);
        scene.assert_nothing_is_left("refused").await;
    }
}

#[tokio::test]
async fn a_client_that_can_only_post_says_what_it_means() {
    let scene = Scene::new();
    let path = scene.begin(20).await;
    let meant = |method: &str, call: Call| call.header("x-http-method-override", method);
    let call = tus(post(&path)).header("upload-offset", 0);
    let call = call.header("content-type", "application/offset+octet-stream").bytes(csv(5));
    scene.send(meant("PATCH", call)).await.expect(204);
    assert_eq!(scene.offset(&path).await, 5);
    scene.send(meant("DELETE", tus(post(&path)))).await.expect(204);
    scene.send(tus(head(&path))).await.expect(410);
    scene.send(meant("DELETE", post("/api/files"))).await.expect(411);
}

#[tokio::test]
async fn a_terminated_upload_is_gone_with_its_parts_and_its_reservation() {
    for sent in [0, 10, PART + 1, 2 * PART + 1] {
        let scene = Scene::new();
        let path = scene.begin(3 * PART).await;
        scene.send(patch(&path, 0).bytes(csv(sent))).await.expect(204);
        scene.send(tus(delete(&path))).await.expect(204);
        scene.send(tus(head(&path))).await.expect(410);
        scene.send(tus(delete(&path))).await.expect_problem(410, "gone");
        scene.send(patch(&path, sent).bytes(csv(1))).await.expect_problem(410, "gone");
        assert_eq!(scene.app.database.value("SELECT reserved_bytes AS n FROM quotas"), 0);
        assert_eq!(scene.app.objects.open_uploads(), []);
        assert_eq!(scene.app.database.value("SELECT status FROM multipart_uploads"), "aborted");
        scene.assert_nothing_is_left("terminated").await;
        scene.send(tus(head(&path))).await.expect(404);
    }
}

#[tokio::test]
async fn a_complete_upload_cannot_be_terminated_or_continued() {
    let scene = Scene::new();
    let path = scene.begin(10).await;
    scene.send(patch(&path, 0).bytes(csv(10))).await.expect(204);
    scene.send(tus(delete(&path))).await.expect_problem(409, "conflict");
    scene.send(patch(&path, 5).bytes(csv(5))).await.expect_problem(409, "upload_offset");
    scene.send(patch(&path, 10).bytes(csv(5))).await.expect_problem(413, "too_large");
    let again = scene.send(patch(&path, 10).bytes("")).await.expect(204);
    assert!(again.has("x-file-id"));
    scene.assert_only_file_is(&csv(10)).await;
}

#[tokio::test]
async fn an_upload_expires_a_day_after_its_last_bytes_and_a_week_after_its_first() {
    let scene = Scene::new();
    let path = scene.begin(1000).await;
    let mut offset = 0;
    for hours in 0..8 {
        let reply = scene.send(patch(&path, offset).bytes(csv(1))).await.expect(204);
        offset += 1;
        let expires = chrono::DateTime::parse_from_rfc2822(reply.header("upload-expires")).unwrap();
        let left = expires.to_utc() - scene.app.now().instant();
        assert!(left <= TimeDelta::hours(24), "{left}");
        scene.app.advance(TimeDelta::hours(23));
        scene.app.ring_alarms().await;
        if hours == 7 {
            break;
        }
        assert_eq!(scene.offset(&path).await, offset);
    }
    scene.send(tus(head(&path))).await.expect(410);
    assert_eq!(scene.app.database.value("SELECT status FROM multipart_uploads"), "expired");
    assert_eq!(scene.app.database.value("SELECT reserved_bytes AS n FROM quotas"), 0);
    scene.assert_nothing_is_left("expired").await;

    let idle = scene.begin(1000).await;
    scene.send(patch(&idle, 0).bytes(csv(PART + 1))).await.expect(204);
    scene.app.advance(TimeDelta::hours(25));
    scene.send(patch(&idle, PART + 1).bytes(csv(1))).await.expect_problem(410, "gone");
    scene.assert_nothing_is_left("idle").await;
}

#[tokio::test]
async fn a_session_that_never_wakes_is_swept_with_all_it_held() {
    let scene = Scene::new();
    let path = scene.begin(3 * PART).await;
    scene.send(patch(&path, 0).bytes(csv(2 * PART + 1))).await.expect(204);
    for days in [9, 2, 2] {
        scene.app.advance(TimeDelta::days(days));
        assert_eq!(scene.app.sweep(scene.app.now()).await.unwrap().failed, 0);
    }
    assert_eq!(scene.app.database.value("SELECT reserved_bytes AS n FROM quotas"), 0);
    assert_eq!(scene.app.objects.open_uploads(), []);
    assert_eq!(scene.app.database.value("SELECT status FROM multipart_uploads"), "expired");
    scene.assert_nothing_is_left("swept").await;
}

#[tokio::test]
async fn chunks_of_one_byte_do_not_make_a_row_each() {
    let mut config = TestApp::new().app.config.clone();
    config.max_chunk_size_bytes = 300_000;
    let app = TestApp::configured(config);
    let scene = Scene::on(app);
    let path = scene.begin(300_000).await;
    let upload = cutty::ids::AttemptId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let bytes = csv(300_000);
    let mut offset = 0;
    for chunk in [1, 1, 1, 64 << 10, 1, 1, 100_000, 1, 1, 1] {
        scene.send(patch(&path, offset).bytes(bytes[offset..offset + chunk].to_vec())).await.expect(204);
        offset += chunk;
    }
    let rows: Vec<usize> = scene
        .app
        .uploads
        .rows_of(upload)
        .into_iter()
        .filter(|(name, _)| name.starts_with("rest/"))
        .map(|(_, length)| length)
        .collect();
    assert_eq!(rows, [65_539, 100_002, 3]);
    scene.send(patch(&path, offset).bytes(bytes[offset..].to_vec())).await.expect(204);
    scene.assert_only_file_is(&bytes).await;
}

#[tokio::test]
async fn parts_are_equal_and_no_more_than_the_store_takes() {
    let parts = |config: &Config, length: u64| {
        let part = cutty::storage::resumable::part_bytes(config, length) as u64;
        (part, length.div_ceil(part))
    };
    let config = TestApp::new().app.config.clone();
    assert_eq!(parts(&config, 1), (5 << 20, 1));
    assert_eq!(parts(&config, 50_000 << 20), (5 << 20, 10_000));
    assert_eq!(parts(&config, (50_000 << 20) + 1), ((5 << 20) + 1, 10_000));
    assert_eq!(parts(&config, 50 << 30), (5_368_710, 9_999.max(parts(&config, 50 << 30).1)));
}

#[tokio::test]
async fn a_request_that_hangs_gives_way_to_whoever_comes_and_what_it_brought_is_kept() {
    let bytes = csv(3 * PART);
    for received in [0, 10, PART, PART + 10] {
        let scene = Scene::new();
        let path = scene.begin(bytes.len()).await;
        let (body, _still_open) = TestBody::hanging(&bytes[..received]);
        let slow = patch(&path, 0).header("content-length", bytes.len()).stream(body);
        let (slow, (offset, reply)) = tokio::join!(scene.send(slow), async {
            tokio::task::yield_now().await;
            let offset = scene.offset(&path).await;
            (offset, scene.send(patch(&path, offset).bytes(bytes[offset..].to_vec())).await)
        });
        slow.expect_problem(409, "in_progress");
        assert_eq!(offset, received);
        reply.expect(204);
        scene.assert_only_file_is(&bytes).await;
    }
}

#[tokio::test]
async fn a_second_writer_at_another_offset_does_not_disturb_the_first() {
    let bytes = csv(3 * PART);
    let scene = Scene::new();
    let path = scene.begin(bytes.len()).await;
    let (body, go_on) = TestBody::hanging(&bytes);
    let first = patch(&path, 0).header("content-length", bytes.len()).stream(body);
    let (first, ()) = tokio::join!(scene.send(first), async {
        tokio::task::yield_now().await;
        let second = scene.send(patch(&path, 0).bytes(bytes.clone())).await;
        assert_eq!(second.header("retry-after"), "1");
        second.expect_problem(409, "upload_offset");
        let bob = scene.app.user("bob");
        assert_eq!(scene.app.send(tus(head(&path)).bearer(&bob)).await.status.as_u16(), 404);
        go_on.store(true, Ordering::SeqCst);
    });
    first.expect(204);
    scene.assert_only_file_is(&bytes).await;
}

#[tokio::test]
async fn many_writers_at_once_never_mix_their_bytes() {
    let bytes = csv(5 * PART + 3);
    let scene = Scene::new();
    let path = scene.begin(bytes.len()).await;
    let writer = async |piece: usize| {
        for _ in 0..400 {
            let reply = scene.send(tus(head(&path))).await;
            if reply.status != 200 || reply.has("x-file-id") {
                return;
            }
            let offset: usize = reply.header("upload-offset").parse().unwrap();
            let body = TestBody::in_pieces_of(&bytes[offset..], piece);
            scene
                .send(patch(&path, offset).header("content-length", bytes.len() - offset).stream(body))
                .await;
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(writer(3), writer(17), writer(PART), writer(1000));
    scene.assert_only_file_is(&bytes).await;
}

/// An upload by a client that retries as the stock ones do: it asks for the offset and goes on, or begins anew.
async fn upload_stubbornly(scene: &Scene<'_>, bytes: &[u8], chunk: usize) {
    let mut path: Option<String> = None;
    for _ in 0..40 {
        let Some(at) = path.clone() else {
            let reply = scene.send(create(bytes.len())).await;
            if reply.status == 201 {
                path = Some(reply.header("location").to_owned());
            }
            continue;
        };
        let reply = scene.send(tus(head(&at))).await;
        match reply.status.as_u16() {
            200 if reply.has("x-file-id") => return,
            200 => {
                let offset: usize = reply.header("upload-offset").parse().unwrap();
                let end = bytes.len().min(offset + chunk);
                scene.send(patch(&at, offset).bytes(bytes[offset..end].to_vec())).await;
            }
            404 | 410 => path = None,
            _ => {}
        }
    }
    panic!("the upload never ends");
}

async fn survives_every_fault(length: usize, chunk: usize) -> usize {
    let bytes = csv(length);
    break_every_call(
        async || {
            let app = TestApp::with_parts_of(PART as u64);
            app.user("ada");
            app
        },
        async |app| upload_stubbornly(&Scene::of(app), &bytes, chunk).await,
        async |app, case| {
            let scene = Scene::of(app);
            app.uploads.evict();
            app.assert_sound();
            upload_stubbornly(&scene, &bytes, chunk).await;
            let files = scene.files().await;
            assert!((1..=2).contains(&files.len()), "{case}: {} files", files.len());
            for file in files {
                assert_eq!(file["checksum"], sha256_hex(&bytes), "{case}");
                let path = format!("/api/files/{}", file["id"].as_str().unwrap());
                assert!(scene.send(get(&path)).await.expect(200).body == bytes, "{case}: other bytes");
            }
            scene.assert_nothing_is_left(case).await;
        },
    )
    .await
}

#[tokio::test]
async fn an_upload_of_one_part_survives_every_fault() {
    assert!(survives_every_fault(40, 25).await > 40);
}

#[tokio::test]
async fn an_upload_of_three_parts_survives_every_fault() {
    assert!(survives_every_fault(2 * PART + 10, PART + 3).await > 60);
}

#[tokio::test]
async fn a_commit_whose_outcome_is_unknown_is_finished_by_the_alarm() {
    for length in [10, 2 * PART + 1] {
        for fault in [Fault::Failed, Fault::DoneButReportedFailed] {
            let scene = Scene::new();
            let path = scene.begin(length).await;
            scene.app.faults.always(fault, On::database().about("commit_markers"));
            let call = patch(&path, 0).bytes(csv(length));
            let reply = scene.send(call).await;
            assert!([204, 503].contains(&reply.status.as_u16()), "{reply}");
            scene.app.faults.clear();
            scene.app.uploads.evict();
            scene.app.advance(TimeDelta::minutes(2));
            scene.app.ring_alarms().await;
            scene.assert_only_file_is(&csv(length)).await;
            assert!(scene.send(tus(head(&path))).await.expect(200).has("x-file-id"));
        }
    }
}

#[tokio::test]
async fn an_outage_while_an_upload_ends_costs_nothing_but_time() {
    let scene = Scene::new();
    let path = scene.begin(3 * PART).await;
    scene.send(patch(&path, 0).bytes(csv(2 * PART + 1))).await.expect(204);
    scene.app.faults.always(Fault::Failed, On::objects());
    let terminated = tus(delete(&path));
    scene.send(terminated).await.expect(204);
    scene.send(tus(head(&path))).await.expect(410);
    scene.app.faults.clear();
    scene.app.advance(TimeDelta::minutes(2));
    scene.app.ring_alarms().await;
    assert_eq!(scene.app.objects.open_uploads(), []);
    assert_eq!(scene.app.database.value("SELECT reserved_bytes AS n FROM quotas"), 0);
    scene.assert_nothing_is_left("after an outage").await;
}

#[tokio::test]
async fn a_quota_that_is_full_stops_an_upload_of_unknown_length_where_it_is() {
    let app = TestApp::with(&[("DEFAULT_QUOTA_BYTES", "100")]);
    let scene = Scene::on(app);
    let begin = tus(post("/api/uploads")).header("upload-defer-length", 1);
    let path = scene.send(begin).await.expect(201).header("location").to_owned();
    scene.send(patch(&path, 0).bytes(csv(90))).await.expect(204);
    scene.send(patch(&path, 90).bytes(csv(20))).await.expect_problem(507, "quota_exceeded");
    assert_eq!(scene.offset(&path).await, 90);
    scene
        .send(patch(&path, 90).header("upload-length", 100).bytes(csv(100)[90..].to_vec()))
        .await
        .expect(204);
    scene.assert_only_file_is(&csv(100)).await;
}

#[tokio::test]
async fn requests_that_bring_nothing_do_not_make_parts_longer() {
    let scene = Scene::new();
    let file = csv(4 * PART + 1);
    let path = scene.begin(file.len()).await;
    let first = &file[..4 * PART];
    for _ in 0..3 {
        let broken = patch(&path, 0).header("content-length", first.len()).stream(TestBody::broken(first, 0));
        scene.send(broken).await.expect(400);
    }
    scene.app.faults.forget_calls();
    scene.send(patch(&path, 0).bytes(first.to_vec())).await.expect(204);
    assert_eq!(scene.app.faults.count(&On::objects()), 3, "it is begun, and two parts are put");
    scene.send(patch(&path, first.len()).bytes(file[first.len()..].to_vec())).await.expect(204);
    scene.assert_only_file_is(&file).await;
}

#[tokio::test]
async fn a_chunk_larger_than_the_least_part_is_one_part() {
    const CHUNK: usize = PART + PART / 2;
    let scene = Scene::new();
    let path = scene.begin(2 * CHUNK + 1).await;
    let file = csv(2 * CHUNK + 1);
    for offset in [0, CHUNK] {
        scene.app.faults.forget_calls();
        scene.send(patch(&path, offset).bytes(file[offset..offset + CHUNK].to_vec())).await.expect(204);
        let begins = usize::from(offset == 0);
        assert_eq!(scene.app.faults.count(&On::objects()), begins + 1);
    }
    scene.send(patch(&path, 2 * CHUNK).bytes(file[2 * CHUNK..].to_vec())).await.expect(204);
    scene.assert_only_file_is(&file).await;
}

#[tokio::test]
async fn each_request_costs_what_the_description_says() {
    let scene = Scene::new();
    let cost = async |call: Call| {
        scene.app.faults.forget_calls();
        let reply = scene.send(call).await;
        let ports = [On::database(), On::objects(), On::uploads(), On::queue()];
        (reply, ports.map(|port| scene.app.faults.count(&port)))
    };
    let (reply, begun) = cost(create(3 * PART)).await;
    let path = reply.header("location").to_owned();
    assert_eq!(begun, [2, 0, 1, 0]);
    assert_eq!(cost(tus(head(&path))).await.1, [1, 0, 1, 0]);
    assert_eq!(
        cost(patch(&path, 0).bytes(csv(PART))).await.1,
        [2, 2, 1, 0],
        "the first part begins the object"
    );
    let rest = csv(3 * PART);
    let waits = cost(patch(&path, PART).bytes(rest[PART..PART + 1].to_vec())).await.1;
    assert_eq!(waits, [1, 0, 1, 0], "what fills no part waits");
    assert_eq!(
        cost(patch(&path, PART + 1).bytes(rest[PART + 1..2 * PART + 1].to_vec())).await.1,
        [1, 1, 1, 0]
    );
    assert_eq!(cost(patch(&path, 2 * PART + 1).bytes(rest[2 * PART + 1..].to_vec())).await.1, [2, 3, 1, 0]);
    assert_eq!(cost(tus(head(&path))).await.1, [1, 0, 1, 0]);
    let path = scene.begin(10).await;
    assert_eq!(cost(patch(&path, 0).bytes(csv(10))).await.1, [2, 2, 1, 0], "one part is put as it is");
    let path = scene.begin(3 * PART).await;
    scene.send(patch(&path, 0).bytes(csv(PART + 1))).await.expect(204);
    assert_eq!(cost(tus(delete(&path))).await.1, [2, 1, 1, 0]);
}

#[tokio::test]
async fn a_problem_of_a_session_reaches_the_client_as_it_was() {
    let problem = Problem::new(Code::UploadOffset, "d").with("offset", 3);
    let text = serde_json::to_string(&problem).unwrap();
    let read: Problem = serde_json::from_str(&text).unwrap();
    assert_eq!(read.document("/", "r"), problem.document("/", "r"));
    assert_eq!((read.code(), read.retry_after_s()), (Code::UploadOffset, Some(1)));
}
