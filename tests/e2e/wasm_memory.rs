//! Measures the memory of wasm during cuts and uploads. This memory never shrinks, so its size is the most that the
//! process has needed since its start.
//!
//! Each test starts a new process and warms it up with one small upload and one small cut.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::http::{Client, upload_call};
use super::metered::{Turn, metered};
use super::samples::Orders;

const MIB: u64 = 1 << 20;

/// The number of concurrent cuts, and the memory that an isolate may use during them.
const CUTS_AT_ONCE: usize = 32;
const ALLOWED_BYTES: u64 = 96_000_000;

fn id_of(user: &Client, bytes: &[u8]) -> String {
    user.ask(upload_call("sample.csv", bytes)).expect(201).json()["file"]["id"].as_str().unwrap().to_owned()
}

/// Waits until no other test uses the metered server. Then restarts the process of the server and warms the process up.
fn fresh() -> Turn {
    let metered = metered();
    metered.kill_worker_process();
    let small = id_of(&metered.user, &Orders::file(7, 10_000, 0).0);
    let cut = open(&metered.user, &format!("/api/files/{small}/cut?columns=id"), false);
    assert!(is_whole(&read_to_end(cut)));
    metered
}

/// Sends a request and does not read the response.
fn open(user: &Client, path: &str, gzip: bool) -> TcpStream {
    let mut stream = user.raw(&format!("GET {path}"));
    let coding = if gzip { "gzip" } else { "identity" };
    write!(stream, "accept-encoding: {coding}\r\nconnection: close\r\n\r\n").unwrap();
    stream
}

fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

/// Whether a response with `Transfer-Encoding: chunked` is complete.
fn is_whole(response: &[u8]) -> bool {
    response.ends_with(b"\r\n0\r\n\r\n")
}

#[test]
fn thirty_two_concurrent_cuts_fit_in_96_megabytes() {
    let metered = fresh();
    let user = &metered.user;
    let (bytes, _) = Orders::file(22, 33 << 20, 0);
    let id = id_of(user, &bytes);
    drop(bytes);
    let before = metered.usage().memory_bytes;
    let begin = |number: usize| {
        let (format, gzip) = [("json", false), ("csv", false), ("ndjson", false), ("csv", true)][number % 4];
        let mut cut = open(user, &format!("/api/files/{id}/cut?format={format}"), gzip);
        let mut first = vec![0; 64 << 10];
        cut.read_exact(&mut first).unwrap();
        let head = String::from_utf8_lossy(&first[..1000]).to_ascii_lowercase();
        assert!(
            head.starts_with("http/1.1 200") && head.contains("content-encoding: gzip") == gzip,
            "{head}"
        );
        cut
    };
    let mut begun: Vec<_> = (0..CUTS_AT_ONCE).map(begin).collect();
    let all_begun = metered.usage().memory_bytes;
    // Four times, each client reads 512 KiB, one client after another. Then the first four clients, one for each kind
    // of cut, read the rest of their cuts. The other clients disconnect.
    let mut piece = vec![0; 512 << 10];
    for _ in 0..4 {
        begun.iter_mut().for_each(|cut| cut.read_exact(&mut piece).unwrap());
    }
    for cut in begun.drain(..4).collect::<Vec<_>>() {
        assert!(is_whole(&read_to_end(cut)), "a cut broke");
    }
    drop(begun);
    let most = metered.usage().memory_bytes;
    println!("before: {before}, 32 started: {all_begun}, at the end: {most}");
    assert!(most <= ALLOWED_BYTES, "{most} bytes");
    assert!((most - before) / CUTS_AT_ONCE as u64 <= 2 * MIB, "{} bytes per cut", (most - before) / 32);
}

#[test]
fn a_cut_of_300_megabytes_needs_no_more_memory_than_a_cut_of_10_megabytes() {
    let metered = fresh();
    let user = &metered.user;
    let ten = id_of(user, &Orders::file(23, 10_000_000, 0).0);
    let cut = |id: &str| {
        for query in ["amount__gt=900", "amount__gt=900&format=json&compress=gzip"] {
            let response = read_to_end(open(user, &format!("/api/files/{id}/cut?{query}"), false));
            assert!(is_whole(&response));
        }
        metered.usage().memory_bytes
    };
    // The profile of the large file is longer, and stays in the cache. It must not count as memory of the cut.
    let estimate = format!("/api/files/{}/estimate?amount__gt=900", metered.large.id);
    assert!(read_to_end(open(user, &estimate, false)).starts_with(b"HTTP/1.1 200"));
    let after_ten = cut(&ten);
    let after_large = cut(&metered.large.id);
    println!("after 10 MB: {after_ten}, after 300 MB: {after_large}");
    assert_eq!(after_large, after_ten);
}

#[test]
fn an_upload_of_80_megabytes_adds_at_most_two_mebibytes_of_memory() {
    let metered = fresh();
    let before = metered.usage().memory_bytes;
    let after = |size: usize| {
        id_of(&metered.user, &Orders::file(24, size, 0).0);
        metered.usage().memory_bytes
    };
    let (after_10, after_80) = (after(10_000_000), after(80_000_000));
    println!("before: {before}, after 10 MB: {after_10}, after 80 MB: {after_80}");
    assert!(after_80 - before <= 2 * MIB, "{} bytes", after_80 - before);
}

#[test]
fn a_gzip_cut_waits_for_a_stalled_client() {
    let metered = fresh();
    let before = metered.usage();
    let path = format!("/api/files/{}/cut", metered.large.id);
    let mut cut = open(&metered.user, &path, true);
    let mut head = [0; 1000];
    cut.read_exact(&mut head).unwrap();
    assert!(head.starts_with(b"HTTP/1.1 200"));
    // The response fills the buffers of the sockets and of wrangler's proxy, and then the cut waits.
    let mut read = 0;
    let stalled = metered.eventually("a stalled cut", || {
        std::thread::sleep(Duration::from_millis(1500));
        let now = metered.usage();
        let stands = now.bytes_into_wasm == read && read > before.bytes_into_wasm;
        read = now.bytes_into_wasm;
        stands.then_some(now)
    });
    let read = stalled.bytes_into_wasm - before.bytes_into_wasm;
    let grown = stalled.memory_bytes - before.memory_bytes;
    println!("stalled after {read} bytes of {}; wasm grew by {grown}", metered.large.size_bytes);
    assert!(read < metered.large.size_bytes / 2, "{read} bytes were read for a client that reads none");
    assert!(grown <= 2 * MIB, "{grown} bytes");
}
