//! The row of a share, and what can be told from it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::token::{Purpose, ShareToken};
use crate::domain::ids::{AttemptId, FileId, ShareId, UserId};
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::http::disposition::Disposition;
use crate::ports::{Row, from_row};
use crate::storage::file::LifecycleStatus;

/// How long the row of an ended share is kept.
pub const SHARE_RETENTION: TimeDelta = TimeDelta::days(30);

/// What a share is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShareKind {
    /// Everyone who has the link can download a file.
    Download,
    /// Everyone who has the link can read a cut of a file. The cut was stored as a file when it was shared.
    Cut,
    /// Everyone who has the link can upload a file into the account of the owner.
    Upload,
    /// Another account can read a file.
    Account,
}

impl ShareKind {
    /// Returns the name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Cut => "cut",
            Self::Upload => "upload",
            Self::Account => "account",
        }
    }
}

/// What another account may do with a shared file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum May {
    /// Read the file: its bytes, its rows and its profile.
    Read,
    /// Read the file and cut it.
    Cut,
}

impl May {
    /// Returns the name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Cut => "cut",
        }
    }
}

/// Whether a share can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShareStatus {
    /// It can be used.
    Active,
    /// Its time is over.
    Expired,
    /// It was used as often as it may be used.
    Used,
    /// Its owner has ended it, or has permanently deleted its file.
    Revoked,
    /// Its file is in the trash or has expired. When the file is restored, the share can be used again.
    Paused,
}

/// A row of `shares`, with facts about its file.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct ShareRow {
    pub id: ShareId,
    pub user_id: UserId,
    pub kind: ShareKind,
    pub file_id: Option<FileId>,
    pub source_file_id: Option<FileId>,
    pub attempt: Option<AttemptId>,
    disposition: String,
    pub name: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub max_uses: Option<u64>,
    pub uses: u64,
    pub password_hash: Option<String>,
    pub max_bytes: Option<u64>,
    content_types: Option<String>,
    tags: Option<String>,
    pub may: Option<May>,
    pub grantee: Option<String>,
    pub filename: Option<String>,
    lifecycle_status: Option<String>,
    file_expires_at: Option<Timestamp>,
}

impl ShareRow {
    /// Reads a row.
    ///
    /// # Errors
    /// `internal` if a column is missing or has another type than the field.
    pub fn read(row: Row) -> Result<Self> {
        from_row(row)
    }

    /// Whether the share can be used at the time `now`.
    pub fn status(&self, now: Timestamp) -> ShareStatus {
        let is_over = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
        if self.revoked_at.is_some() {
            return ShareStatus::Revoked;
        }
        if is_over(self.expires_at) {
            return ShareStatus::Expired;
        }
        if self.max_uses.is_some_and(|most| self.uses >= most) {
            return ShareStatus::Used;
        }
        let is_readable = match self.lifecycle_status.as_deref().map(LifecycleStatus::parse) {
            Some(Some(LifecycleStatus::Active | LifecycleStatus::Archived)) => !is_over(self.file_expires_at),
            _ => self.kind == ShareKind::Upload,
        };
        if is_readable { ShareStatus::Active } else { ShareStatus::Paused }
    }

    /// Returns what a browser does with the file.
    pub fn disposition(&self) -> Disposition {
        match self.disposition.as_str() {
            "inline" => Disposition::Inline,
            _ => Disposition::Attachment,
        }
    }

    /// Returns the media types that may be uploaded.
    pub fn content_types(&self) -> Vec<String> {
        list(self.content_types.as_deref())
    }

    /// Returns the tags of uploaded files.
    pub fn tags(&self) -> Vec<String> {
        list(self.tags.as_deref())
    }

    /// Returns what the link of the share says; `None` if the share has no link.
    pub fn token(&self) -> Option<ShareToken> {
        let purpose = match self.kind {
            ShareKind::Download | ShareKind::Cut => Purpose::Read,
            ShareKind::Upload => Purpose::Upload,
            ShareKind::Account => return None,
        };
        Some(ShareToken {
            share: self.id,
            purpose,
            version: self.attempt,
            expires_at_s: self.expires_at?.instant().timestamp(),
            disposition: self.disposition(),
        })
    }
}

/// Parses a JSON array that this service wrote.
fn list(text: Option<&str>) -> Vec<String> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Returns when the row of a share that ends at `end` is deleted.
pub fn forget_at(end: Timestamp) -> Timestamp {
    end.plus(SHARE_RETENTION)
}

/// Returns the problem for a share that does not exist.
pub fn no_such_share() -> Problem {
    let detail = "There is no such share. GET /api/shares lists your shares.";
    Problem::new(crate::error::Code::NotFound, detail)
}
