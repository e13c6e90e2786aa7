//! Changes of a file: rename, tags, metadata, expiry, archive, trash, restore and permanent deletion.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{TestResponse, delete, get, patch_json, post, post_json};

const CSV: &str = "a,b\n1,2\n";

struct Owner {
    app: TestApp,
    token: String,
    path: String,
}

impl Owner {
    async fn with_a_file() -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        let file = app.upload(&token, "a.csv", CSV).await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        Self { app, token, path }
    }

    async fn metadata(&self) -> TestResponse {
        self.app.send(get(&format!("{}/metadata", self.path)).bearer(&self.token)).await
    }

    async fn patch(&self, body: Value) -> TestResponse {
        self.app.send(patch_json(&self.path, &body).bearer(&self.token)).await
    }

    async fn delete(&self, query: &str) -> TestResponse {
        self.app.send(delete(&format!("{}{query}", self.path)).bearer(&self.token)).await
    }

    async fn restore(&self) -> TestResponse {
        self.app.send(post(&format!("{}/restore", self.path)).bearer(&self.token)).await
    }

    async fn read(&self) -> TestResponse {
        self.app.send(get(&self.path).bearer(&self.token)).await
    }

    fn used(&self) -> Value {
        self.app.database.value("SELECT used_bytes FROM quotas")
    }
}

#[tokio::test]
async fn a_patch_changes_only_the_members_that_it_names() {
    let owner = Owner::with_a_file().await;
    owner.app.advance(TimeDelta::seconds(1));
    let all = json!({"filename": " ü.csv ", "tags": ["x", " y ", "x"], "metadata": {"k": 1}, "expiresAt": "2027-01-01T00:00:00Z"});
    let response = owner.patch(all).await.expect(200);
    assert!(response.header("etag").starts_with("\"r2."));
    let file = response.json()["file"].clone();
    assert_eq!(file["filename"], "ü.csv");
    assert_eq!(file["userTags"], json!(["x", "y"]));
    assert_eq!(file["metadata"], json!({"k": 1}));
    assert_eq!(file["expiresAt"], "2027-01-01T00:00:00.000Z");
    assert_eq!((&file["revision"], &file["systemTags"]), (&json!(2), &json!(["uploaded"])));
    assert_eq!(file["updatedAt"], "2026-01-02T03:04:06.678Z");

    for (change, name, value) in [
        (json!({}), "revision", json!(2)),
        (json!({"tags": []}), "userTags", json!([])),
        (json!({"metadata": {}}), "metadata", json!({})),
        (json!({"expiresAt": null}), "expiresAt", json!(null)),
        (json!({"userTags": ["z"]}), "userTags", json!(["z"])),
        (json!({"userTags": null}), "userTags", json!([])),
        (json!({"tags": ["z"], "metadata": {"k": 2}}), "metadata", json!({"k": 2})),
        (json!({"tags": null}), "userTags", json!([])),
        (json!({"metadata": null}), "metadata", json!({})),
        (json!({"archived": true}), "lifecycleStatus", json!("archived")),
        (json!({"filename": "b.csv"}), "lifecycleStatus", json!("archived")),
        (json!({"archived": false}), "lifecycleStatus", json!("active")),
    ] {
        let file = owner.patch(change.clone()).await.expect(200).json()["file"].clone();
        assert_eq!(file[name], value, "{change}");
    }
    let seen = owner.metadata().await.expect(200);
    assert!(seen.header("etag").starts_with("\"r13."));
    let read = owner.read().await.expect(200);
    assert_eq!(read.text(), CSV);
    assert_eq!(
        read.header("etag").trim_matches('"'),
        seen.json()["file"]["etag"],
        "the ETag of the download must be the `etag` in the metadata"
    );
}

#[tokio::test]
async fn a_refused_patch_changes_nothing() {
    let owner = Owner::with_a_file().await;
    let before = owner.metadata().await.expect(200).json();
    let cases = [
        (json!({"filename": "a/b"}), 422, "bad_name"),
        (json!({"filename": ""}), 422, "bad_name"),
        (json!({"filename": "a\r\nSet-Cookie: x"}), 422, "bad_name"),
        (json!({"filename": 7}), 400, "bad_request"),
        (json!({"filename": null}), 400, "bad_request"),
        (json!({"archived": null, "tags": ["x"]}), 400, "bad_request"),
        (json!({"tags": ["x\u{0}"]}), 400, "bad_metadata"),
        (json!({"metadata": {"a": []}}), 400, "bad_metadata"),
        (json!({"metadata": {"a": "x".repeat(9000)}}), 400, "bad_metadata"),
        (json!({"expiresAt": "yesterday"}), 400, "bad_metadata"),
        (json!({"expiresAt": "2020-01-01T00:00:00Z"}), 400, "bad_metadata"),
        (json!({"size": 1}), 400, "bad_request"),
        (json!({"userId": "bob"}), 400, "bad_request"),
        (json!({"filename": "b.csv", "tags": [1]}), 400, "bad_request"),
        (json!([]), 400, "bad_request"),
    ];
    for (body, status, code) in cases {
        let response = owner.patch(body.clone()).await;
        assert_eq!(response.status.as_u16(), status, "{body}: {response}");
        response.expect_problem(status, code);
    }
    let form =
        patch_json(&owner.path, &json!({})).without("content-type").header("content-type", "text/plain");
    owner.app.send(form.bearer(&owner.token)).await.expect_problem(415, "unsupported_type");
    assert_eq!(owner.metadata().await.expect(200).json(), before);
}

#[tokio::test]
async fn a_change_with_a_stale_if_match_is_refused() {
    let owner = Owner::with_a_file().await;
    let tag = owner.metadata().await.header("etag").to_owned();
    let rename = |name: &str| {
        patch_json(&owner.path, &json!({"filename": name, "tags": [name]}))
            .bearer(&owner.token)
            .header("if-match", &tag)
    };
    owner.app.send(rename("one.csv")).await.expect(200);
    let problem = owner.app.send(rename("two.csv")).await.expect_problem(412, "precondition_failed");
    assert_eq!(problem["revision"], 2);
    let file = owner.metadata().await.json()["file"].clone();
    assert_eq!((&file["filename"], &file["userTags"]), (&json!("one.csv"), &json!(["one.csv"])));
    let stale = || delete(&owner.path).bearer(&owner.token).header("if-match", &tag);
    owner.app.send(stale()).await.expect_problem(412, "precondition_failed");
    for query in ["", "?permanent=true"] {
        let call = delete(&format!("{}{query}", owner.path)).bearer(&owner.token).header("if-match", "\"x\"");
        owner.app.send(call).await.expect_problem(412, "precondition_failed");
    }
    let bytes_tag = format!("\"{}\"", file["etag"].as_str().unwrap());
    for good in ["\"r2\"", "*"] {
        let call =
            patch_json(&owner.path, &json!({"tags": []})).bearer(&owner.token).header("if-match", good);
        let revision = owner.app.send(call).await.expect(200).json()["file"]["revision"].clone();
        owner.app.database.execute("UPDATE files SET revision = 2");
        assert_eq!(revision, 3, "{good}");
    }
    let call = delete(&owner.path).bearer(&owner.token).header("if-match", bytes_tag);
    owner.app.send(call).await.expect(200);
}

#[tokio::test]
async fn exactly_one_of_two_concurrent_changes_with_the_same_if_match_succeeds() {
    let owner = Owner::with_a_file().await;
    let call = |name: &str| {
        let call = patch_json(&owner.path, &json!({"filename": name, "tags": [name]}));
        owner.app.send(call.bearer(&owner.token).header("if-match", "\"r1\""))
    };
    let (one, two) = tokio::join!(call("one.csv"), call("two.csv"));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let file = owner.metadata().await.json()["file"].clone();
    assert_eq!(json!([file["filename"]]), file["userTags"]);
}

#[tokio::test]
async fn a_trashed_file_is_hidden_but_keeps_its_bytes_and_quota_and_can_be_restored() {
    let owner = Owner::with_a_file().await;
    let response = owner.delete("").await.expect(200);
    assert_eq!(response.json()["file"]["lifecycleStatus"], "deleted");
    owner.read().await.expect_problem(404, "not_found");
    owner.patch(json!({"filename": "b.csv"})).await.expect_problem(404, "not_found");
    let cut = post_json(&format!("{}/cut", owner.path), &json!({}));
    owner.app.send(cut.bearer(&owner.token)).await.expect_problem(404, "not_found");
    assert_eq!(owner.metadata().await.expect(200).json()["file"]["lifecycleStatus"], "deleted");
    assert_eq!(owner.used(), CSV.len());
    assert_eq!(
        owner.app.faults.count(&crate::support::On::objects().method("delete")),
        0,
        "the object must stay"
    );

    let file = owner.restore().await.expect(200).json()["file"].clone();
    assert_eq!((&file["lifecycleStatus"], &file["filename"]), (&json!("active"), &json!("a.csv")));
    assert_eq!(owner.read().await.expect(200).text(), CSV);
    owner.restore().await.expect_problem(409, "conflict");
    owner.app.assert_consistent();
}

#[tokio::test]
async fn a_repeated_deletion_gets_the_first_response_and_leaves_the_file_in_the_trash() {
    let owner = Owner::with_a_file().await;
    let first = owner.delete("").await.expect(200);
    for query in ["", "?permanent=false"] {
        owner.app.advance(TimeDelta::days(1));
        let again = owner.delete(query).await.expect(200);
        assert_eq!((again.text(), again.header("etag")), (first.text(), first.header("etag")), "{query}");
    }
    let condition = |tag: &str| delete(&owner.path).bearer(&owner.token).header("if-match", tag);
    owner.app.send(condition("\"r1\"")).await.expect_problem(412, "precondition_failed");
    assert_eq!(owner.app.send(condition("\"r2\"")).await.expect(200).text(), first.text());
    let deletions = "SELECT count(*) AS n FROM file_access_logs WHERE action = 'delete' AND success = 1";
    assert_eq!(owner.app.database.value(deletions), 1, "a deletion that changes nothing must not be audited");
    assert_eq!(owner.used(), CSV.len());
    // The 30 days in the trash start with the first deletion.
    owner.app.advance(TimeDelta::days(29));
    owner.app.sweep(owner.app.now()).await.unwrap();
    owner.restore().await.expect_problem(404, "not_found");
    owner.app.assert_consistent();
}

#[tokio::test]
async fn two_concurrent_deletions_both_succeed() {
    let owner = Owner::with_a_file().await;
    owner.app.faults.set_yield_before_calls(true);
    let (one, two) = tokio::join!(owner.delete(""), owner.delete(""));
    owner.app.faults.set_yield_before_calls(false);
    assert_eq!(one.expect(200).text(), two.expect(200).text());
    owner.restore().await.expect(200);
    owner.app.assert_consistent();
}

#[tokio::test]
async fn restoring_an_expired_file_removes_its_expiry() {
    let owner = Owner::with_a_file().await;
    owner.patch(json!({"expiresAt": "2026-01-03T00:00:00Z"})).await.expect(200);
    owner.app.advance(TimeDelta::days(2));
    owner.app.sweep(owner.app.now()).await.unwrap();
    assert_eq!(owner.metadata().await.json()["file"]["lifecycleStatus"], "deleted");
    let file = owner.restore().await.expect(200).json()["file"].clone();
    assert_eq!(file["expiresAt"], Value::Null);
    owner.app.sweep(owner.app.now()).await.unwrap();
    owner.read().await.expect(200);
}

#[tokio::test]
async fn a_permanent_deletion_frees_the_quota_immediately_and_cannot_be_undone() {
    for steps in [vec!["?permanent=true"], vec!["", "?permanent=true"], vec!["", "", "?permanent=true"]] {
        let owner = Owner::with_a_file().await;
        let mut last = Value::Null;
        for step in &steps {
            last = owner.delete(step).await.expect(200).json();
        }
        assert_eq!(last, json!({"success": true, "permanent": true}), "{steps:?}");
        assert_eq!(owner.used(), 0);
        owner.read().await.expect_problem(404, "not_found");
        owner.metadata().await.expect_problem(404, "not_found");
        owner.restore().await.expect_problem(404, "not_found");
        owner.patch(json!({})).await.expect_problem(404, "not_found");
        owner.delete("?permanent=true").await.expect_problem(404, "not_found");
        assert_eq!(owner.used(), 0, "the quota must be freed only once");
        assert_eq!(owner.app.objects.file_keys().len(), 1, "the bytes must stay until the purge");
        owner.app.assert_consistent();
    }
    Owner::with_a_file().await.delete("?permanent=perhaps").await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn two_concurrent_permanent_deletions_free_the_quota_once() {
    let owner = Owner::with_a_file().await;
    owner.app.upload(&owner.token, "b.csv", "12345").await;
    let (one, two) = tokio::join!(owner.delete("?permanent=true"), owner.delete("?permanent=true"));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    assert_eq!(owner.used(), 5);
    owner.app.assert_consistent();
}

#[tokio::test]
async fn each_change_has_one_audit_entry_and_a_refused_change_has_none() {
    let owner = Owner::with_a_file().await;
    owner.patch(json!({"filename": "b.csv"})).await.expect(200);
    owner.delete("").await.expect(200);
    owner.restore().await.expect(200);
    owner.restore().await.expect_problem(409, "conflict");
    owner.delete("?permanent=true").await.expect(200);
    owner.delete("").await.expect_problem(404, "not_found");
    let actions = "SELECT group_concat(action) AS actions FROM (SELECT action FROM file_access_logs WHERE success = 1 ORDER BY id)";
    let mut actions: Vec<_> =
        owner.app.database.value(actions).as_str().unwrap().split(',').map(str::to_owned).collect();
    actions.sort();
    assert_eq!(actions, ["delete", "delete", "restore", "update", "upload"]);
}

#[tokio::test]
async fn an_empty_patch_changes_nothing() {
    let owner = Owner::with_a_file().await;
    owner.app.advance(TimeDelta::seconds(1));
    let before = owner.metadata().await.expect(200).json();
    for call in [
        patch_json(&owner.path, &json!({})),
        patch_json(&owner.path, &json!({})).header("if-match", "\"r1\""),
        patch_json(&owner.path, &json!({})).header("idempotency-key", "k"),
        patch_json(&owner.path, &json!({})).header("idempotency-key", "k"),
    ] {
        let response = owner.app.send(call.bearer(&owner.token)).await.expect(200);
        assert!(response.header("etag").starts_with("\"r1."));
        assert_eq!(response.json(), before);
    }
    let stale = patch_json(&owner.path, &json!({})).header("if-match", "\"r2\"");
    owner.app.send(stale.bearer(&owner.token)).await.expect_problem(412, "precondition_failed");
    owner.delete("").await.expect(200);
    owner.patch(json!({})).await.expect_problem(404, "not_found");
    owner.app.assert_consistent();
}
