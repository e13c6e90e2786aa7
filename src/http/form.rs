//! A streaming reader of `multipart/form-data`: RFC 7578 on the framing of RFC 2046 §5.1.1.
//!
//! A resumable state machine without I/O: the caller feeds input in pieces of any size and takes one
//! event at a time, so that it can await a store between two of them. File content is handed through as
//! slices of the caller's input; only part headers (at most 16 KiB) are buffered.
//!
//! ```
//! # use cutty::http::{boundary::Boundary, form::{Event, FormReader}};
//! # let chunks: [&[u8]; 1] = [b"--B\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\na,b\r\n--B--"];
//! let mut reader = FormReader::new(&Boundary::new("B").unwrap());
//! let mut content = Vec::new();
//! for chunk in chunks {
//!     let mut input = chunk;
//!     loop {
//!         match reader.read_event(&mut input).unwrap() {
//!             Event::PartStart(part) => assert_eq!(part.name, "file"),
//!             Event::Data(bytes) => content.extend_from_slice(bytes),
//!             Event::PartEnd => {}
//!             Event::NeedInput | Event::End => break,
//!         }
//!     }
//! }
//! reader.finish().unwrap();
//! assert_eq!(content, b"a,b");
//! ```
//!
//! Preamble, epilogue and blanks after a boundary are skipped, as RFC 2046 asks. Line breaks are CRLF
//! only. A part in base64 or quoted-printable is refused: RFC 7578 deprecates that, and storing the
//! encoded text would be wrong.

use memchr::memmem::{self, Finder};

use super::boundary::Boundary;
use super::disposition::{FormDataDisposition, InvalidFormDataDisposition};

/// The most bytes of one part's headers.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;
/// The most parts of one form; ours have four fields.
pub const MAX_PARTS: usize = 64;
/// The most blanks after a boundary; gateways that pad at all add a few.
const MAX_PADDING_BYTES: usize = 1024;

const CRLF: &[u8] = b"\r\n";
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// What a part says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormPart {
    /// The field's name.
    pub name: String,
    /// The file's name as sent, possibly a path; absent when the field is no file.
    pub filename: Option<String>,
    /// The part's `Content-Type` as sent.
    pub content_type: Option<String>,
}

/// What the reader found next.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// All input is used up: feed more, or call [`FormReader::finish`] at the end of the body.
    NeedInput,
    /// A part begins.
    PartStart(FormPart),
    /// The next bytes of the part's content; never empty.
    Data(&'a [u8]),
    /// The part is complete.
    PartEnd,
    /// The form is complete. What follows is skipped; the reader answers `End` from here on.
    End,
}

/// Why a form cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The body ends before the closing boundary.
    #[error("the form ends before its closing boundary")]
    Truncated,
    /// A boundary is followed by neither `--` nor a line break.
    #[error("a boundary of the form is followed by something else than a line break")]
    MalformedDelimiter,
    /// The headers of a part exceed [`MAX_HEADER_BYTES`].
    #[error("the headers of a part of the form exceed 16 KiB")]
    HeadersTooLarge,
    /// There are more than [`MAX_PARTS`].
    #[error("the form has more than 64 parts")]
    TooManyParts,
    /// A line of a part's headers is no header.
    #[error("a part of the form has a malformed header line")]
    MalformedHeader,
    /// A part's `Content-Disposition` is missing or none of a form.
    #[error(transparent)]
    Disposition(#[from] InvalidFormDataDisposition),
    /// A part has a `Content-Transfer-Encoding` that changes its bytes.
    #[error("a part of the form is encoded as {encoding}: send it as it is")]
    TransferEncoding {
        /// The encoding as sent.
        encoding: String,
    },
}

/// Reads one form. See the module's documentation.
#[derive(Debug)]
pub struct FormReader {
    /// CRLF, `--` and the boundary. CR stands at its start and nowhere else, so text that stops
    /// matching can only match anew from its next CR: no match is ever lost by starting over.
    delimiter: Finder<'static>,
    state: FormState,
    /// How many bytes of the delimiter the input before ended with.
    matched: usize,
    parts: usize,
}

#[derive(Debug)]
enum FormState {
    /// Before the first boundary.
    Preamble,
    /// Inside a part's content.
    Content,
    /// After a delimiter: `in_part` is whether it ended a part whose end is still to be told.
    AfterDelimiter { in_part: bool, seen: Seen, padding: usize },
    /// In a part's headers; the line break before them is included, so that none at all also end with a blank line.
    Headers(Vec<u8>),
    /// After the closing boundary.
    Epilogue,
}

/// What followed the boundary so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Dash,
    Padding,
    Return,
}

/// The outcome of looking for the delimiter.
enum DelimiterSearch<'a> {
    /// These bytes come before it, or before what may become it.
    Before(&'a [u8]),
    /// The delimiter is complete and consumed.
    Delimiter,
    /// The input is used up.
    Nothing,
}

impl FormReader {
    /// A reader of a form with this boundary.
    pub fn new(boundary: &Boundary) -> Self {
        let delimiter = format!("\r\n--{}", boundary.as_str());
        Self {
            delimiter: Finder::new(delimiter.as_bytes()).into_owned(),
            state: FormState::Preamble,
            // The first boundary may open the body, without the line break it has elsewhere.
            matched: CRLF.len(),
            parts: 0,
        }
    }

    /// Reads on from the front of `input`, which is moved past what was used, up to the next event.
    ///
    /// # Errors
    /// [`FormError`]; the reader is of no use afterwards.
    pub fn read_event<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Event<'a>, FormError> {
        loop {
            match &mut self.state {
                FormState::Preamble => match find_delimiter(&self.delimiter, &mut self.matched, input) {
                    DelimiterSearch::Before(_) => {}
                    DelimiterSearch::Nothing => return Ok(Event::NeedInput),
                    DelimiterSearch::Delimiter => self.state = FormState::after_delimiter(false),
                },
                FormState::Content => match find_delimiter(&self.delimiter, &mut self.matched, input) {
                    DelimiterSearch::Before(bytes) => return Ok(Event::Data(bytes)),
                    DelimiterSearch::Nothing => return Ok(Event::NeedInput),
                    DelimiterSearch::Delimiter => self.state = FormState::after_delimiter(true),
                },
                FormState::AfterDelimiter { in_part, seen, padding } => {
                    let Some(next) = read_delimiter_tail(seen, padding, input)? else {
                        return Ok(Event::NeedInput);
                    };
                    let part_ended = *in_part;
                    self.state = next;
                    if part_ended {
                        return Ok(Event::PartEnd);
                    }
                }
                FormState::Headers(buffer) => {
                    if !take_headers(buffer, input)? {
                        return Ok(Event::NeedInput);
                    }
                    let part = parse_part(buffer)?;
                    self.parts += 1;
                    if self.parts > MAX_PARTS {
                        return Err(FormError::TooManyParts);
                    }
                    self.matched = 0;
                    self.state = FormState::Content;
                    return Ok(Event::PartStart(part));
                }
                FormState::Epilogue => {
                    *input = &[];
                    return Ok(Event::End);
                }
            }
        }
    }

    /// To be called at the end of the body.
    ///
    /// # Errors
    /// [`FormError::Truncated`] when the form is not complete: whatever was read must not be kept.
    pub fn finish(&self) -> Result<(), FormError> {
        if matches!(self.state, FormState::Epilogue) { Ok(()) } else { Err(FormError::Truncated) }
    }
}

impl FormState {
    fn after_delimiter(in_part: bool) -> Self {
        Self::AfterDelimiter { in_part, seen: Seen::Nothing, padding: 0 }
    }
}

/// Looks for the delimiter at the front of `input`, `matched` of whose bytes came before. Bytes held back
/// that turn out to be content are given from the delimiter itself, which they equal.
fn find_delimiter<'a, 'i: 'a>(
    finder: &'a Finder<'static>,
    matched: &mut usize,
    input: &mut &'i [u8],
) -> DelimiterSearch<'a> {
    let delimiter = finder.needle();
    if input.is_empty() {
        return DelimiterSearch::Nothing;
    }
    let awaited = &delimiter[*matched..];
    let common = input.iter().zip(awaited).take_while(|(left, right)| left == right).count();
    if common == awaited.len() {
        *input = &input[common..];
        *matched = 0;
        return DelimiterSearch::Delimiter;
    }
    if common == input.len() {
        *input = &[];
        *matched += common;
        return DelimiterSearch::Nothing;
    }
    if *matched > 0 {
        let held = &delimiter[..*matched];
        *matched = 0;
        return DelimiterSearch::Before(held);
    }
    let content = content_length(finder, input);
    let (before, rest) = input.split_at(content);
    *input = rest;
    DelimiterSearch::Before(before)
}

/// How many bytes of `input` come before the delimiter or before a start of it at the very end.
/// At least 1, since `input` is known not to start with either.
fn content_length(finder: &Finder<'static>, input: &[u8]) -> usize {
    let delimiter = finder.needle();
    if let Some(at) = finder.find(input) {
        return at;
    }
    let tail_start = input.len().saturating_sub(delimiter.len() - 1);
    match memchr::memrchr(b'\r', &input[tail_start..]) {
        Some(at) if delimiter.starts_with(&input[tail_start + at..]) => tail_start + at,
        _ => input.len(),
    }
}

/// Reads what follows a boundary: `--`, or blanks and CRLF. `None` when the input is used up.
fn read_delimiter_tail(
    seen: &mut Seen,
    padding: &mut usize,
    input: &mut &[u8],
) -> Result<Option<FormState>, FormError> {
    while let Some((&byte, rest)) = input.split_first() {
        *input = rest;
        *seen = match (*seen, byte) {
            (Seen::Nothing, b'-') => Seen::Dash,
            (Seen::Dash, b'-') => return Ok(Some(FormState::Epilogue)),
            (Seen::Return, b'\n') => return Ok(Some(FormState::Headers(CRLF.to_vec()))),
            (Seen::Nothing | Seen::Padding, b'\r') => Seen::Return,
            (Seen::Nothing | Seen::Padding, b' ' | b'\t') if *padding < MAX_PADDING_BYTES => {
                *padding += 1;
                Seen::Padding
            }
            _ => return Err(FormError::MalformedDelimiter),
        };
    }
    Ok(None)
}

/// Moves input into `buffer` up to and including the blank line; `false` when that is not there yet.
fn take_headers(buffer: &mut Vec<u8>, input: &mut &[u8]) -> Result<bool, FormError> {
    let before = buffer.len();
    let room = CRLF.len() + MAX_HEADER_BYTES - before;
    buffer.extend_from_slice(&input[..input.len().min(room)]);
    let search_from = before.saturating_sub(BLANK_LINE.len() - 1);
    if let Some(at) = memmem::find(&buffer[search_from..], BLANK_LINE) {
        let end = search_from + at + BLANK_LINE.len();
        *input = &input[end - before..];
        buffer.truncate(end);
        return Ok(true);
    }
    if input.len() >= room {
        return Err(FormError::HeadersTooLarge);
    }
    *input = &[];
    Ok(false)
}

/// Reads a part's headers. Unknown ones are ignored; a line that starts with a blank continues the one before.
fn parse_part(block: &[u8]) -> Result<FormPart, FormError> {
    let mut disposition = None;
    let mut content_type = None;
    for line in unfold_lines(block) {
        let colon = memchr::memchr(b':', &line).ok_or(FormError::MalformedHeader)?;
        let (name, value) = (line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii());
        match name.as_slice() {
            b"content-disposition" => disposition = Some(FormDataDisposition::parse(value)?),
            b"content-type" => content_type = Some(String::from_utf8_lossy(value).into_owned()),
            b"content-transfer-encoding" => check_transfer_encoding(value)?,
            _ => {}
        }
    }
    let FormDataDisposition { name, filename } = disposition.ok_or(InvalidFormDataDisposition)?;
    Ok(FormPart { name, filename, content_type })
}

fn check_transfer_encoding(value: &[u8]) -> Result<(), FormError> {
    let encoding = String::from_utf8_lossy(value);
    let is_identity = ["binary", "8bit", "7bit"].iter().any(|known| encoding.eq_ignore_ascii_case(known));
    if is_identity { Ok(()) } else { Err(FormError::TransferEncoding { encoding: encoding.into_owned() }) }
}

/// The non-empty lines of a header block, continuation lines joined to theirs.
fn unfold_lines(block: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut rest = block;
    while !rest.is_empty() {
        let end = memmem::find(rest, CRLF).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + CRLF.len()..).unwrap_or_default();
        match lines.last_mut() {
            Some(previous) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                previous.extend_from_slice(line);
            }
            _ if line.is_empty() => {}
            _ => lines.push(line.to_vec()),
        }
    }
    lines
}

#[cfg(test)]
mod tests;
