//! The response to a request that has had its effect before: made again from the file, or the upload, as it is now.

use axum::response::{IntoResponse, Response};
use futures_core::future::BoxFuture;
use http::StatusCode;

use super::cuts::saved;
use super::responses::{created, deleted_for_good, with_metadata_tag};
use super::{multipart, uploads};
use crate::error::{Problem, Result};
use crate::idempotency::{Done, Effect};
use crate::storage::R2StorageService;

/// Responds to a request with this effect on record.
pub fn respond(done: Done, service: R2StorageService) -> BoxFuture<'static, Result<Response>> {
    Box::pin(async move {
        let registered = || Problem::internal("an account made under a user's key");
        let owner = service.allow_replay(Some(&done.effect))?.ok_or_else(registered)?;
        match done.effect {
            Effect::Created { file } => created(service.fetch(owner, file).await?),
            Effect::Saved { file, cut } => saved(service.fetch(owner, file).await?, cut),
            Effect::Changed { file } => with_metadata_tag(service.fetch(owner, file).await?),
            Effect::Purged { .. } => Ok(deleted_for_good()),
            Effect::Begun { upload } => uploads::begun(&service.upload_begun(upload, &done).await?),
            Effect::BegunInParts { upload } => {
                let upload = service.find_multipart(upload).await?;
                let stored = service.count_parts(&upload).await?;
                multipart::begun(&upload, stored)
            }
            Effect::GivenUp { .. } => Ok(StatusCode::NO_CONTENT.into_response()),
            Effect::Registered => Err(registered()),
        }
    })
}
