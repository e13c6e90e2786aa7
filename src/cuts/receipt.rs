//! Receipts: what a cut did, and whether it is complete.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::service::CutService;
use crate::csv::{CutCounts, UndecodablePlace};
use crate::domain::ids::{CutId, FileId};
use crate::domain::principal::Scope;
use crate::domain::time::Timestamp;
use crate::error::{Code, Problem, Result};
use crate::ports::{Statement, from_row};
use crate::sql;
use crate::storage::recipes::RecipeView;

/// Member of `details` that holds [`CutOutcome::verified`].
const VERIFIED: &str = "verified";

/// The result of a cut.
pub struct CutOutcome {
    /// Rows and bytes read and written.
    pub tally: CutCounts,
    /// Whether every digest block that the cut read was compared with its digest.
    pub verified: bool,
    /// SHA-256 of the output, in hex; `None` if the cut failed.
    pub checksum: Option<String>,
    /// Why the cut failed; `None` if it did not fail.
    pub error: Option<String>,
    /// The places of the first hundred undecodable sequences.
    pub undecodable_places: Vec<UndecodablePlace>,
    /// The dialect in which the file was read.
    pub details: Value,
}

impl CutOutcome {
    /// Returns the statement that writes the result to the receipt. The statement changes nothing unless the receipt is
    /// `running`.
    pub fn finish_statement(self, id: CutId, now: Timestamp) -> Statement {
        let tally = self.tally;
        let mut details = self.details;
        details[VERIFIED] = json!(self.verified);
        details["undecodablePlaces"] = json!(self.undecodable_places);
        for (name, count) in [
            ("rowsShort", tally.rows_short),
            ("rowsLong", tally.rows_long),
            ("rowsMalformed", tally.rows_malformed),
            ("undecodable", tally.undecodable),
            ("commentLines", tally.comment_lines),
            ("invalidUtf8", tally.invalid_utf8),
            ("notComparable", tally.not_comparable),
        ] {
            details[name] = json!(count);
        }
        let finish = sql::cuts::Finish {
            cut: id,
            status: if self.error.is_none() { "complete" } else { "failed" },
            rows_in: tally.rows_in,
            rows_out: tally.rows_out,
            bytes_in: tally.bytes_scanned,
            bytes_out: tally.bytes_out,
            rows_ragged: tally.rows_ragged(),
            rows_rejected: tally.rows_rejected,
            checksum: self.checksum.as_deref(),
            error: self.error.as_deref(),
            details: &details.to_string(),
            now,
            bytes_skipped: tally.bytes_in - tally.bytes_scanned,
        };
        finish.statement()
    }
}

/// A receipt.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptView {
    /// The cut's id, a UUID.
    pub id: String,
    /// The id of the file that was cut.
    pub file_id: String,
    /// `running`, `complete` or `failed`.
    pub status: String,
    /// Whether the cut made the whole result.
    pub complete: bool,
    /// Whether the cut is complete and every byte that it read was compared with the digests of the file. `false` if
    /// the file had no digests yet.
    pub verified: bool,
    /// Rows that were read or skipped. The header and blank lines are not counted.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Bytes of the file that were read.
    pub bytes_in: u64,
    /// Bytes of the file in skipped zones. No row of these zones can match.
    pub bytes_skipped: u64,
    /// Bytes written, before any content coding.
    pub bytes_out: u64,
    /// SHA-256 of the bytes written, 64 hex digits.
    pub checksum: Option<String>,
    /// Rows with more or fewer fields than the header.
    pub rows_ragged: u64,
    /// Number of refused rows: 0 or 1. A malformed row is refused in strict mode. A row that exceeds a limit is always
    /// refused. A refused row ends the cut.
    pub rows_rejected: u64,
    /// Why the cut failed.
    pub error: Option<String>,
    /// The dialect in which the file was read (encoding, delimiter), and the counts `rowsShort`, `rowsLong`,
    /// `rowsMalformed`, `undecodable`, `commentLines` (comments below the header, which are left out), `invalidUtf8` and
    /// `notComparable`. `undecodable` is the number of byte sequences
    /// that the encoding of the file does not know. If the file has a profile, it is the number for the whole file.
    /// Otherwise it is the number for the bytes that the cut has read. `undecodablePlaces` has `record`, `line` and
    /// `byte` of the first 100 of these sequences.
    #[schema(value_type = Object)]
    pub details: Value,
    /// SHA-256 of the recipe, 64 hex digits; null if an older version made the cut. `GET /api/cuts/{id}/recipe` returns
    /// the recipe.
    pub recipe_sha256: Option<String>,
    /// When the cut started.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the cut ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ReceiptRow {
    id: String,
    file_id: String,
    status: String,
    recipe_sha256: Option<String>,
    rows_in: u64,
    rows_out: u64,
    bytes_in: u64,
    bytes_skipped: u64,
    bytes_out: u64,
    rows_ragged: u64,
    rows_rejected: u64,
    checksum: Option<String>,
    error: Option<String>,
    details: String,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl From<ReceiptRow> for ReceiptView {
    fn from(row: ReceiptRow) -> Self {
        let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        let mut details = json(&row.details);
        let verified = details.as_object_mut().and_then(|details| details.remove(VERIFIED));
        Self {
            complete: row.status == "complete",
            verified: verified == Some(Value::Bool(true)),
            details,
            recipe_sha256: row.recipe_sha256,
            id: row.id,
            file_id: row.file_id,
            status: row.status,
            rows_in: row.rows_in,
            rows_out: row.rows_out,
            bytes_in: row.bytes_in,
            bytes_skipped: row.bytes_skipped,
            bytes_out: row.bytes_out,
            checksum: row.checksum,
            rows_ragged: row.rows_ragged,
            rows_rejected: row.rows_rejected,
            error: row.error,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

/// A receipt in a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedReceipt {
    /// The receipt.
    #[serde(flatten)]
    pub receipt: ReceiptView,
    /// The name of the file that was cut; null if the file was deleted permanently.
    pub file_name: Option<String>,
}

/// One page of receipts.
pub struct ReceiptPage {
    /// The receipts, the newest first.
    pub receipts: Vec<ListedReceipt>,
    /// Whether there are more receipts after the page.
    pub has_more: bool,
}

#[derive(Deserialize)]
struct ListedRow {
    #[serde(flatten)]
    receipt: ReceiptRow,
    file_name: Option<String>,
}

/// A page of a list ends when the details and error texts of its receipts have this number of bytes.
const MAX_LIST_BYTES: u64 = 1 << 20;

impl CutService {
    /// Returns one page of the user's receipts, or of the receipts of one file. A principal that is restricted to a tag
    /// sees only receipts of files with this tag. The page begins after the receipt with
    /// the time and the id `after`.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn receipts(
        &self,
        file: Option<FileId>,
        after: Option<(&str, &str)>,
        limit: u64,
    ) -> Result<ReceiptPage> {
        let (user, tag) = (self.storage.allow(Scope::Read, None)?, self.storage.actor.tag());
        let (after_time, after_id) = after.unzip();
        // The extra receipt shows that there is another page.
        let (most_bytes, extended) = (MAX_LIST_BYTES, limit + 1);
        let list = match file {
            Some(file) => {
                sql::cuts::ListOfFile { user, tag, file, after_time, after_id, most_bytes, limit: extended }
                    .statement()
            }
            None => {
                sql::cuts::List { user, tag, after_time, after_id, most_bytes, limit: extended }.statement()
            }
        };
        let rows = self.storage.app.database.query(list).await?;
        let found = rows.first().and_then(|row| row.get("found")).and_then(Value::as_u64).unwrap_or(0);
        let has_more = found > limit.min(rows.len() as u64);
        let shown = rows.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
        let receipts = shown.map(|row| {
            let ListedRow { receipt, file_name } = from_row(row)?;
            Ok(ListedReceipt { receipt: receipt.into(), file_name })
        });
        Ok(ReceiptPage { receipts: receipts.collect::<Result<_>>()?, has_more })
    }

    /// Returns a receipt.
    ///
    /// # Errors
    /// `not_found` if there is no such cut or it belongs to another owner; `forbidden`.
    pub async fn receipt(&self, id: &str) -> Result<ReceiptView> {
        let id = CutId::parse(id).ok_or_else(no_such_cut)?;
        let (user, tag) = (self.storage.allow(Scope::Read, None)?, self.storage.actor.tag());
        let get = sql::cuts::Get { cut: id, user, tag };
        let row = self.storage.app.database.query(get.statement()).await?.pop().ok_or_else(no_such_cut)?;
        Ok(from_row::<ReceiptRow>(row)?.into())
    }

    /// Returns the recipe of a cut.
    ///
    /// # Errors
    /// `not_found` if there is no such cut or it belongs to another owner; `gone` if the recipe is not stored any more;
    /// `forbidden`.
    pub async fn recipe(&self, id: &str) -> Result<RecipeView> {
        let cut = CutId::parse(id).ok_or_else(no_such_cut)?;
        let (user, tag) = (self.storage.allow(Scope::Read, None)?, self.storage.actor.tag());
        let get = sql::recipes::OfCut { cut, user, tag };
        let row = self.storage.app.database.query(get.statement()).await?.pop().ok_or_else(no_such_cut)?;
        RecipeView::read(row)
    }
}

fn no_such_cut() -> Problem {
    Problem::new(Code::NotFound, "There is no such cut, or it is not yours.")
}
