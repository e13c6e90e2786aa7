//! The options of a cut: their names, and their values in text and in JSON.

use encoding_rs::Encoding;
use serde_json::{Map, Value, json};

use super::asked::{Compress, CutRequest};
use super::error::RequestError;
use crate::csv::encoding::encoding_for_label;
use crate::csv::filter::{parse_list, tree};
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
/// The names come first: errors show, and recipes use, the first name of a value.
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
const FLAGS: [(&str, bool); 2] = [("true", true), ("false", false)];

/// An option that both the query and the JSON form know by this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
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
}

const SETTINGS: [(Setting, &str); 15] = [
    (Setting::Columns, "columns"),
    (Setting::Format, "format"),
    (Setting::Limit, "limit"),
    (Setting::Offset, "offset"),
    (Setting::Header, "header"),
    (Setting::InputHeader, "inputHeader"),
    (Setting::Delimiter, "delimiter"),
    (Setting::Encoding, "encoding"),
    (Setting::Bom, "bom"),
    (Setting::Newline, "newline"),
    (Setting::Strict, "strict"),
    (Setting::SpreadsheetSafe, "spreadsheetSafe"),
    (Setting::Typed, "typed"),
    (Setting::Compress, "compress"),
    (Setting::Streaming, "streaming"),
];

impl Setting {
    pub(super) fn named(name: &str) -> Option<Self> {
        SETTINGS.iter().find(|(_, known)| *known == name).map(|(setting, _)| *setting)
    }

    pub(super) fn names() -> Vec<&'static str> {
        SETTINGS.iter().map(|(_, name)| *name).collect()
    }
}

/// A request as its options arrive.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) request: CutRequest,
    seen: Vec<Setting>,
}

impl Settings {
    /// Sets an option that the client called `name`.
    pub(super) fn set(&mut self, setting: Setting, name: &str, given: Given<'_>) -> Result<(), RequestError> {
        if self.seen.contains(&setting) {
            return Err(RequestError::RepeatedOption { name: name.to_owned() });
        }
        self.seen.push(setting);
        let request = &mut self.request;
        match setting {
            Setting::Columns => request.columns = Some(given.columns(name)?),
            Setting::Format => request.output.format = given.choice(name, &FORMATS)?,
            Setting::Limit => request.limit = Some(given.count(name)?),
            Setting::Offset => request.offset = given.count(name)?,
            Setting::Header => request.output.header = given.flag(name)?,
            Setting::InputHeader => request.input.header = given.flag(name)?,
            Setting::Delimiter => request.input.delimiter = Some(given.choice(name, &DELIMITERS)?),
            Setting::Encoding => request.input.encoding = Some(given.encoding(name)?),
            Setting::Bom => request.output.bom = given.flag(name)?,
            Setting::Newline => request.output.newline = given.choice(name, &NEWLINES)?,
            Setting::Strict => request.strict = given.flag(name)?,
            Setting::SpreadsheetSafe => request.output.spreadsheet_safe = given.flag(name)?,
            Setting::Typed => request.output.typed = given.flag(name)?,
            Setting::Compress => request.compress = Some(given.choice(name, &COMPRESSIONS)?),
            Setting::Streaming => request.streaming = given.flag(name)?,
        }
        Ok(())
    }

    pub(super) fn finish(self) -> CutRequest {
        self.request
    }
}

/// The options of `request` that are not at their defaults, by name; columns and filter apart.
pub(super) fn render(request: &CutRequest) -> Map<String, Value> {
    let usual = CutRequest::default();
    let flag = |now: bool, usual: bool| (now != usual).then(|| json!(now));
    let (input, output) = (&request.input, &request.output);
    let members = [
        ("format", (output.format != usual.output.format).then(|| name_of(&FORMATS, output.format))),
        ("limit", request.limit.map(|limit| json!(limit))),
        ("offset", (request.offset != usual.offset).then(|| json!(request.offset))),
        ("header", flag(output.header, usual.output.header)),
        ("inputHeader", flag(input.header, usual.input.header)),
        ("delimiter", input.delimiter.map(|delimiter| name_of(&DELIMITERS, delimiter))),
        ("encoding", input.encoding.map(|encoding| json!(encoding.name()))),
        ("bom", flag(output.bom, usual.output.bom)),
        ("newline", (output.newline != usual.output.newline).then(|| name_of(&NEWLINES, output.newline))),
        ("strict", flag(request.strict, usual.strict)),
        ("spreadsheetSafe", flag(output.spreadsheet_safe, usual.output.spreadsheet_safe)),
        ("typed", flag(output.typed, usual.output.typed)),
        ("compress", request.compress.map(|compress| name_of(&COMPRESSIONS, compress))),
        ("streaming", flag(request.streaming, usual.streaming)),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn name_of<T: PartialEq>(choices: &[(&'static str, T)], value: T) -> Value {
    choices.iter().find(|(_, choice)| *choice == value).map_or(Value::Null, |(name, _)| json!(name))
}

/// The value of an option as the client gave it.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// In a query string.
    Text(&'a str),
    /// In a JSON body.
    Json(&'a Value),
}

impl<'a> Given<'a> {
    fn refuse<T>(self, name: &str, allowed: impl Into<String>) -> Result<T, RequestError> {
        let given = match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Json(value) => value.to_string(),
        };
        let given = shortened(&given);
        Err(RequestError::BadOption { name: name.to_owned(), given, allowed: allowed.into() })
    }

    /// Text, which JSON writes as a string.
    pub(super) fn text(self, name: &str) -> Result<&'a str, RequestError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Json(Value::String(text)) => Ok(text),
            Self::Json(_) => self.refuse(name, "a string"),
        }
    }

    fn flag(self, name: &str) -> Result<bool, RequestError> {
        match self {
            Self::Text(_) => self.choice(name, &FLAGS),
            Self::Json(Value::Bool(flag)) => Ok(*flag),
            Self::Json(_) => self.refuse(name, "true or false"),
        }
    }

    fn count(self, name: &str) -> Result<u64, RequestError> {
        let count = match self {
            // Digits alone: `parse` would also take a plus sign.
            Self::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            Self::Text(_) => None,
            Self::Json(value) => value.as_u64(),
        };
        count.map_or_else(|| self.refuse(name, "a whole number from 0"), Ok)
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
                self.refuse(name, words.join(" or "))
            }
        }
    }

    fn encoding(self, name: &str) -> Result<&'static Encoding, RequestError> {
        match encoding_for_label(self.text(name)?) {
            Some(encoding) => Ok(encoding),
            None => self.refuse(
                name,
                "an encoding's label from the WHATWG Encoding Standard, such as utf-8, utf-16le, windows-1252, \
                 iso-8859-2, macintosh, shift_jis or gb18030",
            ),
        }
    }

    /// References to columns: an array of strings, or one CSV record.
    fn columns(self, name: &str) -> Result<Vec<String>, RequestError> {
        let columns = self.list(name)?;
        if columns.is_empty() {
            return self.refuse(name, "at least one column; leave it out to get all of them");
        }
        Ok(columns)
    }

    /// Texts: an array of strings, or one CSV record.
    pub(super) fn list(self, name: &str) -> Result<Vec<String>, RequestError> {
        match self {
            Self::Text(text) => parse_list(text).or_else(|fault| {
                let place = fault.position;
                self.refuse(
                    name,
                    format!(
                        "one CSV record, which breaks at character {place}. {}",
                        fault.detail.trim_end_matches('.')
                    ),
                )
            }),
            Self::Json(Value::Array(values)) => {
                let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
                match texts.collect::<Option<Vec<String>>>() {
                    Some(texts) => Ok(texts),
                    None => self.refuse(name, "an array of strings"),
                }
            }
            Self::Json(_) => self.refuse(name, "an array of strings"),
        }
    }

    /// A JSON object.
    pub(super) fn object(self, name: &str) -> Result<Map<String, Value>, RequestError> {
        match self {
            Self::Json(Value::Object(members)) => Ok(members.clone()),
            Self::Json(other) => self.refuse(name, format!("an object, not {}", tree::kind(other))),
            Self::Text(_) => self.refuse(name, "an object"),
        }
    }
}
