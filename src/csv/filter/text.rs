//! The text form of a whole filter.
//!
//! ```text
//! filter    = and { "OR" and }
//! and       = not { "AND" not }
//! not       = { "NOT" } ( "(" filter ")" | "(" ")" | condition )
//! condition = name sign value                                  age >= 30
//!           | name [ "NOT" ] word value                        city NOT CONTAINS x
//!           | name [ "NOT" ] word "(" value { "," value } ")"  city IN (Bern, 'La Chaux-de-Fonds')
//!           | name [ "NOT" ] word value "AND" value            age BETWEEN 30 AND 40
//!           | name [ "NOT" ] word                              email ISEMPTY
//!           | name "IS" [ "NOT" ] ( "EMPTY" | "NULL" )         email IS NOT EMPTY
//!           | "*" [ "NOT" ] "CONTAINS" value                   * CONTAINS bern
//! name      = '"' … '"' | "'" … "'" | bare text
//! value     = "'" … "'" | '"' … '"' | bare text
//! ```
//!
//! The table in `operator.rs` declares the signs. The name of each operator is its word. Words are case-insensitive.
//! Inside quotes, a quote of the same kind is doubled. A bare text ends at a blank, a parenthesis or a comma, and has no
//! quotes; a bare name also ends at a sign. `AND`, `OR` and `NOT` are not bare texts, and a bare value does not begin
//! with a sign. `()` matches every row; a blank text is no filter. `* CONTAINS text` keeps the rows in which at least one
//! column contains the text.
//!
//! [`render()`] writes a filter in this form. [`parse`] reads this text back as the same filter. The only difference is
//! that a list with one part becomes this part.

use super::lexer::{Lexer, begins_sign};
use super::{Arity, Filter, FilterError, FilterLocation, MAX_CONDITIONS, MAX_DEPTH, Operator};
use crate::csv::shortened;

mod render;

pub use render::render;
use render::{ANY, JOINS};

/// A filter, and the places of the names of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedText {
    /// The filter; `None` if the text is blank.
    pub filter: Option<Filter>,
    /// The names in the order in which they stand in the text.
    pub names: Vec<NamePlace>,
}

/// A name of a column in the text of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePlace {
    /// The name, without quotes.
    pub name: String,
    /// Position of its first character, from 0.
    pub position: usize,
    /// Number of its characters, with its quotes.
    pub length: usize,
}

/// A syntax error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    /// Position in characters from 0.
    pub position: usize,
    /// What may stand at the position.
    pub expected: Vec<NextPart>,
    /// One or more sentences: what is wrong and what to do next.
    pub detail: String,
}

/// What may stand at a position of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPart {
    /// The name of a column.
    Name,
    /// An operator.
    Operator,
    /// A value.
    Value,
    /// `AND`.
    And,
    /// `OR`.
    Or,
    /// `(`.
    Opening,
    /// `)`.
    Closing,
    /// `,`.
    Comma,
    /// The end of the text.
    End,
    /// `CONTAINS`.
    Contains,
    /// `EMPTY`.
    Empty,
    /// Fewer conditions or levels.
    Less,
}

impl NextPart {
    /// Returns the name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "column",
            Self::Operator => "operator",
            Self::Value => "value",
            Self::And => "AND",
            Self::Or => "OR",
            Self::Opening => "(",
            Self::Closing => ")",
            Self::Comma => ",",
            Self::End => "end",
            Self::Contains => "CONTAINS",
            Self::Empty => "EMPTY",
            Self::Less => "less",
        }
    }
}

/// Parses a text.
///
/// # Errors
/// [`TextError`] for the first syntax error.
pub fn parse(text: &str) -> Result<ParsedText, TextError> {
    let lexer = Lexer::new(text);
    let mut parser =
        TextParser { lexer, levels_left: MAX_DEPTH, conditions_left: MAX_CONDITIONS, names: Vec::new() };
    parser.lexer.skip_blanks();
    let filter = if parser.lexer.is_at_end() { Ok(None) } else { parser.whole().map(Some) };
    match filter {
        Ok(filter) => Ok(ParsedText { filter, names: parser.names }),
        Err(Fault { at, expected, detail }) => Err(TextError {
            position: parser.lexer.characters_before(at),
            expected: expected.to_vec(),
            detail,
        }),
    }
}

/// Parses a text that stands at `place` in a request.
///
/// # Errors
/// [`FilterError`] with this place.
pub(super) fn parse_at(place: FilterLocation, text: &str) -> Result<Option<Filter>, FilterError> {
    let failed =
        |error: TextError| FilterError { place, position: Some(error.position), detail: error.detail };
    parse(text).map(|parsed| parsed.filter).map_err(failed)
}

/// A syntax error whose position is in bytes.
struct Fault {
    at: usize,
    expected: &'static [NextPart],
    detail: String,
}

struct TextParser<'a> {
    lexer: Lexer<'a>,
    levels_left: usize,
    conditions_left: usize,
    names: Vec<NamePlace>,
}

impl<'a> TextParser<'a> {
    fn whole(&mut self) -> Result<Filter, Fault> {
        let filter = self.any_of()?;
        if self.lexer.is_at_end() {
            return Ok(filter);
        }
        self.fail(
            &[NextPart::And, NextPart::Or, NextPart::End],
            "Write AND, OR or the end of the filter here. Put a value with blanks, commas, parentheses or quotes in \
             quotes: city = 'New York'.",
        )
    }

    /// Parses filters that `OR` joins.
    fn any_of(&mut self) -> Result<Filter, Fault> {
        let mut parts = vec![self.all_of()?];
        while self.word("OR") {
            parts.push(self.all_of()?);
        }
        Ok(joined(parts, Filter::Or))
    }

    /// Parses filters that `AND` joins.
    fn all_of(&mut self) -> Result<Filter, Fault> {
        let mut parts = vec![self.part()?];
        while self.word("AND") {
            parts.push(self.part()?);
        }
        Ok(joined(parts, Filter::And))
    }

    fn part(&mut self) -> Result<Filter, Fault> {
        let mut is_negated = false;
        while self.word("NOT") {
            is_negated = !is_negated;
        }
        let part = if self.lexer.mark('(') { self.group()? } else { self.condition()? };
        Ok(if is_negated { part.complement() } else { part })
    }

    /// Parses the text after an opening parenthesis.
    fn group(&mut self) -> Result<Filter, Fault> {
        if self.lexer.mark(')') {
            return Ok(Filter::And(Vec::new()));
        }
        let Some(levels_left) = self.levels_left.checked_sub(1) else {
            return self.fail(
                &[NextPart::Less],
                format!("The filter has more than {MAX_DEPTH} levels; use at most {MAX_DEPTH}."),
            );
        };
        self.levels_left = levels_left;
        let filter = self.any_of()?;
        if !self.lexer.mark(')') {
            return self.fail(
                &[NextPart::And, NextPart::Or, NextPart::Closing],
                "Write AND, OR or a closing parenthesis here. Put a value with blanks in quotes: city = 'New York'.",
            );
        }
        self.levels_left += 1;
        Ok(filter)
    }

    fn condition(&mut self) -> Result<Filter, Fault> {
        let Some(left) = self.conditions_left.checked_sub(1) else {
            return self.fail(
                &[NextPart::Less],
                format!(
                    "The filter has more than {MAX_CONDITIONS} conditions; use at most {MAX_CONDITIONS}. One IN \
                     condition can have many values."
                ),
            );
        };
        self.conditions_left = left;
        if self.is_any() {
            return self.any_contains();
        }
        let name = self.name()?;
        if let Some(operator) = self.lexer.sign() {
            return self.operands(&name, operator);
        }
        if self.word("IS") {
            return self.state(&name);
        }
        let is_negated = self.word("NOT");
        let Some(operator) = self.operator_word() else {
            return self.fail(
                &[NextPart::Operator],
                format!(
                    "Write an operator after the column {:?}. The signs are {}; the words are {}. Put a name with \
                     blanks in double quotes.",
                    shortened(&name),
                    Operator::sign_names(),
                    Operator::names()
                ),
            );
        };
        let filter = self.operands(&name, operator)?;
        Ok(if is_negated { filter.complement() } else { filter })
    }

    /// Whether the condition at the current position is about any column.
    fn is_any(&self) -> bool {
        let after = self.lexer.rest().strip_prefix(ANY);
        after.is_some_and(|after| after.is_empty() || after.starts_with(char::is_whitespace))
    }

    fn any_contains(&mut self) -> Result<Filter, Fault> {
        self.lexer.skip(ANY.len_utf8());
        let is_negated = self.word("NOT");
        if !self.word("CONTAINS") {
            return self.fail(
                &[NextPart::Contains],
                "Write CONTAINS and a text after *, which stands for any column: * CONTAINS bern.",
            );
        }
        let start = self.lexer.at;
        let filter =
            Filter::any_contains(self.value()?).map_err(|detail| fault(start, &[NextPart::Value], detail))?;
        Ok(if is_negated { filter.complement() } else { filter })
    }

    /// Parses the text after `IS`.
    fn state(&mut self, name: &str) -> Result<Filter, Fault> {
        let is_negated = self.word("NOT");
        if !self.word("EMPTY") && !self.word("NULL") {
            return self.fail(&[NextPart::Empty], "After IS, write EMPTY or NOT EMPTY.");
        }
        let filter = self.built(name, Operator::IsEmpty, self.lexer.at, Vec::new())?;
        Ok(if is_negated { filter.complement() } else { filter })
    }

    fn operands(&mut self, name: &str, operator: Operator) -> Result<Filter, Fault> {
        let start = self.lexer.at;
        let values = match operator.arity() {
            Arity::None => Vec::new(),
            Arity::One => vec![self.value()?],
            Arity::Two => {
                let low = self.value()?;
                if !self.word("AND") {
                    let word = operator.name().to_uppercase();
                    return self
                        .fail(&[NextPart::And], format!("{word} takes two values: {word} 30 AND 40."));
                }
                vec![low, self.value()?]
            }
            Arity::Many => self.list(operator)?,
        };
        self.built(name, operator, start, values)
    }

    fn list(&mut self, operator: Operator) -> Result<Vec<String>, Fault> {
        if !self.lexer.mark('(') {
            let word = operator.name().to_uppercase();
            return self.fail(
                &[NextPart::Opening],
                format!("{word} takes a list in parentheses: {word} (Bern, 'New York')."),
            );
        }
        let mut values = vec![self.value()?];
        while self.lexer.mark(',') {
            values.push(self.value()?);
        }
        if !self.lexer.mark(')') {
            return self.fail(
                &[NextPart::Comma, NextPart::Closing],
                "Write a comma or a closing parenthesis here. Put a value with blanks in quotes.",
            );
        }
        Ok(values)
    }

    fn built(
        &self,
        name: &str,
        operator: Operator,
        start: usize,
        values: Vec<String>,
    ) -> Result<Filter, Fault> {
        Filter::condition(name, operator, values).map_err(|detail| fault(start, &[NextPart::Value], detail))
    }

    fn name(&mut self) -> Result<String, Fault> {
        let start = self.lexer.at;
        let name = match self.lexer.quote() {
            Some(quote) => self.quoted(quote)?,
            None => self.bare(|character| is_end(character) || begins_sign(character)).to_owned(),
        };
        let is_join =
            JOINS.iter().any(|join| join.eq_ignore_ascii_case(&self.lexer.text[start..self.lexer.at]));
        if self.lexer.at == start || is_join {
            self.lexer.at = start;
            return self.fail(
                &[NextPart::Name],
                "Write the name of a column here. Put a name in double quotes if it is AND, OR or NOT, or has blanks, \
                 quotes, commas, parentheses or signs.",
            );
        }
        self.names.push(NamePlace {
            name: name.clone(),
            position: self.lexer.characters_before(start),
            length: self.lexer.text[start..self.lexer.at].chars().count(),
        });
        self.lexer.skip_blanks();
        Ok(name)
    }

    fn value(&mut self) -> Result<String, Fault> {
        let start = self.lexer.at;
        let value = match self.lexer.quote() {
            Some(quote) => self.quoted(quote)?,
            None => self.bare(is_end).to_owned(),
        };
        let written = &self.lexer.text[start..self.lexer.at];
        let is_join = JOINS.iter().any(|join| join.eq_ignore_ascii_case(written));
        if written.is_empty() || is_join || written.starts_with(begins_sign) {
            self.lexer.at = start;
            return self.fail(
                &[NextPart::Value],
                "Write a value here. Put the value in quotes if it is empty, is AND, OR or NOT, begins with a sign, or \
                 has blanks, quotes, commas or parentheses.",
            );
        }
        if self.lexer.quote().is_some() {
            return self.fail(
                &[NextPart::And, NextPart::Or, NextPart::End],
                "Put a value that has a quote in quotes, and double the quote: name = 'O''Brien'.",
            );
        }
        self.lexer.skip_blanks();
        Ok(value)
    }

    fn bare(&mut self, is_end: impl Fn(char) -> bool) -> &'a str {
        let rest = self.lexer.rest();
        let bare = &rest[..rest.find(is_end).unwrap_or(rest.len())];
        self.lexer.at += bare.len();
        bare
    }

    fn quoted(&mut self, quote: char) -> Result<String, Fault> {
        let detail = "This quote is never closed. Double a quote that is part of the text.";
        self.lexer.quoted(quote).ok_or_else(|| fault(self.lexer.at, &[NextPart::Value], detail))
    }

    /// Returns the word at the current position.
    fn next_word(&self) -> &'a str {
        let rest = self.lexer.rest();
        &rest[..rest.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(rest.len())]
    }

    /// If the next word is `word`, ignoring case, skips it and returns `true`. Otherwise returns `false`.
    fn word(&mut self, word: &str) -> bool {
        let found = self.next_word().eq_ignore_ascii_case(word) && self.is_end_of_word(word.len());
        if found {
            self.lexer.skip(word.len());
        }
        found
    }

    /// Whether the word at the current position ends after `length` bytes.
    fn is_end_of_word(&self, length: usize) -> bool {
        let next = self.lexer.rest()[length..].chars().next();
        next.is_none_or(|next| is_end(next) || begins_sign(next))
    }

    fn operator_word(&mut self) -> Option<Operator> {
        let word = self.next_word();
        let operator = Operator::from_name(word).filter(|_| self.is_end_of_word(word.len()))?;
        self.lexer.skip(word.len());
        Some(operator)
    }

    fn fail<T>(&self, expected: &'static [NextPart], detail: impl Into<String>) -> Result<T, Fault> {
        Err(fault(self.lexer.at, expected, detail))
    }
}

fn fault(at: usize, expected: &'static [NextPart], detail: impl Into<String>) -> Fault {
    Fault { at, expected, detail: detail.into() }
}

/// Whether a bare text ends before `character`.
fn is_end(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | ')' | ',' | '\'' | '"')
}

fn joined(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}
