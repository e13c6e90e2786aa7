//! Reads the start of a file to find the file's encoding, delimiter and header.
//!
//! A request can be checked only after the columns are known. Errors in the request must be reported before the first
//! byte of output. So the opener collects the start of a file first: 256 KiB to detect encoding and delimiter, and more
//! if the first record is longer. The result depends only on the file, not on the split into pieces.

pub(in crate::csv) mod dialect;
pub mod header;
pub mod options;

use super::cell::Cells;
use super::checkpoint::{StateError, StateReader, StateWriter};
use super::encoding::{Detected, EncodingSource, Transcoder, detect};
use super::error::CsvError;
use super::limits::is_delimiter;
use super::record::reader::{RecordPosition, RecordReader, RecordSink};
use super::record::stream::RecordStream;
use super::record::{OwnedRecord, Record};
use super::scanner::Flow;
use super::scanner::walk::Wanted;
use dialect::detect_delimiter;
use encoding_rs::{Encoding, REPLACEMENT, UTF_8};
use header::Header;
use options::InputOptions;

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
    /// The encoding of the file.
    pub encoding: &'static Encoding,
    /// How the encoding was found.
    pub encoding_source: EncodingSource,
    /// The delimiter.
    pub delimiter: u8,
    /// The columns.
    pub header: Header,
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
            OpeningStage::Reading(first) => first.text.capacity() + first.reader.carried_bytes(),
            OpeningStage::Done => 0,
        }
    }

    /// Creates an opener for a file whose records may have at most `max_record_bytes` bytes.
    ///
    /// # Errors
    /// [`CsvError::BadDelimiter`] and [`CsvError::BadEncoding`] for options that are invalid for every file.
    pub fn new(options: InputOptions, max_record_bytes: usize) -> Result<Self, CsvError> {
        if let Some(delimiter) = options.delimiter.filter(|&byte| !is_delimiter(byte)) {
            return Err(CsvError::BadDelimiter(delimiter));
        }
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
        if !first.read()? {
            first.read_last()?;
        }
        Ok(self.opened(first))
    }

    /// Sets the declared encoding of the file. Has no effect after the first [`SAMPLE_BYTES`] have been pushed.
    pub(super) fn declare(&mut self, encoding: Option<&'static Encoding>) {
        if matches!(self.stage, OpeningStage::Sampling(_)) {
            self.options.encoding = encoding;
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

    /// Saves the opener. Returns `false` if the opener has options other than an encoding, if the file is already
    /// open, or if the state of the decoder cannot be saved.
    #[must_use]
    pub(super) fn save(&self, state: &mut StateWriter) -> bool {
        let encoding = self.options.encoding;
        if self.options != (InputOptions { encoding, ..InputOptions::default() }) {
            return false;
        }
        state.option(encoding, StateWriter::encoding);
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
        let encoding = state.option(StateReader::encoding)?;
        let bytes_in = state.total()?;
        let stage = match state.byte()? {
            0 => OpeningStage::Sampling(state.bytes()?.to_vec()),
            1 => OpeningStage::Reading(Box::new(FirstRecord::restore(state, max_record_bytes)?)),
            _ => return Err(StateError::Damaged),
        };
        let options = InputOptions { encoding, ..InputOptions::default() };
        Ok(Self { options, bytes_in, max_record_bytes, stage, ..Self::over() })
    }

    fn detect_dialect(&self, start: Vec<u8>, whole: bool) -> FirstRecord {
        let sample_bytes = start.len().min(self.sample_bytes);
        FirstRecord::detect(start, sample_bytes, whole, self.options, self.max_record_bytes)
    }

    fn read_on(&mut self, mut first: FirstRecord) -> Result<OpeningStatus, CsvError> {
        if first.read()? {
            return Ok(OpeningStatus::Ready(Box::new(self.opened(first))));
        }
        self.stage = OpeningStage::Reading(Box::new(first));
        Ok(OpeningStatus::NeedMore)
    }

    fn opened(&self, first: FirstRecord) -> OpenedCsv {
        let FirstRecord {
            detected,
            delimiter,
            transcoder,
            text,
            text_byte,
            text_line,
            reader,
            read_to,
            capture,
        } = first;
        let record = capture.record.unwrap_or_default();
        let fields = record.as_record().fields;
        let (header, header_record, reader, read_to) = if self.options.header {
            let names = (0..fields).map(|field| decode_name(record.as_record().cell(field))).collect();
            (Header::new(names), record, reader, read_to)
        } else {
            let header = Header::numbered(fields);
            let record = OwnedRecord::from_plain_fields(header.names(), delimiter);
            // The first record is a row, so it is read again.
            let place = (text_byte, text_line);
            let again = RecordReader::at(delimiter, Wanted::first(0), self.max_record_bytes, 1, place);
            (header, record, again, 0)
        };
        OpenedCsv {
            encoding: detected.encoding,
            encoding_source: detected.source,
            delimiter,
            header,
            header_record,
            stream: RecordStream::new(transcoder, reader, text, read_to),
            bytes_in: self.bytes_in,
        }
    }
}

fn decode_name(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// State of the opener while it reads the first record. Encoding and delimiter are already known.
struct FirstRecord {
    detected: Detected,
    delimiter: u8,
    transcoder: Option<Transcoder>,
    /// The text of the file, as UTF-8, from `text_byte` on.
    text: Vec<u8>,
    /// Start of `text`, in bytes of the file's UTF-8 form.
    text_byte: u64,
    /// Line on which `text` starts.
    text_line: u64,
    reader: RecordReader,
    read_to: usize,
    capture: Capture,
}

impl FirstRecord {
    fn detect(
        start: Vec<u8>,
        sample_bytes: usize,
        whole: bool,
        options: InputOptions,
        max_record_bytes: usize,
    ) -> Self {
        let detected = detect(&start[..sample_bytes], whole, options.encoding);
        let mut transcoder = Transcoder::from(detected.encoding);
        let (text, text_byte, sample_text_bytes) = match &mut transcoder {
            None => {
                let mut text = start;
                text.drain(..detected.bom_bytes);
                (text, detected.bom_bytes as u64, sample_bytes - detected.bom_bytes)
            }
            Some(transcoder) => {
                let mut text = Vec::new();
                decode_all(transcoder, &start[detected.bom_bytes..sample_bytes], &mut text);
                let sample_text_bytes = text.len();
                decode_all(transcoder, &start[sample_bytes..], &mut text);
                (text, 0, sample_text_bytes)
            }
        };
        let delimiter =
            options.delimiter.unwrap_or_else(|| detect_delimiter(&text[..sample_text_bytes], whole));
        let record = u64::from(!options.header);
        Self::new(detected, delimiter, transcoder, text, (text_byte, 1), record, max_record_bytes)
    }

    /// Creates the state before the reader has read any byte of `text`.
    fn new(
        detected: Detected,
        delimiter: u8,
        transcoder: Option<Transcoder>,
        text: Vec<u8>,
        (text_byte, text_line): (u64, u64),
        record: u64,
        max_record_bytes: usize,
    ) -> Self {
        let place = (text_byte, text_line);
        Self {
            detected,
            delimiter,
            transcoder,
            text,
            text_byte,
            text_line,
            reader: RecordReader::at(delimiter, Wanted::first(0), max_record_bytes, record, place),
            read_to: 0,
            capture: Capture { delimiter, record: None },
        }
    }

    /// Saves encoding, delimiter and text. The state of the reader is not saved: [`FirstRecord::read`] reads the text
    /// again. Returns `false` if the state of the decoder cannot be saved.
    #[must_use]
    fn save(&self, state: &mut StateWriter) -> bool {
        state.encoding(self.detected.encoding);
        self.detected.source.save(state);
        state.byte(self.delimiter);
        state.number(self.text_byte);
        state.number(self.text_line);
        state.bytes(&self.text);
        self.transcoder.as_ref().is_none_or(|transcoder| transcoder.save(state))
    }

    fn restore(state: &mut StateReader<'_>, max_record_bytes: usize) -> Result<Self, StateError> {
        let (encoding, source) = (state.encoding()?, EncodingSource::restore(state)?);
        // The byte order mark is not part of the saved text.
        let detected = Detected { encoding, source, bom_bytes: 0 };
        let delimiter = state.delimiter()?;
        let place = (state.total()?, state.total()?);
        let text = state.bytes()?.to_vec();
        let transcoder = match Transcoder::from(encoding) {
            Some(transcoder) => Some(transcoder.restored(state)?),
            None => None,
        };
        Ok(Self::new(detected, delimiter, transcoder, text, place, 0, max_record_bytes))
    }

    fn push(&mut self, piece: &[u8]) {
        match &mut self.transcoder {
            None => self.text.extend_from_slice(piece),
            Some(transcoder) => decode_all(transcoder, piece, &mut self.text),
        }
    }

    /// Reads the rest of the text. Returns whether the first record is complete.
    fn read(&mut self) -> Result<bool, CsvError> {
        let fed = self.reader.feed(&self.text[self.read_to..], &mut self.capture)?;
        self.read_to += fed.consumed;
        if !fed.paused && self.reader.is_between_records() {
            self.drop_blank_lines();
        }
        Ok(fed.paused)
    }

    /// Drops the text, except its last byte. Must be called only if the text has nothing but blank lines. Blank lines
    /// must not be kept, because a file may have any number of blank lines before its first record. The last byte is
    /// kept, because this byte may be the CR of a CRLF.
    fn drop_blank_lines(&mut self) {
        let Some(last) = self.text.len().checked_sub(1) else { return };
        self.text.drain(..last);
        self.text_byte += last as u64;
        self.text_line = self.reader.line() - 1;
        self.read_to = self.text.len();
    }

    /// Reads the rest of the first record at the end of the file. The first record may have no line break.
    fn read_last(&mut self) -> Result<(), CsvError> {
        if let Some(transcoder) = &mut self.transcoder {
            transcoder.finish(&mut self.text);
        }
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
}

impl RecordSink for Capture {
    fn record(&mut self, record: &Record<'_>, _place: RecordPosition<'_>) -> Result<Flow, CsvError> {
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

    /// Whether the file is UTF-8. Such a file is not converted, so positions in its text are positions in the file.
    pub fn is_utf8(&self) -> bool {
        self.encoding == UTF_8
    }
}
