//! Layers around the handlers. Every request and every response passes through them.

pub mod idempotency;
pub mod memory;
pub mod problems;
