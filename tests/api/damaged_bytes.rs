//! Every reader compares the bytes of a file with the digests in the sidecar of the file.

use std::fmt::Write;

use chrono::TimeDelta;
use cutty::csv::profile::{DIGEST_BLOCK_BYTES, Profile, ProfiledBytes};
use serde_json::{Value, json};

use crate::support::app::{OPERATOR_TOKEN, break_every_call};
use crate::support::client::{Call, Form, TestResponse, get, post_json};
use crate::support::{Fault, On, TestApp, parts, tus};

const BLOCK: usize = DIGEST_BLOCK_BYTES;

/// Returns a CSV file of about 2.5 MiB, sorted by its first column.
fn sorted_csv() -> String {
    sorted_csv_of(70_000)
}

fn sorted_csv_of(rows: usize) -> String {
    let mut csv = String::from("id,name,score\n");
    for id in 0..rows {
        writeln!(csv, "{id:06},\"name of {id}, quoted\",{}.{:02}", id % 1000, id % 97).unwrap();
    }
    csv
}

/// A user with one file, in an application without a cache.
struct Scene {
    app: TestApp,
    token: String,
    path: String,
    key: String,
    sidecar: String,
    bytes: Vec<u8>,
}

impl Scene {
    async fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let (app, bytes) = (TestApp::with(&[("CACHE_TTL", "0")]), bytes.into());
        let token = app.user("ada");
        let file = app.upload(&token, "a.csv", bytes.clone()).await;
        let path = format!("/api/files/{}", file["id"].as_str().unwrap());
        let (key, sidecar) = (app.objects.file_keys().remove(0), sidecar_key(&app));
        Self { app, token, path, key, sidecar, bytes }
    }

    async fn send(&self, call: Call) -> TestResponse {
        self.app.send(call.bearer(&self.token)).await
    }

    async fn get(&self, rest: &str) -> TestResponse {
        self.send(get(&format!("{}{rest}", self.path))).await
    }

    async fn save(&self) -> TestResponse {
        self.send(post_json(&format!("{}/save", self.path), &json!({}))).await
    }

    /// Restores the bytes of the object, and deletes all findings and receipts.
    fn repair(&self) {
        self.app.objects.change_bytes(&self.key, |bytes| bytes.copy_from_slice(&self.bytes));
        self.app
            .database
            .execute("UPDATE files SET damaged_at = NULL; DELETE FROM findings; DELETE FROM cuts;");
    }

    fn count(&self, what: &str) -> Value {
        self.app.database.value(&format!("SELECT count(*) AS n FROM {what}"))
    }

    async fn receipt(&self, response: &TestResponse) -> Value {
        self.send(get(&response.receipt_path())).await.expect(200).json()["cut"].clone()
    }

    fn binding(&self) -> ProfiledBytes {
        binding_of(&self.app)
    }

    fn profile(&self) -> Profile {
        Profile::decode(&self.app.objects.bytes(&self.sidecar), &self.binding()).unwrap()
    }

    /// Changes the digests in the sidecar: calls `change` with the decoded sidecar and stores the result.
    fn change_digests(&self, change: impl FnOnce(&mut Profile)) {
        let mut profile = self.profile();
        change(&mut profile);
        self.app.objects.plant(&self.sidecar, profile.encode(&self.binding()));
    }

    async fn scrub(&self) -> Value {
        let run = self.app.run_sweep("scrub").await.unwrap().runs.swap_remove(0);
        run.details
    }

    async fn findings(&self) -> usize {
        let open = get("/api/admin/findings").bearer(OPERATOR_TOKEN);
        self.app.send(open).await.expect(200).json()["findings"].as_array().unwrap().len()
    }
}

fn sidecar_key(app: &TestApp) -> String {
    app.objects.keys().into_iter().find(|key| key.ends_with(".profile")).unwrap()
}

/// Returns the attempt, size and etag of the only file. The sidecar is valid only for these three values.
fn binding_of(app: &TestApp) -> ProfiledBytes {
    let value = |column: &str| app.database.value(&format!("SELECT {column} FROM files"));
    let text = |column: &str| value(column).as_str().unwrap().to_owned();
    ProfiledBytes {
        attempt: text("attempt"),
        size_bytes: value("file_size").as_u64().unwrap(),
        etag: text("etag"),
    }
}

/// Pseudo-random numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

type Harm = Box<dyn FnOnce(&mut [u8])>;

/// Returns functions that change the bytes of a file and keep its length. The first function exchanges the two halves
/// of the file. The second function replaces the last quarter with zeros. Each of the other functions flips one bit.
fn harms(length: usize) -> Vec<Harm> {
    let mut numbers = Numbers(7);
    let mut harms: Vec<Harm> = vec![
        Box::new(|bytes| {
            let half = bytes.len() / 2;
            bytes.rotate_left(half);
        }),
        Box::new(|bytes| {
            let from = bytes.len() * 3 / 4;
            bytes[from..].fill(0);
        }),
    ];
    let edges = [0, BLOCK - 1, BLOCK, 2 * BLOCK, length / BLOCK * BLOCK, length - 1];
    let places: Vec<usize> = edges.into_iter().chain((0..10).map(|_| numbers.below(length))).collect();
    for place in places {
        let bit = 1 << numbers.below(8);
        harms.push(Box::new(move |bytes| bytes[place] ^= bit));
    }
    harms
}

#[tokio::test]
async fn a_file_with_changed_bytes_gives_no_complete_cut_no_saved_cut_and_no_page() {
    let csv = sorted_csv();
    let scene = Scene::new(csv.clone()).await;
    for (number, harm) in harms(csv.len()).into_iter().enumerate() {
        let mut harmed = scene.bytes.clone();
        harm(&mut harmed);
        let first = harmed.iter().zip(&scene.bytes).position(|(found, stored)| found != stored).unwrap();
        for reader in ["/cut", "/cut?streaming=false", "/save", "/rows?inputHeader=true&delimiter=comma"] {
            scene.app.objects.change_bytes(&scene.key, |bytes| bytes.copy_from_slice(&harmed));
            let response = match reader {
                "/save" => scene.save().await,
                reader => scene.get(reader).await,
            };
            let case = format!("{reader}, change {number} from byte {first}");
            match reader == "/cut" && first >= BLOCK {
                true => assert!(response.status == 200 && response.broken, "{case}: {}", response.status),
                false => drop(response.expect_problem(500, "integrity_error")),
            }
            assert_eq!(scene.count("cuts WHERE status <> 'failed'"), 0, "{case}");
            assert_eq!(scene.count("files WHERE lifecycle_status = 'active'"), 1, "{case}");
            assert_eq!(scene.count("findings WHERE kind = 'changed' AND resolved_at IS NULL"), 1, "{case}");
            // After a finding, every operation refuses to read the file.
            for later in ["/cut", "/rows", "/columns", "/fields", "/profile", "/estimate?id__gt=5", ""] {
                scene.get(later).await.expect_problem(500, "integrity_error");
            }
            scene.repair();
        }
    }
    assert_eq!(scene.get("/cut").await.expect(200).text(), csv);
}

#[tokio::test]
async fn a_page_and_a_pruned_cut_compare_the_digest_blocks_that_they_read() {
    let csv = sorted_csv_of(100_000);
    let scene = Scene::new(csv.clone()).await;
    let whole = scene.get("/cut?id__gte=099990&columns=id").await.expect(200);
    assert_ne!(whole.header("x-bytes-skipped"), "0");
    let (scanned, receipt) = (whole.header("x-bytes-scanned").to_owned(), scene.receipt(&whole).await);
    assert_eq!((receipt["verified"].clone(), receipt["bytesIn"].to_string()), (json!(true), scanned));
    let page = scene.get("/rows?offset=99990").await.expect(200).json();
    for (place, is_read) in [(csv.len() - 5, true), (BLOCK + 5, false)] {
        scene.app.objects.change_bytes(&scene.key, |bytes| bytes[place] ^= 4);
        let cut = scene.get("/cut?id__gte=099990&columns=id").await;
        // The cut fails for both places: every cut reads the first zone, and the byte `BLOCK + 5` is in this zone. The
        // transfer breaks if the damage comes after the first output.
        assert!(cut.broken || cut.status == 500, "{place}");
        scene.app.database.execute("UPDATE files SET damaged_at = NULL");
        match is_read {
            true => drop(scene.get("/rows?offset=99990").await.expect_problem(500, "integrity_error")),
            false => assert_eq!(scene.get("/rows?offset=99990").await.expect(200).json(), page),
        }
        scene.repair();
    }
}

#[tokio::test]
async fn bytes_are_compared_with_the_digests_for_any_length_of_the_pieces() {
    let scene = Scene::new(sorted_csv_of(100_000)).await;
    let queries = ["/cut", "/cut?id__gte=099990&columns=id", "/rows?offset=50000", "/rows?offset=99990"];
    let ask = async || {
        let mut answers = Vec::new();
        for query in queries {
            answers.push(scene.get(query).await.expect(200).body);
        }
        answers
    };
    let wanted = ask().await;
    for length in [1_021, 100_003, BLOCK - 1, 200_000] {
        scene.app.objects.set_piece_bytes(length);
        assert!(ask().await == wanted, "{length}");
        scene.app.objects.change_bytes(&scene.key, |bytes| bytes[3 * BLOCK + length] ^= 1);
        assert!(scene.get("/cut").await.broken, "{length}");
        scene.repair();
    }
}

#[tokio::test]
async fn damaged_bytes_are_refused_even_if_the_finding_cannot_be_recorded() {
    let scene = Scene::new(sorted_csv()).await;
    scene.app.objects.corrupt(&scene.key);
    for fault in [Fault::Failed, Fault::DoneButReportedFailed] {
        scene.app.faults.always(fault, On::database().about("findings"));
        assert!(scene.get("/cut").await.broken);
        scene.save().await.expect_problem(500, "integrity_error");
        scene.app.faults.clear();
        scene.app.database.execute("UPDATE files SET damaged_at = NULL; DELETE FROM findings;");
    }
    assert_eq!(scene.count("cuts WHERE status = 'complete'"), 0);
    assert!(scene.get("/cut").await.broken);
    assert_eq!(scene.findings().await, 1);
}

#[tokio::test]
async fn without_digests_a_cut_has_the_same_bytes_but_its_receipt_is_not_verified() {
    let mut numbers = Numbers(3);
    for length in [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 77] {
        let mut csv = b"a,b\n".to_vec();
        while csv.len() < length {
            csv.extend_from_slice(
                format!("{},\"x{}\"\n", numbers.below(900), numbers.below(1 << 30)).as_bytes(),
            );
        }
        csv.truncate(length.max(4));
        let scene = Scene::new(csv).await;
        let answers = async |verified: bool| {
            let mut answers = Vec::new();
            for query in
                ["/cut", "/cut?a__gt=500&format=json", "/cut?streaming=false&limit=3", "/rows?offset=2"]
            {
                let response = scene.get(query).await.expect(200);
                if query.starts_with("/cut") {
                    let receipt = scene.receipt(&response).await;
                    assert_eq!(
                        (&receipt["complete"], &receipt["verified"]),
                        (&json!(true), &json!(verified))
                    );
                    assert!(receipt["details"].get("verified").is_none(), "{receipt}");
                }
                answers.push(response.body);
            }
            answers
        };
        let with_digests = answers(true).await;
        scene.change_digests(|profile| profile.digests = None);
        assert_eq!(answers(false).await, with_digests, "{length}");
        scene.app.objects.lose(&scene.sidecar);
        assert_eq!(answers(false).await, with_digests, "{length}");
        scene.app.objects.corrupt(&scene.key);
        assert!(!scene.get("/cut").await.broken, "without digests, a cut cannot detect the change");
    }
}

#[tokio::test]
async fn every_upload_route_makes_the_same_digests() {
    let csv = sorted_csv();
    let scene = Scene::new(csv.clone()).await;
    let wanted = scene.profile().digests.unwrap();
    let digests_of = |app: &TestApp| {
        let sidecar = app.objects.bytes(&sidecar_key(app));
        Profile::decode(&sidecar, &binding_of(app)).unwrap().digests
    };

    let app = TestApp::new();
    let token = app.user("ada");
    app.send(Form::default().file("a.csv", csv.as_bytes()).post().bearer(&token)).await.expect(201);
    assert_eq!(digests_of(&app), Some(wanted.clone()), "form");

    // No chunk and no part ends where a digest block ends. Before each chunk, the upload session loses its memory. It
    // continues from the state that it has stored.
    let app = TestApp::with_parts_of(300_007);
    let token = app.user("ada");
    let begun = app.send(tus::create(csv.len()).bearer(&token)).await.expect(201);
    let (path, mut offset) = (begun.header("location").to_owned(), 0);
    for chunk in csv.as_bytes().chunks(277_777) {
        app.named_objects.evict();
        app.send(tus::patch(&path, offset).bytes(chunk.to_vec()).bearer(&token)).await.expect(204);
        offset += chunk.len();
    }
    assert_eq!(digests_of(&app), Some(wanted.clone()), "tus");

    let app = TestApp::with_parts_of(300_007);
    let token = app.user("ada");
    let begun = app.send(parts::create(csv.len()).bearer(&token)).await.expect(201);
    let (path, mut stored) = (begun.header("location").to_owned(), Vec::new());
    let part_bytes = begun.json()["partSize"].as_u64().unwrap() as usize;
    for (number, bytes) in (1..).zip(csv.as_bytes().chunks(part_bytes)) {
        let part = app.send(parts::part(&path, number, bytes).bearer(&token)).await.expect(200);
        stored.push(part.json()["part"].clone());
    }
    app.send(parts::complete(&path, &stored).bearer(&token)).await.expect(201);
    assert_eq!(app.deliver().await, 0);
    assert_eq!(digests_of(&app), Some(wanted), "parts, by the background pass");
    let cut = app.send(get("/api/files").bearer(&token)).await.expect(200).json();
    let cut = format!("/api/files/{}/cut", cut["files"][0]["id"].as_str().unwrap());
    let cut = app.send(get(&cut).bearer(&token)).await.expect(200);
    let receipt = app.send(get(&cut.receipt_path()).bearer(&token)).await.expect(200).json();
    assert_eq!(receipt["cut"]["verified"], true);
}

#[tokio::test]
async fn a_saved_cut_has_digests() {
    let scene = Scene::new(sorted_csv()).await;
    let saved = scene.save().await.expect(201).json();
    let cut = format!("/api/files/{}/cut", saved["file"]["id"].as_str().unwrap());
    let cut = scene.send(get(&cut)).await.expect(200);
    assert_eq!(scene.receipt(&cut).await["verified"], true);
    assert_eq!(cut.text(), sorted_csv());
}

#[tokio::test]
async fn the_scrub_adds_missing_digests_to_the_sidecar() {
    let scene = Scene::new(sorted_csv()).await;
    let stored = scene.app.objects.bytes(&scene.sidecar);
    scene.change_digests(|profile| profile.digests = None);
    scene.app.advance(TimeDelta::days(30));
    assert_eq!(scene.scrub().await["sidecars"], 1);
    assert!(scene.app.objects.bytes(&scene.sidecar) == stored);
    assert_eq!(scene.app.database.value("SELECT profile_bytes FROM files"), stored.len());
    let cut = scene.get("/cut").await.expect(200);
    assert_eq!(scene.receipt(&cut).await["verified"], true);
    scene.app.advance(TimeDelta::days(30));
    assert!(scene.scrub().await.get("sidecars").is_none(), "a complete sidecar must not be written again");
    scene.app.assert_consistent();
}

#[tokio::test]
async fn later_scrubs_complete_a_repair_in_which_a_call_failed() {
    let broken = break_every_call(
        async || {
            let scene = Scene::new("a,b\n1,2\n").await;
            scene.change_digests(|profile| profile.digests = None);
            scene.app.advance(TimeDelta::days(30));
            scene.app
        },
        async |app| drop(app.run_sweep("scrub").await),
        async |app, case| {
            for _ in 0..2 {
                app.advance(TimeDelta::days(30));
                app.run_sweep("scrub").await.unwrap();
            }
            let sidecar = app.objects.bytes(&sidecar_key(app));
            let profile = Profile::decode(&sidecar, &binding_of(app)).unwrap();
            assert!(profile.digests.is_some(), "{case}");
            assert_eq!(app.database.value("SELECT profile_bytes FROM files"), sidecar.len(), "{case}");
            app.assert_consistent();
        },
    )
    .await;
    assert!(broken >= 4 * 6, "{broken}");
}

#[tokio::test]
async fn the_scrub_adds_no_digests_of_damaged_bytes() {
    let scene = Scene::new(sorted_csv()).await;
    scene.change_digests(|profile| profile.digests = None);
    scene.app.objects.corrupt(&scene.key);
    scene.app.advance(TimeDelta::days(30));
    assert_eq!(scene.scrub().await, json!({"changed": 1, "readBytes": scene.bytes.len()}));
    assert_eq!(scene.profile().digests, None);
}

#[tokio::test]
async fn a_background_pass_makes_a_sidecar_that_the_scrub_cannot_repair() {
    type Harm = fn(&Scene);
    let harms: [(&str, Harm); 3] = [
        ("1000000000", |scene| scene.app.objects.corrupt(&scene.sidecar)),
        ("1000000000", |scene| scene.app.objects.lose(&scene.sidecar)),
        // The scrub hashes the file over several runs, so it has no digests of the file.
        ("1000000", |scene| scene.change_digests(|profile| profile.digests = None)),
    ];
    for (bytes_per_run, harm) in harms {
        let scene = Scene::new(sorted_csv()).await;
        let wanted = scene.app.objects.bytes(&scene.sidecar);
        let app = scene.app.reconfigured(&[("CACHE_TTL", "0"), ("SCRUB_BYTES_PER_RUN", bytes_per_run)]);
        let scene = Scene { app, ..scene };
        harm(&scene);
        scene.app.advance(TimeDelta::days(30));
        for _ in 0..3 {
            scene.scrub().await;
        }
        assert_eq!(scene.app.database.value("SELECT profile_bytes IS NULL FROM files"), 1);
        scene.app.sweep(scene.app.now()).await.unwrap();
        assert_eq!(scene.app.deliver().await, 0);
        assert!(scene.app.objects.bytes(&scene.sidecar) == wanted);
        let cut = scene.get("/cut").await.expect(200);
        assert_eq!(scene.receipt(&cut).await["verified"], true);
    }
}

#[tokio::test]
async fn wrong_digests_of_intact_bytes_are_replaced_by_the_next_scrub() {
    let scene = Scene::new(sorted_csv()).await;
    let other = Scene::new(sorted_csv().replace("name", "Name")).await;
    let wanted = scene.app.objects.bytes(&scene.sidecar);
    scene.change_digests(|profile| profile.digests = other.profile().digests);
    scene.get("/cut").await.expect_problem(500, "integrity_error");
    assert_eq!(scene.findings().await, 1);
    assert_eq!(
        scene.scrub().await["sidecars"],
        1,
        "the scrub must begin with the files that a reader found damaged"
    );
    assert_eq!(scene.findings().await, 0);
    assert!(scene.app.objects.bytes(&scene.sidecar) == wanted);
    scene.get("/cut").await.expect(200);
}

#[tokio::test]
async fn the_scrub_confirms_the_damage_that_a_reader_found() {
    let scene = Scene::new(sorted_csv()).await;
    scene.app.objects.corrupt(&scene.key);
    assert!(scene.get("/cut").await.broken);
    assert_eq!(scene.scrub().await["changed"], 1);
    assert_eq!(scene.findings().await, 1);
    scene.get("/cut").await.expect_problem(500, "integrity_error");
}

#[tokio::test]
async fn the_background_pass_makes_no_profile_of_damaged_bytes() {
    let app = TestApp::new();
    let token = app.user("ada");
    app.faults.inject(Fault::Failed, On::objects().method("put_bytes"), 1);
    let file = app.upload(&token, "a.csv", sorted_csv()).await;
    app.faults.clear();
    app.objects.corrupt(&app.objects.file_keys()[0]);
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    app.send(get(&format!("{path}/profile")).bearer(&token)).await.expect_problem(409, "in_progress");
    assert_eq!(app.deliver().await, 0);
    assert_eq!(app.database.value("SELECT count(*) AS n FROM findings WHERE kind = 'changed'"), 1);
    assert_eq!(app.objects.keys(), app.objects.file_keys(), "there must be no sidecar");
    app.send(get(&format!("{path}/profile")).bearer(&token)).await.expect_problem(500, "integrity_error");
}
