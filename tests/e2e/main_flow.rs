//! The main workflow on real data: upload a file, cut it, save the cut, cut the saved cut, and download everything.

use std::fs;

use serde_json::json;

use super::http::{Call, sha256_hex};
use super::{oracle, samples, server};

/// Number of flights from JFK that departed more than an hour late.
const LATE_FROM_JFK: usize = 8_401;

#[test]
fn every_step_of_the_main_workflow_gives_the_right_bytes() {
    let server = server::shared();
    let user = server.user();
    let flights = fs::read(samples::flights()).unwrap();
    let columns = ["carrier", "flight", "dest", "dep_delay"];
    let wanted = oracle::cut(
        &samples::flights(),
        &json!({"select": columns, "where": [["origin", "=", "JFK"], ["dep_delay", ">", 60]]}),
    );
    assert_eq!(wanted.iter().filter(|&&byte| byte == b'\n').count(), LATE_FROM_JFK + 1);

    let file = user.upload("flights.csv", &flights);
    let id = file["id"].as_str().unwrap();
    assert_eq!(file["checksum"], sha256_hex(&flights));
    assert_eq!(user.files(), [id]);

    // The same cut, once as a JSON body and once as a query.
    let body = json!({"selectedColumns": columns, "whereFilters": {"origin": "= JFK", "dep_delay": "> 60"}});
    let cut = user.post_json(&format!("/api/files/{id}/cut"), &body).expect(200);
    let query = "columns=carrier,flight,dest,dep_delay&origin__eq=JFK&dep_delay__gt=60";
    let same_cut = user.ask(Call::get(&format!("/api/files/{id}/cut?{query}"))).expect(200);
    assert_eq!(sha256_hex(&cut.body), sha256_hex(&wanted));
    assert_eq!(sha256_hex(&same_cut.body), sha256_hex(&wanted));

    let receipt = user.ask(Call::get(&format!("/api/cuts/{}", cut.header("x-cut-id")))).expect(200).json();
    assert_eq!(receipt["cut"]["complete"], true);
    assert_eq!(receipt["cut"]["rowsIn"], 336_776);
    assert_eq!(receipt["cut"]["rowsOut"], LATE_FROM_JFK);
    assert_eq!(receipt["cut"]["checksum"], sha256_hex(&wanted));

    let saved = user.post_json(&format!("/api/files/{id}/save"), &body).expect(201).json();
    let derived = saved["file"]["id"].as_str().unwrap();
    assert_eq!(saved["file"]["checksum"], sha256_hex(&wanted));
    assert_eq!(saved["file"]["filename"], "flights-cut.csv");

    let saved_cut = tempfile::NamedTempFile::new().unwrap();
    fs::write(saved_cut.path(), &wanted).unwrap();
    let wanted_again =
        oracle::cut(saved_cut.path(), &json!({"select": ["dest"], "where": [["carrier", "=", "B6"]]}));
    let again =
        Call::get(&format!("/api/files/{derived}/cut?columns=dest&carrier__eq=B6")).header("accept", "*/*");
    assert_eq!(user.ask(again).expect(200).body, wanted_again);

    assert_eq!(sha256_hex(&user.download(id)), sha256_hex(&flights));
    assert_eq!(sha256_hex(&user.download(derived)), sha256_hex(&wanted));

    let lineage = user.ask(Call::get(&format!("/api/files/{derived}/lineage"))).expect(200).json();
    let parent = &lineage["parents"][0];
    assert_eq!(parent["fileId"], id, "{lineage}");
    let recipe = user.ask(Call::get(&format!("/api/files/{derived}/recipe"))).expect(200).json();
    assert_eq!(recipe["sha256"], parent["recipeSha256"]);
    assert_eq!(recipe["recipe"]["parentSha256"], sha256_hex(&flights));
    assert_eq!(recipe["recipe"]["cut"]["columns"], json!(columns));

    let odd = user.upload("odd.csv", b"a,b\n1,2\n3\n");
    let strict = Call::get(&format!("/api/files/{}/cut?strict=true", odd["id"].as_str().unwrap()));
    assert_eq!(user.ask(strict).expect(422).json()["code"], "malformed_csv");
    user.ask(Call::delete(&format!("/api/files/{}?permanent=true", odd["id"].as_str().unwrap()))).expect(200);

    for _ in 0..2 {
        user.ask(Call::delete(&format!("/api/files/{id}"))).expect(200);
    }
    assert_eq!(user.files(), [derived]);
    user.ask(Call::get(&format!("/api/files/{id}"))).expect(404);
    user.ask(Call::post(&format!("/api/files/{id}/restore"), b"")).expect(200);
    assert_eq!(user.files(), [id, derived]);
    assert_eq!(sha256_hex(&user.download(id)), sha256_hex(&flights));
}

#[test]
fn no_route_finds_the_file_of_another_user() {
    let server = server::shared();
    let (owner, stranger) = (server.user(), server.user());
    let id = owner.upload("mine.csv", b"a,b\n1,2\n")["id"].as_str().unwrap().to_owned();
    for path in ["", "/metadata", "/cut", "/process", "/rows", "/columns", "/fields", "/lineage"] {
        let path = format!("/api/files/{id}{path}");
        assert_eq!(stranger.ask(Call::get(&path)).status, 404, "{path}");
        assert_eq!(owner.ask(Call::get(&path)).status, 200, "{path}");
        assert_eq!(server.client().ask(Call::get(&path)).status, 401, "{path}");
    }
    for path in ["/cut", "/save"] {
        let path = format!("/api/files/{id}{path}");
        assert_eq!(stranger.post_json(&path, &json!({})).status, 404, "{path}");
    }
    stranger.ask(Call::delete(&format!("/api/files/{id}"))).expect(404);
    stranger.ask(Call::delete(&format!("/api/files/{id}?permanent=true"))).expect(404);
    stranger.ask(Call::post(&format!("/api/files/{id}/restore"), b"")).expect(404);
    assert_eq!((stranger.files(), owner.files()), (vec![], vec![id.clone()]));
    assert_eq!(owner.download(&id), b"a,b\n1,2\n");
}
