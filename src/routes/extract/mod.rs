//! What handlers take from a request, checked.

pub mod body;
pub mod file_headers;
pub mod identity;
pub mod params;
pub mod storage;
