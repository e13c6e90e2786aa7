//! Reads one page of rows as decoded text and counts the rows of the file.
//!
//! The pager only counts the rows before the page and the rows after the page.

use crate::csv::cell::Cells;
use crate::csv::dialect::Ragged;
use crate::csv::encoding::Undecodable;
use crate::csv::error::{CsvError, Defect};
use crate::csv::filter::Predicate;
use crate::csv::open::OpenedCsv;
use crate::csv::profile::{Profile, RowStart};
use crate::csv::record::Record;
use crate::csv::record::reader::{RecordPosition, RecordReader, RecordSink};
use crate::csv::record::stream::RecordStream;
use crate::csv::scanner::walk::Wanted;
use crate::csv::scanner::{Flow, RecordGroup, Selection};

/// The rows and columns of a page.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// Positions of the columns (from 0), in the order of the page.
    pub columns: Vec<usize>,
    /// The rows that the page and its offset count; `None` counts all rows.
    pub predicate: Option<Predicate>,
    /// Number of these rows before the page.
    pub offset: u64,
    /// Maximum number of rows of the page.
    pub limit: usize,
    /// Maximum size of the page in bytes. The size of a cell is the length of its JSON string (without the two quotes)
    /// plus the memory of a `String`. The page ends after the row that reaches the maximum.
    pub max_bytes: usize,
}

/// A page of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowPage {
    /// The rows, each with one cell per requested column. Bytes that are not UTF-8 become U+FFFD.
    pub rows: Vec<Vec<String>>,
    /// The number of each row in the file, from 1.
    pub row_numbers: Vec<u64>,
    /// Number of rows up to and including the last row that was read and that the predicate keeps. Without a predicate,
    /// this is `total`.
    pub matched: u64,
    /// Number of rows of the file up to and including the last row that was read. After [`RowPager::finish`], this is
    /// the number of all rows of the file.
    pub total: u64,
    /// Whether the page ended early because of `max_bytes`.
    pub is_truncated: bool,
}

/// Reads one page of a file.
pub struct RowPager {
    stream: RecordStream,
    collector: Collector,
}

impl RowPager {
    /// Creates a pager for an opened file.
    pub fn new(opened: OpenedCsv, request: PageRequest) -> Self {
        let columns = opened.header.len();
        let wanted = request.wanted(columns);
        let mut stream = opened.stream;
        // A page does not report undecodable sequences, so the stream need not count them.
        stream.set_known_undecodable(Undecodable::default());
        stream.locate(wanted);
        let room_bytes = request.max_bytes;
        let refuses_ragged = opened.dialect.table.ragged == Ragged::Refuse;
        let page = RowPage::default();
        Self { stream, collector: Collector { request, page, room_bytes, columns, refuses_ragged } }
    }

    /// Creates a pager that starts in the middle of a profiled file. `start` must be at or before the first row of the
    /// page, and `matched` is the number of rows before `start` that the predicate keeps. The first piece must begin at
    /// the byte of `start`. If the caller calls [`RowPager::into_page`] before the end of the file, [`RowPage::total`] is too small. Then the
    /// caller must take the number of rows from the profile. Returns `None` for a file without a row index. A file that
    /// is not UTF-8 has no row index, because positions in the decoded text are not positions in the file. Rows with
    /// more or fewer fields than the header are never refused.
    pub fn at(
        profile: &Profile,
        start: RowStart,
        matched: u64,
        request: PageRequest,
        max_record_bytes: usize,
    ) -> Option<Self> {
        let dialect = profile.dialect.as_ref().filter(|_| profile.index.is_some())?;
        let columns = profile.columns.len();
        let wanted = request.wanted(columns);
        let reader = RecordReader::at(
            dialect.table.scanned_delimiter(),
            wanted,
            max_record_bytes,
            start.row + 1,
            (start.byte, start.line),
        );
        let mut stream = RecordStream::new(None, reader, Vec::new(), 0);
        stream.expect_columns(columns);
        let room_bytes = request.max_bytes;
        let page = RowPage { total: start.row, matched, ..RowPage::default() };
        Some(Self {
            stream,
            collector: Collector { request, page, room_bytes, columns, refuses_ragged: false },
        })
    }

    /// Skips rows that the predicate does not keep. The next piece must start with the row at `next`. Returns `false`
    /// and does nothing if a record is unfinished or if `next` is before the current position.
    #[must_use]
    pub fn skip_to(&mut self, next: RowStart) -> bool {
        let page = &mut self.collector.page;
        let Some(rows) = next.row.checked_sub(page.total) else { return false };
        let was_skipped = self.stream.skip_to(rows, next.byte, next.line).is_some();
        page.total += if was_skipped { rows } else { 0 };
        was_skipped
    }

    /// Returns the memory of the page and of the unfinished record, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.stream.carried_bytes() + self.collector.request.max_bytes - self.collector.room_bytes
    }

    /// Reads the next piece of the file. Returns `true` if the page is full. A caller that does not need the number of
    /// rows may then call [`RowPager::into_page`].
    ///
    /// # Errors
    /// [`CsvError::Malformed`] for a record that is too long or has too many fields, and for a ragged record if the
    /// dialect refuses these.
    pub fn push(&mut self, piece: &[u8]) -> Result<bool, CsvError> {
        // The collector never pauses, so the stream always reads the whole piece.
        self.stream.push(piece, &mut self.collector)?;
        Ok(self.collector.is_full())
    }

    /// Reads the last record and returns the page with the exact number of rows. All pieces must have been pushed.
    ///
    /// # Errors
    /// The errors of [`RowPager::push`].
    pub fn finish(mut self) -> Result<RowPage, CsvError> {
        self.end()?;
        Ok(self.collector.page)
    }

    /// Reads the last record. All pieces must have been pushed. After an error, [`RowPager::into_page`] still returns
    /// the rows before the malformed record.
    ///
    /// # Errors
    /// The errors of [`RowPager::push`].
    pub fn end(&mut self) -> Result<(), CsvError> {
        self.stream.finish(&mut self.collector).map(drop)
    }

    /// Returns the page without reading the rest of the file.
    pub fn into_page(self) -> RowPage {
        self.collector.page
    }
}

impl PageRequest {
    /// Returns the fields that are read from each record of a file with this number of columns.
    fn wanted(&self, columns: usize) -> Wanted {
        let read = self.predicate.as_ref().map_or(&[][..], Predicate::columns);
        let wanted = self.columns.iter().chain(read).copied();
        Wanted::fields(wanted.filter(|&column| column < columns))
    }
}

struct Collector {
    request: PageRequest,
    page: RowPage,
    room_bytes: usize,
    /// Number of columns of the file.
    columns: usize,
    /// Whether a record with more or fewer fields is an error.
    refuses_ragged: bool,
}

impl Collector {
    fn is_full(&self) -> bool {
        self.page.is_truncated || self.page.rows.len() >= self.request.limit
    }

    /// Adds a row that the predicate keeps. If the row is not on the page, only counts it.
    #[inline(always)]
    fn add(&mut self, record: &Record<'_>, place: RecordPosition<'_>) {
        self.page.total += 1;
        self.page.matched += 1;
        if self.page.matched > self.request.offset && !self.is_full() {
            self.show(record, place.record());
        }
    }

    #[inline(never)]
    fn show(&mut self, record: &Record<'_>, row_number: u64) {
        let row: Vec<String> = self
            .request
            .columns
            .iter()
            .map(|&column| String::from_utf8_lossy(record.cell(column)).into_owned())
            .collect();
        let bytes = row.iter().map(|cell| json_len(cell) + size_of::<String>()).sum();
        self.page.rows.push(row);
        self.page.row_numbers.push(row_number);
        self.room_bytes = self.room_bytes.saturating_sub(bytes);
        self.page.is_truncated = self.room_bytes == 0 && self.page.rows.len() < self.request.limit;
    }
}

impl RecordSink for Collector {
    #[inline(always)]
    fn record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        if self.refuses_ragged && record.fields != self.columns {
            let reason = Defect::Ragged { expected: self.columns, found: record.fields };
            return Err(place.error(reason));
        }
        match &self.request.predicate {
            Some(predicate) if !predicate.matches_row(*record) => self.page.total += 1,
            _ => self.add(record, place),
        }
        Ok(Flow::Continue)
    }

    #[inline(always)]
    fn handle_group(&mut self, group: RecordGroup<'_>, _piece_byte: u64) -> Selection {
        let Some(predicate) = &self.request.predicate else { return Selection::default() };
        predicate.select(group, self.columns)
    }

    #[inline(always)]
    fn count_finished(&mut self, records: usize) {
        self.page.total += records as u64;
    }

    #[inline(always)]
    fn kept_record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        self.add(record, place);
        Ok(Flow::Continue)
    }
}

/// Returns the number of bytes that a cell has as a JSON string, without the two quotes. JSON escapes quotes,
/// backslashes and control characters.
fn json_len(cell: &str) -> usize {
    let more = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        ..b' ' => 5,
        _ => 0,
    };
    cell.len() + cell.bytes().map(more).sum::<usize>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::csv::{CsvOpener, InputOptions, OpeningStatus};

    const FILE: &[u8] = b"a;b;c\n1;\"x\n;\"\"\";\n\n2\n3;y;z;more\r\n4;caf\xC3;w";

    fn page(request: PageRequest, piece_bytes: usize) -> RowPage {
        let mut pieces = FILE.chunks(piece_bytes);
        let mut opening = CsvOpener::new(
            InputOptions { encoding: Some(encoding_rs::UTF_8.into()), ..Default::default() },
            1 << 20,
        )
        .unwrap();
        let opened = loop {
            match pieces.next() {
                None => break opening.finish().unwrap(),
                Some(piece) => match opening.push(piece).unwrap() {
                    OpeningStatus::NeedMore => {}
                    OpeningStatus::Ready(opened) => break *opened,
                },
            }
        };
        let mut pager = RowPager::new(opened, request);
        for piece in pieces {
            pager.push(piece).unwrap();
        }
        pager.finish().unwrap()
    }

    fn request(columns: &[usize], offset: u64, limit: usize) -> PageRequest {
        PageRequest { columns: columns.to_vec(), predicate: None, offset, limit, max_bytes: 1 << 20 }
    }

    #[test]
    fn a_page_holds_decoded_cells_and_the_number_of_all_rows() {
        for piece_bytes in [1, 2, FILE.len()] {
            let first = page(request(&[1, 0], 0, 2), piece_bytes);
            assert_eq!(first.rows, [["x\n;\"", "1"], ["", "2"]]);
            assert_eq!((first.total, first.matched, first.is_truncated), (4, 4, false));
            assert_eq!(first.row_numbers, [1, 2]);
            let second = page(request(&[0, 1, 2], 2, 10), piece_bytes);
            assert_eq!(second.rows, [["3", "y", "z"], ["4", "caf\u{FFFD}", "w"]]);
            assert_eq!(second.total, 4);
        }
    }

    #[test]
    fn an_empty_page_states_the_number_of_all_rows() {
        assert_eq!(page(request(&[0], 4, 10), 7), RowPage { total: 4, matched: 4, ..RowPage::default() });
        assert_eq!(page(request(&[], 0, 0), 7), RowPage { total: 4, matched: 4, ..RowPage::default() });
    }

    #[test]
    fn a_page_ends_with_the_row_that_reaches_the_size_limit() {
        let small = page(PageRequest { max_bytes: 1, ..request(&[0], 1, 3) }, FILE.len());
        assert_eq!(
            small,
            RowPage {
                rows: vec![vec!["2".to_owned()]],
                row_numbers: vec![2],
                matched: 4,
                total: 4,
                is_truncated: true
            }
        );
    }

    #[test]
    fn the_json_length_of_a_cell_is_exact() {
        for cell in
            ["", "plain", "\"\\\"", "a\nb\rc\td\u{8}\u{c}", "\u{1}\u{1f}\u{7f}", "größe \u{FFFD} 日本"]
        {
            assert_eq!(json_len(cell) + 2, serde_json::to_string(cell).unwrap().len(), "{cell:?}");
        }
    }

    #[test]
    fn the_size_of_a_page_includes_the_escapes_of_control_characters() {
        let file = b"a\n\x01\x01\x01\x01\x01\x01\x01\x01\nb\nc\n";
        let mut opening = CsvOpener::new(InputOptions::default(), 1 << 20).unwrap();
        assert!(matches!(opening.push(file).unwrap(), OpeningStatus::NeedMore));
        let request = PageRequest { max_bytes: 8 * 6 + size_of::<String>(), ..request(&[0], 0, 3) };
        let page = RowPager::new(opening.finish().unwrap(), request).finish().unwrap();
        assert_eq!((page.rows.len(), page.total, page.is_truncated), (1, 3, true));
    }
}
