//! Measures the CPU time of CSV engines in wasm and in JavaScript. The engines run in one workerd process, on the same
//! bytes in memory. For comparison, our engine also runs natively, with vectors as wide as those of wasm.
//!
//! The whole file is in memory, so that only the cut is measured. The benchmark `product` measures whole requests.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use support::data::Data;
use support::exchange::{self, Body};
use support::http::Client;
use support::results::{Results, is_quick};
use support::server::{Entry, Server, root};

const WASM_ENGINES: [&str; 4] = ["cutty", "simd-csv", "csv", "csv-core"];
const JS_ENGINES: [&str; 3] = ["splitter", "papaparse", "csv-parse"];

/// Number of cuts in one request to a wasm engine. With several cuts, the fixed cost of the request hardly changes the
/// result. A request to a JavaScript engine makes only one cut.
const WASM_TIMES: u64 = 8;

fn main() {
    let (wasm_runs, js_runs) = if is_quick() { (3, 1) } else { (7, 5) };
    let mut results = Results::new("wasm");
    let server = Server::start(Entry::Measured, &[]);
    let client = server.client();
    for kind in ["plain", "quoted", "dense"] {
        let data = Data::load(&format!("{kind}-small"));
        exchange::send(&server, &client, "PUT /bench/bytes", &mut data.open());
        let mut native = Native::start(&data);
        let mut add = |engine: &str, run: usize, mut line: Value| {
            for (name, value) in [
                ("file", json!(kind)),
                ("task", json!("cut")),
                ("subject", json!(engine)),
                ("run", json!(run)),
            ] {
                line[name] = value;
            }
            results.add(line);
        };
        native.cut();
        WASM_ENGINES.into_iter().for_each(|engine| drop(cut(&server, &client, &data, engine, WASM_TIMES)));
        JS_ENGINES.into_iter().for_each(|engine| drop(cut(&server, &client, &data, engine, 1)));
        for run in 0..wasm_runs {
            let mut line = native.cut();
            line["bytes"] = data.bytes.into();
            add("cutty natively (SSE2)", run, line);
            for engine in WASM_ENGINES {
                add(engine, run, cut(&server, &client, &data, engine, WASM_TIMES));
            }
            for engine in JS_ENGINES.into_iter().filter(|_| run < js_runs) {
                add(engine, run, cut(&server, &client, &data, engine, 1));
            }
        }
        println!("  done  {kind}");
    }
}

fn cut(server: &Server, client: &Client, data: &Data, engine: &str, times: u64) -> Value {
    let path = format!("/bench/memory/{engine}?{}&times={times}", data.job());
    let mut line = exchange::get(server, client, &path, Body::Kept).line_with_body();
    line["bytes"] = (data.bytes * times).into();
    line
}

/// A process that runs `rivals serve`, with our native engine.
struct Native {
    process: Child,
    responses: BufReader<ChildStdout>,
}

impl Native {
    fn start(data: &Data) -> Self {
        let selected: Vec<String> = data.selected.iter().map(u64::to_string).collect();
        let mut process = Command::new(root().join("target/bench/rivals/release/rivals"))
            .args(["serve", "cutty-sse2"])
            .arg(root().join(format!("target/bench/data/{}.csv", data.kind)))
            .args([data.column.to_string(), data.minimum_of_share(10).to_string(), selected.join(",")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let responses = BufReader::new(process.stdout.take().unwrap());
        let mut native = Self { process, responses };
        native.read_response();
        native
    }

    fn read_response(&mut self) -> Value {
        let mut line = String::new();
        self.responses.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn cut(&mut self) -> Value {
        self.process.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        self.read_response()
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
