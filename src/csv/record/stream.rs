//! Decodes the bytes of a file and reads the records of the decoded text. The file may be split at any byte.

use super::reader::{ReadProgress, RecordReader, RecordSink};
use crate::csv::checkpoint::{StateError, StateReader, StateWriter};
use crate::csv::encoding::{BadSequences, Transcoder, Undecodable, UndecodablePlace, Utf8Check};
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
    /// Finds bytes that are not UTF-8. `None` if the file is in another encoding, or if the stream does not have to
    /// count these bytes.
    check: Option<Utf8Check>,
    /// The places of the first hundred byte sequences that could not be decoded.
    undecodable_places: Vec<UndecodablePlace>,
    /// The byte sequences of the whole file that cannot be decoded. `None` if the caller does not know them.
    known_undecodable: Option<Undecodable>,
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
        Self {
            transcoder,
            check: None,
            undecodable_places: Vec::new(),
            known_undecodable: None,
            reader,
            text,
            read_to,
        }
    }

    /// Makes the stream count the byte sequences that cannot be decoded, and note their places. The sequences that the
    /// record reader has already read are in the header, which starts on `header_line`. Must be called before the first
    /// push.
    pub(in crate::csv) fn count_undecodable(&mut self, header_line: u64) {
        let text_byte = self.reader.byte() - self.read_to as u64;
        if self.transcoder.is_none() {
            let mut check = Utf8Check::from(text_byte);
            check.check(&self.text[..self.read_to], text_byte);
            self.check = Some(check);
        }
        let read_to = self.reader.byte();
        let Some(bad) = bad_sequences(&mut self.transcoder, &mut self.check) else { return };
        while let Some(byte) = bad.next_before(read_to) {
            bad.take();
            self.undecodable_places.push(UndecodablePlace { record: 0, line: header_line, byte });
        }
    }

    /// Makes the stream report `known`. The stream then does not search UTF-8 text for sequences that cannot be
    /// decoded.
    pub(in crate::csv) fn set_known_undecodable(&mut self, known: Undecodable) {
        self.known_undecodable = Some(known);
        self.check = None;
    }

    /// Returns the places of the first hundred byte sequences that could not be decoded.
    pub(in crate::csv) fn undecodable_places(&self) -> &[UndecodablePlace] {
        self.known_undecodable.as_ref().map_or(&self.undecodable_places, |known| &known.places)
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
        match (&self.known_undecodable, &self.transcoder, &self.check) {
            (Some(known), ..) => known.count,
            (None, Some(transcoder), _) => transcoder.bad.count(),
            (None, None, Some(check)) => check.bad.count(),
            (None, None, None) => 0,
        }
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
        state.list(&self.undecodable_places, |state, place| place.save(state));
        state.option(self.check.as_ref(), |state, check| check.save(state));
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
        let undecodable_places = state.list(UndecodablePlace::restore)?;
        let check = state.option(Utf8Check::restore)?;
        let transcoder = match (is_transcoded, Transcoder::from(encoding)) {
            (false, None) => None,
            (true, Some(transcoder)) => Some(transcoder.restored(state)?),
            _ => return Err(StateError::Damaged),
        };
        Ok(Self { undecodable_places, check, ..Self::new(transcoder, reader, Vec::new(), 0) })
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
                if let Some(check) = &mut self.check {
                    check.check(rest, self.reader.byte());
                }
                let bad = self.check.as_mut().map(|check| &mut check.bad);
                let fed = feed(&mut self.reader, bad, &mut self.undecodable_places, rest, sink)?;
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
        if let Some(check) = &mut self.check {
            check.finish();
        }
        // If the file ends inside a character, this call notes the place of the unfinished character.
        let bad = bad_sequences(&mut self.transcoder, &mut self.check);
        feed(&mut self.reader, bad, &mut self.undecodable_places, &[], sink)?;
        self.reader.finish(sink)?;
        Ok(false)
    }

    /// Reads the rest of `text`. Returns whether the sink paused.
    fn read_text(&mut self, sink: &mut impl RecordSink) -> Result<bool, CsvError> {
        if self.read_to < self.text.len() {
            let text = &self.text[self.read_to..];
            if let Some(check) = &mut self.check {
                check.check(text, self.reader.byte());
            }
            let bad = bad_sequences(&mut self.transcoder, &mut self.check);
            let fed = feed(&mut self.reader, bad, &mut self.undecodable_places, text, sink)?;
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

/// Returns the sequences that the transcoder or the check has found.
fn bad_sequences<'a>(
    transcoder: &'a mut Option<Transcoder>,
    check: &'a mut Option<Utf8Check>,
) -> Option<&'a mut BadSequences> {
    match (transcoder, check) {
        (Some(transcoder), _) => Some(&mut transcoder.bad),
        (None, Some(check)) => Some(&mut check.bad),
        (None, None) => None,
    }
}

/// Reads a text, and notes the places of the bad sequences in the text. For each bad sequence, the reader first reads
/// up to the first byte of the sequence, including this byte. At this point, the unfinished record of the reader is the
/// record of the sequence.
fn feed(
    reader: &mut RecordReader,
    bad: Option<&mut BadSequences>,
    places: &mut Vec<UndecodablePlace>,
    text: &[u8],
    sink: &mut impl RecordSink,
) -> Result<ReadProgress, CsvError> {
    let start = reader.byte();
    let Some(bad) = bad else { return reader.feed(text, sink) };
    let mut consumed = 0;
    while let Some(byte) = bad.next_before(start + text.len() as u64) {
        let to = (byte + 1).saturating_sub(start) as usize;
        if to > consumed {
            let fed = reader.feed(&text[consumed..to], sink)?;
            consumed += fed.consumed;
            if fed.paused {
                return Ok(ReadProgress { consumed, paused: true });
            }
        }
        bad.take();
        places.push(reader.undecodable_place(byte));
    }
    let fed = reader.feed(&text[consumed..], sink)?;
    Ok(ReadProgress { consumed: consumed + fed.consumed, paused: fed.paused })
}
