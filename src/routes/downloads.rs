//! `/api/downloads`: tickets with which a browser downloads by itself.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::TimeDelta;
use http::header::{LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::cuts::{CutBody, cut_of_body, send_cut};
use super::extract::body::JsonBody;
use super::extract::storage::{PathText, Storage};
use super::file::send_file;
use crate::app::SharedApp;
use crate::auth::ticket::{BEGIN_WITHIN_S, MAX_RECIPE_BYTES, RESUME_WITHIN_S, Ticket};
use crate::auth::token::Keyring;
use crate::domain::caller::Caller;
use crate::domain::ids::FileId;
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::routes::table::{Routes, route};
use crate::storage::R2StorageService;
use crate::storage::actor::Actor;

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(post_download)).route(route!(get_download))
}

/// What to download.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DownloadRequest {
    /// Id of the file.
    file_id: String,
    /// The body of `POST /api/files/{id}/cut`, at most 4 KiB, to download a cut. Without it, the bytes of the file are
    /// downloaded.
    #[schema(value_type = Option<Object>)]
    recipe: Option<CutBody>,
}

/// A download.
#[derive(Serialize, ToSchema)]
struct DownloadResponse {
    success: bool,
    download: DownloadView,
}

/// A URL with a ticket.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DownloadView {
    /// Path and ticket. Whoever has this URL can download.
    url: String,
    /// Time by which the download must begin.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Makes a URL with which a browser downloads a file or a cut by itself.
///
/// The download must begin within 5 minutes. The rest of a download of a file that broke can be requested within 24
/// hours, with `Range`. The URL ends earlier if the file is changed, trashed or deleted. Costs 2 D1 reads.
#[utoipa::path(post, path = "/api/downloads", tag = "files", request_body = DownloadRequest,
    responses((status = 201, body = DownloadResponse), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415)))]
async fn post_download(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    JsonBody(body): JsonBody<DownloadRequest>,
) -> Result<Response> {
    let id = FileId::parse(&body.file_id).ok_or_else(Problem::no_such_file)?;
    let recipe = body.recipe.map(|CutBody(recipe)| checked_recipe(recipe)).transpose()?;
    let file = service.find_readable(id).await?;
    let now = app.now();
    let ticket = Ticket {
        user: file.user_id.clone(),
        file: file.id,
        version: file.entity_tag(),
        recipe,
        issued_at_s: now.instant().timestamp(),
    };
    let url = format!("/api/downloads/{}", ticket.sign(&Keyring::new(&app.config))?);
    let location = HeaderValue::from_str(&url).map_err(Problem::internal)?;
    let download = DownloadView { url, expires_at: now.plus(TimeDelta::seconds(BEGIN_WITHIN_S)) };
    let body = Json(DownloadResponse { success: true, download });
    Ok((StatusCode::CREATED, [(LOCATION, location)], body).into_response())
}

fn checked_recipe(recipe: Value) -> Result<Value> {
    cut_of_body(&recipe)?;
    let bytes = recipe.to_string().len();
    if bytes > MAX_RECIPE_BYTES {
        let detail = format!(
            "The recipe has {bytes} bytes; a URL holds at most {MAX_RECIPE_BYTES}. Save the cut, and download the saved file."
        );
        return Err(Problem::new(Code::TooLarge, detail).with("limit", MAX_RECIPE_BYTES));
    }
    Ok(recipe)
}

/// Downloads what a ticket allows.
///
/// A file supports conditions and ranges, like `GET /api/files/{id}`. A cut costs what `POST /api/files/{id}/cut` costs.
#[utoipa::path(get, path = "/api/downloads/{ticket}", tag = "files", security(()), params(("ticket" = String, Path)),
    responses((status = 200, content_type = "text/csv"), (status = 206), (status = 404),
        (status = 410, description = "gone: the ticket has expired, or the file has changed"), (status = 416)))]
async fn get_download(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    PathText(ticket): PathText,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    let ticket = Ticket::verify(&ticket, &Keyring::new(&app.config)).ok_or_else(|| {
        Problem::new(Code::NotFound, "There is no such download. Get a new URL with POST /api/downloads.")
    })?;
    check_age(&ticket, &headers, app.now())?;
    let user = app.accounts().account_of(&ticket.user).await?;
    let actor = Actor { principal: Principal::user(user.id), caller, claim: None };
    let service = R2StorageService::new(app.clone(), actor);
    let file = service.find_readable(ticket.file).await?;
    if file.entity_tag() != ticket.version {
        return Err(gone("The file has changed since this URL was made."));
    }
    match &ticket.recipe {
        None => send_file(&app, &service, &file, &headers).await,
        Some(recipe) => send_cut(&app, service, file.id, cut_of_body(recipe)?, (&method, &headers)).await,
    }
}

/// Checks that the download begins, or goes on, in time.
fn check_age(ticket: &Ticket, headers: &HeaderMap, now: Timestamp) -> Result<()> {
    let is_rest = ticket.recipe.is_none()
        && headers.get(RANGE).and_then(|range| range.to_str().ok()).is_some_and(starts_after_the_first_byte);
    let limit_s = if is_rest { RESUME_WITHIN_S } else { BEGIN_WITHIN_S };
    let age_s = now.instant().timestamp() - ticket.issued_at_s;
    if (0..limit_s).contains(&age_s) { Ok(()) } else { Err(gone("This URL has expired.")) }
}

/// Whether a `Range` is one range that starts after the first byte, such as `bytes=1000-`.
fn starts_after_the_first_byte(range: &str) -> bool {
    let first = range.strip_prefix("bytes=").and_then(|range| range.split('-').next());
    !range.contains(',') && first.and_then(|first| first.parse::<u64>().ok()).is_some_and(|first| first > 0)
}

fn gone(reason: &str) -> Problem {
    Problem::new(Code::Gone, format!("{reason} Get a new URL with POST /api/downloads."))
}
