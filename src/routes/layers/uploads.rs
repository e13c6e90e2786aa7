//! Counts the requests that send bytes of a file, before anything else happens. To add the layer to a route, wrap its
//! `route!` in [`limit_uploads`].

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::Method;
use utoipa::openapi::path::Paths;
use utoipa::openapi::{RefOr, Response as Described};

use crate::routes::extract::identity::Authenticated;
use crate::routes::extract::limits::Limits;
use crate::routes::table::Route;

/// Adds the layer to a route. It counts each `POST`, `PUT` and `PATCH`. Must be outside the layer for `Idempotency-Key`:
/// a refused request makes no other call.
pub fn limit_uploads(route: Route) -> Route {
    route.map(|handlers| handlers.layer(from_fn(count_upload))).amend_description(describe_limit)
}

async fn count_upload(request: Request, next: Next) -> Response {
    let sends_bytes = [Method::POST, Method::PUT, Method::PATCH].contains(request.method());
    let extensions = request.extensions();
    if let (true, Some(limits), Some(Authenticated(principal))) =
        (sends_bytes, extensions.get::<Limits>(), extensions.get())
        && let Err(problem) = limits.admit_upload(principal).await
    {
        return problem.into_response();
    }
    next.run(request).await
}

fn describe_limit(paths: &mut Paths) {
    for item in paths.paths.values_mut() {
        let operations = [&mut item.post, &mut item.put, &mut item.patch].into_iter().flatten();
        for operation in operations {
            let text = "rate_limited: too many uploads in this minute, or another limit (see Retry-After)";
            let described = RefOr::T(Described::new(text));
            operation.responses.responses.insert("429".to_owned(), described);
        }
    }
}
