//! The product's CSV engine, compiled from the product's own sources without the rest of it: in seconds, and for wasm
//! without the Worker's events.

#![allow(dead_code)] // what only the rest of the product calls
#![allow(clippy::all)] // the product's own lints look at these sources

#[path = "../../../../src/csv/mod.rs"]
pub mod csv;
mod drive;

pub use drive::cut;
