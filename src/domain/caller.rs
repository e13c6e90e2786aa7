//! The sender of a request, as Cloudflare reports it.

use serde::{Deserialize, Serialize};

/// The sender of a request, as Cloudflare reports it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// Id of the request. The response contains it in the header `X-Request-Id`.
    pub request_id: String,
    /// Value of `CF-Connecting-IP`.
    pub ip_address: Option<String>,
    /// Value of `User-Agent`, truncated to 256 characters.
    pub user_agent: Option<String>,
}
