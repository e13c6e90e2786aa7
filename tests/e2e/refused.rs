//! Long bodies that are refused after their first bytes were read. The client always gets the problem that names the
//! reason, and never a 500 or a broken connection. The last test sends headers and a query with invalid bytes.

use std::io::Write;

use super::http::{Call, Client, read_head, upload_call};
use super::server::{self, Entry, Server};

/// The length of each body, in bytes.
const BODY_BYTES: usize = 20_000_000;

/// A quota that is greater than `BODY_BYTES` and smaller than 1.5 times `BODY_BYTES`.
const QUOTA_BYTES: &str = "25000000";

/// How often each request is sent.
const TRIES: usize = 4;

fn png() -> Vec<u8> {
    b"\x89PNG\r\n\x1a\n".iter().chain([1].iter().cycle()).take(BODY_BYTES).copied().collect()
}

fn csv(length: usize) -> Vec<u8> {
    b"a,b\n".iter().chain(b"1,2\n".iter().cycle()).take(length).copied().collect()
}

fn assert_refused<'a>(user: &Client, case: &str, call: impl Fn() -> Call<'a>, status: u16, code: &str) {
    for _ in 0..TRIES {
        let response = user.send(call()).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(
            response.header("content-type"),
            "application/problem+json",
            "{case}: {}",
            response.text()
        );
        let problem = response.json();
        assert_eq!((response.status, &problem["code"]), (status, &code.into()), "{case}: {problem}");
    }
}

fn tus(call: Call) -> Call {
    call.header("tus-resumable", "1.0.0")
}

#[test]
fn a_request_whose_long_body_is_refused_always_gets_the_problem() {
    let server = Server::start(Entry::Product, &[("DEFAULT_QUOTA_BYTES", QUOTA_BYTES)]);
    let user = server.user();
    let (png, long) = (png(), csv(BODY_BYTES / 2 * 3));
    let unsupported = (415, "unsupported_type");

    assert_refused(&user, "an image", || upload_call("a.csv", &png), unsupported.0, unsupported.1);
    assert_refused(&user, "over the quota", || upload_call("a.csv", &long), 507, "quota_exceeded");

    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n";
    let form = [head.as_bytes(), &png, b"\r\n--b--\r\n"].concat();
    let form = || Call::post("/api/files", &form).header("content-type", "multipart/form-data; boundary=b");
    assert_refused(&user, "an image in a form", form, unsupported.0, unsupported.1);

    let create = || tus(Call::post("/api/uploads", b"")).header("upload-defer-length", "1");
    let upload = user.ask(create()).expect(201).location_path();
    let patch = |offset: &str| {
        let call = tus(Call::patch(&upload, &png)).header("upload-offset", offset);
        call.header("content-type", "application/offset+octet-stream")
    };
    assert_refused(&user, "bytes at another offset", || patch("5"), 409, "upload_offset");
    let first = user.ask(patch("0")).expect(415).json();
    assert_eq!(first["code"], "unsupported_type");
    assert_refused(&user, "bytes for an upload that has ended", || patch("0"), 410, "gone");

    let begin = format!("{{\"filename\": \"a.csv\", \"size\": {BODY_BYTES}, \"partSize\": {BODY_BYTES}}}");
    let begin =
        Call::post("/api/files/multipart", begin.as_bytes()).header("content-type", "application/json");
    let part = format!("{}/parts/1", user.ask(begin).expect(201).header("location"));
    assert_refused(&user, "an image as a part", || Call::put(&part, &png), unsupported.0, unsupported.1);

    assert_eq!(user.files(), Vec::<String>::new());
}

#[test]
fn a_header_or_a_query_with_invalid_bytes_is_refused_and_the_file_stays() {
    let server = server::shared();
    let user = server.user();
    let file = user.upload("a.csv", b"a,b\n1,2\n");
    let path = format!("/api/files/{}", file["id"].as_str().unwrap());
    let status_of = |request: &str, header: &[u8]| {
        let mut stream = user.raw(request);
        stream.write_all(header).unwrap();
        stream.write_all(b"\r\nconnection: close\r\n\r\n").unwrap();
        read_head(&mut stream).lines().next().unwrap_or_default().to_owned()
    };
    for byte in [0x01, 0x08, 0x1f, 0x7f, 0xe9, 0xff] {
        let header = [b"if-match: \"r1\"", &[byte][..]].concat();
        let status = status_of(&format!("DELETE {path}?permanent=true"), &header);
        assert!(status.contains(" 400 "), "{byte:#x}: {status}");
    }
    let status = status_of(&format!("GET {path}/cut?a__eq=caf%E9"), b"accept: */*");
    assert!(status.contains(" 400 "), "{status}");
    let options = "OPTIONS /api/files";
    let preflight = b"origin: https://cutty.com\r\naccess-control-request-method: GET\r\nx-request-id: r-1";
    let mut stream = user.raw(options);
    stream.write_all(preflight).unwrap();
    stream.write_all(b"\r\nconnection: close\r\n\r\n").unwrap();
    let head = read_head(&mut stream).to_lowercase();
    for line in ["x-request-id: r-1", "x-content-type-options: nosniff", "cache-control: no-store"] {
        assert!(head.contains(line), "{head}");
    }
    assert_eq!(user.download(file["id"].as_str().unwrap()), b"a,b\n1,2\n");
}
