//! Layers around the handlers. Every request passes through `problems` and `memory`. A route adds `idempotency` itself.

pub mod idempotency;
pub mod memory;
pub mod problems;
