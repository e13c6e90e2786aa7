//! Object keys. Only this module makes object keys.
//!
//! A key contains only ids, never a name that a client chose. Every attempt has its own key, so no key is used twice. The
//! only exception is the anchor of the audit log, which is replaced.

use std::fmt;

use super::ids::{AttemptId, CutId, EventId, FileId, UserId};

/// The key of an object in R2.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StorageKey {
    /// An uploaded file.
    Upload {
        /// Owner of the file.
        user: UserId,
        /// The file.
        file: FileId,
        /// The attempt that stores the file.
        attempt: AttemptId,
    },
    /// A saved cut.
    Derived {
        /// Owner of the saved cut.
        user: UserId,
        /// The file that the cut was made from.
        parent: FileId,
        /// The attempt that stores the saved cut.
        attempt: AttemptId,
    },
    /// The sidecar of a file.
    Profile {
        /// Owner of the file.
        user: UserId,
        /// The file.
        file: FileId,
        /// The attempt that stored the profiled bytes.
        attempt: AttemptId,
    },
    /// The spool of a cut, deleted after its bytes were sent.
    Spool {
        /// The cut.
        cut: CutId,
    },
    /// The marks of a count, kept for an hour.
    Marks {
        /// Id of these marks.
        id: EventId,
    },
    /// A checkpoint of a background pass.
    Learning {
        /// The attempt that stored the bytes that the pass reads.
        attempt: AttemptId,
        /// Id of this checkpoint; each checkpoint has its own id.
        step: AttemptId,
    },
    /// An object that Cutty writes and deletes to check that R2 accepts writes.
    Probe {
        /// Id of the check.
        id: EventId,
    },
    /// Sealed entries of the audit log that have left the database.
    AuditSegment {
        /// Number of the first entry.
        first_seq: i64,
        /// The attempt that stores the segment.
        attempt: AttemptId,
    },
    /// The anchor of the audit log.
    AuditAnchor,
    /// A key read from a database row.
    Known(String),
}

impl fmt::Display for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upload { user, file, attempt } => write!(f, "uploads/user-{user}/{file}-{attempt}.csv"),
            Self::Derived { user, parent, attempt } => {
                write!(f, "generated/user-{user}/{parent}-filtered-{attempt}.csv")
            }
            Self::Profile { user, file, attempt } => {
                write!(f, "uploads/user-{user}/metadata/{file}-{attempt}.profile")
            }
            Self::Spool { cut } => write!(f, "temp/processing/{cut}"),
            Self::Marks { id } => write!(f, "temp/processing/marks-{id}"),
            Self::Learning { attempt, step } => write!(f, "temp/processing/learn-{attempt}-{step}"),
            Self::Probe { id } => write!(f, "temp/processing/probe-{id}"),
            Self::AuditSegment { first_seq, attempt } => {
                write!(f, "audit/{first_seq:012}-{attempt}.ndjson.gz")
            }
            Self::AuditAnchor => f.write_str("audit/anchor.json"),
            Self::Known(key) => f.write_str(key),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_text_of_keys_is_stable() {
        let user = UserId::parse("42").unwrap();
        let file = FileId::parse("018f0000-0000-7000-8000-000000000001").unwrap();
        let attempt = AttemptId::parse("018f0000-0000-7000-8000-000000000002").unwrap();
        let cut = CutId::parse("018f0000-0000-7000-8000-000000000003").unwrap();
        let keys = [
            StorageKey::Upload { user: user.clone(), file, attempt },
            StorageKey::Derived { user: user.clone(), parent: file, attempt },
            StorageKey::Profile { user, file, attempt },
            StorageKey::Spool { cut },
            StorageKey::Marks { id: EventId::parse("018f0000-0000-7000-8000-000000000005").unwrap() },
            StorageKey::Learning { attempt, step: attempt },
            StorageKey::Probe { id: EventId::parse("018f0000-0000-7000-8000-000000000004").unwrap() },
            StorageKey::AuditSegment { first_seq: 1, attempt },
            StorageKey::AuditAnchor,
        ];
        insta::assert_snapshot!(keys.map(|key| key.to_string()).join("\n"), @r"
        uploads/user-42/018f0000-0000-7000-8000-000000000001-018f0000-0000-7000-8000-000000000002.csv
        generated/user-42/018f0000-0000-7000-8000-000000000001-filtered-018f0000-0000-7000-8000-000000000002.csv
        uploads/user-42/metadata/018f0000-0000-7000-8000-000000000001-018f0000-0000-7000-8000-000000000002.profile
        temp/processing/018f0000-0000-7000-8000-000000000003
        temp/processing/marks-018f0000-0000-7000-8000-000000000005
        temp/processing/learn-018f0000-0000-7000-8000-000000000002-018f0000-0000-7000-8000-000000000002
        temp/processing/probe-018f0000-0000-7000-8000-000000000004
        audit/000000000001-018f0000-0000-7000-8000-000000000002.ndjson.gz
        audit/anchor.json
        ");
    }
}
