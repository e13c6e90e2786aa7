//! Files as people have them: damaged, in other encodings, or with quotes that do not close.

use serde_json::{Value, json};

use super::cut::Cutter;
use crate::support::TestApp;
use crate::support::client::{get, post_json, upload};

async fn profile(cutter: &Cutter) -> Value {
    let response = cutter.send(get(&format!("{}/profile", cutter.path))).await.expect(200);
    response.json()["profile"].clone()
}

/// Asserts that a cut, a page and a saved cut show the same text.
async fn assert_reads(file: &[u8], query: &str, expected: &str) {
    let cutter = Cutter::new(file.to_vec()).await;
    assert_eq!(cutter.query(query).await.expect(200).text(), expected);
    let rows = cutter.send(get(&format!("{}/rows", cutter.path))).await.expect(200).json();
    let header: Vec<&str> = expected.lines().next().unwrap().split(',').collect();
    assert!(rows["columns"].as_array().unwrap().iter().any(|name| name == header[0]), "{rows}");
    let save = cutter.send(post_json(&format!("{}/save", cutter.path), &json!({}))).await.expect(201).json();
    let saved = format!("/api/files/{}", save["file"]["id"].as_str().unwrap());
    let again = cutter.send(get(&format!("{saved}/cut?{query}"))).await.expect(200);
    assert_eq!(again.text(), expected, "the saved cut");
}

#[tokio::test]
async fn symbols_of_windows_1252_are_read_as_symbols() {
    for text in ["item,price (£)\nTea,£1.20\nMilk,£0.95\n", "site,PM10 (µg/m³)\nA,12\n"] {
        let (file, ..) = encoding_rs::WINDOWS_1252.encode(text);
        assert_reads(&file, "", text).await;
    }
}

#[tokio::test]
async fn damaged_utf8_is_read_as_utf8_and_the_damage_is_counted() {
    let one_bad_byte = b"id,name\n1,Zo\xC3\xAB\n2,\xC5\x81ukasz\n3,Jos\xC3\xA9\n4,Ren\xE9\n";
    let mut cut_off = "id,name\n0,Zoë\n1,Zoë\n2,Łukasz\n".repeat(20).into_bytes();
    cut_off.extend_from_slice(b"3,Ren\xC3");
    for (file, record) in [(&one_bad_byte[..], 4), (&cut_off, 80)] {
        let cutter = Cutter::new(file.to_vec()).await;
        let first = cutter.query("name__eq=Zo%C3%AB&limit=1").await.expect(200);
        assert!(first.text().ends_with(",Zoë\n"), "{}", first.text());
        let profile = profile(&cutter).await;
        assert_eq!((&profile["encoding"], &profile["undecodable"]), (&json!("UTF-8"), &json!(1)));
        assert_eq!(profile["undecodablePlaces"][0]["record"], record);
        for query in ["", "format=ndjson", "delimiter=comma"] {
            let response = cutter.query(query).await.expect(200);
            let details = cutter.receipt(&response).await["details"].clone();
            assert_eq!(details["undecodable"], 1, "{query}");
            assert_eq!(details["undecodablePlaces"], profile["undecodablePlaces"], "{query}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_not_in_the_declared_encoding_are_counted() {
    let app = TestApp::new();
    let token = app.user("ada");
    let call = upload("a.csv", b"id,name\n1,Ren\xE9\n".to_vec())
        .without("content-type")
        .header("content-type", "text/csv; charset=utf-8");
    let file = app.send(call.bearer(&token)).await.expect(201).json()["file"].clone();
    let cutter = Cutter { app, token, path: format!("/api/files/{}", file["id"].as_str().unwrap()) };
    let profile = profile(&cutter).await;
    assert_eq!(profile["undecodable"], 1);
    assert_eq!(profile["undecodablePlaces"], json!([{"record": 1, "line": 2, "byte": 13}]));
    let response = cutter.query("").await.expect(200);
    assert_eq!(cutter.receipt(&response).await["details"]["undecodable"], 1);
}

#[tokio::test]
async fn utf16_without_a_mark_and_files_with_two_marks_are_read() {
    let text = "id,name\n1,Zoë\n2,Юлия\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for file in [little, big] {
        assert_reads(&file, "", text).await;
    }
    assert_reads(b"\xEF\xBB\xBF\xEF\xBB\xBFid,n\n1,2\n", "columns=id", "id\n1\n").await;
    let cutter = Cutter::new("a\n1\n").await;
    let nul = upload("nul.csv", b"a,b\n1,\0\n".to_vec()).bearer(&cutter.token);
    cutter.app.send(nul).await.expect_problem(415, "unsupported_type");
}

#[tokio::test]
async fn encodings_have_the_names_that_people_use() {
    let (file, ..) = encoding_rs::SHIFT_JIS.encode("名前,市\n花子,東京\n");
    let cutter = Cutter::new(file.into_owned()).await;
    assert_eq!(cutter.query("encoding=cp932").await.expect(200).text(), "名前,市\n花子,東京\n");
    for name in ["ansi", "macroman", "windows1252", "latin9", "UTF_8"] {
        cutter.query(&format!("encoding={name}")).await.expect(200);
    }
}

#[tokio::test]
async fn strict_mode_and_the_profile_judge_the_header_like_a_row() {
    for file in ["\"a,b\n1,2\n3,4\n", "\"a\"x,b\n1,2\n"] {
        let cutter = Cutter::new(file).await;
        for query in ["strict=true", "strict=true&format=json", "strict=true&streaming=false"] {
            let problem = cutter.query(query).await.expect_problem(422, "malformed_csv");
            assert_eq!(
                (&problem["record"], &problem["line"], &problem["byte"]),
                (&json!(0), &json!(1), &json!(0))
            );
        }
        let profile = profile(&cutter).await;
        assert_eq!((&profile["rejects"][0]["record"], &profile["rowsMalformed"]), (&json!(0), &json!(1)));
        let response = cutter.query("").await.expect(200);
        assert_eq!(cutter.receipt(&response).await["details"]["rowsMalformed"], 1);
    }
}

#[tokio::test]
async fn a_record_over_the_limit_is_a_problem_in_every_mode() {
    let file = format!("a,b\n0,z\n1,{}\n", "x".repeat(4_400_000));
    let cutter = Cutter::new(file).await;
    let modes = [
        "",
        "strict=true",
        "streaming=false",
        "format=ndjson",
        "compress=gzip",
        "a__eq=0",
        "delimiter=comma",
    ];
    for query in modes.into_iter().chain(["delimiter=comma&a__eq=0", "limit=2"]) {
        let problem = cutter.query(query).await.expect_problem(422, "malformed_csv");
        assert_eq!(
            (&problem["record"], &problem["line"], &problem["byte"]),
            (&json!(2), &json!(3), &json!(8)),
            "{query}"
        );
    }
    cutter.query("columns=nope").await.expect_problem(400, "unknown_column");
    // This cut ends before the record.
    assert_eq!(cutter.query("limit=1").await.expect(200).text(), "a,b\n0,z\n");
    let save = post_json(&format!("{}/save", cutter.path), &json!({}));
    cutter.send(save).await.expect_problem(422, "malformed_csv");
    let estimate = get(&format!("{}/estimate", cutter.path));
    cutter.send(estimate).await.expect_problem(422, "malformed_csv");
}
