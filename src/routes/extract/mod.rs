//! Extractors: they read and check the values that handlers need from a request.

pub mod body;
pub mod file_headers;
pub mod identity;
pub mod limits;
pub mod name;
pub mod observed;
pub mod params;
pub mod storage;
pub mod unread_headers;
