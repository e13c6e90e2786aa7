//! Pages of rows, and the columns of a file.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::memory::{LONG_RECORD_BYTES, PAGE};
use super::open::{OpenFile, digests_in};
use super::problems::{csv_problem, request_problem};
use super::scan::FileScan;
use super::service::CutService;
use super::verified::VerifiedSource;
use crate::app::App;
use crate::body::stream::{ByteSource, PIECE_BYTES};
use crate::csv::open::header::given_names;
use crate::csv::profile::{ColumnType, Profile, RowIndex};
use crate::csv::request::{CutRequest, RequestError};
use crate::csv::{
    CsvError, CutPlan, Header, InputOptions, MalformedCsv, OpenedCsv, PageRequest, RowPage, RowPager,
};
use crate::error::Result;
use crate::memory::budget::{Lease, Memory};
use crate::memory::pauses::Pauses;
use crate::storage::file::FileRow;
use crate::storage::profiling::FileProfile;

/// Maximum size of the cells on one page, in bytes. The page ends after the row that reaches this size.
pub(super) const MAX_PAGE_BYTES: usize = 8 << 20;

/// A page of rows.
pub struct RowsPage {
    /// The names of the columns on the page.
    pub columns: Vec<String>,
    /// The rows, with one cell for each column.
    pub rows: Vec<Vec<String>>,
    /// The number of each row in the file, from 1.
    pub row_numbers: Vec<u64>,
    /// Number of rows in the whole file, or of those that the filter keeps. `None` if nobody has counted them. If there
    /// is a `failure`, the number of rows before the failure.
    pub total: Option<u64>,
    /// Whether there may be rows after the page.
    pub has_more: bool,
    /// The first record that cannot be read; `None` if no such record is known.
    pub failure: Option<MalformedCsv>,
    /// The lease for the memory of a long page or of a long header.
    pub lease: Option<Lease>,
}

impl RowsPage {
    /// Creates a page of a request without a filter. `total` is the number of rows that can be read.
    fn of_all_rows(columns: Vec<String>, page: RowPage, offset: u64, total: u64) -> Self {
        let has_more = offset.saturating_add(page.rows.len() as u64) < total;
        let RowPage { rows, row_numbers, .. } = page;
        Self { columns, rows, row_numbers, total: Some(total), has_more, failure: None, lease: None }
    }

    /// Creates a page of a file without rows.
    pub(super) fn of_no_rows(columns: Vec<String>) -> Self {
        Self::of_all_rows(columns, RowPage::default(), 0, 0)
    }

    /// Adds the lease of a long header's memory to the page, because the page holds names from this header.
    pub(super) fn holding(mut self, header: Option<Lease>) -> Self {
        match &mut self.lease {
            Some(lease) => lease.join(header),
            None => self.lease = header,
        }
        self
    }
}

impl KnownColumns {
    /// Returns the columns, and the lease of their memory. The lease is `None` if the columns need little memory.
    pub fn into_parts(self) -> (Self, Option<Lease>) {
        match self {
            Self::Learned(profile, lease) => (Self::Learned(profile, None), lease),
            Self::Read(header, lease) => (Self::Read(header, None), lease),
            stored @ Self::Stored(_) => (stored, None),
        }
    }
}

/// The columns of a file, in the form in which they were read. They are not converted to one form, because a file may
/// have a hundred thousand columns.
pub enum KnownColumns {
    /// From the file's row, with types.
    Stored(Vec<StoredColumn>),
    /// From the file's profile, with types.
    Learned(Arc<Profile>, Option<Lease>),
    /// From the start of the file, without types.
    Read(Header, Option<Lease>),
}

/// A column in the file's row.
#[derive(Debug, Deserialize)]
pub struct StoredColumn {
    name: String,
    r#type: Option<String>,
}

impl KnownColumns {
    /// Returns the names and types of the columns, in the order of the file. The names are unique: a column whose name
    /// is empty, or equals the name of an earlier column, has its given name. A request can refer to each column by its
    /// name.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Option<&str>)> {
        let names: Vec<&str> = self.in_file().map(|(name, _)| name).collect();
        let mut given = given_names(names.into_iter()).into_iter().peekable();
        self.in_file().enumerate().map(move |(position, (name, kind))| {
            match given.next_if(|given| given.position == position) {
                Some(given) => (Cow::Owned(given.name), kind),
                None => (Cow::Borrowed(name), kind),
            }
        })
    }

    /// Returns the names in the file and the types of the columns, in the order of the file.
    fn in_file(&self) -> Box<dyn Iterator<Item = (&str, Option<&str>)> + '_> {
        match self {
            Self::Stored(columns) => {
                Box::new(columns.iter().map(|column| (column.name.as_str(), column.r#type.as_deref())))
            }
            Self::Learned(profile, _) => Box::new(
                profile
                    .columns
                    .iter()
                    .map(|column| (column.name.as_str(), profile.type_of(column).map(ColumnType::name))),
            ),
            Self::Read(header, _) => Box::new(header.names().iter().map(|name| (name.as_str(), None))),
        }
    }
}

/// Returns the end of the bytes that a page can need: the start of the first indexed row after the page, or the end
/// of the file.
fn page_end(profile: &Profile, offset: u64, limit: usize) -> u64 {
    let end = offset.saturating_add(limit as u64);
    let entries = profile.index.as_ref().map_or(&[][..], RowIndex::entries);
    let next = entries.partition_point(|entry| entry.row < end);
    entries.get(next).map_or(profile.size_bytes, |entry| entry.byte)
}

/// The columns of a file, and the dialect in which they were read.
pub struct FileColumns {
    /// The columns.
    pub columns: KnownColumns,
    /// The dialect as JSON. Null if an older version of Cutty learned the columns.
    pub dialect: Value,
}

impl CutService {
    /// Returns a file's columns in the order of the file: from the file's row, or from the file's profile if the row
    /// has no columns. The columns are read from the start of the file in two cases: the file has no profile yet, or
    /// the request uses another dialect than the profile does.
    ///
    /// # Errors
    /// The errors of [`Self::open`].
    pub async fn columns(&self, file: &FileRow, options: InputOptions) -> Result<FileColumns> {
        let is_profiled = file.is_read_as_profiled(&options);
        let stored = file.columns.as_deref().and_then(|text| serde_json::from_str(text).ok());
        // A file whose header cannot be read has no columns. Then `open` returns the error.
        if let Some(stored) = stored.filter(|columns: &Vec<_>| is_profiled && !columns.is_empty()) {
            let dialect = json!(file.shown_dialect());
            return Ok(FileColumns { columns: KnownColumns::Stored(stored), dialect });
        }
        let profile = self.storage.profile(file).await?;
        let digests = digests_in(profile.as_deref());
        let (profile, lease) = profile.map(FileProfile::into_parts).unzip();
        if let Some(profile) = profile.filter(|profile| is_profiled && profile.dialect.is_some()) {
            let dialect = json!(profile.dialect);
            return Ok(FileColumns { columns: KnownColumns::Learned(profile, lease.flatten()), dialect });
        }
        let OpenFile { opened, mut scan, lease } =
            self.open(Arc::new(file.clone()), options, digests, lease.flatten()).await?;
        scan.cancel().await;
        let dialect = json!(opened.dialect);
        Ok(FileColumns { columns: KnownColumns::Read(opened.header, lease), dialect })
    }

    /// Returns a page of rows. With a filter, it is a page of the rows that the filter keeps. Without a filter, also
    /// returns the number of all rows: if the file has a row index, reads one byte range, otherwise the whole file once.
    /// If the file cannot be read to its end, the page has only rows before the failure.
    ///
    /// # Errors
    /// - `unknown_column` if the request names a column that the file does not have.
    /// - `malformed_csv` if no row of the page can be read.
    /// - The errors of [`Self::open`].
    pub async fn rows(&self, file: &FileRow, request: &CutRequest, limit: usize) -> Result<RowsPage> {
        if request.filter.is_some() {
            return self.matching_rows(file, request, limit).await;
        }
        let _lease = self.storage.app.lease_memory(PAGE).await?;
        let (file, profile) = (Arc::new(file.clone()), self.storage.profile(file).await?);
        let digests = digests_in(profile.as_deref());
        let (profile, lease) = profile.map(FileProfile::into_parts).unzip();
        let mut failure = None;
        if let Some(profile) = profile.filter(|_| file.is_read_as_profiled(&request.input)) {
            if profile.refuses_no_row()
                && let Some(page) = self.rows_by_index(&file, &profile, request, limit).await?
            {
                return Ok(page.holding(lease.flatten()));
            }
            let limit_bytes = self.storage.app.config.max_record_size_bytes;
            failure = profile.failure.filter(|failure| failure.is_independent_of_mode(limit_bytes));
        }
        let OpenFile { opened, scan, lease } =
            self.open(file, request.input.clone(), digests, lease.flatten()).await?;
        let page = rows_by_reading(&self.storage.app, opened, scan, request, limit, failure).await?;
        Ok(page.holding(lease))
    }

    async fn rows_by_index(
        &self,
        file: &Arc<FileRow>,
        profile: &Profile,
        request: &CutRequest,
        limit: usize,
    ) -> Result<Option<RowsPage>> {
        let header = profile.header();
        let plan = request.plan(&header).map_err(request_problem)?;
        let columns = plan.columns.iter().map(|&column| header.names()[column].clone()).collect();
        let total = profile.row_count;
        if profile.failure.is_some() {
            return Ok(None);
        }
        if request.offset >= total {
            return Ok(Some(RowsPage::of_all_rows(columns, RowPage::default(), request.offset, total)));
        }
        let limit_bytes = self.storage.app.config.max_record_size_bytes;
        let (Some(start), end_byte) =
            (profile.locate_row(request.offset), page_end(profile, request.offset, limit))
        else {
            return Ok(None);
        };
        let page = page_request(plan, request.offset, limit);
        let Some(mut pager) = RowPager::at(profile, start, start.row, page, limit_bytes) else {
            return Ok(None);
        };
        let wanted = start.byte..end_byte;
        let mut source = VerifiedSource::open(&self.storage, file, profile.digests.clone(), wanted).await?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut large = None;
        while source.read(&mut piece).await? > 0 {
            lease_large_page(&self.storage.app, &pager, &mut large).await?;
            if pager.push(&piece).map_err(csv_problem)? {
                source.cancel().await;
                let page = RowsPage::of_all_rows(columns, pager.into_page(), request.offset, total);
                return Ok(Some(RowsPage { lease: large, ..page }));
            }
            piece.clear();
        }
        let page = pager.finish().map_err(csv_problem)?;
        let page = RowsPage::of_all_rows(columns, page, request.offset, total);
        Ok(Some(RowsPage { lease: large, ..page }))
    }
}

/// Returns the request for a page of the rows and columns of a plan.
pub(super) fn page_request(plan: CutPlan, offset: u64, limit: usize) -> PageRequest {
    let CutPlan { columns, predicate, .. } = plan;
    PageRequest { columns, predicate, offset, limit, max_bytes: MAX_PAGE_BYTES }
}

/// Leases memory for a page that has become long, or that has a long record.
pub(super) async fn lease_large_page(app: &App, pager: &RowPager, large: &mut Option<Lease>) -> Result<()> {
    if large.is_none() && pager.held_bytes() > LONG_RECORD_BYTES {
        let bytes = MAX_PAGE_BYTES + app.config.max_record_size_bytes;
        *large = Some(app.lease_large_memory(Memory::wasm(bytes)).await?);
    }
    Ok(())
}

/// Makes a page by reading the file from its start. `known` is the failure that the profile of the file records. If
/// `known` is present, reading ends when the page is full. If `known` is `None`, reading continues to the first failure
/// or to the end of the file, because all rows must be counted.
async fn rows_by_reading(
    app: &App,
    opened: OpenedCsv,
    mut scan: FileScan,
    request: &CutRequest,
    limit: usize,
    known: Option<MalformedCsv>,
) -> Result<RowsPage> {
    let plan = request.plan(&opened.header).map_err(|error: RequestError| request_problem(error))?;
    let columns = plan.columns.iter().map(|&column| opened.header.names()[column].clone()).collect();
    let mut pager = RowPager::new(opened, page_request(plan, request.offset, limit));
    let mut pauses = Pauses::new(app.clock.clone());
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    let mut large = None;
    let outcome = loop {
        piece.clear();
        if scan.read(&mut piece).await? == 0 {
            break pager.end().map(|()| None);
        }
        lease_large_page(app, &pager, &mut large).await?;
        pauses.after(piece.len()).await;
        match pager.push(&piece) {
            Ok(true) if known.is_some() => break Ok(known),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    let failure = match outcome {
        Ok(failure) => failure,
        Err(CsvError::Malformed(failure)) => Some(failure),
        Err(error) => return Err(csv_problem(error)),
    };
    let page = pager.into_page();
    let total = match failure {
        None => page.total,
        Some(failure) => {
            scan.cancel().await;
            if page.rows.is_empty() {
                return Err(csv_problem(failure.into()));
            }
            // `failure.record` is the number of the row that cannot be read. Rows are numbered from 1, and this row
            // does not count.
            failure.record.saturating_sub(1)
        }
    };
    let page = RowsPage::of_all_rows(columns, page, request.offset, total);
    Ok(RowsPage { failure, lease: large, ..page })
}
