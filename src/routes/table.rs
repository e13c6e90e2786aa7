//! The routes of the service: what serves each at once, and how each is described when somebody asks.
//!
//! To describe them takes many times what a request takes, and every isolate begins with a request. So a route holds a
//! function that makes its description, where `utoipa_axum` would hold the description itself.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::routing::MethodRouter;
use utoipa::Path;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Paths;
use utoipa_axum::PathItemExt;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::extract::{identity, params};
use crate::app::SharedApp;

/// One path with the handlers of its methods.
pub struct Route {
    path: String,
    handlers: MethodRouter<SharedApp>,
    describe: fn() -> UtoipaMethodRouter<SharedApp>,
    described_further: Vec<fn(&mut Paths)>,
}

impl Route {
    /// A route without handlers, at the path that `P` describes.
    pub fn at<P: Path>(describe: fn() -> UtoipaMethodRouter<SharedApp>) -> Self {
        Self { path: P::path(), handlers: MethodRouter::new(), describe, described_further: Vec::new() }
    }

    /// Adds a handler for the methods that `P` describes.
    pub fn on<P: Path, H: Handler<T, SharedApp>, T: 'static>(mut self, handler: H) -> Self {
        for method in P::methods() {
            let named_only = from_fn(|request, next| params::refuse_unknown(P::operation, request, next));
            self.handlers = self.handlers.on(method.to_method_filter(), handler.clone().layer(named_only));
        }
        self
    }

    /// Changes what serves it.
    pub fn map(mut self, change: impl FnOnce(MethodRouter<SharedApp>) -> MethodRouter<SharedApp>) -> Self {
        self.handlers = change(self.handlers);
        self
    }

    /// Adds to its description what stands around its handlers.
    pub fn described_further(mut self, add: fn(&mut Paths)) -> Self {
        self.described_further.push(add);
        self
    }
}

/// A [`Route`] of handlers that have a `#[utoipa::path]`, all of them at one path.
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

/// Routes, in the order in which they are described.
#[derive(Default)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// No routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn route(mut self, route: Route) -> Self {
        self.0.push(route);
        self
    }

    /// Adds others.
    pub fn merge(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// What serves them.
    pub fn router(self) -> Router<SharedApp> {
        self.0.into_iter().fold(Router::new(), |router, route| router.route(&route.path, route.handlers))
    }

    /// Their description, behind what `base` says.
    pub fn description(self, base: OpenApi) -> OpenApi {
        let described = self.0.into_iter().fold(OpenApiRouter::with_openapi(base), |described, route| {
            let (schemas, mut paths, handlers) = (route.describe)();
            for add in route.described_further {
                add(&mut paths);
            }
            params::describe_refusal(&mut paths);
            identity::describe_forbidden(&mut paths);
            described.routes((schemas, paths, handlers))
        });
        described.into_openapi()
    }
}
