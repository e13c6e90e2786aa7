//! The scan of a file's content between the put and the commit. If `SCAN_URL` is set, the bytes of each upload are
//! streamed from the object store to a scanner, and a file is visible only after the scanner has called it clean.
//!
//! [`answer`] parses the scanner's answer, [`scan`] scans a stored object, and [`check`] remembers whether the scanner
//! works, for `/health/ready`. The storage protocol calls the scan before the commit
//! ([`crate::storage::protocol`]).

pub mod answer;
pub mod check;
pub mod scan;
