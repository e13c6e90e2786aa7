//! Download tickets: what they allow, for how long, and that no log line has them.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, TestResponse, delete, get, patch_json, post_json, upload};

const FILE: &str = "city,n\nBern,1\nOslo,2\n";

struct Scene {
    app: TestApp,
    token: String,
    id: String,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        let file = app.send(upload("list.csv", FILE).bearer(&token)).await.expect(201).json();
        let id = file["file"]["id"].as_str().unwrap().to_owned();
        Self { app, token, id }
    }

    async fn ask(&self, body: &Value) -> TestResponse {
        self.app.send(post_json("/api/downloads", body).bearer(&self.token)).await
    }

    async fn url(&self, body: &Value) -> String {
        let response = self.ask(body).await.expect(201);
        let download = response.json()["download"].clone();
        assert_eq!(response.header("location"), download["url"].as_str().unwrap());
        assert_eq!(download["expiresAt"], json!(self.app.now().plus(TimeDelta::minutes(5)).to_string()));
        download["url"].as_str().unwrap().to_owned()
    }

    async fn file_url(&self) -> String {
        self.url(&json!({"fileId": self.id})).await
    }

    async fn get(&self, url: &str) -> TestResponse {
        self.app.send(get(url)).await
    }

    async fn range(&self, url: &str, range: &str) -> TestResponse {
        self.app.send(get(url).header("range", range)).await
    }
}

#[tokio::test]
async fn a_ticket_downloads_a_file_or_a_cut_without_credentials() {
    let scene = Scene::new().await;
    let file = scene.get(&scene.file_url().await).await.expect(200);
    assert_eq!((file.text(), file.header("content-type")), (FILE, "text/csv"));
    assert!(file.header("content-disposition").contains("attachment; filename=\"list.csv\""));
    let recipe = json!({"whereFilters": {"city": "Bern"}, "outputFormat": "ndjson"});
    let cut = scene.get(&scene.url(&json!({"fileId": scene.id, "recipe": recipe})).await).await.expect(200);
    assert_eq!(cut.text(), "{\"city\":\"Bern\",\"n\":\"1\"}\n");
}

#[tokio::test]
async fn a_download_begins_within_five_minutes_and_goes_on_within_a_day() {
    let scene = Scene::new().await;
    let (file, cut) = (scene.file_url().await, scene.url(&json!({"fileId": scene.id, "recipe": {}})).await);
    scene.app.advance(TimeDelta::seconds(299));
    scene.get(&file).await.expect(200);
    scene.app.advance(TimeDelta::seconds(1));
    for range in ["bytes=0-", "bytes=-5", "bytes=0-1,4-5", "bytes=5-6,0-1", "lines=5-"] {
        scene.range(&file, range).await.expect_problem(410, "gone");
    }
    for url in [&file, &cut] {
        scene.get(url).await.expect_problem(410, "gone");
    }
    scene.range(&cut, "bytes=5-").await.expect_problem(410, "gone");
    let rest = scene.range(&file, "bytes=5-").await.expect(206);
    assert_eq!(rest.text(), &FILE[5..]);
    scene.app.advance(TimeDelta::days(1));
    scene.range(&file, "bytes=5-").await.expect_problem(410, "gone");
}

#[tokio::test]
async fn a_ticket_ends_with_its_file_and_its_user() {
    let scene = Scene::new().await;
    let url = scene.file_url().await;
    let path = format!("/api/files/{}", scene.id);
    let rename = patch_json(&path, &json!({"filename": "other.csv"})).bearer(&scene.token);
    scene.app.send(rename).await.expect(200);
    scene.get(&url).await.expect(200);
    scene.app.send(delete(&path).bearer(&scene.token)).await.expect(200);
    scene.get(&url).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn tickets_cannot_be_made_for_the_files_of_others_or_be_changed() {
    let scene = Scene::new().await;
    let other = scene.app.user("eve");
    let call = post_json("/api/downloads", &json!({"fileId": scene.id})).bearer(&other);
    scene.app.send(call).await.expect_problem(404, "not_found");
    scene
        .app
        .send(post_json("/api/downloads", &json!({"fileId": scene.id})))
        .await
        .expect_problem(401, "unauthenticated");
    let url = scene.file_url().await;
    let last = if url.ends_with('A') { 'B' } else { 'A' };
    let changed = format!("{}{last}", &url[..url.len() - 1]);
    let cut = url.rsplit_once('.').unwrap().0.to_owned();
    for bad in [&changed, &cut, &format!("{url}x"), "/api/downloads/x", "/api/downloads/t1.e30.e30"] {
        scene.get(bad).await.expect_problem(404, "not_found");
    }
    scene.get(&format!("/api/downloads/{}", scene.token)).await.expect_problem(404, "not_found");
    let as_token = url.trim_start_matches("/api/downloads/");
    scene.app.send(get("/api/files").bearer(as_token)).await.expect_problem(401, "unauthenticated");
    assert_eq!(scene.get(&url).await.expect(200).text(), FILE);
}

#[tokio::test]
async fn bad_requests_for_tickets_are_refused() {
    let scene = Scene::new().await;
    let many: Vec<String> = (0..1000).map(|number| format!("{number}")).collect();
    for (body, status) in [
        (json!({}), 400),
        (json!({"fileId": scene.id, "extra": 1}), 400),
        (json!({"fileId": "x"}), 404),
        (json!({"fileId": scene.id, "recipe": {"format": "xml"}}), 400),
        (json!({"fileId": scene.id, "recipe": {"tags": ["x"]}}), 400),
        (json!({"fileId": scene.id, "recipe": {"columns": many}}), 413),
    ] {
        assert_eq!(scene.ask(&body).await.status, status, "{body:.100}");
    }
}

#[tokio::test]
async fn no_log_line_and_no_problem_has_a_ticket() {
    let scene = Scene::new().await;
    let url = scene.file_url().await;
    let ticket = url.trim_start_matches("/api/downloads/");
    scene.get(&url).await.expect(200);
    scene.app.advance(TimeDelta::days(2));
    let problem = scene.get(&url).await.expect_problem(410, "gone");
    assert!(!problem.to_string().contains(ticket), "{problem}");
    let bad: Call = get(&format!("{url}x"));
    let problem = scene.app.send(bad).await.expect_problem(404, "not_found");
    assert!(!problem.to_string().contains(ticket), "{problem}");
    assert!(!scene.app.log.lines().is_empty());
    scene.app.log.assert_never_contains(ticket);
}

#[tokio::test]
async fn usage_and_lists_by_several_tags_serve_the_page() {
    let scene = Scene::new().await;
    for (name, tags) in [("a.csv", "red, round"), ("b.csv", "red"), ("c.csv", "round, red, small")] {
        let call = upload(name, FILE).header("x-file-tags", tags).bearer(&scene.token);
        scene.app.send(call).await.expect(201);
    }
    let list = async |query: &str| {
        let call = get(&format!("/api/files?sort=filename&{query}")).bearer(&scene.token);
        let page = scene.app.send(call).await.expect(200).json();
        let names = page["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file["filename"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), page)
    };
    assert_eq!(list("tag=red").await.0, ["a.csv", "b.csv", "c.csv"]);
    assert_eq!(list("tag=red&tag=round").await.0, ["a.csv", "c.csv"]);
    assert_eq!(list("tag=red&tag=round&tag=small").await.1["total"], 1);
    assert_eq!(list("tag=red&tag=blue").await.0, [""; 0]);
    let first = list("tag=red&tag=round&limit=1").await.1;
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(list(&format!("tag=red&tag=round&limit=1&cursor={cursor}")).await.0, ["c.csv"]);
    let other =
        get(&format!("/api/files?sort=filename&tag=red&limit=1&cursor={cursor}")).bearer(&scene.token);
    scene.app.send(other).await.expect_problem(400, "bad_cursor");
    let twice = get("/api/files?q=a&q=b").bearer(&scene.token);
    scene.app.send(twice).await.expect_problem(400, "bad_request");
    let many = get(&format!("/api/files?{}", "tag=x&".repeat(17).trim_end_matches('&'))).bearer(&scene.token);
    scene.app.send(many).await.expect_problem(400, "bad_request");
    let usage =
        scene.app.send(get("/api/usage").bearer(&scene.token)).await.expect(200).json()["usage"].clone();
    assert_eq!((&usage["usedBytes"], &usage["files"]), (&json!(4 * FILE.len()), &json!(4)));
    assert!(usage["quotaBytes"].as_u64() > usage["usedBytes"].as_u64());
}
