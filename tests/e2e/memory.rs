//! A cut takes the same memory whatever the size of the file.
//!
//! Measured is the most that the process running the Worker has held (`VmHWM`), reset just before, in a process that
//! was started for it and warmed by one small cut. wrangler's other process, its proxy, does not count.

use serde_json::json;

use super::http::Call;
use super::metered::metered;
use super::samples::Orders;
use super::server::{Entry, Server};

/// How much more than an idle process one may hold during a cut.
const ALLOWED_GROWTH: u64 = 64 << 20;

#[test]
fn a_cut_of_300_megabytes_holds_no_more_than_64_megabytes() {
    let metered = metered();
    let (user, large) = (&metered.user, &metered.large);
    let small = user.upload("small.csv", &Orders::file(7, 10_000, 0).0)["id"].as_str().unwrap().to_owned();

    let cut = |id: &str| {
        let body = json!({"selectedColumns": ["id", "amount"], "whereFilters": {"amount": "> 900"}, "header": false});
        user.post_json(&format!("/api/files/{id}/cut"), &body).expect(200).text().lines().count() as u64
    };
    metered.kill_worker_process();
    cut(&small);
    let growth = metered.growth_during(|| assert_eq!(cut(&large.id), large.over_900));
    println!("the process grew by {} MiB", growth >> 20);
    assert!(growth < ALLOWED_GROWTH, "the process grew by {growth} bytes");
}

#[test]
fn a_worker_that_holds_100_megabytes_would_be_found_out() {
    let server = Server::start(Entry::Bare, &[]);
    let waste = |bytes: u64| server.client().ask(Call::get(&format!("/waste?bytes={bytes}"))).expect(200);
    waste(1000);
    let growth = server.growth_during(|| drop(waste(100 << 20)));
    assert!(growth > ALLOWED_GROWTH, "100 MiB were held, and only {growth} bytes were seen");
}
