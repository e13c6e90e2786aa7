//! Who sent a request, as the edge saw it.

use serde::{Deserialize, Serialize};

/// Who asked, as the edge saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// The request's id, also in the answer's `X-Request-Id`.
    pub request_id: String,
    /// `CF-Connecting-IP`.
    pub ip_address: Option<String>,
    /// `User-Agent`, cut to 256 bytes.
    pub user_agent: Option<String>,
}
