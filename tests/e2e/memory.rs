//! The memory of a cut does not depend on the size of the file.
//!
//! The test measures the peak memory (`VmHWM`) of the process that runs the Worker. The test restarts this process,
//! warms it up with one small cut, and resets the peak before the large cut. Wrangler's proxy is another process, and
//! its memory does not count.

use serde_json::json;

use super::http::Call;
use super::metered::metered;
use super::samples::Orders;
use super::server::{Entry, Server};

/// Maximum number of bytes by which a cut may increase the memory of an idle process.
const ALLOWED_GROWTH: u64 = 64 << 20;

#[test]
fn a_cut_of_300_megabytes_holds_less_than_64_mebibytes() {
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
fn the_memory_measurement_notices_100_mebibytes() {
    let server = Server::start(Entry::Bare, &[]);
    let waste = |bytes: u64| server.client().ask(Call::get(&format!("/waste?bytes={bytes}"))).expect(200);
    waste(1000);
    let growth = server.growth_during(|| drop(waste(100 << 20)));
    assert!(
        growth > ALLOWED_GROWTH,
        "the process held 100 MiB, but the measurement shows only {growth} bytes"
    );
}
