//! Uploads that end before they are complete, because they are refused, terminated or expired. A complete upload cannot
//! be terminated.

use chrono::TimeDelta;

use crate::support::TestBody;
use crate::support::client::{delete, head, patch_json, post};
use crate::support::tus::{CHUNK, create, patch, sha1_of, tus};
use crate::support::uploader::{PART, Uploader, csv};

#[tokio::test]
async fn a_creation_with_refused_bytes_leaves_no_upload_and_no_reservation() {
    let bytes = csv(2 * PART);
    let with_bytes = || create(2 * PART).header("content-type", CHUNK);
    let zip = b"PK\x03\x04 not a table at all".to_vec();
    let zip_call = tus(post("/api/uploads")).header("upload-length", zip.len());
    let zip_call = zip_call.header("content-type", CHUNK).bytes(zip);
    let cases = [
        (with_bytes().header("content-length", 99).stream(TestBody::broken(&bytes, 70)), 400),
        (with_bytes().header("upload-checksum", sha1_of(b"x")).bytes(bytes.clone()), 460),
        (with_bytes().bytes(csv(3 * PART)), 413),
        (zip_call, 415),
    ];
    for (call, status) in cases {
        let scene = Uploader::alone();
        scene.send(call).await.expect(status);
        assert_eq!(scene.app.database.value("SELECT reserved_bytes AS n FROM quotas"), 0, "{status}");
        scene.assert_nothing_is_left(&status.to_string()).await;
    }
}

#[tokio::test]
async fn content_that_is_not_csv_ends_the_upload() {
    for length in [40, 3 * PART] {
        let scene = Uploader::alone();
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
async fn a_terminated_upload_leaves_no_parts_and_no_reservation() {
    for sent in [0, 10, PART + 1, 2 * PART + 1] {
        let scene = Uploader::alone();
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
    let scene = Uploader::alone();
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
async fn requests_to_a_complete_upload_get_410_if_its_file_was_deleted_or_has_expired() {
    for case in ["trashed", "deleted", "deleted in the trash", "expired", "expired and swept", "purged"] {
        let scene = Uploader::alone();
        let path = scene.begin(10).await;
        let done = scene.send(patch(&path, 0).bytes(csv(10))).await.expect(204);
        let file = format!("/api/files/{}", done.header("x-file-id"));
        assert_eq!(scene.offset(&path).await, 10, "{case}");
        match case {
            "trashed" => drop(scene.send(delete(&file)).await.expect(200)),
            "deleted" => drop(scene.send(delete(&format!("{file}?permanent=true"))).await.expect(200)),
            "deleted in the trash" => {
                scene.send(delete(&file)).await.expect(200);
                scene.send(delete(&format!("{file}?permanent=true"))).await.expect(200);
            }
            "purged" => {
                scene.send(delete(&format!("{file}?permanent=true"))).await.expect(200);
                scene.app.database.execute("UPDATE files SET lifecycle_status = 'purged'");
            }
            _ => {
                let soon = serde_json::json!({"expiresAt": "2026-01-02T05:00:00Z"});
                scene.send(patch_json(&file, &soon)).await.expect(200);
                scene.app.advance(TimeDelta::hours(3));
                if case == "expired and swept" {
                    scene.app.sweep(scene.app.now()).await.unwrap();
                }
            }
        }
        for call in [
            tus(head(&path)),
            patch(&path, 10).bytes(""),
            patch(&path, 0).bytes(csv(10)),
            patch(&path, 10).bytes(csv(5)),
            tus(delete(&path)),
        ] {
            let method = call.request.method().clone();
            let response = scene.send(call).await.expect(410);
            assert!(
                !response.has("upload-offset") && !response.has("x-file-id"),
                "{case} {method}: {response}"
            );
        }
        if case == "trashed" {
            scene.send(post(&format!("{file}/restore"))).await.expect(200);
            assert_eq!(scene.offset(&path).await, 10);
        }
    }
}

#[tokio::test]
async fn an_upload_expires_a_day_after_its_last_bytes_and_at_the_latest_a_week_after_its_creation() {
    let scene = Uploader::alone();
    let path = scene.begin(1000).await;
    let mut offset = 0;
    for hours in 0..8 {
        let response = scene.send(patch(&path, offset).bytes(csv(1))).await.expect(204);
        offset += 1;
        let expires = chrono::DateTime::parse_from_rfc2822(response.header("upload-expires")).unwrap();
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
async fn the_sweep_ends_an_upload_whose_session_never_runs_its_alarm() {
    let scene = Uploader::alone();
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
