//! Maps each class of named objects to its implementation.

use std::sync::Arc;

use crate::app::SharedApp;
use crate::limits::object::LimiterObject;
use crate::ports::{NamedObject, ObjectClass, ObjectStorage};
use crate::storage::resumable::session::ResumableUpload;

/// Creates a named object of the class `class`. `storage` holds the rows of the object.
pub fn open(class: ObjectClass, app: SharedApp, storage: Arc<dyn ObjectStorage>) -> Arc<dyn NamedObject> {
    match class {
        ObjectClass::UploadSession => Arc::new(ResumableUpload::new(app, storage)),
        ObjectClass::RateLimiter => Arc::new(LimiterObject::new(app, storage)),
    }
}
