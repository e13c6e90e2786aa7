//! Uploads in several requests (tus): bytes of any size, in chunks of any size, through a connection that breaks.
//!
//! The row in the database is the intent of a single upload ([`crate::storage::protocol`]) that may take longer.
//! Everything about bytes is decided by one [`session::ResumableUpload`] per upload, a Durable Object: it alone writes, and it
//! alone knows how far the upload is. The store wants equal parts, clients send what they like: the session cuts what
//! comes into parts of one size, holds one part in memory, and keeps the bytes of a part that is not full in its rows.
//!
//! - [`service`] begins uploads and hands requests on as [`command`]s.
//! - [`session`] carries out commands, one at a time; `receiving` takes their bytes, `ending` makes the file.
//! - [`record`] is what a session has stored, and how.
//! - [`observers`] is what is computed of the bytes as they pass.
//! - [`writer_lock`] lets a newcomer have an upload whose last writer hangs.

mod client;
pub mod command;
mod ending;
pub mod limits;
pub mod observers;
pub mod problems;
mod receiving;
pub mod record;
pub mod service;
pub mod session;
mod state;
pub mod writer_lock;
