//! Where everything stored lies: the only place that makes an object's key.
//!
//! A key holds ids only, never a name a client chose, and is never used twice: each attempt has its own.

use std::fmt;

use super::ids::{AttemptId, CutId, FileId, UserId};

/// The key of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StorageKey {
    /// An uploaded file.
    Upload {
        /// Its owner.
        user: UserId,
        /// The file.
        file: FileId,
        /// The try that stores it.
        attempt: AttemptId,
    },
    /// A file made by a cut.
    Derived {
        /// Its owner.
        user: UserId,
        /// The file it was cut from.
        parent: FileId,
        /// The try that stores it.
        attempt: AttemptId,
    },
    /// What is known of a file's content: its profile and row index.
    Profile {
        /// The file's owner.
        user: UserId,
        /// The file.
        file: FileId,
        /// The try that stored the bytes it is of.
        attempt: AttemptId,
    },
    /// The result of a cut on its way to the client, deleted after.
    Spool {
        /// The cut.
        cut: CutId,
    },
    /// What a background pass has learned of a file so far.
    Learning {
        /// The version of the file it reads.
        attempt: AttemptId,
        /// Which state it is: each has its own.
        step: AttemptId,
    },
    /// A key as a row holds it.
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
            Self::Learning { attempt, step } => write!(f, "temp/processing/learn-{attempt}-{step}"),
            Self::Known(key) => f.write_str(key),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_a_stored_contract() {
        let user = UserId::parse("42").unwrap();
        let file = FileId::parse("018f0000-0000-7000-8000-000000000001").unwrap();
        let attempt = AttemptId::parse("018f0000-0000-7000-8000-000000000002").unwrap();
        let cut = CutId::parse("018f0000-0000-7000-8000-000000000003").unwrap();
        let keys = [
            StorageKey::Upload { user: user.clone(), file, attempt },
            StorageKey::Derived { user: user.clone(), parent: file, attempt },
            StorageKey::Profile { user, file, attempt },
            StorageKey::Spool { cut },
            StorageKey::Learning { attempt, step: attempt },
        ];
        insta::assert_snapshot!(keys.map(|key| key.to_string()).join("\n"), @r"
        uploads/user-42/018f0000-0000-7000-8000-000000000001-018f0000-0000-7000-8000-000000000002.csv
        generated/user-42/018f0000-0000-7000-8000-000000000001-filtered-018f0000-0000-7000-8000-000000000002.csv
        uploads/user-42/metadata/018f0000-0000-7000-8000-000000000001-018f0000-0000-7000-8000-000000000002.profile
        temp/processing/018f0000-0000-7000-8000-000000000003
        temp/processing/learn-018f0000-0000-7000-8000-000000000002-018f0000-0000-7000-8000-000000000002
        ");
    }
}
