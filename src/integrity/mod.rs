//! Checks the stored data: verifies that objects agree with their rows, records findings, runs the self-check, and
//! checks that the object store can be written.

pub mod findings;
pub mod fsck;
pub mod verify;
