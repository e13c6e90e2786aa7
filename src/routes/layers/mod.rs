//! What stands around the handlers: every request and response passes it.

pub mod idempotency;
pub mod problems;
