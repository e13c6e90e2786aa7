//! Checks that stored bytes are what the rows say: reading of objects, findings, and the self-check.

pub mod findings;
pub mod fsck;
pub mod verify;
