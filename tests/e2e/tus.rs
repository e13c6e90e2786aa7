//! Standard tus clients upload files to workerd. Some files are about as long as one or several parts. Some uploads are
//! paused, some survive a kill of the server, and one has two concurrent writers.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::crash::{sweep_away_after, sweep_away_what_is_left};
use super::http::{Call, Client, read_head, sha256_hex};
use super::samples::Orders;
use super::server::{Server, exclusive, root, shared};

/// The length of a part, in bytes. It is the minimum length that R2 accepts.
const PART: usize = 5 << 20;

/// A file on disk to upload. It is removed when this value is dropped.
struct Source {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Source {
    /// Writes a CSV file of exactly `length` bytes.
    fn new(name: &str, length: usize) -> Self {
        let mut bytes = Orders::file(9, length + 200, 0).0;
        bytes.truncate(length);
        let path = root().join("target/e2e").join(format!("{}-{name}", std::process::id()));
        std::fs::write(&path, &bytes).unwrap();
        Self { path, bytes }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A running upload by a client in JavaScript.
struct Upload {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Upload {
    fn start(server: &Server, user: &Client, source: &Source, more: &Value) -> Self {
        Self::by("tus_client.mjs", server, user, source, more)
    }

    fn by(client: &str, server: &Server, user: &Client, source: &Source, more: &Value) -> Self {
        let options = options(server, user, source, more);
        let mut child = Command::new(root().join("node_modules/.bin/node"))
            .arg(root().join("tests/e2e").join(client))
            .arg(options.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads lines until a line has the member `member`. Returns the value of the member.
    fn wait_for(&mut self, member: &str) -> Value {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert!(
                self.lines.read_line(&mut line).unwrap() > 0,
                "the client ended without {member}:\n{said}"
            );
            let value: Value = serde_json::from_str(&line).unwrap();
            if let Some(value) = value.get(member) {
                return value.clone();
            }
            assert!(value.get("error").is_none(), "{line}");
            said += &line;
        }
    }

    /// Waits until the upload is complete and returns the id of the file.
    fn finish(mut self) -> String {
        let file = self.wait_for("fileId").as_str().unwrap().to_owned();
        assert!(self.child.wait().unwrap().success());
        file
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn options(server: &Server, user: &Client, source: &Source, more: &Value) -> Value {
    let mut options = json!({
        "endpoint": format!("http://127.0.0.1:{}/api/uploads", server.port),
        "token": user.token(),
        "path": source.path,
    });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    options
}

fn assert_stored(user: &Client, file: &str, bytes: &[u8]) {
    let facts = user.ask(Call::get(&format!("/api/files/{file}/metadata"))).expect(200).json();
    assert_eq!(facts["file"]["checksum"], sha256_hex(bytes));
    assert_eq!(facts["file"]["verified"], true);
    assert!(user.download(file) == bytes, "the file has other bytes");
}

fn begin(user: &Client, length: usize) -> String {
    let call = Call::post("/api/uploads", b"").header("tus-resumable", "1.0.0");
    let begun = user.ask(call.header("upload-length", &length.to_string())).expect(201);
    begun.location_path()
}

fn offset(user: &Client, upload: &str) -> usize {
    let reply = user.ask(Call::head(upload).header("tus-resumable", "1.0.0")).expect(200);
    reply.header("upload-offset").parse().unwrap()
}

/// Opens a connection, writes the headers of a `PATCH`, and returns the connection. The caller writes the body.
fn raw_patch(user: &Client, upload: &str, offset: usize, length: usize) -> std::net::TcpStream {
    let mut stream = user.raw(&format!("PATCH {upload}"));
    let head = format!("tus-resumable: 1.0.0\r\nupload-offset: {offset}\r\ncontent-length: {length}");
    write!(stream, "{head}\r\ncontent-type: application/offset+octet-stream\r\n\r\n").unwrap();
    stream
}

#[test]
fn tus_js_client_uploads_files_of_any_length() {
    let server = shared();
    let user = server.user();
    for length in [1, PART - 1, PART, PART + 1, 3 * PART] {
        let source = Source::new("sizes.csv", length);
        for more in [
            json!({"chunkSize": 3_000_001}),
            json!({"sendFirst": true}),
            json!({"deferLength": true, "chunkSize": 5_000_011}),
        ] {
            let file = Upload::start(&server, &user, &source, &more).finish();
            assert_stored(&user, &file, &source.bytes);
        }
    }
}

#[test]
fn a_paused_upload_continues_at_its_offset() {
    let server = shared();
    let user = server.user();
    let source = Source::new("paused.csv", 2 * PART + 77);
    let mut first =
        Upload::start(&server, &user, &source, &json!({"chunkSize": 1_000_000, "stopAfter": 6_000_000}));
    let url = first.wait_for("url");
    first.wait_for("stopped");
    assert!(first.child.wait().unwrap().success());
    let upload = url.as_str().unwrap().split_once("/api/").map(|(_, path)| format!("/api/{path}")).unwrap();
    assert!(offset(&user, &upload) >= 6_000_000);
    let file = Upload::start(&server, &user, &source, &json!({"uploadUrl": url})).finish();
    assert_stored(&user, &file, &source.bytes);
}

#[test]
fn an_upload_by_uppy_can_be_paused_and_resumed() {
    let server = shared();
    let user = server.user();
    let source = Source::new("uppy.csv", 3 * PART + 1);
    let more = json!({"chunkSize": 2_000_003, "pauseAfter": PART});
    let mut upload = Upload::by("uppy_client.mjs", &server, &user, &source, &more);
    assert_eq!(upload.wait_for("paused"), true);
    let file = upload.finish();
    assert_stored(&user, &file, &source.bytes);
}

#[test]
fn an_upload_survives_repeated_kills_of_the_server() {
    let server = exclusive();
    let user = server.user();
    let source = Source::new("killed.csv", 8 * PART + 1);
    let mut upload = Upload::start(&server, &user, &source, &json!({"chunkSize": 6_000_000, "pauseMs": 50}));
    for acknowledged in [1, 15_000_000, 33_000_000] {
        while upload.wait_for("accepted").as_u64().unwrap() < acknowledged {}
        server.kill_worker_process();
    }
    let file = upload.finish();
    assert_stored(&user, &file, &source.bytes);
    // If the client's HEAD gets an error because the server was killed, the client creates another upload. The sweep
    // ends the earlier upload after eight days.
    sweep_away_after(&server, 9 * 24);
    assert_stored(&user, &file, &source.bytes);
}

/// Number of bytes that are sent before the interruption. The file has ten parts. The buffers between client and
/// session hold fewer bytes, so the session has received at least one part.
const SENT: usize = 8 * PART;

#[test]
fn a_kill_in_the_middle_of_a_request_loses_no_complete_part() {
    let server = exclusive();
    let user = server.user();
    let bytes = Orders::file(8, 10 * PART, 0).0;
    let upload = begin(&user, bytes.len());
    let mut patch = raw_patch(&user, &upload, 0, bytes.len());
    patch.write_all(&bytes[..SENT]).unwrap();
    server.kill_worker_process();
    drop(patch);
    let kept = offset(&user, &upload);
    assert!((PART..=SENT).contains(&kept) && kept.is_multiple_of(PART), "{kept}");
    finish_raw(&user, &upload, kept, &bytes);
    sweep_away_what_is_left(&server);
}

#[test]
fn another_request_continues_after_the_kept_bytes_if_a_client_hangs_or_disconnects() {
    let server = shared();
    let user = server.user();
    let bytes = Orders::file(7, 10 * PART, 0).0;
    for hangs in [false, true] {
        let upload = begin(&user, bytes.len());
        let mut first = raw_patch(&user, &upload, 0, bytes.len());
        first.write_all(&bytes[..SENT]).unwrap();
        let first = hangs.then_some(first);
        let kept = offset(&user, &upload);
        assert!((PART..=SENT).contains(&kept), "{kept}");
        if let Some(mut first) = first {
            // If the server closes a connection with unread bytes, the connection is reset and the response may be
            // lost.
            let mut start = [0; 12];
            let has_response = first.read_exact(&mut start).is_ok();
            assert!(!has_response || start == *b"HTTP/1.1 409", "{start:?}");
        }
        finish_raw(&user, &upload, kept, &bytes);
    }
}

/// Sends the remaining bytes and asserts that the file has all bytes.
fn finish_raw(user: &Client, upload: &str, kept: usize, bytes: &[u8]) {
    let mut rest = raw_patch(user, upload, kept, bytes.len() - kept);
    rest.write_all(&bytes[kept..]).unwrap();
    let head = read_head(&mut rest).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 204"), "{head}");
    let file = head.lines().find_map(|line| line.strip_prefix("x-file-id: ")).unwrap().trim();
    assert_stored(user, file, bytes);
}

#[test]
fn two_concurrent_clients_of_one_upload_create_one_correct_file() {
    let server = shared();
    let user = server.user();
    let source = Source::new("twice.csv", 3 * PART);
    let url = format!("http://127.0.0.1:{}{}", server.port, begin(&user, source.bytes.len()));
    let more = json!({"uploadUrl": url, "chunkSize": 2_000_000});
    let [first, second] = [0, 1].map(|_| Upload::start(&server, &user, &source, &more));
    let files = [first.finish(), second.finish()];
    assert_eq!(files[0], files[1]);
    assert_stored(&user, &files[0], &source.bytes);
    assert_eq!(user.files().len(), 1);
}

#[test]
fn an_upload_by_tuspy_survives_a_kill() {
    let server = exclusive();
    let user = server.user();
    let python = root().join("target/clients/bin/python");
    assert!(python.exists(), "tuspy is missing. Install it: scripts/fixtures");
    for (length, checksum) in [(1, true), (PART + 1, true), (6 * PART, false)] {
        let source = Source::new("tuspy.csv", length);
        let mut more = json!({"chunkSize": 4_000_000, "checksum": checksum});
        // tuspy repeats a chunk that failed, but it does not repeat the request that creates an upload. So if the test
        // kills the server, the test itself creates the upload.
        let killed = (length > 2 * PART).then(|| begin(&user, length));
        if let Some(upload) = &killed {
            more["uploadUrl"] = json!(format!("http://127.0.0.1:{}{upload}", server.port));
        }
        let options = options(&server, &user, &source, &more);
        let run = Command::new(&python)
            .arg(root().join("tests/e2e/tus_client.py"))
            .arg(options.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        if let Some(upload) = &killed {
            server.logged(&format!("[wrangler:info] PATCH {upload}"));
            server.kill_worker_process();
        }
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "tuspy failed");
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["offset"], length);
        assert_stored(&user, user.files().last().unwrap(), &source.bytes);
    }
    sweep_away_what_is_left(&server);
}

#[test]
fn concurrent_parts_make_a_file_that_is_verified_later() {
    let server = shared();
    let user = server.user();
    let bytes = Orders::file(6, 3 * PART + 5, 0).0;
    let body = json!({"filename": "parts.csv", "size": bytes.len()});
    let begun = user.post_json("/api/files/multipart", &body).expect(201).json();
    let path = format!("/api/files/multipart/{}", begun["uploadId"].as_str().unwrap());
    let digest_of = |bytes: &[u8]| {
        let sha256 = hex::decode(sha256_hex(bytes)).unwrap();
        cutty::http::digest::render(&sha256.try_into().unwrap())
    };
    let other = digest_of(b"other");
    for (number, piece) in (1..).zip(bytes.chunks(PART)) {
        let wrong = Call::put(&format!("{path}/parts/{number}"), piece).header("repr-digest", &other);
        assert_eq!(user.ask(wrong).expect(422).json()["code"], "digest_mismatch");
    }
    let begun = user.ask(Call::get(&path)).expect(200).json();
    assert_eq!(begun["partsUploaded"], 0, "a part with a wrong digest must not be stored");
    let parts: Vec<Value> = std::thread::scope(|scope| {
        let (user, path) = (&user, &path);
        let put = |(number, piece): (usize, _)| {
            let put = Call::put(&format!("{path}/parts/{number}"), piece);
            let put = if number % 2 == 0 { put } else { put.header("content-digest", &digest_of(piece)) };
            scope.spawn(move || user.ask(put).expect(200).json()["part"].clone())
        };
        let sent: Vec<_> = (1..).zip(bytes.chunks(PART)).map(put).collect();
        sent.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let file = user.post_json(&format!("{path}/complete"), &json!({"parts": parts})).expect(201).json();
    assert_eq!((&file["file"]["checksum"], &file["file"]["verified"]), (&json!(null), &json!(false)));
    let id = file["file"]["id"].as_str().unwrap();
    server.eventually("the file is verified", || {
        let facts = user.ask(Call::get(&format!("/api/files/{id}/metadata"))).expect(200).json();
        (facts["file"]["verified"] == true).then_some(())
    });
    assert_stored(&user, id, &bytes);
}
