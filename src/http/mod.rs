//! HTTP semantics as pure functions. The functions parse headers, decide how to respond, and render header values and
//! bodies.
//!
//! Each module handles one part of HTTP and names the RFC that it follows. The functions are not async, read no clock
//! and draw no random numbers: times and boundaries are parameters. Handlers turn the results into responses. The
//! modules do not use routes, storage or the platform.

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
pub mod json;
pub mod media_type;
pub mod pagination;
pub mod range;
pub mod rate_limit;
pub mod safe_headers;
pub mod sniff;
mod syntax;
pub mod tags;
pub mod text;
pub mod tus;
pub mod user_metadata;
