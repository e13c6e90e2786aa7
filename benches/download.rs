//! What a download through the product costs, beside a bare Worker that sends the same object through the same native
//! pipe. Interleaved pairs, so that both see the same machine; the bar is the median of the pairs' ratios.

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

use std::time::{Duration, Instant};

use http::{Call, Client};
use samples::Orders;
use server::{Entry, Server};

/// Large, so that the fixed cost of a request (finding the user and the file) does not hide what each byte costs.
const OBJECT_BYTES: usize = 800 << 20;
const PAIRS: usize = 15;
const MOST_MEDIAN_RATIO: f64 = 1.10;

fn main() {
    let (bytes, _) = Orders::file(9, OBJECT_BYTES, 0);
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
    let mut ratios: Vec<f64> = Vec::new();
    println!("{:>4}  {:>9}  {:>9}  {:>6}", "pair", "product", "bare", "ratio");
    for pair in 1..=PAIRS {
        let (product, bare) = if pair % 2 == 0 {
            let product = through_product();
            (product, through_bare())
        } else {
            let bare = through_bare();
            (through_product(), bare)
        };
        let ratio = product.as_secs_f64() / bare.as_secs_f64();
        println!("{pair:>4}  {:>7.0}ms  {:>7.0}ms  {ratio:>6.3}", ms(product), ms(bare));
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[PAIRS / 2];
    println!(
        "download of {} MiB: median ratio {median:.3} (bar {MOST_MEDIAN_RATIO}), quartiles {:.3} and {:.3}",
        OBJECT_BYTES >> 20,
        ratios[PAIRS / 4],
        ratios[PAIRS - 1 - PAIRS / 4]
    );
    drop((product, bare));
    std::process::exit(i32::from(median > MOST_MEDIAN_RATIO));
}

fn time_download(client: &Client, path: &str, length_bytes: usize) -> Duration {
    let started = Instant::now();
    assert_eq!(client.count_bytes(path), length_bytes as u64);
    started.elapsed()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
