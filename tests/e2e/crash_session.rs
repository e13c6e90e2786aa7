//! `kill -9` at every step of the session that holds a resumable upload: before each of its calls of the stores and each
//! change of its rows and its alarm. The client asks how far the upload is, goes on from there, and gets its file.
//!
//! The steps are found out by tracing one upload, as in [`super::crash`]; nothing here says what a session calls, when,
//! or how long its parts are. A call of a session's rows is over when it returns, and so the whole process stands still
//! there until it is killed; what the runtime had not yet made durable is lost with it, as in any crash.

use super::crash::{kill_during, sweep_away_after};
use super::http::{Answer, Call, Client, sha256_hex};
use super::samples::Orders;
use super::server::{Server, exclusive};

/// The requests one upload is sent in, until it is broken off.
const REQUESTS: usize = 5;

#[test]
fn a_crash_between_any_two_steps_of_a_session_loses_nothing_that_was_acknowledged() {
    let server = exclusive();
    let (bytes, calls) = upload_of_three_parts(&server);
    for kind in ["FILES_BUCKET", "DB", "rows", "storage"] {
        assert!(calls.iter().any(|call| call.starts_with(kind)), "no call of {kind} was traced: {calls:?}");
    }
    for (step, call) in (1..).zip(&calls) {
        crash_before(&server, &bytes, step, call);
    }
    // An upload whose session never began is given up after eight days.
    sweep_away_after(&server, 9 * 24);
}

/// An upload that its session stores in at least three parts, however long those are, and the calls it makes for it.
fn upload_of_three_parts(server: &Server) -> (Vec<u8>, Vec<String>) {
    let lengths = std::iter::successors(Some(21 << 19), |length| Some(length * 2));
    let traced = lengths.take(4).map(|length| {
        let bytes = Orders::file(14, length, 0).0;
        let calls = trace(server, &bytes);
        (bytes, calls)
    });
    let parts = |calls: &[String]| calls.iter().filter(|call| call.ends_with(".uploadPart")).count();
    let mut found = traced.skip_while(|(_, calls)| parts(calls) < 3);
    found.next().expect("an upload of three parts")
}

fn trace(server: &Server, bytes: &[u8]) -> Vec<String> {
    let user = server.user();
    let upload = begin(&user, bytes, "trace session").unwrap().expect(201).header("location").to_owned();
    assert_eq!(send_all(&user, &upload, bytes), bytes.len());
    assert_one_file(server, &user, bytes, "traced");
    let told = user.ask(Call::get("/health").header("x-session-calls", "tell"));
    told.header("x-session-calls").split(',').map(str::to_owned).collect()
}

fn crash_before(server: &Server, bytes: &[u8], step: usize, call: &str) {
    let user = server.user();
    let name = format!("session-{step}");
    let what = format!("killed before call {step}, {call}");
    let order = format!("crash {name} {step}");
    let begun = kill_during(server, &name, || {
        let begun = begin(&user, bytes, &order).ok().filter(|answer| answer.status == 201)?;
        let upload = begun.header("location").to_owned();
        let acknowledged = send_all(&user, &upload, bytes);
        assert!(acknowledged < bytes.len(), "{what}: it was not broken off");
        Some((upload, acknowledged))
    });
    // Who was not told of an upload begins another.
    let (upload, acknowledged) = begun.unwrap_or_else(|| {
        let begun = begin(&user, bytes, "").unwrap().expect(201);
        (begun.header("location").to_owned(), 0)
    });
    let told = user.ask(tus(Call::head(&upload))).expect(200);
    let kept: usize = told.header("upload-offset").parse().unwrap();
    assert!((acknowledged..=bytes.len()).contains(&kept), "{what}: {acknowledged} acknowledged, {kept} kept");
    if kept < bytes.len() {
        send_at(&user, &upload, kept, &bytes[kept..]).unwrap().expect(204);
    }
    assert_one_file(server, &user, bytes, &what);
}

fn begin(user: &Client, bytes: &[u8], order: &str) -> Result<Answer, ureq::Error> {
    let call = tus(Call::post("/api/uploads", b"")).header("x-next-session", order);
    user.send(call.header("upload-length", &bytes.len().to_string()))
}

/// Sends all of it, request by request, until one of them fails. How many bytes were acknowledged.
fn send_all(user: &Client, upload: &str, bytes: &[u8]) -> usize {
    let mut acknowledged = 0;
    while acknowledged < bytes.len() {
        let end = bytes.len().min(acknowledged + bytes.len().div_ceil(REQUESTS));
        match send_at(user, upload, acknowledged, &bytes[acknowledged..end]) {
            Ok(answer) if answer.status == 204 => {
                assert_eq!(answer.header("upload-offset"), end.to_string());
                acknowledged = end;
            }
            Ok(answer) if answer.status < 500 => panic!("{} {}", answer.status, answer.text()),
            Ok(_) | Err(_) => break,
        }
    }
    acknowledged
}

fn send_at(user: &Client, upload: &str, offset: usize, bytes: &[u8]) -> Result<Answer, ureq::Error> {
    let call = tus(Call::patch(upload, bytes)).header("upload-offset", &offset.to_string());
    user.send(call.header("content-type", "application/offset+octet-stream"))
}

fn tus(call: Call<'_>) -> Call<'_> {
    call.header("tus-resumable", "1.0.0")
}

fn assert_one_file(server: &Server, user: &Client, bytes: &[u8], what: &str) {
    let files = user.files();
    let [file] = files.as_slice() else { panic!("{what}: one file: {files:?}") };
    assert_eq!(sha256_hex(&user.download(file)), sha256_hex(bytes), "{what}");
    let facts = user.ask(Call::get(&format!("/api/files/{file}/metadata"))).expect(200).json();
    assert_eq!(facts["file"]["checksum"], sha256_hex(bytes), "{what}");
    assert_eq!(server.state().quota(&user.id).used, bytes.len() as i64, "{what}");
}
