//! Shares: what their links allow, for how long and how often; and files that are shared with an account.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use cutty::ports::RateLimit;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{
    Call, Form, TestResponse, delete, get, head, patch_json, post, post_json, upload,
};
use crate::support::tus::{CHUNK, patch, tus};

const FILE: &str = "city,n\nBern,1\nOslo,2\n";
const PASSWORD: &str = "seven green parrots";

struct Scene {
    app: TestApp,
    token: String,
    id: String,
}

impl Scene {
    async fn new() -> Self {
        Self::with(TestApp::new()).await
    }

    async fn with(app: TestApp) -> Self {
        let token = app.user("ada");
        let file = app.send(upload("list.csv", FILE).bearer(&token)).await.expect(201).json();
        let id = file["file"]["id"].as_str().unwrap().to_owned();
        Self { app, token, id }
    }

    async fn ada(&self, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.token)).await
    }

    async fn share(&self, body: Value) -> Value {
        let path = format!("/api/files/{}/share", self.id);
        let response = self.ada(post_json(&path, &body)).await.expect(201);
        let share = response.json()["share"].clone();
        assert_eq!(response.header("location"), format!("/api/shares/{}", share["id"].as_str().unwrap()));
        share
    }

    async fn link(&self, body: Value) -> String {
        self.share(body).await["url"].as_str().unwrap().to_owned()
    }

    async fn upload_link(&self, mut body: Value) -> String {
        body["kind"] = json!("upload");
        let response = self.ada(post_json("/api/shares", &body)).await.expect(201);
        response.json()["share"]["url"].as_str().unwrap().to_owned()
    }

    async fn get(&self, url: &str) -> TestResponse {
        self.app.send(get(url)).await
    }

    /// Returns the statuses of `GET` for each link.
    async fn statuses(&self, links: &[&str]) -> Vec<u16> {
        let mut statuses = Vec::new();
        for link in links {
            statuses.push(self.get(link).await.status.as_u16());
        }
        statuses
    }
}

fn path_of(share: &Value) -> String {
    format!("/api/shares/{}", share["id"].as_str().unwrap())
}

#[tokio::test]
async fn the_holder_of_a_link_downloads_the_file_without_an_account() {
    let scene = Scene::new().await;
    let share = scene.share(json!({"kind": "download", "name": "for Bob"})).await;
    assert_eq!(share["expiresAt"], json!(scene.app.now().plus(TimeDelta::seconds(1800)).to_string()));
    assert_eq!(
        (&share["status"], &share["uses"], &share["maxUses"]),
        (&json!("active"), &json!(0), &json!(null))
    );
    let url = share["url"].as_str().unwrap();
    let response = scene.get(url).await.expect(200);
    assert_eq!((response.text(), response.header("content-type")), (FILE, "text/csv"));
    assert_eq!(response.header("content-disposition"), "attachment; filename=\"list.csv\"");
    let private = ["cache-control", "referrer-policy", "x-robots-tag", "x-content-type-options"];
    assert_eq!(
        private.map(|name| response.header(name)),
        ["private, no-store", "no-referrer", "noindex", "nosniff"]
    );
    let part = scene.app.send(get(url).header("range", "bytes=5-8")).await.expect(206);
    assert_eq!(part.text(), &FILE[5..9]);
    let head = scene.app.send(head(url)).await.expect(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, "21"));
    let listed = scene.ada(get(&path_of(&share))).await.expect(200).json();
    assert_eq!(listed["share"]["uses"], 1, "{listed}");
    assert_eq!(listed["share"]["url"], share["url"]);
    for whole in ["bytes=0-", "bytes=0-3,5-6", "nonsense"] {
        scene.app.send(get(url).header("range", whole)).await;
    }
    let listed = scene.ada(get(&path_of(&share))).await.expect(200).json();
    assert_eq!(listed["share"]["uses"], 4, "a range from the first byte is a download");
}

#[tokio::test]
async fn a_page_of_any_origin_may_use_a_link() {
    let scene = Scene::new().await;
    let url = scene.link(json!({"kind": "download"})).await;
    let response = scene.app.send(get(&url).header("origin", "https://other.example")).await.expect(200);
    assert_eq!(response.header("access-control-allow-origin"), "*");
    assert_eq!(response.header("cross-origin-resource-policy"), "cross-origin");
    let preflight = Call::new(Method::OPTIONS, &url)
        .header("origin", "https://other.example")
        .header("access-control-request-method", "GET");
    let allowed = scene.app.send(preflight).await.expect(204);
    assert!(allowed.header("access-control-allow-headers").contains("X-Share-Password"));
    let own = scene.app.send(get("/api/files").header("origin", "https://other.example")).await;
    assert_eq!(own.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_shared_cut_shows_the_rows_of_the_cut_and_nothing_else() {
    let scene = Scene::new().await;
    let recipe = json!({"whereFilters": {"city": "Bern"}, "selectedColumns": ["city"]});
    let share = scene.share(json!({"kind": "cut", "recipe": recipe})).await;
    let url = share["url"].as_str().unwrap();
    assert_eq!(scene.get(url).await.expect(200).text(), "city\nBern\n");
    assert_eq!(share["sourceFileId"], scene.id);
    assert_ne!(share["fileId"], scene.id);
    let rows = scene.get(&format!("{url}/rows")).await.expect(200).json();
    assert_eq!((&rows["columns"], &rows["rows"]), (&json!(["city"]), &json!([["Bern"]])));
    let info = scene.get(&format!("{url}/info")).await.expect(200).json();
    assert_eq!(
        (&info["kind"], &info["filename"], &info["rowCount"]),
        (&json!("cut"), &json!("list-cut.csv"), &json!(1))
    );
    for path in ["?columns=n", "/rows?columns=n", "/rows?n__gt=0", "/cut", "/metadata", "/lineage"] {
        let status = scene.get(&format!("{url}{path}")).await.status.as_u16();
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    let listed = scene.ada(get(&format!("/api/shares?fileId={}", scene.id))).await.expect(200).json();
    assert_eq!(listed["shares"][0]["id"], share["id"]);
    scene.app.assert_consistent();
}

#[tokio::test]
async fn a_link_is_used_exactly_as_often_as_it_may_be() {
    let scene = Scene::new().await;
    let share = scene.share(json!({"kind": "download", "maxUses": 5})).await;
    let url = share["url"].as_str().unwrap();
    let responses = join_all((0..50).map(|_| scene.get(url))).await;
    let begun: Vec<_> = responses.iter().filter(|response| response.status == 302).collect();
    let gone = responses.iter().filter(|response| response.status == 410).count();
    assert_eq!((begun.len(), gone), (5, 45));
    let link = begun[0].header("location");
    for _ in 0..3 {
        assert_eq!(scene.get(link).await.expect(200).text(), FILE);
    }
    assert_eq!(scene.app.send(get(link).header("range", "bytes=5-")).await.expect(206).text(), &FILE[5..]);
    let share = scene.ada(get(&path_of(&share))).await.expect(200).json()["share"].clone();
    assert_eq!((&share["uses"], &share["status"], &share["url"]), (&json!(5), &json!("used"), &json!(null)));
    scene.app.advance(TimeDelta::seconds(3601));
    scene.get(link).await.expect_problem(410, "gone");
}

#[tokio::test]
async fn head_and_info_count_no_use() {
    let scene = Scene::new().await;
    let url = scene.link(json!({"kind": "download", "maxUses": 1})).await;
    for _ in 0..3 {
        assert_eq!(scene.app.send(head(&url)).await.expect(200).header("content-length"), "21");
        let info = scene.get(&format!("{url}/info")).await.expect(200).json();
        assert_eq!((&info["usesLeft"], &info["mustOpen"]), (&json!(1), &json!(true)));
        scene.get(&format!("{url}/rows")).await.expect_problem(403, "forbidden");
    }
    let opened = scene.app.send(post(&url)).await.expect(200).json();
    let link = opened["url"].as_str().unwrap();
    assert_eq!(scene.get(&format!("{link}/rows")).await.expect(200).json()["rows"][1], json!(["Oslo", "2"]));
    scene.app.send(post(link)).await.expect_problem(400, "bad_request");
    scene.app.send(post(&url)).await.expect_problem(410, "gone");
}

#[tokio::test]
async fn a_password_opens_a_link_and_its_tries_are_limited() {
    let scene = Scene::new().await;
    let share = scene.share(json!({"kind": "download", "password": PASSWORD})).await;
    assert_eq!((&share["hasPassword"], share.to_string().contains(PASSWORD)), (&json!(true), false));
    let url = share["url"].as_str().unwrap();
    scene.get(url).await.expect_problem(403, "forbidden");
    scene.app.send(head(url)).await.expect(403);
    scene.get(&format!("{url}/rows")).await.expect_problem(403, "forbidden");
    let info = scene.get(&format!("{url}/info")).await.expect(200).json();
    assert_eq!(
        (&info["passwordRequired"], &info["filename"], &info["size"]),
        (&json!(true), &json!(null), &json!(null))
    );
    let begun = scene.app.send(get(url).header("x-share-password", PASSWORD)).await.expect(302);
    assert_eq!(scene.get(begun.header("location")).await.expect(200).text(), FILE);
    let opened = scene.app.send(post_json(url, &json!({"password": PASSWORD}))).await.expect(200).json();
    assert_eq!(scene.get(opened["url"].as_str().unwrap()).await.expect(200).text(), FILE);
    let form = |text: &str| {
        post(url).header("content-type", "application/x-www-form-urlencoded").bytes(text.to_owned())
    };
    let begun = scene.app.send(form("password=seven+green%20parrots")).await.expect(303);
    assert_eq!(scene.get(begun.header("location")).await.expect(200).text(), FILE);
    scene.app.send(form("password=seven green parrots")).await.expect(303);
    for bad in ["password=a&password=b", "other=1", "password=%ff", "password=seven+green+parrots#&x=1"] {
        let status = scene.app.send(form(bad)).await.status.as_u16();
        assert!([400, 403].contains(&status), "{bad}: {status}");
    }
    let with_query = scene.get(&format!("{url}?password=seven")).await;
    with_query.expect_problem(400, "unknown_option");
    scene.app.limits.set(RateLimit::LoginsOfAccount, 12);
    let mut refused = 0;
    for _ in 0..12 {
        let wrong = scene.app.send(get(url).header("x-share-password", "wrong")).await;
        refused += usize::from(wrong.status == 429);
        assert!([403, 429].contains(&wrong.status.as_u16()), "{wrong}");
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_link_ends_with_its_expiry_its_file_and_its_owner_and_lives_again_after_a_restore() {
    let scene = Scene::new().await;
    let share = scene.share(json!({"kind": "download", "expiresIn": 600})).await;
    let url = share["url"].as_str().unwrap();
    let file = format!("/api/files/{}", scene.id);
    scene.ada(delete(&file)).await.expect(200);
    scene.get(url).await.expect_problem(410, "gone");
    assert_eq!(scene.ada(get(&path_of(&share))).await.json()["share"]["status"], "paused");
    scene.ada(post(&format!("{file}/restore"))).await.expect(200);
    scene.get(url).await.expect(200);
    scene.app.database.execute("UPDATE users SET disabled_at = created_at WHERE id = 'ada'");
    scene.get(url).await.expect_problem(410, "gone");
    scene.app.database.execute("UPDATE users SET disabled_at = NULL WHERE id = 'ada'");
    scene.app.advance(TimeDelta::seconds(601));
    scene.get(url).await.expect_problem(410, "gone");
    let longer = scene.ada(patch_json(&path_of(&share), &json!({"expiresIn": 600}))).await.expect(200).json();
    let new_url = longer["share"]["url"].as_str().unwrap();
    assert_eq!(scene.statuses(&[url, new_url]).await, [410, 200]);
    let shorter = scene.ada(patch_json(&path_of(&share), &json!({"expiresIn": 60}))).await.expect(200).json();
    let info = scene.get(&format!("{new_url}/info")).await.expect(200).json();
    assert_eq!(info["expiresAt"], shorter["share"]["expiresAt"], "the earlier end counts");
    scene.app.advance(TimeDelta::seconds(61));
    assert_eq!(scene.statuses(&[new_url, shorter["share"]["url"].as_str().unwrap()]).await, [410, 410]);
    scene.ada(patch_json(&path_of(&share), &json!({"expiresIn": 600}))).await.expect(200);
    scene.ada(delete(&format!("{file}?permanent=true"))).await.expect(200);
    let share = scene.ada(get(&path_of(&share))).await.expect(200).json()["share"].clone();
    assert_eq!(
        (&share["status"], &share["filename"], &share["url"]),
        (&json!("revoked"), &json!(null), &json!(null))
    );
}

#[tokio::test]
async fn a_revoked_share_is_refused_at_once_with_every_link_that_it_had() {
    let scene = Scene::new().await;
    let share = scene.share(json!({"kind": "download", "maxUses": 3})).await;
    let url = share["url"].as_str().unwrap();
    let begun = scene.get(url).await.expect(302);
    for _ in 0..2 {
        let revoked = scene.ada(delete(&path_of(&share))).await.expect(200).json();
        assert_eq!(revoked["share"]["status"], "revoked");
    }
    assert_eq!(scene.statuses(&[url, begun.header("location")]).await, [410, 410]);
    let patched = scene.ada(patch_json(&path_of(&share), &json!({"expiresIn": 600}))).await;
    patched.expect_problem(410, "gone");
    scene.app.advance(TimeDelta::days(31));
    scene.app.run_sweep("forget_shares").await.unwrap();
    scene.ada(get(&path_of(&share))).await.expect_problem(404, "not_found");
    assert_eq!(scene.app.database.row_counts().get("shares"), Some(&0));
}

#[tokio::test]
async fn no_changed_or_foreign_text_is_a_link() {
    let scene = Scene::new().await;
    let url = scene.link(json!({"kind": "download", "maxUses": 1})).await;
    let text = url.strip_prefix("/api/shared/").unwrap();
    let other = Scene::with(TestApp::with(&[("JWT_SECRET", &"x".repeat(40))])).await;
    let foreign = other.link(json!({"kind": "download"})).await;
    let ticket = scene.ada(post_json("/api/downloads", &json!({"fileId": scene.id}))).await.json();
    let ticket = ticket["download"]["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let mut forged = vec![
        foreign.rsplit('/').next().unwrap().to_owned(),
        ticket,
        scene.token.clone(),
        text.replacen("s1.", "t1.", 1),
        format!("{text}="),
        format!("{text}.x"),
        text[..text.len() - 1].to_owned(),
        "s1..".to_owned(),
        "x".repeat(3000),
    ];
    let (payload, signature) = text.strip_prefix("s1.").unwrap().split_once('.').unwrap();
    let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
    for index in 0..payload.len() {
        for bit in [1, 2, 4, 128] {
            let mut changed = payload.clone();
            changed[index] ^= bit;
            forged.push(format!("s1.{}.{signature}", URL_SAFE_NO_PAD.encode(changed)));
        }
    }
    assert!(forged.len() > 100);
    scene.app.faults.forget_calls();
    for text in &forged {
        scene.get(&format!("/api/shared/{text}")).await.expect_problem(404, "not_found");
    }
    assert_eq!(scene.app.faults.calls().len(), 0, "a forged link must cost no call");
    scene.get(&url).await.expect(302);
}

#[tokio::test]
async fn a_link_ends_when_its_key_is_removed() {
    let scene = Scene::new().await;
    let url = scene.link(json!({"kind": "download"})).await;
    let secret = "n".repeat(40);
    let old = "a secret of tests, 32 bytes or more";
    let rotated = scene.app.reconfigured(&[
        ("JWT_SECRET", &secret),
        ("JWT_KEY_ID", "new"),
        ("JWT_PREVIOUS_SECRET", old),
        ("JWT_PREVIOUS_KEY_ID", "main"),
    ]);
    rotated.send(get(&url)).await.expect(200);
    let removed = rotated.reconfigured(&[("JWT_SECRET", &secret), ("JWT_KEY_ID", "new")]);
    removed.send(get(&url)).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn no_log_line_has_a_token_or_a_password() {
    let scene = Scene::new().await;
    let url = scene.link(json!({"kind": "download", "password": PASSWORD})).await;
    let upload = scene.upload_link(json!({})).await;
    scene.app.send(get(&url).header("x-share-password", PASSWORD)).await.expect(302);
    let problem = scene.get(&url).await.expect_problem(403, "forbidden");
    assert_eq!(problem["instance"], "/api/shared/{token}");
    let problem = scene.get(&format!("{url}/rows")).await.expect_problem(403, "forbidden");
    assert_eq!(problem["instance"], "/api/shared/{token}/rows");
    scene.get(&format!("{url}x")).await.expect(404);
    scene.app.send(post(&upload).bytes(FILE)).await.expect(201);
    scene.app.send(post(&upload).bytes(FILE)).await.expect(410);
    scene.app.deliver().await;
    let log = serde_json::to_string(&scene.app.log.lines()).unwrap();
    let secrets = [url.rsplit('.').next().unwrap(), upload.rsplit('.').next().unwrap(), PASSWORD];
    for secret in secrets {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn somebody_without_an_account_uploads_a_file_into_the_account_of_the_owner() {
    let scene = Scene::new().await;
    let url = scene.upload_link(json!({"tags": ["inbox"], "maxUses": 3, "name": "For the team"})).await;
    let info = scene.get(&format!("{url}/info")).await.expect(200).json();
    assert_eq!(
        (&info["kind"], &info["name"], &info["usesLeft"]),
        (&json!("upload"), &json!("For the team"), &json!(3))
    );
    let raw =
        scene.app.send(post(&url).header("x-file-name", "raw.csv").bytes(FILE)).await.expect(201).json();
    assert_eq!(raw["file"]["size"], FILE.len());
    assert_eq!(raw["file"].get("id"), None);
    let form = Form::default().file("form.csv", FILE.as_bytes()).post_to(&url);
    scene.app.send(form).await.expect(201);
    let (first, second) = FILE.as_bytes().split_at(8);
    let create = tus(post(&format!("{url}/uploads")))
        .header("upload-length", FILE.len())
        .header("upload-metadata", "filename dHVzLmNzdg==")
        .header("content-type", CHUNK)
        .bytes(first.to_vec());
    let created = scene.app.send(create).await.expect(201);
    let location = created.header("location").to_owned();
    assert_eq!((created.header("upload-offset"), created.header("tus-resumable")), ("8", "1.0.0"));
    assert_eq!(scene.app.send(tus(head(&location))).await.expect(200).header("upload-offset"), "8");
    let ended = scene.app.send(patch(&location, 8).bytes(second.to_vec())).await.expect(204);
    assert_eq!(ended.header("x-file-id"), "");
    assert_eq!(scene.app.send(tus(head(&location))).await.expect(200).header("upload-offset"), "21");
    let files = scene.ada(get("/api/files?tag=inbox")).await.expect(200).json();
    let mut names: Vec<_> =
        files["files"].as_array().unwrap().iter().map(|file| file["filename"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["form.csv", "raw.csv", "tus.csv"]);
    scene.app.send(post(&url).bytes(FILE)).await.expect_problem(410, "gone");
    scene.app.assert_consistent();
}

#[tokio::test]
async fn a_link_for_uploads_takes_only_what_its_owner_admits_and_keeps_nothing_else() {
    let scene = Scene::new().await;
    let url =
        scene.upload_link(json!({"maxBytes": 21, "contentTypes": ["text/csv"], "password": PASSWORD})).await;
    let send = |call: Call| scene.app.send(call.header("x-share-password", PASSWORD));
    scene.app.send(post(&url).bytes(FILE)).await.expect_problem(403, "forbidden");
    scene.get(&url).await.expect_problem(400, "bad_request");
    let longer = format!("{FILE}x");
    send(post(&url).bytes(longer.clone())).await.expect_problem(413, "too_large");
    send(Form::default().file("a.csv", longer.as_bytes()).post_to(&url))
        .await
        .expect_problem(413, "too_large");
    send(
        post(&url)
            .header("x-file-name", "a.tsv")
            .header("content-type", "text/tab-separated-values")
            .bytes("a\tb\n"),
    )
    .await
    .expect_problem(415, "unsupported_type");
    send(post(&url).header("x-file-tags", "mine").bytes(FILE)).await.expect_problem(400, "bad_request");
    send(Form::default().field("tags", "mine").file("a.csv", FILE.as_bytes()).post_to(&url))
        .await
        .expect_problem(400, "bad_request");
    send(post(&url).bytes("\0")).await.expect(415);
    send(post(&url).bytes("")).await.expect(422);
    let create = |length: usize, metadata: &str| {
        let call = tus(post(&format!("{url}/uploads"))).header("upload-length", length);
        send(call.header("upload-metadata", metadata))
    };
    create(22, "filename YS5jc3Y=").await.expect_problem(413, "too_large");
    create(21, "filename YS5jc3Y=,tags bWluZQ==").await.expect_problem(400, "bad_metadata");
    let deferred = tus(post(&format!("{url}/uploads"))).header("upload-defer-length", 1);
    let status = send(deferred).await.status.as_u16();
    assert!([400, 411].contains(&status), "{status}");
    let files = scene.ada(get("/api/files")).await.json();
    assert_eq!(files["total"], 1);
    send(post(&url).bytes(FILE)).await.expect(201);
    scene.app.assert_consistent();
}

#[tokio::test]
async fn exactly_one_of_many_uploads_through_a_link_for_one_file_is_kept() {
    let scene = Scene::new().await;
    let url = scene.upload_link(json!({})).await;
    let location = {
        let call = tus(post(&format!("{url}/uploads"))).header("upload-length", FILE.len());
        scene.app.send(call).await.expect(201).header("location").to_owned()
    };
    let responses = join_all((0..20).map(|_| scene.app.send(post(&url).bytes(FILE)))).await;
    let count = |status: u16| responses.iter().filter(|response| response.status == status).count();
    assert_eq!((count(201), count(410) + count(429)), (1, 19));
    scene.app.send(patch(&location, 0).bytes(FILE)).await.expect_problem(410, "gone");
    scene.app.send(tus(head(&location))).await.expect(410);
    assert_eq!(scene.ada(get("/api/files")).await.json()["total"], 2);
    scene.app.advance(TimeDelta::days(9));
    scene.app.ring_alarms().await;
    crate::faults::sweep_up(&scene.app, "one upload of many").await;
}

#[tokio::test]
async fn unfinished_uploads_through_a_link_are_few_and_end_when_it_is_revoked() {
    let scene = Scene::new().await;
    let made = scene
        .ada(post_json("/api/shares", &json!({"kind": "upload", "maxUses": 1})))
        .await
        .expect(201)
        .json();
    let url = made["share"]["url"].as_str().unwrap();
    let create = || scene.app.send(tus(post(&format!("{url}/uploads"))).header("upload-length", 1_000_000));
    let mut locations = Vec::new();
    for _ in 0..4 {
        locations.push(create().await.expect(201).header("location").to_owned());
    }
    let refused = create().await;
    assert_eq!(refused.header("retry-after"), "60");
    refused.expect_problem(429, "rate_limited");
    scene.app.send(post(url).bytes(FILE)).await.expect_problem(429, "rate_limited");
    let reserved = async || scene.ada(get("/api/usage")).await.json()["usage"]["reservedBytes"].clone();
    assert_eq!(reserved().await, 4_000_000);
    scene.app.send(tus(delete(&locations[0]))).await.expect(204);
    locations[0] = create().await.expect(201).header("location").to_owned();
    scene.ada(delete(&path_of(&made["share"]))).await.expect(200);
    assert_eq!(reserved().await, 0);
    for location in &locations {
        scene.app.send(patch(location, 0).bytes(FILE)).await.expect_problem(410, "gone");
    }
    scene.app.assert_consistent();
    scene.app.advance(TimeDelta::days(9));
    scene.app.ring_alarms().await;
    crate::faults::sweep_up(&scene.app, "a revoked link").await;
}

#[tokio::test]
async fn the_holder_of_a_link_learns_nothing_about_the_quota_of_its_owner() {
    let scene = Scene::with(TestApp::with(&[("DEFAULT_QUOTA_BYTES", "30")])).await;
    let url = scene.upload_link(json!({})).await;
    let call = tus(post(&format!("{url}/uploads"))).header("upload-length", FILE.len());
    for call in [post(&url).bytes(FILE), call] {
        let problem = scene.app.send(call).await.expect_problem(507, "quota_exceeded");
        assert!(problem["detail"].as_str().unwrap().contains("The receiver has no space"), "{problem}");
    }
}

#[tokio::test]
async fn a_path_that_nearly_is_a_link_shows_no_token_in_its_problem() {
    let scene = Scene::new().await;
    let url = scene.link(json!({"kind": "download"})).await;
    let token = url.rsplit('/').next().unwrap();
    let escaped = token.replacen('s', "%73", 1);
    for path in [
        format!("/api/shared//{token}"),
        format!("/api/Shared/{token}"),
        format!("/api/shared/x/{token}"),
        format!("/api/{token}"),
        format!("/api/shared/{token}/nothing/{escaped}"),
        format!("/api/files/{escaped}"),
    ] {
        let text = scene.app.send(get(&path).bearer(&scene.token)).await.text().to_owned();
        assert!(!text.contains(&token[3..]), "{path}: {text}");
    }
    let log = serde_json::to_string(&scene.app.log.lines()).unwrap();
    assert!(!log.contains(&token[3..]), "{log}");
}

#[tokio::test]
async fn an_upload_through_one_link_cannot_be_reached_through_another() {
    let scene = Scene::new().await;
    let url = scene.upload_link(json!({"maxUses": 2})).await;
    let other = scene.upload_link(json!({})).await;
    let call = tus(post(&format!("{url}/uploads"))).header("upload-length", FILE.len());
    let location = scene.app.send(call).await.expect(201).header("location").to_owned();
    let id = location.rsplit('/').next().unwrap();
    let elsewhere = format!("{other}/uploads/{id}");
    scene.app.send(tus(head(&elsewhere))).await.expect(404);
    scene.app.send(patch(&elsewhere, 0).bytes(FILE)).await.expect(404);
    scene.app.send(tus(delete(&elsewhere))).await.expect(404);
    scene.ada(tus(head(&format!("/api/uploads/{id}")))).await.expect(404);
    let own = scene.ada(tus(post("/api/uploads")).header("upload-length", 5)).await.expect(201);
    let own = own.header("location").rsplit('/').next().unwrap().to_owned();
    scene.app.send(tus(head(&format!("{url}/uploads/{own}")))).await.expect(404);
    scene.app.send(patch(&location, 0).bytes(FILE)).await.expect(204);
}

#[tokio::test]
async fn an_account_reads_a_file_that_is_shared_with_it() {
    let scene = Scene::new().await;
    let bob = scene.app.user("bob");
    let file = format!("/api/files/{}", scene.id);
    scene.ada(patch_json(&file, &json!({"tags": ["secret"], "metadata": {"note": "x"}}))).await.expect(200);
    let bobs = |call: Call| scene.app.send(call.bearer(&bob));
    bobs(get(&file)).await.expect(404);
    let share = scene.share(json!({"kind": "account", "username": "bob"})).await;
    assert_eq!(
        (&share["may"], &share["username"], &share["url"]),
        (&json!("read"), &json!("bob"), &json!(null))
    );
    let listed = bobs(get("/api/files?shared=true")).await.expect(200).json();
    let shown = &listed["files"][0];
    assert_eq!(
        (&shown["id"], &shown["sharedBy"], &shown["may"]),
        (&json!(scene.id), &json!("ada"), &json!("read"))
    );
    assert_eq!(
        (&shown["userTags"], &shown["metadata"], &listed["total"]),
        (&json!([]), &json!({}), &json!(1))
    );
    assert_eq!(bobs(get(&file)).await.expect(200).text(), FILE);
    let metadata = bobs(get(&format!("{file}/metadata"))).await.expect(200);
    assert!(
        !metadata.text().contains("secret") && metadata.text().contains("\"sharedBy\":\"ada\""),
        "{metadata}"
    );
    for view in ["columns", "fields", "profile", "rows", "rows?city__eq=Bern"] {
        bobs(get(&format!("{file}/{view}"))).await.expect(200);
    }
    bobs(get(&format!("{file}/cut"))).await.expect_problem(403, "forbidden");
    let ticket = |recipe: Value| post_json("/api/downloads", &json!({"fileId": scene.id, "recipe": recipe}));
    bobs(ticket(json!({"limit": 1}))).await.expect_problem(403, "forbidden");
    scene.share(json!({"kind": "account", "username": "bob", "may": "cut"})).await;
    let cut = bobs(get(&format!("{file}/cut?city__eq=Bern"))).await.expect(200);
    assert_eq!(cut.text(), "city,n\nBern,1\n");
    bobs(get(&cut.receipt_path())).await.expect(200);
    scene.ada(get(&cut.receipt_path())).await.expect(404);
    let whole = bobs(get(&format!("{file}/cut?streaming=false"))).await.expect(200);
    assert_eq!(whole.text(), FILE);
    let made = bobs(ticket(json!({"limit": 1}))).await.expect(201).json();
    let made = made["download"]["url"].as_str().unwrap().to_owned();
    scene.get(&made).await.expect(200);
    scene.share(json!({"kind": "account", "username": "bob", "may": "read"})).await;
    scene.get(&made).await.expect_problem(404, "not_found");
    scene.share(json!({"kind": "account", "username": "bob", "may": "cut"})).await;
    let saved = bobs(post_json(&format!("{file}/save"), &json!({}))).await.expect(201).json();
    let saved = format!("/api/files/{}", saved["file"]["id"].as_str().unwrap());
    assert_eq!(bobs(get(&saved)).await.expect(200).text(), FILE);
    scene.ada(get(&saved)).await.expect(404);
    let ticket = bobs(post_json("/api/downloads", &json!({"fileId": scene.id}))).await.expect(201).json();
    scene.get(ticket["download"]["url"].as_str().unwrap()).await.expect(200);
    for call in [
        patch_json(&file, &json!({"filename": "b.csv"})),
        delete(&file),
        delete(&format!("{file}?permanent=true")),
        post(&format!("{file}/restore")),
        post_json(&format!("{file}/share"), &json!({"kind": "download"})),
        post_json(&format!("{file}/share"), &json!({"kind": "cut", "recipe": {}})),
        post_json(&format!("{file}/share"), &json!({"kind": "account", "username": "ada"})),
        get(&path_of(&share)),
    ] {
        let response = bobs(call).await;
        assert!([403, 404].contains(&response.status.as_u16()), "{response}");
    }
    let zoe = scene.app.user("zoe");
    scene.app.send(get(&file).bearer(&zoe)).await.expect(404);
    assert_eq!(scene.app.send(get("/api/files?shared=true").bearer(&zoe)).await.json()["total"], 0);
    scene.ada(delete(&path_of(&share))).await.expect(200);
    bobs(get(&file)).await.expect(404);
    scene.get(ticket["download"]["url"].as_str().unwrap()).await.expect(404);
    assert_eq!(bobs(get("/api/files?shared=true")).await.json()["total"], 0);
    scene.app.assert_consistent();
}

#[tokio::test]
async fn a_share_with_an_account_ends_with_its_expiry_and_with_the_accounts() {
    let scene = Scene::new().await;
    let bob = scene.app.user("bob");
    let file = format!("/api/files/{}", scene.id);
    let get_file = || scene.app.send(get(&file).bearer(&bob));
    let share = scene.share(json!({"kind": "account", "username": "bob", "expiresIn": 60})).await;
    get_file().await.expect(200);
    scene.app.advance(TimeDelta::seconds(61));
    get_file().await.expect(404);
    scene.ada(patch_json(&path_of(&share), &json!({"expiresIn": null}))).await.expect(200);
    get_file().await.expect(200);
    scene.app.database.execute("UPDATE users SET disabled_at = created_at WHERE id = 'ada'");
    get_file().await.expect(404);
    scene.app.database.execute("UPDATE users SET disabled_at = NULL WHERE id = 'ada'");
    scene.ada(delete(&format!("{file}?permanent=true"))).await.expect(200);
    get_file().await.expect(404);
    for (body, field) in [
        (json!({"kind": "account", "username": "nobody"}), "username"),
        (json!({"kind": "account", "username": "ada"}), "username"),
    ] {
        let other = scene.app.upload(&scene.token, "b.csv", FILE).await;
        let path = format!("/api/files/{}/share", other["id"].as_str().unwrap());
        let problem = scene.ada(post_json(&path, &body)).await.expect_problem(404, "not_found");
        assert_eq!(problem["field"], field);
    }
}

#[tokio::test]
async fn a_share_with_wrong_terms_is_refused_and_leaves_nothing() {
    let scene = Scene::new().await;
    let path = format!("/api/files/{}/share", scene.id);
    let before = scene.app.database.row_counts();
    for (body, status) in [
        (json!({}), 400),
        (json!({"kind": "link"}), 400),
        (json!({"kind": "download", "expiresIn": 0}), 400),
        (json!({"kind": "download", "expiresIn": 604_801}), 400),
        (json!({"kind": "download", "expiresIn": -1}), 400),
        (json!({"kind": "download", "maxUses": 0}), 400),
        (json!({"kind": "download", "maxUses": 1_000_001}), 400),
        (json!({"kind": "download", "disposition": "evil"}), 400),
        (json!({"kind": "download", "password": "short"}), 422),
        (json!({"kind": "download", "recipe": {}}), 400),
        (json!({"kind": "download", "username": "bob"}), 400),
        (json!({"kind": "download", "unknown": 1}), 400),
        (json!({"kind": "download", "name": ""}), 422),
        (json!({"kind": "download", "name": "x".repeat(256)}), 422),
        (json!({"kind": "cut"}), 400),
        (json!({"kind": "cut", "recipe": {"selectedColumns": ["nope"]}}), 400),
        (json!({"kind": "cut", "recipe": {"outputFormat": "json"}}), 400),
        (json!({"kind": "cut", "recipe": {}, "maxUses": 0}), 400),
        (json!({"kind": "account"}), 400),
        (json!({"kind": "account", "username": "bob", "maxUses": 1}), 400),
        (json!({"kind": "account", "username": "bob", "may": "write"}), 400),
    ] {
        let response = scene.ada(post_json(&path, &body)).await;
        assert_eq!(response.status, status, "{body}: {response}");
    }
    for body in [
        json!({"kind": "download"}),
        json!({"kind": "upload", "maxBytes": 0}),
        json!({"kind": "upload", "contentTypes": []}),
        json!({"kind": "upload", "contentTypes": ["text/html"]}),
        json!({"kind": "upload", "maxUses": 0}),
    ] {
        scene.ada(post_json("/api/shares", &body)).await.expect(400);
    }
    assert_eq!(scene.app.database.row_counts(), before);
}

#[tokio::test]
async fn a_user_has_a_bounded_number_of_shares_and_lists_them_by_page() {
    let scene = Scene::new().await;
    for _ in 0..5 {
        scene.share(json!({"kind": "download"})).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = scene.ada(get(&format!("/api/shares?limit=2{cursor}"))).await.expect(200).json();
        seen.extend(page["shares"].as_array().unwrap().iter().map(|share| share["id"].clone()));
        cursor = format!("&cursor={}", page["nextCursor"].as_str().unwrap_or_default());
    }
    seen.dedup();
    assert_eq!(seen.len(), 5);
    scene.ada(get("/api/shares?cursor=x")).await.expect_problem(400, "bad_cursor");
    scene.app.database.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 995)
         INSERT INTO shares (id, user_id, kind, disposition, created_at) SELECT 'x' || i, 'ada', 'upload', 'attachment', '2026-01-01T00:00:00.000Z' FROM n",
    );
    let path = format!("/api/files/{}/share", scene.id);
    scene.ada(post_json(&path, &json!({"kind": "download"}))).await.expect_problem(507, "quota_exceeded");
    scene
        .ada(post_json(&path, &json!({"kind": "cut", "recipe": {}})))
        .await
        .expect_problem(507, "quota_exceeded");
    assert_eq!(scene.ada(get("/api/files")).await.json()["total"], 1);
    scene.app.assert_consistent();
}
