//! Checks that the stored bytes agree with the rows: verifies objects, records findings and runs the self-check.

pub mod findings;
pub mod fsck;
pub mod verify;
