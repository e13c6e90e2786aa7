//! Erasure: after the permanent deletion of a file, the service erases the name, tags, metadata, filter values and
//! other texts of the file. The ids stay.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::client::{Call, TestResponse, delete, get, patch_json, post_json, upload};
use crate::support::parts::part;
use crate::support::schema;
use crate::support::{Fault, On, TestApp};

/// A text that no row may contain after the erasure.
const PERSON: &str = "Grace Hopper";

const CSV: &str = "Grace Hopper,b\nGrace Hopper,1\nGrace Hopper,2,3\n";

struct Scene {
    app: TestApp,
    token: String,
    file: String,
    child: String,
}

impl Scene {
    /// Creates a file whose name, tag, metadata, columns, cells, cuts and errors name a person. Saves a cut of the
    /// file.
    async fn new() -> Self {
        let app = TestApp::new();
        let token = app.user("ada");
        let mut scene = Self { app, token, file: String::new(), child: String::new() };
        let call = upload(&format!("{PERSON}.csv"), CSV)
            .header("x-file-tags", PERSON)
            .header("x-file-metadata", json!({"about": PERSON}));
        scene.file = scene.send(call).await.expect(201).json()["file"]["id"].as_str().unwrap().to_owned();
        let cut = json!({"whereFilters": {PERSON: PERSON}});
        scene.send(post_json(&scene.path("cut"), &cut)).await.expect(200);
        let strict = json!({"strict": true, "whereFilters": {PERSON: PERSON}});
        scene.send(post_json(&scene.path("cut"), &strict)).await.expect(422);
        let save =
            json!({"whereFilters": {PERSON: PERSON}, "filename": format!("{PERSON}.csv"), "tags": [PERSON]});
        let saved = scene.send(post_json(&scene.path("save"), &save)).await.expect(201).json();
        scene.child = saved["file"]["id"].as_str().unwrap().to_owned();
        scene.app.deliver().await;
        scene
    }

    fn path(&self, action: &str) -> String {
        format!("/api/files/{}/{action}", self.file)
    }

    async fn send(&self, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.token).header("user-agent", "Grace's browser")).await
    }

    async fn delete(&self, id: &str) {
        self.send(delete(&format!("/api/files/{id}?permanent=true"))).await.expect(200);
    }

    /// Returns the columns that contain `text`, as `table.column`.
    fn holding(&self, text: &str) -> Vec<String> {
        holding(&self.app, text)
    }
}

fn holding(app: &TestApp, text: &str) -> Vec<String> {
    let connection = app.database.connection();
    let mut found = Vec::new();
    for table in schema::tables(&connection) {
        for (column, kind) in schema::columns(&connection, &table) {
            let sql = format!("SELECT count(*) FROM {table} WHERE instr({column}, ?1) > 0");
            let rows: i64 = connection.query_row(&sql, [text], |row| row.get(0)).unwrap();
            if kind == "TEXT" && rows > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
    }
    found
}

#[tokio::test]
async fn permanent_deletion_erases_every_text_about_a_person() {
    let scene = Scene::new().await;
    assert!(scene.holding(PERSON).len() >= 5, "{:?}", scene.holding(PERSON));
    let recipe = format!("/api/files/{}/recipe", scene.child);
    scene.delete(&scene.file).await;
    assert_eq!(
        scene.holding(PERSON),
        ["file_tags.tag", "files.filename", "files.columns", "recipes.recipe"],
        "only the saved cut and its recipe may keep the text"
    );
    scene.app.run_sweep("erase_files").await.unwrap();
    scene.send(get(&recipe)).await.expect(200);
    let lineage = scene.send(get(&format!("/api/files/{}/lineage", scene.child))).await.expect(200).json();
    let parent = &lineage["parents"][0];
    assert_eq!(
        (&parent["fileId"], &parent["filename"], &parent["lifecycleStatus"]),
        (&json!(scene.file), &Value::Null, &json!("purged"))
    );
    scene.delete(&scene.child).await;
    assert_eq!(scene.holding(PERSON), Vec::<String>::new());
    assert_eq!(scene.app.database.row_counts()["recipes"], 0);
    assert_eq!(scene.app.database.row_counts()["erasures"], 2);
    scene.app.assert_consistent();
}

#[tokio::test]
async fn the_sweep_erases_texts_in_receipts_and_in_the_audit_log_and_repeats_the_erasure_after_a_day() {
    let scene = Scene::new().await;
    scene.delete(&scene.child).await;
    scene.delete(&scene.file).await;
    let texts = "SELECT count(*) AS n FROM cuts WHERE error IS NOT NULL OR checksum IS NOT NULL OR recipe_sha256 IS NOT NULL";
    let errors = "SELECT count(*) AS n FROM file_access_logs WHERE error_message IS NOT NULL";
    assert!(scene.app.database.value(texts) != 0 && scene.app.database.value(errors) == 1);
    let run = async || scene.app.run_sweep("erase_files").await.unwrap().runs.swap_remove(0).examined;
    assert_eq!((run().await, run().await), (2, 0));
    assert_eq!((scene.app.database.value(texts), scene.app.database.value(errors)), (json!(0), json!(0)));
    // A cut writes these texts if it began before the deletion and ended after the first run of the sweep.
    scene.app.database.execute("UPDATE cuts SET checksum = 'c', error = 'e'");
    scene.app.advance(TimeDelta::hours(25));
    assert_eq!((run().await, run().await), (2, 0));
    assert_eq!(scene.app.database.value(texts), 0);
    assert_eq!(scene.app.database.value("SELECT count(*) AS n FROM erasures WHERE next_at IS NULL"), 2);
    assert_eq!(scene.app.database.row_counts()["cuts"], 3, "the receipts and their counts must stay");
}

#[tokio::test]
async fn the_texts_in_many_rows_of_one_file_are_erased_in_several_runs() {
    let scene = Scene::new().await;
    scene.app.database.execute(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1200)
         INSERT INTO cuts (id, user_id, file_id, status, recipe, created_at)
         SELECT printf('%08d', n), 'ada', '{}', 'complete', '{{\"name\": \"{PERSON}\"}}', '2026-01-02T03:04:05.678Z' FROM n",
        scene.file
    ));
    scene.delete(&scene.child).await;
    scene.delete(&scene.file).await;
    // One run erases the texts in at most 500 receipts.
    for left in [703, 203, 0, 0] {
        scene.app.advance(TimeDelta::minutes(5));
        scene.app.run_sweep("erase_files").await.unwrap();
        let recipes = "SELECT count(*) AS n FROM cuts WHERE recipe <> '{}' OR checksum IS NOT NULL OR error IS NOT NULL";
        let found = scene.app.database.value(recipes).as_u64().unwrap();
        assert!(found.abs_diff(left) <= 3, "{found} rows still have texts, expected about {left}");
    }
    assert_eq!(scene.holding(PERSON), Vec::<String>::new());
}

#[tokio::test]
async fn files_in_the_trash_keep_their_names_until_the_sweep_permanently_deletes_the_files() {
    let scene = Scene::new().await;
    for id in [&scene.child, &scene.file] {
        scene.send(delete(&format!("/api/files/{id}"))).await.expect(200);
    }
    let trash = scene.send(get("/api/files?status=deleted")).await.expect(200);
    assert!(trash.text().contains(PERSON));
    scene.app.advance(TimeDelta::days(31));
    scene.app.sweep(scene.app.now()).await.unwrap();
    assert_eq!(scene.holding(PERSON), Vec::<String>::new());
}

#[tokio::test]
async fn a_profile_that_is_computed_after_the_deletion_is_not_written() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(Fault::Failed, On::objects().method("put_bytes"), 1);
    let file = app.upload(&token, "a.csv", CSV).await;
    app.faults.clear();
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    app.send(get(&format!("{path}/profile")).bearer(&token)).await.expect(409);
    let jobs = app.queue.take();
    app.send(delete(&format!("{path}?permanent=true")).bearer(&token)).await.expect(200);
    app.do_jobs(jobs).await;
    assert_eq!(holding(&app, PERSON), Vec::<String>::new());
}

#[tokio::test]
async fn the_texts_of_an_upload_in_parts_are_erased_with_the_file() {
    let app = TestApp::with_parts_of(1);
    let token = app.user("ada");
    let body =
        json!({"filename": format!("{PERSON}.csv"), "size": 4, "tags": [PERSON], "metadata": {"a": PERSON}});
    let begun = app.send(post_json("/api/files/multipart", &body).bearer(&token)).await.expect(201).json();
    let path = format!("/api/files/multipart/{}", begun["uploadId"].as_str().unwrap());
    let mut parts = Vec::new();
    let part_size = usize::try_from(begun["partSize"].as_u64().unwrap()).unwrap();
    for (number, bytes) in (1..).zip(b"a\n1\n".chunks(part_size)) {
        let stored = app.send(part(&path, number, bytes).bearer(&token)).await.expect(200).json();
        parts.push(stored["part"].clone());
    }
    let done =
        app.send(crate::support::parts::complete(&path, &parts).bearer(&token)).await.expect(201).json();
    let file = format!("/api/files/{}", done["file"]["id"].as_str().unwrap());
    app.send(patch_json(&file, &json!({"tags": [PERSON]})).bearer(&token)).await.expect(200);
    app.send(delete(&format!("{file}?permanent=true")).bearer(&token)).await.expect(200);
    assert_eq!(holding(&app, PERSON), Vec::<String>::new());
    app.send(get(&path).bearer(&token)).await.expect_problem(404, "not_found");
}

/// Returns the first SQL code block after this heading.
fn block_after(document: &str, heading: &str) -> String {
    let (_, section) = document.split_once(heading).unwrap();
    let (_, block) = section.split_once("```sql\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn the_documented_statements_repeat_an_erasure_after_a_backup_was_restored() {
    let scene = Scene::new().await;
    let backup = scene.app.database.rows("SELECT * FROM files");
    assert_eq!(backup.len(), 2);
    let documented = block_after(include_str!("../../docs/operations.md"), "### Erasures and backups");
    // The scene has erased nothing yet. So the database has the state of a backup from before the erasure.
    let statements = documented.replace("'[\"FILE_ID\"]'", &format!("'[\"{}\"]'", scene.file));
    assert_ne!(statements, documented);
    for _ in 0..2 {
        scene.app.database.execute(&statements);
        scene.app.assert_consistent();
        let status = format!("SELECT lifecycle_status FROM files WHERE id = '{}'", scene.file);
        assert_eq!(scene.app.database.value(&status), "dead");
        assert_eq!(scene.app.database.row_counts()["erasures"], 1);
    }
    scene.send(get(&format!("/api/files/{}", scene.child))).await.expect(200);
    // The statements use the clock of the database. The clock of the test must show a later time.
    scene.app.clock.set("2100-01-01T00:00:00.000Z");
    for _ in 0..3 {
        scene.app.sweep(scene.app.now()).await.unwrap();
        scene.app.advance(TimeDelta::days(2));
    }
    assert_eq!(scene.app.objects.file_keys().len(), 1);
}
