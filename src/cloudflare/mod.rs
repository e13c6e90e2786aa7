//! The platform: the only folder that names it. Each file implements a port, or moves bytes.
//!
//! The types here wrap JavaScript objects and are `Send` only because a Worker has one thread; [`worker::send`] is
//! how that is said.

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
mod upload_session;
mod wiring;

pub use events::{fetch, queue, scheduled};
