//! Query parameters.
//!
//! All routes refuse a parameter that the description of their operation does not name ([`refuse_unknown`]). Otherwise
//! a request with a misspelled `limit` would be handled as a request without a limit. The descriptions are the only
//! lists of the names.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Uri;
use http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::openapi::path::{Operation, Paths};
use utoipa::openapi::{PathItem, RefOr, Response as Described};

use crate::csv::request::input::QUOTE_CHARACTER;
use crate::error::{Code, Problem, Result, sentence};
use crate::http::pagination::InvalidPage;
use crate::routes::parameters::names_of;

/// The query, parsed into `T`.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let text = rejection.body_text();
                let message = text.rsplit("query string: ").next().unwrap_or_default().trim_end_matches('.');
                let detail = format!("The query cannot be read: {message}. Send each parameter once.");
                Err(Problem::new(Code::BadRequest, detail))
            }
        }
    }
}

/// In the description of an operation, this parameter stands for all conditions of a filter. The description cannot
/// list their names, because each name contains the name of a column. An operation with this parameter refuses unknown
/// parameters itself, after it has read the columns of the file.
const FILTERS: &str = "column__op";

/// Middleware: refuses a request with a query parameter that the description of its operation does not name.
pub async fn refuse_unknown(operation: Arc<str>, request: Request, next: Next) -> Response {
    match unknown(&operation, request.uri()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn unknown(operation: &str, uri: &Uri) -> Option<Problem> {
    uri.query().filter(|query| !query.is_empty())?;
    // The handler refuses a query that is not a list of pairs.
    let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let known: Vec<_> = names_of(operation).query.iter().map(String::as_str).collect();
    let is_known = |name: &str| known.contains(&if name == "quote" { QUOTE_CHARACTER } else { name });
    let (name, _) = given.iter().find(|(name, _)| !is_known(name))?;
    if known.contains(&FILTERS) {
        return None;
    }
    let allowed = match known.is_empty() {
        true => "This route has no query parameters".to_owned(),
        false => format!("The parameters are {}", known.join(", ")),
    };
    let detail = format!("There is no query parameter {name:?}. {allowed}.");
    Some(Problem::new(Code::UnknownOption, detail).with("option", name.as_str()).with("known", known))
}

/// Adds the response 400, for an unknown query parameter, to the description of every operation.
pub fn describe_unknown_parameter(paths: &mut Paths) {
    for operation in paths.paths.values_mut().flat_map(operations) {
        let refused = || {
            RefOr::T(Described::new("unknown_option: a query parameter that this operation does not have"))
        };
        operation.responses.responses.entry("400".to_owned()).or_insert_with(refused);
    }
}

/// Returns the operations of a path.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let reading = [&mut item.get, &mut item.head, &mut item.options];
    let changing = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    reading.into_iter().chain(changing).flatten()
}

impl From<InvalidPage> for Problem {
    fn from(error: InvalidPage) -> Self {
        Self::new(Code::BadRequest, sentence(&error))
    }
}
