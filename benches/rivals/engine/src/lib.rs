//! The product's CSV engine, compiled from the product's sources without the rest of the product. It compiles in
//! seconds, and for wasm without the Worker's events.

#![allow(dead_code)] // parts that only the rest of the product calls
#![allow(clippy::all)] // the product's own lints check these sources

#[path = "../../../../src/csv/mod.rs"]
pub mod csv;
mod drive;

pub use drive::cut;
