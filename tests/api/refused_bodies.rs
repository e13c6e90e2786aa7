//! If the service has read the first bytes of a body and then refuses the body, it reads the rest of the body before it
//! responds. An earlier response would break the connection of the client.

use std::sync::atomic::Ordering;

use cutty::body::stream::PIECE_BYTES;
use http::Method;
use serde_json::json;

use crate::support::client::{Call, Form, post, post_json, upload};
use crate::support::tus::{CHUNK, create as begin_upload, patch};
use crate::support::{TestApp, TestBody};

/// The part of a refused body that the service reads.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Read {
    Nothing,
    Everything,
}

/// Returns bytes that begin like a PNG image and are longer than five pieces.
fn png() -> Vec<u8> {
    let length = 5 * PIECE_BYTES + 100;
    b"\x89PNG\r\n\x1a\n".iter().chain([1].iter().cycle()).take(length).copied().collect()
}

/// Returns a CSV file with the same length as [`png`].
fn csv() -> Vec<u8> {
    b"a,b\n".iter().chain(b"1,2\n".iter().cycle()).take(png().len()).copied().collect()
}

async fn assert_refused(app: &TestApp, call: Call, bytes: Vec<u8>, refusal: (u16, &str), read: Read) {
    let length = bytes.len() as u64;
    let body = TestBody::from_bytes(bytes);
    let taken_bytes = body.taken_bytes();
    let token = app.token_of("ada");
    app.send(call.bearer(&token).stream(body)).await.expect_problem(refusal.0, refusal.1);
    let wanted = if read == Read::Everything { length } else { 0 };
    assert_eq!(taken_bytes.load(Ordering::Relaxed), wanted, "{refusal:?}");
}

fn sized(call: Call, bytes: &[u8]) -> Call {
    call.header("content-length", bytes.len())
}

#[tokio::test]
async fn a_body_that_is_refused_for_its_content_is_read_to_its_end() {
    let app = TestApp::new();
    app.user("ada");
    let call = sized(upload("a.csv", b"".as_slice()).without("content-length"), &png());
    assert_refused(&app, call, png(), (415, "unsupported_type"), Read::Everything).await;

    let form = Form::default().file("a.csv", &png()).bytes();
    let call = sized(Form::call(TestBody::empty()), &form);
    assert_refused(&app, call, form, (415, "unsupported_type"), Read::Everything).await;
}

#[tokio::test]
async fn a_body_that_exceeds_the_quota_is_read_to_its_end() {
    let app = TestApp::with(&[("DEFAULT_QUOTA_BYTES", "200000")]);
    app.user("ada");
    let call = sized(upload("a.csv", b"".as_slice()).without("content-length"), &csv());
    assert_refused(&app, call, csv(), (507, "quota_exceeded"), Read::Everything).await;
}

#[tokio::test]
async fn a_part_that_is_refused_for_its_content_is_read_to_its_end() {
    let app = TestApp::new();
    let token = app.user("ada");
    let begin = post_json("/api/files/multipart", &json!({"filename": "a.csv", "size": png().len()}));
    let begun = app.send(begin.bearer(&token)).await.expect(201);
    let put = Call::new(Method::PUT, &format!("{}/parts/1", begun.header("location")));
    let call = sized(put, &png());
    assert_refused(&app, call, png(), (415, "unsupported_type"), Read::Everything).await;
    let put = Call::new(Method::PUT, &format!("{}/parts/2", begun.header("location")));
    assert_refused(&app, sized(put, &png()), png(), (400, "bad_request"), Read::Nothing).await;
}

#[tokio::test]
async fn a_refused_chunk_of_a_tus_upload_is_read_to_its_end() {
    let app = TestApp::new();
    let token = app.user("ada");
    let begun = app.send(begin_upload(png().len()).bearer(&token)).await.expect(201);
    let path = begun.header("location").to_owned();
    let at = |offset| sized(patch(&path, offset), &png());
    assert_refused(&app, at(5), png(), (409, "upload_offset"), Read::Everything).await;
    assert_refused(&app, at(0), png(), (415, "unsupported_type"), Read::Everything).await;
    assert_refused(&app, at(0), png(), (410, "gone"), Read::Everything).await;

    let with_bytes = sized(begin_upload(png().len()).header("content-type", CHUNK), &png());
    assert_refused(&app, with_bytes, png(), (415, "unsupported_type"), Read::Everything).await;
}

#[tokio::test]
async fn json_that_is_too_long_is_read_to_its_end_unless_its_length_is_announced() {
    let app = TestApp::new();
    app.user("ada");
    let text = format!("{{\"filename\": \"{}\"}}", "x".repeat(2 << 20)).into_bytes();
    for keyed in [false, true] {
        let begin = || {
            let call = post("/api/files/multipart").header("content-type", "application/json");
            if keyed { call.header("idempotency-key", "k") } else { call }
        };
        let announced = sized(begin(), &text);
        assert_refused(&app, announced, text.clone(), (413, "too_large"), Read::Nothing).await;
        assert_refused(&app, begin(), text.clone(), (413, "too_large"), Read::Everything).await;
    }
}
