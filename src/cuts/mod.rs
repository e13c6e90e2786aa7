//! Cuts of stored files: opened, checked against the file's header, streamed or saved, and accounted for by a receipt.
//!
//! The cut itself is [`crate::csv`]; here it meets the store, the database and the client. In the order of the work:
//! [`service`] is who cuts, [`scan`] what of a file is read, [`open`] takes in its start and checks the request, [`run`]
//! begins a cut, [`stream`] makes its bytes, [`gzip`] and [`spool`] stand behind it, [`receipt`] says what became of it.

pub mod estimate;
pub mod gzip;
pub mod open;
pub mod pages;
pub mod problems;
pub mod receipt;
pub mod run;
pub mod scan;
pub mod service;
pub mod spool;
pub mod stream;

pub use problems::{csv_problem, request_problem};
pub use service::CutService;
