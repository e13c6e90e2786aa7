//! The start of a file: how it is encoded, what delimits it, what its columns are called.
//!
//! A cut cannot be checked before its columns are known, and an error must come before the first byte of
//! output. So the start of a file is collected first: 256 KiB to judge by, and the whole first record. The
//! judgement depends on the file alone, never on the pieces it comes in.

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
use dialect::sniff;
use encoding_rs::{Encoding, REPLACEMENT, UTF_8};
use header::Header;
use options::InputOptions;

/// Bytes of a file that its encoding and delimiter are judged by.
pub const SAMPLE_BYTES: usize = 256 * 1024;

/// A file being opened.
pub struct Opening {
    options: InputOptions,
    max_record_bytes: usize,
    sample_bytes: usize,
    stage: OpeningStage,
    bytes_in: u64,
}

/// Whether the start of a file is known.
pub enum Readiness {
    /// Another piece is needed.
    NeedMore,
    /// The file is open; the opening is used up.
    Ready(Box<OpenedCsv>),
}

/// A file whose encoding, dialect and header are known, ready to be read on.
pub struct OpenedCsv {
    /// The encoding it is read in.
    pub encoding: &'static Encoding,
    /// Why.
    pub encoding_source: EncodingSource,
    /// The byte between fields.
    pub delimiter: u8,
    /// Its columns.
    pub header: Header,
    /// The header as it stands in the file.
    pub(super) header_record: OwnedRecord,
    pub(super) stream: RecordStream,
    /// Bytes of the file taken in so far.
    pub(super) bytes_in: u64,
}

enum OpeningStage {
    /// Collecting the sample.
    Sampling(Vec<u8>),
    /// Collecting the first record.
    Reading(Box<FirstRecord>),
    /// The file is open, or it failed to.
    Over,
}

impl Opening {
    /// An opening of a file whose records are at most `max_record_bytes` long.
    ///
    /// # Errors
    /// [`CsvError::BadDelimiter`] and [`CsvError::BadEncoding`] for options that no file can be read with.
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

    /// Takes in the next piece of the file. Nothing is lost: what comes behind the header is read first
    /// when the file is read on.
    ///
    /// # Errors
    /// [`CsvError::Malformed`] when the first record is out of bounds.
    pub fn push(&mut self, piece: &[u8]) -> Result<Readiness, CsvError> {
        self.bytes_in += piece.len() as u64;
        match std::mem::replace(&mut self.stage, OpeningStage::Over) {
            OpeningStage::Sampling(mut start) => {
                start.extend_from_slice(piece);
                if start.len() < self.sample_bytes {
                    self.stage = OpeningStage::Sampling(start);
                    return Ok(Readiness::NeedMore);
                }
                self.read_on(self.judged(start, false))
            }
            OpeningStage::Reading(mut first) => {
                first.take_in(piece);
                self.read_on(*first)
            }
            OpeningStage::Over => Ok(Readiness::NeedMore),
        }
    }

    /// Opens a file that ends with what has been taken in.
    ///
    /// # Errors
    /// As [`Opening::push`].
    pub fn finish(mut self) -> Result<OpenedCsv, CsvError> {
        let mut first = match std::mem::replace(&mut self.stage, OpeningStage::Over) {
            OpeningStage::Sampling(start) => self.judged(start, true),
            OpeningStage::Reading(first) => *first,
            OpeningStage::Over => self.judged(Vec::new(), true),
        };
        if !first.read()? {
            first.read_last()?;
        }
        Ok(self.opened(first))
    }

    /// Says what encoding the file was declared to be in, before its first [`SAMPLE_BYTES`] are taken in; later it
    /// changes nothing.
    pub(super) fn declare(&mut self, encoding: Option<&'static Encoding>) {
        if matches!(self.stage, OpeningStage::Sampling(_)) {
            self.options.encoding = encoding;
        }
    }

    /// An opening that has nothing more to open.
    pub(super) fn over() -> Self {
        Self {
            options: InputOptions::default(),
            max_record_bytes: 0,
            sample_bytes: SAMPLE_BYTES,
            stage: OpeningStage::Over,
            bytes_in: 0,
        }
    }

    /// Writes down what has been taken in, of a file opened without options but for its encoding; `false` when that
    /// cannot be.
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
            OpeningStage::Over => false,
        }
    }

    /// The opening that [`Opening::save`] wrote down.
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

    fn judged(&self, start: Vec<u8>, whole: bool) -> FirstRecord {
        let sample_bytes = start.len().min(self.sample_bytes);
        FirstRecord::judged(start, sample_bytes, whole, self.options, self.max_record_bytes)
    }

    fn read_on(&mut self, mut first: FirstRecord) -> Result<Readiness, CsvError> {
        if first.read()? {
            return Ok(Readiness::Ready(Box::new(self.opened(first))));
        }
        self.stage = OpeningStage::Reading(Box::new(first));
        Ok(Readiness::NeedMore)
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
            let names = (0..fields).map(|field| name_of(record.as_record().cell(field))).collect();
            (Header::new(names), record, reader, read_to)
        } else {
            let header = Header::numbered(fields);
            let record = OwnedRecord::of_plain(header.names(), delimiter);
            // The first record is a row: it is read again.
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

fn name_of(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// A file whose encoding and delimiter are known, read up to the end of its first record.
struct FirstRecord {
    detected: Detected,
    delimiter: u8,
    transcoder: Option<Transcoder>,
    /// The file so far, as UTF-8.
    text: Vec<u8>,
    /// Where `text` starts in the file, …
    text_byte: u64,
    /// … and on which line.
    text_line: u64,
    reader: RecordReader,
    read_to: usize,
    capture: Capture,
}

impl FirstRecord {
    fn judged(
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
        let delimiter = options.delimiter.unwrap_or_else(|| sniff(&text[..sample_text_bytes], whole));
        let record = u64::from(!options.header);
        Self::of_text(detected, delimiter, transcoder, text, (text_byte, 1), record, max_record_bytes)
    }

    /// The first record of a text, not yet read.
    fn of_text(
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

    /// Writes down the text so far; how far it was read is found again by reading it.
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
        // The byte order mark is no longer in the text.
        let detected = Detected { encoding, source, bom_bytes: 0 };
        let delimiter = state.delimiter()?;
        let place = (state.total()?, state.total()?);
        let text = state.bytes()?.to_vec();
        let transcoder = match Transcoder::from(encoding) {
            Some(transcoder) => Some(transcoder.restored(state)?),
            None => None,
        };
        Ok(Self::of_text(detected, delimiter, transcoder, text, place, 0, max_record_bytes))
    }

    fn take_in(&mut self, piece: &[u8]) {
        match &mut self.transcoder {
            None => self.text.extend_from_slice(piece),
            Some(transcoder) => decode_all(transcoder, piece, &mut self.text),
        }
    }

    /// Reads on in the text; whether the first record is complete.
    fn read(&mut self) -> Result<bool, CsvError> {
        let fed = self.reader.feed(&self.text[self.read_to..], &mut self.capture)?;
        self.read_to += fed.consumed;
        if !fed.paused && self.reader.is_between_records() {
            self.forget_blank_lines();
        }
        Ok(fed.paused)
    }

    /// Drops a text of nothing but blank lines, which may go on for as long as the file. The last byte stays: it may be
    /// half a line break.
    fn forget_blank_lines(&mut self) {
        let Some(last) = self.text.len().checked_sub(1) else { return };
        self.text.drain(..last);
        self.text_byte += last as u64;
        self.text_line = self.reader.line() - 1;
        self.read_to = self.text.len();
    }

    /// Reads a first record that the end of the file ends.
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

/// Keeps the first record.
struct Capture {
    delimiter: u8,
    record: Option<OwnedRecord>,
}

impl RecordSink for Capture {
    fn record(&mut self, record: &Record<'_>, _place: RecordPosition<'_>) -> Result<Flow, CsvError> {
        self.record = Some(OwnedRecord::locating_all(record, self.delimiter));
        Ok(Flow::Pause)
    }
}

#[cfg(test)]
impl Opening {
    /// The opening with another size of sample, which must hold a byte order mark.
    pub(super) fn judging_by(self, sample_bytes: usize) -> Self {
        Self { sample_bytes, ..self }
    }
}

impl OpenedCsv {
    /// The most bytes a record of it may have.
    pub(super) fn max_record_bytes(&self) -> usize {
        self.stream.max_record_bytes()
    }

    /// Whether the file is read byte for byte, so that places are those of the file itself.
    pub fn is_utf8(&self) -> bool {
        self.encoding == UTF_8
    }
}
