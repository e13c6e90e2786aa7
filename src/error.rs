//! Errors that clients see: the table of error codes, and the problem document (RFC 9457).
//!
//! Services return a [`Problem`]. [`crate::routes::layers::problems`] renders it as a document with the request id, and
//! logs its cause once. A cause is for operators; it is never sent to the client.

use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $status:literal $title:literal;)*) => {
        /// The complete list of error codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* #[allow(missing_docs)] $variant,)* }

        impl Code {
            /// All codes, for the API description and its test.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// Returns the name of the code, as clients see it.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// Returns the HTTP status of responses with this code (RFC 9110 §15).
            pub fn status(self) -> StatusCode {
                let status: u16 = match self { $(Code::$variant => $status,)* };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// Returns the code with this name; `None` if no code has it.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Code::$variant),)* _ => None }
            }

            /// Returns a short summary of the problem. It is the same for every problem with this code.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)* }
            }
        }
    };
}

codes! {
    BadRequest          = "bad_request"          400 "The request could not be understood";
    BadFilter           = "bad_filter"           400 "The filter could not be parsed";
    UnknownColumn       = "unknown_column"       400 "The file has no such column";
    UnknownOption       = "unknown_option"       400 "The option does not exist";
    BadCursor           = "bad_cursor"           400 "The cursor is not valid";
    BadMetadata         = "bad_metadata"         400 "The tags, metadata or expiry are not valid";
    Unauthenticated     = "unauthenticated"      401 "A valid access token is needed";
    TokenExpired        = "token_expired"        401 "The token has expired";
    BadCredentials      = "bad_credentials"      401 "The username or password is wrong";
    Forbidden           = "forbidden"            403 "These credentials do not allow this request";
    NotFound            = "not_found"            404 "The resource does not exist";
    MethodNotAllowed    = "method_not_allowed"   405 "The resource does not support this method";
    NotAcceptable       = "not_acceptable"       406 "None of the accepted formats is available";
    RequestTimeout      = "request_timeout"      408 "The body came too slowly";
    Conflict            = "conflict"             409 "The request conflicts with the current state";
    UserExists          = "user_exists"          409 "This username or email is already taken";
    UploadOffset        = "upload_offset"        409 "The upload has another offset";
    InProgress          = "in_progress"          409 "Another operation is still in progress";
    Gone                = "gone"                 410 "The resource is no longer available";
    LengthRequired      = "length_required"      411 "The Content-Length header is missing";
    PreconditionFailed  = "precondition_failed"  412 "A precondition failed";
    TooLarge            = "too_large"            413 "The body is too large";
    UnsupportedType     = "unsupported_type"     415 "This type of content is not accepted";
    BadRange            = "bad_range"            416 "The range is outside the file";
    EmptyFile           = "empty_file"           422 "The file is empty";
    DigestMismatch      = "digest_mismatch"      422 "The bytes do not match the digest";
    MalformedCsv        = "malformed_csv"        422 "The file cannot be read as CSV";
    Infected            = "infected"             422 "The content scanner refused the file";
    IdempotencyReuse    = "idempotency_reuse"    422 "The idempotency key belongs to another request";
    WeakPassword        = "weak_password"        422 "The password is too weak";
    BadName             = "bad_name"             422 "The name cannot be used";
    ChecksumMismatch    = "checksum_mismatch"    460 "The bytes do not match the checksum";
    RateLimited         = "rate_limited"         429 "Too many requests";
    Internal            = "internal"             500 "An internal error occurred";
    IntegrityError      = "integrity_error"      500 "The stored bytes are missing or damaged";
    Unavailable         = "unavailable"          503 "A part of the service is unavailable";
    SwitchedOff         = "switched_off"         503 "A part of the service is switched off";
    QuotaExceeded       = "quota_exceeded"       507 "The storage quota is exceeded";
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| serde::de::Error::custom("not an error code"))
    }
}

/// Maximum number of characters of a `detail` that is stored in a row.
const STORED_CHARACTERS: usize = 500;

/// Returns the beginning of a `detail`, short enough to store in a row. A `detail` may repeat a long text that a client
/// sent.
pub fn stored_detail(detail: &str) -> &str {
    detail.char_indices().nth(STORED_CHARACTERS).map_or(detail, |(end, _)| &detail[..end])
}

/// An error for a client. An upload session sends its problems to the Worker as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    code: Code,
    detail: String,
    members: Map<String, Value>,
    cause: Option<String>,
    retry_after_s: Option<u32>,
}

/// Result of services and routes.
pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    /// Makes a problem. `detail` says what is wrong and what to do next.
    ///
    /// The client should retry after 2 s for the code `unavailable`, and after 1 s for `in_progress` and
    /// `upload_offset`.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after_s = match code {
            Code::Unavailable => Some(2),
            Code::InProgress | Code::UploadOffset => Some(1),
            _ => None,
        };
        Self { code, detail: detail.into(), members: Map::new(), cause: None, retry_after_s }
    }

    /// Creates an internal error. `cause` is only logged.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(Code::Internal, "Try again. If the error happens again, report the request id.")
            .caused_by(cause)
    }

    /// Creates the problem for a failed call to another service, or for a call whose outcome is unknown. `cause` is only
    /// logged.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::new(Code::Unavailable, "Try again in a moment.").caused_by(cause)
    }

    /// Creates the problem for a caller who lacks a scope.
    pub fn not_allowed() -> Self {
        Self::new(
            Code::Forbidden,
            "These credentials do not allow this request. Sign in as the owner, or ask for more access.",
        )
    }

    /// Creates the problem for a file that does not exist or belongs to another user. Both cases give the same problem.
    pub fn no_such_file() -> Self {
        Self::new(
            Code::NotFound,
            "The file does not exist, or it belongs to another user. List your files with GET /api/files.",
        )
    }

    /// Creates the problem for an upload that does not exist or belongs to another user. Both cases give the same
    /// problem.
    pub fn no_such_upload() -> Self {
        Self::new(
            Code::NotFound,
            "The upload does not exist, or it belongs to another user. Begin a new upload.",
        )
    }

    /// Creates the problem for a request whose idempotency key another request has claimed. The client should retry
    /// after `wait_s` seconds.
    pub fn in_progress(wait_s: i64) -> Self {
        let detail = "The first request with this Idempotency-Key is not finished. Repeat the request later.";
        Self::new(Code::InProgress, detail).retry_after(u32::try_from(wait_s).unwrap_or(1))
    }

    /// Creates the problem for bytes whose SHA-256 differs from the announced SHA-256.
    pub fn digest_mismatch() -> Self {
        Self::new(
            Code::DigestMismatch,
            "The SHA-256 of the received bytes differs from the announced SHA-256. Send the file again.",
        )
    }

    /// Adds a member to the document, for example a position or the known columns.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the number of seconds after which the client should retry.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Attaches the cause, which is only logged.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Returns the text of a member that [`Self::with`] added; `None` if there is no such text.
    pub fn text_member(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    /// Error code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Text for the client: what is wrong and what to do next.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Cause for the log; never sent to the client.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Seconds after which the client should retry, for `Retry-After`.
    pub fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }

    /// Renders the problem document (RFC 9457 §3), with `error` and `message` for older clients. Texts longer than
    /// 1,000 bytes are shortened, so that a document cannot repeat a long request.
    pub fn document(&self, instance: &str, request_id: &str) -> Value {
        let mut members = self.members.clone();
        let fixed = [
            ("type", Value::from(format!("/problems/{}", self.code.name()))),
            ("title", self.code.title().into()),
            ("status", self.code.status().as_u16().into()),
            ("detail", self.detail.clone().into()),
            ("instance", instance.into()),
            ("code", self.code.name().into()),
            ("error", self.code.name().into()),
            ("message", self.detail.clone().into()),
            ("requestId", request_id.into()),
            ("success", false.into()),
        ];
        members.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
        members.values_mut().for_each(shorten_texts);
        Value::Object(members)
    }
}

/// Maximum length of a text in a problem document, in bytes.
const MAX_TEXT_BYTES: usize = 1_000;

/// Shortens each text in `value` that is longer than [`MAX_TEXT_BYTES`].
fn shorten_texts(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > MAX_TEXT_BYTES => {
            text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES - "…".len()));
            text.push('…');
        }
        Value::Array(values) => values.iter_mut().for_each(shorten_texts),
        Value::Object(members) => members.values_mut().for_each(shorten_texts),
        _ => {}
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Formats an error as a sentence: with an upper-case first letter and a full stop.
pub fn sentence(error: &dyn fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_error_status_and_a_unique_name() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert!(
            Code::ALL.iter().all(|code| code.status().is_client_error() || code.status().is_server_error())
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn the_document_does_not_contain_the_cause() {
        let document = Problem::internal("secret table name").document("/api/files", "r1").to_string();
        assert!(!document.contains("secret"), "{document}");
    }

    #[test]
    fn long_texts_in_a_document_are_shortened() {
        let long = "é".repeat(5_000);
        let problem =
            Problem::new(Code::BadRequest, long.clone()).with("known", vec![long.clone(), "a".into()]);
        let document = problem.document(&long, "r");
        for text in [&document["detail"], &document["message"], &document["instance"], &document["known"][0]]
        {
            let text = text.as_str().unwrap_or_default();
            assert!(text.ends_with("é…") && text.len() <= MAX_TEXT_BYTES, "{}", text.len());
        }
        assert_eq!(document["known"][1], "a");
    }

    #[test]
    fn an_added_member_cannot_replace_a_standard_member() {
        let document = Problem::new(Code::BadFilter, "d").with("status", 200).document("/x", "r");
        assert_eq!(document["status"], 400);
    }
}
