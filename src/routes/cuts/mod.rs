//! Cuts: `/api/files/{id}/cut`, `/save`, `/rows`, `/columns`, `/fields`, and `/api/cuts/{id}`.

mod body;
mod describe;
mod rows;
mod save;
mod send;

pub use save::saved;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::csv::request::CutRequest;
use crate::cut::receipt::ReceiptView;
use crate::cut::{CutService, request_problem};
use crate::error::{Code, Problem, Result};
use crate::http::filename::Filename;
use crate::routes::actor::{PathText, Storage};
use crate::routes::params::Params;
use crate::routes::table::{Routes, route};
use crate::storage::file::FileRow;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .merge(send::routes())
        .merge(save::routes())
        .merge(describe::routes())
        .merge(rows::routes())
        .route(route!(get_receipt))
}

type Pairs = Params<Vec<(String, String)>>;

fn borrowed(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// A request that only says how to read a file, and these of a cut's options.
fn reading_request(pairs: &[(String, String)], allowed: &[&str]) -> Result<CutRequest> {
    let reading = ["inputHeader", "delimiter", "encoding"];
    let known = |name: &str| reading.contains(&name) || allowed.contains(&name);
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !known(name)) {
        let known: Vec<_> = allowed.iter().chain(&reading).copied().collect();
        let detail = format!("There is no option {name:?} here. The options are {}.", known.join(", "));
        return Err(Problem::new(Code::UnknownOption, detail)
            .with("option", name.as_str())
            .with("known", known));
    }
    CutRequest::from_query(borrowed(pairs)).map_err(request_problem)
}

fn derived_name(file: &FileRow, extension: &str) -> Result<Filename> {
    Ok(Filename::parse(&file.filename).map_err(Problem::internal)?.derived("cut", extension))
}

/// A receipt.
#[derive(Debug, Serialize, ToSchema)]
struct ReceiptAnswer {
    success: bool,
    cut: ReceiptView,
}

/// What a cut did and whether it is complete. Costs 2 D1 reads.
#[utoipa::path(get, path = "/api/cuts/{id}", tag = "cuts", params(("id" = String, Path)),
    responses((status = 200, body = ReceiptAnswer), (status = 401), (status = 404)))]
async fn get_receipt(Storage(storage): Storage, PathText(id): PathText) -> Result<Json<ReceiptAnswer>> {
    let cut = CutService::new(storage).receipt(&id).await?;
    Ok(Json(ReceiptAnswer { success: true, cut }))
}
