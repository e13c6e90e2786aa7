//! `/api/recipes`: cuts that a user has given a name, to run them on other files.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::cuts::{CutBody, cut_of_body, result_name, send_cut};
use super::extract::body::JsonBody;
use super::extract::limits::Limits;
use super::extract::name::checked_name;
use super::extract::params::Params;
use super::extract::storage::{PathText, Storage};
use crate::app::SharedApp;
use crate::cuts::CutService;
use crate::cuts::saved_recipes::{CheckedCut, RecipeChange, RecipeQuery, SavedRecipe};
use crate::domain::ids::FileId;
use crate::domain::principal::Scope;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::pagination::{self, Cursor, ListFingerprint};
use crate::routes::table::{Routes, route};

/// Returns the routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(route!(post_recipe, list_recipes))
        .route(route!(get_recipe, patch_recipe, delete_recipe))
        .route(route!(run_recipe))
}

/// Maximum length of the name of a recipe, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// A recipe to save.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecipeRequest {
    /// The name: one line of at most 255 bytes.
    name: String,
    /// The cut: a body for `POST /api/files/{id}/cut`, at most 64 KiB.
    #[schema(value_type = Object)]
    cut: CutBody,
}

/// Changes to a saved recipe. If a member is absent, its value is not changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecipePatch {
    /// The new name; not null.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String)]
    name: Option<String>,
    /// The new cut, which replaces the old cut; not null.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Object)]
    cut: Option<CutBody>,
}

/// Refuses null for a member that may be absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The file to cut.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RunRequest {
    /// Id of the file.
    file_id: String,
}

/// A saved recipe.
#[derive(Serialize, ToSchema)]
struct SavedRecipeResponse {
    success: bool,
    recipe: SavedRecipe,
}

/// A page of saved recipes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RecipeListResponse {
    success: bool,
    recipes: Vec<SavedRecipe>,
    has_more: bool,
    /// `cursor` for the next page; null on the last page.
    next_cursor: Option<String>,
}

/// A recipe that was deleted.
#[derive(Serialize, ToSchema)]
struct RecipeDeleted {
    success: bool,
}

/// Query of the list of recipes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct RecipeListParams {
    /// Number of recipes on a page: 1 to 1,000, default 50.
    limit: Option<String>,
    /// Start of the page: `nextCursor` of the previous page.
    cursor: Option<String>,
    /// Only recipes whose name contains this text; the case of ASCII letters is ignored.
    q: Option<String>,
    /// Id of a file. Then each recipe says whether the file has the columns that the recipe names.
    file_id: Option<String>,
}

/// Saves a cut under a name.
///
/// If you have a recipe with this name and the same cut, the response is that recipe. With another cut, the response is
/// 409. You can have 1,000 recipes. Costs 2 D1 calls.
#[utoipa::path(post, path = "/api/recipes", tag = "cuts", request_body = RecipeRequest,
    responses((status = 201, body = SavedRecipeResponse), (status = 400), (status = 401), (status = 409), (status = 413),
        (status = 415), (status = 422)))]
async fn post_recipe(Storage(storage): Storage, JsonBody(body): JsonBody<RecipeRequest>) -> Result<Response> {
    let (name, cut) = (recipe_name(&body.name)?, checked_cut(&body.cut)?);
    let recipe = CutService::new(storage).save_recipe(&name, &cut).await?;
    let location = format!("/api/recipes/{}", recipe.id);
    let location = HeaderValue::from_str(&location).map_err(Problem::internal)?;
    let body = Json(SavedRecipeResponse { success: true, recipe });
    Ok((StatusCode::CREATED, [(LOCATION, location)], body).into_response())
}

/// Lists your recipes by name.
///
/// A page ends early if its cuts have more than 512 KiB. Costs 2 D1 calls; with `fileId` 3 D1 calls, and 1 R2 read if the
/// profile of the file is not in the cache.
#[utoipa::path(get, path = "/api/recipes", tag = "cuts", params(RecipeListParams),
    responses((status = 200, body = RecipeListResponse), (status = 400), (status = 401), (status = 404), (status = 422)))]
async fn list_recipes(
    Storage(storage): Storage,
    Params(params): Params<RecipeListParams>,
) -> Result<Json<RecipeListResponse>> {
    let limit = pagination::parse_limit(params.limit.as_deref())?;
    let fingerprint = ListFingerprint::of(&["recipes", params.q.as_deref().unwrap_or_default()]);
    let cursor = params.cursor.as_deref().map(|cursor| Cursor::decode(cursor, fingerprint, false));
    let cursor = cursor.transpose().map_err(|error| Problem::new(Code::BadCursor, sentence(&error)))?;
    let file = match params.file_id.as_deref() {
        None => None,
        Some(id) => Some(FileId::parse(id).ok_or_else(Problem::no_such_file)?),
    };
    let query = RecipeQuery {
        name_part: params.q.as_deref(),
        after_name: cursor.as_ref().map_or("", |cursor| &cursor.sort_key),
        limit: limit.into(),
        file,
    };
    let page = CutService::new(storage).saved_recipes(&query).await?;
    let next_cursor = page.recipes.last().filter(|_| page.has_more).and_then(|last| {
        let (sort_key, id) = (last.name.clone(), last.id.clone());
        Cursor { sort_key, id, descending: false, fingerprint }.encode()
    });
    Ok(Json(RecipeListResponse {
        success: true,
        recipes: page.recipes,
        has_more: page.has_more,
        next_cursor,
    }))
}

/// Returns a saved recipe. Costs 2 D1 reads.
#[utoipa::path(get, path = "/api/recipes/{id}", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = SavedRecipeResponse), (status = 401), (status = 404)))]
async fn get_recipe(Storage(storage): Storage, PathText(id): PathText) -> Result<Json<SavedRecipeResponse>> {
    let recipe = CutService::new(storage).saved_recipe(Scope::Read, &id).await?;
    Ok(Json(SavedRecipeResponse { success: true, recipe }))
}

/// Changes the name or the cut of a saved recipe. Costs 2 D1 calls.
#[utoipa::path(patch, path = "/api/recipes/{id}", tag = "cuts", params(("id" = String, Path)),
    request_body = RecipePatch,
    responses((status = 200, body = SavedRecipeResponse), (status = 400), (status = 401), (status = 404), (status = 409),
        (status = 413), (status = 415), (status = 422)))]
async fn patch_recipe(
    Storage(storage): Storage,
    PathText(id): PathText,
    JsonBody(body): JsonBody<RecipePatch>,
) -> Result<Json<SavedRecipeResponse>> {
    let change = RecipeChange {
        name: body.name.as_deref().map(recipe_name).transpose()?,
        cut: body.cut.as_ref().map(checked_cut).transpose()?,
    };
    let recipe = CutService::new(storage).change_recipe(&id, &change).await?;
    Ok(Json(SavedRecipeResponse { success: true, recipe }))
}

/// Deletes a saved recipe. Receipts and saved cuts keep their own recipes. Costs 2 D1 calls.
#[utoipa::path(delete, path = "/api/recipes/{id}", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = RecipeDeleted), (status = 401), (status = 404)))]
async fn delete_recipe(Storage(storage): Storage, PathText(id): PathText) -> Result<Json<RecipeDeleted>> {
    CutService::new(storage).delete_recipe(&id).await?;
    Ok(Json(RecipeDeleted { success: true }))
}

/// Runs a saved recipe on a file, and streams the result like `POST /api/files/{id}/cut`.
///
/// The file must have every column that the recipe names. Costs 5 D1 calls, 2 R2 reads and 2 Durable
/// Object requests for the rate limit.
#[utoipa::path(post, path = "/api/recipes/{id}/run", tag = "cuts", params(("id" = String, Path)),
    request_body = RunRequest,
    responses((status = 200, content_type = "text/csv"), (status = 400), (status = 401), (status = 404), (status = 413),
        (status = 415), (status = 422), (status = 429), (status = 507)))]
async fn run_recipe(
    State(app): State<SharedApp>,
    Storage(storage): Storage,
    PathText(id): PathText,
    headers: HeaderMap,
    Extension(limits): Extension<Limits>,
    JsonBody(body): JsonBody<RunRequest>,
) -> Result<Response> {
    let file = FileId::parse(&body.file_id).ok_or_else(Problem::no_such_file)?;
    let recipe = CutService::new(storage.clone()).saved_recipe(Scope::Cut, &id).await?;
    send_cut((&app, &limits), storage, file, cut_of_body(&recipe.cut)?, (&Method::POST, &headers)).await
}

fn recipe_name(text: &str) -> Result<String> {
    checked_name(text, MAX_NAME_BYTES, "Name the recipe.")
}

fn checked_cut(CutBody(cut): &CutBody) -> Result<CheckedCut> {
    let request = cut_of_body(cut)?;
    request.filename.as_deref().map(result_name).transpose()?;
    CheckedCut::new(cut, &request)
}
