//! Replays: the response to a repeated request, made from the recorded effect and the current state of the file or
//! upload.

use axum::response::{IntoResponse, Response};
use futures_core::future::BoxFuture;
use http::{Method, StatusCode};

use super::cuts::saved_cut;
use super::responses::{created_file, file_with_metadata_tag, permanently_deleted};
use super::{multipart, uploads};
use crate::error::{Problem, Result};
use crate::idempotency::{Done, Effect};
use crate::storage::R2StorageService;

/// Responds to a repeated request with this method, whose effect is recorded.
pub fn respond(
    method: Method,
    done: Done,
    service: R2StorageService,
) -> BoxFuture<'static, Result<Response>> {
    Box::pin(async move {
        let registered =
            || Problem::internal("the idempotency key of a user has the effect of a registration");
        let owner = service.allow_replay(Some(&done.effect))?.ok_or_else(registered)?;
        match done.effect {
            Effect::Created { file } => created_file(service.fetch_stored(owner, file).await?),
            Effect::Saved { file, cut } => saved_cut(service.fetch_stored(owner, file).await?, cut),
            Effect::Changed { file } => {
                file_with_metadata_tag(service.fetch_changed(owner, file, &method).await?)
            }
            Effect::Purged { .. } => Ok(permanently_deleted()),
            Effect::Begun { upload } => {
                uploads::created_upload(&service.find_created_upload(upload, &done).await?)
            }
            Effect::BegunInParts { upload } => {
                let upload = service.find_multipart(upload).await?;
                let stored = service.count_parts(&upload).await?;
                multipart::created_multipart(&upload, stored)
            }
            Effect::GivenUp { .. } => Ok(StatusCode::NO_CONTENT.into_response()),
            Effect::Registered => Err(registered()),
        }
    })
}
