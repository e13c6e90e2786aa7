//! Query strings as handlers take them: one that cannot be read is a problem document like any other.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::{Code, Problem};

/// A query string read into `T`.
pub struct QueryOf<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => {
                let reason = error.body_text();
                let reason = reason.rsplit(": ").next().unwrap_or_default().to_owned();
                Err(Problem::new(Code::BadRequest, format!("The query string cannot be read: {reason}.")))
            }
        }
    }
}
