//! The options of a cut: their names, and their values in a query string and in JSON.

use encoding_rs::Encoding;
use serde_json::{Map, Value, json};

use super::cut_request::{Compress, CutRequest};
use super::error::RequestError;
use crate::csv::encoding::encoding_for_label;
use crate::csv::filter::{OperandReading, parse_list, tree};
use crate::csv::shortened;
use crate::csv::write::options::{Newline, OutputFormat};

const FORMATS: [(&str, OutputFormat); 4] = [
    ("csv", OutputFormat::Csv),
    ("tsv", OutputFormat::Tsv),
    ("json", OutputFormat::Json),
    ("ndjson", OutputFormat::Ndjson),
];
const NEWLINES: [(&str, Newline); 2] = [("lf", Newline::Lf), ("crlf", Newline::Crlf)];
const COMPRESSIONS: [(&str, Compress); 1] = [("gzip", Compress::Gzip)];
/// The words come before the characters, because a recipe writes the first name that a delimiter has in this list.
const DELIMITERS: [(&str, u8); 8] = [
    ("comma", b','),
    ("semicolon", b';'),
    ("tab", b'\t'),
    ("pipe", b'|'),
    (",", b','),
    (";", b';'),
    ("\t", b'\t'),
    ("|", b'|'),
];
const READINGS: [(&str, OperandReading); 1] = [("text", OperandReading::Text)];
const FLAGS: [(&str, bool); 2] = [("true", true), ("false", false)];

/// An option that has the same name in a query string and in a JSON body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutOption {
    Columns,
    Format,
    Limit,
    Offset,
    Header,
    InputHeader,
    Delimiter,
    Encoding,
    Bom,
    Newline,
    Strict,
    SpreadsheetSafe,
    Typed,
    Compress,
    Streaming,
    As,
    Search,
}

const CUT_OPTIONS: [(CutOption, &str); 17] = [
    (CutOption::Columns, "columns"),
    (CutOption::Format, "format"),
    (CutOption::Limit, "limit"),
    (CutOption::Offset, "offset"),
    (CutOption::Header, "header"),
    (CutOption::InputHeader, "inputHeader"),
    (CutOption::Delimiter, "delimiter"),
    (CutOption::Encoding, "encoding"),
    (CutOption::Bom, "bom"),
    (CutOption::Newline, "newline"),
    (CutOption::Strict, "strict"),
    (CutOption::SpreadsheetSafe, "spreadsheetSafe"),
    (CutOption::Typed, "typed"),
    (CutOption::Compress, "compress"),
    (CutOption::Streaming, "streaming"),
    (CutOption::As, "as"),
    (CutOption::Search, "q"),
];

impl CutOption {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        CUT_OPTIONS.iter().find(|(_, known)| *known == name).map(|(option, _)| *option)
    }

    pub(super) fn names() -> Vec<&'static str> {
        CUT_OPTIONS.iter().map(|(_, name)| *name).collect()
    }
}

/// The options that have been read so far.
#[derive(Default)]
pub(super) struct CutOptions {
    pub(super) request: CutRequest,
    /// The text of the option `q`.
    pub(super) search: Option<String>,
    seen: Vec<CutOption>,
}

impl CutOptions {
    /// Sets an option. `name` is the name that the client used.
    ///
    /// # Errors
    /// [`RequestError::RepeatedOption`] if the option was set before, [`RequestError::BadOption`] if the value is
    /// invalid.
    pub(super) fn set(
        &mut self,
        option: CutOption,
        name: &str,
        given: OptionValue<'_>,
    ) -> Result<(), RequestError> {
        if self.seen.contains(&option) {
            return Err(RequestError::RepeatedOption { name: name.to_owned() });
        }
        self.seen.push(option);
        let request = &mut self.request;
        match option {
            CutOption::Columns => request.columns = Some(given.columns(name)?),
            CutOption::Format => request.output.format = given.choice(name, &FORMATS)?,
            CutOption::Limit => request.limit = Some(given.count(name)?),
            CutOption::Offset => request.offset = given.count(name)?,
            CutOption::Header => request.output.header = given.flag(name)?,
            CutOption::InputHeader => request.input.header = given.flag(name)?,
            CutOption::Delimiter => request.input.delimiter = Some(given.choice(name, &DELIMITERS)?),
            CutOption::Encoding => request.input.encoding = Some(given.encoding(name)?),
            CutOption::Bom => request.output.bom = given.flag(name)?,
            CutOption::Newline => request.output.newline = given.choice(name, &NEWLINES)?,
            CutOption::Strict => request.strict = given.flag(name)?,
            CutOption::SpreadsheetSafe => request.output.spreadsheet_safe = given.flag(name)?,
            CutOption::Typed => request.output.typed = given.flag(name)?,
            CutOption::Compress => request.compress = Some(given.choice(name, &COMPRESSIONS)?),
            CutOption::Streaming => request.streaming = given.flag(name)?,
            CutOption::As => request.operands = given.choice(name, &READINGS)?,
            CutOption::Search => self.search = Some(given.text(name)?.to_owned()),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> CutRequest {
        self.request
    }
}

/// Returns the names and values of those options of `request` that differ from their defaults. Leaves out the columns
/// and the filter.
pub(super) fn render(request: &CutRequest) -> Map<String, Value> {
    let default = CutRequest::default();
    let flag = |now: bool, default: bool| (now != default).then(|| json!(now));
    let (input, output) = (&request.input, &request.output);
    let members = [
        ("format", (output.format != default.output.format).then(|| name_of(&FORMATS, output.format))),
        ("limit", request.limit.map(|limit| json!(limit))),
        ("offset", (request.offset != default.offset).then(|| json!(request.offset))),
        ("header", flag(output.header, default.output.header)),
        ("inputHeader", flag(input.header, default.input.header)),
        ("delimiter", input.delimiter.map(|delimiter| name_of(&DELIMITERS, delimiter))),
        ("encoding", input.encoding.map(|encoding| json!(encoding.name()))),
        ("bom", flag(output.bom, default.output.bom)),
        ("newline", (output.newline != default.output.newline).then(|| name_of(&NEWLINES, output.newline))),
        ("strict", flag(request.strict, default.strict)),
        ("spreadsheetSafe", flag(output.spreadsheet_safe, default.output.spreadsheet_safe)),
        ("typed", flag(output.typed, default.output.typed)),
        ("compress", request.compress.map(|compress| name_of(&COMPRESSIONS, compress))),
        ("streaming", flag(request.streaming, default.streaming)),
        ("as", (request.operands != default.operands).then(|| name_of(&READINGS, request.operands))),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn name_of<T: PartialEq>(choices: &[(&'static str, T)], value: T) -> Value {
    choices.iter().find(|(_, choice)| *choice == value).map_or(Value::Null, |(name, _)| json!(name))
}

/// The value of an option, as the client gave it.
#[derive(Clone, Copy)]
pub(super) enum OptionValue<'a> {
    /// From a query string.
    Text(&'a str),
    /// From a JSON body.
    Json(&'a Value),
}

impl<'a> OptionValue<'a> {
    fn reject<T>(self, name: &str, allowed: impl Into<String>) -> Result<T, RequestError> {
        let given = match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Json(value) => value.to_string(),
        };
        let given = shortened(&given);
        Err(RequestError::BadOption { name: name.to_owned(), given, allowed: allowed.into() })
    }

    /// Reads a text. A value from JSON must be a string.
    pub(super) fn text(self, name: &str) -> Result<&'a str, RequestError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Json(Value::String(text)) => Ok(text),
            Self::Json(_) => self.reject(name, "a string"),
        }
    }

    fn flag(self, name: &str) -> Result<bool, RequestError> {
        match self {
            Self::Text(_) => self.choice(name, &FLAGS),
            Self::Json(Value::Bool(flag)) => Ok(*flag),
            Self::Json(_) => self.reject(name, "true or false"),
        }
    }

    fn count(self, name: &str) -> Result<u64, RequestError> {
        let count = match self {
            // Checks for digits, because `parse` also accepts a plus sign.
            Self::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            Self::Text(_) => None,
            Self::Json(value) => value.as_u64(),
        };
        count.map_or_else(|| self.reject(name, "a whole number from 0"), Ok)
    }

    fn choice<T: Copy>(self, name: &str, choices: &[(&str, T)]) -> Result<T, RequestError> {
        let text = match self {
            Self::Text(text) => Some(text),
            Self::Json(value) => value.as_str(),
        };
        match choices.iter().find(|(choice, _)| Some(*choice) == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let words: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
                let words: Vec<&str> = words.into_iter().filter(|word| *word != "\t").collect();
                self.reject(name, words.join(" or "))
            }
        }
    }

    fn encoding(self, name: &str) -> Result<&'static Encoding, RequestError> {
        match encoding_for_label(self.text(name)?) {
            Some(encoding) => Ok(encoding),
            None => self.reject(
                name,
                "the label of an encoding from the WHATWG Encoding Standard, such as utf-8, utf-16le, windows-1252, \
                 iso-8859-2, macintosh, shift_jis or gb18030",
            ),
        }
    }

    /// Reads references to columns: an array of strings, or one CSV record.
    fn columns(self, name: &str) -> Result<Vec<String>, RequestError> {
        let columns = self.list(name)?;
        if columns.is_empty() {
            return self
                .reject(name, "a list of at least one column; leave the option out to get all columns");
        }
        Ok(columns)
    }

    /// Reads a list of texts: an array of strings, or one CSV record.
    pub(super) fn list(self, name: &str) -> Result<Vec<String>, RequestError> {
        match self {
            Self::Text(text) => parse_list(text).or_else(|error| {
                let position = error.position;
                self.reject(
                    name,
                    format!(
                        "one CSV record, but this text has an error at character {position}. {}",
                        error.detail.trim_end_matches('.')
                    ),
                )
            }),
            Self::Json(Value::Array(values)) => {
                let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
                match texts.collect::<Option<Vec<String>>>() {
                    Some(texts) => Ok(texts),
                    None => self.reject(name, "an array of strings"),
                }
            }
            Self::Json(_) => self.reject(name, "an array of strings"),
        }
    }

    /// Reads a JSON object.
    pub(super) fn object(self, name: &str) -> Result<Map<String, Value>, RequestError> {
        match self {
            Self::Json(Value::Object(members)) => Ok(members.clone()),
            Self::Json(other) => self.reject(name, format!("an object, not {}", tree::kind(other))),
            Self::Text(_) => self.reject(name, "an object"),
        }
    }
}
