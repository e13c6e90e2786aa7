//! Decodes the bytes of a file and reads the records of the decoded text. The file may be split at any byte.

use super::reader::{RecordReader, RecordSink};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::encoding::Transcoder;
use crate::csv::error::CsvError;
use crate::csv::scanner::walk::Wanted;
use encoding_rs::Encoding;

/// How far a piece of the file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::csv) enum Step {
    /// The whole piece was read.
    Read,
    /// The sink paused. The rest of the piece must be pushed again.
    Paused {
        /// Number of bytes of the piece that were read.
        consumed: usize,
    },
}

/// Reads the records of a file after it has been opened.
pub(in crate::csv) struct RecordStream {
    /// `None` for UTF-8.
    transcoder: Option<Transcoder>,
    reader: RecordReader,
    /// Decoded text. At first, this is the text that was decoded to open the file. Later, it is the last decoded piece.
    /// The first `read_to` bytes of the text have been read.
    text: Vec<u8>,
    read_to: usize,
}

impl RecordStream {
    /// Creates a stream that reads `text[read_to..]` first.
    pub(in crate::csv) fn new(
        transcoder: Option<Transcoder>,
        reader: RecordReader,
        text: Vec<u8>,
        read_to: usize,
    ) -> Self {
        Self { transcoder, reader, text, read_to }
    }

    /// Changes which fields of a record are located. Must be called before the first push.
    pub(in crate::csv) fn locate(&mut self, wanted: Wanted) {
        self.reader.locate(wanted);
    }

    /// Returns the maximum number of bytes that a record may have.
    pub(in crate::csv) fn max_record_bytes(&self) -> usize {
        self.reader.max_record_bytes()
    }

    /// Returns how many bytes of the unfinished record the stream holds.
    pub(in crate::csv) fn carried_bytes(&self) -> usize {
        self.reader.carried_bytes()
    }

    /// Returns the number of byte sequences in the file that could not be decoded.
    pub(in crate::csv) fn undecodable(&self) -> u64 {
        self.transcoder.as_ref().map_or(0, Transcoder::undecodable)
    }

    /// Skips `records` records. The next piece must start at `byte`, on the line `line`. Returns the number of skipped
    /// bytes. Does nothing and returns `None` if the file is not UTF-8, if some pushed text has not been read, if a
    /// record is unfinished, or if `byte` is before the current position.
    pub(in crate::csv) fn skip_to(&mut self, records: u64, byte: u64, line: u64) -> Option<u64> {
        let is_drained = self.transcoder.is_none() && self.read_to >= self.text.len();
        if is_drained { self.reader.skip_to(records, byte, line) } else { None }
    }

    /// Saves the state between two pieces. Returns `false` if some text has not been read, or if the state of the
    /// decoder cannot be saved.
    #[must_use]
    pub(in crate::csv) fn save(&self, state: &mut StateWriter) -> bool {
        if self.read_to < self.text.len() {
            return false;
        }
        state.flag(self.transcoder.is_some());
        self.reader.save(state);
        self.transcoder.as_ref().is_none_or(|transcoder| transcoder.save(state))
    }

    /// Restores the stream of a file in `encoding` from the state that [`RecordStream::save`] wrote.
    pub(in crate::csv) fn restore(
        state: &mut StateReader<'_>,
        encoding: &'static Encoding,
        delimiter: u8,
        wanted: Wanted,
        max_record_bytes: usize,
    ) -> Result<Self, StateError> {
        let is_transcoded = state.flag()?;
        let reader = RecordReader::restore(state, delimiter, wanted, max_record_bytes)?;
        let transcoder = match (is_transcoded, Transcoder::from(encoding)) {
            (false, None) => None,
            (true, Some(transcoder)) => Some(transcoder.restored(state)?),
            _ => return Err(StateError::Damaged),
        };
        Ok(Self::new(transcoder, reader, Vec::new(), 0))
    }

    /// Reads a piece of the file until the sink pauses.
    ///
    /// # Errors
    /// The errors of [`RecordReader::feed`].
    pub(in crate::csv) fn push(
        &mut self,
        piece: &[u8],
        sink: &mut impl RecordSink,
    ) -> Result<Step, CsvError> {
        let mut consumed = 0;
        loop {
            if self.read_text(sink)? {
                return Ok(Step::Paused { consumed });
            }
            let rest = &piece[consumed..];
            if rest.is_empty() {
                return Ok(Step::Read);
            }
            let Some(transcoder) = &mut self.transcoder else {
                let fed = self.reader.feed(rest, sink)?;
                return Ok(match fed.paused {
                    true => Step::Paused { consumed: consumed + fed.consumed },
                    false => Step::Read,
                });
            };
            consumed += transcoder.step(rest, &mut self.text);
        }
    }

    /// Ends the file and reads the rest of the text. Returns `true` if the sink paused. In this case, the caller must
    /// call this method again.
    ///
    /// # Errors
    /// The errors of [`RecordStream::push`].
    pub(in crate::csv) fn finish(&mut self, sink: &mut impl RecordSink) -> Result<bool, CsvError> {
        if self.read_text(sink)? {
            return Ok(true);
        }
        if let Some(transcoder) = &mut self.transcoder {
            transcoder.finish(&mut self.text);
        }
        if self.read_text(sink)? {
            return Ok(true);
        }
        self.reader.finish(sink)?;
        Ok(false)
    }

    /// Reads the rest of `text`. Returns whether the sink paused.
    fn read_text(&mut self, sink: &mut impl RecordSink) -> Result<bool, CsvError> {
        if self.read_to < self.text.len() {
            let fed = self.reader.feed(&self.text[self.read_to..], sink)?;
            self.read_to += fed.consumed;
            if fed.paused {
                return Ok(true);
            }
        }
        self.read_to = 0;
        if self.transcoder.is_none() {
            // In a UTF-8 file, the buffer holds only the text that was read to open the file. All of this text has been
            // read, so the buffer can be freed.
            self.text = Vec::new();
        }
        self.text.clear();
        Ok(false)
    }
}
