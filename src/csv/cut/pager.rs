//! A page of rows, as decoded text, and the number of rows in the file.
//!
//! Rows are streamed past up to the page. Behind it they are only counted: nothing but line breaks outside
//! quotes matters then.

use crate::csv::cell::Cells;
use crate::csv::error::CsvError;
use crate::csv::open::OpenedCsv;
use crate::csv::profile::{Profile, RowStart};
use crate::csv::record::Record;
use crate::csv::record::reader::{RecordPosition, RecordReader, RecordSink};
use crate::csv::record::stream::RecordStream;
use crate::csv::scanner::Flow;
use crate::csv::scanner::walk::Wanted;

/// Which rows and columns a page holds.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// The columns, by position from 0, in this order.
    pub columns: Vec<usize>,
    /// How many rows come before the page.
    pub offset: u64,
    /// How many rows the page has at most.
    pub limit: usize,
    /// How many bytes of text the page holds at most, as JSON writes them: it ends early behind the row that passes
    /// them.
    pub max_bytes: usize,
}

/// A page of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowPage {
    /// The rows, each with a cell for every column asked for; bytes that are not UTF-8 are U+FFFD.
    pub rows: Vec<Vec<String>>,
    /// How many rows have been read: all of the file's once [`RowPager::finish`] has given the page.
    pub total: u64,
    /// Whether the page ended early for its size.
    pub is_cut_short: bool,
}

/// Reads one page of a file.
pub struct RowPager {
    stream: RecordStream,
    collector: Collector,
}

impl RowPager {
    /// A reader of one page of an opened file.
    pub fn new(opened: OpenedCsv, request: PageRequest) -> Self {
        let columns = opened.header.len();
        let mut stream = opened.stream;
        stream.locate(Wanted::fields(request.columns.iter().copied().filter(|&column| column < columns)));
        let room_bytes = request.max_bytes;
        Self { stream, collector: Collector { request, page: RowPage::default(), room_bytes } }
    }

    /// A reader of one page of a profiled file, the first piece of which starts at `start`, at or before the
    /// page's first row ([`Profile::locate_row`]). Taken before the end of the file, the page's `total` is not
    /// the file's number of rows; the profile knows that. `None` for a file without an index, whose places are not
    /// those of its bytes.
    pub fn at(
        profile: &Profile,
        start: RowStart,
        request: PageRequest,
        max_record_bytes: usize,
    ) -> Option<Self> {
        let dialect = profile.dialect.filter(|_| profile.index.is_some())?;
        let columns = profile.columns.len();
        let wanted = Wanted::fields(request.columns.iter().copied().filter(|&column| column < columns));
        let reader = RecordReader::at(
            dialect.delimiter,
            wanted,
            max_record_bytes,
            start.row + 1,
            (start.byte, start.line),
        );
        let stream = RecordStream::new(None, reader, Vec::new(), 0);
        let room_bytes = request.max_bytes;
        let page = RowPage { total: start.row, ..RowPage::default() };
        Some(Self { stream, collector: Collector { request, page, room_bytes } })
    }

    /// Reads the next piece of the file. `true` once the page is full: a caller that knows the number of
    /// rows, or need not, may take it with [`RowPager::into_page`] then.
    ///
    /// # Errors
    /// [`CsvError::Malformed`] for a record out of bounds.
    pub fn push(&mut self, piece: &[u8]) -> Result<bool, CsvError> {
        // The collector never pauses.
        self.stream.push(piece, &mut self.collector)?;
        Ok(self.collector.is_full())
    }

    /// Ends the file and gives the page, with the exact number of rows.
    ///
    /// # Errors
    /// As [`RowPager::push`].
    pub fn finish(mut self) -> Result<RowPage, CsvError> {
        self.end()?;
        Ok(self.collector.page)
    }

    /// Ends the file. The page can be taken even if that fails: it has what comes before the fault.
    ///
    /// # Errors
    /// As [`RowPager::push`].
    pub fn end(&mut self) -> Result<(), CsvError> {
        self.stream.finish(&mut self.collector).map(drop)
    }

    /// The page as it stands, before the end of the file.
    pub fn into_page(self) -> RowPage {
        self.collector.page
    }
}

struct Collector {
    request: PageRequest,
    page: RowPage,
    room_bytes: usize,
}

impl Collector {
    fn is_full(&self) -> bool {
        self.page.is_cut_short || self.page.rows.len() >= self.request.limit
    }
}

impl RecordSink for Collector {
    #[inline]
    fn record(&mut self, record: &Record<'_>, _place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        self.page.total += 1;
        if self.page.total <= self.request.offset || self.is_full() {
            return Ok(Flow::Continue);
        }
        let row: Vec<String> = self
            .request
            .columns
            .iter()
            .map(|&column| String::from_utf8_lossy(record.cell(column)).into_owned())
            .collect();
        let bytes = row.iter().map(|cell| json_len(cell) + size_of::<String>()).sum();
        self.page.rows.push(row);
        self.room_bytes = self.room_bytes.saturating_sub(bytes);
        self.page.is_cut_short = self.room_bytes == 0 && self.page.rows.len() < self.request.limit;
        Ok(Flow::Continue)
    }
}

/// How long a cell is as JSON, where a quote mark, a backslash and a control character are escaped.
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
    use crate::csv::{InputOptions, Opening, Readiness};

    const FILE: &[u8] = b"a;b;c\n1;\"x\n;\"\"\";\n\n2\n3;y;z;more\r\n4;caf\xC3;w";

    fn page(request: PageRequest, piece_bytes: usize) -> RowPage {
        let mut pieces = FILE.chunks(piece_bytes);
        let mut opening =
            Opening::new(InputOptions { encoding: Some(encoding_rs::UTF_8), ..Default::default() }, 1 << 20)
                .unwrap();
        let opened = loop {
            match pieces.next() {
                None => break opening.finish().unwrap(),
                Some(piece) => match opening.push(piece).unwrap() {
                    Readiness::NeedMore => {}
                    Readiness::Ready(opened) => break *opened,
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
        PageRequest { columns: columns.to_vec(), offset, limit, max_bytes: 1 << 20 }
    }

    #[test]
    fn a_page_holds_decoded_cells_and_the_number_of_all_rows() {
        for piece_bytes in [1, 2, FILE.len()] {
            let first = page(request(&[1, 0], 0, 2), piece_bytes);
            assert_eq!(first.rows, [["x\n;\"", "1"], ["", "2"]]);
            assert_eq!((first.total, first.is_cut_short), (4, false));
            let second = page(request(&[0, 1, 2], 2, 10), piece_bytes);
            assert_eq!(second.rows, [["3", "y", "z"], ["4", "caf\u{FFFD}", "w"]]);
            assert_eq!(second.total, 4);
        }
    }

    #[test]
    fn a_page_behind_the_last_row_or_of_no_rows_still_counts() {
        assert_eq!(page(request(&[0], 4, 10), 7), RowPage { total: 4, ..RowPage::default() });
        assert_eq!(page(request(&[], 0, 0), 7), RowPage { total: 4, ..RowPage::default() });
    }

    #[test]
    fn a_page_that_grows_too_big_ends_behind_a_row() {
        let small = page(PageRequest { max_bytes: 1, ..request(&[0], 1, 3) }, FILE.len());
        assert_eq!(small, RowPage { rows: vec![vec!["2".to_owned()]], total: 4, is_cut_short: true });
    }

    #[test]
    fn a_cell_counts_as_long_as_it_gets() {
        for cell in
            ["", "plain", "\"\\\"", "a\nb\rc\td\u{8}\u{c}", "\u{1}\u{1f}\u{7f}", "größe \u{FFFD} 日本"]
        {
            assert_eq!(json_len(cell) + 2, serde_json::to_string(cell).unwrap().len(), "{cell:?}");
        }
    }

    #[test]
    fn control_characters_count_as_long_as_they_get() {
        let file = b"a\n\x01\x01\x01\x01\x01\x01\x01\x01\nb\nc\n";
        let mut opening = Opening::new(InputOptions::default(), 1 << 20).unwrap();
        assert!(matches!(opening.push(file).unwrap(), Readiness::NeedMore));
        let request = PageRequest { max_bytes: 8 * 6 + size_of::<String>(), ..request(&[0], 0, 3) };
        let page = RowPager::new(opening.finish().unwrap(), request).finish().unwrap();
        assert_eq!((page.rows.len(), page.total, page.is_cut_short), (1, 3, true));
    }
}
