//! Routes with their handlers and their OpenAPI descriptions.
//!
//! Making all descriptions takes much longer than handling a request. `utoipa_axum` makes all descriptions when it
//! makes the router, so the first request of each isolate would wait for the descriptions. Therefore each [`Route`] has
//! a function that makes its description. Cutty calls these functions only when a client requests the OpenAPI
//! description.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::routing::MethodRouter;
use utoipa::Path;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{HttpMethod, Paths};
use utoipa_axum::PathItemExt;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::access;
use super::extract::{identity, observed, params, unread_headers};
use crate::app::SharedApp;

/// A path with the handlers of its methods.
pub struct Route {
    path: String,
    handlers: MethodRouter<SharedApp>,
    describe: fn() -> UtoipaMethodRouter<SharedApp>,
    amendments: Vec<fn(&mut Paths)>,
}

impl Route {
    /// Makes a route without handlers, at the path that `P` describes.
    pub fn at<P: Path>(describe: fn() -> UtoipaMethodRouter<SharedApp>) -> Self {
        Self { path: P::path(), handlers: MethodRouter::new(), describe, amendments: Vec::new() }
    }

    /// Adds a handler for the methods that `P` describes.
    pub fn on<P: Path, H: Handler<T, SharedApp>, T: 'static>(mut self, handler: H) -> Self {
        for method in P::methods() {
            let named_only = from_fn(|request, next| params::refuse_unknown(P::operation, request, next));
            let read_only =
                from_fn(|request, next| unread_headers::refuse_unread(P::operation, request, next));
            let layered = handler.clone().layer(named_only).layer(read_only);
            let filter = method.to_method_filter();
            self.handlers = match access::rule_of(name_of(&method), &self.path) {
                Some(_) => self.handlers.on(filter, layered),
                None => self.handlers.on(filter, access::refuse),
            };
        }
        self
    }

    /// Changes the handlers of the route, for example to add a layer.
    pub fn map(mut self, change: impl FnOnce(MethodRouter<SharedApp>) -> MethodRouter<SharedApp>) -> Self {
        self.handlers = change(self.handlers);
        self
    }

    /// Adds a function that amends the description of the route. For example, the function adds the header that a layer
    /// reads.
    pub fn amend_description(mut self, amend: fn(&mut Paths)) -> Self {
        self.amendments.push(amend);
        self
    }
}

fn name_of(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Delete => "DELETE",
        HttpMethod::Options => "OPTIONS",
        HttpMethod::Head => "HEAD",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Trace => "TRACE",
    }
}

/// Makes a [`Route`] from handlers that have the attribute `#[utoipa::path]`. All handlers must have the same path.
macro_rules! route {
    ($first:ident $(, $other:ident)* $(,)?) => {
        utoipa_axum::paste! {
            $crate::routes::table::Route::at::<[<__path_ $first>]>(|| utoipa_axum::routes!($first $(, $other)*))
                .on::<[<__path_ $first>], _, _>($first)
                $(.on::<[<__path_ $other>], _, _>($other))*
        }
    };
}
pub(crate) use route;

/// A list of routes, in the order in which the OpenAPI description lists them.
#[derive(Default)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Makes an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route.
    pub fn route(mut self, route: Route) -> Self {
        self.0.push(route);
        self
    }

    /// Adds all routes of another list.
    pub fn merge(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Makes a router with these routes.
    pub fn router(self) -> Router<SharedApp> {
        let routes = self.0.into_iter();
        let router = routes.fold(Router::new(), |router, route| router.route(&route.path, route.handlers));
        router.route_layer(from_fn(access::control)).route_layer(from_fn(observed::observe_route))
    }

    /// Adds the description of these routes to `base`, and returns the result.
    pub fn description(self, base: OpenApi) -> OpenApi {
        let described = self.0.into_iter().fold(OpenApiRouter::with_openapi(base), |described, route| {
            let (schemas, mut paths, handlers) = (route.describe)();
            for amend in route.amendments {
                amend(&mut paths);
            }
            params::describe_unknown_parameter(&mut paths);
            identity::describe_forbidden(&mut paths);
            unread_headers::describe_conditions(&mut paths);
            described.routes((schemas, paths, handlers))
        });
        described.into_openapi()
    }
}
