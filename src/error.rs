//! Every error a client can see: one table of codes, one problem document (RFC 9457).
//!
//! A [`Problem`] is what a service returns; [`crate::routes::layers::problems`] renders it, adds the request id and logs
//! the cause once. A cause is for operators: it never reaches the client.

use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $status:literal $title:literal;)*) => {
        /// The closed list of error codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* #[allow(missing_docs)] $variant,)* }

        impl Code {
            /// Every code, for the API description and its test.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The code as clients see it.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// The HTTP status (RFC 9110 §15) the code is sent with.
            pub fn status(self) -> StatusCode {
                let status: u16 = match self { $(Code::$variant => $status,)* };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// Reads a name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Code::$variant),)* _ => None }
            }

            /// A short, fixed summary of the kind of problem.
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
    UnknownOption       = "unknown_option"       400 "There is no such option";
    BadCursor           = "bad_cursor"           400 "The cursor is not one this service gave";
    BadMetadata         = "bad_metadata"         400 "The tags, metadata or expiry are not usable";
    Unauthenticated     = "unauthenticated"      401 "A valid access token is needed";
    TokenExpired        = "token_expired"        401 "The token has expired";
    BadCredentials      = "bad_credentials"      401 "The user name or password is wrong";
    Forbidden           = "forbidden"            403 "You may not do this";
    NotFound            = "not_found"            404 "There is nothing here";
    MethodNotAllowed    = "method_not_allowed"   405 "This method is not offered here";
    NotAcceptable       = "not_acceptable"       406 "None of the accepted formats is offered";
    Conflict            = "conflict"             409 "The request conflicts with the present state";
    UserExists          = "user_exists"          409 "This user name or email is taken";
    UploadOffset        = "upload_offset"        409 "The upload is at another offset";
    InProgress          = "in_progress"          409 "Another request is at work on the same thing";
    Gone                = "gone"                 410 "This is no longer available";
    LengthRequired      = "length_required"      411 "The length of the body must be given";
    PreconditionFailed  = "precondition_failed"  412 "A precondition did not hold";
    TooLarge            = "too_large"            413 "The body is too large";
    UnsupportedType     = "unsupported_type"     415 "This kind of content is not kept here";
    BadRange            = "bad_range"            416 "The range lies outside the file";
    EmptyFile           = "empty_file"           422 "An empty file cannot be kept";
    DigestMismatch      = "digest_mismatch"      422 "The bytes do not match the digest given";
    MalformedCsv        = "malformed_csv"        422 "The file is not usable as CSV";
    IdempotencyReuse    = "idempotency_reuse"    422 "The idempotency key belongs to another request";
    WeakPassword        = "weak_password"        422 "The password is too weak";
    BadName             = "bad_name"             422 "The name cannot be used";
    ChecksumMismatch    = "checksum_mismatch"    460 "The bytes do not match the checksum given";
    RateLimited         = "rate_limited"         429 "Too many requests";
    Internal            = "internal"             500 "Something went wrong on our side";
    IntegrityError      = "integrity_error"      500 "The stored bytes are not the ones expected";
    Unavailable         = "unavailable"          503 "A part of the service is not available";
    QuotaExceeded       = "quota_exceeded"       507 "The storage quota is used up";
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

/// An error on its way to a client; as JSON, on its way from one event of ours to another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    code: Code,
    detail: String,
    members: Map<String, Value>,
    cause: Option<String>,
    retry_after_s: Option<u32>,
}

/// What services and routes return.
pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    /// A problem whose `detail` tells the client what to do next.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after_s = match code {
            Code::Unavailable => Some(2),
            Code::InProgress | Code::UploadOffset => Some(1),
            _ => None,
        };
        Self { code, detail: detail.into(), members: Map::new(), cause: None, retry_after_s }
    }

    /// A fault of ours; `cause` goes to the log only.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(Code::Internal, "Try again; if it happens again, report the request id.").caused_by(cause)
    }

    /// A dependency that failed or whose answer is not known; `cause` goes to the log only.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::new(Code::Unavailable, "Try again in a moment.").caused_by(cause)
    }

    /// A file that is missing or someone else's: the two look the same.
    pub fn no_such_file() -> Self {
        Self::new(
            Code::NotFound,
            "There is no such file, or it is not yours. List yours with GET /api/files.",
        )
    }

    /// An upload that is missing or someone else's: the two look the same.
    pub fn no_such_upload() -> Self {
        Self::new(Code::NotFound, "There is no such upload, or it is not yours. Begin a new one.")
    }

    /// A request whose idempotency key another try holds, who may be done in so many seconds.
    pub fn in_progress(wait_s: i64) -> Self {
        let detail = "The first request with this Idempotency-Key is not finished. Repeat it a little later.";
        Self::new(Code::InProgress, detail).retry_after(u32::try_from(wait_s).unwrap_or(1))
    }

    /// Bytes that are not the ones announced.
    pub fn digest_mismatch() -> Self {
        Self::new(
            Code::DigestMismatch,
            "The bytes that arrived have another SHA-256 than the one given. Send the file again.",
        )
    }

    /// Adds a member to the document (a position, the known columns, …).
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Says after how many seconds a retry makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Attaches the reason for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The text for the client.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The reason for the log, never for the client.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Seconds after which a retry makes sense, for `Retry-After`.
    pub fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }

    /// The document of RFC 9457 §3, with `error` and `message` for older clients. However much of a request it repeats,
    /// each of its texts has at most `MOST_TOLD_BYTES`.
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
        members.values_mut().for_each(bound);
        Value::Object(members)
    }
}

/// The longest text in a problem document, in bytes.
const MOST_TOLD_BYTES: usize = 1_000;

/// Cuts the texts of a member off where they are too long to be told.
fn bound(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > MOST_TOLD_BYTES => {
            text.truncate(text.floor_char_boundary(MOST_TOLD_BYTES - "…".len()));
            text.push('…');
        }
        Value::Array(values) => values.iter_mut().for_each(bound),
        Value::Object(members) => members.values_mut().for_each(bound),
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

/// An error's text as a sentence of its own.
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
    fn every_code_has_an_error_status_and_its_own_name() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert!(
            Code::ALL.iter().all(|code| code.status().is_client_error() || code.status().is_server_error())
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn a_cause_stays_out_of_the_document() {
        let document = Problem::internal("secret table name").document("/api/files", "r1").to_string();
        assert!(!document.contains("secret"), "{document}");
    }

    #[test]
    fn a_document_repeats_no_text_without_end() {
        let long = "é".repeat(5_000);
        let problem =
            Problem::new(Code::BadRequest, long.clone()).with("known", vec![long.clone(), "a".into()]);
        let document = problem.document(&long, "r");
        for text in [&document["detail"], &document["message"], &document["instance"], &document["known"][0]]
        {
            let text = text.as_str().unwrap_or_default();
            assert!(text.ends_with("é…") && text.len() <= MOST_TOLD_BYTES, "{}", text.len());
        }
        assert_eq!(document["known"][1], "a");
    }

    #[test]
    fn a_member_cannot_replace_a_fixed_one() {
        let document = Problem::new(Code::BadFilter, "d").with("status", 200).document("/x", "r");
        assert_eq!(document["status"], 400);
    }
}
