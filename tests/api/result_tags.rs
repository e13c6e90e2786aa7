//! The entity tag of the result of a cut: 304 without a byte of the file, and another tag whenever the bytes may differ.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::client::{Call, get, head, patch_json, upload};
use crate::support::{On, TestApp};

const CSV: &str = "name,n\nAda,1\nBen,2\nCy,30\n";

struct Scene {
    app: TestApp,
    token: String,
    path: String,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        let file = app.upload(&token, "a.csv", CSV).await;
        app.deliver().await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        Self { app, token, path }
    }

    fn cut(&self, query: &str) -> Call {
        get(&format!("{}/cut?{query}", self.path)).bearer(&self.token)
    }

    async fn tag(&self, query: &str) -> String {
        let tag = self.app.send(self.cut(query)).await.expect(200).header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() == 34, "{tag} is not a strong tag");
        tag
    }
}

#[tokio::test]
async fn the_tag_of_a_result_is_answered_without_reading_the_file() {
    let scene = Scene::new().await;
    let tag = scene.tag("n__gt=1").await;
    let receipts = scene.app.database.row_counts()["cuts"];
    scene.app.faults.forget_calls();
    let again = scene.app.send(scene.cut("n__gt=1").header("if-none-match", &tag)).await.expect(304);
    assert_eq!(again.header("etag"), tag);
    assert_eq!(again.header("cache-control"), "private, no-cache");
    assert_eq!(scene.app.faults.count(&On::objects()), 0);
    assert_eq!(scene.app.faults.count(&On::named_objects()), 0);
    assert_eq!(scene.app.database.row_counts()["cuts"], receipts);
    let listed = format!("\"x\", W/{tag}");
    scene.app.send(scene.cut("n__gt=1").header("if-none-match", listed)).await.expect(304);
    let of_head = head(&format!("{}/cut?n__gt=1", scene.path)).bearer(&scene.token);
    assert_eq!(scene.app.send(of_head).await.expect(200).header("etag"), tag);
    scene.app.send(scene.cut("n__gt=2").header("if-none-match", &tag)).await.expect(200);
}

#[tokio::test]
async fn equal_tags_mean_equal_bytes_and_each_option_that_changes_the_bytes_changes_the_tag() {
    let scene = Scene::new().await;
    let queries = [
        "",
        "n__gt=1",
        "n__gt=2",
        "columns=n",
        "columns=name",
        "format=json",
        "format=tsv",
        "format=ndjson",
        "header=false",
        "bom=true",
        "newline=crlf",
        "limit=1",
        "offset=1",
        "delimiter=%3B",
        "format=json&typed=true",
        "compress=gzip",
        "spreadsheetSafe=true",
    ];
    let mut by_tag: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for query in queries {
        for coding in ["identity", "gzip"] {
            let response =
                scene.app.send(scene.cut(query).header("accept-encoding", coding)).await.expect(200);
            let tag = response.header("etag").to_owned();
            let bytes = response.body.clone();
            let known = by_tag.entry(tag).or_insert_with(|| bytes.to_vec());
            assert_eq!(*known, bytes, "{query} {coding}");
        }
    }
    // A coded result differs from its bytes; a `.gz` file is the same with both.
    assert_eq!(by_tag.len(), 2 * queries.len() - 1);
}

#[tokio::test]
async fn the_tag_changes_with_the_bytes_the_dialect_and_the_profile_of_the_file() {
    let scene = Scene::new().await;
    let tag = scene.tag("").await;
    assert_eq!(scene.tag("").await, tag);
    let dialect = patch_json(&scene.path, &json!({"dialect": {"delimiter": ";"}})).bearer(&scene.token);
    scene.app.send(dialect).await.expect(200);
    let of_dialect = scene.tag("").await;
    assert_ne!(of_dialect, tag);
    scene.app.send(scene.cut("").header("if-none-match", &tag)).await.expect(200);
    let other = scene.app.send(upload("a.csv", CSV).bearer(&scene.token)).await.expect(201).json();
    let other = format!("/api/files/{}/cut?", other["file"]["id"].as_str().unwrap());
    let other = scene.app.send(get(&other).bearer(&scene.token)).await.expect(200);
    assert_ne!(other.header("etag"), tag);
}

#[tokio::test]
async fn a_tag_opens_nothing_that_the_caller_may_not_read() {
    let scene = Scene::new().await;
    let tag = scene.tag("").await;
    let ben = scene.app.user("ben");
    let foreign = get(&format!("{}/cut?", scene.path)).bearer(&ben).header("if-none-match", &tag);
    scene.app.send(foreign).await.expect_problem(404, "not_found");
    let delete = crate::support::client::delete(&scene.path).bearer(&scene.token);
    scene.app.send(delete).await.expect(200);
    let gone = scene.app.send(scene.cut("").header("if-none-match", &tag)).await;
    assert!([404, 410].contains(&gone.status.as_u16()), "{gone}");
}
