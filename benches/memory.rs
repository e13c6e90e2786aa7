//! Measures the peak memory of the process that runs the Worker: during an upload of 1 GiB, and during cuts of files of
//! 10 MiB, 100 MiB and 1 GiB. Also measures the size of the Worker's wasm memory after each of these cuts, and while
//! many cuts wait for their clients.
//!
//! The local object store runs in the same process and takes memory for a put. So the benchmark compares an upload with
//! a bare `put` of the same body. It compares a cut with an idle process. Each measurement uses a new process, which
//! has handled one small request before the measurement begins. Uploads alternate with bare puts. The report shows the
//! smallest value of the uploads and the smallest value of the bare puts. Wasm memory never shrinks, so its size after
//! a cut is its greatest size.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use serde_json::json;
use support::data::Data;
use support::exchange;
use support::http::{Call, Client, read_head};
use support::results::{Results, is_quick};
use support::samples::{ORDERS_HEADER, Orders};
use support::server::{Entry, Server, root};

const ROUNDS: usize = 3;
const CONCURRENT_CUTS: usize = 32;
const VARIABLES: [(&str, &str); 2] = [("MAX_FILE_SIZE", "2000000000"), ("ACCESS_TOKEN_TTL", "7200")];

fn main() {
    let mut results = Results::new("memory");
    let (largest, rounds) = if is_quick() { (200 << 20, 1) } else { (1 << 30, ROUNDS) };
    uploads(&mut results, largest, rounds);
    cuts(&mut results, largest);
    concurrent_cuts(&mut results);
}

fn uploads(results: &mut Results, bytes: u64, rounds: usize) {
    let (mut file, _) = orders(bytes);
    let product = Server::start(Entry::Product, &VARIABLES);
    let bare = Server::start(Entry::Bare, &[]);
    let (user, anyone) = (product.user(), bare.client());
    for run in 0..rounds {
        let mut add = |subject: &str, grown: u64| {
            results.add(
                json!({"task": "upload", "subject": subject, "run": run, "bytes": bytes, "grown": grown}),
            );
        };
        bare.kill_worker_process();
        anyone.ask(Call::put("/object/small", b"a\n1\n")).expect(200);
        add(
            "bare",
            bare.growth_during(|| drop(exchange::send(&bare, &anyone, "PUT /object/large", &mut file))),
        );
        product.kill_worker_process();
        user.upload("small.csv", b"a\n1\n");
        let mut location = String::new();
        add(
            "cutty",
            product.growth_during(|| {
                location = upload(&product, &user, &mut file);
            }),
        );
        user.ask(Call::delete(&format!("{location}?permanent=true")));
    }
    println!("  done  uploads");
}

fn cuts(results: &mut Results, largest: u64) {
    let server = Server::start(Entry::Measured, &VARIABLES);
    let user = server.user();
    let small = user.upload("small.csv", b"id,amount\n1,901\n")["id"].as_str().unwrap().to_owned();
    for bytes in [10 << 20, 100 << 20, largest] {
        let (mut file, over_900) = orders(bytes);
        let path = upload(&server, &user, &mut file);
        server.kill_worker_process();
        cut(&user, &format!("/api/files/{small}"));
        let grown = server
            .growth_during(|| assert_eq!(cut(&user, &path), over_900, "the cut has a wrong number of rows"));
        results.add(json!({"task": "cut", "subject": "cutty", "bytes": bytes, "grown": grown}));
        let held = wasm_bytes(&server);
        results.add(json!({"task": "wasm memory", "subject": "cutty", "bytes": bytes, "held": held}));
    }
    println!("  done  cuts");
}

/// Starts cuts whose clients read only the response headers.
fn concurrent_cuts(results: &mut Results) {
    let server = Server::start(Entry::Measured, &VARIABLES);
    let user = server.user();
    let path = upload(&server, &user, &mut Data::load("plain-small").open());
    let mut begun = Vec::new();
    for count in 1..=CONCURRENT_CUTS {
        let mut stream = user.raw(&format!("GET {path}/cut"));
        write!(stream, "\r\n").unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        begun.push(stream);
        if count == 1 || count == CONCURRENT_CUTS {
            let held = wasm_bytes(&server);
            results.add(json!({"task": "wasm memory", "subject": "cutty", "cuts": count, "held": held}));
        }
    }
    println!("  done  concurrent cuts");
}

fn wasm_bytes(server: &Server) -> u64 {
    server.client().ask(Call::get("/bench/wasm-memory")).expect(200).text().parse().unwrap()
}

/// Uploads a file and returns its path.
fn upload(server: &Server, user: &Client, file: &mut File) -> String {
    let sent = exchange::send(server, user, "POST /api/files", file);
    sent.header("location").unwrap().to_owned()
}

/// Returns a file of orders, and the number of its rows with an amount over 900.
fn orders(bytes: u64) -> (File, u64) {
    let mut file = tempfile::tempfile_in(root().join("target")).unwrap();
    let mut orders = Orders::new(10);
    let mut piece = ORDERS_HEADER.as_bytes().to_vec();
    let (mut written, mut over_900) = (0, 0);
    while written < bytes {
        while piece.len() < 1 << 20 {
            over_900 += u64::from(orders.write_row(&mut piece) > 90_000);
        }
        file.write_all(&piece).unwrap();
        written += piece.len() as u64;
        piece.clear();
    }
    file.seek(SeekFrom::Start(0)).unwrap();
    (file, over_900)
}

/// Returns the number of rows in a cut of the file.
fn cut(user: &Client, path: &str) -> u64 {
    let body = json!({"selectedColumns": ["id"], "whereFilters": {"amount": "> 900"}, "header": false});
    let found = user.post_json(&format!("{path}/cut"), &body).expect(200);
    found.body.iter().filter(|&&byte| byte == b'\n').count() as u64
}
