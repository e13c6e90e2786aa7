//! The adapters to the platform. Only this folder and `src/lib.rs` use the platform's API. The files implement ports,
//! move bytes (`bytes`, `respond`), handle the events of the Worker (`events`) and connect the ports to the bindings
//! (`wiring`).
//!
//! The types here wrap JavaScript objects, which are not `Send`. The wrappers of [`worker::send`] make them `Send`.
//! This is safe, because a Worker has one thread.

mod bytes;
mod clock;
mod d1;
mod email;
mod events;
mod hash;
mod isolate;
mod js;
mod limits;
mod named_objects;
mod object_shell;
mod queue;
mod r2;
mod rate_limiter;
mod respond;
mod scanner;
mod stall;
mod upload_session;
mod wiring;

pub use events::{fetch, queue, scheduled};
