//! The violations that the self-check finds, and how to repair each.

use serde::Serialize;
use utoipa::ToSchema;

use crate::integrity::verify::Damage;
use crate::sql::checks::{DequeueFile, EndUpload, EnqueueFile, Recount};

/// A violation: something that the self-check found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Kind of violation.
    pub code: ViolationCode,
    /// The file's id, object key, user or row that is wrong.
    pub subject: String,
    /// The stored state, and the state that should be stored.
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
    /// The object of a kept file is another one.
    ReplacedObject,
    /// The object of a kept file has other bytes.
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
    /// No row names an object.
    UnreferencedObject,
    /// The owner of a kept file has no quota.
    MissingQuota,
    /// The used bytes of a quota are not the sum over the user's kept files.
    WrongUsedBytes,
    /// The reserved bytes of a quota are not the sum over the user's pending files.
    WrongReservedBytes,
    /// A count in `usage` is not the count of the rows.
    WrongUsage,
    /// An unfinished upload has no pending file.
    UploadWithoutFile,
    /// A time is not in the stored form.
    OddTime,
    /// A row belongs to rows that do not exist.
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
        // The repair statement has one parameter, the subject. The operator gets the statement with the subject
        // filled in.
        let repair = |sql: &str| {
            let words: Vec<_> = sql.split_whitespace().collect();
            words.join(" ").replace("?1", &format!("'{}'", subject.replace('\'', "''")))
        };
        match self {
            Self::MissingObject | Self::TruncatedObject | Self::ReplacedObject | Self::ChangedObject => {
                "Store the right bytes under the same key (their etag must be the row's; a derived file can be made \
                 again from its lineage), then resolve the finding. If they are lost, tell the owner and delete the \
                 file permanently."
                    .to_owned()
            }
            Self::UnreadableObject => {
                "Run the check again. If the violation stays, the store has lost the bytes: treat the object \
                 as missing."
                    .to_owned()
            }
            Self::DamagedFile => {
                "See GET /api/admin/findings; repair the object, then POST /api/admin/findings/{id}/resolve.".to_owned()
            }
            Self::IncompleteRow => {
                "Read size and etag of the object (wrangler r2 object get) and write them into the row, if its bytes \
                 are the right ones."
                    .to_owned()
            }
            Self::CondemnedFile => format!("Before the next sweep: {}", repair(DequeueFile::SQL)),
            Self::UnnamedAttempt => repair(EnqueueFile::SQL),
            Self::UnreferencedObject => {
                format!("Nobody can reach it. If you did not store it: wrangler r2 object delete BUCKET/{subject}")
            }
            Self::MissingQuota | Self::WrongUsedBytes | Self::WrongReservedBytes => {
                "Run the check again. If the violation stays, write the sums of the user's files into quotas: \
                 used_bytes over active, archived and deleted ones, reserved_bytes over pending ones."
                    .to_owned()
            }
            Self::WrongUsage => format!("Run the check again. If the violation stays: {}", repair(Recount::SQL)),
            Self::UploadWithoutFile => repair(EndUpload::SQL),
            Self::OddTime => "Rewrite the value as UTC text, YYYY-MM-DDTHH:MM:SS.sssZ. Times are compared as text.".to_owned(),
            Self::OrphanRow => "Delete the row: nothing refers to it.".to_owned(),
        }
    }
}
