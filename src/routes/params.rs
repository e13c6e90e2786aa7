//! Query parameters, with problem documents for what cannot be read.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::{Code, Problem, Result, sentence};
use crate::http::pagination::InvalidPage;

/// The query read into `T`.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let text = rejection.body_text();
                let fault = text.rsplit("query string: ").next().unwrap_or_default().trim_end_matches('.');
                let detail = format!("The query cannot be read: {fault}. Give each parameter once.");
                Err(Problem::new(Code::BadRequest, detail))
            }
        }
    }
}

impl From<InvalidPage> for Problem {
    fn from(error: InvalidPage) -> Self {
        Self::new(Code::BadRequest, sentence(&error))
    }
}
