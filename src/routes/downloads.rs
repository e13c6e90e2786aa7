//! `/api/downloads`: tickets with which a browser downloads by itself.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::TimeDelta;
use http::header::{IF_MATCH, IF_RANGE, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::conditions::Conditions;
use super::cuts::{ClientOptions, CutBody, cut_of_body, result_name, send_cut_of};
use super::extract::body::JsonBody;
use super::extract::limits::Limits;
use super::extract::storage::{PathText, Storage};
use super::file::send_file;
use crate::app::SharedApp;
use crate::auth::ticket::{BEGIN_WITHIN_S, MAX_RECIPE_BYTES, RESUME_WITHIN_S, Ticket, Version};
use crate::auth::token::Keyring;
use crate::csv::request::CutRequest;
use crate::cuts::open::recipe_sha256;
use crate::domain::caller::Caller;
use crate::domain::ids::FileId;
use crate::domain::principal::{Principal, Scope};
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::http::range::{self, Ranges};
use crate::routes::table::{Routes, route};
use crate::storage::R2StorageService;
use crate::storage::actor::Actor;
use crate::storage::file::FileRow;

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
    /// Path and ticket. The URL needs no other credentials, so keep it secret.
    url: String,
    /// Time by which the download must begin.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// SHA-256 of the recipe of the cut, 64 hex digits; null if the bytes of the file are downloaded. The receipt of the
    /// download has the same `recipeSha256`.
    recipe_sha256: Option<String>,
}

/// Makes a URL with which a browser downloads a file or a cut by itself.
///
/// The download must begin within 5 minutes. The rest of a download of a file that broke can be requested within 24
/// hours, with `Range` and the ETag of the file in `If-Range` or `If-Match`. The URL ends earlier if the bytes of the
/// file change, or if the file is trashed or deleted. Costs 2 D1 reads.
#[utoipa::path(post, path = "/api/downloads", tag = "files", request_body = DownloadRequest,
    responses((status = 201, body = DownloadResponse), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422), (status = 507)))]
async fn post_download(
    State(app): State<SharedApp>,
    Storage(service): Storage,
    JsonBody(body): JsonBody<DownloadRequest>,
) -> Result<Response> {
    let id = FileId::parse(&body.file_id).ok_or_else(Problem::no_such_file)?;
    let recipe = body.recipe.map(|CutBody(recipe)| checked_recipe(recipe)).transpose()?;
    if recipe.is_some() {
        service.check_scope(Scope::Cut, id)?;
    }
    let file = match &recipe {
        None => service.find_readable(id).await?,
        Some(_) => service.find_to_cut(id).await?,
    };
    let recipe_sha256 = recipe.as_ref().map(|(_, request)| recipe_sha256(&file, request)).transpose()?;
    let recipe = recipe.map(|(recipe, _)| recipe);
    let now = app.now();
    let principal = match &service.actor.principal {
        // The role is a fact of the account. A download needs no role.
        Principal::User { id, .. } => Principal::user(id.clone()),
        other => other.clone(),
    };
    let ticket = Ticket {
        principal,
        file: file.id,
        version: Version::of(&file.entity_tag()),
        recipe,
        issued_at_s: now.instant().timestamp(),
    };
    let url = format!("/api/downloads/{}", ticket.sign(&Keyring::new(&app.config))?);
    let location = HeaderValue::from_str(&url).map_err(Problem::internal)?;
    let expires_at = now.plus(TimeDelta::seconds(BEGIN_WITHIN_S));
    let download = DownloadView { url, expires_at, recipe_sha256 };
    let body = Json(DownloadResponse { success: true, download });
    Ok((StatusCode::CREATED, [(LOCATION, location)], body).into_response())
}

fn checked_recipe(recipe: Value) -> Result<(Value, CutRequest)> {
    let request = cut_of_body(&recipe)?;
    request.filename.as_deref().map(result_name).transpose()?;
    let bytes = recipe.to_string().len();
    if bytes > MAX_RECIPE_BYTES {
        let detail = format!(
            "The recipe has {bytes} bytes; a URL holds at most {MAX_RECIPE_BYTES}. Save the cut, and download the saved file."
        );
        return Err(Problem::new(Code::TooLarge, detail).with("limit", MAX_RECIPE_BYTES));
    }
    Ok((recipe, request))
}

/// Downloads what a ticket allows.
///
/// A file supports conditions and ranges, like `GET /api/files/{id}`. Costs 2 D1 reads, and 1 R2 read for each range; a
/// cut costs what `POST /api/files/{id}/cut` costs.
#[utoipa::path(get, path = "/api/downloads/{ticket}", tag = "files", security(()),
    params(("ticket" = String, Path, description = "The ticket, from POST /api/downloads"), Conditions),
    responses((status = 200, content_type = "text/csv"), (status = 206), (status = 400), (status = 404),
        (status = 410, description = "gone: the ticket has expired, or the file has changed"), (status = 413),
        (status = 416), (status = 422), (status = 429), (status = 507)))]
async fn get_download(
    State(app): State<SharedApp>,
    Extension(caller): Extension<Caller>,
    PathText(ticket): PathText,
    method: Method,
    headers: HeaderMap,
    Extension(limits): Extension<Limits>,
) -> Result<Response> {
    let ticket = Ticket::verify(&ticket, &Keyring::new(&app.config)).ok_or_else(|| {
        Problem::new(Code::NotFound, "There is no such download. Get a new URL with POST /api/downloads.")
    })?;
    let stage = Stage::of(&ticket, &headers, app.now())?;
    if !app.keys().may_still_act(&ticket.principal).await? {
        return Err(Problem::no_such_file());
    }
    let actor = Actor { principal: ticket.principal.clone(), caller, claim: None };
    let service = R2StorageService::new(app.clone(), actor);
    let file = match &ticket.recipe {
        None => service.find_readable(ticket.file).await?,
        // The owner may have taken back the permission to cut.
        Some(_) => {
            let found = service.find_to_cut(ticket.file).await;
            found.map_err(|problem| match problem.code() {
                Code::Forbidden => Problem::no_such_file(),
                _ => problem,
            })?
        }
    };
    if !ticket.version.is_of(&file.entity_tag()) {
        return Err(gone("The file has changed since this URL was made."));
    }
    let sent = (&method, &headers);
    let Some(recipe) = &ticket.recipe else {
        stage.check_range(&headers, &file)?;
        return send_file(&app, &service, &file, sent).await;
    };
    let client = ClientOptions::from_head(sent)?;
    send_cut_of((&app, &limits), service, file, cut_of_body(recipe)?, client, sent).await
}

/// What a request with a ticket may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Everything: the ticket is new.
    Begin,
    /// Only the rest of the file.
    Resume,
}

impl Stage {
    /// Decides from the age of the ticket and the headers of the request.
    ///
    /// # Errors
    /// `gone` if the request comes too late.
    fn of(ticket: &Ticket, headers: &HeaderMap, now: Timestamp) -> Result<Self> {
        let age_s = now.instant().timestamp() - ticket.issued_at_s;
        if (0..BEGIN_WITHIN_S).contains(&age_s) {
            return Ok(Self::Begin);
        }
        let may_resume = (0..RESUME_WITHIN_S).contains(&age_s) && ticket.recipe.is_none();
        if may_resume && headers.contains_key(RANGE) && knows_version(headers, &ticket.version) {
            return Ok(Self::Resume);
        }
        Err(gone("This URL has expired."))
    }

    /// Checks that the request gets no more than the stage allows.
    ///
    /// # Errors
    /// `gone` if the response to a late request would contain the first byte, or several ranges.
    fn check_range(self, headers: &HeaderMap, file: &FileRow) -> Result<()> {
        if self == Self::Begin {
            return Ok(());
        }
        let range = headers.get(RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
        match range::parse(range, file.file_size) {
            Ranges::Unsatisfiable => Ok(()),
            Ranges::Satisfiable(ranges) if matches!(ranges[..], [range] if range.start() > 0) => Ok(()),
            Ranges::Satisfiable(_) | Ranges::Whole => Err(gone("This URL has expired.")),
        }
    }
}

/// Whether a request has the entity tag of the file. A client that continues a download sends the tag of the first
/// response: in `If-Range`, or in `If-Match`. If the request has both headers, `If-Range` must have the tag, because
/// otherwise the response is the whole file.
fn knows_version(headers: &HeaderMap, version: &Version) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (headers.contains_key(IF_RANGE), text(IF_RANGE), text(IF_MATCH)) {
        (true, tag, _) => tag.is_some_and(|tag| version.is_of(tag.trim())),
        (false, _, Some(tags)) => tags.split(',').any(|tag| version.is_of(tag.trim())),
        (false, _, None) => false,
    }
}

fn gone(reason: &str) -> Problem {
    Problem::new(Code::Gone, format!("{reason} Get a new URL with POST /api/downloads."))
}
