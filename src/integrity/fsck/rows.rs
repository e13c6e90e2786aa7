//! Compares rows with each other.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{FsckPosition, FsckStep, Phase, ViolationCode};
use crate::app::App;
use crate::error::Result;
use crate::ports::{Statement, from_row};
use crate::sql::checks::{self, RowsToCheck, Table};

/// Number of rows on one page of unfinished files or of uploads.
const ROWS_PER_PAGE: u64 = 500;

/// Number of rows of `quotas` or `usage` on one page. For each of these rows, the database counts or sums the user's
/// rows in other tables.
const QUOTAS_PER_PAGE: u64 = 20;

/// Number of rows on one page of a phase [`Phase::Rows`]. The query reads all these rows, but returns only the wrong
/// rows and the last row of the page.
const TABLE_ROWS_PER_PAGE: u64 = 5_000;

#[derive(Debug, Deserialize)]
struct Unfinished {
    id: String,
    r2_key: String,
    lifecycle_status: String,
    named: u8,
}

pub(super) async fn check_unfinished(app: &App, position: FsckPosition) -> Result<FsckStep> {
    let select = checks::UnfinishedFiles { after: &position.behind.0, limit: ROWS_PER_PAGE };
    let files: Vec<Unfinished> = page(app, select.statement()).await?;
    let mut step = FsckStep { checked: files.len() as u64, ..FsckStep::default() };
    for file in files.iter().filter(|file| file.named == 0) {
        let detail =
            format!("the file is {}, but its key {} is not on gc_queue", file.lifecycle_status, file.r2_key);
        step.add(ViolationCode::UnnamedAttempt.violation(file.id.as_str(), detail));
    }
    let full = files.len() as u64 == ROWS_PER_PAGE;
    step.continue_after(Phase::Unfinished, full, files.into_iter().next_back().map(|file| file.id));
    Ok(step)
}

#[derive(Debug, Deserialize)]
struct Quota {
    user_id: String,
    used_bytes: u64,
    reserved_bytes: u64,
    kept_bytes: u64,
    pending_bytes: u64,
}

pub(super) async fn check_quotas(app: &App, position: FsckPosition) -> Result<FsckStep> {
    let select = checks::Quotas { after: &position.behind.0, limit: QUOTAS_PER_PAGE };
    let quotas: Vec<Quota> = page(app, select.statement()).await?;
    let mut step = FsckStep { checked: quotas.len() as u64, ..FsckStep::default() };
    for quota in &quotas {
        let pairs = [
            (ViolationCode::WrongUsedBytes, "used", quota.used_bytes, quota.kept_bytes),
            (ViolationCode::WrongReservedBytes, "reserved", quota.reserved_bytes, quota.pending_bytes),
        ];
        for (code, what, accounted, real) in pairs.into_iter().filter(|(_, _, a, b)| a != b) {
            let detail = format!("the quota has {accounted} {what} bytes, but the files have {real}");
            step.add(code.violation(quota.user_id.as_str(), detail));
        }
    }
    let full = quotas.len() as u64 == QUOTAS_PER_PAGE;
    step.continue_after(Phase::Quotas, full, quotas.into_iter().next_back().map(|quota| quota.user_id));
    Ok(step)
}

#[derive(Debug, Deserialize)]
struct UsageRow {
    user_id: String,
    counted: String,
    found: String,
}

pub(super) async fn check_usage(app: &App, position: FsckPosition) -> Result<FsckStep> {
    let select = checks::Usage { after: &position.behind.0, limit: QUOTAS_PER_PAGE };
    let rows: Vec<UsageRow> = page(app, select.statement()).await?;
    let mut step = FsckStep { checked: rows.len() as u64, ..FsckStep::default() };
    for row in rows.iter().filter(|row| row.counted != row.found) {
        let detail = format!("usage has {}, but the user's rows have {}", row.counted, row.found);
        step.add(ViolationCode::WrongUsage.violation(row.user_id.as_str(), detail));
    }
    let full = rows.len() as u64 == QUOTAS_PER_PAGE;
    step.continue_after(Phase::Usage, full, rows.into_iter().next_back().map(|row| row.user_id));
    Ok(step)
}

#[derive(Debug, Deserialize)]
struct UploadStatusRow {
    upload_id: String,
    status: String,
    file_status: Option<String>,
}

impl UploadStatusRow {
    /// Whether the file's status fits the upload's status. If the upload is `open`, its file must be `pending`. If the
    /// upload is `completing`, its file must exist and may have any status. Any other upload needs no file.
    fn has_its_file(&self) -> bool {
        match (self.status.as_str(), self.file_status.as_deref()) {
            ("open", file) => file == Some("pending"),
            ("completing", file) => {
                matches!(file, Some("pending" | "active" | "archived" | "deleted" | "dead" | "purged"))
            }
            _ => true,
        }
    }
}

pub(super) async fn check_uploads(app: &App, position: FsckPosition) -> Result<FsckStep> {
    let select = checks::Uploads { after: &position.behind.0, limit: ROWS_PER_PAGE };
    let uploads: Vec<UploadStatusRow> = page(app, select.statement()).await?;
    let mut step = FsckStep { checked: uploads.len() as u64, ..FsckStep::default() };
    for upload in uploads.iter().filter(|upload| !upload.has_its_file()) {
        let file = upload.file_status.as_deref().unwrap_or("missing");
        let detail = format!("the upload is {}, but its file is {file}", upload.status);
        step.add(ViolationCode::UploadWithoutFile.violation(upload.upload_id.as_str(), detail));
    }
    let full = uploads.len() as u64 == ROWS_PER_PAGE;
    step.continue_after(Phase::Uploads, full, uploads.into_iter().next_back().map(|upload| upload.upload_id));
    Ok(step)
}

#[derive(Debug, Deserialize)]
struct TableRow {
    /// The first column of the row's key, as text.
    a: String,
    /// The second column of the key; empty if the key has one column.
    b: String,
    /// The name of a column whose text is not a time in the stored form.
    odd: Option<String>,
    /// 1 if the row is useless because a row of another table is missing.
    orphan: u8,
    /// Number of the row on the page, counted from 1.
    n: u64,
    /// Number of rows on the page.
    total: u64,
}

/// Checks one page of rows of a table. `index` is the index of the table in [`Table::ALL`].
pub(super) async fn check_table(app: &App, index: usize, position: FsckPosition) -> Result<FsckStep> {
    let mut step = FsckStep::default();
    let Some(table) = Table::ALL.get(index).copied() else { return Ok(step) };
    let (after_a, after_b) = &position.behind;
    let select = RowsToCheck { table, after_a, after_b, limit: TABLE_ROWS_PER_PAGE };
    for row in page::<TableRow>(app, select.statement()).await? {
        let subject = format!("{} {} {}", table.name(), row.a, row.b).trim_end().to_owned();
        if let Some(column) = &row.odd {
            step.add(
                ViolationCode::OddTime
                    .violation(subject.as_str(), format!("{column} is not a time in the stored form")),
            );
        }
        if row.orphan != 0 {
            step.add(
                ViolationCode::OrphanRow
                    .violation(subject, "the row is useless, because a row of another table is missing"),
            );
        }
        if row.n == row.total {
            step.checked = row.total;
            if row.total == TABLE_ROWS_PER_PAGE {
                let behind = (row.a, row.b);
                step.next = Some(FsckPosition { phase: Phase::Rows(index), behind, hash: None });
            }
        }
    }
    Ok(step)
}

async fn page<T: DeserializeOwned>(app: &App, select: Statement) -> Result<Vec<T>> {
    app.database.query(select).await?.into_iter().map(from_row).collect()
}
