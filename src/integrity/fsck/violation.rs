//! What the self-check can find wrong, and what to do about each.

use serde::Serialize;
use utoipa::ToSchema;

use crate::integrity::verify::Damage;
use crate::sql::checks::{EndUpload, NameFile, SpareFile};

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// What kind of thing is wrong.
    pub code: ViolationCode,
    /// What it is wrong with: a file's id, an object's key, a user, a row.
    pub subject: String,
    /// What is there and what should be.
    pub detail: String,
    /// What its operator should do.
    pub what_to_do: String,
}

/// Every kind of violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ViolationCode {
    /// A kept file has no object.
    MissingObject,
    /// A kept file's object is too short.
    TruncatedObject,
    /// A kept file's object is another.
    ReplacedObject,
    /// A kept file's object has other bytes.
    ChangedObject,
    /// A kept file's object cannot be read.
    UnreadableObject,
    /// The scrub found the file damaged.
    DamagedFile,
    /// A kept file's row lacks what every kept file has.
    IncompleteRow,
    /// A kept file is named for collection.
    CondemnedFile,
    /// A pending or dead file is not named for collection.
    UnnamedAttempt,
    /// An object belongs to nothing.
    UnreferencedObject,
    /// A user keeps files and has no quota.
    MissingQuota,
    /// A quota's used bytes are not those of the user's files.
    WrongUsedBytes,
    /// A quota's reserved bytes are not those of the user's pending files.
    WrongReservedBytes,
    /// An unfinished upload has no pending file.
    UploadWithoutFile,
    /// A time has another form than the stored one.
    OddTime,
    /// A row hangs on a file that never was.
    OrphanRow,
}

impl ViolationCode {
    /// The violation that damage to a kept file's object is.
    pub fn of(damage: Damage) -> Self {
        match damage {
            Damage::Missing => Self::MissingObject,
            Damage::Truncated => Self::TruncatedObject,
            Damage::Replaced => Self::ReplacedObject,
            Damage::Changed => Self::ChangedObject,
            Damage::Unreadable => Self::UnreadableObject,
        }
    }

    /// A violation of this kind.
    pub fn violation(self, subject: impl Into<String>, detail: impl Into<String>) -> Violation {
        let subject = subject.into();
        Violation { code: self, what_to_do: self.what_to_do(&subject), detail: detail.into(), subject }
    }

    fn what_to_do(self, subject: &str) -> String {
        // A repair has one parameter, the subject: an operator gets the statement with the subject in its place.
        let repair = |sql: &str| {
            let words: Vec<_> = sql.split_whitespace().collect();
            words.join(" ").replace("?1", &format!("'{}'", subject.replace('\'', "''")))
        };
        match self {
            Self::MissingObject | Self::TruncatedObject | Self::ReplacedObject | Self::ChangedObject => {
                "Put the right bytes back under the same key (its etag must be the row's; a derived file can be made \
                 again from its lineage), then resolve the finding. If they are lost, tell the owner and delete the \
                 file for good."
                    .to_owned()
            }
            Self::UnreadableObject => {
                "Run the check again. If it stays, the store has lost the bytes: treat the object as missing.".to_owned()
            }
            Self::DamagedFile => {
                "See GET /api/admin/findings; repair the object, then POST /api/admin/findings/{id}/resolve.".to_owned()
            }
            Self::IncompleteRow => {
                "Read size and etag of the object (wrangler r2 object get) and write them into the row, if its bytes are \
                 the right ones."
                    .to_owned()
            }
            Self::CondemnedFile => format!("Before the next sweep: {}", repair(SpareFile::SQL)),
            Self::UnnamedAttempt => repair(NameFile::SQL),
            Self::UnreferencedObject => {
                format!("Nobody can reach it. If nothing of yours put it there: wrangler r2 object delete BUCKET/{subject}")
            }
            Self::MissingQuota | Self::WrongUsedBytes | Self::WrongReservedBytes => {
                "Run the check again (it looks at a moment). If it stays, write the sums of the user's files into quotas: \
                 used_bytes over active, archived and deleted ones, reserved_bytes over pending ones."
                    .to_owned()
            }
            Self::UploadWithoutFile => repair(EndUpload::SQL),
            Self::OddTime => "Rewrite the value as UTC text, YYYY-MM-DDTHH:MM:SS.sssZ: times are compared as text.".to_owned(),
            Self::OrphanRow => "Delete the row: nothing refers to it.".to_owned(),
        }
    }
}
