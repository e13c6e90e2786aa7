//! Code shared by the benchmarks that drive a server: the server and its client from the end-to-end tests, the files
//! made by `native.py files`, and the result lines.

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
