//! Code that all benchmarks with a server share: the server and its client from the end-to-end tests, the benchmark
//! files, and the result lines.

#![allow(dead_code)] // no benchmark uses all of it

#[path = "../../tests/e2e/http.rs"]
pub mod http;
#[path = "../../tests/e2e/samples.rs"]
pub mod samples;
#[path = "../../tests/e2e/server.rs"]
pub mod server;
#[path = "../../tests/e2e/state.rs"]
pub mod state;

pub mod data;
pub mod exchange;
pub mod results;
