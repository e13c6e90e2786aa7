//! Cuts of stored files. A cut opens a file, checks the request against the file's header, streams or saves the result,
//! and stores a receipt.
//!
//! [`crate::csv`] makes the output of a cut from the bytes of a file. This module connects [`crate::csv`] to the store,
//! the database and the client. [`verified`] reads bytes and compares them with their digests. [`scan`] reads the byte
//! ranges of a file. [`open`] reads the file's start and checks the request. [`run`] starts a cut. [`stream`] makes the
//! output of the cut. [`gzip`] and [`spool`] process the output. [`receipt`] records the result. [`service`] holds the
//! service.

pub mod count;
pub mod estimate;
pub mod filters;
pub mod gzip;
mod input;
mod marks;
mod matching;
pub mod memory;
pub mod open;
mod output_budget;
pub mod pages;
pub mod problems;
pub mod receipt;
pub mod run;
pub mod saved_recipes;
pub mod scan;
pub mod service;
pub mod spool;
pub mod stream;
pub mod tag;
pub mod verified;

pub use problems::{csv_problem, request_problem};
pub use service::CutService;
