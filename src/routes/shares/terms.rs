//! What the owner of files sends to make a share: the members of the request, and their checks.

use serde::Deserialize;
use utoipa::ToSchema;

use super::view::SharedDisposition;
use crate::app::App;
use crate::auth::password;
use crate::error::{Code, Problem, Result};
use crate::http::disposition::Disposition;
use crate::http::sniff::STORED_TYPES;
use crate::http::tags::Tags;
use crate::routes::cuts::CutBody;
use crate::routes::extract::file_headers::bad_metadata;
use crate::routes::extract::name::checked_name;
use crate::shares::owned::{LinkTerms, UploadTerms};
use crate::shares::row::May;

/// Longest time for which a link can be used, in seconds: 7 days.
pub const MAX_EXPIRY_S: u32 = 604_800;
/// Longest time for which a file is shared with an account, in seconds: 10 years. It may also be unlimited.
pub const MAX_ACCOUNT_EXPIRY_S: u32 = 315_360_000;
/// Maximum number of uses of a link.
const MAX_USES: u64 = 1_000_000;
/// Maximum length of the name of a share, in bytes of UTF-8.
const MAX_NAME_BYTES: usize = 255;

/// How a file is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileShareKind {
    /// A link to the file.
    Download,
    /// A link to a cut of the file.
    Cut,
    /// Another account may read the file.
    Account,
}

/// A share of a file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ShareRequest {
    /// `download` for a link to the file, `cut` for a link to a cut of it, `account` for another account.
    pub kind: FileShareKind,
    /// The cut, for `cut`: the body of `POST /api/files/{id}/save`. The cut is stored as a file now.
    #[schema(value_type = Option<Object>)]
    pub recipe: Option<CutBody>,
    /// Seconds until the share ends. For a link: 1 to 604,800 (7 days); default `SIGNED_URL_EXPIRY`. For an account: 1
    /// to 315,360,000; without it, the share has no end.
    pub expires_in: Option<u32>,
    /// How often the link can be used: 1 to 1,000,000; without it, as often as its holders want. Not for `account`.
    pub max_uses: Option<u64>,
    /// What a browser does with the file. Not for `account`.
    pub disposition: Option<SharedDisposition>,
    /// A password that the holder of the link must know: at least 8 characters, not a common one. Not for `account`.
    pub password: Option<String>,
    /// What you call the share; at most 255 bytes. Holders of the link do not see it.
    pub name: Option<String>,
    /// The username of the account, for `account`.
    pub username: Option<String>,
    /// What the account may do, for `account`: `read` (default) or `cut`.
    pub may: Option<May>,
}

/// A link through which somebody uploads files into your account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UploadLinkRequest {
    /// `upload`.
    pub kind: UploadKind,
    /// Seconds until the link ends: 1 to 604,800 (7 days); default `SIGNED_URL_EXPIRY`.
    pub expires_in: Option<u32>,
    /// How many files the link takes: 1 (default) to 1,000,000.
    pub max_uses: Option<u64>,
    /// Greatest size of a file in bytes: 1 to `MAX_UPLOAD_SIZE`, default `MAX_FILE_SIZE`.
    pub max_bytes: Option<u64>,
    /// Media types that the link takes: `text/csv` and `text/tab-separated-values`; both by default.
    pub content_types: Option<Vec<String>>,
    /// Tags that the uploaded files get.
    pub tags: Option<Vec<String>>,
    /// A password that the holder of the link must know: at least 8 characters, not a common one.
    pub password: Option<String>,
    /// What you call the link; at most 255 bytes. Holders of the link see it.
    pub name: Option<String>,
}

/// The kind of a link for uploads.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UploadKind {
    /// A link for uploads.
    Upload,
}

/// A new expiry of a share.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SharePatch {
    /// Seconds from now until the share ends, as when it was made; null for a share with an account that has no end.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    pub expires_in: Option<u32>,
}

/// Refuses members that have no effect for the kind of the share.
pub fn check_members(body: &ShareRequest) -> Result<()> {
    let is_account = body.kind == FileShareKind::Account;
    let members = [
        ("recipe", body.recipe.is_some(), body.kind == FileShareKind::Cut),
        ("maxUses", body.max_uses.is_some(), !is_account),
        ("disposition", body.disposition.is_some(), !is_account),
        ("password", body.password.is_some(), !is_account),
        ("username", body.username.is_some(), is_account),
        ("may", body.may.is_some(), is_account),
    ];
    if let Some((name, ..)) = members.into_iter().find(|(_, is_sent, is_read)| *is_sent && !is_read) {
        let detail = format!("A share of this kind has no {name}. Leave it out.");
        return Err(Problem::new(Code::BadRequest, detail).with("field", name));
    }
    if is_account && body.username.is_none() {
        let detail = "Send the username of the account that may read the file.";
        return Err(Problem::new(Code::BadRequest, detail).with("field", "username"));
    }
    Ok(())
}

/// Returns the terms of a link to a file or to a cut.
pub fn link_terms(app: &App, body: ShareRequest) -> Result<LinkTerms> {
    let default_s = app.config.signed_url_expiry_s;
    Ok(LinkTerms {
        expires_in_s: checked_expiry(body.expires_in, MAX_EXPIRY_S)?.unwrap_or(default_s),
        max_uses: checked_uses(body.max_uses)?,
        disposition: body.disposition.unwrap_or_default().into(),
        name: body.name.as_deref().map(share_name).transpose()?,
        password_hash: hashed(app, body.password.as_deref())?,
    })
}

/// Returns what a link for uploads takes.
pub fn upload_terms(app: &App, body: UploadLinkRequest) -> Result<(LinkTerms, UploadTerms)> {
    let UploadKind::Upload = body.kind;
    let most_bytes = app.config.max_upload_size_bytes;
    let max_bytes = body.max_bytes.unwrap_or(app.config.max_file_size_bytes.min(most_bytes));
    if !(1..=most_bytes).contains(&max_bytes) {
        let detail = format!("The member maxBytes must be a whole number from 1 to {most_bytes}.");
        return Err(Problem::new(Code::BadRequest, detail).with("field", "maxBytes"));
    }
    let all_types = || STORED_TYPES.map(str::to_owned).to_vec();
    let mut content_types = body.content_types.unwrap_or_else(all_types);
    content_types.sort();
    content_types.dedup();
    let is_known = |name: &String| STORED_TYPES.contains(&name.as_str());
    if content_types.is_empty() || !content_types.iter().all(is_known) {
        let detail =
            format!("The member contentTypes must have one or both of {}.", STORED_TYPES.join(" and "));
        return Err(Problem::new(Code::BadRequest, detail).with("field", "contentTypes"));
    }
    let tags = Tags::from_values(body.tags.unwrap_or_default()).map_err(|error| bad_metadata(&error))?;
    let terms = LinkTerms {
        expires_in_s: checked_expiry(body.expires_in, MAX_EXPIRY_S)?
            .unwrap_or(app.config.signed_url_expiry_s),
        max_uses: Some(checked_uses(body.max_uses)?.unwrap_or(1)),
        disposition: Disposition::Attachment,
        name: body.name.as_deref().map(share_name).transpose()?,
        password_hash: hashed(app, body.password.as_deref())?,
    };
    let upload = UploadTerms { max_bytes, content_types, tags: tags.into_vec() };
    Ok((terms, upload))
}

/// Returns a number of seconds that a share may last.
pub fn checked_expiry(expires_in_s: Option<u32>, most_s: u32) -> Result<Option<u32>> {
    match expires_in_s {
        Some(seconds) if !(1..=most_s).contains(&seconds) => {
            let detail =
                format!("The member expiresIn must be a whole number of seconds from 1 to {most_s}.");
            Err(Problem::new(Code::BadRequest, detail).with("field", "expiresIn"))
        }
        checked => Ok(checked),
    }
}

fn checked_uses(max_uses: Option<u64>) -> Result<Option<u64>> {
    match max_uses {
        Some(uses) if !(1..=MAX_USES).contains(&uses) => {
            let detail = format!("The member maxUses must be a whole number from 1 to {MAX_USES}.");
            Err(Problem::new(Code::BadRequest, detail).with("field", "maxUses"))
        }
        checked => Ok(checked),
    }
}

/// Returns the name of a share.
pub fn share_name(text: &str) -> Result<String> {
    checked_name(text, MAX_NAME_BYTES, "Leave it out, or send a name.")
}

fn hashed(app: &App, password: Option<&str>) -> Result<Option<String>> {
    let Some(password) = password else { return Ok(None) };
    password::check_strength(password, "", None)?;
    password::hash(password, app.random.as_ref()).map(Some)
}
