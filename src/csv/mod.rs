//! The cut: pure, synchronous code that turns CSV bytes into the rows and columns asked for.
//!
//! Nothing here awaits, reads a clock or draws random numbers; the caller owns I/O and buffers.

pub mod filter;
pub mod header;
pub mod plan;
pub mod request;
