//! A saved cut is a file like any other. The lineage of the saved cut names the file that was cut.

use serde_json::{Value, json};

use super::cut::Cutter;
use super::form::long_csv;
use crate::support::client::{delete, get, post_json};
use crate::support::hashing::sha256_hex;
use crate::support::{Fault, On, TestApp};

const FLIGHTS: &str = "origin,dep_delay\nJFK,61\nLGA,3\nJFK,5\n";

async fn save(cutter: &Cutter, path: &str, body: &Value) -> Value {
    let response = cutter.send(post_json(&format!("{path}/save"), body)).await.expect(201);
    let file = response.json()["file"].clone();
    assert_eq!(response.header("location"), format!("/api/files/{}", file["id"].as_str().unwrap()));
    response.json()
}

fn path_of(file: &Value) -> String {
    format!("/api/files/{}", file["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_saved_cut_is_a_file_with_a_parent_a_recipe_and_a_receipt() {
    let cutter = Cutter::new(FLIGHTS).await;
    let body = json!({"selectedColumns": ["dep_delay"], "whereFilters": {"origin": "JFK"}, "tags": ["late"], "metadata": {"k": 1}});
    let saved = save(&cutter, &cutter.path, &body).await;
    let file = &saved["file"];
    let bytes = b"dep_delay\n61\n5\n";
    assert_eq!((&file["filename"], &file["source"]), (&json!("flights-cut.csv"), &json!("cut")));
    assert_eq!((&file["size"], &file["checksum"]), (&json!(bytes.len()), &json!(sha256_hex(bytes))));
    assert_eq!((&file["userTags"], &file["systemTags"]), (&json!(["late"]), &json!(["cut"])));
    assert_eq!(file["metadata"], json!({"k": 1}));
    assert_eq!(cutter.send(get(&path_of(file))).await.expect(200).body, bytes);
    let key = cutter.app.objects.keys().into_iter().find(|key| key.starts_with("generated/user-ada/"));
    assert!(key.is_some());

    let parent_id = cutter.path.rsplit('/').next().unwrap();
    let lineage = cutter.send(get(&format!("{}/lineage", path_of(file)))).await.expect(200).json();
    assert_eq!(lineage["parents"].as_array().unwrap().len(), 1);
    let step = &lineage["parents"][0];
    assert_eq!(
        (&step["fileId"], &step["filename"], &step["relationshipType"]),
        (&json!(parent_id), &json!("flights.csv"), &json!("cut"))
    );
    assert_eq!(step["recipe"], Value::Null, "lineage must name recipes, but must not contain them");
    let kept = cutter.send(get(&format!("{}/recipe", path_of(file)))).await.expect(200).json();
    assert_eq!((&kept["sha256"], &kept["recipe"]["parent"]), (&step["recipeSha256"], &json!(parent_id)));
    assert_eq!(kept["recipe"]["parentSha256"], sha256_hex(FLIGHTS.as_bytes()));
    assert!(kept["recipe"]["engine"].as_str().unwrap().starts_with("cutty-csv/"));
    let children = cutter.send(get(&format!("{}/lineage", cutter.path))).await.expect(200).json();
    assert_eq!(children["children"][0]["fileId"], file["id"]);

    let receipt =
        cutter.send(get(&format!("/api/cuts/{}", saved["cutId"].as_str().unwrap()))).await.expect(200).json();
    assert_eq!((&receipt["cut"]["complete"], &receipt["cut"]["checksum"]), (&json!(true), &file["checksum"]));

    // A cut with the stored recipe gives the same bytes.
    let again = cutter.body(kept["recipe"]["cut"].clone()).await.expect(200);
    assert_eq!(again.body, bytes);
    cutter.app.assert_consistent();
}

#[tokio::test]
async fn a_saved_cut_can_be_cut_listed_and_deleted_like_any_other_file() {
    let cutter = Cutter::new(FLIGHTS).await;
    let first = save(
        &cutter,
        &cutter.path,
        &json!({"whereFilters": {"origin": "JFK"}, "filename": "jfk.tsv", "outputFormat": "tsv"}),
    )
    .await["file"]
        .clone();
    assert_eq!(
        (&first["filename"], &first["contentType"]),
        (&json!("jfk.tsv"), &json!("text/tab-separated-values"))
    );
    let second =
        save(&cutter, &path_of(&first), &json!({"columns": ["dep_delay"], "limit": 1})).await["file"].clone();
    assert_eq!(second["filename"], "jfk-cut.csv");
    assert_eq!(cutter.send(get(&path_of(&second))).await.expect(200).text(), "dep_delay\n61\n");
    let listed = cutter.send(get("/api/files?tag=cut")).await.expect(200).json();
    assert_eq!(listed["total"], 2);
    cutter.send(delete(&format!("{}?permanent=true", path_of(&first)))).await.expect(200);
    let lineage = cutter.send(get(&format!("{}/lineage", path_of(&second)))).await.expect(200).json();
    assert_eq!(lineage["parents"][0]["lifecycleStatus"], "purged", "the lineage must name a purged parent");
    cutter.app.assert_consistent();
}

#[tokio::test]
async fn a_saved_cut_that_is_stored_in_several_parts_is_complete() {
    let csv = long_csv(17 << 20);
    let whole = csv[..csv.iter().rposition(|&byte| byte == b'\n').unwrap() + 1].to_vec();
    let cutter = Cutter::new(whole.clone()).await;
    let file = save(&cutter, &cutter.path, &json!({})).await["file"].clone();
    assert_eq!((&file["size"], &file["checksum"]), (&json!(whole.len()), &json!(sha256_hex(&whole))));
    assert_eq!(cutter.app.faults.count(&On::objects().method("put_part_buffer")), 4);
    cutter.app.assert_consistent();
}

#[tokio::test]
async fn children_are_listed_in_pages() {
    let cutter = Cutter::new(FLIGHTS).await;
    let mut made = Vec::new();
    for limit in 0..5 {
        made.push(save(&cutter, &cutter.path, &json!({"limit": limit})).await["file"]["id"].clone());
        cutter.app.advance(chrono::TimeDelta::milliseconds(limit % 2));
    }
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page =
            cutter.send(get(&format!("{}/lineage?limit=2{cursor}", cutter.path))).await.expect(200).json();
        found.extend(page["children"].as_array().unwrap().iter().map(|child| child["fileId"].clone()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let sorted = |mut ids: Vec<Value>| {
        ids.sort_by_key(Value::to_string);
        ids
    };
    assert_eq!(sorted(found), sorted(made));
    for bad in ["cursor=x", "limit=0"] {
        cutter.send(get(&format!("{}/lineage?{bad}", cutter.path))).await.expect(400);
    }
}

#[tokio::test]
async fn a_refused_save_leaves_no_file_no_object_and_no_reservation() {
    let over_quota = &[("DEFAULT_QUOTA_BYTES", "50")][..];
    let cases = [
        (&[][..], json!({"outputFormat": "json"}), 400, "bad_request"),
        (&[], json!({"compress": "gzip"}), 400, "bad_request"),
        (&[], json!({"filename": "a/b"}), 422, "bad_name"),
        (&[], json!({"tags": ["\u{1}"]}), 400, "bad_metadata"),
        (&[], json!({"metadata": {"a": {}}}), 400, "bad_metadata"),
        (&[], json!({"columns": ["nope"]}), 400, "unknown_column"),
        (&[], json!({"strict": true}), 422, "malformed_csv"),
        (&[], json!({"header": false, "limit": 0}), 422, "empty_file"),
        (over_quota, json!({}), 507, "quota_exceeded"),
    ];
    for (variables, body, status, code) in cases {
        let cutter = Cutter::with(variables, "a,b\n1,2\n3,4,5\n6,7\n8,9\n10,11\n").await;
        let response = cutter.send(post_json(&format!("{}/save", cutter.path), &body)).await;
        assert_eq!(response.status.as_u16(), status, "{body}: {response}");
        response.expect_problem(status, code);
        assert_unchanged(&cutter.app, &body.to_string());
        assert!(cutter.receipts().iter().all(|receipt| receipt["status"] == "failed"), "{body}");
    }
}

#[tokio::test]
async fn a_save_that_fails_at_any_step_leaves_a_failed_receipt_and_no_file() {
    let csv = long_csv(9 << 20);
    let steps = [
        On::objects().method("create_multipart"),
        On::objects().method("put_part_buffer"),
        On::objects().method("complete_multipart"),
        On::database().about("INSERT INTO files"),
        On::database().about("INSERT INTO commit_markers"),
    ];
    for step in steps {
        let cutter = Cutter::new(csv.clone()).await;
        cutter.app.faults.always(Fault::Failed, step.clone());
        let response = cutter.send(post_json(&format!("{}/save", cutter.path), &json!({}))).await;
        response.expect_problem(503, "unavailable");
        assert!(cutter.app.faults.fired() > 0, "{step:?}");
        cutter.app.faults.clear();
        cutter.app.sweep(cutter.app.now()).await.unwrap();
        assert_unchanged(&cutter.app, &format!("{step:?}"));
        assert_eq!(cutter.receipts()[0]["status"], "failed", "{step:?}");
    }
}

#[tokio::test]
async fn a_save_whose_source_cannot_be_read_to_its_end_leaves_a_failed_receipt_and_no_file() {
    let cutter = Cutter::new(long_csv(18 << 20)).await;
    cutter.app.objects.break_reads(&cutter.app.objects.file_keys()[0], 17 << 20);
    let response = cutter.send(post_json(&format!("{}/save", cutter.path), &json!({}))).await;
    assert!(!response.status.is_success(), "{response}");
    assert_unchanged(&cutter.app, "a source that fails");
    assert_eq!(cutter.receipts()[0]["status"], "failed");
}

/// Asserts that the state is the same as before the save: there is one file with its object, and the quota counts only
/// this file.
fn assert_unchanged(app: &TestApp, case: &str) {
    app.assert_consistent();
    let kept = app.database.rows("SELECT file_size FROM files");
    assert_eq!(kept.len(), 1, "{case}");
    assert_eq!((app.objects.file_keys().len(), app.objects.open_uploads().len()), (1, 0), "{case}");
    let quota = "SELECT used_bytes || '+' || reserved_bytes AS bytes FROM quotas";
    assert_eq!(app.database.value(quota), format!("{}+0", kept[0]["file_size"]), "{case}");
}
