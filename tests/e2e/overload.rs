//! Sends many requests at the same time. Some of the clients stall. The isolate's memory must stay bounded, and every
//! client that reads and writes must be served.
//!
//! With `LONG=1`, the test sends the full load. By default, it sends a quarter of the full load.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{Call, Client, Response, read_head};
use super::samples::Orders;
use super::server::{Entry, Server};

const MIB: u64 = 1 << 20;

/// Limits of the isolate's memory: for wasm alone, and for wasm and the leased JavaScript buffers together.
const MAX_WASM_BYTES: u64 = 64 * MIB;
const MAX_BYTES: u64 = 96 * MIB;

/// The longest time that `/health` may take to respond during the load, in a run of the full size. `scripts/test` runs
/// this test alone, because other tests beside it would delay the responses.
const MAX_HEALTH: Duration = Duration::from_secs(2);
/// The same in a run of a quarter of the size, which also runs on slow and busy machines.
const MAX_HEALTH_OF_SHORT_RUN: Duration = Duration::from_secs(8);

/// A well-behaved client waits at most this long for its response.
const MAX_RESPONSE: Duration = Duration::from_secs(180);

/// The number of clients of each kind.
struct Load {
    max_health: Duration,
    stalled_forms: usize,
    stalled_cuts: usize,
    saves: usize,
    cuts: usize,
    uploads: usize,
    pages: usize,
    wide: usize,
}

impl Load {
    fn chosen() -> Self {
        let full = Self {
            max_health: MAX_HEALTH,
            stalled_forms: 100,
            stalled_cuts: 100,
            saves: 50,
            cuts: 50,
            uploads: 50,
            pages: 100,
            wide: 20,
        };
        if std::env::var_os("LONG").is_some() {
            return full;
        }
        Self {
            max_health: MAX_HEALTH_OF_SHORT_RUN,
            stalled_forms: full.stalled_forms / 4,
            stalled_cuts: full.stalled_cuts / 4,
            saves: full.saves / 4,
            cuts: full.cuts / 4,
            uploads: full.uploads / 4,
            pages: full.pages / 4,
            wide: full.wide / 4,
        }
    }
}

/// Number of requests that clients repeated after a 503.
static REPEATED: AtomicUsize = AtomicUsize::new(0);

/// Sends a request. If the service is busy, repeats the request after the time in `Retry-After`, as a client should.
fn ask<'a>(user: &Client, call: impl Fn() -> Call<'a>) -> Response {
    let began = Instant::now();
    loop {
        let response = user.ask(call().within(MAX_RESPONSE));
        if response.status != 503 || began.elapsed() > MAX_RESPONSE {
            return response;
        }
        wait_as_told(response.header("retry-after"));
    }
}

fn wait_as_told(retry_after: &str) {
    REPEATED.fetch_add(1, Ordering::SeqCst);
    thread::sleep(Duration::from_secs(retry_after.trim().parse().unwrap()));
}

/// Sends the head of a form, `body` as the beginning of its file, and then nothing. Keeps the connection until the server ends it.
fn stall(user: &Client, body: &[u8]) {
    let mut stream = user.raw("POST /api/files");
    let head = "content-type: multipart/form-data; boundary=b\r\ncontent-length: 52428800\r\n\r\n--b\r\n\
        content-disposition: form-data; name=\"file\"; filename=\"stalled.csv\"\r\ncontent-type: text/csv\r\n\r\n";
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
}

/// Requests a cut and reads no byte of the response while the other clients work.
fn stall_reading(user: &Client, file: &str, is_over: &AtomicBool) {
    let mut stream = user.raw(&format!("GET /api/files/{file}/cut?format=json"));
    let _ = write!(stream, "accept-encoding: identity\r\nconnection: close\r\n\r\n");
    while !is_over.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(100));
    }
}

fn save(user: &Client, file: &str, number: usize) {
    let body =
        json!({"filename": format!("saved-{number}.csv"), "whereFilters": {"amount": "> 10"}}).to_string();
    let path = format!("/api/files/{file}/save");
    ask(user, || Call::post(&path, body.as_bytes()).header("content-type", "application/json")).expect(201);
}

/// Requests a cut, reads the response headers, waits one second, and then reads the rest of the response.
fn cut(user: &Client, file: &str, number: usize) {
    let format = ["csv", "ndjson", "json"][number % 3];
    let began = Instant::now();
    loop {
        let mut stream: TcpStream = user.raw(&format!("GET /api/files/{file}/cut?format={format}"));
        stream.set_read_timeout(Some(MAX_RESPONSE)).unwrap();
        write!(stream, "accept-encoding: identity\r\nconnection: close\r\n\r\n").unwrap();
        let head = read_head(&mut stream);
        if head.starts_with("HTTP/1.1 503") && began.elapsed() < MAX_RESPONSE {
            let head = head.to_ascii_lowercase();
            wait_as_told(head.lines().find_map(|line| line.strip_prefix("retry-after:")).unwrap());
            continue;
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        thread::sleep(Duration::from_secs(1));
        let mut body = Vec::new();
        stream.read_to_end(&mut body).unwrap();
        assert!(body.ends_with(b"\r\n0\r\n\r\n"), "a cut broke");
        return;
    }
}

fn upload(user: &Client, bytes: &[u8]) {
    let create = || {
        Call::post("/api/uploads", b"")
            .header("tus-resumable", "1.0.0")
            .header("upload-length", &bytes.len().to_string())
            .header("upload-metadata", "filename dXBsb2FkLmNzdg==")
    };
    let location = ask(user, create).expect(201);
    let location = location.location_path();
    let mut offset = 0;
    for chunk in bytes.chunks(4 << 20) {
        let patch = || {
            Call::patch(&location, chunk)
                .header("tus-resumable", "1.0.0")
                .header("upload-offset", &offset.to_string())
                .header("content-type", "application/offset+octet-stream")
        };
        ask(user, patch).expect(204);
        offset += chunk.len();
    }
}

fn page(user: &Client, file: &str, number: usize) {
    let path = match number % 4 {
        0 => "/api/files?limit=1000".to_owned(),
        1 => format!("/api/files/{file}/lineage?limit=100"),
        2 => format!("/api/files/{file}/profile"),
        _ => format!("/api/files/{file}/rows?limit=10000&offset={}", number * 100),
    };
    ask(user, || Call::get(&path)).expect(200);
}

/// Returns a file with 20,000 columns and ten rows.
fn wide_file() -> Vec<u8> {
    let names: Vec<String> =
        (0..20_000).map(|column| format!("a rather long name of column {column}")).collect();
    format!("{}\n{}", names.join(","), (vec!["7"; 20_000].join(",") + "\n").repeat(10)).into_bytes()
}

/// Uploads a file with many columns, and cuts the file. In memory, the header of the file takes more than a mebibyte.
fn wide(user: &Client, bytes: &[u8]) {
    let uploaded = ask(user, || {
        Call::post("/api/files", bytes).header("content-type", "text/csv").header("x-file-name", "wide.csv")
    });
    let id = uploaded.expect(201).json()["file"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/files/{id}/cut?%231__eq=7&columns=%2320000,%231");
    let cut = ask(user, || Call::get(&path)).expect(200);
    assert_eq!(cut.body.iter().filter(|byte| **byte == b'\n').count(), 1 + 10);
}

fn isolate(server: &Server) -> Value {
    server.operator().ask(Call::get("/api/admin/isolate")).expect(200).json()
}

/// Adds up the member `kind`, for example `mostJsBytes`, of all memory budgets.
fn most(isolate: &Value, kind: &str) -> u64 {
    isolate["budgets"].as_object().unwrap().values().map(|budget| budget[kind].as_u64().unwrap()).sum()
}

#[test]
fn many_clients_of_which_some_stall_do_not_exhaust_the_memory_of_an_isolate() {
    let load = Load::chosen();
    let server = Server::start(Entry::Product, &[]);
    let user = server.user();
    let file = user.upload("orders.csv", &Orders::file(25, 16 << 20, 0).0)["id"].as_str().unwrap().to_owned();
    let chunked = Orders::file(27, 9 << 20, 0).0;
    println!("before: {}", isolate(&server));
    let mut slowest = Duration::ZERO;
    let growth = server.growth_during(|| slowest = run(&load, &server, &user, &file, &chunked));
    let after = isolate(&server);
    let wasm = after["memoryBytes"].as_u64().unwrap();
    let js = most(&after, "mostJsBytes");
    println!("after: {after}");
    println!(
        "wasm {} MiB, leased in JavaScript {} MiB, slowest /health {slowest:?}, {} requests repeated after 503",
        wasm / MIB,
        js / MIB,
        REPEATED.load(Ordering::SeqCst)
    );
    println!(
        "the process grew by {} MiB; a process that only puts and gets grew by {} MiB",
        growth / MIB,
        bare(&load) / MIB
    );
    assert!(wasm <= MAX_WASM_BYTES, "{wasm} bytes of wasm");
    assert!(wasm + js <= MAX_BYTES, "{} bytes", wasm + js);
    assert!(slowest <= load.max_health, "{slowest:?}");
}

/// Sends puts and gets at the same time through a Worker without our code: one put for each upload and each save of the
/// load, and one get for each cut. Returns by how many bytes the memory of this Worker's process grew. The process also
/// runs the local simulators of R2 and D1.
fn bare(load: &Load) -> u64 {
    let server = Server::start(Entry::Bare, &[]);
    let client = Client::new(server.port);
    let (long, short) = (Orders::file(25, 16 << 20, 0).0, Orders::file(27, 9 << 20, 0).0);
    client.ask(Call::put("/object/orders", &long)).expect(200);
    server.growth_during(|| {
        thread::scope(|scope| {
            for number in 0..load.uploads + load.saves {
                let path = format!("/object/{number}");
                let (client, short) = (&client, &short);
                scope.spawn(move || client.ask(Call::put(&path, short).within(MAX_RESPONSE)).expect(200));
            }
            for _ in 0..load.cuts + load.stalled_cuts {
                scope.spawn(|| client.ask(Call::get("/object/orders").within(MAX_RESPONSE)).expect(200));
            }
        });
    })
}

/// Sends all requests of a load and waits for the responses to the well-behaved clients. Returns the longest time that
/// `/health` took to respond.
fn run(load: &Load, server: &Server, user: &Client, file: &str, chunked: &[u8]) -> Duration {
    let is_over = AtomicBool::new(false);
    let (wide_file, stalled_body, is_over) = (&wide_file(), &Orders::file(26, 4_600_000, 0).0, &is_over);
    thread::scope(|scope| {
        let health = scope.spawn(|| {
            let client = Client::new(server.port);
            let (start, mut slowest) = (Instant::now(), Duration::ZERO);
            while !is_over.load(Ordering::SeqCst) {
                let began = Instant::now();
                client.ask(Call::get("/health")).expect(200);
                if began.elapsed() > MAX_HEALTH / 2 {
                    println!("/health took {:?}, {:?} after the start", began.elapsed(), start.elapsed());
                }
                slowest = slowest.max(began.elapsed());
                thread::sleep(Duration::from_millis(100));
            }
            slowest
        });
        for _ in 0..load.stalled_forms {
            scope.spawn(|| stall(user, stalled_body));
        }
        for _ in 0..load.stalled_cuts {
            scope.spawn(|| stall_reading(user, file, is_over));
        }
        let mut served = Vec::new();
        served.extend((0..load.saves).map(|number| scope.spawn(move || save(user, file, number))));
        served.extend((0..load.cuts).map(|number| scope.spawn(move || cut(user, file, number))));
        served.extend((0..load.uploads).map(|_| scope.spawn(move || upload(user, chunked))));
        served.extend((0..load.wide).map(|_| scope.spawn(move || wide(user, wide_file))));
        served.extend((0..load.pages).map(|number| scope.spawn(move || page(user, file, number))));
        let failed = served.into_iter().map(thread::ScopedJoinHandle::join).filter(Result::is_err).count();
        is_over.store(true, Ordering::SeqCst);
        let slowest = health.join().unwrap();
        assert_eq!(failed, 0, "well-behaved clients were not served");
        slowest
    })
}
