//! Native doubles of the platform, and an application that runs on them.
//!
//! The doubles keep the rules of the platform: a batch is one transaction, only `replace_bytes` replaces an object, all
//! parts of an object except the last have equal lengths, and limits are checked. A double returns an error only where
//! the platform would return it, or where a test injects a fault through [`faults::Faults`]. A double panics at a call
//! that only a bug in the service can cause, for example a statement with more than 100 parameters.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

pub mod app;
pub mod body;
pub mod client;
pub mod clock;
pub mod contract;
pub mod database;
pub mod email;
pub mod faults;
pub mod fsck;
pub mod hashing;
pub mod limits;
pub mod log;
pub mod named_objects;
pub mod objects;
pub mod parts;
pub mod queue;
pub mod random;
pub mod scanner;
pub mod schema;
pub mod seeds;
pub mod turns;
pub mod tus;
pub mod uploader;

pub use app::TestApp;
pub use body::TestBody;
pub use faults::{Fault, On};
