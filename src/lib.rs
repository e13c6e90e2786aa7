//! Cutty keeps people's CSV files and cuts them: filter rows, pick columns, save the result.
//!
//! One crate, compiled to WebAssembly for Cloudflare Workers and natively for its tests.
//! `ARCHITECTURE.md` is the map.

pub mod answer;
pub mod app;
pub mod auth;
pub mod config;
pub mod csv;
pub mod error;
pub mod http;
pub mod ids;
pub mod jobs;
pub mod metrics;
pub mod ports;
pub mod routes;
pub mod sql;
pub mod storage;
pub mod time;
