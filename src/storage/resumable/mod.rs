//! Resumable uploads (tus): one upload in several requests, with chunks of any size, over connections that may break.
//!
//! The service writes the intent of the storage protocol ([`crate::storage::protocol`]), with a longer time limit than
//! for other uploads. Then a Durable Object receives the bytes: each upload has one session
//! ([`session::ResumableUpload`]). Only this session writes the bytes, and only it knows the offset.
//!
//! R2 requires equal parts, but clients send chunks of any size. So the session divides the bytes into parts of equal
//! size. It holds one part in memory, and saves the bytes of a part that is not full in its rows.
//!
//! - [`service`] starts uploads and sends requests to the session as [`command`]s.
//! - [`session`] carries out the commands, one at a time. `receiving` stores their bytes, and `ending` makes the file.
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
