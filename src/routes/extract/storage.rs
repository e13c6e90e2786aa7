//! Who is asking, for handlers of files: a signed-in user and the facts the log wants.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::identity::{Authenticated, Holder};
use crate::app::SharedApp;
use crate::domain::caller::Caller;
use crate::domain::ids::FileId;
use crate::domain::principal::Principal;
use crate::error::Problem;
use crate::idempotency::Claim;
use crate::storage::R2StorageService;
use crate::storage::actor::Actor;

/// The storage service of the user who asks.
pub struct Storage(pub R2StorageService);

impl FromRequestParts<SharedApp> for Storage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let Authenticated(principal) = Authenticated::from_request_parts(parts, app).await?;
        Ok(Self(service_of(principal, parts, app)))
    }
}

/// The storage service of whoever holds a token, for the steps of an upload: its session looks at their account once a
/// minute, not with every step.
pub struct SessionStorage(pub R2StorageService);

impl FromRequestParts<SharedApp> for SessionStorage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let Holder(principal) = Holder::from_request_parts(parts, app).await?;
        Ok(Self(service_of(principal, parts, app)))
    }
}

fn service_of(principal: Principal, parts: &Parts, app: &SharedApp) -> R2StorageService {
    let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_default();
    let claim = parts.extensions.get::<Claim>().cloned();
    R2StorageService::new(app.clone(), Actor { principal, caller, claim })
}

/// The text in a path; empty, which names nothing, where it is no UTF-8.
pub struct PathText(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(text)| text).unwrap_or_default()))
    }
}

/// The file a path names; text that is no id names a file that does not exist.
pub struct FilePath(pub FileId);

impl FromRequestParts<SharedApp> for FilePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let id = path.ok().and_then(|Path(text)| FileId::parse(&text));
        id.map(Self).ok_or_else(Problem::no_such_file)
    }
}
