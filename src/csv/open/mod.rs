//! Reads the start of a file to find the file's dialect and header.
//!
//! A request can be checked only after the columns are known. Errors in the request must be reported before the first
//! byte of output. So the opener collects the start of a file first: 256 KiB to detect encoding and delimiter, and more
//! if the first record is longer. The result depends only on the file, not on the split into pieces.

pub mod header;
pub mod options;
pub(in crate::csv) mod sniff;

use super::cell::Cells;
use super::checkpoint::{StateError, StateReader, StateWriter};
use super::convert::Converter;
use super::dialect::{Dialect, Ragged, Trim};
use super::encoding::{Transcoder, Undecodable, detect};
use super::error::{CsvError, MalformedCsv};
use super::record::reader::{RecordPosition, RecordReader, RecordSink};
use super::record::stream::{END_MARK, RecordStream};
use super::record::validity::RecordForm;
use super::record::{OwnedRecord, Record};
use super::scanner::Flow;
use super::scanner::walk::Wanted;
use encoding_rs::REPLACEMENT;
use header::Header;
use options::InputOptions;
use sniff::sniff;

/// Bytes at the start of a file from which its encoding and delimiter are detected.
pub const SAMPLE_BYTES: usize = 256 * 1024;

/// Reads the start of a file until its encoding, delimiter and header are known.
pub struct CsvOpener {
    options: InputOptions,
    max_record_bytes: usize,
    sample_bytes: usize,
    stage: OpeningStage,
    bytes_in: u64,
}

/// The result of [`CsvOpener::push`].
pub enum OpeningStatus {
    /// Push the next piece.
    NeedMore,
    /// The file is open. The opener must not be used again.
    Ready(Box<OpenedCsv>),
}

/// A file whose encoding, delimiter and header are known, ready to be read.
pub struct OpenedCsv {
    /// The rules by which the bytes become a table.
    pub dialect: Dialect,
    /// The columns.
    pub header: Header,
    /// A stray or an unclosed quote in the header; `None` if the header has neither, or if the file has no header.
    pub(super) header_defect: Option<MalformedCsv>,
    /// The record that is written as the header of the output.
    pub(super) header_record: OwnedRecord,
    pub(super) stream: RecordStream,
    /// Bytes of the file pushed so far.
    pub(super) bytes_in: u64,
}

enum OpeningStage {
    /// The opener collects the sample.
    Sampling(Vec<u8>),
    /// The opener collects the first record.
    Reading(Box<FirstRecord>),
    /// The file is open, or an error has stopped the opener.
    Done,
}

impl CsvOpener {
    /// Returns how many bytes of the file the opener holds.
    pub fn held_bytes(&self) -> usize {
        match &self.stage {
            OpeningStage::Sampling(sample) => sample.capacity(),
            OpeningStage::Reading(first) => {
                first.text.capacity() + first.converter.held_bytes() + first.reader.carried_bytes()
            }
            OpeningStage::Done => 0,
        }
    }

    /// Creates an opener for a file whose records may have at most `max_record_bytes` bytes.
    ///
    /// # Errors
    /// [`CsvError::BadEncoding`] for an encoding that cannot be decoded.
    pub fn new(options: InputOptions, max_record_bytes: usize) -> Result<Self, CsvError> {
        if let Some(encoding) = options.encoding.filter(|&encoding| encoding == REPLACEMENT) {
            return Err(CsvError::BadEncoding(encoding.name()));
        }
        Ok(Self {
            options,
            max_record_bytes,
            sample_bytes: SAMPLE_BYTES,
            stage: OpeningStage::Sampling(Vec::new()),
            bytes_in: 0,
        })
    }

    /// Reads the next piece of the file. Keeps the bytes after the header for the reader of the opened file.
    ///
    /// # Errors
    /// [`CsvError::Malformed`] if the first record is too long or has too many fields.
    pub fn push(&mut self, piece: &[u8]) -> Result<OpeningStatus, CsvError> {
        self.bytes_in += piece.len() as u64;
        match std::mem::replace(&mut self.stage, OpeningStage::Done) {
            OpeningStage::Sampling(mut start) => {
                start.extend_from_slice(piece);
                if start.len() < self.sample_bytes {
                    self.stage = OpeningStage::Sampling(start);
                    return Ok(OpeningStatus::NeedMore);
                }
                self.read_on(self.detect_dialect(start, false))
            }
            OpeningStage::Reading(mut first) => {
                first.push(piece);
                self.read_on(*first)
            }
            OpeningStage::Done => Ok(OpeningStatus::NeedMore),
        }
    }

    /// Opens a file that ends with the last pushed piece.
    ///
    /// # Errors
    /// The errors of [`CsvOpener::push`].
    pub fn finish(mut self) -> Result<OpenedCsv, CsvError> {
        let mut first = match std::mem::replace(&mut self.stage, OpeningStage::Done) {
            OpeningStage::Sampling(start) => self.detect_dialect(start, true),
            OpeningStage::Reading(first) => *first,
            OpeningStage::Done => self.detect_dialect(Vec::new(), true),
        };
        first.drop_end_mark();
        if !first.read()? {
            first.read_last()?;
        }
        Ok(self.opened(first))
    }

    /// Sets the options with which the file is read. Has no effect after the first [`SAMPLE_BYTES`] have been pushed.
    pub(super) fn declare(&mut self, options: InputOptions) {
        if matches!(self.stage, OpeningStage::Sampling(_)) {
            self.options = options;
        }
    }

    /// Creates an opener in the stage [`OpeningStage::Done`], as a placeholder.
    pub(super) fn over() -> Self {
        Self {
            options: InputOptions::default(),
            max_record_bytes: 0,
            sample_bytes: SAMPLE_BYTES,
            stage: OpeningStage::Done,
            bytes_in: 0,
        }
    }

    /// Saves the opener. Returns `false` if the file is already open, or if the state of the decoder cannot be saved.
    #[must_use]
    pub(super) fn save(&self, state: &mut StateWriter) -> bool {
        self.options.save(state);
        state.number(self.bytes_in);
        match &self.stage {
            OpeningStage::Sampling(start) => {
                state.byte(0);
                state.bytes(start);
                true
            }
            OpeningStage::Reading(first) => {
                state.byte(1);
                first.save(state)
            }
            OpeningStage::Done => false,
        }
    }

    /// Restores an opener from [`CsvOpener::save`].
    pub(super) fn restore(state: &mut StateReader<'_>, max_record_bytes: usize) -> Result<Self, StateError> {
        let options = InputOptions::restore(state)?;
        let bytes_in = state.total()?;
        let stage = match state.byte()? {
            0 => OpeningStage::Sampling(state.bytes()?.to_vec()),
            1 => OpeningStage::Reading(Box::new(FirstRecord::restore(state, max_record_bytes)?)),
            _ => return Err(StateError::Damaged),
        };
        Ok(Self { options, bytes_in, max_record_bytes, stage, ..Self::over() })
    }

    fn detect_dialect(&self, start: Vec<u8>, whole: bool) -> FirstRecord {
        let sample_bytes = start.len().min(self.sample_bytes);
        FirstRecord::detect(start, sample_bytes, whole, &self.options, self.max_record_bytes)
    }

    fn read_on(&mut self, mut first: FirstRecord) -> Result<OpeningStatus, CsvError> {
        if first.read()? {
            return Ok(OpeningStatus::Ready(Box::new(self.opened(first))));
        }
        self.stage = OpeningStage::Reading(Box::new(first));
        Ok(OpeningStatus::NeedMore)
    }

    fn opened(&self, first: FirstRecord) -> OpenedCsv {
        let FirstRecord { dialect, columns, converter, text, text_byte, text_line, reader, read_to, capture } =
            first;
        let header_defect = capture.defect.filter(|_| dialect.table.header_row);
        let record = capture.record.unwrap_or_default();
        let fields = record.as_record().fields;
        let columns = if fields == 0 { 0 } else { columns.max(fields) };
        let table = &dialect.table;
        let delimiter = table.scanned_delimiter();
        let (header, header_record, reader, read_to) = if table.header_row {
            let mut names: Vec<String> = (0..fields)
                .map(|field| header_name(record.as_record().cell(field), table.trim != Trim::None))
                .collect();
            let is_changed = table.trim == Trim::Header || columns > fields;
            names.extend((fields..columns).map(|column| format!("column_{}", column + 1)));
            let record = if is_changed { OwnedRecord::from_cells(&names, delimiter) } else { record };
            (Header::new(names), record, reader, read_to)
        } else {
            let header = Header::numbered(columns);
            let record = OwnedRecord::from_cells(header.names(), delimiter);
            // The first record is a row, so it is read again.
            let place = (text_byte, text_line);
            let again = RecordReader::at(delimiter, Wanted::first(0), self.max_record_bytes, 1, place);
            (header, record, again, 0)
        };
        let converter = (!converter.is_direct()).then_some(converter);
        let mut stream = RecordStream::new(converter, reader, text, read_to);
        stream.expect_columns(header.len());
        stream.count_undecodable(capture.line);
        OpenedCsv { dialect, header, header_defect, header_record, stream, bytes_in: self.bytes_in }
    }
}

/// Decodes the name of a column.
fn header_name(value: &[u8], trimmed: bool) -> String {
    let name = String::from_utf8_lossy(value);
    if trimmed { name.trim().to_owned() } else { name.into_owned() }
}

/// The first record of a file while it is read. The dialect is already known.
struct FirstRecord {
    dialect: Dialect,
    /// Minimum number of columns of the table. Greater than 0 only if short records are padded.
    columns: usize,
    converter: Converter,
    /// Text of the file so far, after its conversion.
    text: Vec<u8>,
    /// Start of `text`, in bytes from the start of the file. If the file is converted: in bytes of decoded text.
    text_byte: u64,
    /// Line on which `text` starts.
    text_line: u64,
    reader: RecordReader,
    read_to: usize,
    capture: Capture,
}

impl FirstRecord {
    fn detect(
        mut start: Vec<u8>,
        sample_bytes: usize,
        whole: bool,
        options: &InputOptions,
        max_record_bytes: usize,
    ) -> Self {
        let detected = detect(&start[..sample_bytes], whole, options.encoding);
        let mut transcoder = Transcoder::from(detected.encoding);
        let text_byte = if transcoder.is_none() { detected.bom_bytes as u64 } else { 0 };
        let rest = start.split_off(sample_bytes);
        start.drain(..detected.bom_bytes);
        let sample = match &mut transcoder {
            None => start,
            Some(transcoder) => {
                let mut text = Vec::new();
                decode_all(transcoder, &start, &mut text);
                text
            }
        };
        let sniffed = sniff(&sample, whole, options);
        let columns = if sniffed.table.ragged == Ragged::Pad { sniffed.max_fields } else { 0 };
        let dialect = Dialect {
            encoding: detected.encoding,
            encoding_source: detected.source,
            table: sniffed.table,
            newline: sniffed.newline,
            confidence_percent: sniffed.confidence_percent,
            alternatives: sniffed.alternatives,
        };
        let converter = Converter::with_transcoder(&dialect, transcoder);
        let mut first = Self::new(dialect, columns, converter, text_byte, max_record_bytes);
        first.accept(sample);
        first.push(&rest);
        first
    }

    /// Creates a first record without text. The text starts at `text_byte`, before the lines to skip.
    fn new(
        dialect: Dialect,
        columns: usize,
        converter: Converter,
        text_byte: u64,
        max_record_bytes: usize,
    ) -> Self {
        let delimiter = dialect.table.scanned_delimiter();
        let record = u64::from(!dialect.table.header_row);
        let text_line = u64::from(dialect.table.skip_rows) + 1;
        let place = (text_byte, text_line);
        Self {
            dialect,
            columns,
            converter,
            text: Vec::new(),
            text_byte,
            text_line,
            reader: RecordReader::at(delimiter, Wanted::first(0), max_record_bytes, record, place),
            read_to: 0,
            capture: Capture { delimiter, record: None, line: text_line, defect: None },
        }
    }

    /// Saves dialect and text. The state of the reader is not saved: [`FirstRecord::read`] reads the text again.
    /// Returns `false` if the state of the decoder cannot be saved.
    #[must_use]
    fn save(&self, state: &mut StateWriter) -> bool {
        self.dialect.save(state);
        state.count(self.columns);
        state.number(self.text_byte);
        state.number(self.text_line);
        state.bytes(&self.text);
        self.converter.save(state)
    }

    fn restore(state: &mut StateReader<'_>, max_record_bytes: usize) -> Result<Self, StateError> {
        let dialect = Dialect::restore(state)?;
        let columns = state.size()?;
        let (text_byte, text_line) = (state.total()?, state.total()?);
        let text = state.bytes()?.to_vec();
        let converter = Converter::restore(state, &dialect)?;
        let mut first = Self::new(dialect, columns, converter, text_byte, max_record_bytes);
        first.text = text;
        first.move_to(text_byte, text_line);
        Ok(first)
    }

    /// Adds a piece of the file.
    fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let skipped_before = self.converter.skipped_bytes();
            let read = self.converter.step(piece, &mut self.text);
            self.note_skipped(skipped_before);
            piece = &piece[read..];
        }
    }

    /// Adds decoded text.
    fn accept(&mut self, decoded: Vec<u8>) {
        if self.converter.is_direct() && self.dialect.table.skip_rows == 0 {
            self.text = decoded;
        } else {
            let skipped_before = self.converter.skipped_bytes();
            self.converter.convert(&decoded, &mut self.text);
            self.note_skipped(skipped_before);
        }
    }

    /// Moves the start of the text behind skipped lines. Lines are only skipped while there is no text.
    fn note_skipped(&mut self, skipped_before: u64) {
        let skipped = self.converter.skipped_bytes() - skipped_before;
        if skipped > 0 {
            self.move_to(self.text_byte + skipped, self.text_line);
        }
    }

    /// Sets the place of the text's start. Must be called before a byte of the text is read.
    fn move_to(&mut self, byte: u64, line: u64) {
        (self.text_byte, self.text_line) = (byte, line);
        self.reader.skip_to(0, byte, line);
    }

    /// Reads the rest of the text. Returns whether the first record is complete.
    fn read(&mut self) -> Result<bool, CsvError> {
        self.reader.check_held(self.converter.held_bytes())?;
        let fed = self.reader.feed(&self.text[self.read_to..], &mut self.capture)?;
        self.read_to += fed.consumed;
        if !fed.paused && self.reader.is_between_records() {
            self.drop_blank_lines();
        }
        Ok(fed.paused)
    }

    /// Drops the text, except its last byte. Must be called only if the text has nothing but blank lines. Blank lines
    /// must not be kept, because a file may have any number of them before its first record. The last byte is kept,
    /// because it may be the CR of a CRLF.
    fn drop_blank_lines(&mut self) {
        let Some(last) = self.text.len().checked_sub(1) else { return };
        self.text.drain(..last);
        self.text_byte += last as u64;
        self.text_line = self.reader.line() - 1;
        self.read_to = self.text.len();
    }

    /// Removes the byte that ends a text file in DOS. Must be called at the end of the file.
    fn drop_end_mark(&mut self) {
        if self.text.len() > self.read_to && self.text.last() == Some(&END_MARK) {
            self.text.pop();
        }
    }

    /// Reads the rest of the first record at the end of the file. The first record may have no line break.
    fn read_last(&mut self) -> Result<(), CsvError> {
        self.converter.finish(&mut self.text);
        self.drop_end_mark();
        if !self.read()? {
            self.reader.finish(&mut self.capture)?;
        }
        Ok(())
    }
}

fn decode_all(transcoder: &mut Transcoder, mut bytes: &[u8], text: &mut Vec<u8>) {
    while !bytes.is_empty() {
        bytes = &bytes[transcoder.step(bytes, text)..];
    }
}

/// Keeps the first record and then pauses the reader.
struct Capture {
    delimiter: u8,
    record: Option<OwnedRecord>,
    /// The line on which the record starts.
    line: u64,
    /// A stray or an unclosed quote in the record.
    defect: Option<MalformedCsv>,
}

impl RecordSink for Capture {
    fn record(&mut self, record: &Record<'_>, place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        self.line = place.line();
        let form = RecordForm::new(record.fields, record.marks, record.fields);
        self.defect = form.defect().map(|defect| place.malformed(defect));
        self.record = Some(OwnedRecord::copy_locating_all(record, self.delimiter));
        Ok(Flow::Pause)
    }
}

#[cfg(test)]
impl CsvOpener {
    /// Changes the size of the sample, which must be large enough for a byte order mark.
    pub(super) fn with_sample_bytes(self, sample_bytes: usize) -> Self {
        Self { sample_bytes, ..self }
    }
}

impl OpenedCsv {
    /// Returns the maximum number of bytes that a record of the file may have.
    pub(super) fn max_record_bytes(&self) -> usize {
        self.stream.max_record_bytes()
    }

    /// Sets the undecodable sequences of the whole file. Then a cut of the file reports these sequences and need not
    /// count any.
    pub fn set_known_undecodable(&mut self, known: Undecodable) {
        self.stream.set_known_undecodable(known);
    }

    /// Whether the scanner reads the bytes of the file as they are. Positions in the text are then positions in the
    /// file.
    pub fn is_direct(&self) -> bool {
        self.dialect.is_direct()
    }
}
