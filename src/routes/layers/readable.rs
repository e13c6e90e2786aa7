//! Refuses requests whose headers or query are not readable text, and headers that no route reads although the client
//! wants them to have an effect. Without this layer, Cutty would ignore or misread such a header or query parameter, and
//! the client would not notice.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::TRAILER;
use http::{HeaderMap, HeaderName, Uri};

use crate::csv::shortened;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::{conditional, text};

/// Middleware: refuses a request if a header or the query is not readable text, or if `If-Match` or `If-None-Match`
/// does not follow the grammar of RFC 9110. Also refuses unknown headers `X-File-…`, digests in a trailer, and an
/// `X-HTTP-Method-Override` that was not used.
pub async fn refuse_unreadable(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(request: &Request) -> Result<()> {
    let refuse = |error: &dyn std::fmt::Display| Problem::new(Code::BadRequest, sentence(error));
    let headers = request.headers();
    text::check_readable(headers).map_err(|error| refuse(&error).with("header", error.header()))?;
    conditional::check_lists(headers).map_err(|error| refuse(&error).with("header", error.header()))?;
    check_known(headers)?;
    check_query(request.uri())
}

/// Headers of which Cutty knows all names that begin like them. Older clients send `X-File-ID`, which has no effect.
const FILE_HEADERS: [&str; 6] =
    ["x-file-name", "x-file-tags", "x-file-metadata", "x-file-expires", "x-file-storage-class", "x-file-id"];

/// Digests that a client may announce for a trailer (RFC 9530 §5, and `checksum-trailer` of tus).
const DIGESTS: [&str; 5] = ["repr-digest", "content-digest", "digest", "content-md5", "upload-checksum"];

fn check_known(headers: &HeaderMap) -> Result<()> {
    let refuse = |detail: String, header: &str| {
        Err(Problem::new(Code::BadRequest, detail).with("header", shortened(header)))
    };
    let is_unknown = |name: &&str| name.starts_with("x-file-") && !FILE_HEADERS.contains(name);
    if let Some(name) = headers.keys().map(HeaderName::as_str).find(is_unknown) {
        let name = shortened(name);
        let detail = format!(
            "There is no header {name}. Cutty knows X-File-Name, X-File-Tags, X-File-Metadata, X-File-Expires and \
             X-File-Storage-Class."
        );
        return refuse(detail, &name);
    }
    // The header is removed from a request whose method it replaced (`routes::uploads`).
    if headers.contains_key("x-http-method-override") {
        let detail = "X-HTTP-Method-Override has no effect here: only a POST to /api/uploads or below it may have it, \
            once and with the name of a method. Send the request with this method instead.";
        return refuse(detail.to_owned(), "x-http-method-override");
    }
    let trailers = headers.get_all(TRAILER).iter();
    let mut trailers = trailers.flat_map(|names| names.as_bytes().split(|&byte| byte == b','));
    let digest_named = |name: &[u8]| {
        DIGESTS.into_iter().find(|digest| name.trim_ascii().eq_ignore_ascii_case(digest.as_bytes()))
    };
    if let Some(name) = trailers.find_map(digest_named) {
        let detail =
            format!("Digests in a trailer are not supported. Send {name} as a header, before the body.");
        return refuse(detail, "trailer");
    }
    Ok(())
}

fn check_query(uri: &Uri) -> Result<()> {
    text::check_query(uri.query().unwrap_or_default())
        .map_err(|error| Problem::new(Code::BadRequest, sentence(&error)).with("parameter", error.pair()))
}
