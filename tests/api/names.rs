//! Every operation that accepts a filename checks the filename by the same rule.

use serde_json::json;

use crate::support::client::{Form, get, patch_json, post_json, upload};
use crate::support::{TestApp, tus};

const CSV: &[u8] = b"a,b\n1,2\n";

#[tokio::test]
async fn a_name_with_an_unsupported_file_extension_is_refused_by_every_operation() {
    let app = TestApp::new();
    let token = app.user("ada");
    let kept = app.upload(&token, "kept.csv", CSV).await;
    let path = format!("/api/files/{}", kept["id"].as_str().unwrap());
    let by_tus = |name: &str| {
        tus::create(10).without("upload-metadata").header("upload-metadata", tus::metadata_named(name))
    };
    for name in [
        "x.exe",
        "x.exe\u{200d}",
        "X.XLSX",
        "x.csv.gz",
        "x.json",
        "x.hta",
        "x.bat",
        "x.ps1",
        "x.lnk",
        "x.url",
        "x.vbs",
        "x.scr",
        "x.msi",
        "x.mjs",
        "x.mhtml",
        "x.xht",
        "x.shtml",
        "x.xls",
        "x.7z",
        ".htaccess",
        "x.hta.",
        "x.csv.HTA",
        "x.settingcontent-ms",
        "x.hta::$DATA",
    ] {
        let calls = [
            upload(name, CSV),
            Form::default().file(name, CSV).post(),
            by_tus(name),
            post_json("/api/files/multipart", &json!({"filename": name, "size": 10})),
            patch_json(&path, &json!({"filename": name})),
            post_json(&format!("{path}/save"), &json!({"filename": name})),
        ];
        for call in calls {
            let problem = app.send(call.bearer(&token)).await.expect_problem(415, "unsupported_type");
            assert!(problem["detail"].as_str().unwrap().contains("file is not accepted"), "{problem}");
        }
    }
    let counts = app.database.row_counts();
    assert_eq!(["files", "multipart_uploads", "gc_queue", "cuts"].map(|table| counts[table]), [1, 0, 0, 0]);
    let cut = |name: &str| post_json(&format!("{path}/cut"), &json!({"filename": name})).bearer(&token);
    app.send(cut("x.hta")).await.expect_problem(415, "unsupported_type");
    for name in ["x.json", "x.ndjson", "x.csv.gz", "x.txt", "x"] {
        app.send(cut(name)).await.expect(200);
    }
    // Older versions stored files with names that are refused today. These files keep their names, and can be changed
    // and cut.
    app.database.execute("UPDATE files SET filename = 'old.exe'");
    let tags = patch_json(&path, &json!({"tags": ["x"]})).bearer(&token);
    assert_eq!(app.send(tags).await.expect(200).json()["file"]["filename"], "old.exe");
    app.send(get(&format!("{path}/cut")).bearer(&token)).await.expect(200);
}

#[tokio::test]
async fn a_name_with_an_accepted_extension_or_without_an_extension_is_accepted() {
    let app = TestApp::new();
    let token = app.user("ada");
    for name in [
        "a.csv",
        "a.TSV",
        "a.tab",
        "a.txt",
        "a.psv",
        "a.dat",
        "a",
        ".csv",
        "data v1.2",
        "Dr. Who",
        "a.",
        "2024-01.31",
    ] {
        let file = app.upload(&token, &name.replace(' ', "%20"), CSV).await;
        assert_eq!(file["filename"], name);
    }
}
