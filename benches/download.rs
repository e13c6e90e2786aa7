//! Compares two downloads of the same bytes: one from the product, and one from a bare Worker. Both send the bytes
//! through the same native pipe.
//!
//! The two downloads alternate, so that the state of the machine is the same for both. Each pair of downloads gives one
//! ratio, and the result is the median of these ratios.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::http::{Call, Client};
use support::results::{Results, is_quick};
use support::samples::Orders;
use support::server::{Entry, Server};

/// Length of the object. The object is large, so that the fixed cost of a request (finding the user and the file) does
/// not hide the cost per byte.
const OBJECT_BYTES: usize = 800 << 20;
const PAIRS: usize = 15;

fn main() {
    let (object_bytes, pairs) = if is_quick() { (100 << 20, 5) } else { (OBJECT_BYTES, PAIRS) };
    let mut results = Results::new("download");
    let (bytes, _) = Orders::file(9, object_bytes, 0);
    let product = Server::start(Entry::Product, &[("MAX_FILE_SIZE", "1000000000")]);
    let bare = Server::start(Entry::Bare, &[]);
    let (user, anyone) = (product.user(), bare.client());
    let product_path = format!("/api/files/{}", user.upload("large.csv", &bytes)["id"].as_str().unwrap());
    let bare_path = "/object/large";
    anyone.ask(Call::put(bare_path, &bytes)).expect(200);

    let through_product = || time_download(&user, &product_path, bytes.len());
    let through_bare = || time_download(&anyone, bare_path, bytes.len());
    through_product();
    through_bare();
    for run in 0..pairs {
        let (product, bare) = if run % 2 == 0 {
            let product = through_product();
            (product, through_bare())
        } else {
            let bare = through_bare();
            (through_product(), bare)
        };
        for (subject, wall) in [("cutty", product), ("bare", bare)] {
            results.add(json!({
                "task": "download", "subject": subject, "run": run, "bytes": bytes.len(), "wall_s": wall.as_secs_f64(),
            }));
        }
    }
    println!("  done  downloads");
}

fn time_download(client: &Client, path: &str, length_bytes: usize) -> Duration {
    let started = Instant::now();
    assert_eq!(client.count_bytes(path), length_bytes as u64);
    started.elapsed()
}
