//! Counts: the rows that a filter keeps.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::faults::sweep_up;
use crate::support::client::{get, patch_json};
use crate::support::{Fault, On, TestApp};

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

impl Scene {
    /// Advances the clock, and signs in again.
    fn advance(&mut self, minutes: i64) {
        self.app.advance(chrono::TimeDelta::minutes(minutes));
        self.token = self.app.token_of("ada");
    }

    async fn rows(&self, query: &str) -> Value {
        let call = get(&format!("{}/rows?{query}", self.path)).bearer(&self.token);
        self.app.send(call).await.expect(200).json()
    }
}

/// Returns the numbers of the rows with an `id` that `keeps` accepts.
fn kept(keeps: impl Fn(u64) -> bool) -> Vec<u64> {
    (0..500_000).filter(|&id| keeps(id)).map(|id| id + 1).collect()
}

#[tokio::test]
async fn a_page_of_matching_rows_is_a_part_of_the_cut_before_and_after_the_count() {
    let scene = Scene::new(&large_csv()).await;
    for (query, numbers) in [
        (
            "filter=id%20BETWEEN%20100000%20AND%20149999%20OR%20id%20%3E%20490000",
            kept(|id| (100_000..150_000).contains(&id) || id > 490_000),
        ),
        ("name__endswith=77", kept(|id| id % 100 == 77)),
        ("name__regex=77%24", kept(|id| id % 100 == 77)),
        ("id__eq=x", Vec::new()),
    ] {
        for is_counted in [false, true] {
            if is_counted {
                assert_eq!(scene.count(query).await["rows"], numbers.len(), "{query}");
            }
            for offset in [0, 1, 2_499, 4_900, 4_999, 5_000, 59_990, 100_000] {
                let page = scene.rows(&format!("{query}&columns=id&limit=20&offset={offset}")).await;
                let wanted: Vec<u64> = numbers.iter().skip(offset).take(20).copied().collect();
                assert_eq!(page["rowNumbers"], json!(wanted), "{query} {offset}");
                let ids: Vec<_> = wanted.iter().map(|number| json!([(number - 1).to_string()])).collect();
                assert_eq!(page["rows"], json!(ids), "{query} {offset}");
                let reached_end = wanted.len() < 20;
                match is_counted || reached_end {
                    true => assert_eq!(page["total"], numbers.len(), "{query} {offset}"),
                    false => assert_eq!(page["total"], Value::Null, "{query} {offset}"),
                }
                let shown_to = offset + wanted.len();
                let has_more = if is_counted || reached_end { shown_to < numbers.len() } else { true };
                assert_eq!(page["hasMore"], has_more, "{query} {offset}");
            }
        }
    }
}

#[tokio::test]
async fn a_late_page_of_counted_rows_reads_only_bytes_near_it() {
    let mut scene = Scene::new(&large_csv()).await;
    let query = "name__endswith=77&limit=100&offset=4000";
    let before = scene.rows(query).await;
    scene.count("name__endswith=77").await;
    scene.advance(30);
    let key = scene.app.objects.file_keys().into_iter().find(|key| key.starts_with("uploads/")).unwrap();
    scene.app.objects.change_bytes(&key, |bytes| bytes[20 << 20] ^= 1);
    let after = scene.rows(query).await;
    assert_eq!((&before["rows"], &before["rowNumbers"]), (&after["rows"], &after["rowNumbers"]));
    assert_eq!(after["total"], 5_000, "the cache has forgotten the count, the store has not");
    assert_eq!(scene.count("name__endswith=77").await["rows"], 5_000);
    scene.advance(31);
    let call = get(&format!("{}/rows?{query}", scene.path)).bearer(&scene.token);
    scene.app.send(call).await.expect_problem(500, "integrity_error");
}

#[tokio::test]
async fn marks_are_deleted_after_an_hour_and_count_against_the_quota_until_then() {
    let scene = Scene::new(&large_csv()).await;
    let spool_bytes = || scene.app.database.value("SELECT coalesce(sum(spool_bytes), 0) FROM usage");
    let before = scene.app.objects.keys();
    scene.count("name__endswith=77").await;
    scene.count("name__endswith=78").await;
    assert_eq!(scene.app.objects.keys().len(), before.len() + 2);
    assert!(spool_bytes().as_u64().unwrap() > 10_000, "{}", spool_bytes());
    scene.app.advance(chrono::TimeDelta::minutes(61));
    scene.app.run_sweep("collect_garbage").await.unwrap();
    assert_eq!((scene.app.objects.keys(), spool_bytes()), (before, json!(0)));
}

#[tokio::test]
async fn a_count_is_right_and_leaves_nothing_behind_whatever_happens_to_its_marks() {
    let csv = format!("id,name\n{}", "7,Ada Lovelace of London\n".repeat(200_000));
    let calls = [
        On::database().about("label = "),
        On::database().about("INSERT INTO gc_queue"),
        On::objects().method("put_bytes"),
    ];
    for call in &calls {
        for fault in Fault::ALL {
            let scene = Scene::new(&csv).await;
            let (app, case) = (&scene.app, format!("{fault:?} at {call:?}"));
            app.faults.inject(fault, call.clone(), 1);
            let count = get(&format!("{}/count?id__eq=7", scene.path)).bearer(&scene.token);
            let response = app.faults.until_crash(app.send(count)).await;
            assert_eq!(app.faults.fired(), 1, "{case}");
            if let Some(response) = response {
                assert_eq!(response.expect(200).json()["count"]["rows"], 200_000, "{case}");
            }
            app.faults.clear();
            assert_eq!(scene.count("id__eq=7").await["rows"], 200_000, "{case}");
            let page = scene.rows("id__eq=7&offset=150000&limit=1").await;
            assert_eq!(page["rowNumbers"], json!([150_001]), "{case}");
            app.advance(chrono::TimeDelta::days(3));
            sweep_up(app, &case).await;
        }
    }
}
