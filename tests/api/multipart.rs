//! Uploads part by part. The parts come in any order. Some parts are repeated, missing or wrong. Faults are injected
//! into each call to a port.

use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};

use crate::support::app::break_every_call;
use crate::support::client::{Call, TestResponse, delete, get, post, post_json};
use crate::support::hashing::{sha256, sha256_hex};
use crate::support::parts::{complete, create, part};
use crate::support::seeds::Rng;
use crate::support::turns::{PendingRequest, expect_ready, run_interleaved};
use crate::support::tus;
use crate::support::uploader::{PART, Uploader, csv};
use crate::support::{Fault, On, TestApp, TestBody};

impl Uploader<'_> {
    async fn begin_in_parts(&self, size: usize) -> String {
        let response = self.send(create(size)).await.expect(201);
        let path = response.header("location").to_owned();
        assert_eq!(path, format!("/api/files/multipart/{}", response.json()["uploadId"].as_str().unwrap()));
        path
    }

    async fn put(&self, path: &str, number: usize, bytes: &[u8]) -> TestResponse {
        self.send(part(path, number, bytes)).await
    }

    /// Completes the upload from the stored parts.
    async fn complete(&self, path: &str) -> TestResponse {
        let parts = self.parts(path).await;
        self.send(complete(path, &parts)).await
    }
}

#[tokio::test]
async fn parts_in_any_order_make_a_file_that_is_verified_later() {
    let bytes = csv(3 * PART + 5);
    for order in [[1, 2, 3, 4], [4, 3, 2, 1], [3, 1, 4, 2]] {
        let app = Uploader::app();
        let scene = Uploader::new(&app);
        let path = scene.begin_in_parts(bytes.len()).await;
        let status = scene.send(get(&path)).await.expect(200).json();
        assert_eq!(
            (&status["partCount"], &status["partSize"], &status["status"]),
            (&json!(4), &json!(PART), &json!("open"))
        );
        scene.put_parts(&path, &bytes, order).await;
        scene.put(&path, 2, &bytes[PART..2 * PART]).await.expect(200);
        let status = scene.send(get(&path)).await.expect(200).json();
        assert_eq!((&status["partsUploaded"], &status["bytesUploaded"]), (&json!(4), &json!(bytes.len())));
        assert_eq!(scene.files().await.len(), 0);
        let response = scene.complete(&path).await.expect(201);
        let file = response.json()["file"].clone();
        assert_eq!((&file["checksum"], &file["verified"]), (&json!(null), &json!(false)));
        assert_eq!((&file["size"], &file["contentType"]), (&json!(bytes.len()), &json!("text/csv")));
        scene.assert_file_is(&file["id"], &bytes).await;
        app.assert_consistent();
        assert_eq!(app.deliver_twice().await, 0);
        let file = scene.files().await.swap_remove(0);
        assert_eq!((&file["checksum"], &file["verified"]), (&json!(sha256_hex(&bytes)), &json!(true)));
        let status = scene.send(get(&path)).await.expect(200).json();
        assert_eq!((&status["status"], &status["partsUploaded"]), (&json!("completed"), &json!(4)));
        assert_eq!(status["bytesUploaded"], json!(bytes.len()));
        let again = scene.send(post_json(&format!("{path}/complete"), &json!({}))).await.expect(201);
        assert_eq!(again.json()["file"]["id"], file["id"]);
        scene.put(&path, 1, &bytes[..PART]).await.expect_problem(409, "conflict");
        scene.send(delete(&path)).await.expect_problem(409, "conflict");
        scene.assert_nothing_is_left("complete").await;
    }
}

#[tokio::test]
async fn a_wrong_part_and_a_wrong_list_of_parts_are_refused_with_a_reason() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let bytes = csv(2 * PART + 5);
    let path = scene.begin_in_parts(bytes.len()).await;
    for (number, length) in
        [(1, PART - 1), (1, PART + 1), (3, PART), (3, 4), (0, PART), (4, 5), (99_999, PART)]
    {
        scene.put(&path, number, &csv(length)).await.expect_problem(400, "bad_request");
    }
    scene.put(&path, 1, b"").await.expect_problem(422, "empty_file");
    let unmeasured =
        Call::new(Method::PUT, &format!("{path}/parts/1")).stream(TestBody::from_bytes(csv(PART)));
    scene.send(unmeasured).await.expect_problem(411, "length_required");
    let mut pdf = b"%PDF-1.7".to_vec();
    pdf.resize(PART, b' ');
    scene.put(&path, 1, &pdf).await.expect_problem(415, "unsupported_type");
    let short = part(&path, 2, &bytes[PART..2 * PART]).stream(TestBody::broken(&bytes[PART..], 10));
    scene.send(short).await.expect(400);
    assert_eq!(scene.parts(&path).await.len(), 0);

    scene.put_parts(&path, &bytes, [1, 3]).await;
    let parts = scene.parts(&path).await;
    let missing = scene.send(complete(&path, &parts)).await.expect_problem(409, "conflict");
    assert_eq!(missing["missingParts"], json!([2]));
    scene.put_parts(&path, &bytes, [2]).await;
    let parts = scene.parts(&path).await;
    let named = |number: usize, etag: &str| json!({"partNumber": number, "etag": etag});
    let [one, two, three] = parts.as_slice() else { panic!("{parts:?}") };
    let lists = [
        (vec![two.clone(), one.clone(), three.clone()], 400),
        (vec![one.clone(), one.clone(), two.clone(), three.clone()], 400),
        (vec![one.clone(), two.clone(), three.clone(), named(4, "x")], 400),
        (vec![one.clone(), three.clone()], 409),
        (vec![named(1, "x"), two.clone(), three.clone()], 409),
        (vec![], 409),
    ];
    for (list, status) in lists {
        let response = scene.send(complete(&path, &list)).await;
        assert_eq!(response.status.as_u16(), status, "{response}");
    }
    let arrays: Vec<_> = parts.iter().map(|part| json!([part["partNumber"], part["etag"]])).collect();
    let problem = scene.send(complete(&path, &arrays)).await.expect_problem(400, "bad_request");
    assert_eq!(problem["field"], "parts[0]", "each part in the list must be a JSON object");
    let quoted: Vec<_> = parts
        .iter()
        .map(|part| json!({"partNumber": part["partNumber"], "etag": format!("\"{}\"", part["etag"].as_str().unwrap())}))
        .collect();
    scene.send(complete(&path, &quoted)).await.expect(201);
    scene.assert_file_is(&scene.files().await[0]["id"], &bytes).await;
}

#[tokio::test]
async fn a_part_with_a_wrong_digest_is_refused_and_does_not_replace_the_stored_part() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let bytes = csv(PART + 5);
    let path = scene.begin_in_parts(bytes.len()).await;
    let digest_of = |bytes: &[u8]| cutty::http::digest::render(&sha256(bytes));
    let (right, wrong) = (digest_of(&bytes[..PART]), digest_of(b"other"));
    let put = async |headers: &[(&'static str, &str)]| {
        let headers = headers.iter();
        let call = part(&path, 1, &bytes[..PART]);
        scene.send(headers.fold(call, |call, (name, value)| call.header(name, *value))).await
    };
    let refused: [&[(&str, &str)]; 4] = [
        &[("repr-digest", &wrong)],
        &[("content-digest", &wrong)],
        &[("repr-digest", &right), ("content-digest", &wrong)],
        &[("repr-digest", &wrong), ("content-digest", &right)],
    ];
    for headers in refused {
        put(headers).await.expect_problem(422, "digest_mismatch");
        assert_eq!(scene.parts(&path).await.len(), 0, "{headers:?}");
    }
    put(&[("repr-digest", "sha-256=x")]).await.expect_problem(400, "bad_request");
    put(&[("content-digest", "sha-512=:AAAA:")]).await.expect_problem(400, "bad_request");
    put(&[("repr-digest", &right), ("content-digest", &right)]).await.expect(200);
    let stored = scene.parts(&path).await;
    put(&[("repr-digest", &wrong)]).await.expect_problem(422, "digest_mismatch");
    assert_eq!(scene.parts(&path).await, stored);
    scene.put_parts(&path, &bytes, [2]).await;
    scene.complete(&path).await.expect(201);
    scene.assert_file_is(&scene.files().await[0]["id"], &bytes).await;
}

#[tokio::test]
async fn a_refused_creation_of_an_upload_leaves_no_row() {
    let app = TestApp::new();
    let token = app.user("ada");
    let cases = [
        (json!({"filename": "a.csv", "size": 0}), 422, "empty_file"),
        (json!({"filename": "a.csv", "size": 60_000_000_000_u64}), 413, "too_large"),
        (json!({"filename": "a.csv", "size": 20_000_000_000_u64}), 507, "quota_exceeded"),
        (json!({"filename": "a.csv", "size": 10, "partSize": 5_242_879}), 400, "bad_request"),
        (json!({"filename": "a.csv", "size": 10, "partSize": 99_614_721}), 400, "bad_request"),
        (json!({"filename": "a/b.csv", "size": 10}), 422, "bad_name"),
        (json!({"filename": "a.csv", "size": 10, "metadata": {"a": {}}}), 400, "bad_metadata"),
        (json!({"filename": "a.csv", "size": 10, "expiresAt": "yesterday"}), 400, "bad_metadata"),
        (json!({"filename": "a.csv"}), 400, "bad_request"),
        (json!({"filename": "a.csv", "size": -1}), 400, "bad_request"),
    ];
    for (body, status, code) in cases {
        let response = app.send(post_json("/api/files/multipart", &body).bearer(&token)).await;
        assert_eq!(response.status.as_u16(), status, "{body}: {response}");
        response.expect_problem(status, code);
    }
    assert_eq!(app.database.row_counts()["multipart_uploads"], 0);
    assert_eq!(app.database.row_counts()["gc_queue"], 0);
    let body = json!({"filename": "a.csv", "size": 52_428_800, "partSize": 10_485_760, "tags": ["x"], "metadata": {"k": 1}});
    let response = app.send(post_json("/api/files/multipart", &body).bearer(&token)).await.expect(201).json();
    assert_eq!((&response["partSize"], &response["partCount"]), (&json!(10_485_760), &json!(5)));
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let bytes = csv(7 * PART);
    let path = scene.begin_in_parts(bytes.len()).await;
    scene.put_parts(&path, &bytes, [5, 1, 7, 2, 3]).await;
    let page = async |query: &str| scene.send(get(&format!("{path}/parts?{query}"))).await.expect(200).json();
    let numbers = |page: &Value| -> Vec<u64> {
        page["parts"].as_array().unwrap().iter().map(|part| part["partNumber"].as_u64().unwrap()).collect()
    };
    let first = page("limit=2").await;
    assert_eq!((numbers(&first), &first["nextAfter"]), (vec![1, 2], &json!(2)));
    let second = page("limit=2&after=2").await;
    assert_eq!((numbers(&second), &second["nextAfter"]), (vec![3, 5], &json!(5)));
    let last = page("limit=2&after=5").await;
    assert_eq!(
        (numbers(&last), &last["hasMore"], &last["nextAfter"]),
        (vec![7], &json!(false), &json!(null))
    );
}

#[tokio::test]
async fn an_aborted_or_expired_upload_leaves_no_parts() {
    for expired in [false, true] {
        let app = Uploader::app();
        let scene = Uploader::new(&app);
        let bytes = csv(2 * PART);
        let path = scene.begin_in_parts(bytes.len()).await;
        scene.put_parts(&path, &bytes, [1, 2]).await;
        let parts = scene.parts(&path).await;
        match expired {
            false => drop(scene.send(delete(&path)).await.expect(204)),
            true => app.advance(TimeDelta::days(6)),
        }
        scene.put(&path, 1, &bytes[..PART]).await.expect_problem(410, "gone");
        scene.send(complete(&path, &parts)).await.expect_problem(410, "gone");
        scene.send(delete(&path)).await.expect_problem(410, "gone");
        if !expired {
            let status = scene.send(get(&path)).await.expect(200).json();
            assert_eq!(status["status"], "aborted");
        }
        scene.assert_nothing_is_left("after an abort or expiry").await;
    }
}

#[tokio::test]
async fn the_routes_for_parts_do_not_find_a_tus_upload() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let path = scene.begin_by(tus::create(10)).await;
    let id = path.rsplit('/').next().unwrap();
    scene.send(get(&format!("/api/files/multipart/{id}"))).await.expect_problem(404, "not_found");
}

/// Uploads a file and repeats each request that fails, as a script does.
async fn upload_with_retries(scene: &Uploader<'_>, bytes: &[u8]) {
    'begin: for _ in 0..10 {
        let begun = scene.send(create(bytes.len())).await;
        if begun.status != 201 {
            continue;
        }
        let path = begun.header("location").to_owned();
        for (number, piece) in (1..).zip(bytes.chunks(PART)) {
            while scene.put(&path, number, piece).await.status != 200 {}
        }
        for _ in 0..10 {
            let listed = scene.send(get(&format!("{path}/parts"))).await;
            if listed.status != 200 {
                continue;
            }
            let parts = listed.json()["parts"].as_array().unwrap().clone();
            match scene.send(complete(&path, &parts)).await.status.as_u16() {
                201 => return,
                410 => continue 'begin,
                _ => {}
            }
        }
    }
    panic!("the upload does not end");
}

#[tokio::test]
async fn an_upload_in_parts_succeeds_after_any_fault_if_the_client_retries() {
    let bytes = csv(PART + 9);
    let broken = break_every_call(
        async || Uploader::app(),
        async |app| upload_with_retries(&Uploader::new(app), &bytes).await,
        async |app, case| {
            let scene = Uploader::new(app);
            app.assert_consistent();
            upload_with_retries(&scene, &bytes).await;
            let files = scene.files().await;
            assert!((1..=2).contains(&files.len()), "{case}: {} files", files.len());
            for file in &files {
                scene.assert_file_is(&file["id"], &bytes).await;
            }
            assert_eq!(app.deliver().await, 0);
            scene.assert_nothing_is_left(case).await;
        },
    )
    .await;
    assert!(broken > 60, "{broken}");
}

#[tokio::test]
async fn an_abort_after_an_interrupted_completion_leaves_no_temporary_row_and_no_temporary_object() {
    let bytes = csv(2 * PART);
    for nth in 1..=3 {
        let app = Uploader::app();
        let scene = Uploader::new(&app);
        let path = scene.begin_in_parts(bytes.len()).await;
        scene.put_parts(&path, &bytes, [1, 2]).await;
        let parts = scene.parts(&path).await;
        let complete = || complete(&path, &parts);
        app.faults.inject(Fault::DoneButReportedFailed, On::objects(), nth);
        scene.send(complete()).await;
        app.faults.clear();
        scene.send(delete(&path)).await;
        scene.send(complete()).await;
        app.assert_consistent();
        scene.assert_nothing_is_left("after an interrupted completion").await;
    }
}

#[tokio::test]
async fn each_request_of_an_upload_makes_the_documented_number_of_calls() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let bytes = csv(2 * PART);
    let cost = async |call: Call| {
        app.faults.forget_calls();
        let response = scene.send(call).await;
        (response, [On::database(), On::objects(), On::queue()].map(|port| app.faults.count(&port)))
    };
    let (response, begun) = cost(create(bytes.len())).await;
    let path = response.header("location").to_owned();
    assert_eq!(begun, [2, 1, 0]);
    assert_eq!(cost(part(&path, 1, &bytes[..PART])).await.1, [3, 1, 0]);
    assert_eq!(cost(part(&path, 2, &bytes[PART..])).await.1, [3, 1, 0]);
    assert_eq!(cost(get(&path)).await.1, [3, 0, 0]);
    let (listed, cost_of_list) = cost(get(&format!("{path}/parts"))).await;
    assert_eq!(cost_of_list, [3, 0, 0]);
    let parts = listed.json()["parts"].as_array().unwrap().clone();
    assert_eq!(cost(complete(&path, &parts)).await.1, [4, 1, 1]);
    let path = scene.begin_in_parts(10).await;
    assert_eq!(cost(delete(&path)).await.1, [3, 1, 0]);
}

#[test]
fn either_a_completion_or_a_concurrent_abort_succeeds_but_not_both() {
    let bytes = csv(2 * PART);
    let mut kept = 0;
    for seed in 0..60 {
        let app = Uploader::app();
        let scene = Uploader::new(&app);
        let path = expect_ready(scene.begin_in_parts(bytes.len()));
        expect_ready(scene.put_parts(&path, &bytes, [1, 2]));
        let parts = expect_ready(scene.parts(&path));
        let work: Vec<PendingRequest<'_, TestResponse>> =
            vec![Box::pin(scene.send(complete(&path, &parts))), Box::pin(scene.send(delete(&path)))];
        let outcomes = run_interleaved(&app.faults, &mut Rng::new(seed), work, None);
        let statuses: Vec<u16> =
            outcomes.into_iter().flatten().map(|response| response.status.as_u16()).collect();
        let files = expect_ready(scene.files()).len();
        let wanted: &[[u16; 2]] = match files {
            1 => &[[201, 409]],
            _ => &[[409, 204], [410, 204], [503, 204]],
        };
        assert!(
            wanted.iter().any(|wanted| *wanted == *statuses),
            "seed {seed}: {statuses:?} with {files} files"
        );
        kept += files;
        expect_ready(scene.assert_nothing_is_left("after concurrent requests"));
    }
    assert!((1..60).contains(&kept), "{kept}");
}

#[tokio::test]
async fn tags_in_json_may_contain_commas_and_quotes() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let tags = json!(["a,b", "say \"x\"", "plain"]);
    let body = json!({"filename": "a.csv", "size": 10, "tags": tags});
    let path =
        scene.send(post_json("/api/files/multipart", &body)).await.expect(201).header("location").to_owned();
    scene.put_parts(&path, &csv(10), [1]).await;
    let file = scene.complete(&path).await.expect(201).json()["file"].clone();
    let id = file["id"].as_str().unwrap();
    let kept = app
        .database
        .rows(&format!("SELECT tag FROM file_tags WHERE kind = 'user' AND file_id = '{id}' ORDER BY tag"));
    let kept: Vec<_> = kept.iter().map(|row| row["tag"].as_str().unwrap()).collect();
    assert_eq!(kept, ["a,b", "plain", "say \"x\""]);
}

#[tokio::test]
async fn a_number_of_the_metadata_that_would_lose_digits_is_refused() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    for (number, status) in
        [("0.12345678901234567890123", 400), ("1e-400", 400), ("12345678901234567890", 201)]
    {
        let body = format!(r#"{{"filename": "a.csv", "size": 10, "metadata": {{"k": {number}}}}}"#);
        let call = post("/api/files/multipart").header("content-type", "application/json").bytes(body);
        assert_eq!(scene.send(call).await.status, status, "{number}");
    }
}

#[tokio::test]
async fn a_page_after_the_last_part_is_empty() {
    let app = Uploader::app();
    let scene = Uploader::new(&app);
    let path = scene.begin_in_parts(10).await;
    for after in [10_001, u64::MAX] {
        let page = scene.send(get(&format!("{path}/parts?after={after}"))).await.expect(200).json();
        assert_eq!(page["parts"], json!([]));
    }
}
