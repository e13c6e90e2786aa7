//! The adapters to the platform. Apart from `src/lib.rs`, only this folder names it. Each file implements a port or
//! moves bytes.
//!
//! The types here wrap JavaScript objects. These values are `Send` only because a Worker has one thread;
//! [`worker::send`] lets them declare that.

mod bytes;
mod clock;
mod d1;
mod events;
mod hash;
mod isolate;
mod js;
mod limits;
mod named_objects;
mod object_shell;
mod queue;
mod r2;
mod respond;
mod stall;
mod upload_session;
mod wiring;

pub use events::{fetch, queue, scheduled};
