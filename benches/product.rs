//! Measures downloads, cuts, pages of rows and uploads of the product under `wrangler dev`. For comparison, it measures
//! two CSV programs in JavaScript (papaparse and a splitter at line breaks), and bare routes that use the object store
//! without the product's code. The product, the JavaScript programs and the bare routes run in the same process and use
//! the same objects.
//!
//! Each run sends the requests one after another, and the order changes with each run. The benchmark measures the CPU
//! time of the process that runs the Worker and the local object store.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod support;

use serde_json::{Value, json};
use support::data::Data;
use support::exchange::{self, Body, Exchange};
use support::http::{Call, Client};
use support::results::{Results, is_quick};
use support::server::{Entry, Server};

const ROWS_ON_A_PAGE: u64 = 100;

fn main() {
    let (runs, js_runs, uploads) = if is_quick() { (3, 1, 1) } else { (7, 5, 5) };
    let server =
        Server::start(Entry::Measured, &[("MAX_FILE_SIZE", "2000000000"), ("ACCESS_TOKEN_TTL", "7200")]);
    let mut bench = Bench { user: server.user(), server, results: Results::new("product") };
    for kind in ["plain", "quoted", "dense"] {
        let stored = bench.store(Data::load(kind));
        let mut steps = bench.steps(&stored);
        steps.iter().for_each(|step| drop(bench.take(step))); // V8 compiles the code before the runs
        for run in 0..runs {
            let turn = run % steps.len();
            steps.rotate_left(turn);
            for step in steps.iter().filter(|step| !step.in_javascript || run < js_runs) {
                bench.measure(&stored, step, run);
            }
        }
        bench.note_sidecar(&stored);
        println!("  done  cuts of {kind}");
    }
    for run in 0..uploads {
        bench.upload_beside_put(&Data::load("plain"), run);
    }
    println!("  done  uploads");
}

struct Bench {
    user: Client,
    server: Server,
    results: Results,
}

/// A file that the product stores.
struct Stored {
    data: Data,
    path: String,
    key: String,
}

/// A request that is measured repeatedly.
struct Step {
    task: &'static str,
    subject: &'static str,
    path: String,
    body: Body,
    in_javascript: bool,
}

impl Step {
    fn new(task: &'static str, subject: &'static str, path: String, body: Body) -> Self {
        Self { task, subject, path, body, in_javascript: false }
    }
}

impl Bench {
    fn store(&self, data: Data) -> Stored {
        let sent = exchange::send(&self.server, &self.user, "POST /api/files", &mut data.open());
        let file: Value = serde_json::from_slice(&sent.body()).unwrap();
        let id = file["file"]["id"].as_str().unwrap();
        let key = self.user.ask(Call::get(&format!("/bench/key/{id}"))).expect(200).text();
        Stored { data, path: format!("/api/files/{id}"), key }
    }

    fn steps(&self, stored: &Stored) -> Vec<Step> {
        let Stored { data, path, key } = stored;
        let ours = |task, query: String| Step::new(task, "cutty", format!("{path}/{query}"), Body::Kept);
        let bare = |task, route| Step::new(task, "bare", format!("/bench/{route}/{key}"), Body::Counted);
        let script = |rival| Step {
            in_javascript: true,
            ..Step::new("cut", rival, format!("/bench/cut/{rival}/{key}?{}", data.job()), Body::Kept)
        };
        let mut steps = vec![
            Step::new("download", "cutty", path.clone(), Body::Counted),
            bare("download", "object"),
            bare("drain", "drain"),
            ours("cut", format!("cut?{}", data.query(10))),
            ours("cut of 1 %", format!("cut?{}", data.query(1))),
        ];
        // Papaparse does not cut the file `dense`, because one JavaScript program is enough there. The splitter does not
        // cut the file `quoted`, because it reads quoted cells wrongly.
        if data.kind != "dense" {
            steps.push(script("papaparse"));
        }
        if data.kind != "quoted" {
            steps.push(script("splitter"));
        }
        if data.kind == "plain" {
            let deep = data.rows * 9 / 10;
            steps.extend([
                ours("cut as JSON", format!("cut?{}&format=json", data.query(10))),
                ours("cut, gzipped", format!("cut?{}&compress=gzip", data.query(10))),
                ours(
                    "cut of all columns",
                    format!("cut?c{}__gte={}", data.column, data.minimum_of_share(10)),
                ),
                ours("cut of a sorted range", format!("cut?{}", data.sorted_query())),
                ours("page of rows", format!("rows?offset={deep}&limit={ROWS_ON_A_PAGE}")),
                ours("first page of rows", format!("rows?limit={ROWS_ON_A_PAGE}")),
            ]);
        }
        steps
    }

    fn take(&self, step: &Step) -> Exchange {
        exchange::get(&self.server, &self.user, &step.path, step.body)
    }

    fn measure(&mut self, stored: &Stored, step: &Step, run: usize) {
        let exchange = self.take(step);
        let mut line = match step.body {
            Body::Kept => exchange.line_with_body(),
            Body::Counted => exchange.line(),
        };
        if step.task == "download" {
            assert_eq!(exchange.raw_bytes, stored.data.bytes, "the download broke");
        }
        for (field, header) in [("scanned_bytes", "x-bytes-scanned"), ("skipped_bytes", "x-bytes-skipped")] {
            if let Some(bytes) = exchange.header(header).and_then(|text| text.parse::<u64>().ok()) {
                line[field] = bytes.into();
            }
        }
        self.add(line, &stored.data, step.task, step.subject, run);
    }

    /// Records the size of the file's sidecar, if it has one.
    fn note_sidecar(&mut self, stored: &Stored) {
        let id = stored.path.rsplit('/').next().unwrap();
        let text = self.user.ask(Call::get(&format!("/bench/sidecar/{id}"))).expect(200).text();
        let bytes: u64 = text.parse().unwrap();
        if bytes > 0 {
            self.add(json!({"held": bytes}), &stored.data, "sidecar", "cutty", 0);
        }
    }

    /// Uploads the same body in three ways: to the product, with a bare `put`, and with a bare `put` of pieces that are
    /// also hashed. The order of the three changes with each run. The product's file is deleted afterwards.
    fn upload_beside_put(&mut self, data: &Data, run: usize) {
        let mut ways = [
            ("cutty", "POST /api/files"),
            ("bare", "PUT /bench/object/bare"),
            ("bare, hashed", "PUT /bench/hashed/bare"),
        ];
        ways.rotate_left(run % 3);
        for (subject, head) in ways {
            let sent = exchange::send(&self.server, &self.user, head, &mut data.open());
            if subject == "cutty" {
                let location = sent.header("location").unwrap().to_owned();
                self.user.ask(Call::delete(&format!("{location}?permanent=true")));
            }
            self.add(sent.line(), data, "upload", subject, run);
        }
    }

    fn add(&mut self, mut line: Value, data: &Data, task: &str, subject: &str, run: usize) {
        for (name, value) in [
            ("file", json!(data.kind)),
            ("task", json!(task)),
            ("subject", json!(subject)),
            ("run", json!(run)),
            ("bytes", json!(data.bytes)),
        ] {
            line[name] = value;
        }
        self.results.add(line);
    }
}
