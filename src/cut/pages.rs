//! Pages of rows, and the columns of a file.

use super::{CutService, OpenFile, csv_problem, request_problem};
use crate::csv::request::{CutRequest, RequestError};
use crate::csv::{InputOptions, PageRequest, RowPager};
use crate::error::Result;
use crate::ports::PIECE_BYTES;
use crate::storage::file::FileRow;

/// What the cells of one page may come to, in bytes; a page ends early behind the row that passes it.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// A page of rows.
pub struct RowsPage {
    /// The names of the columns shown.
    pub columns: Vec<String>,
    /// The rows, a cell for each column.
    pub rows: Vec<Vec<String>>,
    /// The rows of the whole file.
    pub total: u64,
}

impl CutService {
    /// The names of a file's columns, in order. Reads no more than the start of the file.
    ///
    /// # Errors
    /// Those of opening it.
    pub async fn columns(&self, file: &FileRow, options: InputOptions) -> Result<Vec<String>> {
        let OpenFile { opened, mut source } = self.open(file, options).await?;
        source.cancel().await;
        Ok(opened.header.names().to_vec())
    }

    /// A page of rows and the number of all, by reading the file once.
    ///
    /// # Errors
    /// `unknown_column`, `malformed_csv`, or those of reading the file.
    pub async fn rows(&self, file: &FileRow, request: &CutRequest, limit: usize) -> Result<RowsPage> {
        let OpenFile { opened, mut source } = self.open(file, request.input).await?;
        let plan = request.plan(&opened.header).map_err(|error: RequestError| request_problem(error))?;
        let columns = plan.columns.iter().map(|&column| opened.header.names()[column].clone()).collect();
        let page =
            PageRequest { columns: plan.columns, offset: request.offset, limit, max_bytes: MAX_PAGE_BYTES };
        let mut pager = RowPager::new(opened, page);
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        while source.read(&mut piece).await? > 0 {
            pager.push(&piece).map_err(csv_problem)?;
            piece.clear();
        }
        let page = pager.finish().map_err(csv_problem)?;
        Ok(RowsPage { columns, rows: page.rows, total: page.total })
    }
}
