//! The options of a cut: their names, and their values in a query string and in JSON.

use serde_json::{Map, Value, json};

use super::cut_request::{Compress, CutRequest};
use super::error::RequestError;
use super::input::{self, INPUT_OPTIONS, InputOption, QUOTE_CHARACTER};
use super::value::OptionValue;
use crate::csv::filter::OperandReading;
use crate::csv::write::options::{Newline, OutQuote, OutputFormat, OutputOptions};

const FORMATS: [(&str, OutputFormat); 4] = [
    ("csv", OutputFormat::Csv),
    ("tsv", OutputFormat::Tsv),
    ("json", OutputFormat::Json),
    ("ndjson", OutputFormat::Ndjson),
];
const NEWLINES: [(&str, Newline); 2] = [("lf", Newline::Lf), ("crlf", Newline::Crlf)];
const COMPRESSIONS: [(&str, Compress); 1] = [("gzip", Compress::Gzip)];
const OUT_QUOTES: [(&str, OutQuote); 3] =
    [("minimal", OutQuote::Minimal), ("all", OutQuote::All), ("none", OutQuote::None)];
const READINGS: [(&str, OperandReading); 1] = [("text", OperandReading::Text)];

/// An option that has the same name in a query string and in a JSON body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutOption {
    Columns,
    Format,
    Limit,
    Offset,
    Header,
    Bom,
    Newline,
    OutDelimiter,
    OutQuote,
    Strict,
    SpreadsheetSafe,
    Typed,
    Compress,
    Streaming,
    As,
    Filter,
    Search,
    Input(InputOption),
}

const CUT_OPTIONS: [(CutOption, &str); 17] = [
    (CutOption::Columns, "columns"),
    (CutOption::Format, "format"),
    (CutOption::Limit, "limit"),
    (CutOption::Offset, "offset"),
    (CutOption::Header, "header"),
    (CutOption::Bom, "bom"),
    (CutOption::Newline, "newline"),
    (CutOption::OutDelimiter, "outDelimiter"),
    (CutOption::OutQuote, "outQuote"),
    (CutOption::Strict, "strict"),
    (CutOption::SpreadsheetSafe, "spreadsheetSafe"),
    (CutOption::Typed, "typed"),
    (CutOption::Compress, "compress"),
    (CutOption::Streaming, "streaming"),
    (CutOption::As, "as"),
    (CutOption::Filter, "filter"),
    (CutOption::Search, "q"),
];

impl CutOption {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let own = CUT_OPTIONS.iter().find(|(_, known)| *known == name).map(|(option, _)| *option);
        let input = || {
            let name = if name == QUOTE_CHARACTER { "quote" } else { name };
            INPUT_OPTIONS.iter().find(|(_, known)| *known == name)
        };
        own.or_else(|| input().map(|(option, _)| Self::Input(*option)))
    }

    pub(super) fn names() -> Vec<&'static str> {
        let input = INPUT_OPTIONS.iter().map(|(_, name)| *name);
        CUT_OPTIONS.iter().map(|(_, name)| *name).chain(input).collect()
    }

    /// Whether the option has its documented default in this request. Some generated clients send all defaults.
    fn has_default_value(self, request: &CutRequest) -> bool {
        let (output, default) = (&request.output, OutputOptions::default());
        match self {
            Self::Header => output.header == default.header,
            Self::Bom => output.bom == default.bom,
            Self::Newline => output.newline == default.newline,
            Self::OutQuote => output.quote == default.quote,
            Self::SpreadsheetSafe => output.spreadsheet_safe == default.spreadsheet_safe,
            Self::Typed => output.typed == default.typed,
            _ => false,
        }
    }

    /// Whether the option changes something in a result of this format.
    fn has_effect_in(self, format: OutputFormat) -> bool {
        let is_json = matches!(format, OutputFormat::Json | OutputFormat::Ndjson);
        match self {
            Self::Header | Self::Bom | Self::Newline | Self::OutQuote | Self::SpreadsheetSafe => !is_json,
            Self::OutDelimiter => format == OutputFormat::Csv,
            Self::Typed => is_json,
            _ => true,
        }
    }
}

/// The options that have been read so far.
#[derive(Default)]
pub(super) struct CutOptions {
    pub(super) request: CutRequest,
    /// The text of the option `filter` in a query.
    pub(super) filter: Option<String>,
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
            CutOption::Bom => request.output.bom = given.flag(name)?,
            CutOption::Newline => request.output.newline = given.choice(name, &NEWLINES)?,
            CutOption::Strict => request.strict = given.flag(name)?,
            CutOption::SpreadsheetSafe => request.output.spreadsheet_safe = given.flag(name)?,
            CutOption::Typed => request.output.typed = given.flag(name)?,
            CutOption::Compress => request.compress = Some(given.choice(name, &COMPRESSIONS)?),
            CutOption::Streaming => request.streaming = given.flag(name)?,
            CutOption::OutDelimiter => request.output.delimiter = Some(out_delimiter(name, given)?),
            CutOption::OutQuote => request.output.quote = given.choice(name, &OUT_QUOTES)?,
            CutOption::Input(option) => option.set(name, given, &mut request.input)?,
            CutOption::As => request.operands = given.choice(name, &READINGS)?,
            CutOption::Filter => self.filter = Some(given.text(name)?.to_owned()),
            CutOption::Search => self.search = Some(given.text(name)?.to_owned()),
        }
        Ok(())
    }

    /// Ends the options.
    ///
    /// # Errors
    /// [`RequestError::NoEffect`] if an option changes nothing in a result of the requested format.
    pub(super) fn finish(self) -> Result<CutRequest, RequestError> {
        self.request.input.check_consistent()?;
        let format = self.request.output.format;
        let is_dropped =
            |option: &&CutOption| !option.has_effect_in(format) && !option.has_default_value(&self.request);
        match self.seen.iter().find(is_dropped) {
            Some(option) => Err(RequestError::NoEffect {
                name: CUT_OPTIONS.iter().find(|(known, _)| known == option).map_or("", |(_, name)| *name),
                format: FORMATS.iter().find(|(_, known)| *known == format).map_or("", |(name, _)| *name),
            }),
            None => Ok(self.request),
        }
    }
}

/// Returns the names and values of those options of `request` that differ from their defaults. Leaves out the columns
/// and the filter.
pub(super) fn render(request: &CutRequest) -> Map<String, Value> {
    let default = CutRequest::default();
    let flag = |now: bool, default: bool| (now != default).then(|| json!(now));
    let output = &request.output;
    let members = [
        ("format", (output.format != default.output.format).then(|| name_of(&FORMATS, output.format))),
        ("limit", request.limit.map(|limit| json!(limit))),
        ("offset", (request.offset != default.offset).then(|| json!(request.offset))),
        ("header", flag(output.header, default.output.header)),
        ("bom", flag(output.bom, default.output.bom)),
        ("newline", (output.newline != default.output.newline).then(|| name_of(&NEWLINES, output.newline))),
        ("outDelimiter", output.delimiter.map(|byte| json!(char::from(byte)))),
        ("outQuote", (output.quote != default.output.quote).then(|| name_of(&OUT_QUOTES, output.quote))),
        ("strict", flag(request.strict, default.strict)),
        ("spreadsheetSafe", flag(output.spreadsheet_safe, default.output.spreadsheet_safe)),
        ("typed", flag(output.typed, default.output.typed)),
        ("compress", request.compress.map(|compress| name_of(&COMPRESSIONS, compress))),
        ("streaming", flag(request.streaming, default.streaming)),
        ("as", (request.operands != default.operands).then(|| name_of(&READINGS, request.operands))),
    ];
    let own = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    own.chain(input::render(&request.input)).collect()
}

fn name_of<T: PartialEq>(choices: &[(&'static str, T)], value: T) -> Value {
    choices.iter().find(|(_, choice)| *choice == value).map_or(Value::Null, |(name, _)| json!(name))
}

/// Reads the delimiter of the output: a word, or one ASCII character.
fn out_delimiter(name: &str, given: OptionValue<'_>) -> Result<u8, RequestError> {
    const WORDS: [(&str, u8); 4] = [("comma", b','), ("semicolon", b';'), ("tab", b'\t'), ("pipe", b'|')];
    let text = given.text(name)?;
    match (WORDS.iter().find(|(word, _)| *word == text), text.as_bytes()) {
        (Some((_, byte)), _) => Ok(*byte),
        (None, &[byte]) if byte == b'\t' || (byte.is_ascii_punctuation() && byte != b'"') => Ok(byte),
        _ => given.reject(
            name,
            "comma, semicolon, tab, pipe, or one ASCII punctuation character other than a quote",
        ),
    }
}
