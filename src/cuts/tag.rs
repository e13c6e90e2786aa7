//! The entity tag of the result of a cut.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::open::recipe_sha256;
use crate::app::App;
use crate::csv::request::CutRequest;
use crate::error::{Problem, Result};
use crate::http::etag::EntityTag;
use crate::storage::file::FileRow;

/// Returns the strong entity tag of a result. Two results with the same tag have the same bytes.
///
/// The tag is a keyed hash of everything on which the bytes depend: the attempt that stored the file, the dialect that its
/// owner has set, its profile (a typed cut reads the types of columns in it), the recipe with the version of the engine,
/// and the content coding. So it is known before a byte of the file is read. Without the key, nobody learns from a tag
/// which cut it names.
///
/// # Errors
/// `too_large` if the recipe is too long.
pub fn result_tag(app: &App, file: &FileRow, request: &CutRequest, coding: &str) -> Result<EntityTag> {
    let named = json!([
        file.attempt,
        file.dialect_options,
        file.profile_bytes,
        recipe_sha256(file, request)?,
        coding,
    ]);
    let mac = Hmac::<Sha256>::new_from_slice(app.config.jwt_secret.bytes()).map_err(Problem::internal)?;
    let mac = mac.chain_update(b"cutty tag of a result ").chain_update(named.to_string()).finalize();
    let text = hex::encode(mac.into_bytes());
    EntityTag::strong(text.get(..32).unwrap_or_default()).map_err(Problem::internal)
}
