//! The violations that the self-check finds, with advice on how to repair each of them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::integrity::verify::Damage;
use crate::sql::checks::{DequeueFile, EndUpload, EnqueueFile, Recount};

/// A violation of a rule of the self-check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Kind of violation.
    pub code: ViolationCode,
    /// The id of a file, an upload or a user, the key of an object, or the table and the key of a row.
    pub subject: String,
    /// The wrong state, in words.
    pub detail: String,
    /// Advice to the operator.
    pub what_to_do: String,
}

/// Every kind of violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ViolationCode {
    /// A kept file has no object.
    MissingObject,
    /// The object of a kept file is too short.
    TruncatedObject,
    /// The object of a kept file has another etag, or is too long.
    ReplacedObject,
    /// The object of a kept file has the right size and etag, but another SHA-256.
    ChangedObject,
    /// The object of a kept file cannot be read.
    UnreadableObject,
    /// The file is marked as damaged.
    DamagedFile,
    /// The row of a kept file has no etag.
    IncompleteRow,
    /// A kept file is on `gc_queue`.
    CondemnedFile,
    /// A pending or dead file is not on `gc_queue`.
    UnnamedAttempt,
    /// An object belongs to no kept file and is not on `gc_queue`.
    UnreferencedObject,
    /// The owner of a kept file has no quota.
    MissingQuota,
    /// The used bytes of a quota differ from the total size of the user's kept files.
    WrongUsedBytes,
    /// The reserved bytes of a quota differ from the total size of the user's pending files.
    WrongReservedBytes,
    /// A number in `usage` differs from the number that is computed from the user's rows.
    WrongUsage,
    /// An unfinished upload has no pending file.
    UploadWithoutFile,
    /// A time in a row does not have the form `YYYY-MM-DDTHH:MM:SS.sssZ`.
    OddTime,
    /// A row is useless, because a row of another table is missing.
    OrphanRow,
}

impl ViolationCode {
    /// Returns the code for damage to a kept file's object.
    pub fn from_damage(damage: Damage) -> Self {
        match damage {
            Damage::Missing => Self::MissingObject,
            Damage::Truncated => Self::TruncatedObject,
            Damage::Replaced => Self::ReplacedObject,
            Damage::Changed => Self::ChangedObject,
            Damage::Unreadable => Self::UnreadableObject,
        }
    }

    /// Creates a violation of this kind.
    pub fn violation(self, subject: impl Into<String>, detail: impl Into<String>) -> Violation {
        let subject = subject.into();
        Violation { code: self, what_to_do: self.what_to_do(&subject), detail: detail.into(), subject }
    }

    fn what_to_do(self, subject: &str) -> String {
        // The repair statement has one parameter: the subject. The operator gets the statement with the subject in the
        // place of the parameter.
        let repair = |sql: &str| {
            let words: Vec<_> = sql.split_whitespace().collect();
            words.join(" ").replace("?1", &format!("'{}'", subject.replace('\'', "''")))
        };
        match self {
            Self::MissingObject | Self::TruncatedObject | Self::ReplacedObject | Self::ChangedObject => {
                "Store the right bytes under the same key, then resolve the finding. The new object must have the \
                 etag that is in the row. The bytes of a saved cut can be made again from its recipe. If the right \
                 bytes are lost, tell the owner and delete the file permanently."
                    .to_owned()
            }
            Self::UnreadableObject => {
                "Run the check again. If the violation stays, R2 has lost the bytes: treat the object as missing."
                    .to_owned()
            }
            Self::DamagedFile => {
                "See GET /api/admin/findings. Repair the object, then send POST /api/admin/findings/{id}/resolve."
                    .to_owned()
            }
            Self::IncompleteRow => {
                "If the object has the right bytes, read its size and its etag (wrangler r2 object get) and write \
                 them into the row."
                    .to_owned()
            }
            Self::CondemnedFile => format!("Before the next sweep, run: {}", repair(DequeueFile::SQL)),
            Self::UnnamedAttempt => repair(EnqueueFile::SQL),
            Self::UnreferencedObject => {
                format!(
                    "No request can read this object. If you did not store it yourself, delete it: \
                     wrangler r2 object delete BUCKET/{subject}"
                )
            }
            Self::MissingQuota | Self::WrongUsedBytes | Self::WrongReservedBytes => {
                "Run the check again. If the violation stays, write the sums of file_size into quotas: used_bytes \
                 is the sum over the user's active, archived and deleted files. reserved_bytes is the sum over the \
                 pending files."
                    .to_owned()
            }
            Self::WrongUsage => {
                format!("Run the check again. If the violation stays, run: {}", repair(Recount::SQL))
            }
            Self::UploadWithoutFile => repair(EndUpload::SQL),
            Self::OddTime => "Rewrite the value as UTC text, YYYY-MM-DDTHH:MM:SS.sssZ. Times are compared as text.".to_owned(),
            Self::OrphanRow => "Delete the row: nothing needs it.".to_owned(),
        }
    }
}
