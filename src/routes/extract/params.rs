//! Query parameters, with problem documents for what cannot be read.
//!
//! A parameter that the description of an operation does not name is refused, by all routes alike ([`refuse_unknown`]):
//! a misspelt `limit` must not give an answer without a limit. The description is the only list of names.

use axum::extract::{FromRequestParts, Query, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Uri;
use http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::openapi::path::{Operation, ParameterIn, Paths};
use utoipa::openapi::{PathItem, RefOr, Response as Described};

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

/// In the description of an operation whose parameters are named after columns. It refuses by itself what it does not
/// know, and reads a file's columns first.
const FILTERS: &str = "column__op";

/// Lets a request pass whose parameters are all named by the description.
pub async fn refuse_unknown(description: fn() -> Operation, request: Request, next: Next) -> Response {
    match unknown(description, request.uri()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn unknown(description: fn() -> Operation, uri: &Uri) -> Option<Problem> {
    uri.query().filter(|query| !query.is_empty())?;
    // A query that is no list of pairs is for the handler to refuse.
    let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let described = description().parameters.unwrap_or_default();
    let of_query = described.iter().filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.as_str()),
        RefOr::T(_) | RefOr::Ref(_) => None,
    });
    let known: Vec<_> = of_query.collect();
    let (name, _) = given.iter().find(|(name, _)| !known.contains(&name.as_str()))?;
    if known.contains(&FILTERS) {
        return None;
    }
    let there_are = match known.is_empty() {
        true => "This request takes none".to_owned(),
        false => format!("The parameters are {}", known.join(", ")),
    };
    let detail = format!("There is no query parameter {name:?} here. {there_are}.");
    Some(Problem::new(Code::UnknownOption, detail).with("option", name.as_str()).with("known", known))
}

/// Says of every operation how it answers a parameter it does not know.
pub fn describe_refusal(paths: &mut Paths) {
    for operation in paths.paths.values_mut().flat_map(operations) {
        let refused = || RefOr::T(Described::new("unknown_option: a query parameter that is not named here"));
        operation.responses.responses.entry("400".to_owned()).or_insert_with(refused);
    }
}

/// The operations at a path.
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
