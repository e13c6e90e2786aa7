//! Conditions of requests for a file (RFC 9110 §13): `If-Match`, `If-None-Match`, `If-Unmodified-Since` and
//! `If-Modified-Since`.
//!
//! A file has two entity tags: the tag of its bytes and the tag of its metadata. Every route accepts either tag in
//! `If-Match`, because a client gets both tags at one URL. The response to `GET` has the tag of the bytes. The response
//! to `PATCH` has the tag of the metadata. In a `GET`, `If-None-Match` is compared with only one tag
//! ([`Representation`]).
//!
//! The tag of the metadata changes when anything in the metadata changes, also the number of reads. For `If-Match`, only
//! changes by clients count: a tag is accepted if the text before its first dot names the current revision.
//!
//! A condition is evaluated only if the request would succeed without this condition (RFC 9110 §13.2.1). So the
//! response for a missing file is always `not_found`.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_LOCATION, ETAG, EXPIRES, LAST_MODIFIED, VARY};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use utoipa::IntoParams;

use crate::app::App;
use crate::domain::ids::FileId;
use crate::domain::principal::Scope;
use crate::error::{Code, Problem, Result};
use crate::http::conditional::{self, PreconditionOutcome, Validators};
use crate::http::date::format_http_date;
use crate::http::etag::EntityTag;
use crate::http::safe_headers::RESOURCE_POLICY;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;

/// The headers that contain conditions. Every operation whose description has these headers evaluates the conditions.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub struct Conditions {
    /// Entity tags, or `*`. The request fails with 412 if the file has none of these tags. The tag of the bytes and the
    /// tag of the metadata are both accepted.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
    /// Entity tags, or `*`. If the file has one of these tags, the response is 304 to GET and HEAD, and 412 to other
    /// methods. For GET and HEAD, only one tag of the file counts: at `/metadata` the tag of the metadata, at all other
    /// routes the tag of the bytes. At `/cut` and `/process`, the tag of the result counts too.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
    /// HTTP-date. The request fails with 412 if the file was changed after this time. Ignored if the request has
    /// `If-Match`.
    #[param(rename = "If-Unmodified-Since")]
    if_unmodified_since: Option<String>,
    /// HTTP-date, for GET and HEAD. The response is 304 if the file was not changed after this time. Ignored if the
    /// request has `If-None-Match`.
    #[param(rename = "If-Modified-Since")]
    if_modified_since: Option<String>,
}

/// A representation of a file. Each representation has its own entity tag. A route compares `If-None-Match` in `GET`
/// and `HEAD` only with the tag of its own representation. A route that makes a result from the bytes uses
/// [`Representation::Bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Representation {
    /// The bytes of the file.
    Bytes,
    /// The metadata of the file.
    Metadata,
}

impl Representation {
    fn validators(self, file: &FileRow) -> Result<Validators> {
        let bytes = EntityTag::parse(&file.entity_tag());
        let metadata = EntityTag::parse(&file.metadata_tag()?);
        if bytes.is_none() || metadata.is_none() {
            return Err(Problem::internal("the row of a file makes no entity tag"));
        }
        let last_modified = Some(file.updated_at.instant());
        let revision = Some(file.revision_name());
        Ok(match self {
            Self::Bytes => Validators { etag: bytes, other_etag: metadata, revision, last_modified },
            Self::Metadata => Validators { etag: metadata, other_etag: bytes, revision, last_modified },
        })
    }

    fn tag(self, file: &FileRow) -> Result<String> {
        match self {
            Self::Bytes => Ok(file.entity_tag()),
            Self::Metadata => file.metadata_tag(),
        }
    }
}

/// Evaluates the conditions of a request. The caller must use the outcome only if the request would succeed without
/// conditions.
///
/// # Errors
/// `precondition_failed`.
pub fn evaluate(
    app: &App,
    file: &FileRow,
    representation: Representation,
    method: &Method,
    headers: &HeaderMap,
) -> Result<PreconditionOutcome> {
    let validators = representation.validators(file)?;
    match conditional::evaluate(method, headers, &validators, app.clock.now()) {
        PreconditionOutcome::PreconditionFailed => {
            let detail = "A condition of your request is not true for this file. Read the metadata of the file again, \
                then retry with the new ETag.";
            Err(Problem::new(Code::PreconditionFailed, detail).with("revision", file.revision))
        }
        outcome => Ok(outcome),
    }
}

/// Evaluates the conditions of a request for a result that is made from the bytes of a file, such as a cut. Returns the
/// response 304 if the file has not changed and its owner has set no dialect. `of_success` are the headers of the
/// response 200. The caller must use the outcome only if the request would succeed without conditions.
///
/// # Errors
/// `precondition_failed`.
pub fn evaluate_for_result(
    app: &App,
    file: &FileRow,
    method: &Method,
    headers: &HeaderMap,
    of_success: &HeaderMap,
) -> Result<Option<Response>> {
    match evaluate(app, file, Representation::Bytes, method, headers)? {
        // The owner may change the dialect of the file, and with it the result, without a change of the bytes.
        PreconditionOutcome::NotModified if file.dialect_options.is_some() => Ok(None),
        PreconditionOutcome::NotModified => {
            // The result has no ETag: the ETag of the file is not an ETag of the result.
            Ok(Some((StatusCode::NOT_MODIFIED, headers_of_not_modified(of_success)).into_response()))
        }
        PreconditionOutcome::Proceed { .. } | PreconditionOutcome::PreconditionFailed => Ok(None),
    }
}

/// Returns the headers that a 304 must have in common with its 200 (RFC 9110 §15.4.5), and the header that says who may
/// embed the result.
pub fn headers_of_not_modified(of_success: &HeaderMap) -> HeaderMap {
    let names = [CACHE_CONTROL, CONTENT_LOCATION, ETAG, EXPIRES, LAST_MODIFIED, RESOURCE_POLICY, VARY];
    let kept = names.into_iter().filter_map(|name| Some((name.clone(), of_success.get(name)?.clone())));
    kept.collect()
}

/// Returns the headers `ETag` and `Last-Modified` for a response with this representation.
pub fn validator_headers(file: &FileRow, representation: Representation) -> Result<HeaderMap> {
    let header = |text: &str| HeaderValue::from_str(text).map_err(Problem::internal);
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, header(&representation.tag(file)?)?);
    headers.insert(LAST_MODIFIED, header(&format_http_date(file.updated_at.instant()))?);
    Ok(headers)
}

/// A request that changes a file.
pub struct ChangeRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// Whether the change is possible for a file in its current state. If it is not, the conditions are not evaluated,
    /// because the change fails with another problem.
    pub is_possible: fn(&FileRow) -> bool,
}

/// Evaluates the conditions of a request that changes a file. Returns the current revision of the file, or `None` if
/// the request has no condition. The caller must make the change only if the file still has this revision. So the
/// change fails if another request changes the file first.
///
/// # Errors
/// `precondition_failed`, `not_found`, `forbidden`.
pub async fn guarding_revision(
    app: &App,
    service: &R2StorageService,
    id: FileId,
    request: &ChangeRequest<'_>,
) -> Result<Option<u64>> {
    if !conditional::guards_a_change(request.headers) {
        return Ok(None);
    }
    service.check_scope(Scope::Write, id)?;
    let file = service.find(id).await?;
    if (request.is_possible)(&file) {
        evaluate(app, &file, Representation::Bytes, request.method, request.headers)?;
    }
    Ok(Some(file.revision))
}
