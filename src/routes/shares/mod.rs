//! `/api/shares` and `/api/files/{id}/share`: shares, for the owner of the files.

use std::sync::OnceLock;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode, Uri};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{App, SharedApp};
use crate::cuts::CutService;
use crate::cuts::memory::CUT_AND_PART;
use crate::domain::ids::{FileId, ShareId};
use crate::domain::principal::Scope;
use crate::domain::switch::Switch;
use crate::error::{Code, Problem, Result};
use crate::http::pagination;
use crate::routes::cuts::{CutBody, save};
use crate::routes::extract::body::JsonBody;
use crate::routes::extract::limits::Limits;
use crate::routes::extract::params::Params;
use crate::routes::extract::storage::{FilePath, PathText, Storage};
use crate::routes::table::{Routes, route};
use crate::shares::owned::{AccountTerms, OwnedShares};
use crate::shares::row::{May, ShareKind, ShareRow, no_such_share};

mod terms;
mod view;

use terms::{
    FileShareKind, MAX_ACCOUNT_EXPIRY_S, MAX_EXPIRY_S, SharePatch, ShareRequest, UploadLinkRequest,
    check_members, checked_expiry, link_terms, share_name, upload_terms,
};
use view::{ShareResponse, ShareView, SharesResponse};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new().route(route!(share_file)).route(route!(list_shares, make_upload_link)).route(route!(
        get_share,
        patch_share,
        delete_share
    ))
}

/// Query of the list of shares.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct ShareListParams {
    /// Number of shares on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// Start of the page: `nextCursor` of the previous page.
    cursor: Option<String>,
    /// Only shares of this file and of its cuts.
    file_id: Option<String>,
}

/// Shares a file: by a link to its bytes, by a link to a cut of it, or with another account.
///
/// The URL of a link is signed. It names the version of the file, the method, the expiry and the disposition, and ends
/// when the share expires, is used up or is revoked, and when the file is permanently deleted. While the file is in the
/// trash, the link does not work. A cut is stored as a file now, so the holder of the link learns of nothing else. An
/// account that already has a share of the file gets the new terms. An `Idempotency-Key` is ignored. Costs 3 D1 calls; a
/// cut costs what `POST /api/files/{id}/save` costs, and 1 D1 call.
#[utoipa::path(post, path = "/api/files/{id}/share", tag = "shares", params(("id" = String, Path)),
    request_body = ShareRequest,
    responses((status = 201, body = ShareResponse), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422), (status = 429), (status = 507)))]
async fn share_file(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    FilePath(id): FilePath,
    uri: Uri,
    Extension(limits): Extension<Limits>,
    JsonBody(body): JsonBody<ShareRequest>,
) -> Result<Response> {
    check_members(&body)?;
    storage.check_scope(Scope::Share, id)?;
    let shares = OwnedShares::new(storage.clone());
    let row = match body.kind {
        FileShareKind::Download => {
            let file = storage.find_own(id).await?;
            shares.share_file(&file, &link_terms(&app, body)?).await?
        }
        FileShareKind::Cut => {
            app.require_switches(&[Switch::Cuts]).await?;
            share_cut((&app, &limits), storage, &shares, id, body).await?
        }
        FileShareKind::Account => {
            let name = body.name.as_deref().map(share_name).transpose()?;
            let expires_in_s = checked_expiry(body.expires_in, MAX_ACCOUNT_EXPIRY_S)?;
            let terms = AccountTerms {
                username: body.username.as_deref().unwrap_or_default(),
                may: body.may.unwrap_or(May::Read),
                expires_in_s,
                name: name.as_deref(),
            };
            let file = storage.find_own(id).await?;
            shares.share_with_account(&file, &terms).await?
        }
    };
    created(&app, &uri, row)
}

async fn share_cut(
    (app, limits): (&SharedApp, &Limits),
    storage: crate::storage::R2StorageService,
    shares: &OwnedShares,
    id: FileId,
    body: ShareRequest,
) -> Result<ShareRow> {
    let Some(CutBody(recipe)) = &body.recipe else {
        let detail = "Send the cut as recipe: the body of POST /api/files/{id}/save.";
        return Err(Problem::new(Code::BadRequest, detail).with("field", "recipe"));
    };
    let request = save::request_of(recipe)?;
    let file = storage.find_own(id).await?;
    file.check_undamaged()?;
    let new = save::new_file(&file, &request)?;
    let terms = link_terms(app, body)?;
    let cuts = CutService::new(limits.admit_cut(storage, &file).await?);
    let prepared = cuts.prepare(file, request, CUT_AND_PART).await?;
    let made = OnceLock::new();
    let add = |file, attempt| {
        let prepared = shares.prepare_cut((file, attempt), id, &terms)?;
        made.get_or_init(|| (prepared.id, prepared.entry));
        Ok(prepared.statements)
    };
    cuts.save_with(prepared, new, &add).await?;
    let (share, entry) = made.into_inner().ok_or_else(|| Problem::internal("the share was not prepared"))?;
    app.audit().log(&entry);
    shares.get(share).await
}

/// Makes a link through which somebody uploads files into your account: in one request, as a form, or by tus.
///
/// The files count against your quota and get the tags of the link. The holder of the link sees the name of the link and
/// its limits, and no file. An `Idempotency-Key` is ignored. Costs 2 D1 calls.
#[utoipa::path(post, path = "/api/shares", tag = "shares", request_body = UploadLinkRequest,
    responses((status = 201, body = ShareResponse), (status = 400), (status = 401), (status = 413), (status = 415),
        (status = 422), (status = 507)))]
async fn make_upload_link(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    uri: Uri,
    JsonBody(body): JsonBody<UploadLinkRequest>,
) -> Result<Response> {
    let (terms, upload) = upload_terms(&app, body)?;
    let row = OwnedShares::new(storage).share_upload(&terms, &upload).await?;
    created(&app, &uri, row)
}

/// Lists your shares, the newest first. Shares that ended are listed for 30 days. Costs 2 D1 calls.
#[utoipa::path(get, path = "/api/shares", tag = "shares", params(ShareListParams),
    responses((status = 200, body = SharesResponse), (status = 400), (status = 401), (status = 404)))]
async fn list_shares(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    uri: Uri,
    Params(params): Params<ShareListParams>,
) -> Result<Json<SharesResponse>> {
    let limit = pagination::parse_limit(params.limit.as_deref())?;
    let bad_cursor = || {
        let detail = "The cursor is not valid: send nextCursor unchanged, or start again without a cursor.";
        Problem::new(Code::BadCursor, detail)
    };
    let before = match params.cursor.as_deref() {
        None => None,
        Some(text) => Some(ShareId::parse(text).ok_or_else(bad_cursor)?),
    };
    let file = match params.file_id.as_deref() {
        None => None,
        Some(id) => Some(FileId::parse(id).ok_or_else(Problem::no_such_file)?),
    };
    let page = OwnedShares::new(storage).list(file, before, limit).await?;
    let next_cursor = page.shares.last().filter(|_| page.has_more).map(|last| last.id.to_string());
    let shares = page.shares.into_iter().map(|row| ShareView::new(&app, &uri, row));
    Ok(Json(SharesResponse {
        success: true,
        shares: shares.collect::<Result<_>>()?,
        has_more: page.has_more,
        next_cursor,
    }))
}

/// Returns a share. Costs 2 D1 calls.
#[utoipa::path(get, path = "/api/shares/{id}", tag = "shares", params(("id" = String, Path)),
    responses((status = 200, body = ShareResponse), (status = 401), (status = 404)))]
async fn get_share(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    PathText(id): PathText,
    uri: Uri,
) -> Result<Json<ShareResponse>> {
    let row = OwnedShares::new(storage).get(share_id(&id)?).await?;
    Ok(Json(ShareResponse { success: true, share: ShareView::new(&app, &uri, row)? }))
}

/// Changes when a share ends. The response has a new link. The old link works until it would have ended, or until the new
/// expiry if that is earlier. Costs 3 D1 calls.
#[utoipa::path(patch, path = "/api/shares/{id}", tag = "shares", params(("id" = String, Path)),
    request_body = SharePatch,
    responses((status = 200, body = ShareResponse), (status = 400), (status = 401), (status = 404),
        (status = 410, description = "gone: the share was revoked"), (status = 413), (status = 415)))]
async fn patch_share(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    PathText(id): PathText,
    uri: Uri,
    JsonBody(body): JsonBody<SharePatch>,
) -> Result<Json<ShareResponse>> {
    let shares = OwnedShares::new(storage);
    let row = shares.get(share_id(&id)?).await?;
    let most_s = match row.kind {
        ShareKind::Account => MAX_ACCOUNT_EXPIRY_S,
        _ if body.expires_in.is_none() => {
            let detail = format!("A link has an end. Send expiresIn: 1 to {MAX_EXPIRY_S} seconds.");
            return Err(Problem::new(Code::BadRequest, detail).with("field", "expiresIn"));
        }
        _ => MAX_EXPIRY_S,
    };
    let row = shares.set_expiry(&row, checked_expiry(body.expires_in, most_s)?).await?;
    Ok(Json(ShareResponse { success: true, share: ShareView::new(&app, &uri, row)? }))
}

/// Revokes a share. Its link is refused from now on. A cut that was shared stays among your files. A repeated request
/// changes nothing. Costs 3 D1 calls.
#[utoipa::path(delete, path = "/api/shares/{id}", tag = "shares", params(("id" = String, Path)),
    responses((status = 200, body = ShareResponse), (status = 401), (status = 404)))]
async fn delete_share(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    PathText(id): PathText,
    uri: Uri,
) -> Result<Json<ShareResponse>> {
    let shares = OwnedShares::new(storage);
    let row = shares.revoke(&shares.get(share_id(&id)?).await?).await?;
    Ok(Json(ShareResponse { success: true, share: ShareView::new(&app, &uri, row)? }))
}

fn created(app: &App, uri: &Uri, row: ShareRow) -> Result<Response> {
    let location = HeaderValue::from_str(&format!("/api/shares/{}", row.id)).map_err(Problem::internal)?;
    let body = Json(ShareResponse { success: true, share: ShareView::new(app, uri, row)? });
    Ok((StatusCode::CREATED, [(LOCATION, location)], body).into_response())
}

fn share_id(text: &str) -> Result<ShareId> {
    ShareId::parse(text).ok_or_else(no_such_share)
}
