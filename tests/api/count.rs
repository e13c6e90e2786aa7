//! Counts: the rows that a filter keeps.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::client::{get, patch_json};
use crate::support::{On, TestApp};

struct Scene {
    app: TestApp,
    token: String,
    path: String,
}

impl Scene {
    async fn new(csv: &str) -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        let file = app.upload(&token, "a.csv", csv.to_owned()).await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        Self { app, token, path }
    }

    async fn count(&self, query: &str) -> Value {
        let call = get(&format!("{}/count?{query}", self.path)).bearer(&self.token);
        self.app.send(call).await.expect(200).json()["count"].clone()
    }
}

/// Returns a file of more than 33 MB, sorted by its first column.
fn large_csv() -> String {
    let mut csv = String::from("id,name\n");
    for id in 0..500_000 {
        writeln!(csv, "{id},{:060}", id % 1000).unwrap();
    }
    csv
}

#[tokio::test]
async fn a_count_is_the_number_of_rows_of_the_cut() {
    let scene = Scene::new("id,city\n1,Bern\n2,Oslo\n3,Bern\n4,\n").await;
    for (query, rows) in [
        ("", 4),
        ("city__eq=Bern", 2),
        ("filter=city%20%3D%20Bern%20OR%20id%20%3E%203", 3),
        ("q=o", 1),
        ("id__gt=2&city__isempty=", 1),
        ("inputHeader=false&column_2__eq=city", 1),
        ("id__gt=9", 0),
    ] {
        let cut = get(&format!("{}/cut?{query}&header=false", scene.path)).bearer(&scene.token);
        let cut = scene.app.send(cut).await.expect(200).text().lines().count();
        let count = scene.count(query).await;
        assert_eq!((&count["rows"], &count["exact"]), (&json!(rows), &json!(true)), "{query}");
        if query != "inputHeader=false&column_2__eq=city" {
            assert_eq!(cut, rows, "{query}");
        }
    }
}

#[tokio::test]
async fn a_count_skips_bytes_and_is_cached_for_the_version_and_the_reading_of_the_file() {
    let scene = Scene::new(&large_csv()).await;
    let count = scene.count("id__between=60000,60009").await;
    assert_eq!(count["rows"], 10);
    let (scanned, skipped) =
        (count["bytesScanned"].as_u64().unwrap(), count["bytesSkipped"].as_u64().unwrap());
    assert!(scanned < 4 << 20 && skipped > 28 << 20, "{count}");
    scene.app.faults.forget_calls();
    assert_eq!(scene.count("id__between=60000,60009").await, count);
    assert_eq!(scene.count("").await["rows"], 500_000);
    assert_eq!(scene.app.faults.count(&On::objects()), 0, "these counts must read no object");
    let change = patch_json(&scene.path, &json!({"dialect": {"inputHeader": false}})).bearer(&scene.token);
    scene.app.send(change).await.expect(200);
    let other = get(&format!("{}/count?id__between=60000,60009", scene.path)).bearer(&scene.token);
    scene.app.send(other).await.expect_problem(400, "unknown_column");
    assert_eq!(scene.count("column_1__eq=id").await["rows"], 1);
}

#[tokio::test]
async fn lines_of_progress_end_with_the_count_or_with_the_problem() {
    let scene = Scene::new(&large_csv()).await;
    let lines = |query: &str| {
        get(&format!("{}/count?{query}", scene.path))
            .bearer(&scene.token)
            .header("accept", "application/x-ndjson")
    };
    let response = scene.app.send(lines("name__endswith=7")).await.expect(200);
    assert_eq!(response.header("content-type"), "application/x-ndjson");
    let lines_of =
        |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let found = lines_of(response.text());
    assert!(found.len() >= 3, "{found:?}");
    let (last, progress) = found.split_last().unwrap();
    assert_eq!((&last["count"]["rows"], &last["count"]["exact"]), (&json!(50_000), &json!(true)), "{last}");
    for accept in ["application/x-ndjson;q=0", "application/json", "*/*"] {
        let call = get(&format!("{}/count", scene.path)).bearer(&scene.token).header("accept", accept);
        let response = scene.app.send(call).await.expect(200);
        assert_eq!(response.header("content-type"), "application/json", "{accept}");
    }
    let mut before = 0;
    for line in progress {
        let rows = line["progress"]["rows"].as_u64().unwrap();
        assert!(
            rows > before
                && line["progress"]["exact"] == false
                && line["bytesTotal"].as_u64().unwrap() > 30 << 20
        );
        before = rows;
    }
    let strange = Scene::new(&format!("a,b\n{}1,\"{}\n", "1,2\n".repeat(10), "x".repeat(5 << 20))).await;
    let call = get(&format!("{}/count?a__eq=1&delimiter=comma", strange.path)).bearer(&strange.token);
    strange.app.send(call).await.expect_problem(422, "malformed_csv");
    let unread = get(&format!(
        "{}/count?a__eq=1&delimiter=comma&skipRows=1&inputHeader=false&column_1__eq=1",
        strange.path
    ));
    strange.app.send(unread.bearer(&strange.token)).await.expect_problem(400, "unknown_column");
}

#[tokio::test]
async fn options_that_do_not_change_the_number_of_rows_are_refused() {
    let scene = Scene::new("a\n1\n").await;
    for query in ["limit=5", "columns=a", "format=json", "nope=1", "offset=1"] {
        let call = get(&format!("{}/count?{query}", scene.path)).bearer(&scene.token);
        scene.app.send(call).await.expect_problem(400, "unknown_option");
    }
    let call = get(&format!("{}/count?a__gt=x", scene.path)).bearer(&scene.token);
    scene.app.send(call).await.expect_problem(400, "bad_filter");
}

#[tokio::test]
async fn damaged_bytes_end_a_count_with_a_problem_that_is_logged() {
    let scene = Scene::new(&large_csv()).await;
    let key = scene.app.objects.file_keys().remove(0);
    scene.app.objects.change_bytes(&key, |bytes| {
        let last = bytes.len() - 3;
        bytes[last] ^= 1;
    });
    scene.app.log.take();
    let call = get(&format!("{}/count?name__endswith=7", scene.path))
        .bearer(&scene.token)
        .header("accept", "application/x-ndjson");
    let response = scene.app.send(call).await.expect(200);
    let last: Value = serde_json::from_str(response.text().lines().last().unwrap()).unwrap();
    assert_eq!((&last["success"], &last["code"]), (&json!(false), &json!("integrity_error")));
    let logged = scene.app.log.with("error_code", "integrity_error");
    assert_eq!(logged.len(), 1);
    assert_eq!(logged[0]["request_id"], last["requestId"]);
}
