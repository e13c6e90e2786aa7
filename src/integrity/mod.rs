//! Whether what is stored is what the rows say: looks at bytes, findings, the self-check.

pub mod findings;
pub mod fsck;
pub mod verify;
