//! Resumable uploads (tus): one upload in several requests, with chunks of any size, over connections that may break.
//!
//! The row in the database is the intent of the [`crate::storage::protocol`], with a longer time limit. One
//! [`session::ResumableUpload`] per upload, in a Durable Object, handles the bytes: only it writes, and only it knows
//! the offset.
//!
//! R2 requires equal parts, but clients send chunks of any size. The session therefore cuts the bytes into parts of one
//! size. It holds one part in memory, and keeps the bytes of a part that is not full in its rows.
//!
//! - [`service`] starts uploads and sends requests to the session as [`command`]s.
//! - [`session`] carries out commands, one at a time; `receiving` stores their bytes, `ending` makes the file.
//! - [`record`] defines the rows of a session.
//! - [`observers`] computes hash and profile while the bytes pass.
//! - [`writer_lock`] lets a new request interrupt the one that is receiving (takeover).

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
