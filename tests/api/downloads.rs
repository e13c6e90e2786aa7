//! Download tickets: what they allow, for how long, and that no log line has them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use cutty::domain::ids::{FileId, ShareId, UserId};
use cutty::domain::principal::{Principal, Scope, Scopes};
use serde_json::{Value, json};

use crate::support::client::{TestResponse, delete, get, head, patch_json, post, post_json, upload};
use crate::support::{Fault, On, TestApp};

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

    /// Returns the entity tag of the file.
    async fn tag(&self) -> String {
        let path = format!("/api/files/{}", self.id);
        self.app.send(head(&path).bearer(&self.token)).await.expect(200).header("etag").to_owned()
    }

    async fn range(&self, url: &str, range: &str, condition: (&'static str, &str)) -> TestResponse {
        self.app.send(get(url).header("range", range).header(condition.0, condition.1)).await
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
async fn a_head_request_with_a_ticket_reads_no_bytes() {
    let scene = Scene::new().await;
    for body in [json!({"fileId": scene.id}), json!({"fileId": scene.id, "recipe": {}})] {
        let url = scene.url(&body).await;
        scene.app.faults.forget_calls();
        let response = scene.app.send(head(&url)).await.expect(200);
        assert!(response.header("content-disposition").contains("list"), "{response}");
        assert_eq!((response.body.len(), scene.app.faults.count(&On::queue())), (0, 0));
        let is_file = body.get("recipe").is_none();
        assert_eq!(
            response.header("content-length"),
            if is_file { FILE.len().to_string() } else { String::new() }
        );
        assert!(!is_file || scene.app.faults.count(&On::objects()) == 0);
    }
}

#[tokio::test]
async fn a_download_begins_within_five_minutes_and_goes_on_within_a_day() {
    let scene = Scene::new().await;
    let (file, cut) = (scene.file_url().await, scene.url(&json!({"fileId": scene.id, "recipe": {}})).await);
    let tag = scene.tag().await;
    scene.app.advance(TimeDelta::seconds(299));
    scene.get(&file).await.expect(200);
    assert_eq!(scene.range(&file, "bytes=1-", ("accept", "*/*")).await.expect(206).text(), &FILE[1..]);
    scene.app.advance(TimeDelta::seconds(1));
    for url in [&file, &cut] {
        scene.get(url).await.expect_problem(410, "gone");
    }
    scene.range(&cut, "bytes=5-", ("if-range", &tag)).await.expect_problem(410, "gone");
    // None of these ranges is the rest of the file. Some are malformed, so the response would be the whole file.
    for range in [
        "bytes=0-",
        "bytes=0-1,4-5",
        "bytes=5-6,0-1",
        "lines=5-",
        "bytes=5-3",
        "bytes=5",
        "bytes=5-x",
        "bytes=-99",
        "",
    ] {
        for condition in ["if-range", "if-match"] {
            let response = scene.range(&file, range, (condition, &tag)).await;
            assert_eq!(response.status, 410, "{range:?}: {response}");
        }
    }
    // These requests do not show that their sender has seen a response with the bytes.
    let other = tag.replace(|digit: char| digit.is_ascii_digit(), "0");
    for (name, value) in [
        ("accept", "*/*"),
        ("if-match", "*"),
        ("if-match", &other),
        ("if-range", &other),
        ("if-range", &format!("W/{tag}")),
        ("if-none-match", &tag),
    ] {
        let response = scene.range(&file, "bytes=5-", (name, value)).await;
        assert_eq!(response.status, 410, "{name}: {value}: {response}");
    }
    let both = get(&file).header("range", "bytes=5-").header("if-match", &tag).header("if-range", &other);
    scene.app.send(both).await.expect_problem(410, "gone");
    for (name, value) in
        [("if-range", tag.clone()), ("if-match", tag.clone()), ("if-match", format!("\"x\", {tag}"))]
    {
        let rest = scene.range(&file, "bytes=5-", (name, &value)).await.expect(206);
        assert_eq!(rest.text(), &FILE[5..]);
    }
    scene.range(&file, "bytes=99-", ("if-range", &tag)).await.expect_problem(416, "bad_range");
    scene.app.advance(TimeDelta::days(1));
    scene.range(&file, "bytes=5-", ("if-range", &tag)).await.expect_problem(410, "gone");
}

#[tokio::test]
async fn a_ticket_does_not_contain_the_entity_tag() {
    let scene = Scene::new().await;
    let tag = scene.tag().await;
    let url = scene.file_url().await;
    let payload = url.split('.').nth(1).unwrap();
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert!(payload.contains(&scene.id) && !payload.contains(tag.trim_matches('"')), "{payload}");
}

#[tokio::test]
async fn a_ticket_ends_with_its_file_and_its_user() {
    let scene = Scene::new().await;
    let path = format!("/api/files/{}", scene.id);
    let (file, cut) = (scene.file_url().await, scene.url(&json!({"fileId": scene.id, "recipe": {}})).await);
    let rename = patch_json(&path, &json!({"filename": "other.csv"})).bearer(&scene.token);
    scene.app.send(rename).await.expect(200);
    for url in [&file, &cut] {
        scene.get(url).await.expect(200);
    }
    scene.app.send(delete(&path).bearer(&scene.token)).await.expect(200);
    for url in [&file, &cut] {
        scene.get(url).await.expect_problem(404, "not_found");
    }
    scene.app.send(post(&format!("{path}/restore")).bearer(&scene.token)).await.expect(200);
    scene.get(&file).await.expect(200);
    scene.app.database.execute("UPDATE files SET expires_at = created_at");
    scene.get(&file).await.expect_problem(404, "not_found");
    scene.app.database.execute("UPDATE files SET expires_at = NULL");
    scene.app.database.execute(&format!("UPDATE files SET attempt = '{}'", scene.id));
    for url in [&file, &cut] {
        scene.get(url).await.expect_problem(410, "gone");
    }
}

#[tokio::test]
async fn a_ticket_creates_no_account_again() {
    let scene = Scene::new().await;
    let url = scene.file_url().await;
    let app = scene.app.reconfigured(&[("PROVISION_USERS", "true")]);
    app.database.execute("DELETE FROM users");
    app.send(get(&url)).await.expect_problem(404, "not_found");
    assert_eq!(app.database.rows("SELECT id FROM users").len(), 0);
}

#[tokio::test]
async fn a_ticket_has_the_permissions_of_the_principal_that_asked_for_it() {
    let scene = Scene::new().await;
    let file = FileId::parse(&scene.id).unwrap();
    let (id, owner) = (ShareId::parse(&scene.id).unwrap(), UserId::parse("ada").unwrap());
    let share = |scopes| Principal::Share { id, owner: owner.clone(), file: Some(file), scopes };
    let call = |by| post_json("/api/downloads", &json!({"fileId": scene.id})).by(by);
    scene.app.send(call(share(Scopes::of([])))).await.expect_problem(403, "forbidden");
    let made = scene.app.send(call(share(Scopes::of([Scope::Read])))).await.expect(201).json();
    scene.get(made["download"]["url"].as_str().unwrap()).await.expect(200);
    scene.app.deliver().await;
    let downloads = scene.app.log.with("action", "download");
    assert_eq!(downloads[0]["principal"], json!(format!("share:{}", scene.id)));
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
        (json!({"fileId": scene.id, "recipe": {"columns": ["city"], "zz": 1}}), 400),
        (json!({"fileId": scene.id, "recipe": {"format": "xml"}}), 400),
        (json!({"fileId": scene.id, "recipe": {"tags": ["x"]}}), 400),
        (json!({"fileId": scene.id, "recipe": {"columns": many}}), 413),
        (json!({"fileId": scene.id, "recipe": {"filename": "a/b.csv"}}), 422),
        (json!({"fileId": scene.id, "recipe": {"filename": "a.exe"}}), 415),
    ] {
        assert_eq!(scene.ask(&body).await.status, status, "{body:.100}");
    }
}

#[tokio::test]
async fn the_longest_recipe_fits_into_a_ticket() {
    let scene = Scene::new().await;
    let with = |bytes: usize| {
        let recipe = json!({"whereFilters": {"city": "x".repeat(bytes)}});
        let bytes_more = recipe.to_string().len() - bytes;
        (json!({"fileId": scene.id, "recipe": recipe}), bytes_more)
    };
    let bytes_more = with(0).1;
    scene.ask(&with(4097 - bytes_more).0).await.expect_problem(413, "too_large");
    let url = scene.url(&with(4096 - bytes_more).0).await;
    assert_eq!(scene.get(&url).await.expect(200).text(), "city,n\n");
    let long = format!("/api/downloads/t1.{}", "A".repeat(9000));
    scene.get(&long).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn a_recipe_for_other_columns_fails_when_it_is_downloaded() {
    let scene = Scene::new().await;
    let url = scene.url(&json!({"fileId": scene.id, "recipe": {"columns": ["town"]}})).await;
    let problem = scene.get(&url).await;
    assert_eq!(problem.status, 400, "{problem}");
}

#[tokio::test]
async fn no_log_line_and_no_problem_has_a_ticket() {
    let scene = Scene::new().await;
    let url = scene.file_url().await;
    let ticket = url.trim_start_matches("/api/downloads/");
    scene.get(&url).await.expect(200);
    let other_path = url.replacen("/api/", "/api/v1/", 1);
    let paths = [url.clone(), other_path.clone(), format!("{other_path}/"), format!("/api/{url}")];
    for path in &paths {
        scene.app.faults.inject(Fault::Failed, On::database(), 1);
        let problem = scene.get(path).await;
        assert!(!problem.status.is_success() && !problem.text().contains(ticket), "{problem}");
        scene.app.faults.clear();
    }
    scene.app.advance(TimeDelta::days(2));
    let bad = format!("{url}x");
    for path in paths.iter().chain([&bad]) {
        let problem = scene.get(path).await;
        assert!([404, 410].contains(&problem.status.as_u16()), "{problem}");
        assert!(!problem.text().contains(ticket), "{problem}");
    }
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
    assert_eq!(list("tag=%20red%20&tag=red").await.0, ["a.csv", "b.csv", "c.csv"]);
    for wrong in ["tag=", "tag=%20", "tag=a%00b", &format!("tag={}", "x".repeat(65))] {
        let request = get(&format!("/api/files?{wrong}")).bearer(&scene.token);
        scene.app.send(request).await.expect_problem(400, "bad_request");
    }
    let usage =
        scene.app.send(get("/api/usage").bearer(&scene.token)).await.expect(200).json()["usage"].clone();
    assert_eq!((&usage["usedBytes"], &usage["files"]), (&json!(4 * FILE.len()), &json!(4)));
    assert!(usage["quotaBytes"].as_u64() > usage["usedBytes"].as_u64());
}
