//! HTTP semantics as pure functions: what a header says, what follows from it, how to write the answer.
//!
//! Each module parses, decides or renders one part of HTTP and names the RFC it follows. Nothing here
//! awaits, reads a clock or draws random numbers: times and boundaries are passed in. Handlers turn the
//! outcomes into responses; these modules know no route, no storage and no platform.

pub mod accept_encoding;
pub mod authorization;
pub mod boundary;
pub mod conditional;
pub mod cors;
pub mod date;
pub mod digest;
pub mod disposition;
pub mod etag;
pub mod expiry;
pub mod filename;
pub mod form;
pub mod media_type;
pub mod pagination;
pub mod range;
pub mod sniff;
mod syntax;
pub mod tags;
pub mod text;
pub mod tus;
pub mod user_metadata;
