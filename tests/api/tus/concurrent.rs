//! Concurrent requests to one upload.

use std::sync::atomic::Ordering;

use crate::support::TestBody;
use crate::support::client::head;
use crate::support::tus::{patch, tus};
use crate::support::uploader::{PART, Uploader, csv};

#[tokio::test]
async fn a_newer_request_interrupts_a_hanging_request_and_the_received_bytes_are_kept() {
    let bytes = csv(3 * PART);
    for received in [0, 10, PART, PART + 10] {
        let scene = Uploader::alone();
        let path = scene.begin(bytes.len()).await;
        let (body, _still_open) = TestBody::hanging(&bytes[..received]);
        let slow = patch(&path, 0).header("content-length", bytes.len()).stream(body);
        let (slow, (offset, response)) = tokio::join!(scene.send(slow), async {
            tokio::task::yield_now().await;
            let offset = scene.offset(&path).await;
            (offset, scene.send(patch(&path, offset).bytes(bytes[offset..].to_vec())).await)
        });
        slow.expect_problem(409, "in_progress");
        assert_eq!(offset, received);
        response.expect(204);
        scene.assert_only_file_is(&bytes).await;
    }
}

#[tokio::test]
async fn a_request_at_a_wrong_offset_does_not_interrupt_the_running_request() {
    let bytes = csv(3 * PART);
    let scene = Uploader::alone();
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
async fn concurrent_writers_never_mix_their_bytes() {
    let bytes = csv(5 * PART + 3);
    let scene = Uploader::alone();
    let path = scene.begin(bytes.len()).await;
    let writer = async |piece: usize| {
        for _ in 0..400 {
            let response = scene.send(tus(head(&path))).await;
            if response.status != 200 || response.has("x-file-id") {
                return;
            }
            let offset: usize = response.header("upload-offset").parse().unwrap();
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
