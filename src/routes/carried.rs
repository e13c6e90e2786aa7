//! Bodies that are carried in an extension of a response. With the body type of the router, every byte would pass
//! through wasm in buffers of 4 KiB.

use std::sync::{Arc, Mutex, PoisonError};

use axum::response::{IntoResponse, Response};

use crate::body::outgoing::ResponseBody;

#[derive(Clone)]
struct Carried(Arc<Mutex<Option<ResponseBody>>>);

impl IntoResponse for ResponseBody {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(Carried(Arc::new(Mutex::new(Some(self)))));
        response
    }
}

/// Whether the body of a response is carried in an extension.
pub fn is_carried(response: &Response) -> bool {
    response.extensions().get::<Carried>().is_some()
}

/// Removes the carried body from a response and returns it; `None` if it has none.
pub fn take_carried(response: &mut Response) -> Option<ResponseBody> {
    let carried = response.extensions_mut().remove::<Carried>()?;
    carried.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}
