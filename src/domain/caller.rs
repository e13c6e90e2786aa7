//! The sender of a request, as Cloudflare reports it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Id of the trace to which the request belongs (`traceparent` of W3C Trace Context): 32 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Whether the log has an entry about the request.
    #[serde(skip)]
    pub noted: Noted,
}

/// A flag that all copies of a [`Caller`] share.
#[derive(Debug, Clone, Default)]
pub struct Noted(Arc<AtomicBool>);

impl PartialEq for Noted {
    /// The flag is no part of the sender.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Caller {
    /// Notes that the log has an entry about the request.
    pub fn note_entry(&self) {
        self.noted.0.store(true, Ordering::Relaxed);
    }

    /// Whether the log has an entry about the request.
    pub fn has_entry(&self) -> bool {
        self.noted.0.load(Ordering::Relaxed)
    }
}
