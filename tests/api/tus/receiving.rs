//! Tests of uploads whose chunks and pieces have any length, whose connections break, or whose length is deferred.

use serde_json::json;

use crate::support::client::{head, post};
use crate::support::tus::{create_with, patch, tus};
use crate::support::uploader::{PART, Uploader, csv};
use crate::support::{TestApp, TestBody};

#[tokio::test]
async fn an_upload_in_chunks_of_any_length_makes_the_file_that_was_sent() {
    for length in [1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 7] {
        for chunk in [1, 2, 7, PART - 1, PART, PART + 1, 2 * PART + 3, 1000] {
            let scene = Uploader::alone();
            let bytes = csv(length);
            let path = scene.begin(length).await;
            let mut last = None;
            for (index, piece) in bytes.chunks(chunk).enumerate() {
                if index % 5 == 4 {
                    scene.app.named_objects.evict();
                }
                let response =
                    scene.send(patch(&path, index * chunk).bytes(piece.to_vec())).await.expect(204);
                assert_eq!(response.header("upload-offset"), (index * chunk + piece.len()).to_string());
                last = Some(response);
            }
            let file = scene.assert_only_file_is(&bytes).await;
            let last = last.unwrap();
            assert_eq!(last.header("x-file-id"), file["id"], "{length} by {chunk}");
            assert!(!last.has("upload-expires"));
            assert_eq!(file["filename"], "größe.csv");
            let response = scene.send(tus(head(&path))).await.expect(200);
            assert_eq!(response.header("upload-offset"), response.header("upload-length"));
            let location = format!("/api/files/{}", file["id"].as_str().unwrap());
            assert_eq!(response.header("content-location"), location);
            scene.assert_nothing_is_left("after a whole upload").await;
        }
    }
}

#[tokio::test]
async fn a_chunk_is_received_correctly_in_pieces_of_any_length() {
    let bytes = csv(3 * PART + 5);
    for piece in [1, 3, PART - 1, PART, PART + 1] {
        let scene = Uploader::alone();
        let path = scene.begin(bytes.len()).await;
        scene.send(patch(&path, 0).stream(TestBody::in_pieces_of(&bytes, piece))).await.expect(204);
        scene.assert_only_file_is(&bytes).await;
    }
}

#[tokio::test]
async fn bytes_that_arrive_before_a_connection_breaks_are_kept() {
    let bytes = csv(2 * PART + 20);
    for broken in 0..bytes.len() {
        let scene = Uploader::alone();
        let path = scene.begin(bytes.len()).await;
        let body = TestBody::broken(&bytes, broken);
        scene.send(patch(&path, 0).header("content-length", bytes.len()).stream(body)).await.expect(400);
        if broken % 3 == 0 {
            scene.app.named_objects.evict();
        }
        assert_eq!(scene.offset(&path).await, broken);
        scene.send(patch(&path, broken).bytes(bytes[broken..].to_vec())).await.expect(204);
        scene.assert_only_file_is(&bytes).await;
    }
}

#[tokio::test]
async fn the_length_may_be_deferred_and_the_reservation_grows_with_the_bytes() {
    let bytes = csv(2 * PART + 9);
    let reserved = |scene: &Uploader<'_>| {
        scene.app.database.value("SELECT reserved_bytes AS n FROM quotas").as_u64().unwrap()
    };
    for (chunk, told_at_end) in [(10, true), (PART, true), (200, true), (10, false)] {
        let scene = Uploader::alone();
        let begin = tus(post("/api/uploads")).header("upload-defer-length", 1);
        let path = scene.send(begin).await.expect(201).header("location").to_owned();
        assert_eq!(reserved(&scene), 0);
        let response = scene.send(tus(head(&path))).await.expect(200);
        assert_eq!((response.header("upload-defer-length"), response.header("upload-length")), ("1", ""));
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
async fn a_creation_may_send_the_first_bytes_or_all_bytes() {
    let bytes = csv(PART + 10);
    for sent in [1, PART, PART + 1, bytes.len()] {
        let scene = Uploader::alone();
        let response = scene.send(create_with(bytes.len(), &bytes[..sent])).await.expect(201);
        assert_eq!(response.header("upload-offset"), sent.to_string());
        assert_eq!(response.has("x-file-id"), sent == bytes.len());
        let path = response.header("location").to_owned();
        if sent < bytes.len() {
            scene.send(patch(&path, sent).bytes(bytes[sent..].to_vec())).await.expect(204);
        }
        scene.assert_only_file_is(&bytes).await;
    }
}

#[tokio::test]
async fn an_upload_of_deferred_length_keeps_its_offset_if_a_chunk_exceeds_the_quota() {
    let app = TestApp::with(&[("DEFAULT_QUOTA_BYTES", "100")]);
    let scene = Uploader::on(app);
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
