//! Lists of files, page by page: by cursor, which never skips or repeats a file while others come and go, or by offset.

use serde_json::Value;

use crate::error::Result;
use crate::ports::{Row, Statement};
use crate::sql::files::{self, SortColumn};
use crate::storage::R2StorageService;
use crate::storage::file::{FileRow, LifecycleStatus};

/// What to list.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Which files.
    pub status: LifecycleStatus,
    /// Only files that have this tag.
    pub tag: Option<String>,
    /// Only files whose name contains this text, ASCII case aside.
    pub name_part: Option<String>,
    /// By what.
    pub sort: SortColumn,
    /// Which way.
    pub descending: bool,
    /// The most files on a page.
    pub limit: u64,
    /// Where the page begins.
    pub start: PageStart,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq)]
pub enum PageStart {
    /// After so many files.
    Offset(u64),
    /// After the file with this sort value and id.
    After {
        /// The value of the sort column.
        value: SortValue,
        /// The file's id.
        id: String,
    },
}

/// A value of a sort column.
#[derive(Debug, Clone, PartialEq)]
pub enum SortValue {
    /// Of `created_at` and `filename`.
    Text(String),
    /// Of `file_size`.
    Size(u64),
}

/// One page.
pub struct Page {
    /// The files.
    pub files: Vec<FileRow>,
    /// How many there are on all pages.
    pub total: u64,
    /// Whether there are more after these.
    pub has_more: bool,
}

impl R2StorageService {
    /// One page of files and the number of all.
    ///
    /// # Errors
    /// The database failed.
    pub async fn list(&self, query: &ListQuery) -> Result<Page> {
        let page = self.page_statement(query);
        let mut answers =
            self.app.database.batch(vec![self.filtered(files::COUNT.into(), query), page]).await?;
        let rows = answers.pop().unwrap_or_default();
        let total = answers.pop().and_then(|rows| first_number(&rows)).unwrap_or(0);
        let has_more = rows.len() as u64 > query.limit;
        let wanted = rows.into_iter().take(usize::try_from(query.limit).unwrap_or(usize::MAX));
        Ok(Page { files: wanted.map(FileRow::read).collect::<Result<_>>()?, total, has_more })
    }

    fn filtered(&self, sql: std::borrow::Cow<'static, str>, query: &ListQuery) -> Statement {
        Statement::new(sql)
            .bind(self.actor.user.as_str())
            .bind(query.status.name())
            .bind(self.app.now())
            .bind(query.tag.clone())
            .bind(query.name_part.clone())
    }

    fn page_statement(&self, query: &ListQuery) -> Statement {
        let statement =
            self.filtered(files::listing(query.sort, query.descending).into(), query).bind(query.limit + 1);
        match &query.start {
            PageStart::Offset(offset) => statement.bind(None::<&str>).bind(None::<&str>).bind(*offset),
            PageStart::After { value: SortValue::Text(text), id } => {
                statement.bind(text.as_str()).bind(id.as_str()).bind(0_u64)
            }
            PageStart::After { value: SortValue::Size(size), id } => {
                statement.bind(*size).bind(id.as_str()).bind(0_u64)
            }
        }
    }
}

fn first_number(rows: &[Row]) -> Option<u64> {
    rows.first()?.values().next().and_then(Value::as_u64)
}
