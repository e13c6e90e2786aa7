//! The options that say how a file is read: their names, and their values in a query string and in JSON.
//!
//! A request for a cut, a page or the columns may have these options. The owner of a file can also store them with the
//! file (the member `dialect` of `PATCH /api/files/{id}`). Then all readers use them, and a request may overrule them.

use serde_json::{Map, Value, json};

use super::error::RequestError;
use super::value::OptionValue;
use crate::csv::dialect::{Delimiter, Escape, MAX_SKIP_FOOTER, Quote, Ragged, RepeatedHeaders, Trim};
use crate::csv::open::options::InputOptions;

/// Maximum of `skipRows`, in lines.
pub const MAX_SKIP_ROWS: u32 = 10_000;
/// Maximum number of `nullValues`.
pub const MAX_NULL_VALUES: usize = 20;
/// Maximum length of one of the `nullValues`, in bytes of UTF-8.
pub const MAX_NULL_VALUE_BYTES: usize = 64;

/// The words come before the characters, because a recipe writes the first name that a delimiter has in this list.
const DELIMITERS: [(&str, &str); 4] = [("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("pipe", "|")];
/// Another name of the option `quote` in a query. The API description uses this name for parameters: the clients that
/// openapi-python-client generates do not work if a parameter is called `quote`.
pub const QUOTE_CHARACTER: &str = "quoteCharacter";

/// The word for "nothing".
const NONE: &str = "none";

/// Whether an option with this name says how a file is read.
pub fn is_input_option(name: &str) -> bool {
    INPUT_OPTIONS.iter().any(|(_, known)| *known == name)
}

/// An option that says how a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputOption {
    Header,
    Delimiter,
    Encoding,
    Quote,
    Escape,
    SkipRows,
    SkipFooter,
    Comment,
    Trim,
    NullValues,
    Ragged,
    RepeatedHeaders,
}

pub(super) const INPUT_OPTIONS: [(InputOption, &str); 12] = [
    (InputOption::Header, "inputHeader"),
    (InputOption::Delimiter, "delimiter"),
    (InputOption::Encoding, "encoding"),
    (InputOption::Quote, "quote"),
    (InputOption::Escape, "escape"),
    (InputOption::SkipRows, "skipRows"),
    (InputOption::SkipFooter, "skipFooter"),
    (InputOption::Comment, "comment"),
    (InputOption::Trim, "trim"),
    (InputOption::NullValues, "nullValues"),
    (InputOption::Ragged, "ragged"),
    (InputOption::RepeatedHeaders, "repeatedHeaders"),
];

impl InputOption {
    /// Sets the option in `input`. `name` is the name that the client used.
    ///
    /// # Errors
    /// [`RequestError::BadOption`] if the value is invalid.
    pub(super) fn set(
        self,
        name: &str,
        given: OptionValue<'_>,
        input: &mut InputOptions,
    ) -> Result<(), RequestError> {
        match self {
            Self::Header => input.header = Some(given.flag(name)?),
            Self::Delimiter => input.delimiter = Some(delimiter(name, given)?),
            Self::Encoding => input.encoding = Some(given.encoding(name)?),
            Self::Quote => {
                let quotes = [
                    (Quote::Double.name(), Quote::Double),
                    (Quote::Single.name(), Quote::Single),
                    (Quote::None.name(), Quote::None),
                ];
                input.quote = Some(given.choice(name, &quotes)?);
            }
            Self::Escape => {
                input.escape = Some(given.choice(name, &Escape::ALL.map(|escape| (escape.name(), escape)))?);
            }
            Self::SkipRows => input.skip_rows = Some(small(name, given, MAX_SKIP_ROWS)?),
            Self::SkipFooter => input.skip_footer = Some(small(name, given, MAX_SKIP_FOOTER)?),
            Self::Comment => input.comment = Some(comment(name, given)?),
            Self::Trim => {
                input.trim = Some(given.choice(name, &Trim::ALL.map(|trim| (trim.name(), trim)))?);
            }
            Self::NullValues => input.null_values = Some(null_values(name, given)?.into()),
            Self::Ragged => {
                input.ragged = Some(given.choice(name, &Ragged::ALL.map(|ragged| (ragged.name(), ragged)))?);
            }
            Self::RepeatedHeaders => {
                let known = RepeatedHeaders::ALL.map(|headers| (headers.name(), headers));
                input.repeated_headers = Some(given.choice(name, &known)?);
            }
        }
        Ok(())
    }
}

/// Returns the names and values of the options that are set.
pub(super) fn render(input: &InputOptions) -> Map<String, Value> {
    let value = |option: InputOption| match option {
        InputOption::Header => input.header.map(|header| json!(header)),
        InputOption::Delimiter => input.delimiter.map(|delimiter| json!(delimiter_name(delimiter))),
        InputOption::Encoding => input.encoding.map(|encoding| json!(encoding.name())),
        InputOption::Quote => input.quote.map(|quote| json!(quote.name())),
        InputOption::Escape => input.escape.map(|escape| json!(escape.name())),
        InputOption::SkipRows => input.skip_rows.map(|rows| json!(rows)),
        InputOption::SkipFooter => input.skip_footer.map(|rows| json!(rows)),
        InputOption::Comment => input.comment.map(|comment| match comment {
            Some(byte) => json!(char::from(byte)),
            None => json!(NONE),
        }),
        InputOption::Trim => input.trim.map(|trim| json!(trim.name())),
        InputOption::NullValues => input.null_values.as_deref().map(|values| json!(values)),
        InputOption::Ragged => input.ragged.map(|ragged| json!(ragged.name())),
        InputOption::RepeatedHeaders => input.repeated_headers.map(|headers| json!(headers.name())),
    };
    INPUT_OPTIONS.iter().filter_map(|&(option, name)| Some((name.to_owned(), value(option)?))).collect()
}

impl InputOptions {
    /// Parses the options from a JSON object. A known member that is `null` counts as absent. `headerRow` is another name
    /// of `inputHeader`, because a profile shows the option under this name.
    ///
    /// # Errors
    /// [`RequestError`] for the first invalid member.
    pub fn from_json(value: &Value) -> Result<Self, RequestError> {
        let members = OptionValue::Json(value).object("dialect")?;
        let mut input = Self::DETECT;
        let mut seen = Vec::new();
        for (name, value) in &members {
            let known = if name == "headerRow" { "inputHeader" } else { name };
            let Some(&(option, known)) = INPUT_OPTIONS.iter().find(|(_, option)| *option == known) else {
                let known = INPUT_OPTIONS.iter().map(|(_, name)| *name).collect();
                return Err(RequestError::unknown_option(name, known, false));
            };
            if value.is_null() {
                continue;
            }
            if seen.contains(&known) {
                return Err(RequestError::RepeatedOption { name: name.clone() });
            }
            seen.push(known);
            option.set(name, OptionValue::Json(value), &mut input)?;
        }
        input.check_consistent()?;
        Ok(input)
    }

    /// Checks that no character has two meanings.
    ///
    /// # Errors
    /// [`RequestError::BadOption`] if a character of the delimiter is also the quote, the escape or the start of
    /// comments, or if the start of comments is also the escape.
    pub(super) fn check_consistent(&self) -> Result<(), RequestError> {
        let quote = self.quote.and_then(Quote::byte).map(|quote| (quote, "quote"));
        let escape = self.escape.filter(|&escape| escape == Escape::Backslash).map(|_| (b'\\', "escape"));
        let comment = self.comment.flatten().map(|comment| (comment, "comment"));
        let delimiter = self.delimiter.as_ref().map_or(&[][..], Delimiter::as_bytes);
        let in_delimiter = [quote, escape, comment].into_iter().flatten();
        let clash = in_delimiter
            .filter(|(byte, _)| delimiter.contains(byte))
            .map(|(byte, other)| (byte, "delimiter", other));
        let with_comment = escape.filter(|(byte, _)| self.comment == Some(Some(*byte)));
        let clash = clash.chain(with_comment.map(|(byte, other)| (byte, "comment", other))).next();
        match clash {
            None => Ok(()),
            Some((byte, name, other)) => Err(RequestError::BadOption {
                name: name.to_owned(),
                given: format!("{:?}", char::from(byte)),
                allowed: format!("another character than the {other}"),
            }),
        }
    }

    /// Renders the options that are set. [`InputOptions::from_json`] parses this JSON.
    pub fn to_json(&self) -> Value {
        Value::Object(render(self))
    }
}

fn delimiter(name: &str, given: OptionValue<'_>) -> Result<Delimiter, RequestError> {
    let text = given.text(name)?;
    if text == NONE {
        return Ok(Delimiter::NONE);
    }
    let known = DELIMITERS.iter().find(|(word, _)| *word == text).map_or(text, |(_, text)| text);
    match Delimiter::new(known) {
        Some(delimiter) => Ok(delimiter),
        None => given.reject(
            name,
            "comma, semicolon, tab, pipe, none, or a text of one to four bytes without quotes and line breaks",
        ),
    }
}

/// Returns the name of a delimiter in recipes.
fn delimiter_name(delimiter: Delimiter) -> String {
    match delimiter.as_str() {
        "" => NONE.to_owned(),
        text => DELIMITERS.iter().find(|(_, known)| *known == text).map_or(text, |(word, _)| word).to_owned(),
    }
}

fn small(name: &str, given: OptionValue<'_>, max: u32) -> Result<u32, RequestError> {
    let allowed = || format!("a whole number from 0 to {max}");
    match given.count(name).ok().and_then(|count| u32::try_from(count).ok()).filter(|&count| count <= max) {
        Some(count) => Ok(count),
        None => given.reject(name, allowed()),
    }
}

fn comment(name: &str, given: OptionValue<'_>) -> Result<Option<u8>, RequestError> {
    match given.text(name)?.as_bytes() {
        b"none" => Ok(None),
        &[byte] if byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'\'' | b',') => Ok(Some(byte)),
        _ => given.reject(
            name,
            "none, or one ASCII punctuation character other than a quote and a comma, such as #",
        ),
    }
}

fn null_values(name: &str, given: OptionValue<'_>) -> Result<Vec<String>, RequestError> {
    let values = given.list(name)?;
    let is_short = values.iter().all(|value| value.len() <= MAX_NULL_VALUE_BYTES);
    if is_short && values.len() <= MAX_NULL_VALUES {
        return Ok(values);
    }
    given.reject(
        name,
        format!("a list of at most {MAX_NULL_VALUES} values of at most {MAX_NULL_VALUE_BYTES} bytes each"),
    )
}
