//! Damaged bytes, concurrent sweeps, and messages that are delivered twice.
//!
//! The first test changes stored bytes directly on disk. If the runtime can detect the change, no client gets the
//! changed bytes in a complete response with status 200. The scrub and the self-check find every change. After the
//! scrub has found a change, no client gets the changed bytes.

use cutty::sweeps::SWEEPS;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{Call, sha256_hex};
use super::samples::Orders;
use super::server::{Entry, Server};

/// How long to wait for the rest of a broken transfer. wrangler's proxy does not always close the client's connection.
const BROKEN: Duration = Duration::from_secs(8);

/// A change of a blob on disk.
type Damage = fn(&std::path::Path);

const DAMAGES: [(&str, Damage); 3] = [
    ("flipped", |blob| {
        let mut bytes = fs::read(blob).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(blob, bytes).unwrap();
    }),
    ("truncated", |blob| {
        let length = fs::metadata(blob).unwrap().len();
        fs::File::options().write(true).open(blob).unwrap().set_len(length / 2).unwrap();
    }),
    ("deleted", |blob| fs::remove_file(blob).unwrap()),
];

#[test]
fn a_damaged_blob_is_found_and_later_requests_for_its_file_fail() {
    let server = Server::start(Entry::Product, &[]);
    let user = server.user();
    let bytes = Orders::file(7, 1 << 20, 0).0;
    let upload = |name: &str| user.upload(name, &bytes)["id"].as_str().unwrap().to_owned();
    let fine = upload("fine.csv");
    let harmed: Vec<_> = DAMAGES.iter().map(|(name, _)| upload(&format!("{name}.csv"))).collect();
    assert_eq!(server.fsck(true), Vec::<Value>::new());
    for (id, (_, harm)) in harmed.iter().zip(DAMAGES) {
        harm(&server.blob_of(id));
    }

    // A download does not compare its bytes with digests. The file with the flipped bit still has the right length, so
    // its download is complete. But the downloaded bytes do not match the digest in the response. A cut compares the
    // bytes that it reads with their digests. Therefore no cut of a damaged file is complete.
    for (id, (name, _)) in harmed.iter().zip(DAMAGES) {
        match user.send(Call::get(&format!("/api/files/{id}")).within(BROKEN)) {
            Ok(response) if name == "flipped" => {
                assert_eq!(response.status, 200);
                assert_ne!(sha256_hex(&response.body), sha256_hex(&bytes));
                let digest = response.header("repr-digest").to_owned();
                let fine = user.ask(Call::get(&format!("/api/files/{fine}")));
                assert_eq!(
                    digest,
                    fine.header("repr-digest"),
                    "the digest must be the digest of the original bytes"
                );
            }
            Ok(response) => {
                assert!(response.status >= 500, "{name}: a complete response with status {}", response.status)
            }
            Err(error) => assert_ne!(name, "flipped", "{error}"),
        }
        let cut = user.send(Call::get(&format!("/api/files/{id}/cut?columns=id")).within(BROKEN));
        let whole = cut.is_ok_and(|response| response.status == 200);
        assert!(!whole, "{name}: the cut of damaged bytes looks complete");
    }

    let findings = server.findings();
    assert_eq!((findings.len(), &findings[0]["kind"]), (1, &json!("changed")), "{findings:?}");
    assert_eq!(findings[0]["fileId"], harmed[0].as_str());

    let found: Vec<_> = server.fsck(true);
    let code_of = |id: &str| {
        let found = found.iter().find(|violation| violation["subject"] == id);
        found.map_or(Value::Null, |violation| violation["code"].clone())
    };
    println!("self-check: {:?}", harmed.iter().map(|id| code_of(id)).collect::<Vec<_>>());
    assert_eq!(code_of(&harmed[0]), "damaged_file");
    assert!(found.iter().any(|violation| violation["code"] == "changed_object"), "{found:?}");
    for id in &harmed[1..] {
        let possible = ["truncated_object", "missing_object", "unreadable_object"];
        assert!(possible.contains(&code_of(id).as_str().unwrap_or_default()), "{found:?}");
    }
    assert_eq!(found.len(), 4, "{found:?}");
    let script = server.script("fsck", &[("DEEP", "1")]);
    let output = String::from_utf8(script.stdout).unwrap();
    assert_eq!((script.status.code(), output.matches("what to do: ").count()), (Some(1), 4), "{output}");

    // After a month, the scrub has read all files.
    server.sweep_after_hours(31 * 24);
    let findings = server.findings();
    println!("scrub: {:?}", findings.iter().map(|finding| &finding["kind"]).collect::<Vec<_>>());
    let mut named: Vec<_> = findings.iter().map(|finding| finding["fileId"].as_str().unwrap()).collect();
    let mut wanted: Vec<_> = harmed.iter().map(String::as_str).collect();
    named.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(named, wanted);
    // The cut has logged one damaged file. The scrub has logged all three damaged files.
    assert_eq!(server.log().matches("stored bytes are damaged").count(), 4);
    for id in &harmed {
        let response = user.send(Call::get(&format!("/api/files/{id}")).within(BROKEN));
        assert!(!response.is_ok_and(|response| response.status < 500), "a damaged file was sent");
    }
    let flipped = user.ask(Call::get(&format!("/api/files/{}", harmed[0]))).expect(500).json();
    assert_eq!(flipped["code"], "integrity_error");
    assert!(user.download(&fine) == bytes);

    // The original bytes are restored, and an operator resolves the finding.
    fs::write(server.blob_of(&harmed[0]), &bytes).unwrap();
    let of_flipped = findings.iter().find(|finding| finding["fileId"] == harmed[0].as_str()).unwrap();
    let path = format!("/api/admin/findings/{}/resolve", of_flipped["id"].as_str().unwrap());
    server.operator().post_json(&path, &json!({})).expect(200);
    assert!(user.download(&harmed[0]) == bytes);
    let again = server.operator().post_json("/api/admin/sweeps?kind=scrub", &json!({})).expect(200).json();
    assert_eq!((&again["sweeps"][0]["examined"], &again["sweeps"][0]["changed"]), (&json!(1), &json!(0)));
}

#[test]
fn concurrent_sweeps_change_nothing_twice_and_write_reports() {
    let server = super::server::exclusive();
    let user = server.user();
    let bytes = Orders::file(8, 100_000, 0).0;
    for _ in 0..6 {
        let id = user.upload("gone.csv", &bytes)["id"].as_str().unwrap().to_owned();
        user.ask(Call::delete(&format!("/api/files/{id}?permanent=true"))).expect(200);
    }
    let kept = user.upload("kept.csv", &bytes)["id"].as_str().unwrap().to_owned();
    for days in [36, 38] {
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| server.sweep_after_hours(days * 24));
                scope.spawn(|| server.operator().post_json("/api/admin/sweeps", &json!({})).expect(200));
            }
        });
    }
    super::crash::sweep_away_what_is_left(&server);
    assert!(user.download(&kept) == bytes);
    assert_eq!(server.state().quota(&user.id).used, bytes.len() as i64);
    let reports = server.operator().ask(Call::get("/api/admin/sweeps?limit=1000")).expect(200).json();
    let reports = reports["sweeps"].as_array().unwrap();
    // Each run also deletes the reports that are more than 30 days older than the time of the run. So some reports are
    // missing.
    assert!(reports.len() >= 8, "{}", reports.len());
    assert!(reports.iter().all(|run| run["error"].is_null()), "{reports:?}");
    let script = server.script("sweep", &[]);
    let output = String::from_utf8(script.stdout).unwrap();
    assert_eq!((script.status.code(), output.lines().count()), (Some(0), SWEEPS.len()), "{output}");
    assert_eq!(server.script("fsck", &[]).status.code(), Some(0));
    let stranger = server.script("fsck", &[("OPERATOR_TOKEN", "of-nobody-at-all-0123456789abcdef")]);
    assert_eq!(stranger.status.code(), Some(2), "a wrong token must not give a result");
}

#[test]
fn a_message_that_is_delivered_twice_counts_once() {
    let server = super::server::exclusive();
    let user = server.user();
    let id = user.upload("read.csv", b"a,b\n1,2\n")["id"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        user.download(&id);
    }
    let reads = || {
        let facts = user.ask(Call::get(&format!("/api/files/{id}/metadata"))).expect(200).json();
        facts["file"]["accessCount"].as_u64().unwrap()
    };
    server.eventually("three reads are counted", || (reads() >= 3).then_some(()));
    server.logged("DELIVERED TWICE");
    assert_eq!(reads(), 3);
    assert_eq!(server.state().logged_reads(&id), 3);
}
