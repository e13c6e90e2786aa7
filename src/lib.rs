//! Cutty keeps people's CSV files and cuts them: filter rows, pick columns, save the result.
//!
//! One crate, compiled to WebAssembly for Cloudflare Workers and natively for its tests.
//! `ARCHITECTURE.md` is the map.

pub mod csv;
pub mod http;
