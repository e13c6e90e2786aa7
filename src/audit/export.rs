//! Streams the audit log as CSV or NDJSON, the newest entries first. Memory holds one page of entries.

use std::sync::Arc;

use async_trait::async_trait;

use super::list::{AuditEntry, AuditFilter};
use crate::app::App;
use crate::body::stream::ByteSource;
use crate::csv::append_safe_row;
use crate::error::{Problem, Result};

/// Number of entries that one D1 call reads.
const PAGE: u64 = 500;
/// Maximum number of pages of an export: 400,000 entries. The platform limits the calls of one request.
const MAX_PAGES: u32 = 800;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// CSV with a header. A cell that a spreadsheet could take for a formula begins with an apostrophe.
    Csv,
    /// One JSON object per line, as in the list.
    Ndjson,
}

/// The entries of a filter as text.
pub struct AuditExport {
    app: Arc<App>,
    filter: AuditFilter,
    format: ExportFormat,
    before: Option<String>,
    pages: u32,
    is_over: bool,
}

impl AuditExport {
    /// Creates an export of the entries that `filter` admits.
    pub fn new(app: Arc<App>, filter: AuditFilter, format: ExportFormat) -> Self {
        Self { app, filter, format, before: None, pages: 0, is_over: false }
    }
}

#[async_trait]
impl ByteSource for AuditExport {
    async fn read(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        let start = buffer.len();
        if self.is_over {
            return Ok(0);
        }
        if self.pages == 0 && self.format == ExportFormat::Csv {
            append_safe_row(HEADER, buffer);
        }
        if self.pages == MAX_PAGES {
            return Err(Problem::internal("the export has too many entries; narrow it with from and until"));
        }
        self.pages += 1;
        let entries = self.app.audit_entries(&self.filter, self.before.as_deref(), PAGE).await?;
        self.is_over = (entries.len() as u64) < PAGE;
        self.before = entries.last().map(|last| last.id.clone());
        for entry in &entries {
            match self.format {
                ExportFormat::Csv => push_row(entry, buffer),
                ExportFormat::Ndjson => {
                    serde_json::to_writer(&mut *buffer, entry).map_err(Problem::internal)?;
                    buffer.push(b'\n');
                }
            }
        }
        Ok(buffer.len() - start)
    }
}

const HEADER: [&str; 19] = [
    "seq",
    "id",
    "timestamp",
    "action",
    "userId",
    "principal",
    "fileId",
    "subject",
    "route",
    "counts",
    "success",
    "errorCode",
    "errorMessage",
    "bytesTransferred",
    "durationMs",
    "ipAddress",
    "userAgent",
    "requestId",
    "hash",
];

fn push_row(entry: &AuditEntry, out: &mut Vec<u8>) {
    let number = |value: Option<i64>| value.map(|value| value.to_string());
    let counts = entry.counts.as_ref().map(|counts| serde_json::Value::Object(counts.clone()).to_string());
    let cells = [
        number(entry.seq),
        Some(entry.id.clone()),
        Some(entry.timestamp.clone()),
        Some(entry.action.clone()),
        entry.user_id.clone(),
        entry.principal.clone(),
        entry.file_id.clone(),
        entry.subject.clone(),
        entry.route.clone(),
        counts,
        Some(entry.success.to_string()),
        entry.error_code.clone(),
        entry.error_message.clone(),
        number(entry.bytes_transferred),
        number(entry.duration_ms),
        entry.ip_address.clone(),
        entry.user_agent.clone(),
        entry.request_id.clone(),
        entry.hash.clone(),
    ];
    append_safe_row(cells.iter().map(|cell| cell.as_deref().unwrap_or_default()), out);
}
