//! Shares as the owner of the files reads them.

use http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::token::Keyring;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::http::disposition::Disposition;
use crate::routes::uploads::origin_of;
use crate::shares::row::{May, ShareKind, ShareRow, ShareStatus};

/// What a browser does with a shared file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SharedDisposition {
    /// Saves it.
    #[default]
    Attachment,
    /// Shows it, if it can.
    Inline,
}

impl From<SharedDisposition> for Disposition {
    fn from(shared: SharedDisposition) -> Self {
        match shared {
            SharedDisposition::Attachment => Self::Attachment,
            SharedDisposition::Inline => Self::Inline,
        }
    }
}

impl From<Disposition> for SharedDisposition {
    fn from(disposition: Disposition) -> Self {
        match disposition {
            Disposition::Attachment => Self::Attachment,
            Disposition::Inline => Self::Inline,
        }
    }
}

/// A share.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareView {
    /// Id of the share.
    pub id: String,
    /// What the share is for.
    pub kind: ShareKind,
    /// Whether the share can be used.
    pub status: ShareStatus,
    /// The link, for programs: `GET` downloads, `POST` uploads. Everyone who has the link can use it without an
    /// account, so give it only to people who may use it. Null for a share with an account, and for one that cannot be
    /// used any more.
    pub url: Option<String>,
    /// The page of the link, for people.
    pub page_url: Option<String>,
    /// The file that is sent; null for uploads.
    pub file_id: Option<String>,
    /// The name of this file; null if it was permanently deleted.
    pub filename: Option<String>,
    /// The file that was cut, if the share is a cut.
    pub source_file_id: Option<String>,
    /// What you call the share.
    pub name: Option<String>,
    /// When the share was made (RFC 3339).
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the share ends (RFC 3339); null if it has no end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// How often the link can be used; null if that is not limited.
    pub max_uses: Option<u64>,
    /// How often the link was used. Without `maxUses`, a request for a range is not counted.
    pub uses: u64,
    /// Whether the holder of the link needs a password.
    pub has_password: bool,
    /// What a browser does with the file.
    pub disposition: SharedDisposition,
    /// Greatest size of an uploaded file in bytes; null if the share is not for uploads.
    pub max_bytes: Option<u64>,
    /// Media types that may be uploaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content_types: Vec<String>,
    /// Tags of uploaded files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The username of the account that may read the file.
    pub username: Option<String>,
    /// What this account may do.
    pub may: Option<May>,
}

impl ShareView {
    pub fn new(app: &App, uri: &Uri, row: ShareRow) -> Result<Self> {
        let status = row.status(app.now());
        let token = match status {
            ShareStatus::Active | ShareStatus::Paused => row.token(),
            ShareStatus::Expired | ShareStatus::Used | ShareStatus::Revoked => None,
        };
        let text = token.map(|token| token.sign(&Keyring::new(&app.config))).transpose()?;
        let origin = origin_of(uri).unwrap_or_default();
        Ok(Self {
            id: row.id.to_string(),
            kind: row.kind,
            status,
            url: text.as_ref().map(|text| format!("{origin}/api/shared/{text}")),
            page_url: text.as_ref().map(|text| format!("{origin}/s#{text}")),
            file_id: row.file_id.map(|id| id.to_string()),
            source_file_id: row.source_file_id.map(|id| id.to_string()),
            created_at: row.created_at,
            expires_at: row.expires_at,
            max_uses: row.max_uses,
            uses: row.uses,
            has_password: row.password_hash.is_some(),
            disposition: row.disposition().into(),
            max_bytes: row.max_bytes,
            content_types: row.content_types(),
            tags: row.tags(),
            may: row.may,
            filename: row.filename.filter(|name| !name.is_empty()),
            name: row.name,
            username: row.grantee.filter(|name| !name.contains(':')),
        })
    }
}

/// One share.
#[derive(Serialize, ToSchema)]
pub struct ShareResponse {
    pub success: bool,
    pub share: ShareView,
}

/// A page of shares.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SharesResponse {
    pub success: bool,
    pub shares: Vec<ShareView>,
    pub has_more: bool,
    /// `cursor` for the next page; null on the last page.
    pub next_cursor: Option<String>,
}
