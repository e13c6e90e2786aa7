//! A request's body on its way past the router.

use std::sync::{Arc, Mutex, PoisonError};

use super::stream::NativeBody;

/// A request's body on its way past the router.
#[derive(Clone)]
pub struct Incoming(Arc<Mutex<Option<Box<dyn NativeBody>>>>);

impl Incoming {
    /// Wraps a body, or the lack of one.
    pub fn new(body: Option<Box<dyn NativeBody>>) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    /// Takes the body; `None` when there is none or it was taken before.
    pub fn take(&self) -> Option<Box<dyn NativeBody>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
