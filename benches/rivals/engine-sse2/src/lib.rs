//! The sources of `engine`, compiled as if the processor had SSE2 and nothing newer: 128-bit vectors, as in wasm. So
//! the same code is compared in wasm and natively.

#![allow(dead_code)] // parts that only the rest of the product calls
#![allow(clippy::all)] // the product's own lints check these sources

/// Replaces the macro of the standard library in all modules below.
#[allow(unused_macros)]
macro_rules! is_x86_feature_detected {
    ($feature:tt) => {
        false
    };
}

#[path = "../../../../src/csv/mod.rs"]
pub mod csv;
#[path = "../../engine/src/drive.rs"]
mod drive;

pub use drive::cut;
