//! Saved recipes, and the list of receipts.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, TestResponse, delete, get, patch_json, post_json};

struct Scene {
    app: TestApp,
    token: String,
}

impl Scene {
    fn new() -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        Self { app, token }
    }

    async fn send(&self, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.token)).await
    }

    async fn save(&self, name: &str, cut: Value) -> TestResponse {
        self.send(post_json("/api/recipes", &json!({"name": name, "cut": cut}))).await
    }

    async fn upload(&self, csv: &str) -> String {
        let file = self.app.upload(&self.token, "a.csv", csv.to_owned()).await;
        file["id"].as_str().unwrap().to_owned()
    }

    async fn names(&self, query: &str) -> Vec<String> {
        let list = self.send(get(&format!("/api/recipes?{query}"))).await.expect(200).json();
        let recipes = list["recipes"].as_array().unwrap().iter();
        recipes.map(|recipe| recipe["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn adults() -> Value {
    json!({"columns": ["name", "city"], "filter": "age >= 18 AND city = Bern", "format": "ndjson"})
}

#[tokio::test]
async fn a_recipe_is_saved_and_run_on_another_file() {
    let scene = Scene::new();
    let saved = scene.save("  adults in Bern ", adults()).await.expect(201);
    let recipe = saved.json()["recipe"].clone();
    let path = saved.header("location").to_owned();
    assert_eq!(path, format!("/api/recipes/{}", recipe["id"].as_str().unwrap()));
    assert_eq!(recipe["name"], "adults in Bern");
    assert_eq!(recipe["cut"], adults());
    assert_eq!(recipe["filter"], "age >= 18 AND city = Bern");
    assert_eq!(recipe["columns"], json!(["name", "city", "age"]));
    assert_eq!(scene.send(get(&path)).await.expect(200).json()["recipe"], recipe);
    let file = scene.upload("city;name;age\nBern;Zoë;34\nBern;Tim;7\nOslo;Ann;50\n").await;
    let run = |file: &str| post_json(&format!("{path}/run"), &json!({"fileId": file}));
    let cut = scene.send(run(&file)).await.expect(200);
    assert_eq!(cut.text(), "{\"name\":\"Zoë\",\"city\":\"Bern\"}\n");
    let receipt = scene.send(get(&cut.receipt_path())).await.expect(200).json();
    assert_eq!((&receipt["cut"]["rowsOut"], &receipt["cut"]["complete"]), (&json!(1), &json!(true)));
    let other = scene.upload("name;age\nZoë;34\n").await;
    scene.send(run(&other)).await.expect_problem(400, "unknown_column");
    let list = scene.send(get(&format!("/api/recipes?fileId={other}"))).await.expect(200).json();
    assert_eq!(
        (&list["recipes"][0]["suits"], &list["recipes"][0]["missing"]),
        (&json!(false), &json!(["city"]))
    );
    let list = scene.send(get(&format!("/api/recipes?fileId={file}"))).await.expect(200).json();
    assert_eq!((&list["recipes"][0]["suits"], &list["recipes"][0]["missing"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn a_name_belongs_to_one_recipe_and_a_repeated_request_has_no_second_effect() {
    let scene = Scene::new();
    let first = scene.save("a", adults()).await.expect(201).json();
    assert_eq!(scene.save("a", adults()).await.expect(201).json(), first);
    let problem = scene.save("a", json!({})).await.expect_problem(409, "conflict");
    assert_eq!((&problem["id"], &problem["field"]), (&first["recipe"]["id"], &json!("name")));
    let second = scene.save("b", json!({})).await.expect(201);
    let path = second.header("location");
    let rename = |name: &str| patch_json(path, &json!({"name": name}));
    scene.send(rename("a")).await.expect_problem(409, "conflict");
    assert_eq!(scene.send(rename("b")).await.expect(200).json()["recipe"]["name"], "b");
    assert_eq!(scene.send(rename("c")).await.expect(200).json()["recipe"]["cut"], json!({}));
    let changed = scene.send(patch_json(path, &json!({"cut": adults()}))).await.expect(200).json();
    assert_eq!((&changed["recipe"]["name"], &changed["recipe"]["columns"][2]), (&json!("c"), &json!("age")));
    assert_eq!(scene.names("").await, ["a", "c"]);
    scene.send(delete(path)).await.expect(200);
    scene.send(delete(path)).await.expect_problem(404, "not_found");
    scene.send(get(path)).await.expect_problem(404, "not_found");
    scene.send(rename("x")).await.expect_problem(404, "not_found");
    assert_eq!(scene.names("").await, ["a"]);
}

#[tokio::test]
async fn recipes_that_cannot_run_are_refused() {
    let scene = Scene::new();
    for (body, status, code) in [
        (json!({"name": "", "cut": {}}), 422, "bad_name"),
        (json!({"name": "\u{200B} ", "cut": {}}), 422, "bad_name"),
        (json!({"name": "a\nb", "cut": {}}), 422, "bad_name"),
        (json!({"name": "x".repeat(256), "cut": {}}), 422, "bad_name"),
        (json!({"name": "a", "cut": {"filter": "age >"}}), 400, "bad_filter"),
        (json!({"name": "a", "cut": {"nope": 1}}), 400, "unknown_option"),
        (json!({"name": "a", "cut": {"columns": ["x".repeat(65 << 10)]}}), 413, "too_large"),
        (json!({"name": "a", "cut": {"filename": "a/b"}}), 422, "bad_name"),
        (json!({"name": "a", "cut": null}), 400, "bad_request"),
        (json!({"name": "a"}), 400, "bad_request"),
        (json!({"name": "a", "cut": {}, "more": 1}), 400, "bad_request"),
    ] {
        scene.send(post_json("/api/recipes", &body)).await.expect_problem(status, code);
    }
    let path = scene.save("a", json!({})).await.expect(201).header("location").to_owned();
    for body in [json!({"name": null}), json!({"cut": null}), json!({"id": "x"})] {
        scene.send(patch_json(&path, &body)).await.expect_problem(400, "bad_request");
    }
    assert_eq!(scene.names("").await, ["a"]);
}

#[tokio::test]
async fn the_recipes_of_another_user_cannot_be_seen_or_changed() {
    let scene = Scene::new();
    let path = scene.save("a", adults()).await.expect(201).header("location").to_owned();
    let file = scene.upload("name,city,age\n").await;
    let other = Scene { token: scene.app.user("eve"), app: scene.app };
    other.send(get(&path)).await.expect_problem(404, "not_found");
    other.send(patch_json(&path, &json!({"name": "b"}))).await.expect_problem(404, "not_found");
    other.send(delete(&path)).await.expect_problem(404, "not_found");
    let run = post_json(&format!("{path}/run"), &json!({"fileId": file}));
    other.send(run).await.expect_problem(404, "not_found");
    other.send(get(&format!("/api/recipes?fileId={file}"))).await.expect_problem(404, "not_found");
    assert_eq!(other.names("").await, [""; 0]);
    other.save("a", json!({})).await.expect(201);
}

#[tokio::test]
async fn lists_of_recipes_have_pages_and_a_limit() {
    let scene = Scene::new();
    for number in 0..1_000 {
        scene.save(&format!("recipe {number:03}"), json!({"limit": number + 1})).await.expect(201);
    }
    scene.save("one more", json!({})).await.expect_problem(409, "conflict");
    assert_eq!(scene.names("q=RECIPE%2001&limit=20").await.len(), 10);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let list = scene.send(get(&format!("/api/recipes?limit=300{cursor}"))).await.expect(200).json();
        names.extend(list["recipes"].as_array().unwrap().iter().map(|recipe| recipe["name"].clone()));
        match list["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let wanted: Vec<Value> = (0..1_000).map(|number| json!(format!("recipe {number:03}"))).collect();
    assert_eq!(names, wanted);
    scene.send(get("/api/recipes?cursor=x")).await.expect_problem(400, "bad_cursor");
    scene.send(get("/api/recipes?limit=0")).await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn a_page_of_long_recipes_ends_early() {
    let scene = Scene::new();
    for number in 0..20 {
        scene.save(&format!("{number:02}"), json!({"columns": ["x".repeat(60_000)]})).await.expect(201);
    }
    let list = scene.send(get("/api/recipes")).await.expect(200).json();
    let shown = list["recipes"].as_array().unwrap().len();
    assert!((3..10).contains(&shown) && list["hasMore"] == true, "{shown}");
}

#[tokio::test]
async fn receipts_are_listed_for_all_files_or_one_file_the_newest_first() {
    let scene = Scene::new();
    let files = [scene.upload("a\n1\n").await, scene.upload("a\n1\n2\n").await];
    let mut receipts = Vec::new();
    for number in 0..7 {
        scene.app.advance(chrono::TimeDelta::seconds(1));
        let cut =
            scene.send(get(&format!("/api/files/{}/cut", files[number as usize % 2]))).await.expect(200);
        receipts.push(json!(cut.receipt_path().trim_start_matches("/api/cuts/")));
    }
    receipts.reverse();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let list = scene.send(get(&format!("/api/cuts?limit=2{cursor}"))).await.expect(200).json();
        assert_eq!(list["hasMore"], !list["nextCursor"].is_null());
        for cut in list["cuts"].as_array().unwrap() {
            assert_eq!((&cut["fileName"], &cut["complete"]), (&json!("a.csv"), &json!(true)));
            let one = scene.send(get(&format!("/api/cuts/{}", cut["id"].as_str().unwrap()))).await;
            let mut listed = cut.clone();
            listed.as_object_mut().unwrap().remove("fileName");
            assert_eq!(one.expect(200).json()["cut"], listed);
            found.push(cut["id"].clone());
        }
        match list["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, receipts);
    let list = scene.send(get(&format!("/api/cuts?fileId={}", files[1]))).await.expect(200).json();
    assert_eq!(list["cuts"].as_array().unwrap().len(), 3);
    assert!(list["cuts"].as_array().unwrap().iter().all(|cut| cut["fileId"] == files[1].as_str()));
    scene.send(delete(&format!("/api/files/{}?permanent=true", files[1]))).await.expect(200);
    let list = scene.send(get(&format!("/api/cuts?fileId={}", files[1]))).await.expect(200).json();
    assert!(list["cuts"].as_array().unwrap().iter().all(|cut| cut["fileName"].is_null()));
    let other = Scene { token: scene.app.user("eve"), app: scene.app };
    let list = other.send(get("/api/cuts")).await.expect(200).json();
    assert_eq!((&list["cuts"], &list["hasMore"]), (&json!([]), &json!(false)));
    let list = other.send(get(&format!("/api/cuts?fileId={}", files[0]))).await.expect(200).json();
    assert_eq!(list["cuts"], json!([]));
}
