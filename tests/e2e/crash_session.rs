//! The test kills the process (`kill -9`) at every step of the session of a resumable upload: before each call to R2 or
//! D1, and before each change of the session's rows or alarm. After each kill, the client asks for the offset, sends
//! the rest of the bytes, and gets its file.
//!
//! The test finds the steps by tracing one upload, as in [`super::crash`]. It does not assume which calls a session
//! makes, when the session makes them, or how long the parts are. A call that changes rows is synchronous. So a crash
//! point before a call of this kind blocks the whole process until the test kills the process. As in a real crash, the
//! kill loses all data that the runtime has not made durable.

use super::crash::{kill_during, sweep_away_after};
use super::http::{Call, Client, Response, sha256_hex};
use super::samples::Orders;
use super::server::{Server, exclusive};

/// The number of requests in which a client sends an upload if no request is interrupted.
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
    // If the session of an upload never started, the sweep ends the upload after eight days.
    sweep_away_after(&server, 9 * 24);
}

/// Returns the bytes of an upload with at least three parts, and the calls that the session of this upload makes. The
/// test does not know the length of a part. So this function tries uploads, each twice as long as the one before, until
/// the session stores three parts.
fn upload_of_three_parts(server: &Server) -> (Vec<u8>, Vec<String>) {
    let lengths = std::iter::successors(Some(21 << 19), |length| Some(length * 2));
    let traced = lengths.take(4).map(|length| {
        let bytes = Orders::file(14, length, 0).0;
        let calls = trace(server, &bytes);
        (bytes, calls)
    });
    let parts = |calls: &[String]| calls.iter().filter(|call| call.ends_with(".uploadPart")).count();
    let mut found = traced.skip_while(|(_, calls)| parts(calls) < 3);
    found.next().expect("no tried length gives three parts")
}

fn trace(server: &Server, bytes: &[u8]) -> Vec<String> {
    let user = server.user();
    let upload = begin(&user, bytes, "trace session").unwrap().expect(201).location_path();
    assert_eq!(send_all(&user, &upload, bytes), bytes.len());
    assert_one_file(server, &user, bytes, "traced");
    let known = user.ask(Call::get("/health").header("x-session-calls", "tell"));
    known.header("x-session-calls").split(',').map(str::to_owned).collect()
}

fn crash_before(server: &Server, bytes: &[u8], step: usize, call: &str) {
    let user = server.user();
    let name = format!("session-{step}");
    let case = format!("killed before call {step}, {call}");
    let order = format!("crash {name} {step}");
    let begun = kill_during(server, &name, || {
        let begun = begin(&user, bytes, &order).ok().filter(|response| response.status == 201)?;
        let upload = begun.location_path();
        let acknowledged = send_all(&user, &upload, bytes);
        assert!(acknowledged < bytes.len(), "{case}: the upload was not interrupted");
        Some((upload, acknowledged))
    });
    // A client that did not receive the location creates a new upload.
    let (upload, acknowledged) = begun.unwrap_or_else(|| {
        let begun = begin(&user, bytes, "").unwrap().expect(201);
        (begun.location_path(), 0)
    });
    let known = user.ask(tus(Call::head(&upload))).expect(200);
    let kept: usize = known.header("upload-offset").parse().unwrap();
    assert!((acknowledged..=bytes.len()).contains(&kept), "{case}: {acknowledged} acknowledged, {kept} kept");
    if kept < bytes.len() {
        send_at(&user, &upload, kept, &bytes[kept..]).unwrap().expect(204);
    }
    assert_one_file(server, &user, bytes, &case);
}

fn begin(user: &Client, bytes: &[u8], order: &str) -> Result<Response, ureq::Error> {
    let call = tus(Call::post("/api/uploads", b"")).header("x-next-session", order);
    user.send(call.header("upload-length", &bytes.len().to_string()))
}

/// Sends all bytes in several requests. Stops when a request fails. Returns the number of acknowledged bytes.
fn send_all(user: &Client, upload: &str, bytes: &[u8]) -> usize {
    let mut acknowledged = 0;
    while acknowledged < bytes.len() {
        let end = bytes.len().min(acknowledged + bytes.len().div_ceil(REQUESTS));
        match send_at(user, upload, acknowledged, &bytes[acknowledged..end]) {
            Ok(response) if response.status == 204 => {
                assert_eq!(response.header("upload-offset"), end.to_string());
                acknowledged = end;
            }
            Ok(response) if response.status < 500 => panic!("{} {}", response.status, response.text()),
            Ok(_) | Err(_) => break,
        }
    }
    acknowledged
}

fn send_at(user: &Client, upload: &str, offset: usize, bytes: &[u8]) -> Result<Response, ureq::Error> {
    let call = tus(Call::patch(upload, bytes)).header("upload-offset", &offset.to_string());
    user.send(call.header("content-type", "application/offset+octet-stream"))
}

fn tus(call: Call<'_>) -> Call<'_> {
    call.header("tus-resumable", "1.0.0")
}

fn assert_one_file(server: &Server, user: &Client, bytes: &[u8], case: &str) {
    let files = user.files();
    let [file] = files.as_slice() else { panic!("{case}: expected one file: {files:?}") };
    assert_eq!(sha256_hex(&user.download(file)), sha256_hex(bytes), "{case}");
    let facts = user.ask(Call::get(&format!("/api/files/{file}/metadata"))).expect(200).json();
    assert_eq!(facts["file"]["checksum"], sha256_hex(bytes), "{case}");
    assert_eq!(server.state().quota(&user.id).used, bytes.len() as i64, "{case}");
}
