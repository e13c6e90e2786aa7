//! The product's CSV engine without the rest of the product. This crate compiles only the sources in the product's
//! `src/csv/`, so its compilation takes only seconds. The wasm module of the benchmark therefore does not contain the
//! Worker's event handlers.

#![allow(dead_code)] // only the rest of the product calls some of these items
#![allow(clippy::all)] // the product's own lints check these sources

#[path = "../../../../src/csv/mod.rs"]
pub mod csv;
mod drive;

pub use drive::cut;
