//! Bodies carried beside a response: the router's own body type would draw every byte through wasm in 4 KiB chunks.

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

/// Whether a response's body is carried beside it.
pub fn is_carried(response: &Response) -> bool {
    response.extensions().get::<Carried>().is_some()
}

/// Takes the carried body out of a response, if it has one.
pub fn take_carried(response: &mut Response) -> Option<ResponseBody> {
    let carried = response.extensions_mut().remove::<Carried>()?;
    carried.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}
