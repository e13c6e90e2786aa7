//! Uploads through a link: the body is the file, or a form.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, SharedApp};
use crate::domain::caller::Caller;
use crate::error::{Code, Problem, Result};
use crate::routes::extract::body::UploadBody;
use crate::routes::extract::file_headers::form_boundary;
use crate::routes::{files, form};
use crate::shares::opened::OpenedShare;
use crate::storage::file::FileRow;

/// A file that was uploaded through a link.
#[derive(Serialize, ToSchema)]
pub struct ReceivedResponse {
    success: bool,
    file: ReceivedFile,
}

/// What the sender of a file may know about it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReceivedFile {
    /// Name of the file.
    filename: String,
    /// Size in bytes.
    size: u64,
    /// Media type.
    content_type: String,
    /// SHA-256 of the bytes, 64 hex digits.
    checksum: Option<String>,
}

impl From<FileRow> for ReceivedResponse {
    fn from(row: FileRow) -> Self {
        let file = ReceivedFile {
            filename: row.filename,
            size: row.file_size,
            content_type: row.mime_type,
            checksum: row.checksum,
        };
        Self { success: true, file }
    }
}

/// Stores the file of a request.
///
/// # Errors
/// The errors of an upload; `gone` if the share takes no more files, or not files of this type.
pub async fn store(
    app: &SharedApp,
    shared: &OpenedShare,
    caller: Caller,
    headers: &HeaderMap,
    upload: UploadBody,
) -> Result<Response> {
    let service = shared.storage(app, caller);
    let limit_bytes = limit_of(app, shared).min(app.config.max_file_size_bytes);
    let stored = match form_boundary(headers)? {
        Some(boundary) => {
            let form =
                form::FormRequest { headers, boundary: &boundary, limit_bytes, takes_description: false };
            form::store(app, &service, upload, form).await
        }
        None => files::store_raw(app, &service, headers, upload, limit_bytes).await,
    };
    let row = match stored {
        Ok(row) => row,
        Err(problem) => return Err(explained(app, shared, problem, limit_bytes).await),
    };
    Ok((StatusCode::CREATED, Json(ReceivedResponse::from(row))).into_response())
}

/// Returns the problem that says why a link did not take a file.
async fn explained(app: &App, shared: &OpenedShare, problem: Problem, limit_bytes: u64) -> Problem {
    match problem.code() {
        Code::TooLarge => too_large(limit_bytes),
        Code::QuotaExceeded => no_space(),
        // The link still takes files, so it does not take files of this type.
        Code::Gone if OpenedShare::find_again(app, shared).await.is_ok() => wrong_type(shared),
        _ => problem,
    }
}

/// Returns the problem for a file for which its receiver has no space.
pub fn no_space() -> Problem {
    let detail = "The receiver has no space for this file now. Tell the person who sent you the link.";
    Problem::new(Code::QuotaExceeded, detail)
}

/// Returns the problem for a file whose type a link does not take.
pub fn wrong_type(shared: &OpenedShare) -> Problem {
    let types = shared.row.content_types();
    let detail = format!("This link takes only files of the type {}. Send such a file.", types.join(" or "));
    Problem::new(Code::UnsupportedType, detail).with("contentTypes", types)
}

/// Returns the greatest size of a file that a share takes, in bytes.
pub fn limit_of(app: &App, shared: &OpenedShare) -> u64 {
    let most = app.config.max_upload_size_bytes;
    shared.row.max_bytes.map_or(most, |bytes| bytes.min(most))
}

/// Returns the problem for a file over the limit of a request with a link.
pub fn too_large(limit_bytes: u64) -> Problem {
    let detail = format!(
        "Here, this link takes files of at most {limit_bytes} bytes. GET its info for the greatest size of a file: if that \
         is larger, send the file by tus. Otherwise, send a smaller file."
    );
    Problem::new(Code::TooLarge, detail).with("limitBytes", limit_bytes)
}
