//! Response bodies that bypass the router. An extension of the response carries such a body, because the body type of
//! the router would copy every byte through wasm, 4 KiB at a time.

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

/// Whether an extension of the response carries its body.
pub fn is_carried(response: &Response) -> bool {
    response.extensions().get::<Carried>().is_some()
}

/// Removes the body from the extension of a response and returns the body; `None` if no extension carries a body.
pub fn take_carried(response: &mut Response) -> Option<ResponseBody> {
    let carried = response.extensions_mut().remove::<Carried>()?;
    carried.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}
