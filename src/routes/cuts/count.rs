//! `GET /api/files/{id}/count`: how many rows a filter keeps.

use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Pairs, add_notice, reading_request, refuse_other_options};
use crate::body::outgoing::ResponseBody;
use crate::cuts::CutService;
use crate::domain::caller::Caller;
use crate::domain::row_count::RowCount;
use crate::error::{Problem, Result};
use crate::routes::extract::limits::Limits;
use crate::routes::extract::params::Params;
use crate::routes::extract::storage::{FilePath, Storage};
use crate::routes::layers::problems::logged_document;
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(count_rows))
}

/// Media type of the lines.
const NDJSON: &str = "application/x-ndjson";

/// The number of rows.
#[derive(Debug, Serialize, ToSchema)]
struct CountResponse {
    success: bool,
    count: RowCount,
}

/// Counts the rows that a filter keeps.
///
/// With `Accept: application/x-ndjson`, the response has a line for each 16 MiB that were read:
/// `{"progress": {…}, "bytesTotal"}`. The last line is the JSON of the usual response, or a problem. The count ends when
/// the client leaves. A result is cached for `CACHE_TTL`, for this version of the file. Costs 2 D1 reads, 2 R2 reads
/// and 2 Durable Object requests for the rate limit; without a filter, or from the cache, only the D1 reads.
#[utoipa::path(get, path = "/api/files/{id}/count", tag = "cuts",
    params(("id" = String, Path),
        ("column__op" = Option<String>, Query, description = "A condition. The query may have several conditions, and a filter as text")),
    responses((status = 200, body = CountResponse), (status = 400), (status = 401), (status = 404), (status = 413), (status = 422), (status = 429), (status = 507)))]
async fn count_rows(
    Storage(storage): Storage,
    FilePath(id): FilePath,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
    Extension(limits): Extension<Limits>,
    Params(pairs): Pairs,
) -> Result<Response> {
    refuse_other_options(&pairs, &[])?;
    let app = storage.app.clone();
    let request = reading_request(&pairs)?;
    let file = storage.find_to_cut(id).await?;
    let notice = file.notice(&request.input);
    let cuts = CutService::new(storage.clone());
    let counting = match cuts.known_count(&file, &request).await {
        Some(known) => known,
        None => CutService::new(limits.admit_cut(storage, &file).await?).count(file, &request).await?,
    };
    let mut response = if accepts_lines(&headers) {
        let path = uri.path().to_owned();
        let describe = move |problem: &Problem| logged_document(&app, problem, &path, &caller.request_id);
        let lines = ResponseBody::Generated(Box::new(counting.into_lines(Box::new(describe))));
        ([(CONTENT_TYPE, HeaderValue::from_static(NDJSON))], lines).into_response()
    } else {
        Json(CountResponse { success: true, count: counting.finish().await? }).into_response()
    };
    add_notice(response.headers_mut(), notice)?;
    Ok(response)
}

/// Whether the client names [`NDJSON`] in `Accept`, with a weight above zero.
fn accepts_lines(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = ranges.flat_map(|value| value.split(','));
    ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(NDJSON));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        is_named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}
