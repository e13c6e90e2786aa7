//! Uploads as `multipart/form-data`.

use serde_json::json;

use super::files::{assert_refused, assert_untouched};
use crate::support::client::{Form, get};
use crate::support::hashing::sha256_hex;
use crate::support::{On, TestApp, TestBody};

const CSV: &[u8] = b"origin,dep_delay\nJFK,61\n";

/// Returns a CSV file of `bytes` bytes. All rows are different, so a test notices if parts are stored in the wrong
/// order. The last row may be incomplete.
pub fn long_csv(bytes: usize) -> Vec<u8> {
    let mut csv = b"number,square\n".to_vec();
    for number in 0_u64.. {
        if csv.len() >= bytes {
            break;
        }
        csv.extend_from_slice(format!("{number},{}\n", number * number).as_bytes());
    }
    csv.truncate(bytes);
    csv
}

#[tokio::test]
async fn form_fields_may_precede_or_follow_the_file() {
    let app = TestApp::new();
    let token = app.user("ada");
    let form = Form::default()
        .field("tags", "north,south")
        .file("C:\\data\\flüge.csv", CSV)
        .field("metadata", r#"{"year": 2024}"#)
        .field("expiresAt", "2027-01-01T00:00:00Z");
    let response = app.send(form.post().bearer(&token)).await.expect(201);
    let file = response.json()["file"].clone();
    assert_eq!(file["filename"], "flüge.csv");
    assert_eq!(file["userTags"], json!(["north", "south"]));
    assert_eq!(file["metadata"], json!({"year": 2024}));
    assert_eq!(file["expiresAt"], "2027-01-01T00:00:00.000Z");
    assert_eq!((&file["size"], &file["checksum"]), (&json!(CSV.len()), &json!(sha256_hex(CSV))));
    let read = app.send(get(response.header("location")).bearer(&token)).await.expect(200);
    assert_eq!(read.body, CSV);
    assert_eq!(
        app.faults.count(&On::objects().method("put_buffer")),
        1,
        "the file must be stored by one call"
    );
    assert_eq!(
        app.faults.count(&On::objects().method("put_bytes")),
        1,
        "the profile must be stored by one call"
    );
    app.assert_consistent();
}

#[tokio::test]
async fn a_form_without_a_length_is_stored() {
    let app = TestApp::new();
    let token = app.user("ada");
    let form = Form::default().field("tags", "x").file("a.csv", CSV).bytes();
    let response = app.send(Form::call(TestBody::from_bytes(form)).bearer(&token)).await.expect(201);
    assert_eq!(response.json()["file"]["checksum"], sha256_hex(CSV));
    app.assert_consistent();
}

#[tokio::test]
async fn fields_that_upload_libraries_add_have_no_effect() {
    let app = TestApp::new();
    let token = app.user("ada");
    let form = Form::default()
        .field("relativePath", "null")
        .field("name", "a.csv")
        .file("a.csv", CSV)
        .field("type", "text/csv")
        .field("_charset_", "UTF-8");
    let file = app.send(form.post().bearer(&token)).await.expect(201).json()["file"].clone();
    assert_eq!((&file["filename"], &file["userTags"]), (&json!("a.csv"), &json!([])));
    let twice = Form::default().field("name", "a").field("name", "b").file("a.csv", CSV);
    app.send(twice.post().bearer(&token)).await.expect_problem(400, "bad_request");
}

#[tokio::test]
async fn file_headers_of_a_request_with_a_form_are_used_or_refused() {
    let app = TestApp::new();
    let token = app.user("ada");
    let described = |form: Form| {
        form.post()
            .header("x-file-tags", "q3,final")
            .header("x-file-metadata", r#"{"k":1}"#)
            .header("x-file-expires", "2031-01-01T00:00:00Z")
            .bearer(&token)
    };
    for name in ["", "blob", "-", "wanted.csv"] {
        let call = described(Form::default().file(name, CSV)).header("x-file-name", "wanted.csv");
        let file = app.send(call).await.expect(201).json()["file"].clone();
        assert_eq!(file["filename"], "wanted.csv", "{name}");
        assert_eq!((&file["userTags"], &file["metadata"]), (&json!(["final", "q3"]), &json!({"k": 1})));
        assert_eq!(file["expiresAt"], "2031-01-01T00:00:00.000Z");
    }
    let before = (app.database.row_counts(), app.objects.keys());
    let file = || Form::default().file("a.csv", CSV);
    let cases = [
        (file().post().header("x-file-name", "other.csv"), 400, "bad_request"),
        (file().post().header("x-file-name", "a.exe"), 415, "unsupported_type"),
        (file().post().header("x-file-metadata", "not json"), 400, "bad_metadata"),
        (file().post().header("x-file-expires", "yesterday"), 400, "bad_metadata"),
        (file().post().header("x-file-tags", "\""), 400, "bad_metadata"),
        (file().field("tags", "x").post().header("x-file-tags", "y"), 400, "bad_request"),
        (
            Form::default().field("metadata", "{}").file("a.csv", CSV).post().header("x-file-metadata", "{}"),
            400,
            "bad_request",
        ),
        (
            file().field("expiresAt", "").post().header("x-file-expires", "2031-01-01T00:00:00Z"),
            400,
            "bad_request",
        ),
        (file().post().header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="), 400, "bad_request"),
        (file().post().header("upload-checksum", "sha1 AAAA"), 400, "bad_request"),
        (file().post().header("digest", "md5=AAAA"), 400, "bad_request"),
    ];
    for (call, status, code) in cases {
        let headers = format!("{:?}", call.request.headers());
        let response = app.send(call.bearer(&token)).await;
        assert_eq!(response.status.as_u16(), status, "{headers}: {response}");
        response.expect_problem(status, code);
        assert_eq!((app.database.row_counts(), app.objects.keys()), before, "{headers}");
    }
}

#[tokio::test]
async fn a_form_is_read_correctly_in_pieces_of_any_length() {
    let form = || Form::default().field("tags", "x").file("a.csv", b"a\r\n\r\n--,b\r\n").bytes();
    for length in [1, 2, 3, 7, 64] {
        let app = TestApp::new();
        let token = app.user("ada");
        let bytes = form();
        let call = Form::call(TestBody::in_pieces_of(&bytes, length)).header("content-length", bytes.len());
        let response = app.send(call.bearer(&token)).await.expect(201);
        assert_eq!(response.json()["file"]["checksum"], sha256_hex(b"a\r\n\r\n--,b\r\n"), "{length}");
    }
}

#[tokio::test]
async fn a_file_over_5_mib_in_a_form_is_stored_in_parts_of_5_mib() {
    const MIB: usize = 1 << 20;
    for (size, parts) in [(5 * MIB, 0), (5 * MIB + 1, 2), (10 * MIB, 2), (12 * MIB, 3)] {
        let app = TestApp::new();
        let token = app.user("ada");
        let csv = long_csv(size);
        let response = app.send(Form::default().file("a.csv", &csv).post().bearer(&token)).await.expect(201);
        let file = response.json()["file"].clone();
        assert_eq!((&file["size"], &file["checksum"]), (&json!(size), &json!(sha256_hex(&csv))));
        assert_eq!(app.faults.count(&On::objects().method("put_part_buffer")), parts, "{size}");
        assert_eq!(app.faults.count(&On::objects().method("put_buffer")), usize::from(parts == 0), "{size}");
        let read = app.send(get(response.header("location")).bearer(&token)).await.expect(200);
        assert!(read.body == csv, "{size}");
        app.assert_consistent();
    }
}

#[tokio::test]
async fn a_refused_form_leaves_no_row_no_object_and_no_used_or_reserved_bytes() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let file = || Form::default().file("a.csv", CSV);
    let digest = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    let whole = file().bytes();
    let announced = |body: TestBody| Form::call(body).header("content-length", whole.len());
    let cases = vec![
        ("no file", Form::default().field("tags", "x").post(), 400, "bad_request"),
        ("two files", file().file("b.csv", CSV).post(), 400, "bad_request"),
        ("an empty file", Form::default().file("a.csv", b"").post(), 422, "empty_file"),
        ("an image", Form::default().file("a.csv", png).post(), 415, "unsupported_type"),
        ("a bad name", Form::default().file("..", CSV).post(), 422, "bad_name"),
        ("bad tags", file().field("tags", "\"").post(), 400, "bad_metadata"),
        ("bad metadata", file().field("metadata", "[]").post(), 400, "bad_metadata"),
        ("a past expiry", file().field("expiresAt", "2000-01-01T00:00:00Z").post(), 400, "bad_metadata"),
        ("a field that is too long", file().field("tags", &"x".repeat(20_000)).post(), 413, "too_large"),
        ("a wrong digest", file().post().header("repr-digest", digest), 422, "digest_mismatch"),
        ("over the quota", Form::default().file("a.csv", &[b'x'; 201]).post(), 507, "quota_exceeded"),
        ("over the limit", Form::default().file("a.csv", &[b'x'; 70_000]).post(), 413, "too_large"),
        ("an unknown _charset_", file().field("_charset_", "windows-1252").post(), 400, "bad_request"),
        ("a form that breaks", announced(TestBody::broken(&whole, whole.len() - 9)), 400, "bad_request"),
        (
            "a form that ends early",
            announced(TestBody::from_bytes(whole[..whole.len() - 9].to_vec())),
            400,
            "bad_request",
        ),
        (
            "no boundary",
            Form::call(TestBody::empty())
                .without("content-type")
                .header("content-type", "multipart/form-data")
                .bytes(whole.clone()),
            400,
            "bad_request",
        ),
    ];
    for (case, call, status, code) in cases {
        assert_refused(case, call, status, code).await;
    }
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_even_if_the_request_announces_a_shorter_form() {
    let app = TestApp::with(&[("MAX_FILE_SIZE", "1024")]);
    let token = app.user("ada");
    let before = app.database.row_counts();
    for size in [1025, 70_000] {
        let bytes = Form::default().file("a.csv", &vec![b'x'; size]).bytes();
        let call = Form::call(TestBody::from_bytes(bytes)).header("content-length", 500);
        app.send(call.bearer(&token)).await.expect_problem(413, "too_large");
        assert_untouched(&app, &before, &size.to_string());
    }
    let exact = Form::default().file("a.csv", &[b'x'; 1024]).post();
    app.send(exact.bearer(&token)).await.expect(201);
}

#[tokio::test]
async fn a_long_form_that_fails_or_exceeds_the_quota_leaves_no_parts() {
    let csv = long_csv(12 << 20);
    let bytes = Form::default().file("a.csv", &csv).bytes();
    let app = TestApp::new();
    let token = app.user("ada");
    let broken = Form::call(TestBody::broken(&bytes, 11 << 20)).header("content-length", bytes.len());
    app.send(broken.bearer(&token)).await.expect_problem(400, "bad_request");
    assert!(app.faults.count(&On::objects().method("put_part_buffer")) > 0);
    let quota = TestApp::with(&[("DEFAULT_QUOTA_BYTES", "9000000")]);
    let ada = quota.user("ada");
    let long = Form::call(TestBody::empty()).bytes(bytes);
    quota.send(long.bearer(&ada)).await.expect_problem(507, "quota_exceeded");
    for app in [app, quota] {
        assert_eq!((app.objects.keys(), app.objects.open_uploads()), (Vec::new(), Vec::new()));
        assert_eq!(app.database.row_counts()["files"], 0);
        assert_eq!(app.database.value("SELECT reserved_bytes + used_bytes AS bytes FROM quotas"), 0);
        app.assert_consistent();
    }
}
