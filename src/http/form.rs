//! A streaming reader of `multipart/form-data` (RFC 7578, with the framing of RFC 2046 §5.1.1).
//!
//! The reader is a state machine without I/O. The caller passes input in pieces of any size and reads one event at a
//! time. Between two events, the caller can store bytes and await the result. The reader returns the content of form
//! parts as slices of the input. It buffers only the headers of the current form part, at most 16 KiB.
//!
//! ```
//! # use cutty::http::{boundary::Boundary, form::{Event, FormReader}};
//! # let pieces: [&[u8]; 1] = [b"--B\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\na,b\r\n--B--"];
//! let mut reader = FormReader::new(&Boundary::new("B").unwrap());
//! let mut content = Vec::new();
//! for piece in pieces {
//!     let mut input = piece;
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
//! The preamble, the epilogue and blanks after a boundary are skipped, as RFC 2046 requires. Line breaks must be CRLF.
//! A form part in base64 or quoted-printable is refused: RFC 7578 deprecates these encodings, and the encoded text must
//! not be stored as the file.

use memchr::memmem::{self, Finder};

use crate::csv::shortened;

use super::boundary::Boundary;
use super::disposition::{FormDataDisposition, InvalidFormDataDisposition};

/// Maximum size of the headers of one form part, in bytes.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Maximum number of form parts in one form. An upload needs at most four: the file and three text fields.
pub const MAX_PARTS: usize = 64;
/// Maximum number of blanks after a boundary. Some gateways add a few blanks there.
const MAX_PADDING_BYTES: usize = 1024;

const CRLF: &[u8] = b"\r\n";
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// The headers of a form part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormPart {
    /// Name of the form field.
    pub name: String,
    /// Filename as sent, possibly a path; `None` if the form part is not a file.
    pub filename: Option<String>,
    /// `Content-Type` of the form part, as sent.
    pub content_type: Option<String>,
}

/// Result of one call of [`FormReader::read_event`].
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// All input is consumed. The caller passes more input, or calls [`FormReader::finish`] at the end of the body.
    NeedInput,
    /// A form part begins.
    PartStart(FormPart),
    /// The next bytes of the form part's content; at least one byte.
    Data(&'a [u8]),
    /// The form part is complete.
    PartEnd,
    /// The form is complete. The rest of the body is skipped, and every further call returns `End`.
    End,
}

/// Errors of reading a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The body ends before the closing boundary.
    #[error("the form ends before its closing boundary: send it again")]
    Truncated,
    /// A boundary is followed by neither `--` nor a line break.
    #[error("a boundary of the form is not followed by CRLF or --: end each boundary line with CRLF")]
    MalformedDelimiter,
    /// The headers of a form part exceed [`MAX_HEADER_BYTES`].
    #[error("the headers of a part of the form exceed 16 KiB: shorten them")]
    HeadersTooLarge,
    /// The form has more than [`MAX_PARTS`] form parts.
    #[error("the form has more than 64 parts: send one file per form")]
    TooManyParts,
    /// A header line of a form part has no colon.
    #[error("a part of the form has a malformed header line: write each header as Name: value")]
    MalformedHeader,
    /// The `Content-Type` of a form part is not UTF-8.
    #[error("the Content-Type of a part of the form is not UTF-8: encode it as UTF-8")]
    TypeNotUtf8,
    /// The `Content-Disposition` of a form part is missing or cannot be read.
    #[error(transparent)]
    Disposition(#[from] InvalidFormDataDisposition),
    /// A form part has a `Content-Transfer-Encoding` that changes its bytes.
    #[error("a part of the form is encoded as {encoding}: send it without Content-Transfer-Encoding")]
    TransferEncoding {
        /// Encoding as sent.
        encoding: String,
    },
    /// A form part has a header that describes a file, and that Cutty does not read in a part.
    #[error("a part of the form has the header {name}: send this header with the request, or leave it out")]
    UnreadHeader {
        /// Name of the header.
        name: String,
    },
}

/// Reads one form. The [module documentation](self) has an example.
#[derive(Debug)]
pub struct FormReader {
    /// CRLF, `--` and the boundary. The first byte of the delimiter is its only CR. So no other match can start inside
    /// the bytes of a failed match. The search continues after these bytes.
    delimiter: Finder<'static>,
    state: FormState,
    /// Number of bytes of the delimiter that matched the end of the previous input.
    matched: usize,
    parts: usize,
}

#[derive(Debug)]
enum FormState {
    /// Before the first boundary.
    Preamble,
    /// Inside the content of a form part.
    Content,
    /// After a delimiter. If `in_part`, the delimiter ended a form part, and `PartEnd` was not returned yet. `padding`
    /// is the number of blanks after the delimiter so far.
    AfterDelimiter { in_part: bool, tail: DelimiterTail, padding: usize },
    /// Inside the headers of a form part. The buffer starts with the line break before the headers. Because of this
    /// line break, the search finds `BLANK_LINE` even if the form part has no headers.
    Headers(Vec<u8>),
    /// After the closing boundary.
    Epilogue,
}

/// The last byte that was read after a boundary, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DelimiterTail {
    Nothing,
    Dash,
    Padding,
    Return,
}

/// Result of a search for the delimiter.
enum DelimiterSearch<'a> {
    /// Bytes that do not belong to the delimiter. Bytes at the end of the input are left out if the delimiter may start
    /// with them.
    Before(&'a [u8]),
    /// The delimiter was found and consumed.
    Delimiter,
    /// All input is consumed.
    Nothing,
}

impl FormReader {
    /// Creates a reader of a form with this boundary.
    pub fn new(boundary: &Boundary) -> Self {
        let delimiter = format!("\r\n--{}", boundary.as_str());
        Self {
            delimiter: Finder::new(delimiter.as_bytes()).into_owned(),
            state: FormState::Preamble,
            // The first boundary may start the body, without a line break before it.
            matched: CRLF.len(),
            parts: 0,
        }
    }

    /// Reads `input` up to the next event, and advances `input` past the bytes that were consumed.
    ///
    /// # Errors
    /// [`FormError`]. The reader must not be used after an error.
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
                FormState::AfterDelimiter { in_part, tail, padding } => {
                    let Some(next) = read_delimiter_tail(tail, padding, input)? else {
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

    /// Checks that the form is complete. Must be called at the end of the body.
    ///
    /// # Errors
    /// [`FormError::Truncated`] if the form is not complete. The caller must then discard the form parts that it read.
    pub fn finish(&self) -> Result<(), FormError> {
        if matches!(self.state, FormState::Epilogue) { Ok(()) } else { Err(FormError::Truncated) }
    }
}

impl FormState {
    fn after_delimiter(in_part: bool) -> Self {
        Self::AfterDelimiter { in_part, tail: DelimiterTail::Nothing, padding: 0 }
    }
}

/// Searches `input` for the delimiter. The previous input ended with the first `matched` bytes of the delimiter. If the
/// rest of the delimiter does not follow, these bytes are content. The previous input is gone, so the function returns
/// the bytes as a slice of the delimiter.
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

/// Returns the number of bytes of `input` before the delimiter. If `input` ends with the first bytes of the delimiter,
/// these bytes are not counted. The result is at least 1, because the caller handles two cases itself: `input` starts
/// with the delimiter, or the delimiter starts with the whole `input`.
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

/// Reads the bytes after a boundary: `--`, or blanks and CRLF. Returns `None` if the input ends too early.
fn read_delimiter_tail(
    tail: &mut DelimiterTail,
    padding: &mut usize,
    input: &mut &[u8],
) -> Result<Option<FormState>, FormError> {
    while let Some((&byte, rest)) = input.split_first() {
        *input = rest;
        *tail = match (*tail, byte) {
            (DelimiterTail::Nothing, b'-') => DelimiterTail::Dash,
            (DelimiterTail::Dash, b'-') => return Ok(Some(FormState::Epilogue)),
            (DelimiterTail::Return, b'\n') => return Ok(Some(FormState::Headers(CRLF.to_vec()))),
            (DelimiterTail::Nothing | DelimiterTail::Padding, b'\r') => DelimiterTail::Return,
            (DelimiterTail::Nothing | DelimiterTail::Padding, b' ' | b'\t')
                if *padding < MAX_PADDING_BYTES =>
            {
                *padding += 1;
                DelimiterTail::Padding
            }
            _ => return Err(FormError::MalformedDelimiter),
        };
    }
    Ok(None)
}

/// Moves input into `buffer`, up to the end of the blank line. Returns `false` if the input ends before the blank line
/// is complete.
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

/// Headers of a part that describe its file, and that Cutty does not read in a part. All headers `X-File-…` do too.
const UNREAD_IN_PARTS: [&str; 6] =
    ["content-digest", "content-encoding", "content-md5", "content-range", "digest", "repr-digest"];

/// Parses the headers of a form part. Other headers than those of the file are ignored if they are unknown.
fn parse_part(block: &[u8]) -> Result<FormPart, FormError> {
    let mut disposition = None;
    let mut content_type = None;
    for line in unfold_lines(block) {
        let colon = memchr::memchr(b':', &line).ok_or(FormError::MalformedHeader)?;
        let (name, value) = (line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii());
        match name.as_slice() {
            b"content-disposition" if disposition.is_some() => {
                return Err(InvalidFormDataDisposition::Malformed.into());
            }
            b"content-disposition" => disposition = Some(FormDataDisposition::parse(value)?),
            b"content-type" => {
                let text = std::str::from_utf8(value).map_err(|_| FormError::TypeNotUtf8)?;
                content_type = Some(text.to_owned());
            }
            b"content-transfer-encoding" => check_transfer_encoding(value)?,
            name => {
                let is_unread = UNREAD_IN_PARTS.iter().any(|unread| unread.as_bytes() == name);
                if is_unread || name.starts_with(b"x-file-") {
                    return Err(FormError::UnreadHeader { name: shortened(&String::from_utf8_lossy(name)) });
                }
            }
        }
    }
    let FormDataDisposition { name, filename } = disposition.ok_or(InvalidFormDataDisposition::Malformed)?;
    Ok(FormPart { name, filename, content_type })
}

fn check_transfer_encoding(value: &[u8]) -> Result<(), FormError> {
    let encoding = String::from_utf8_lossy(value);
    let is_identity = ["binary", "8bit", "7bit"].iter().any(|known| encoding.eq_ignore_ascii_case(known));
    if is_identity { Ok(()) } else { Err(FormError::TransferEncoding { encoding: encoding.into_owned() }) }
}

/// Splits headers into lines and drops empty lines. A line that starts with a blank continues the previous line.
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
