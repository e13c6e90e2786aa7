//! A key with a tag sees and makes only files with this tag.

use serde_json::{Value, json};

use super::{CSV, Scene};
use crate::support::client::{
    Call, Form, TestResponse, delete, get, head, patch_json, post, post_json, upload,
};
use crate::support::parts::{complete, create as create_in_parts, part};
use crate::support::tus::{create, create_with, tus};

const SCOPES: &[&str] = &["read", "write", "cut", "share"];

/// Ada has a file with the tag `red` and a file without it, and a key for the tag `red`.
struct Tagged {
    scene: Scene,
    key: String,
    red: String,
    blue: String,
}

impl Tagged {
    async fn new() -> Self {
        let scene = Scene::new();
        let key = scene.tagged(SCOPES, "red").await;
        let store = async |name: &str, tags: &str| {
            let call = upload(name, CSV).header("x-file-tags", tags);
            id_of(&scene.send(call).await.expect(201).json())
        };
        let (red, blue) = (store("red.csv", "red, round").await, store("blue.csv", "blue").await);
        Self { scene, key, red, blue }
    }

    async fn send(&self, call: Call) -> TestResponse {
        self.scene.app.send(call.bearer(&self.key)).await
    }

    async fn listed(&self, query: &str) -> Vec<Value> {
        let page = self.send(get(&format!("/api/files?sort=filename&{query}"))).await.expect(200).json();
        let files = page["files"].as_array().unwrap();
        assert_eq!(page["total"], files.len());
        files.iter().map(|file| file["filename"].clone()).collect()
    }
}

fn id_of(body: &Value) -> String {
    body["file"]["id"].as_str().unwrap().to_owned()
}

fn path(id: &str) -> String {
    format!("/api/files/{id}")
}

#[tokio::test]
async fn lists_have_only_files_with_the_tag() {
    let tagged = Tagged::new().await;
    assert_eq!(tagged.listed("").await, ["red.csv"]);
    assert_eq!(tagged.listed("tag=round").await, ["red.csv"]);
    assert_eq!(tagged.listed("tag=blue").await, [""; 0]);
    // The system's tags are not the owner's tags: every uploaded file has the system tag "uploaded".
    let uploaded = tagged.scene.tagged(SCOPES, "uploaded").await;
    let list = tagged.scene.app.send(get("/api/files").bearer(&uploaded)).await.expect(200).json();
    assert_eq!((&list["total"], &list["files"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn a_file_without_the_tag_does_not_exist() {
    let tagged = Tagged::new().await;
    let blue = path(&tagged.blue);
    let before = tagged.scene.app.database.rows("SELECT * FROM files ORDER BY id");
    let tags = tagged.scene.app.database.rows("SELECT * FROM file_tags ORDER BY file_id, tag");
    for call in [
        get(&blue),
        get(&format!("{blue}/metadata")),
        get(&format!("{blue}/cut")),
        get(&format!("{blue}/count")),
        get(&format!("{blue}/rows")),
        get(&format!("{blue}/lineage")),
        get(&format!("{blue}/recipe")),
        post_json(&format!("{blue}/save"), &json!({})),
        patch_json(&blue, &json!({"filename": "x.csv"})),
        patch_json(&blue, &json!({"tags": ["red"]})),
        patch_json(&blue, &json!({"tags": ["red"]})).header("if-match", "*"),
        patch_json(&blue, &json!({})),
        delete(&blue),
        delete(&format!("{blue}?permanent=true")),
        post(&format!("{blue}/restore")),
        post_json("/api/downloads", &json!({"fileId": tagged.blue})),
        post_json("/api/filters/parse", &json!({"text": "a = 1", "fileId": tagged.blue})),
    ] {
        let about = format!("{} {}", call.request.method(), call.request.uri());
        let response = tagged.send(call).await;
        assert_eq!(response.status, 404, "{about}: {response}");
    }
    assert_eq!(tagged.scene.app.database.rows("SELECT * FROM files ORDER BY id"), before);
    assert_eq!(tagged.scene.app.database.rows("SELECT * FROM file_tags ORDER BY file_id, tag"), tags);
    for status in ["active", "deleted"] {
        let list = tagged.send(get(&format!("/api/files?status={status}"))).await.text().to_owned();
        assert!(!list.contains(&tagged.blue));
    }
    tagged.scene.app.assert_consistent();
}

#[tokio::test]
async fn a_file_with_the_tag_can_be_read_changed_trashed_restored_and_deleted() {
    let tagged = Tagged::new().await;
    let red = path(&tagged.red);
    tagged.send(get(&red)).await.expect(200);
    tagged.send(get(&format!("{red}/cut?a__eq=1"))).await.expect(200);
    let changed = tagged.send(patch_json(&red, &json!({"tags": ["new", "red"]}))).await.expect(200).json();
    let mut tags: Vec<_> = changed["file"]["userTags"].as_array().unwrap().clone();
    tags.sort_by_key(Value::to_string);
    assert_eq!(tags, ["new", "red"]);
    tagged.send(delete(&red)).await.expect(200);
    assert_eq!(tagged.listed("status=deleted").await, ["red.csv"]);
    tagged.send(delete(&red)).await.expect(200);
    tagged.send(post(&format!("{red}/restore"))).await.expect(200);
    tagged.send(delete(&format!("{red}?permanent=true"))).await.expect(200);
    tagged.send(get(&red)).await.expect_problem(404, "not_found");
    tagged.scene.app.assert_consistent();
}

#[tokio::test]
async fn the_key_cannot_remove_its_tag() {
    let tagged = Tagged::new().await;
    let red = path(&tagged.red);
    for tags in [json!([]), json!(["Red", "round"]), json!(null)] {
        let response = tagged.send(patch_json(&red, &json!({"tags": tags}))).await;
        response.expect_problem(403, "forbidden");
    }
    assert_eq!(tagged.listed("").await, ["red.csv"]);
    // The owner can remove it. Then the key does not see the file any more.
    tagged.scene.send(patch_json(&red, &json!({"tags": []}))).await.expect(200);
    assert_eq!(tagged.listed("").await, [""; 0]);
    tagged.send(get(&red)).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn each_way_to_store_a_file_gives_it_the_tag() {
    let tagged = Tagged::new().await;
    let mut stored = Vec::new();
    let form = Form::default().file("form.csv", CSV.as_bytes()).field("tags", "x").post();
    let save =
        post_json(&format!("{}/save", path(&tagged.red)), &json!({"filename": "saved.csv", "tags": ["x"]}));
    for call in [upload("plain.csv", CSV).header("x-file-tags", "x"), upload("bare.csv", CSV), form, save] {
        stored.push(id_of(&tagged.send(call).await.expect(201).json()));
    }
    let tus = tagged.send(create_with(CSV.len(), CSV.as_bytes())).await.expect(201);
    stored.push(tus.header("x-file-id").to_owned());
    let begun = tagged.send(create_in_parts(CSV.len())).await.expect(201).json();
    let upload_path = format!("/api/files/multipart/{}", begun["uploadId"].as_str().unwrap());
    let sent = tagged.send(part(&upload_path, 1, CSV.as_bytes())).await.expect(200).json();
    stored
        .push(id_of(&tagged.send(complete(&upload_path, &[sent["part"].clone()])).await.expect(201).json()));
    for id in &stored {
        let metadata = tagged.send(get(&format!("{}/metadata", path(id)))).await.expect(200).json();
        let tags = metadata["file"]["userTags"].as_array().unwrap();
        assert!(tags.contains(&json!("red")), "{metadata}");
    }
    assert_eq!(tagged.listed("").await.len(), stored.len() + 1);
    let many: Vec<_> = (0..32).map(|number| number.to_string()).collect();
    let full = upload("full.csv", CSV).header("x-file-tags", many.join(","));
    tagged.send(full).await.expect_problem(400, "bad_metadata");
    let form = Form::default().file("form.csv", CSV.as_bytes()).field("tags", &many.join(",")).post();
    tagged.send(form).await.expect_problem(400, "bad_metadata");
    tagged.scene.app.assert_consistent();
}

#[tokio::test]
async fn uploads_of_the_owner_do_not_exist_for_the_key() {
    let tagged = Tagged::new().await;
    let owners = tagged.scene.send(create(CSV.len())).await.expect(201).header("location").to_owned();
    let begun = tagged.scene.send(create_in_parts(CSV.len())).await.expect(201).json();
    let parts = format!("/api/files/multipart/{}", begun["uploadId"].as_str().unwrap());
    for call in [
        tus(head(&owners)),
        crate::support::tus::patch(&owners, 0).bytes(CSV),
        tus(delete(&owners)),
        get(&parts),
        get(&format!("{parts}/parts")),
        part(&parts, 1, CSV.as_bytes()),
        complete(&parts, &[]),
        delete(&parts),
    ] {
        let about = format!("{} {}", call.request.method(), call.request.uri());
        assert_eq!(tagged.send(call).await.status, 404, "{about}");
    }
    // An upload of the key exists for the key, for its owner, and for a key without a tag.
    let own = tagged.send(create(CSV.len())).await.expect(201).header("location").to_owned();
    let other = tagged.scene.tagged(SCOPES, "blue").await;
    for (secret, status) in [
        (&tagged.key, 200),
        (&tagged.scene.token, 200),
        (&other, 404),
        (&tagged.scene.secret(SCOPES).await, 200),
    ] {
        assert_eq!(tagged.scene.app.send(tus(head(&own)).bearer(secret)).await.status, status);
    }
    tagged.scene.send(tus(head(&owners))).await.expect(200);
}

#[tokio::test]
async fn receipts_relatives_and_tickets_are_those_of_files_with_the_tag() {
    let tagged = Tagged::new().await;
    let (red, blue) = (path(&tagged.red), path(&tagged.blue));
    let [of_red, of_blue] = [&red, &blue].map(|file| get(&format!("{file}/cut")));
    let of_red = tagged.scene.send(of_red).await.expect(200).receipt_path();
    let of_blue = tagged.scene.send(of_blue).await.expect(200).receipt_path();
    let list = tagged.send(get("/api/cuts")).await.expect(200).json();
    assert_eq!(list["cuts"].as_array().unwrap().len(), 1, "{list}");
    let of_file = tagged.send(get(&format!("/api/cuts?fileId={}", tagged.blue))).await.expect(200).json();
    assert_eq!(of_file["cuts"], json!([]));
    tagged.send(get(&of_red)).await.expect(200);
    tagged.send(get(&format!("{of_red}/recipe"))).await.expect(200);
    tagged.send(get(&of_blue)).await.expect_problem(404, "not_found");
    tagged.send(get(&format!("{of_blue}/recipe"))).await.expect_problem(404, "not_found");

    // A saved cut with the tag, whose parent has no tag, and a saved cut without the tag of a file with it.
    let save = |file: &str, tag: &str| post_json(&format!("{file}/save"), &json!({"tags": [tag]}));
    let child = path(&id_of(&tagged.scene.send(save(&blue, "red")).await.expect(201).json()));
    tagged.scene.send(save(&red, "blue")).await.expect(201);
    let relatives = async |file: &str| tagged.send(get(&format!("{file}/lineage"))).await.expect(200).json();
    assert_eq!(relatives(&child).await["parents"], json!([]));
    assert_eq!(relatives(&red).await["children"], json!([]));
    assert_eq!(
        tagged.scene.send(get(&format!("{red}/lineage"))).await.json()["children"].as_array().unwrap().len(),
        1
    );

    let ticket = post_json("/api/downloads", &json!({"fileId": tagged.red, "recipe": {}}));
    let ticket = tagged.send(ticket).await.expect(201).json();
    let url = ticket["download"]["url"].as_str().unwrap();
    tagged.scene.app.send(get(url)).await.expect(200);
    tagged.scene.send(patch_json(&red, &json!({"tags": []}))).await.expect(200);
    tagged.scene.app.send(get(url)).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn saved_recipes_are_not_for_keys_with_a_tag() {
    let tagged = Tagged::new().await;
    let saved = post_json("/api/recipes", &json!({"name": "r", "cut": {}}));
    let recipe = tagged.scene.send(saved).await.expect(201).header("location").to_owned();
    for call in [
        get("/api/recipes"),
        get(&format!("/api/recipes?fileId={}", tagged.red)),
        get(&recipe),
        post_json("/api/recipes", &json!({"name": "s", "cut": {}})),
        patch_json(&recipe, &json!({"name": "s"})),
        delete(&recipe),
        post_json(&format!("{recipe}/run"), &json!({"fileId": tagged.red})),
    ] {
        tagged.send(call).await.expect_problem(403, "forbidden");
    }
    let all = tagged.scene.secret(SCOPES).await;
    tagged.scene.app.send(get(&recipe).bearer(&all)).await.expect(200);
}

#[tokio::test]
async fn shares_are_those_of_files_with_the_tag() {
    let tagged = Tagged::new().await;
    let share = |id: &str, kind: &str| {
        post_json(
            &format!("{}/share", path(id)),
            &json!({"kind": kind, "recipe": if kind == "cut" { json!({}) } else { Value::Null }}),
        )
    };
    let of_red = tagged.scene.send(share(&tagged.red, "download")).await.expect(201).json();
    let of_blue = tagged.scene.send(share(&tagged.blue, "download")).await.expect(201).json();
    let id_of = |made: &Value| made["share"]["id"].as_str().unwrap().to_owned();
    tagged.send(share(&tagged.blue, "download")).await.expect_problem(404, "not_found");
    tagged.send(share(&tagged.blue, "cut")).await.expect_problem(404, "not_found");
    let by_key = tagged.send(share(&tagged.red, "cut")).await.expect(201).json();
    let owners = post_json("/api/shares", &json!({"kind": "upload"}));
    let owners = tagged.scene.send(owners).await.expect(201).json();
    let link = tagged.send(post_json("/api/shares", &json!({"kind": "upload"}))).await.expect(201).json();
    let listed = tagged.send(get("/api/shares")).await.expect(200).json();
    let mut ids: Vec<_> =
        listed["shares"].as_array().unwrap().iter().map(|share| share["id"].clone()).collect();
    let mut wanted = [&of_red, &by_key, &link].map(|made| made["share"]["id"].clone()).to_vec();
    ids.sort_by_key(Value::to_string);
    wanted.sort_by_key(Value::to_string);
    assert_eq!(ids, wanted);
    for hidden in [&of_blue, &owners] {
        tagged.send(delete(&format!("/api/shares/{}", id_of(hidden)))).await.expect_problem(404, "not_found");
    }
    tagged.send(delete(&format!("/api/shares/{}", id_of(&of_red)))).await.expect(200);
    let of_link = format!("SELECT tags FROM shares WHERE id = '{}'", id_of(&link));
    let tags = tagged.scene.app.database.value(&of_link);
    assert_eq!(tags, json!("[\"red\"]"));
}

#[tokio::test]
async fn a_repeated_request_gets_its_replay_only_while_the_file_has_the_tag() {
    let tagged = Tagged::new().await;
    let keyed = || upload("k.csv", CSV).header("idempotency-key", "k");
    let stored = id_of(&tagged.send(keyed()).await.expect(201).json());
    assert!(tagged.send(keyed()).await.expect(201).has("idempotency-replayed"));
    tagged.scene.send(patch_json(&path(&stored), &json!({"tags": []}))).await.expect(200);
    tagged.send(keyed()).await.expect_problem(410, "gone");
}
