//! Resumable uploads (tus): one upload in several requests, with chunks of any size, over connections that may break.
//!
//! First the service writes the intent of the storage protocol ([`crate::storage::protocol`]). A resumable upload may
//! take longer than other uploads, so the sweep waits longer before it undoes this intent. Then a Durable Object, the
//! session of this upload ([`session::ResumableUpload`]), receives the bytes. Only this session writes the bytes of the
//! upload, and only this session knows the offset.
//!
//! R2 requires parts of equal size, but clients send chunks of any size. So the session divides the bytes into parts of
//! equal size. It holds one part in memory. If a request ends before this part is full, the session saves the bytes of
//! the part in its rows.
//!
//! - [`service`] starts uploads and sends requests to the session as [`command`]s.
//! - [`session`] carries out the commands, one at a time. `receiving` stores the bytes of a command, and `ending` makes
//!   the file.
//! - [`record`] defines the rows of a session.
//! - [`observers`] computes the hash and the profile while the bytes pass.
//! - [`writer_lock`] lets a new request interrupt the request that is receiving (takeover).

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
