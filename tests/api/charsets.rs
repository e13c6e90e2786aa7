//! For every kind of upload, the service reads the file in the character set that the upload declared.

use encoding_rs::{
    EUC_JP, Encoding, GB18030, ISO_8859_15, MACINTOSH, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1251,
    WINDOWS_1252,
};
use serde_json::{Value, json};

use super::cut::Cutter;
use crate::support::client::{Call, Form, get, post, post_json, upload};
use crate::support::parts::{complete, part};
use crate::support::tus::{metadata, patch, tus};
use crate::support::uploader::{PART, Uploader};
use crate::support::{Fault, On, TestApp};

/// Encodes a text in a character set, without a byte order mark.
fn encoded(text: &str, charset: &str) -> Vec<u8> {
    let units = text.encode_utf16();
    match charset {
        "utf-16le" => units.flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => units.flat_map(u16::to_be_bytes).collect(),
        _ => {
            let (bytes, _, lossy) = Encoding::for_label(charset.as_bytes()).unwrap().encode(text);
            assert!(!lossy, "{charset}");
            bytes.into_owned()
        }
    }
}

fn declared(charset: &str, bytes: &[u8]) -> Call {
    upload("a.csv", bytes.to_vec())
        .without("content-type")
        .header("content-type", format!("text/csv; charset={charset}"))
}

/// Asserts that every route that reads the file decodes it with `encoding`. `text` is the decoded file.
async fn assert_reads(scene: &Cutter, text: &str, encoding: &'static Encoding) {
    let name = encoding.name();
    let (header, row) = text.trim_end().split_once('\n').unwrap();
    let cells = |line: &str| json!(line.split(',').collect::<Vec<_>>());
    let read = |route: &str| scene.send(get(&format!("{}/{route}", scene.path)));
    assert_eq!(String::from_utf8_lossy(&read("cut").await.expect(200).body), text, "{name}");
    let rows = read("rows").await.expect(200).json();
    assert_eq!((&rows["columns"], &rows["rows"][0]), (&cells(header), &cells(row)), "{name}");
    assert_eq!(rows["total"], 1);
    assert_eq!(read("fields").await.expect(200).json()["fields"], cells(header), "{name}");
    let profile = read("profile").await.expect(200).json()["profile"].clone();
    assert_eq!((&profile["encoding"], &profile["encodingSource"]), (&json!(name), &json!("declared")));
    assert_eq!((&profile["rowCount"], &profile["undecodable"]), (&json!(1), &json!(0)), "{name}");
    let columns = read("columns").await.expect(200).json();
    assert_eq!(columns["columns"][0]["name"], cells(header)[0], "{name}");
    assert_eq!(columns["columns"][0]["type"], "text", "{name}: the type must come from the profile");
    let receipt = scene.receipt(&read("cut").await).await;
    assert_eq!(receipt["details"]["encoding"], name);
    // An encoding in the query takes precedence over the declared encoding.
    let other = read("cut?encoding=ibm866").await.expect(200);
    assert_ne!(String::from_utf8_lossy(&other.body), text);
    assert_eq!(read("columns?encoding=ibm866").await.expect(200).json()["columns"][0]["type"], Value::Null);
}

async fn stored(app: TestApp, call: Call) -> Cutter {
    let token = app.user("ada");
    let file = app.send(call.bearer(&token)).await.expect(201).json()["file"].clone();
    Cutter { app, token, path: format!("/api/files/{}", file["id"].as_str().unwrap()) }
}

#[tokio::test]
async fn a_file_is_read_in_its_declared_character_set() {
    for (charset, encoding, text) in [
        ("utf-16le", UTF_16LE, "größe,Юлия\nž,日本\n"),
        ("utf-16be", UTF_16BE, "größe,Юлия\nž,日本\n"),
        ("macintosh", MACINTOSH, "größe,fi\nπ≈3,Ω\n"),
        ("iso-8859-15", ISO_8859_15, "preis €,š\nŽižek,œ\n"),
        ("windows-1251", WINDOWS_1251, "имя,город\nЮлия,Москва\n"),
        ("Shift_JIS", SHIFT_JIS, "名前,市\n花子,東京\n"),
        ("euc-jp", EUC_JP, "名前,市\n花子,東京\n"),
        ("gb18030", GB18030, "名字,市\n小明,北京\n"),
        ("\"Latin1\"", WINDOWS_1252, "größe,né\nA,B\n"),
        ("utf-8", UTF_8, "größe,Юлия\nž,日本\n"),
    ] {
        let bytes = encoded(text, charset.trim_matches('"'));
        let scene = stored(TestApp::new(), declared(charset, &bytes)).await;
        assert_reads(&scene, text, encoding).await;
        scene.app.assert_consistent();
    }
}

#[tokio::test]
async fn the_byte_order_of_utf16_is_inferred_from_delimiters_and_line_breaks() {
    let text = "größe,Юлия\nž,日本\n";
    for (order, encoding) in [("utf-16le", UTF_16LE), ("utf-16be", UTF_16BE)] {
        let scene = stored(TestApp::new(), declared("UTF-16", &encoded(text, order))).await;
        assert_reads(&scene, text, encoding).await;
    }
}

#[tokio::test]
async fn a_byte_order_mark_takes_precedence_over_the_declared_character_set() {
    let text = "größe,Юлия\nž,日本\n";
    let bytes = [b"\xfe\xff", encoded(text, "utf-16be").as_slice()].concat();
    let scene = stored(TestApp::new(), declared("utf-16le", &bytes)).await;
    let cut = scene.query("").await.expect(200);
    assert_eq!(String::from_utf8_lossy(&cut.body), text);
    let profile = scene.send(get(&format!("{}/profile", scene.path))).await.expect(200).json();
    assert_eq!(profile["profile"]["encodingSource"], "byteOrderMark");
}

#[tokio::test]
async fn every_kind_of_upload_keeps_the_declared_character_set() {
    let text =
        "größe,Юлия\nž,日本 и еще сорок символов, чтобы хватило на две части\n".replace("ов, ч", "ов ч");
    let text = text.as_str();
    let bytes = encoded(text, "utf-16be");
    assert!(bytes.len() > PART, "the file must be longer than one part");
    let media_type = "text/csv; charset=utf-16";

    let disposition = "form-data; name=\"file\"; filename=\"a.csv\"";
    let form = Form::default().part(disposition, &format!("Content-Type: {media_type}\r\n"), &bytes).post();
    assert_reads(&stored(TestApp::new(), form).await, text, UTF_16BE).await;

    for chunk in [bytes.len(), 2 * PART, 7] {
        let scene = Uploader::alone();
        let create = tus(post("/api/uploads"))
            .header("upload-length", bytes.len())
            .header("upload-metadata", metadata(&[]).replace(&base64("text/csv"), &base64(media_type)));
        let path = scene.begin_by(create).await;
        for (number, piece) in bytes.chunks(chunk).enumerate() {
            scene.send(patch(&path, number * chunk).bytes(piece.to_vec())).await.expect(204);
            scene.app.named_objects.evict();
        }
        assert_file_reads(&scene, text).await;
    }

    let scene = Uploader::alone();
    let create = json!({"filename": "a.csv", "size": bytes.len(), "contentType": media_type});
    let response = scene.send(post_json("/api/files/multipart", &create)).await.expect(201);
    let path = response.header("location").to_owned();
    for number in (1..=bytes.len().div_ceil(PART)).rev() {
        let piece = bytes.chunks(PART).nth(number - 1).unwrap();
        scene.send(part(&path, number, piece)).await.expect(200);
    }
    let parts = scene.parts(&path).await;
    scene.send(complete(&path, &parts)).await.expect(201);
    let id = scene.files().await[0]["id"].as_str().unwrap().to_owned();
    let cut = scene.send(get(&format!("/api/files/{id}/cut"))).await.expect(200);
    assert_eq!(
        String::from_utf8_lossy(&cut.body),
        text,
        "a cut before the background pass must use the declared charset"
    );
    assert_eq!(scene.app.deliver_twice().await, 0);
    assert_file_reads(&scene, text).await;
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Asserts that the service decodes the user's only file as UTF-16BE. A cut of the file must be `text`.
async fn assert_file_reads(scene: &Uploader<'_>, text: &str) {
    let id = scene.files().await[0]["id"].as_str().unwrap().to_owned();
    for (route, expected) in [("profile", "UTF-16BE"), ("cut", text)] {
        let response = scene.send(get(&format!("/api/files/{id}/{route}"))).await.expect(200);
        let got = match route {
            "cut" => String::from_utf8_lossy(&response.body).into_owned(),
            _ => response.json()["profile"]["encoding"].as_str().unwrap().to_owned(),
        };
        assert_eq!(got, expected);
    }
    let rows = scene.send(get(&format!("/api/files/{id}/rows"))).await.expect(200).json();
    assert_eq!(rows["columns"], json!(["größe", "Юлия"]));
}

#[tokio::test]
async fn the_background_profile_uses_the_declared_character_set() {
    let text = "имя,город\nЮлия,Москва\n";
    let app = TestApp::new();
    app.faults.inject(Fault::Failed, On::objects().method("put_bytes"), 1);
    let scene = stored(app, declared("windows-1251", &encoded(text, "windows-1251"))).await;
    scene.app.faults.clear();
    scene.send(get(&format!("{}/profile", scene.path))).await.expect_problem(409, "in_progress");
    assert_eq!(scene.app.deliver_twice().await, 0);
    assert_reads(&scene, text, WINDOWS_1251).await;
}

#[tokio::test]
async fn a_saved_cut_is_utf8_and_its_recipe_names_the_source_encoding() {
    let scene = stored(TestApp::new(), declared("macintosh", &encoded("né,b\nπ,2\n", "macintosh"))).await;
    let save = post_json(&format!("{}/save", scene.path), &json!({"columns": ["né"]}));
    let saved = scene.send(save).await.expect(201).json()["file"].clone();
    let path = format!("/api/files/{}", saved["id"].as_str().unwrap());
    assert_eq!(String::from_utf8_lossy(&scene.send(get(&path)).await.expect(200).body), "né\nπ\n");
    let profile = scene.send(get(&format!("{path}/profile"))).await.expect(200).json();
    assert_eq!(profile["profile"]["encoding"], "UTF-8");
    let recipe = scene.send(get(&format!("{path}/recipe"))).await.expect(200).json();
    assert_eq!(recipe["recipe"]["cut"]["encoding"], "macintosh", "{recipe}");
}

#[tokio::test]
async fn an_unknown_character_set_is_refused_and_the_problem_says_what_to_send() {
    let app = TestApp::new();
    let token = app.user("ada");
    for charset in ["klingon", "utf-32", "iso-2022-kr", "x y"] {
        let call = declared(&format!("\"{charset}\""), b"a,b\n1,2\n").bearer(&token);
        let problem = app.send(call).await.expect_problem(415, "unsupported_type");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(charset) && detail.contains("leave charset out"), "{detail}");
    }
    app.send(declared("\"\"", b"a,b\n1,2\n").bearer(&token)).await.expect(201);
    app.assert_consistent();
}

#[tokio::test]
async fn a_file_may_contain_nul_bytes_under_every_label_of_utf16() {
    let text = "größe,b\nž,2\n";
    for name in ["ucs-2", "unicode", "UTF16", "csUnicode"] {
        let scene = stored(TestApp::new(), declared(name, &encoded(text, "utf-16le"))).await;
        let cut = scene.query("").await.expect(200);
        assert_eq!(String::from_utf8_lossy(&cut.body), text, "{name}");
    }
}

#[tokio::test]
async fn only_a_cut_in_the_encoding_of_the_profile_uses_the_row_index() {
    use std::fmt::Write;
    let mut csv = String::from("id,name\n");
    for id in 0..160_000 {
        writeln!(csv, "{id},größe of {id}").unwrap();
    }
    let scene = stored(TestApp::new(), declared("utf-8", csv.as_bytes())).await;
    let skipped = |query: &'static str| {
        let scene = &scene;
        async move {
            let response = scene.query(query).await.expect(200);
            (response.header("x-bytes-skipped").parse::<u64>().unwrap(), response.body)
        }
    };
    let (by_default, rows) = skipped("id__lt=5").await;
    assert!(by_default > 1 << 20, "{by_default}");
    assert_eq!(
        skipped("id__lt=5&encoding=utf-8").await,
        (by_default, rows.clone()),
        "a query that names the encoding of the profile must use the row index"
    );
    let (other, garbled) = skipped("id__lt=5&encoding=windows-1252").await;
    assert_eq!(other, 0);
    assert_ne!(garbled, rows);
}
