//! Bodies of requests and responses, and how their bytes move.

pub mod incoming;
pub mod outgoing;
pub mod read_size;
pub mod stream;
