//! Lists of files, page by page. A page begins at a cursor or at an offset. If a client follows the cursors, it gets
//! each file exactly once, even if other files are added or deleted between two pages.

use serde_json::{Value, json};

use crate::domain::ids::{ShareId, UserId};
use crate::domain::principal::{Principal, Scope};
use crate::domain::time::Timestamp;
use crate::error::{Problem, Result};
use crate::memory::budget::Memory;
use crate::ports::{Row, Statement};
use crate::sql::files::{self, SortColumn, SortValue};
use crate::storage::R2StorageService;
use crate::storage::file::{FileRow, LifecycleStatus};

/// A page ends when the names, tags and metadata of its files have this number of bytes.
const MAX_LIST_BYTES: u64 = 1 << 20;

/// Memory for the rows of a page. D1 returns the rows in JavaScript memory, and the service copies them into wasm.
const LIST_MEMORY: Memory = Memory { wasm: 1 << 20, js: 1 << 20 };

/// Filter, order and page of a list.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Status of the files to list.
    pub status: LifecycleStatus,
    /// Only files that have each of these tags.
    pub tags: Vec<String>,
    /// Only files whose name contains this text. ASCII letters match in upper case and lower case.
    pub name_part: Option<String>,
    /// Column to sort by.
    pub sort: SortColumn,
    /// Whether the order is descending.
    pub descending: bool,
    /// Maximum number of files on the page.
    pub limit: u64,
    /// Where the page begins.
    pub start: PageStart,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq)]
pub enum PageStart {
    /// After this many files.
    Offset(u64),
    /// After the file with this sort value and id.
    After {
        /// The value of the sort column.
        value: SortValue,
        /// The file's id.
        id: String,
    },
}

/// One page of a list.
pub struct FilePage {
    /// The files on the page.
    pub files: Vec<FileRow>,
    /// Number of files on all pages.
    pub total: u64,
    /// Whether there are more files after this page.
    pub has_more: bool,
}

impl R2StorageService {
    /// Returns one page of files and the number of files on all pages.
    ///
    /// # Errors
    /// `forbidden`; `unavailable` if the database cannot be reached.
    pub async fn list(&self, query: &ListQuery) -> Result<FilePage> {
        let (user, now) = (self.allow(Scope::Read, None)?, self.app.now());
        let _lease = self.app.lease_large_memory(LIST_MEMORY).await?;
        let tags = json!(query.tags).to_string();
        let who = Reader { user, tag: self.actor.tag() };
        let batch = vec![count(&who, query, &tags, now), page(&who, query, &tags, now)];
        let mut results = self.app.database.batch(batch).await?;
        let rows = results.pop().unwrap_or_default();
        let total = results.pop().and_then(|rows| first_number(&rows)).unwrap_or(0);
        let found = rows.first().and_then(|row| row.get("found")).and_then(Value::as_u64).unwrap_or(0);
        let has_more = found > query.limit.min(rows.len() as u64);
        let wanted = rows.into_iter().take(usize::try_from(query.limit).unwrap_or(usize::MAX));
        Ok(FilePage { files: wanted.map(FileRow::read).collect::<Result<_>>()?, total, has_more })
    }
}

/// A page of files that other accounts share with the user.
pub struct GrantedPage {
    /// The files on the page.
    pub files: Vec<FileRow>,
    /// Number of files on all pages.
    pub total: u64,
    /// Whether there are more files after this page.
    pub has_more: bool,
}

impl R2StorageService {
    /// Returns one page of the files that other accounts share with the user, those shared last first. The page begins
    /// after the share `before`.
    ///
    /// # Errors
    /// `forbidden` if the principal is no user; `unavailable` if the database cannot be reached.
    pub async fn list_granted(&self, before: Option<ShareId>, limit: u64) -> Result<GrantedPage> {
        let Principal::User { id: grantee, .. } = &self.actor.principal else {
            return Err(Problem::not_allowed());
        };
        let now = self.app.now();
        let _lease = self.app.lease_large_memory(LIST_MEMORY).await?;
        let list = files::ListGranted { grantee, before, now, limit: limit + 1 };
        let batch = vec![files::CountGranted { grantee, now }.statement(), list.statement()];
        let mut results = self.app.database.batch(batch).await?;
        let rows = results.pop().unwrap_or_default();
        let total = results.pop().and_then(|rows| first_number(&rows)).unwrap_or(0);
        let has_more = rows.len() as u64 > limit;
        let wanted = rows.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(GrantedPage { files: wanted.map(FileRow::read).collect::<Result<_>>()?, total, has_more })
    }
}

/// The owner of the files, and the tag to which the principal is restricted.
struct Reader<'a> {
    user: &'a UserId,
    tag: Option<&'a str>,
}

fn count(who: &Reader<'_>, query: &ListQuery, tags: &str, now: Timestamp) -> Statement {
    let count = files::Count {
        user: who.user,
        tag: who.tag,
        status: query.status.name(),
        now,
        tags,
        name_part: query.name_part.as_deref(),
    };
    count.statement()
}

fn page(who: &Reader<'_>, query: &ListQuery, tags: &str, now: Timestamp) -> Statement {
    let (after_value, after_id, offset) = match &query.start {
        PageStart::Offset(offset) => (None, None, *offset),
        PageStart::After { value, id } => (Some(value), Some(id.as_str()), 0),
    };
    let list = files::List {
        order: query.sort.order(query.descending),
        user: who.user,
        tag: who.tag,
        status: query.status.name(),
        now,
        tags,
        name_part: query.name_part.as_deref(),
        // The query selects one file more than fits on the page. The extra file shows that there is another page.
        limit: query.limit + 1,
        after_value,
        after_id,
        offset,
        most_bytes: MAX_LIST_BYTES,
    };
    list.statement()
}

fn first_number(rows: &[Row]) -> Option<u64> {
    rows.first()?.values().next().and_then(Value::as_u64)
}
