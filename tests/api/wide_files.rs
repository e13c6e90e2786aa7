//! Files with many columns or long records. A request for such a file leases memory of the isolate for the header, the
//! profile or the profiler.

use std::fmt::Write;

use cutty::memory::budget::{Lease, Memory, WIDE_BUDGET};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Form, get, patch_json, post_json};
use crate::support::tus;

/// Returns a file with this many columns.
fn wide_csv(columns: usize) -> String {
    let mut csv = String::new();
    for column in 0..columns {
        write!(csv, "{}column {column}", if column == 0 { "" } else { "," }).unwrap();
    }
    csv + "\n" + &vec!["7"; columns].join(",") + "\n"
}

/// Leases `bytes` bytes of the memory budget for wide files, until the test drops the returned lease.
fn occupy(app: &TestApp, bytes: usize) -> Lease {
    app.memory.wide.try_lease_now(Memory::wasm(bytes), Memory::default(), app.now().instant()).unwrap()
}

#[tokio::test]
async fn an_upload_continues_without_a_profiler_if_the_profiler_gets_no_memory() {
    let long_record = format!("a,b\n1,\"{}\"\n", "x".repeat(1 << 20));
    for csv in [wide_csv(20_000), long_record] {
        let app = TestApp::new();
        let token = app.user("ada");
        let held = occupy(&app, WIDE_BUDGET.wasm / 2);
        let raw = app.upload(&token, "a.csv", csv.clone()).await;
        let by_tus = tus::create_with(csv.len(), csv.as_bytes()).bearer(&token);
        let by_tus = app.send(by_tus).await.expect(201);
        let form = Form::default().file("a.csv", csv.as_bytes()).post();
        let form = app.send(form.bearer(&token)).await.expect(201).json()["file"].clone();
        assert_eq!((&raw["rowCount"], &form["rowCount"]), (&json!(null), &json!(null)));
        assert_eq!(app.memory.wide.usage().leases, 1, "a profiler that gets no memory must hold no lease");
        drop(held);
        let by_tus = by_tus.headers["x-file-id"].to_str().unwrap().to_owned();
        let ids = [raw["id"].as_str().unwrap(), form["id"].as_str().unwrap(), &by_tus];
        for id in ids {
            app.send(get(&format!("/api/files/{id}/profile")).bearer(&token)).await;
        }
        app.deliver().await;
        for id in ids {
            let profile = app.send(get(&format!("/api/files/{id}/profile")).bearer(&token)).await.expect(200);
            assert_eq!(profile.json()["profile"]["rowCount"], 1);
        }
        // With free memory, the profile is computed during the upload.
        assert_eq!(app.upload(&token, "b.csv", csv).await["rowCount"], 1);
        assert_eq!(app.memory.wide.usage().leases, 0);
        app.assert_consistent();
    }
}

#[tokio::test]
async fn a_request_for_a_wide_file_waits_for_memory_and_then_gets_503() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", wide_csv(20_000)).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let reads = ["profile", "cut?columns=%231", "rows", "estimate", "fields", "columns?delimiter=semicolon"];
    let held = occupy(&app, WIDE_BUDGET.wasm);
    for read in reads {
        held.touch(app.now().instant());
        let call = get(&format!("{path}/{read}")).bearer(&token);
        let response = app.send(call).await;
        assert_eq!(response.headers.get("retry-after"), Some(&"5".parse().unwrap()), "{read}: {response}");
        response.expect_problem(503, "unavailable");
    }
    let save = post_json(&format!("{path}/save"), &json!({"columns": ["#1"]})).bearer(&token);
    app.send(save).await.expect_problem(503, "unavailable");
    drop(held);
    for read in reads {
        app.send(get(&format!("{path}/{read}")).bearer(&token)).await.expect(200);
        assert_eq!(app.memory.wide.usage().leases, 0, "{read}");
    }
    assert_eq!(app.memory.common.usage().leases, 0);
}

#[tokio::test]
async fn a_header_that_is_wide_only_with_another_delimiter_also_leases_memory() {
    let app = TestApp::new();
    let token = app.user("ada");
    let csv = wide_csv(20_000).replace(',', ";");
    let file = app.upload(&token, "a.csv", format!("x,y\n{csv}")).await;
    let path = format!("/api/files/{}/cut?delimiter=semicolon&limit=1", file["id"].as_str().unwrap());
    let narrow = app.upload(&token, "b.csv", "x,y\n1,2\n").await;
    let narrow = format!("/api/files/{}/cut", narrow["id"].as_str().unwrap());
    let one_record = app.upload(&token, "c.csv", csv.lines().next().unwrap().to_owned()).await;
    let one_record = format!("/api/files/{}/rows?delimiter=semicolon", one_record["id"].as_str().unwrap());
    let held = occupy(&app, WIDE_BUDGET.wasm);
    app.send(get(&narrow).bearer(&token)).await.expect(200);
    app.send(get(&path).bearer(&token)).await.expect(200);
    app.send(get(&one_record).bearer(&token)).await.expect_problem(503, "unavailable");
    drop(held);
    app.send(get(&one_record).bearer(&token)).await.expect(200);
}

#[tokio::test]
async fn a_long_response_holds_its_lease_until_it_is_sent_and_a_longer_one_is_refused() {
    let app = TestApp::new();
    let token = app.user("ada");
    let csv = "a,b\n".to_owned() + &"some text,more text\n".repeat(60_000);
    let file = app.upload(&token, "a.csv", csv).await;
    let page = get(&format!("/api/files/{}/rows?limit=10000", file["id"].as_str().unwrap())).bearer(&token);
    let page = app.send(page).await.expect(200);
    assert_eq!(page.json()["rows"].as_array().unwrap().len(), 10_000);
    assert_eq!(app.memory.large.usage().leases, 0, "a response that was read to its end must hold no lease");
    // In JSON, each character U+0001 takes six bytes (`\u0001`).
    let text = "some text,more text\n".repeat(15_000);
    let escaped = format!("a,b\n{text}1,{}\n", "\u{1}".repeat(3_000_000));
    let file = app.upload(&token, "b.csv", escaped).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let page = get(&format!("{path}/rows?offset=15000"));
    app.send(page.bearer(&token)).await.expect_problem(413, "too_large");
    app.send(get(&format!("{path}/cut")).bearer(&token)).await.expect(200);
    let name = format!("{}{},b\n1,2\n", "p".repeat(300_000), "\u{1}".repeat(3_000_000));
    let file = app.upload(&token, "c.csv", name).await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    for read in ["columns", "fields", "rows"] {
        app.send(get(&format!("{path}/{read}")).bearer(&token)).await.expect_problem(413, "too_large");
    }
    assert_eq!((app.memory.large.usage().leases, app.memory.wide.usage().leases), (0, 0));
}

#[tokio::test]
async fn a_filter_with_many_values_leases_memory() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", "a,b\n1,2\n").await;
    let path = format!("/api/files/{}/cut", file["id"].as_str().unwrap());
    let values: Vec<String> = (0..9_000).map(|value| format!("{value:06}")).collect();
    let body = json!({"filter": {"column": "a", "op": "in", "value": values}});
    let held = occupy(&app, WIDE_BUDGET.wasm);
    app.send(post_json(&path, &body).bearer(&token)).await.expect_problem(503, "unavailable");
    drop(held);
    app.send(post_json(&path, &body).bearer(&token)).await.expect(200);
    assert_eq!(app.memory.wide.usage().leases, 0);
}

#[tokio::test]
async fn a_keyed_request_with_a_body_that_is_not_json_is_refused_without_reading_the_body() {
    let app = TestApp::new();
    let token = app.user("ada");
    let call =
        crate::support::client::post("/api/files/multipart/019b7ca9-8fb3-7c3d-a578-afd89ede30b6/complete")
            .header("content-type", "text/plain")
            .header("idempotency-key", "k")
            .bytes(vec![b'x'; 4 << 20]);
    app.send(call.bearer(&token)).await.expect_problem(415, "unsupported_type");
}

#[tokio::test]
async fn a_json_body_with_many_values_is_refused_before_it_is_parsed() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = app.upload(&token, "a.csv", "a,b\n1,2\n").await;
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let values = |value: Value, count: usize| json!({"metadata": {"a": vec![value; count]}});
    for body in [values(json!({"": 0}), 100_000), values(json!([]), 200_000), values(json!(0), 300_000)] {
        let change = patch_json(&path, &body).bearer(&token);
        let problem = app.send(change).await.expect_problem(400, "bad_request");
        assert!(problem["detail"].as_str().unwrap().contains("objects and arrays"), "{problem}");
    }
}
