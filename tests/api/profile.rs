//! The service profiles a file during its upload and stores the profile beside the file. With the profile, later
//! requests read fewer bytes.

use std::fmt::Write;

use chrono::TimeDelta;
use cutty::domain::ids::AttemptId;
use cutty::domain::reading;
use cutty::storage::profiling::pass::PassStep;
use serde_json::{Value, json};

use super::cut::Cutter;
use crate::support::client::{Form, delete, get, post_json};
use crate::support::{Fault, On, TestApp};

/// Returns a file of about 4.2 MiB, sorted by its first column.
fn sorted_csv() -> String {
    let mut csv = String::from("id,name,score\n");
    for id in 0..120_000 {
        writeln!(csv, "{id},\"name of {id}, quoted\",{}.{:02}", id % 1000, id % 97).unwrap();
    }
    csv
}

async fn profile_of(app: &TestApp, token: &str, id: &str) -> Value {
    let response = app.send(get(&format!("/api/files/{id}/profile")).bearer(token)).await;
    response.expect(200).json()["profile"].clone()
}

#[tokio::test]
async fn every_upload_route_profiles_the_file_during_the_upload() {
    let app = TestApp::new();
    let token = app.user("ada");
    let csv = "age,city\n31,Bern\n,\"New\nYork\"\n7,Bern\n";
    let raw = app.upload(&token, "a.csv", csv).await;
    let form = Form::default().file("a.csv", csv.as_bytes()).post().bearer(&token);
    let form = app.send(form).await.expect(201).json()["file"].clone();
    let save = post_json(&format!("/api/files/{}/save", raw["id"].as_str().unwrap()), &json!({}));
    let saved = app.send(save.bearer(&token)).await.expect(201).json()["file"].clone();
    for file in [raw, form, saved] {
        assert_eq!((&file["rowCount"], &file["columnCount"]), (&json!(3), &json!(2)), "{file}");
        let id = file["id"].as_str().unwrap();
        let profile = profile_of(&app, &token, id).await;
        assert_eq!(profile["rowCount"], 3);
        assert_eq!(profile["columns"][0]["type"], "integer", "{profile}");
        assert_eq!(profile["columns"][0]["empties"], 1);
        app.faults.forget_calls();
        let columns =
            app.send(get(&format!("/api/files/{id}/columns")).bearer(&token)).await.expect(200).json();
        assert_eq!(columns["columns"][0], json!({"name": "age", "index": 1, "type": "integer"}));
        let fields =
            app.send(get(&format!("/api/files/{id}/fields")).bearer(&token)).await.expect(200).json();
        assert_eq!((&fields["fields"], &fields["rowCount"]), (&json!(["age", "city"]), &json!(3)));
        assert_eq!(app.faults.count(&On::objects()), 0, "these two routes must read no object");
    }
    app.assert_consistent();
}

/// Returns an application, the token of a user, and a file of this user. The profile of the file could not be stored.
async fn with_unprofiled_file() -> (TestApp, String, Value) {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(Fault::Failed, On::objects().method("put_bytes"), 1);
    let file = app.upload(&token, "a.csv", "a\n1\n2\n").await;
    app.faults.clear();
    (app, token, file)
}

#[tokio::test]
async fn a_file_whose_profile_could_not_be_stored_is_usable_and_profiled_later() {
    let (app, token, file) = with_unprofiled_file().await;
    let id = file["id"].as_str().unwrap();
    assert_eq!(file["rowCount"], Value::Null);
    let ask = get(&format!("/api/files/{id}/profile")).bearer(&token);
    let waiting = app.send(ask).await;
    assert_eq!(waiting.header("retry-after"), "5");
    waiting.expect_problem(409, "in_progress");
    assert_eq!(app.deliver_twice().await, 0);
    assert_eq!(profile_of(&app, &token, id).await["rowCount"], 2);
    app.assert_consistent();
}

#[tokio::test]
async fn the_sweep_queues_a_job_for_each_file_without_a_profile() {
    let (app, token, file) = with_unprofiled_file().await;
    app.advance(TimeDelta::minutes(11));
    app.sweep(app.now()).await.unwrap();
    assert_eq!(app.deliver().await, 0);
    assert_eq!(profile_of(&app, &token, file["id"].as_str().unwrap()).await["rowCount"], 2);
}

#[tokio::test]
async fn a_background_pass_in_steps_makes_the_same_profile_as_an_upload_and_leaves_no_temporary_object() {
    let app = TestApp::new();
    let token = app.user("ada");
    let csv = sorted_csv();
    let known = app.upload(&token, "a.csv", csv.clone()).await;
    let wanted = profile_of(&app, &token, known["id"].as_str().unwrap()).await;

    app.faults.inject(Fault::Failed, On::objects().method("put_bytes"), 1);
    let file = app.upload(&token, "b.csv", csv).await;
    app.faults.clear();
    app.database.execute("UPDATE files SET checksum = NULL WHERE filename = 'b.csv'");
    let attempt = AttemptId::parse(file["etag"].as_str().unwrap()).unwrap();
    let mut steps = 0;
    while app.learn(attempt, 1 << 20).await.unwrap() == PassStep::More {
        steps += 1;
    }
    assert!(steps >= 3, "{steps} steps");
    assert_eq!(app.learn(attempt, 1 << 20).await.unwrap(), PassStep::NothingToDo);
    let id = file["id"].as_str().unwrap();
    assert_eq!(profile_of(&app, &token, id).await, wanted);
    let learned = app.send(get(&format!("/api/files/{id}/metadata")).bearer(&token)).await.expect(200).json();
    assert_eq!(learned["file"]["checksum"], known["checksum"]);
    app.assert_consistent();
    app.sweep(app.now()).await.unwrap();
    app.advance(TimeDelta::hours(25));
    app.sweep(app.now()).await.unwrap();
    assert!(!app.objects.keys().iter().any(|key| key.starts_with("temp/")), "{:?}", app.objects.keys());
}

#[tokio::test]
async fn a_background_pass_that_cannot_restore_its_state_ends_and_is_retried_later() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(Fault::Failed, On::objects().method("put_bytes"), 1);
    let file = app.upload(&token, "b.csv", sorted_csv()).await;
    app.faults.clear();
    app.queue.take();
    app.database.execute("UPDATE files SET checksum = NULL");
    let attempt = AttemptId::parse(file["etag"].as_str().unwrap()).unwrap();
    // Truncates the saved state after every step, so that the next step cannot restore it.
    let try_on = async || {
        for steps in 0..40 {
            if app.learn(attempt, 1 << 20).await.unwrap() != PassStep::More {
                return steps;
            }
            for key in app.objects.keys().into_iter().filter(|key| key.starts_with("temp/")) {
                app.objects.truncate(&key, 7);
            }
        }
        panic!("the pass does not end");
    };
    assert_eq!(try_on().await, 5);
    assert_eq!(app.database.row_counts()["jobs"], 0, "the pass must have ended");
    app.advance(TimeDelta::minutes(11));
    assert_eq!(
        try_on().await,
        1,
        "a file may have 5 tries, and the number grows evenly by 5 per day; after 11 minutes, a sixth try must be allowed"
    );
    app.queue.take();
    app.faults.forget_calls();
    for _ in 0..3 {
        app.advance(TimeDelta::minutes(11));
        app.sweep(app.now()).await.unwrap();
        assert_eq!(app.learn(attempt, 1 << 20).await.unwrap(), PassStep::TriedTooOften);
    }
    assert_eq!(app.queue.take().len(), 0, "no further step may be queued");
    assert_eq!(
        app.faults.count(&On::objects().method("get").prefix("uploads/")),
        0,
        "the object must not be read"
    );

    app.advance(TimeDelta::days(1));
    app.sweep(app.now()).await.unwrap();
    assert_eq!(app.deliver().await, 0);
    let id = file["id"].as_str().unwrap();
    let learned = app.send(get(&format!("/api/files/{id}/metadata")).bearer(&token)).await.expect(200).json();
    assert_eq!((&learned["file"]["verified"], &learned["file"]["rowCount"]), (&json!(true), &json!(120_000)));
    app.advance(TimeDelta::hours(25));
    app.sweep(app.now()).await.unwrap();
    app.advance(TimeDelta::hours(25));
    app.sweep(app.now()).await.unwrap();
    assert!(!app.objects.keys().iter().any(|key| key.starts_with("temp/")), "{:?}", app.objects.keys());
}

#[tokio::test]
async fn a_background_pass_ends_if_it_keeps_failing_and_continues_if_it_makes_progress() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(Fault::Failed, On::objects().method("put_bytes"), 1);
    let file = app.upload(&token, "b.csv", sorted_csv()).await;
    app.faults.clear();
    let attempt = AttemptId::parse(file["etag"].as_str().unwrap()).unwrap();
    let step = async || app.learn(attempt, 200_000).await;
    let mut steps = 0;
    while app.database.row_counts()["jobs"] == 0 || steps < 10 {
        assert_eq!(step().await.unwrap(), PassStep::More);
        steps += 1;
    }
    assert_eq!(
        app.database.value("SELECT learn_tries FROM files"),
        1,
        "only the first step must count as a try"
    );
    app.faults.always(Fault::Failed, On::objects().method("get"));
    let mut failed = 0;
    while step().await.is_err() {
        failed += 1;
        assert!(failed < 10, "the pass is retried without end");
    }
    assert_eq!(failed, 4);
    app.faults.clear();
    assert_eq!(step().await.unwrap(), PassStep::TriedTooOften);
    assert_eq!(app.database.row_counts()["jobs"], 0, "the state of the pass must be deleted");
    app.advance(TimeDelta::days(1));
    app.sweep(app.now()).await.unwrap();
    assert_eq!(app.deliver().await, 0);
    assert_eq!(app.database.value("SELECT checksum IS NOT NULL AND profile_bytes > 0 FROM files"), 1);
}

#[tokio::test]
async fn a_background_pass_over_a_deleted_file_leaves_no_saved_state() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(Fault::Failed, On::objects().method("put_bytes"), 1);
    let file = app.upload(&token, "b.csv", sorted_csv()).await;
    app.faults.clear();
    let attempt = AttemptId::parse(file["etag"].as_str().unwrap()).unwrap();
    assert_eq!(app.learn(attempt, 1 << 20).await.unwrap(), PassStep::More);
    let id = file["id"].as_str().unwrap();
    app.send(delete(&format!("/api/files/{id}?permanent=true")).bearer(&token)).await.expect(200);
    assert_eq!(app.deliver().await, 0);
    assert_eq!(app.database.row_counts()["jobs"], 0);
}

#[tokio::test]
async fn a_file_is_verified_after_an_outage_of_any_length() {
    let (app, token, file) = with_unprofiled_file().await;
    app.queue.take();
    app.database.execute("UPDATE files SET checksum = NULL");
    app.faults.always(Fault::Failed, On::objects());
    for _ in 0..12 {
        app.advance(TimeDelta::minutes(11));
        app.sweep(app.now()).await.unwrap();
        let _failed = app.deliver().await;
        app.queue.take();
    }
    app.faults.clear();
    assert!(app.database.value("SELECT learn_tries FROM files").as_u64() < Some(7));
    app.advance(TimeDelta::days(1));
    app.sweep(app.now()).await.unwrap();
    assert_eq!(app.deliver().await, 0);
    let id = file["id"].as_str().unwrap();
    let learned = app.send(get(&format!("/api/files/{id}/metadata")).bearer(&token)).await.expect(200).json();
    assert_eq!(learned["file"]["verified"], true);
}

#[tokio::test]
async fn a_running_background_pass_is_not_started_twice() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(Fault::Failed, On::objects().method("put_bytes"), 1);
    let file = app.upload(&token, "b.csv", sorted_csv()).await;
    app.faults.clear();
    app.queue.take();
    let attempt = AttemptId::parse(file["etag"].as_str().unwrap()).unwrap();
    for _ in 0..3 {
        app.advance(TimeDelta::minutes(9));
        assert_eq!(app.learn(attempt, 1 << 20).await.unwrap(), PassStep::More);
        app.sweep(app.now()).await.unwrap();
        assert_eq!(app.queue.take().len(), 1, "only the next step must be queued");
    }
    app.advance(TimeDelta::minutes(11));
    app.sweep(app.now()).await.unwrap();
    assert_eq!(app.queue.take().len(), 1, "a lost step must be queued again");
}

#[tokio::test]
async fn a_page_at_any_offset_needs_at_most_two_object_reads() {
    let csv = sorted_csv();
    let cutter = Cutter::new(csv).await;
    for offset in [0_u64, 1, 59_999, 119_990, 119_999, 120_000, 500_000] {
        let rows = get(&format!("{}/rows?offset={offset}&limit=10&columns=name,id", cutter.path));
        cutter.app.faults.forget_calls();
        let page = cutter.send(rows).await.expect(200).json();
        let expected: Vec<Value> = (offset..(offset + 10).min(120_000))
            .map(|id| json!([format!("name of {id}, quoted"), id.to_string()]))
            .collect();
        assert_eq!(page["rows"], json!(expected), "offset {offset}");
        assert_eq!(page["total"], 120_000);
        assert!(cutter.app.faults.count(&On::objects()) <= 2, "offset {offset}");
    }
}

#[tokio::test]
async fn a_cut_skips_zones_that_cannot_match_and_reports_the_skipped_bytes() {
    let csv = sorted_csv();
    let size = csv.len() as u64;
    let cutter = Cutter::new(csv).await;
    let response = cutter.query("id__between=60000,60009&columns=id,score").await.expect(200);
    let expected: String =
        (60_000..60_010).map(|id| format!("{id},{}.{:02}\n", id % 1000, id % 97)).collect();
    assert_eq!(response.text(), format!("id,score\n{expected}"));
    let number = |name: &str| response.header(name).parse::<u64>().unwrap();
    let (scanned, skipped) = (number("x-bytes-scanned"), number("x-bytes-skipped"));
    assert_eq!(scanned + skipped, size);
    assert!(skipped > size / 3, "{skipped} of {size} skipped");
    let receipt = cutter.receipt(&response).await;
    assert_eq!(receipt["complete"], true);
    assert_eq!((&receipt["bytesIn"], &receipt["bytesSkipped"]), (&json!(scanned), &json!(skipped)));
    assert_eq!((&receipt["rowsIn"], &receipt["rowsOut"]), (&json!(120_000), &json!(10)));

    let estimate = get(&format!("{}/estimate?id__between=60000,60009", cutter.path));
    let estimate = cutter.send(estimate).await.expect(200).json()["estimate"].clone();
    assert_eq!((&estimate["basis"], &estimate["bytesToScan"]), (&json!("index"), &json!(scanned)));
    assert!(estimate["rowsAtMost"].as_u64().unwrap() >= 10);

    let whole = cutter.query("name__contains=60001,%20quoted&columns=id").await.expect(200);
    assert_eq!((whole.text(), whole.header("x-bytes-skipped")), ("id\n60001\n", "0"));
}

#[tokio::test]
async fn an_estimate_has_the_byte_counts_of_the_cut() {
    let of_mib = |mib: usize, low: char| {
        let rows = |cell: char, bytes: usize| format!("{cell},{}\n", "x".repeat(997)).repeat(bytes / 1_000);
        format!("kind,text\n{}{}", rows(low, mib << 20), rows('z', 400 << 10))
    };
    // In the first case, no row of the second zone matches. The cut still reads this zone, because a cut that would
    // skip less than 1 MiB skips nothing.
    for (csv, filter) in [
        (of_mib(1, 'a'), "kind__eq=a"),
        (of_mib(3, 'a'), "kind__eq=z"),
        (of_mib(3, 'a'), "kind__eq=nothing"),
        (of_mib(1, 'a'), "limit=1000000"),
        ("kind,text\na,b\n".to_owned(), "kind__eq=b"),
    ] {
        let cutter = Cutter::new(csv.clone()).await;
        let estimate = get(&format!("{}/estimate?{filter}", cutter.path));
        let estimate = cutter.send(estimate).await.expect(200).json()["estimate"].clone();
        cutter.app.faults.forget_calls();
        let cut = cutter.query(filter).await.expect(200);
        assert_eq!(estimate["bytesToScan"].to_string(), cut.header("x-bytes-scanned"), "{filter}");
        assert_eq!(estimate["bytesSkipped"].to_string(), cut.header("x-bytes-skipped"), "{filter}");
        let reads = cutter.app.faults.count(&On::objects()) as u64;
        assert!(reads <= estimate["r2Reads"].as_u64().unwrap(), "{filter}: {reads} of {estimate}");
        let rows = cut.text().lines().count() as u64 - 1;
        assert!(estimate["rowsAtMost"].as_u64().unwrap() >= rows, "{filter}");
    }
}

#[tokio::test]
async fn a_cut_that_skips_zones_fails_if_the_object_cannot_be_read_to_its_end() {
    let csv = sorted_csv();
    let cutter = Cutter::new(csv.clone()).await;
    let key = cutter.app.objects.keys().into_iter().find(|key| key.ends_with(".csv")).unwrap();
    cutter.app.objects.break_reads(&key, 100_000);
    let response = cutter.query("id__gte=119000&columns=id").await;
    assert!(response.broken || !response.status.is_success(), "{response}");
}

#[tokio::test]
async fn a_missing_or_damaged_profile_is_ignored() {
    let cutter = Cutter::new("a,b\n1,2\n").await;
    let profile = cutter.app.objects.keys().into_iter().find(|key| key.ends_with(".profile")).unwrap();
    cutter.app.objects.corrupt(&profile);
    let rows = cutter.send(get(&format!("{}/rows", cutter.path))).await.expect(200).json();
    assert_eq!((&rows["rows"], &rows["total"]), (&json!([["1", "2"]]), &json!(1)));
    cutter.app.objects.lose(&profile);
    cutter.query("a__eq=1").await.expect(200);
}

#[tokio::test]
async fn a_profile_is_read_again_only_after_its_cache_entry_expires() {
    for (ttl, reads) in [("60", [1, 0, 0, 1]), ("0", [1, 1, 1, 1])] {
        let app = TestApp::with(&[("CACHE_TTL", ttl)]);
        let token = app.user("ada");
        let file = app.upload(&token, "a.csv", "a,b\n1,2\n").await;
        let id = file["id"].as_str().unwrap();
        for (seconds, reads) in [0, 0, 59, 1].into_iter().zip(reads) {
            app.advance(TimeDelta::seconds(seconds));
            app.faults.forget_calls();
            profile_of(&app, &token, id).await;
            assert_eq!(app.faults.count(&On::objects()), reads, "{ttl}, {seconds} s later");
        }
    }
}

#[tokio::test]
async fn the_profile_is_deleted_with_its_file() {
    let cutter = Cutter::new("a,b\n1,2\n").await;
    cutter.send(delete(&format!("{}?permanent=true", cutter.path))).await.expect(200);
    for _ in 0..2 {
        cutter.app.advance(TimeDelta::days(36));
        cutter.app.sweep(cutter.app.now()).await.unwrap();
    }
    assert_eq!(cutter.app.objects.keys(), Vec::<String>::new());
    cutter.app.assert_consistent();
}

/// Returns a CSV file with 1,000 rows, then a record over the size limit, then one more row.
fn broken_csv() -> String {
    let mut csv = String::from("id,name\n");
    for id in 0..1000 {
        writeln!(csv, "{id},row {id}").unwrap();
    }
    csv + "1000,\"" + &"x".repeat(5 << 20) + "\"\n1001,never read\n"
}

#[tokio::test]
async fn rows_before_an_unreadable_record_are_returned_with_the_position_of_the_record() {
    let cutter = Cutter::new(broken_csv()).await;
    let page = |query: &str| cutter.send(get(&format!("{}/rows?{query}", cutter.path)));
    // Without `delimiter`, the service takes the failure from the profile. With `delimiter`, the service does not use
    // the profile, so it must read the file to find the failure.
    for how in ["", "&delimiter=comma"] {
        for (offset, limit, shown, has_more) in
            [(0, 2, 2, true), (500, 100, 100, true), (990, 10, 10, false), (990, 100, 10, false)]
        {
            let response = page(&format!("offset={offset}&limit={limit}{how}")).await.expect(200).json();
            assert_eq!(response["rows"].as_array().unwrap().len(), shown, "{offset} {limit} {how}");
            assert_eq!(response["rows"][0], json!([offset.to_string(), format!("row {offset}")]));
            assert_eq!((&response["total"], &response["hasMore"]), (&json!(1000), &json!(has_more)));
            let failure = &response["failure"];
            assert_eq!((&failure["record"], &failure["line"]), (&json!(1001), &json!(1002)), "{failure}");
            assert!(failure["reason"].as_str().unwrap().contains("longer than"), "{failure}");
        }
        for offset in [1000, 1001, 5000] {
            let problem = page(&format!("offset={offset}{how}")).await.expect_problem(422, "malformed_csv");
            assert_eq!(problem["record"], 1001);
        }
        page(&format!("columns=nope{how}")).await.expect_problem(400, "unknown_column");
    }
    let intact = Cutter::new("id\n1\n").await;
    let response = intact.send(get(&format!("{}/rows", intact.path))).await.expect(200).json();
    assert_eq!((&response["total"], &response["failure"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn after_the_record_limit_is_raised_a_page_returns_rows_that_could_not_be_read_before() {
    let cutter = Cutter::new(broken_csv()).await;
    let app = cutter.app.reconfigured(&[("MAX_RECORD_SIZE", "8388608")]);
    let ask = get(&format!("{}/rows?limit=1&offset=1001", cutter.path)).bearer(&cutter.token);
    let response = app.send(ask).await.expect(200).json();
    assert_eq!((&response["rows"][0][1], &response["total"]), (&json!("never read"), &json!(1002)));
    assert_eq!(response["failure"], Value::Null);
}

#[tokio::test]
async fn column_types_are_null_if_the_first_row_cannot_be_read() {
    let cutter = Cutter::new(format!("a,b\n1,\"{}\"\n", "x".repeat(5 << 20))).await;
    let columns = cutter.send(get(&format!("{}/columns", cutter.path))).await.expect(200).json();
    assert_eq!(columns["columns"][0], json!({"name": "a", "index": 1, "type": null}));
    let empty = Cutter::new("a,b\n,\n").await;
    let columns = empty.send(get(&format!("{}/columns", empty.path))).await.expect(200).json();
    assert_eq!(columns["columns"][0]["type"], "empty");
}

#[tokio::test]
async fn the_page_limit_counts_bytes_after_json_escaping() {
    let row = "\"\"".repeat(50_000) + &"\\".repeat(50_000);
    let csv = "a\n".to_owned() + &format!("\"{row}\"\n").repeat(200);
    let cutter = Cutter::new(csv).await;
    let response = cutter.send(get(&format!("{}/rows?limit=200", cutter.path))).await.expect(200);
    assert!(response.body.len() < (8 << 20) + 300_000, "{} bytes", response.body.len());
    assert_eq!((&response.json()["total"], &response.json()["hasMore"]), (&json!(200), &json!(true)));
}

/// `csv` writes the JSON of a profile, and `domain::reading` describes it.
#[tokio::test]
async fn a_profile_has_exactly_the_members_that_the_api_description_lists() {
    let app = TestApp::new();
    let token = app.user("ada");
    for csv in [
        &b"name;age\nAda;36\nBob\"x\";7;8\nC\xe9;x\nTotal;43\n"[..],
        b"1,2\n3,4\n5,6\n",
        b"a\n",
        "\u{feff}a,b\nname,\u{fc}\nNA,2.5\n".as_bytes(),
    ] {
        let file = app.upload(&token, "a.csv", csv).await;
        let profile = profile_of(&app, &token, file["id"].as_str().unwrap()).await;
        let described: reading::ProfileView = serde_json::from_value(profile.clone()).unwrap();
        assert_eq!(serde_json::to_value(described).unwrap(), profile);
    }
}
