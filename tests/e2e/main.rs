//! The outermost ring: the Worker as it is built, in workerd through `wrangler dev`, driven over HTTP.
//!
//! Tests that leave the server alone share one ([`server::shared`]). Those that kill its process or move its clock take
//! turns with a few others ([`server::exclusive`]), those that measure with one more ([`metered::metered`]). They wait
//! most of the time, so `scripts/test` runs more of them at once than there are cores. What a cut must yield is said by
//! an independent parser, `oracle.py`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod clients;
mod crash;
mod crash_aside;
mod crash_session;
mod damage;
mod digest;
mod disk_full;
mod engine;
#[allow(dead_code)] // benchmarks use the rest
mod http;
mod idempotency;
mod isolate;
mod main_flow;
mod memory;
mod metered;
mod odd_files;
mod operator;
mod oracle;
mod readme;
mod refused;
mod rows;
mod samples;
mod server;
mod sign_in_limits;
mod state;
mod tus;
mod wasm_memory;
