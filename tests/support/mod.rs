//! Native doubles of the platform, and an application wired to them.
//!
//! They keep the platform's rules (one transaction a batch, create-only objects, equal parts, limits) and misbehave
//! only where a test tells them to, through [`faults::Faults`]. A broken rule that no caller could handle panics.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

pub mod app;
pub mod body;
pub mod client;
pub mod clock;
pub mod contract;
pub mod database;
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
pub mod schema;
pub mod seeds;
pub mod turns;
pub mod tus;
pub mod uploader;

pub use app::TestApp;
pub use body::TestBody;
pub use faults::{Fault, On};
