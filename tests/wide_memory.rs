//! The memory for a file with very many columns is at most a small multiple of the length of its column names. The
//! memory for a JSON body is at most a fixed multiple of the length of the body.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "support/mod.rs"]
#[allow(unused_imports)]
mod support;
#[path = "support/weighing.rs"]
#[allow(unreachable_pub)]
mod weighing;

use std::fmt::Write;
use std::future::Future;
use std::sync::Arc;

use chrono::TimeDelta;
use cutty::cache::FileCache;
use cutty::csv::profile::{Profile, Profiler};
use support::TestApp;
use support::client::{get, post};
use weighing::{left_by, peak_held_by};

const COLUMNS: usize = 100_000;

/// Limit of the memory that an upload holds. The limit is low, because the memory of wasm never shrinks.
const UPLOAD_BYTES: usize = 16 << 20;

/// Limit of the memory that a response needs. In JSON, each column of a profile takes about 40 bytes. The limit
/// includes two buffers that the Worker does not have: the double of the object store copies the sidecar, and the test
/// collects the whole response.
const RESPONSE_BYTES: usize = 20 << 20;

fn wide_csv() -> String {
    let mut csv = String::new();
    for column in 0..COLUMNS {
        write!(csv, "{}{column:x}", if column == 0 { "" } else { "," }).unwrap();
    }
    csv.push('\n');
    csv
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn a_file_with_very_many_columns_takes_little_memory() {
    let app = TestApp::new();
    let token = app.user("ada");
    run(app.upload(&token, "small.csv", "a,b\n1,2\n"));
    let csv = wide_csv();
    let (held, file) = peak_held_by(|| run(app.upload(&token, "wide.csv", csv)));
    println!("upload: {held} bytes");
    assert!(held <= UPLOAD_BYTES, "an upload held {held} bytes");
    let id = file["id"].as_str().unwrap();
    // The profile of so many columns needs more memory than an upload may lease. So the first request for the profile
    // starts the background pass.
    run(app.send(get(&format!("/api/files/{id}/profile")).bearer(&token)));
    let (held, _) = peak_held_by(|| run(app.deliver()));
    println!("background pass: {held} bytes");
    assert!(held <= UPLOAD_BYTES, "the background pass held {held} bytes");
    for route in ["profile", "columns", "fields"] {
        let ask = || get(&format!("/api/files/{id}/{route}")).bearer(&token);
        let (held, response) = peak_held_by(|| run(app.send(ask())));
        println!("{route}: {held} bytes, of which the response takes {}", response.body.len());
        assert!(response.expect(200).body.len() > COLUMNS * 6);
        assert!(held <= RESPONSE_BYTES, "{route} held {held} bytes");
    }
}

fn profile_of(csv: &str) -> Profile {
    let mut profiler = Profiler::new(4 << 20);
    profiler.push(csv.as_bytes());
    profiler.finish()
}

#[test]
fn a_profile_reports_its_memory() {
    let rows = "name,amount,day\n".to_owned() + &"somebody,17.5,2026-01-02\n".repeat(200_000);
    for csv in [wide_csv(), rows] {
        let (allocated, profile) = left_by(|| profile_of(&csv));
        let known = isize::try_from(profile.memory_bytes()).unwrap();
        println!("{allocated} bytes allocated, {known} bytes reported");
        // The allocator adds overhead to each allocation. `known` includes an estimate of this overhead, and
        // `allocated` does not include the overhead.
        assert!(
            (allocated..allocated + allocated / 2 + 1000).contains(&known),
            "{allocated} bytes allocated, {known} bytes reported"
        );
    }
}

#[test]
fn cached_profiles_stay_within_their_memory_limit() {
    let (cache, now) = (FileCache::default(), TestApp::new().now());
    let csv = wide_csv();
    let (allocated, ()) = left_by(|| {
        for attempt in 0..7 {
            cache.keep_profile(
                &attempt.to_string(),
                Arc::new(profile_of(&csv)),
                (now, TimeDelta::seconds(60)),
            );
        }
    });
    let kept = (0..7).filter(|attempt| cache.profile(&attempt.to_string(), now).is_some()).count();
    println!("{kept} profiles hold {allocated} bytes");
    assert_eq!(kept, 1);
    assert!(allocated <= 8 << 20, "{allocated} bytes");
}

#[test]
fn a_json_body_with_too_many_values_is_refused_while_it_is_read() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = run(app.upload(&token, "small.csv", "a,b\n1,2\n"));
    let body = format!("{{\"filter\":{{\"and\":[{}0]}}}}", "{\"\":0},".repeat(145_000));
    assert!(body.len() > 1_000_000 && body.len() <= 1 << 20);
    for route in ["cut", "process", "save"] {
        let path = format!("/api/files/{}/{route}", file["id"].as_str().unwrap());
        let call =
            || post(&path).header("content-type", "application/json").bytes(body.clone()).bearer(&token);
        let (held, response) = peak_held_by(|| run(app.send(call())));
        println!("{route}: {held} bytes");
        let problem = response.expect_problem(400, "bad_request");
        assert!(problem["detail"].as_str().unwrap().contains("more than 11000 objects"), "{problem}");
        assert!(held <= 12 << 20, "{route} held {held} bytes");
    }
}

/// Returns pairs of a name and a JSON body. Each body has at most 1 MiB and needs much memory for its length.
fn costly_bodies() -> Vec<(&'static str, String)> {
    let list = |item: &str| {
        let items = vec![item; ((1 << 20) - 200) / (item.len() + 1)];
        items[..items.len().min(9_900)].join(",")
    };
    let many = |item: &str, count: usize| vec![item; count].join(",");
    vec![
        (
            "one list of long texts",
            format!(
                r#"{{"filter":{{"column":"a","op":"notin","value":[{}]}}}}"#,
                list(&format!("\"{}\"", "x".repeat(100)))
            ),
        ),
        (
            "many lists of short texts",
            format!(
                r#"{{"filter":{{"and":[{}]}}}}"#,
                many(&format!(r#"{{"column":"a","op":"notin","value":[{}]}}"#, many("\"1.5\"", 1_500)), 60)
            ),
        ),
        ("many columns", format!(r#"{{"columns":[{}]}}"#, many("\"a\"", 90_000))),
        ("one long expression", format!(r#"{{"whereFilters":{{"a":"IN ({})"}}}}"#, many("1", 9_000))),
        ("one long text", format!(r#"{{"whereFilters":{{"a":"CONTAINS {}"}}}}"#, "x".repeat(1 << 19))),
        (
            "many unknown members",
            format!("{{{}}}", (0..60_000).map(|n| format!("\"k{n}\":0")).collect::<Vec<_>>().join(",")),
        ),
        ("deep", format!("{}{}", r#"{"filter":{"not":"#.repeat(100), "}".repeat(200))),
    ]
}

#[test]
fn the_memory_for_a_json_body_is_at_most_a_fixed_multiple_of_its_length() {
    let app = TestApp::new();
    let token = app.user("ada");
    let file = run(app.upload(&token, "small.csv", "a,b\n1,2\n"));
    let path = format!("/api/files/{}/cut", file["id"].as_str().unwrap());
    run(app.send(
        post(&path).header("content-type", "application/json").bytes(r#"{"columns":["a"]}"#).bearer(&token),
    ));
    for (name, body) in costly_bodies() {
        let bytes = body.len();
        assert!(bytes <= 1 << 20, "{name} has {bytes} bytes");
        let call = post(&path).header("content-type", "application/json").bytes(body).bearer(&token);
        let (held, response) = peak_held_by(|| run(app.send(call)));
        println!("{name}: {bytes} bytes take {} times as much, {}", held / bytes, response.status);
        // 40 is `BYTES_PER_BODY_BYTE` in `routes/layers/memory.rs`. A body of less than 64 KiB counts as 64 KiB,
        // because each request also needs memory that does not depend on the body.
        assert!(held <= 40 * bytes.max(64 << 10), "{name}: {bytes} bytes take {held}");
    }
}
