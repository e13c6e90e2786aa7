//! Layers around the handlers. Every request passes through `problems`, `readable` and `memory`. `idempotency` and
//! `uploads` run only on the routes that add them.

pub mod idempotency;
pub mod memory;
pub mod problems;
pub mod readable;
pub mod uploads;
