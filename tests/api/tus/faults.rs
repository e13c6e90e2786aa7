//! Faults in each call of an upload, and outages while an upload is completed or terminated.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use cutty::domain::time::Timestamp;
use cutty::ports::{NamedObject, ObjectStorage, StoreError};
use cutty::storage::resumable::session::ResumableUpload;

use crate::support::app::break_every_call;
use crate::support::client::{delete, get, head};
use crate::support::hashing::sha256_hex;
use crate::support::tus::{create, patch, tus};
use crate::support::uploader::{PART, Uploader, csv};
use crate::support::{Fault, On, TestApp};

/// Uploads a file as a tus client does. Before each chunk, asks for the offset, and sends the chunk that starts there.
/// If the upload does not exist any more, creates a new upload. Panics if the upload is not complete after 40 tries.
async fn upload_with_retries(scene: &Uploader<'_>, bytes: &[u8], chunk: usize) {
    let mut path: Option<String> = None;
    for _ in 0..40 {
        let Some(at) = path.clone() else {
            let response = scene.send(create(bytes.len())).await;
            if response.status == 201 {
                path = Some(response.header("location").to_owned());
            }
            continue;
        };
        let response = scene.send(tus(head(&at))).await;
        match response.status.as_u16() {
            200 if response.has("x-file-id") => return,
            200 => {
                let offset: usize = response.header("upload-offset").parse().unwrap();
                let end = bytes.len().min(offset + chunk);
                scene.send(patch(&at, offset).bytes(bytes[offset..end].to_vec())).await;
            }
            404 | 410 => path = None,
            _ => {}
        }
    }
    panic!("the upload is not complete after 40 tries");
}

async fn assert_upload_survives_every_fault(length: usize, chunk: usize) -> usize {
    let bytes = csv(length);
    break_every_call(
        async || {
            let app = TestApp::with_parts_of(PART as u64);
            app.user("ada");
            app
        },
        async |app| upload_with_retries(&Uploader::new(app), &bytes, chunk).await,
        async |app, case| {
            let scene = Uploader::new(app);
            app.named_objects.evict();
            app.assert_consistent();
            upload_with_retries(&scene, &bytes, chunk).await;
            let files = scene.files().await;
            assert!((1..=2).contains(&files.len()), "{case}: {} files", files.len());
            for file in files {
                assert_eq!(file["checksum"], sha256_hex(&bytes), "{case}");
                let path = format!("/api/files/{}", file["id"].as_str().unwrap());
                assert!(
                    scene.send(get(&path)).await.expect(200).body == bytes,
                    "{case}: the file has other bytes"
                );
            }
            scene.assert_nothing_is_left(case).await;
        },
    )
    .await
}

#[tokio::test]
async fn a_client_that_retries_can_upload_one_part_after_any_fault() {
    assert!(assert_upload_survives_every_fault(40, 25).await > 40);
}

#[tokio::test]
async fn a_client_that_retries_can_upload_three_parts_after_any_fault() {
    assert!(assert_upload_survives_every_fault(2 * PART + 10, PART + 3).await > 60);
}

#[tokio::test]
async fn the_alarm_completes_a_commit_whose_outcome_is_unknown() {
    for length in [10, 2 * PART + 1] {
        for fault in [Fault::Failed, Fault::DoneButReportedFailed] {
            let scene = Uploader::alone();
            let path = scene.begin(length).await;
            scene.app.faults.always(fault, On::database().about("commit_markers"));
            let call = patch(&path, 0).bytes(csv(length));
            let response = scene.send(call).await;
            assert!([204, 503].contains(&response.status.as_u16()), "{response}");
            scene.app.faults.clear();
            scene.app.named_objects.evict();
            scene.app.advance(TimeDelta::minutes(2));
            scene.app.ring_alarms().await;
            scene.assert_only_file_is(&csv(length)).await;
            assert!(scene.send(tus(head(&path))).await.expect(200).has("x-file-id"));
        }
    }
}

#[tokio::test]
async fn an_upload_that_was_terminated_during_an_outage_leaves_no_parts_and_no_reservation() {
    let scene = Uploader::alone();
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
async fn a_session_whose_commit_has_an_unknown_outcome_does_not_purge_the_deleted_file_early() {
    for length in [10, 2 * PART + 1] {
        let scene = Uploader::alone();
        let path = scene.begin(length).await;
        let commit = On::database().about("commit_markers");
        scene.app.faults.inject(Fault::DoneButReportedFailed, commit, 1);
        scene.app.faults.always(
            Fault::Failed,
            On::database().about("SELECT id, lifecycle_status FROM files WHERE attempt"),
        );
        let call = patch(&path, 0).bytes(csv(length));
        scene.send(call).await.expect(503);
        scene.app.faults.clear();
        let id = scene.files().await[0]["id"].as_str().unwrap().to_owned();
        scene.send(delete(&format!("/api/files/{id}?permanent=true"))).await.expect(200);
        let due = || scene.app.database.value("SELECT not_before FROM gc_queue");
        let promised = due();
        scene.app.named_objects.evict();
        scene.app.advance(TimeDelta::minutes(2));
        scene.app.ring_alarms().await;
        scene.send(tus(head(&path))).await.expect(410);
        assert_eq!(due(), promised);
        scene.app.assert_consistent();
    }
}

#[tokio::test]
async fn head_returns_the_file_id_for_a_day_if_the_session_crashes_after_its_commit() {
    let bytes = csv(2 * PART + 1);
    for nth in 1..=2 {
        let scene = Uploader::alone();
        let path = scene.begin(bytes.len()).await;
        scene.send(patch(&path, 0).bytes(bytes[..PART + 1].to_vec())).await.expect(204);
        let upload = path.rsplit('/').next().and_then(cutty::domain::ids::AttemptId::parse).unwrap();
        scene.app.named_objects.evict();
        scene.app.named_objects.lose_profiler_state(upload);
        scene.app.faults.inject(Fault::CrashBefore, [On::queue(), On::objects()][nth - 1].clone(), nth);
        let work = scene.send(patch(&path, PART + 1).bytes(bytes[PART + 1..].to_vec()));
        assert!(scene.app.faults.until_crash(work).await.is_none());
        scene.app.faults.clear();
        scene.app.named_objects.evict();
        for _ in 0..12 {
            scene.app.advance(TimeDelta::hours(2) - TimeDelta::minutes(1));
            scene.app.ring_alarms().await;
            let response = scene.send(tus(head(&path))).await.expect(200);
            assert!(response.has("x-file-id"));
        }
        scene.assert_only_file_is(&bytes).await;
        scene.assert_nothing_is_left("after a crash").await;
    }
}

#[tokio::test]
async fn a_session_that_never_runs_its_alarm_after_an_outage_leaves_no_parts() {
    let scene = Uploader::alone();
    let path = scene.begin(3 * PART).await;
    scene.app.faults.inject(Fault::Failed, On::database().about("UPDATE gc_queue SET upload_id"), 1);
    scene.send(patch(&path, 0).bytes(csv(2 * PART))).await.expect(503);
    scene.app.faults.clear();
    let offset = scene.offset(&path).await;
    scene.send(patch(&path, offset).bytes(csv(2 * PART)[offset..].to_vec())).await.expect(204);
    for days in [9, 2, 2] {
        scene.app.advance(TimeDelta::days(days));
        assert_eq!(scene.app.sweep(scene.app.now()).await.unwrap().failed, 0);
    }
    assert_eq!(scene.app.objects.open_uploads(), []);
}

#[tokio::test]
async fn head_returns_410_for_an_upload_that_its_alarm_ended() {
    let scene = Uploader::alone();
    let path = scene.begin(10).await;
    scene.app.faults.always(Fault::Failed, On::objects());
    scene.send(patch(&path, 0).bytes(csv(10))).await.expect(503);
    scene.app.faults.clear();
    scene.app.database.execute("UPDATE multipart_uploads SET expires_at = '2000-01-01T00:00:00.000Z'");
    scene.app.sweep(scene.app.now()).await.unwrap();
    for _ in 0..10 {
        scene.app.advance(TimeDelta::minutes(2));
        scene.app.ring_alarms().await;
    }
    scene.send(tus(head(&path))).await.expect(410);
}

/// The storage of a named object. Every read of a row fails.
struct UnreadableStorage;

#[async_trait]
impl ObjectStorage for UnreadableStorage {
    fn get(&self, _: &str) -> std::result::Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::from_message("temporarily unavailable".to_owned()))
    }

    fn put(&self, _: &str, _: &[u8]) -> std::result::Result<(), StoreError> {
        Ok(())
    }

    fn delete(&self, _: &str) -> std::result::Result<(), StoreError> {
        Ok(())
    }

    fn names(&self, _: &str) -> std::result::Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn set_alarm(&self, _: Timestamp) -> std::result::Result<(), StoreError> {
        Ok(())
    }

    async fn clear(&self) -> std::result::Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn an_alarm_that_cannot_read_the_rows_of_its_session_fails_and_is_therefore_retried() {
    let app = TestApp::new();
    let session = ResumableUpload::new(app.app.clone(), Arc::new(UnreadableStorage));
    assert!(session.alarm().await.is_err());
}
