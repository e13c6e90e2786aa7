//! The sources of `engine`, compiled as if the processor had SSE2 and nothing newer. SSE2 and wasm have vectors of 128
//! bits. So a benchmark can compare the wasm build of this code with a native build whose vectors have the same width.

#![allow(dead_code)] // the product calls some functions only from code outside these modules
#![allow(clippy::all)] // the product's own lints check these sources

/// Replaces the macro of the standard library in all modules below, so that the sources detect no vectors newer than
/// SSE2.
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
