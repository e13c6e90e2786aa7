//! Routes with their handlers and their OpenAPI descriptions.
//!
//! Making all descriptions takes much longer than handling a request, and their code is a sixth of the Worker. So the
//! Worker does not contain them: tests make them natively and compare them with `clients/openapi.json`, which the Worker
//! serves, and with the names of the parameters ([`super::parameters`]).

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::routing::MethodRouter;
use utoipa::Path;
use utoipa::openapi::path::{HttpMethod, Paths};
use utoipa_axum::PathItemExt;

use super::access;
use super::extract::{observed, params, unread_headers};
use super::switched;
use crate::app::SharedApp;

/// A path with the handlers of its methods.
pub struct Route {
    path: String,
    handlers: MethodRouter<SharedApp>,
    description: description::OfRoute,
}

impl Route {
    /// Makes a route without handlers, at the path that `P` describes.
    pub fn at<P: Path>(description: description::OfRoute) -> Self {
        Self { path: P::path(), handlers: MethodRouter::new(), description }
    }

    /// Adds a handler for the methods that `P` describes.
    pub fn on<P: Path, H: Handler<T, SharedApp>, T: 'static>(mut self, handler: H) -> Self {
        for method in P::methods() {
            let operation: Arc<str> = format!("{} {}", name_of(&method), self.path).into();
            let read = operation.clone();
            let named_only =
                from_fn(move |request, next| params::refuse_unknown(operation.clone(), request, next));
            let read_only =
                from_fn(move |request, next| unread_headers::refuse_unread(read.clone(), request, next));
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
        self.description.amend(amend);
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

#[cfg(not(target_arch = "wasm32"))]
macro_rules! described {
    ($($handler:ident),*) => {
        $crate::routes::table::description::OfRoute::new(|| utoipa_axum::routes!($($handler),*))
    };
}
#[cfg(target_arch = "wasm32")]
macro_rules! described {
    ($($handler:ident),*) => {
        $crate::routes::table::description::OfRoute
    };
}
pub(crate) use described;

/// Makes a [`Route`] from handlers that have the attribute `#[utoipa::path]`. All handlers must have the same path.
macro_rules! route {
    ($first:ident $(, $other:ident)* $(,)?) => {
        utoipa_axum::paste! {
            $crate::routes::table::Route::at::<[<__path_ $first>]>(
                $crate::routes::table::described!($first $(, $other)*)
            )
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
        router
            .route_layer(from_fn(switched::refuse_switched_off))
            .route_layer(from_fn(access::control))
            .route_layer(from_fn(observed::observe_route))
    }
}

/// In the Worker, routes have no descriptions.
#[cfg(target_arch = "wasm32")]
pub mod description {
    use utoipa::openapi::path::Paths;

    /// The description of a route.
    pub struct OfRoute;

    impl OfRoute {
        /// Amends the description.
        pub(super) fn amend(&mut self, _: fn(&mut Paths)) {}
    }
}

/// The descriptions of the routes.
#[cfg(not(target_arch = "wasm32"))]
pub mod description {
    use utoipa::openapi::OpenApi;
    use utoipa::openapi::path::{Operation, ParameterIn, Paths};
    use utoipa::openapi::{PathItem, RefOr};
    use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

    use crate::app::SharedApp;
    use crate::routes::extract::{identity, params, unread_headers};
    use crate::routes::parameters::{AllNames, ParameterNames};
    use crate::routes::table::Routes;

    /// The description of a route.
    pub struct OfRoute {
        describe: fn() -> UtoipaMethodRouter<SharedApp>,
        amendments: Vec<fn(&mut Paths)>,
    }

    impl OfRoute {
        /// Makes the description of a route from a function that makes the descriptions of its handlers.
        pub fn new(describe: fn() -> UtoipaMethodRouter<SharedApp>) -> Self {
            Self { describe, amendments: Vec::new() }
        }

        /// Amends the description.
        pub(super) fn amend(&mut self, amend: fn(&mut Paths)) {
            self.amendments.push(amend);
        }
    }

    impl Routes {
        /// Adds the description of these routes to `base`, and returns the result.
        pub fn description(self, base: OpenApi) -> OpenApi {
            let described = self.0.into_iter().fold(OpenApiRouter::with_openapi(base), |described, route| {
                let (schemas, mut paths, handlers) = (route.description.describe)();
                for amend in route.description.amendments {
                    amend(&mut paths);
                }
                params::describe_unknown_parameter(&mut paths);
                identity::describe_forbidden(&mut paths);
                unread_headers::describe_conditions(&mut paths);
                described.routes((schemas, paths, handlers))
            });
            described.into_openapi()
        }

        /// Returns the names of the parameters of each operation.
        pub fn parameter_names(self) -> AllNames {
            let paths = self.0.into_iter().flat_map(|route| (route.description.describe)().1.paths);
            paths.flat_map(|(path, item)| names_of_path(&path, item)).collect()
        }
    }

    fn names_of_path(path: &str, item: PathItem) -> Vec<(String, ParameterNames)> {
        let PathItem { get, head, options, post, put, patch, delete, .. } = item;
        let methods = [
            ("GET", get),
            ("HEAD", head),
            ("OPTIONS", options),
            ("POST", post),
            ("PUT", put),
            ("PATCH", patch),
            ("DELETE", delete),
        ];
        let operations = methods.into_iter().filter_map(|(method, operation)| Some((method, operation?)));
        operations.map(|(method, operation)| (format!("{method} {path}"), names_in(&operation))).collect()
    }

    fn names_in(operation: &Operation) -> ParameterNames {
        let mut names = ParameterNames::default();
        for parameter in operation.parameters.iter().flatten() {
            match parameter {
                RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => {
                    names.query.push(parameter.name.clone());
                }
                RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Header => {
                    names.headers.push(parameter.name.to_ascii_lowercase());
                }
                RefOr::T(_) | RefOr::Ref(_) => {}
            }
        }
        names
    }
}
