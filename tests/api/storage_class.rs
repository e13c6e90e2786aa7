//! The storage class that a client chooses for a file.

use cutty::domain::storage_class::StorageClass;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, Form, TestResponse, get, post, post_json, upload};
use crate::support::parts::complete;
use crate::support::tus::{CHUNK, metadata, tus};
use crate::support::uploader::{PART, Uploader, csv};

const CSV: &[u8] = b"id,name\n1,ada\n";

/// Asserts that the only file has the class `InfrequentAccess`, in the store and for the client.
async fn assert_infrequent(scene: &Uploader<'_>, case: &str) {
    let files = scene.files().await;
    let [file] = files.as_slice() else { panic!("{case}: {files:?}") };
    assert_eq!(file["storageClass"], "InfrequentAccess", "{case}");
    let id = file["id"].as_str().unwrap();
    let metadata = scene.send(get(&format!("/api/files/{id}/metadata"))).await.expect(200).json();
    assert_eq!(metadata["file"]["storageClass"], "InfrequentAccess", "{case}");
    for key in scene.app.objects.keys() {
        let wanted = match key.contains("/metadata/") {
            true => StorageClass::Standard,
            false => StorageClass::InfrequentAccess,
        };
        assert_eq!(scene.app.objects.object(&key).unwrap().storage_class, wanted, "{case}: {key}");
    }
    scene.app.assert_consistent();
}

fn in_parts(size: usize, class: &str) -> Call {
    let body = json!({"filename": "a.csv", "size": size, "contentType": "text/csv", "storageClass": class});
    post_json("/api/files/multipart", &body)
}

fn resumable(length: usize, class: &str) -> Call {
    let metadata = metadata(&[("storageClass", class)]);
    tus(post("/api/uploads")).header("upload-length", length).header("upload-metadata", metadata)
}

#[tokio::test]
async fn every_kind_of_upload_can_choose_a_storage_class() {
    const CLASS: &str = "InfrequentAccess";
    let long = csv(3 * PART);
    let in_one_request: Vec<(&str, Call)> = vec![
        ("raw", upload("a.csv", CSV).header("x-file-storage-class", CLASS)),
        (
            "raw without a length",
            upload("a.csv", CSV).header("x-file-storage-class", CLASS).without("content-length"),
        ),
        ("form field", Form::default().field("storageClass", CLASS).file("a.csv", CSV).post()),
        ("form header", Form::default().file("a.csv", CSV).post().header("x-file-storage-class", CLASS)),
        (
            "tus in one request",
            resumable(long.len(), CLASS).header("content-type", CHUNK).bytes(long.clone()),
        ),
        ("short tus", resumable(CSV.len(), CLASS).header("content-type", CHUNK).bytes(CSV)),
    ];
    for (case, call) in in_one_request {
        let scene = Uploader::alone();
        scene.send(call).await.expect(201);
        assert_infrequent(&scene, case).await;
    }
    let scene = Uploader::alone();
    let path = scene.begin_by(in_parts(long.len(), CLASS)).await;
    scene.put_parts(&path, &long, 1..=3).await;
    scene.send(complete(&path, &scene.parts(&path).await)).await.expect(201);
    assert_infrequent(&scene, "part by part").await;
}

#[tokio::test]
async fn an_unknown_storage_class_is_refused_and_leaves_nothing() {
    for class in ["GLACIER", "standard"] {
        let cases: Vec<(&str, Call)> = vec![
            ("raw", upload("a.csv", CSV).header("x-file-storage-class", class)),
            ("form field", Form::default().field("storageClass", class).file("a.csv", CSV).post()),
            ("form header", Form::default().file("a.csv", CSV).post().header("x-file-storage-class", class)),
            ("tus", resumable(10, class)),
            ("part by part", in_parts(10, class)),
        ];
        for (case, call) in cases {
            let scene = Uploader::alone();
            let before = scene.app.database.row_counts();
            let problem: Value = scene.send(call).await.expect_problem(400, "bad_request");
            assert_eq!(problem["known"], json!(["Standard", "InfrequentAccess"]), "{case} {class:?}");
            assert_eq!(scene.app.database.row_counts(), before, "{case} {class:?}");
            assert!(scene.app.objects.keys().is_empty(), "{case} {class:?}");
        }
    }
}

#[tokio::test]
async fn a_form_names_the_storage_class_once_and_before_the_file() {
    let scene = Uploader::alone();
    let refused: [(&str, Call); 3] = [
        ("after the file", Form::default().file("a.csv", CSV).field("storageClass", "Standard").post()),
        (
            "twice",
            Form::default()
                .field("storageClass", "Standard")
                .field("storageClass", "Standard")
                .file("a.csv", CSV)
                .post(),
        ),
        (
            "in a header and a field",
            Form::default()
                .field("storageClass", "Standard")
                .file("a.csv", CSV)
                .post()
                .header("x-file-storage-class", "Standard"),
        ),
    ];
    for (case, call) in refused {
        let problem = scene.send(call).await.expect_problem(400, "bad_request");
        assert_eq!(problem["field"], "storageClass", "{case}");
        assert_eq!(scene.files().await, Vec::<Value>::new(), "{case}");
        scene.app.assert_consistent();
    }
}

#[tokio::test]
async fn a_saved_cut_and_an_upload_without_a_class_are_standard() {
    let app = TestApp::new();
    let token = app.user("ada");
    let call = upload("a.csv", CSV).header("x-file-storage-class", "InfrequentAccess");
    let file = app.send(call.bearer(&token)).await.expect(201).json()["file"].clone();
    let path = format!("/api/files/{}/save", file["id"].as_str().unwrap());
    let saved: TestResponse = app.send(post_json(&path, &json!({})).bearer(&token)).await.expect(201);
    assert_eq!(saved.json()["file"]["storageClass"], "Standard");
    assert_eq!(app.upload(&token, "b.csv", CSV).await["storageClass"], "Standard");
    app.assert_consistent();
}
