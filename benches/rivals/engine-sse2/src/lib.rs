//! The same sources as `engine`, made to believe that the processor has SSE2 and nothing newer: 128-bit vectors, as wasm
//! has them, so that wasm is compared with the same code.

#![allow(dead_code)] // what only the rest of the product calls
#![allow(clippy::all)] // the product's own lints look at these sources

/// In place of the standard library's, in all modules below.
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
