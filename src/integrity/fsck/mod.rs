//! The self-check: compares rows, objects and quotas, page by page. The self-check has these rules:
//!
//! - Every kept file has its object. The object has the size and the etag that are in the row. A deep check also
//!   compares the SHA-256.
//! - Every object belongs to a kept file or is on `gc_queue`. Objects under `backups/` and `imports/` belong to
//!   operators and are ignored.
//! - Every pending or dead file is on `gc_queue`. No kept file is on `gc_queue`.
//! - The used bytes of a quota are the sum of the sizes of the user's kept files. The reserved bytes are the sum of the
//!   sizes of the user's pending files.
//! - Each number in a row of `usage` equals the count or the sum that the self-check computes from the user's rows.
//! - Every unfinished upload has its pending file. The self-check cannot compare unfinished uploads with R2, because
//!   the R2 binding of a Worker cannot list multipart uploads.
//! - Every time in a row has the form in which Cutty stores times. No row refers to a row that does not exist.
//!
//! One call checks one page of limited size and returns the cursor of the next page. Requests may change rows and
//! objects during the self-check. These changes cause no false violation, for two reasons. Each statement reads one
//! consistent state. An object that seems unreferenced is checked twice.

mod objects;
mod rows;
mod violation;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::verify::PartialHash;
use crate::app::App;
use crate::error::{Code, Problem, Result};
use crate::sql::checks::Table;
pub use violation::{Violation, ViolationCode};

/// A call ends after a page that does not complete its phase. If a page completes its phase, and the call has checked
/// fewer rows and objects than this number, the call continues with the next phase.
const ITEMS_PER_CALL: u64 = 200;

/// Maximum number of bytes that one call hashes.
const BYTES_PER_CALL: u64 = 256 << 20;

/// The result of one call.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FsckPage {
    /// Whether the self-check is complete. If it is complete, there is no further page.
    pub complete: bool,
    /// Where the next page begins; null when complete.
    pub cursor: Option<String>,
    /// The last phase that this page checked.
    pub phase: String,
    /// Number of files, objects, quotas and rows that this page checked.
    pub checked: u64,
    /// The violations that this page found.
    pub violations: Vec<Violation>,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct FsckPosition {
    phase: Phase,
    /// The key after which the page begins: one text, or two for a table whose key has two columns. For objects, the
    /// first text is R2's cursor.
    behind: (String, String),
    /// State of the hash of the first file on the page, if an earlier call has hashed the beginning of this file.
    hash: Option<PartialHash>,
}

/// The phases of the self-check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Files,
    Unfinished,
    Objects,
    Quotas,
    Usage,
    Uploads,
    /// The rows of the table with this index in [`Table::ALL`].
    Rows(usize),
}

impl Phase {
    fn next(self) -> Option<Self> {
        match self {
            Self::Files => Some(Self::Unfinished),
            Self::Unfinished => Some(Self::Objects),
            Self::Objects => Some(Self::Quotas),
            Self::Quotas => Some(Self::Usage),
            Self::Usage => Some(Self::Uploads),
            Self::Uploads => Some(Self::Rows(0)),
            Self::Rows(table) => (table + 1 < Table::ALL.len()).then_some(Self::Rows(table + 1)),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Files => "files".to_owned(),
            Self::Unfinished => "unfinished files".to_owned(),
            Self::Objects => "objects".to_owned(),
            Self::Quotas => "quotas".to_owned(),
            Self::Usage => "usage".to_owned(),
            Self::Uploads => "uploads".to_owned(),
            Self::Rows(table) => {
                format!("rows of {}", Table::ALL.get(table).map_or("", |table| table.name()))
            }
        }
    }
}

impl FsckPosition {
    fn start(phase: Phase) -> Self {
        Self { phase, behind: Default::default(), hash: None }
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let position: Option<Self> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        position
            .filter(|position| !matches!(position.phase, Phase::Rows(table) if table >= Table::ALL.len()))
            .ok_or_else(|| {
                Problem::new(
                    Code::BadCursor,
                    "The cursor does not belong to this check. Start again without a cursor.",
                )
            })
    }
}

/// The result of one page of a phase.
#[derive(Debug, Default)]
struct FsckStep {
    checked: u64,
    violations: Vec<Violation>,
    /// Where the phase continues; `None` if the phase is complete.
    next: Option<FsckPosition>,
}

impl FsckStep {
    fn add(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// If this page was full, the next page of the phase begins after `key`. Otherwise the phase is complete.
    fn continue_after(&mut self, phase: Phase, page_was_full: bool, key: Option<String>) {
        let behind = key.filter(|_| page_was_full).map(|key| (key, String::new()));
        self.next = behind.map(|behind| FsckPosition { phase, behind, hash: None });
    }
}

impl App {
    /// Checks one page. With `deep`, also reads the bytes of each kept file on the page, and compares their SHA-256
    /// with the SHA-256 in the row.
    ///
    /// # Errors
    /// `bad_cursor`; `unavailable` if R2 or the database cannot be reached.
    pub async fn fsck(&self, deep: bool, cursor: Option<&str>) -> Result<FsckPage> {
        let start = cursor.map(FsckPosition::decode).transpose()?;
        let mut position = start.unwrap_or(FsckPosition::start(Phase::Files));
        let (mut checked, mut violations) = (0, Vec::new());
        loop {
            let phase = position.phase;
            let step = self.fsck_step(position, deep).await?;
            checked += step.checked;
            violations.extend(step.violations);
            let within = step.next.is_some();
            let next = step.next.or_else(|| phase.next().map(FsckPosition::start));
            match next {
                Some(next) if !within && checked < ITEMS_PER_CALL => position = next,
                next => {
                    return Ok(FsckPage {
                        complete: next.is_none(),
                        cursor: next.map(|next| next.encode()),
                        phase: phase.name(),
                        checked,
                        violations,
                    });
                }
            }
        }
    }

    async fn fsck_step(&self, position: FsckPosition, deep: bool) -> Result<FsckStep> {
        match position.phase {
            Phase::Files => objects::check_files(self, position, deep).await,
            Phase::Objects => objects::check_objects(self, position).await,
            Phase::Unfinished => rows::check_unfinished(self, position).await,
            Phase::Quotas => rows::check_quotas(self, position).await,
            Phase::Usage => rows::check_usage(self, position).await,
            Phase::Uploads => rows::check_uploads(self, position).await,
            Phase::Rows(table) => rows::check_table(self, table, position).await,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_phase_of_the_self_check_runs_once() {
        let mut phase = Phase::Files;
        let mut names = vec![phase.name()];
        while let Some(next) = phase.next() {
            phase = next;
            names.push(phase.name());
        }
        assert_eq!(names.len(), 6 + Table::ALL.len());
        assert_eq!(names.last().unwrap(), "rows of metric_gauges");
    }

    #[test]
    fn a_cursor_decodes_to_its_position_and_an_invalid_cursor_is_refused() {
        for phase in [Phase::Files, Phase::Rows(3)] {
            let position = FsckPosition { phase, behind: ("a".to_owned(), "b".to_owned()), hash: None };
            assert_eq!(FsckPosition::decode(&position.encode()).unwrap(), position);
        }
        let beyond = FsckPosition::start(Phase::Rows(Table::ALL.len())).encode();
        for text in ["", "x", "e30", beyond.as_str()] {
            assert_eq!(FsckPosition::decode(text).unwrap_err().code(), Code::BadCursor, "{text}");
        }
    }
}
