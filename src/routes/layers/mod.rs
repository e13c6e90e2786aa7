//! Layers around the handlers. Every request passes through `problems`, `readable` and `memory`. `idempotency` runs
//! only on the routes that add it.

pub mod idempotency;
pub mod memory;
pub mod problems;
pub mod readable;
