//! A gigabyte goes in by one upload and through a cut: what the process running the Worker holds at most.
//!
//! The local object store takes memory of its own for a put, so an upload is measured beside a bare `put` of the same
//! body; a cut beside an idle process. Every measurement has a process that was started for it and warmed by one small
//! request. Uploads alternate with the bare ones, and the least of each counts.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../tests/e2e/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "../tests/e2e/samples.rs"]
#[allow(dead_code)]
mod samples;
#[path = "../tests/e2e/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "../tests/e2e/state.rs"]
#[allow(dead_code)]
mod state;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use http::{Call, Client, read_head};
use samples::{ORDERS_HEADER, Orders};
use serde_json::json;
use server::{Entry, Server};

const FILE_BYTES: u64 = 1 << 30;
const ROUNDS: usize = 3;
/// How much more than the bare put an upload may hold, and how much more than an idle process a cut, in bytes.
const ALLOWED: u64 = 64 << 20;

fn main() {
    let (mut file, over_900) = orders();
    let product =
        Server::start(Entry::Product, &[("MAX_FILE_SIZE", "2000000000"), ("ACCESS_TOKEN_TTL", "7200")]);
    let bare = Server::start(Entry::Bare, &[]);
    let user = product.user();
    let mut id = String::new();
    let (mut upload, mut put) = (u64::MAX, u64::MAX);
    for round in 1..=ROUNDS {
        bare.kill_worker_process();
        bare.client().ask(Call::put("/object/small", b"a\n1\n")).expect(200);
        let grown = bare.growth_during(|| drop(send(&bare.client(), "PUT /object/large", &mut file)));
        put = put.min(grown);

        product.kill_worker_process();
        user.upload("small.csv", b"a\n1\n");
        let grown = product.growth_during(|| id = send(&user, "POST /api/files", &mut file));
        upload = upload.min(grown);
        println!("round {round}: bare put {} MiB, upload {} MiB", put >> 20, upload >> 20);
        if round < ROUNDS {
            user.ask(Call::delete(&format!("{id}?permanent=true")));
        }
    }

    let small = user.upload("small.csv", b"id,amount\n1,901\n")["id"].as_str().unwrap().to_owned();
    product.kill_worker_process();
    cut(&user, &format!("/api/files/{small}"));
    let held = product.growth_during(|| assert_eq!(cut(&user, &id), over_900, "rows of the cut"));

    println!("upload of 1 GiB: {} MiB, a bare put {} MiB (bar: 64 MiB more)", upload >> 20, put >> 20);
    println!("cut of 1 GiB: {over_900} rows, {} MiB more than idle (bar: 64 MiB)", held >> 20);
    drop((product, bare));
    std::process::exit(i32::from(upload > put + ALLOWED || held > ALLOWED));
}

/// A file of orders, and how many of its rows have an amount over 900.
fn orders() -> (File, u64) {
    let mut file = tempfile::tempfile_in(server::root().join("target")).unwrap();
    let mut orders = Orders::new(10);
    let mut piece = ORDERS_HEADER.as_bytes().to_vec();
    let (mut written, mut over_900) = (0, 0);
    while written < FILE_BYTES {
        while piece.len() < 1 << 20 {
            over_900 += u64::from(orders.write_row(&mut piece) > 90_000);
        }
        file.write_all(&piece).unwrap();
        written += piece.len() as u64;
        piece.clear();
    }
    (file, over_900)
}

/// Sends the file as a body and returns where the answer says it is.
fn send(client: &Client, head: &str, file: &mut File) -> String {
    let length = file.seek(SeekFrom::End(0)).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut stream = client.raw(head);
    write!(stream, "content-type: text/csv\r\nx-file-name: large.csv\r\ncontent-length: {length}\r\n\r\n")
        .unwrap();
    std::io::copy(file, &mut stream).unwrap();
    let answer = read_head(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    answer.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_default().trim().to_owned()
}

/// The number of rows that the cut of a file has.
fn cut(user: &Client, path: &str) -> u64 {
    let body = json!({"selectedColumns": ["id"], "whereFilters": {"amount": "> 900"}, "header": false});
    let found = user.post_json(&format!("{path}/cut"), &body).expect(200);
    found.body.iter().filter(|&&byte| byte == b'\n').count() as u64
}
