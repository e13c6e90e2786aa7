//! Extractors for handlers of files: the storage service of the signed-in user, and ids from the path.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::identity::Authenticated;
use crate::app::SharedApp;
use crate::domain::caller::Caller;
use crate::domain::ids::FileId;
use crate::domain::principal::Principal;
use crate::error::Problem;
use crate::idempotency::Claim;
use crate::storage::R2StorageService;
use crate::storage::actor::Actor;

/// The storage service of the signed-in user.
pub struct Storage(pub R2StorageService);

impl FromRequestParts<SharedApp> for Storage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let Authenticated(principal) = Authenticated::from_request_parts(parts, app).await?;
        Ok(Self(service_of(principal, parts, app)))
    }
}

fn service_of(principal: Principal, parts: &Parts, app: &SharedApp) -> R2StorageService {
    let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_default();
    let claim = parts.extensions.get::<Claim>().cloned();
    R2StorageService::new(app.clone(), Actor { principal, caller, claim })
}

/// The parameter in a path; empty if the parameter is not UTF-8. No resource has an empty id.
pub struct PathText(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(text)| text).unwrap_or_default()))
    }
}

/// The id of the file in a path. Text that is not an id is treated as the id of a file that does not exist.
pub struct FilePath(pub FileId);

impl FromRequestParts<SharedApp> for FilePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let id = path.ok().and_then(|Path(text)| FileId::parse(&text));
        id.map(Self).ok_or_else(Problem::no_such_file)
    }
}
