//! How the service stores received bytes: parts, rows, and the calls of each request.

use chrono::TimeDelta;
use cutty::config::Config;
use cutty::domain::ids::AttemptId;

use crate::support::client::{Call, delete, head};
use crate::support::tus::{create, patch, tus};
use crate::support::uploader::{PART, Uploader, csv};
use crate::support::{On, TestApp, TestBody};

#[tokio::test]
async fn several_chunks_of_one_byte_are_stored_in_one_row() {
    let mut config = TestApp::new().app.config.clone();
    config.max_chunk_size_bytes = 300_000;
    let app = TestApp::configured(config);
    let scene = Uploader::on(app);
    let path = scene.begin(300_000).await;
    let upload = AttemptId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let bytes = csv(300_000);
    let mut offset = 0;
    for chunk in [1, 1, 1, 64 << 10, 1, 1, 100_000, 1, 1, 1] {
        scene.send(patch(&path, offset).bytes(bytes[offset..offset + chunk].to_vec())).await.expect(204);
        offset += chunk;
    }
    let rows: Vec<usize> = scene
        .app
        .named_objects
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
async fn parts_have_equal_length_and_their_number_is_within_the_limit() {
    let parts = |config: &Config, length: u64| {
        let part = cutty::storage::resumable::limits::part_bytes(config, length) as u64;
        (part, length.div_ceil(part))
    };
    let config = TestApp::new().app.config.clone();
    assert_eq!(parts(&config, 1), (5 << 20, 1));
    assert_eq!(parts(&config, 50_000 << 20), (5 << 20, 10_000));
    assert_eq!(parts(&config, (50_000 << 20) + 1), ((5 << 20) + 1, 10_000));
    assert_eq!(parts(&config, 50 << 30), (5_368_710, 9_999.max(parts(&config, 50 << 30).1)));
}

#[tokio::test]
async fn requests_without_bytes_do_not_make_parts_longer() {
    let scene = Uploader::alone();
    let file = csv(4 * PART + 1);
    let path = scene.begin(file.len()).await;
    let first = &file[..4 * PART];
    for _ in 0..3 {
        let broken = patch(&path, 0).header("content-length", first.len()).stream(TestBody::broken(first, 0));
        scene.send(broken).await.expect(400);
    }
    scene.app.faults.forget_calls();
    scene.send(patch(&path, 0).bytes(first.to_vec())).await.expect(204);
    assert_eq!(
        scene.app.faults.count(&On::objects()),
        3,
        "one call must create the multipart upload, and two calls must store its parts"
    );
    scene.send(patch(&path, first.len()).bytes(file[first.len()..].to_vec())).await.expect(204);
    scene.assert_only_file_is(&file).await;
}

#[tokio::test]
async fn a_chunk_longer_than_the_minimum_part_length_is_stored_as_one_part() {
    const CHUNK: usize = PART + PART / 2;
    let scene = Uploader::alone();
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
async fn each_request_of_an_upload_makes_the_documented_number_of_calls() {
    let scene = Uploader::alone();
    let cost = async |call: Call| {
        scene.app.faults.forget_calls();
        let response = scene.send(call).await;
        let ports = [On::database(), On::objects(), On::named_objects(), On::queue()];
        (response, ports.map(|port| scene.app.faults.count(&port)))
    };
    let (response, begun) = cost(create(3 * PART)).await;
    let path = response.header("location").to_owned();
    assert_eq!(begun, [2, 0, 2, 0]);
    assert_eq!(cost(tus(head(&path))).await.1, [0, 0, 1, 0]);
    assert_eq!(
        cost(patch(&path, 0).bytes(csv(PART))).await.1,
        [1, 2, 2, 0],
        "the first part must create the multipart upload"
    );
    let rest = csv(3 * PART);
    let waits = cost(patch(&path, PART).bytes(rest[PART..PART + 1].to_vec())).await.1;
    assert_eq!(waits, [0, 0, 2, 0], "the session must keep bytes that do not fill a part");
    scene.app.advance(TimeDelta::minutes(1));
    scene.app.know_switches();
    assert_eq!(
        cost(patch(&path, PART + 1).bytes(rest[PART + 1..2 * PART + 1].to_vec())).await.1,
        [1, 1, 2, 0],
        "the account must be read once a minute"
    );
    assert_eq!(cost(patch(&path, 2 * PART + 1).bytes(rest[2 * PART + 1..].to_vec())).await.1, [1, 3, 2, 0]);
    assert_eq!(
        cost(tus(head(&path))).await.1,
        [1, 0, 1, 0],
        "the session of a complete upload reads the row of the file"
    );
    let path = scene.begin(10).await;
    assert_eq!(
        cost(patch(&path, 0).bytes(csv(10))).await.1,
        [1, 2, 2, 0],
        "one put must store the file, and one put must store its profile"
    );
    let path = scene.begin(3 * PART).await;
    scene.send(patch(&path, 0).bytes(csv(PART + 1))).await.expect(204);
    assert_eq!(cost(tus(delete(&path))).await.1, [2, 1, 1, 0]);
}

#[tokio::test]
async fn chunks_of_a_deleted_account_are_refused_within_a_minute() {
    let scene = Uploader::alone();
    let path = scene.begin(3 * PART).await;
    let upload = AttemptId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let file = csv(3 * PART);
    let step = |offset: usize| patch(&path, offset).bytes(file[offset..offset + PART].to_vec());
    scene.send(step(0)).await.expect(204);
    scene.app.database.execute("DELETE FROM users");
    scene.send(step(PART)).await.expect(204);
    let kept = scene.app.named_objects.rows_of(upload);
    for wait in [TimeDelta::minutes(1), TimeDelta::zero()] {
        scene.app.advance(wait);
        scene.send(step(2 * PART)).await.expect(401);
        scene.send(tus(head(&path))).await.expect(401);
        scene.send(tus(delete(&path))).await.expect(401);
        assert_eq!(scene.app.named_objects.rows_of(upload), kept);
        scene.app.named_objects.evict();
    }
}
