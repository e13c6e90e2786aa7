//! Decides whether an upload is delimited text, from its first bytes, its declared type and its name.
//!
//! The declared type is often wrong: browsers send CSV as `application/vnd.ms-excel`, and curl sends everything as
//! `application/x-www-form-urlencoded`. So the content decides. Known binary and markup formats, scripts, NUL bytes,
//! and many control characters are refused. UTF-16 may have NUL bytes, also without a byte order mark. Text in any
//! legacy character set is accepted, because no such character set uses control characters for text.
//!
//! A declared `charset` must be the label of an encoding that Cutty knows, because Cutty reads the file in this encoding
//! later. No file is stored with the type `text/plain`: some servers compress responses of this type, and the
//! compression breaks ranges and lengths.

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use memchr::memmem;

use super::filename::Filename;
use super::media_type::MediaType;
use crate::csv::{FileEncoding, encoding_for_label, shortened, utf16_without_mark};

/// Number of bytes that are examined, from the start of an upload.
pub const SAMPLE_BYTES: usize = 256 * 1024;

/// Stored type of every file that is not tab-separated.
pub const TEXT_CSV: &str = "text/csv";
/// Stored type of tab-separated files.
pub const TEXT_TSV: &str = "text/tab-separated-values";

/// The types with which files are stored.
pub const STORED_TYPES: [&str; 2] = [TEXT_CSV, TEXT_TSV];

/// Returns the stored type with this name, or `None` if there is no such stored type.
pub fn stored_type_named(name: &str) -> Option<&'static str> {
    STORED_TYPES.into_iter().find(|known| *known == name)
}

/// Values of `charset` that are ignored. The Unix tool `file` reports such a value if the first bytes of a text are all
/// ASCII, or if the tool does not know the encoding. The value therefore does not say how to read the later bytes of
/// the text. By the Encoding Standard, `us-ascii` would mean windows-1252, which is often wrong for these bytes.
const VAGUE_CHARSETS: [&str; 6] = ["", "us-ascii", "ascii", "ansi_x3.4-1968", "unknown-8bit", "binary"];

/// Types that clients send when they do not know the type of the file. A file with such a type counts as a file without
/// a declared type. Some clients declare every body as [`JSON`].
const GENERIC_TYPES: [&str; 5] =
    ["application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded", "*/*", JSON];

const JSON: &str = "application/json";

/// Other names of [`TEXT_CSV`]. An upload with such a type is accepted if [`TEXT_CSV`] is an allowed type.
const CSV_ALIASES: [&str; 4] =
    ["text/comma-separated-values", "text/x-comma-separated-values", "text/x-csv", "application/x-csv"];

/// Maximum number of characters of an unknown `charset` that the error repeats.
const SHOWN_CHARACTERS: usize = 100;

/// Extensions that a stored file may have. A stored file may also have none. All other extensions are refused, because
/// an operating system or a web server may run a file with another extension.
const EXTENSIONS: [&str; 6] = ["csv", "tsv", "tab", "txt", "psv", "dat"];

/// Extensions that the result of a cut may have in addition to [`EXTENSIONS`], if the result is not stored.
const RESULT_EXTENSIONS: [&str; 4] = ["json", "ndjson", "jsonl", "gz"];

/// Properties of an upload that are known before its bytes are stored.
#[derive(Debug, Clone, Copy)]
pub struct SniffedUpload<'a> {
    /// `Content-Type` as the client sent it.
    pub declared_type: Option<&'a str>,
    /// Media types that are accepted, without parameters.
    pub allowed_types: &'a [String],
    /// Extension of the filename, without the dot.
    pub extension: Option<&'a str>,
    /// The first [`SAMPLE_BYTES`] of the content, or the whole content if it is shorter. Never empty: the caller
    /// refuses empty files.
    pub sample: &'a [u8],
}

/// Whether an upload is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SniffVerdict {
    /// The upload is accepted. The file is stored and sent as `content_type`.
    Accept {
        /// [`TEXT_CSV`] or [`TEXT_TSV`].
        content_type: &'static str,
        /// Encoding that the `charset` parameter declares, if any.
        encoding: Option<FileEncoding>,
        /// Whether the file has a header, if the parameter `header` says so (RFC 4180 §3).
        header: Option<bool>,
    },
    /// The upload is refused.
    Refuse(Refusal),
}

/// Reason why an upload is refused. The message also says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The declared type is not a media type.
    #[error("the Content-Type {declared:?} is not a media type of at most 255 bytes: send text/csv")]
    MalformedType {
        /// Declared type as sent.
        declared: String,
    },
    /// The parameter `header` of the declared type is neither `present` nor `absent`.
    #[error(
        "header={value} in the Content-Type is not known: send header=present or header=absent, or leave it out"
    )]
    UnknownHeaderValue {
        /// Value as sent.
        value: String,
    },
    /// The declared type is not an accepted type.
    #[error("files of type {declared} are not accepted: send CSV or TSV as text/csv")]
    TypeNotAllowed {
        /// Type and subtype.
        declared: String,
    },
    /// The declared `charset` is unknown or has no decoder.
    #[error(
        "the charset {charset:?} is not known: send a label of the WHATWG Encoding Standard such as utf-8, utf-16le, \
         windows-1252, macintosh or shift_jis, or leave charset out so that the encoding is detected"
    )]
    UnknownCharset {
        /// The first 100 characters of the value as sent.
        charset: String,
    },
    /// The extension of the filename is not an accepted extension.
    #[error(
        "a .{extension} file is not accepted: save it as CSV, with the extension csv, tsv, tab, txt, psv or dat, or \
         without an extension"
    )]
    ForeignExtension {
        /// Extension in lower case.
        extension: String,
    },
    /// The content has the signature of another format.
    #[error("the content is {format}, not CSV: {advice}")]
    ForeignContent {
        /// Name of the format with its article, for example "a PDF document".
        format: &'static str,
        /// The next step that the user can take.
        advice: &'static str,
    },
    /// The content is not text in any known character set.
    #[error("the content is not text ({found}): upload CSV as text; if it is UTF-16, add charset=utf-16")]
    NotText {
        /// The reason why the sample is not text, for example "it contains NUL bytes".
        found: &'static str,
    },
}

/// Checks the extension of a filename.
///
/// # Errors
/// [`Refusal::ForeignExtension`] if the extension is not in `EXTENSIONS`.
pub fn check_name(name: &Filename) -> Result<(), Refusal> {
    match refused_extension(name) {
        Some(extension) => Err(Refusal::ForeignExtension { extension }),
        None => Ok(()),
    }
}

/// Checks the extension of the filename with which the result of a cut is sent.
///
/// # Errors
/// [`Refusal::ForeignExtension`] if the extension is neither in `EXTENSIONS` nor in `RESULT_EXTENSIONS`.
pub fn check_result_name(name: &Filename) -> Result<(), Refusal> {
    match refused_extension(name).filter(|extension| !RESULT_EXTENSIONS.contains(&extension.as_str())) {
        Some(extension) => Err(Refusal::ForeignExtension { extension }),
        None => Ok(()),
    }
}

/// Returns the extension in lower case, if a stored file must not have it.
fn refused_extension(name: &Filename) -> Option<String> {
    let extension = name.system_extension().map(|extension| extension.to_ascii_lowercase());
    extension.filter(|extension| !EXTENSIONS.contains(&extension.as_str()))
}

/// Checks a declared type with its parameters before the content is known. `allowed_types` are the accepted types.
///
/// # Errors
/// [`Refusal::MalformedType`], [`Refusal::TypeNotAllowed`], [`Refusal::UnknownCharset`] or
/// [`Refusal::UnknownHeaderValue`].
pub fn check_declared(declared_type: Option<&str>, allowed_types: &[String]) -> Result<(), Refusal> {
    let declared = parse_declared(declared_type, allowed_types)?;
    declared_encoding(declared.as_ref(), &[])?;
    declared_header(declared.as_ref()).map(drop)
}

/// Decides whether an upload is accepted. If it is accepted, also decides the type with which the file is stored.
pub fn check(upload: &SniffedUpload<'_>) -> SniffVerdict {
    match examine(upload) {
        Ok(verdict) => verdict,
        Err(refusal) => SniffVerdict::Refuse(refusal),
    }
}

fn examine(upload: &SniffedUpload<'_>) -> Result<SniffVerdict, Refusal> {
    let declared = parse_declared(upload.declared_type, upload.allowed_types)?;
    let extension = upload.extension.map(str::to_ascii_lowercase);
    let sample = &upload.sample[..upload.sample.len().min(SAMPLE_BYTES)];
    let encoding = declared_encoding(declared.as_ref(), sample)?;
    let is_utf16 = encoding.map_or_else(|| utf16_without_mark(sample).is_some(), FileEncoding::is_utf16);
    check_content(sample, is_utf16)?;
    if declared.as_ref().is_some_and(|declared| declared.is(JSON)) && is_json(sample) {
        return Err(Refusal::ForeignContent { format: "JSON", advice: CONVERT });
    }
    let content_type = stored_type(declared.as_ref(), extension.as_deref());
    Ok(SniffVerdict::Accept { content_type, encoding, header: declared_header(declared.as_ref())? })
}

/// Returns whether the declared type says that the file has a header.
fn declared_header(declared: Option<&MediaType>) -> Result<Option<bool>, Refusal> {
    match declared.and_then(|declared| declared.parameter("header")) {
        None => Ok(None),
        Some(value) if value.eq_ignore_ascii_case("present") => Ok(Some(true)),
        Some(value) if value.eq_ignore_ascii_case("absent") => Ok(Some(false)),
        Some(value) => {
            Err(Refusal::UnknownHeaderValue { value: value.chars().take(SHOWN_CHARACTERS).collect() })
        }
    }
}

/// Returns the encoding that the declared `charset` names. If `charset` names UTF-16 without a byte order,
/// `utf16_by_content` chooses the byte order.
fn declared_encoding(declared: Option<&MediaType>, sample: &[u8]) -> Result<Option<FileEncoding>, Refusal> {
    // A program that sends a generic type does not know the file, so the charset that it sends is ignored.
    let meant = declared.filter(|declared| !is_generic(declared));
    let charset = meant.and_then(MediaType::charset).map(str::trim).unwrap_or_default();
    if VAGUE_CHARSETS.iter().any(|vague| charset.eq_ignore_ascii_case(vague)) {
        return Ok(None);
    }
    let encoding = encoding_for_label(charset).ok_or_else(|| Refusal::UnknownCharset {
        charset: charset.chars().take(SHOWN_CHARACTERS).collect(),
    })?;
    let names_order = charset.to_ascii_lowercase().ends_with("le");
    let is_open = encoding == UTF_16LE && !names_order;
    Ok(Some(if is_open { utf16_by_content(sample).into() } else { encoding }))
}

/// Counts the line breaks, delimiters and quotes in the sample, once as big-endian and once as little-endian. Returns
/// UTF-16BE if big-endian gives the greater number. Otherwise returns UTF-16LE, the default of the Encoding Standard.
fn utf16_by_content(sample: &[u8]) -> &'static Encoding {
    let (pairs, _) = sample.as_chunks::<2>();
    let separators = |decode: fn([u8; 2]) -> u16| {
        let is_separator = |unit: u16| u8::try_from(unit).is_ok_and(|byte| b"\r\n\t,;|\"".contains(&byte));
        pairs.iter().filter(|pair| is_separator(decode(**pair))).count()
    };
    let is_big = separators(u16::from_be_bytes) > separators(u16::from_le_bytes);
    if is_big { UTF_16BE } else { UTF_16LE }
}

fn is_generic(declared: &MediaType) -> bool {
    GENERIC_TYPES.iter().any(|generic| declared.is(generic))
}

fn is_csv_alias(declared: &MediaType) -> bool {
    CSV_ALIASES.iter().any(|alias| declared.is(alias))
}

/// Whether the content begins like a JSON array or object.
fn is_json(sample: &[u8]) -> bool {
    matches!(text_start(sample).first(), Some(b'{' | b'['))
}

/// Parses the declared type; `None` if it is missing or blank.
fn parse_declared(
    declared_type: Option<&str>,
    allowed_types: &[String],
) -> Result<Option<MediaType>, Refusal> {
    let Some(text) = declared_type.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let declared =
        MediaType::parse(text).map_err(|_| Refusal::MalformedType { declared: shortened(text) })?;
    let is_allowed =
        |essence: &str| allowed_types.iter().any(|allowed| allowed.trim().eq_ignore_ascii_case(essence));
    if is_generic(&declared)
        || is_allowed(declared.essence())
        || (is_csv_alias(&declared) && is_allowed(TEXT_CSV))
    {
        Ok(Some(declared))
    } else {
        Err(Refusal::TypeNotAllowed { declared: shortened(declared.essence()) })
    }
}

/// Returns TSV if the declared type is TSV, or if the extension is `tsv` or `tab` and the declared type is not CSV.
fn stored_type(declared: Option<&MediaType>, extension: Option<&str>) -> &'static str {
    let says_tsv = declared.is_some_and(|declared| declared.is(TEXT_TSV));
    let says_csv = declared.is_some_and(|declared| {
        declared.is(TEXT_CSV) || declared.is("application/csv") || is_csv_alias(declared)
    });
    let named_tsv = matches!(extension, Some("tsv" | "tab"));
    if says_tsv || (named_tsv && !says_csv) { TEXT_TSV } else { TEXT_CSV }
}

const UNPACK: &str = "unpack it and upload the CSV inside";
const EXPORT: &str = "open it and save it as CSV";
const CONVERT: &str = "export the data as CSV";

/// Signatures that never start a delimited text. Each has the name of its format and advice for the user.
const SIGNATURES: &[(&[u8], &str, &str)] = &[
    (b"\x89PNG\r\n\x1a\n", "a PNG image", CONVERT),
    (b"\xff\xd8\xff", "a JPEG image", CONVERT),
    (b"GIF87a", "a GIF image", CONVERT),
    (b"GIF89a", "a GIF image", CONVERT),
    (b"%PDF-", "a PDF document", CONVERT),
    (
        b"PK\x03\x04",
        "a ZIP archive or an Excel workbook (.xlsx)",
        "save the sheet as CSV, or unpack the archive",
    ),
    (b"PK\x05\x06", "an empty ZIP archive", UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", EXPORT),
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"\x7fELF", "a program", CONVERT),
    (b"\0asm", "a WebAssembly module", CONVERT),
    (b"\xca\xfe\xba\xbe", "a program", CONVERT),
    (b"SQLite format 3\0", "an SQLite database", CONVERT),
    (b"II*\0", "a TIFF image", CONVERT),
    (b"MM\0*", "a TIFF image", CONVERT),
    (b"{\\rtf", "a rich-text document", EXPORT),
];

/// Signatures with which a CSV header may also start, for example `MZ,intensity`. The check compares them only with
/// content that is not text, so that the error can name the format.
const AMBIGUOUS_SIGNATURES: &[(&[u8], &str, &str)] = &[
    (b"MZ", "a Windows program", CONVERT),
    (b"PAR1", "a Parquet file", CONVERT),
    (b"Obj\x01", "an Avro file", CONVERT),
    (b"ORC", "an ORC file", CONVERT),
    (b"ARROW1", "an Arrow file", CONVERT),
    (b"BM", "a BMP image", CONVERT),
    (b"ID3", "an MP3 recording", CONVERT),
    (b"OggS", "an Ogg recording", CONVERT),
];

const HTML: &str = "an HTML page";
const XML: &str = "an XML document";
const SCRIPT: &str = "a script";

/// HTML tags: content that begins with one of them is refused. Each of these tags can load or run something, or shows a
/// browser that the content is a page (WHATWG MIME Sniffing §7.1). Content that begins with an unknown tag may be CSV,
/// for example `<TICKER>,<DATE>`.
const TAGS: &[&str] = &[
    "a",
    "abbr",
    "applet",
    "area",
    "article",
    "aside",
    "audio",
    "b",
    "base",
    "bgsound",
    "blink",
    "body",
    "br",
    "button",
    "canvas",
    "center",
    "details",
    "dialog",
    "div",
    "dl",
    "embed",
    "fieldset",
    "figure",
    "font",
    "footer",
    "form",
    "frame",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "iframe",
    "image",
    "img",
    "input",
    "isindex",
    "job",
    "keygen",
    "label",
    "layer",
    "li",
    "link",
    "main",
    "marquee",
    "math",
    "menu",
    "meta",
    "nav",
    "noscript",
    "object",
    "ol",
    "p",
    "package",
    "param",
    "picture",
    "plaintext",
    "portal",
    "pre",
    "script",
    "scriptlet",
    "section",
    "select",
    "slot",
    "source",
    "span",
    "style",
    "svg",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "track",
    "tt",
    "u",
    "ul",
    "video",
    "xml",
    "xmp",
];

/// Starts of markup and scripts, each with the name of its format. Case is ignored. A start that ends with a letter or
/// a digit matches only if a blank, `/`, `>`, `;`, `&` or the end of the content follows.
const RUNNABLE: &[(&str, &str)] = &[
    ("<!--", HTML),
    ("<!doctype", HTML),
    ("<![cdata[", XML),
    ("<!entity", XML),
    ("<?", XML),
    ("<%", SCRIPT),
    ("#!", SCRIPT),
    ("@echo", SCRIPT),
    ("@rem", SCRIPT),
    ("@setlocal", SCRIPT),
    ("%pdf-", "a PDF document"),
    ("-->", HTML),
    ("[internetshortcut]", "a shortcut"),
    ("[desktop entry]", "a shortcut"),
    ("[autorun]", "a shortcut"),
    ("windows registry editor version", "a registry file"),
    ("regedit4", "a registry file"),
    ("mime-version:", "a saved web page"),
    ("%!", "a PostScript document"),
];

/// Number of bytes that are examined for markup and scripts.
const START_BYTES: usize = 4096;

/// Checks the start of a result that is stored as a file: it must not be markup, a script or another format.
///
/// # Errors
/// [`Refusal::ForeignContent`].
pub fn check_result_content(start: &[u8]) -> Result<(), Refusal> {
    known_format(start).map_or(Ok(()), Err)
}

fn check_content(sample: &[u8], is_utf16: bool) -> Result<(), Refusal> {
    if let Some(refusal) = known_format(sample) {
        return Err(refusal);
    }
    let has_utf16_bom = sample.starts_with(b"\xff\xfe") || sample.starts_with(b"\xfe\xff");
    let found = if is_utf16 || has_utf16_bom { non_text_in_utf16(sample) } else { non_text_in_bytes(sample) };
    match found {
        None => Ok(()),
        Some(found) => {
            Err(match_signature(AMBIGUOUS_SIGNATURES, sample).unwrap_or(Refusal::NotText { found }))
        }
    }
}

fn known_format(sample: &[u8]) -> Option<Refusal> {
    match_signature(SIGNATURES, sample).or_else(|| {
        let (format, advice) = match sample {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A' | b'E', b'V' | b'B', b'E' | b'P', ..] => {
                ("a RIFF image or recording", CONVERT)
            }
            [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => ("an AVI film", CONVERT),
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y', ..] => {
                ("a bzip2 archive", UNPACK)
            }
            [_, _, _, _, b'f', b't', b'y', b'p', ..] if sample.first() == Some(&0) => {
                ("an MP4 film", CONVERT)
            }
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => ("UTF-32 text", "save it as UTF-8"),
            _ => (markup_format(sample)?, CONVERT),
        };
        Some(Refusal::ForeignContent { format, advice })
    })
}

fn match_signature(table: &[(&[u8], &'static str, &'static str)], sample: &[u8]) -> Option<Refusal> {
    let (_, format, advice) = table.iter().find(|(signature, ..)| sample.starts_with(signature))?;
    Some(Refusal::ForeignContent { format, advice })
}

/// Recognizes markup and scripts by their first characters, in UTF-16 and in any encoding that extends ASCII.
fn markup_format(sample: &[u8]) -> Option<&'static str> {
    let text = text_start(sample);
    let starts_with = |start: &str| {
        let rest = text.strip_prefix(start.as_bytes());
        let is_word = start.ends_with(|last: char| last.is_ascii_alphanumeric());
        rest.is_some_and(|rest| {
            !is_word || rest.first().is_none_or(|next| next.is_ascii_whitespace() || b"/>;&".contains(next))
        })
    };
    if let Some((_, format)) = RUNNABLE.iter().find(|(start, _)| starts_with(start)) {
        return Some(format);
    }
    let tag = text.strip_prefix(b"<")?;
    let tag = tag.strip_prefix(b"/").unwrap_or(tag);
    let name_bytes = tag.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (name, rest) = tag.split_at(name_bytes);
    let ends = rest.first().is_none_or(|next| next.is_ascii_whitespace() || b"/>".contains(next));
    let format = match name {
        b"svg" => "an SVG image",
        b"table" => "an HTML table",
        b"xml" => XML,
        _ => HTML,
    };
    // A name before a colon is a prefix of XML, as in `<x:script>`.
    let has_prefix = !name.is_empty() && rest.starts_with(b":");
    let is_known = has_prefix || ends && TAGS.iter().any(|known| known.as_bytes() == name);
    let attributes = &rest[..memchr::memchr(b'>', rest).unwrap_or(rest.len())];
    let runs =
        name_bytes > 0 && (has_handler(attributes) || memmem::find(attributes, b"javascript:").is_some());
    (is_known || runs).then_some(format)
}

/// Returns the first characters of a text in lower case, without byte order marks and blanks before the text. Leaves
/// out NUL bytes, so that UTF-16 becomes ASCII.
fn text_start(sample: &[u8]) -> Vec<u8> {
    let sample = &sample[..sample.len().min(START_BYTES)];
    let marks: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];
    let unmarked = marks.iter().find_map(|mark| sample.strip_prefix(*mark)).unwrap_or(sample);
    let text: Vec<u8> = unmarked.iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    let mut start = text.trim_ascii_start();
    while let Some(rest) = INVISIBLE.iter().find_map(|blank| start.strip_prefix(*blank)) {
        start = rest.trim_ascii_start();
    }
    start.to_vec()
}

/// Characters that show nothing at the start of a text, in UTF-8: the byte order mark and blanks that are not ASCII.
const INVISIBLE: [&[u8]; 8] = [
    b"\xef\xbb\xbf",
    b"\xc2\xa0",
    b"\xe2\x80\x8b",
    b"\xe2\x80\x8e",
    b"\xe2\x80\x8f",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xa9",
    b"\xe2\x81\xa0",
];

/// Whether the attributes of a tag, in lower case, have an event handler such as `onerror=`.
fn has_handler(attributes: &[u8]) -> bool {
    memmem::find_iter(attributes, b"on").any(|at| {
        let before = at.checked_sub(1).and_then(|before| attributes.get(before));
        let starts = before.is_some_and(|byte| byte.is_ascii_whitespace() || b"/\"'".contains(byte));
        let rest = &attributes[at + 2..];
        let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        starts && letters > 0 && rest[letters..].trim_ascii_start().starts_with(b"=")
    })
}

/// Whether text may contain this control character: tab to carriage return, SUB (end of file in DOS), ESC (used by
/// ISO-2022-JP), and the four ASCII separators.
fn is_text_control(unit: u16) -> bool {
    matches!(unit, 0x09..=0x0d | 0x1a..=0x1f)
}

/// Whether the content has too many suspicious characters to be text: more than 3, and more than 1 in 20. This limit is
/// above the few suspicious characters of a damaged text. It is below the rate of random bytes, of which about 1 in 12
/// is suspicious.
fn is_too_many(suspicious: usize, total: usize) -> bool {
    suspicious > 3 && suspicious.saturating_mul(20) > total
}

fn non_text_in_bytes(sample: &[u8]) -> Option<&'static str> {
    if memchr::memchr(0, sample).is_some() {
        return Some("it contains NUL bytes");
    }
    let suspicious = sample.iter().filter(|&&b| b < 0x20 && !is_text_control(u16::from(b))).count();
    is_too_many(suspicious, sample.len()).then_some("it contains many control characters")
}

/// Counts suspicious characters in both byte orders and uses the smaller number, because the label `utf-16` does not
/// name a byte order.
fn non_text_in_utf16(sample: &[u8]) -> Option<&'static str> {
    let (pairs, _) = sample.as_chunks::<2>();
    let suspicious = |decode: fn([u8; 2]) -> u16| {
        let units = pairs.iter().map(|pair| decode(*pair));
        let characters = char::decode_utf16(units);
        characters.filter(|c| c.as_ref().map_or(true, |c| is_suspicious(*c))).count()
    };
    let fewest = suspicious(u16::from_le_bytes).min(suspicious(u16::from_be_bytes));
    is_too_many(fewest, pairs.len()).then_some("it is not valid UTF-16")
}

/// Whether this character is rare in a text that is read in the right byte order: a control character, U+FFFE, U+FFFF,
/// or a character of the private use area.
fn is_suspicious(character: char) -> bool {
    match character {
        '\0'..='\u{1f}' => !is_text_control(character as u16),
        '\u{fffe}' | '\u{ffff}' | '\u{e000}'..='\u{f8ff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
