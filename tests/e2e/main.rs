//! End-to-end tests: they send HTTP requests to the built Worker, which runs in workerd under `wrangler dev`.
//!
//! Tests that do not change the server share one server ([`server::shared`]). A test that kills the process of a
//! server, or runs its sweeps at a later time, uses one of a few other servers ([`server::exclusive`]). Tests that
//! measure a server use one server with a large file ([`metered::metered`]). Only one test at a time uses an exclusive
//! or a metered server. The tests wait most of the time, so `scripts/test` runs more tests concurrently than there are
//! cores. An independent parser, `oracle.py`, computes the expected result of a cut.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod audit;
mod clients;
mod crash;
mod crash_aside;
mod crash_session;
mod damage;
mod digest;
mod disk_full;
mod documents;
mod engine;
#[allow(dead_code)] // the benchmarks use the other items of this module
mod http;
mod idempotency;
mod isolate;
mod limits;
mod main_flow;
mod memory;
mod metered;
mod odd_files;
mod operator;
mod oracle;
mod overload;
mod quotas;
mod refused;
mod rows;
mod samples;
mod scanning;
mod server;
mod sign_in_limits;
mod state;
mod stock;
mod tus;
mod wasm_memory;
