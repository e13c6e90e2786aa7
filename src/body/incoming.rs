//! A request body that bypasses the router.

use std::sync::{Arc, Mutex, PoisonError};

use super::stream::NativeBody;

/// A request body that bypasses the router. `routes::handle` creates this value, and a handler takes the body out.
#[derive(Clone)]
pub struct Incoming(Arc<Mutex<Option<Box<dyn NativeBody>>>>);

impl Incoming {
    /// Wraps the body of a request. `body` is `None` if the request has no body.
    pub fn new(body: Option<Box<dyn NativeBody>>) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    /// Takes the body out. Returns `None` if the request has no body or if the body was taken before.
    pub fn take(&self) -> Option<Box<dyn NativeBody>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
