//! The expression form of a filter: a text that states one condition on one column.
//!
//! ```text
//! expression = { "NOT" } ( condition | value )     a blank text is no filter
//! condition  = sign value                          >= 30
//!            | keyword value                       CONTAINS x
//!            | keyword "(" value { "," value } ")" IN (a, b)
//!            | keyword value "AND" value           BETWEEN 1 AND 2
//!            | keyword
//!            | "IS" [ "NOT" ] state                IS NOT EMPTY, IS NULL
//! value      = "'" … "'" | '"' … '"' | bare text, trimmed
//! ```
//!
//! The table in `operator.rs` declares the sign, keyword or state of each operator and the number of its values. If an
//! operator has neither a sign nor a keyword, its name is its keyword (`NOTIN (a, b)`). `NULL` is another word for the
//! state `EMPTY`. Keywords and states are case-insensitive. `ON` is a keyword only before a digit or a quote, because
//! `on` is a common value. In a value in quotes, a quote of the same kind is doubled.
//!
//! If a text begins with a sign, a keyword or a quote, the whole text must match the grammar, or the expression is
//! refused. A value that begins with a sign or a keyword can be quoted. A value that begins with a keyword can also
//! stand after `=`, because keywords have no meaning there (`= IN progress`). After `NOT`, a value must be quoted
//! (`NOT 'JFK'`). So `Not started` is an error, and not the complement of `started`.
//!
//! A bare value is refused if it is probably a mistake. It may begin with a comparison sign (`=>5`, `===5`). It may
//! begin with an operator of another language (`≥ 5`, `~ x`, `ILIKE x`), or with the name of an operator that has a
//! sign (`gte 5`). Or it may seem to contain a second condition (`>= 3 AND < 5`, `A OR B`).

use super::lexer::{Lexer, begins_sign};
use super::operator::Syntax;
use super::{Arity, Filter, FilterError, FilterLocation, Operator};
use crate::csv::shortened;

/// Parses `text` into a filter on `column`; `None` if `text` is blank.
///
/// # Errors
/// [`FilterError`] if `text` is not a valid expression. Its position counts the characters of `text` from 0.
pub fn parse(column: &str, text: &str) -> Result<Option<Filter>, FilterError> {
    let mut parser = Parser { column, lexer: Lexer::new(text) };
    parser.parse_filter().map_err(|error| FilterError {
        place: FilterLocation::Column(shortened(column)),
        position: Some(parser.lexer.characters_before(error.at)),
        detail: error.detail,
    })
}

/// A syntax error: its position in the text, in bytes from 0, and the message.
struct ExpressionError {
    at: usize,
    detail: String,
}

/// Where a bare value ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Terminator {
    /// At the end of the text.
    End,
    /// At a comma or closing parenthesis.
    ListMark,
    /// At the word `AND`.
    And,
}

struct Parser<'a> {
    column: &'a str,
    lexer: Lexer<'a>,
}

impl<'a> Parser<'a> {
    fn parse_filter(&mut self) -> Result<Option<Filter>, ExpressionError> {
        self.lexer.skip_blanks();
        if self.lexer.is_at_end() {
            return Ok(None);
        }
        let mut negations = 0_usize;
        while self.keyword("NOT") {
            negations += 1;
        }
        let filter = self.parse_condition(negations > 0)?;
        Ok(Some(if negations % 2 == 1 { filter.complement() } else { filter }))
    }

    fn parse_condition(&mut self, after_not: bool) -> Result<Filter, ExpressionError> {
        if let Some(operator) = self.lexer.sign() {
            return self.parse_signed(operator);
        }
        if let Some((operator, keyword)) = self.next_word(word_of) {
            return match operator.arity() {
                Arity::None => self.parse_without_value(operator),
                Arity::One => self.parse_value(operator),
                Arity::Two => self.parse_two_values(operator, keyword),
                Arity::Many => self.parse_list(operator, keyword),
            };
        }
        if self.keyword("IS") {
            return self.parse_state();
        }
        if after_not && self.lexer.quote().is_none() {
            return self.fail(format!(
                "After NOT, write a comparison sign, {} or a quoted value. \
                 If the word \"not\" is part of the value, quote the whole value.",
                keywords_and_states()
            ));
        }
        if self.lexer.quote().is_none() {
            self.refuse_foreign_operator()?;
            self.refuse_joined(self.lexer.rest(), true)?;
        }
        let start = self.lexer.at;
        let value = self.last_value()?;
        self.build(Operator::Equal, start, vec![value])
    }

    fn parse_signed(&mut self, operator: Operator) -> Result<Filter, ExpressionError> {
        let start = self.lexer.at;
        // After = and !=, values that contain AND or a sign are common. After another sign, such a value is probably a
        // mistake.
        let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        if self.lexer.quote().is_none() {
            let rest = self.lexer.rest();
            if Operator::signs().any(|(_, sign)| rest.starts_with(sign)) || rest.starts_with(FOREIGN_SIGNS) {
                return self.fail(format!(
                    "Quote a value that begins with a comparison sign. The signs are {}.",
                    Operator::sign_names()
                ));
            }
            if !equality {
                self.refuse_second_condition(rest)?;
            }
        }
        let value = self.last_value()?;
        self.build(operator, start, vec![value])
    }

    fn parse_without_value(&mut self, operator: Operator) -> Result<Filter, ExpressionError> {
        let start = self.lexer.at;
        self.expect_end()?;
        self.build(operator, start, Vec::new())
    }

    fn parse_value(&mut self, operator: Operator) -> Result<Filter, ExpressionError> {
        let start = self.lexer.at;
        if self.lexer.quote().is_none() {
            self.refuse_joined(self.lexer.rest(), false)?;
        }
        let value = self.last_value()?;
        self.build(operator, start, vec![value])
    }

    fn parse_two_values(&mut self, operator: Operator, keyword: &str) -> Result<Filter, ExpressionError> {
        let start = self.lexer.at;
        if self.keyword("SYMMETRIC") {
            return self.fail("BETWEEN has no SYMMETRIC here: write the smaller value first.");
        }
        if self.lexer.quote().is_none() {
            let rest = self.lexer.rest();
            self.refuse_second_condition(&rest[..word(rest, "AND").unwrap_or(rest.len())])?;
        }
        let low = self.value(Terminator::And)?;
        if !self.keyword("AND") {
            return self.fail(format!(
                "{keyword} takes two values: {keyword} a AND b. Quote a value that contains the word AND."
            ));
        }
        if self.lexer.quote().is_none() {
            self.refuse_second_condition(self.lexer.rest())?;
        }
        let high = self.last_value()?;
        self.build(operator, start, vec![low, high])
    }

    /// Parses the text after `IS`.
    fn parse_state(&mut self) -> Result<Filter, ExpressionError> {
        let is_negated = self.keyword("NOT");
        let operator = match self.next_word(state_of) {
            Some((operator, _)) => operator,
            None if self.keyword("NULL") => Operator::IsEmpty,
            None => {
                return self.fail(format!("After IS, write {}. If the text is a value, quote it.", states()));
            }
        };
        let filter = self.parse_without_value(operator)?;
        Ok(if is_negated { filter.complement() } else { filter })
    }

    fn parse_list(&mut self, operator: Operator, keyword: &str) -> Result<Filter, ExpressionError> {
        let start = self.lexer.at;
        if !self.lexer.mark('(') {
            return self.fail(format!(
                "{keyword} takes a list in parentheses: {keyword} (a, 'b, c'). If the text is a value, quote it."
            ));
        }
        let mut values = Vec::new();
        loop {
            self.lexer.skip_blanks();
            values.push(self.value(Terminator::ListMark)?);
            if self.lexer.mark(')') {
                break;
            }
            if !self.lexer.mark(',') {
                return self.fail("Write a comma or a closing parenthesis here.");
            }
        }
        self.expect_end()?;
        self.build(operator, start, values)
    }

    /// Parses a value that must extend to the end of the text.
    fn last_value(&mut self) -> Result<String, ExpressionError> {
        let value = self.value(Terminator::End)?;
        self.expect_end()?;
        Ok(value)
    }

    /// Parses a quoted or bare value and skips the blanks after it.
    fn value(&mut self, terminator: Terminator) -> Result<String, ExpressionError> {
        let value = match self.lexer.quote() {
            Some(quote) => self.quoted(quote)?,
            None => self.bare(terminator)?.to_owned(),
        };
        self.lexer.skip_blanks();
        Ok(value)
    }

    fn quoted(&mut self, quote: char) -> Result<String, ExpressionError> {
        self.lexer.quoted(quote).ok_or_else(|| ExpressionError {
            at: self.lexer.at,
            detail: "This quote is never closed. If the value contains a quote, put the value in quotes and double the \
                     quote."
                .to_owned(),
        })
    }

    fn bare(&mut self, terminator: Terminator) -> Result<&'a str, ExpressionError> {
        let rest = self.lexer.rest();
        let end = match terminator {
            Terminator::End => rest.len(),
            Terminator::ListMark => rest.find([',', ')']).unwrap_or(rest.len()),
            Terminator::And => word(rest, "AND").unwrap_or(rest.len()),
        };
        let value = rest[..end].trim_end();
        if value.is_empty() {
            return self.fail("Write a value here. For the empty text, write ''.");
        }
        if terminator == Terminator::ListMark
            && let Some(offset) = value.find('(')
        {
            self.lexer.at += offset;
            return self.fail("Quote a value that contains a parenthesis.");
        }
        self.lexer.at += end;
        Ok(value)
    }

    /// Refuses a bare value that seems to contain a second condition. Without this check, cells would be compared with
    /// the whole value as one text.
    fn refuse_second_condition(&self, operand: &str) -> Result<(), ExpressionError> {
        let sign = operand.find(is_sign);
        let joined = [word(operand, "AND"), word(operand, "OR")].into_iter().flatten().min();
        match joined.or(sign) {
            None => Ok(()),
            Some(offset) => Err(ExpressionError {
                at: self.lexer.at + offset,
                detail: "An expression has one condition, but a second one seems to begin here. If the text from here \
                         on is part of the value, quote the whole value. To combine conditions, use BETWEEN or a \
                         filter tree."
                    .to_owned(),
            }),
        }
    }

    /// Refuses a bare text that begins with an operator of another language, or with the name of an operator that has a
    /// sign. Without this check, cells would be compared with the whole text.
    fn refuse_foreign_operator(&self) -> Result<(), ExpressionError> {
        let rest = self.lexer.rest();
        let is_sign = rest.starts_with(FOREIGN_SIGNS) || rest.starts_with("!~");
        let is_end = |letter: char| !letter.is_alphabetic() && letter != '_';
        let word: &str = &rest[..rest.find(is_end).unwrap_or(rest.len())];
        let after = rest[word.len()..].trim_start();
        let is_pair = FOREIGN_PAIRS
            .iter()
            .any(|(first, second)| first.eq_ignore_ascii_case(word) && begins_with_word(after, second));
        // A word at the end of the text is a value: `LT` is a country.
        let is_followed = after.len() < rest.len() - word.len() || after.starts_with(['(', '\'', '"']);
        let is_word = is_followed
            && !after.is_empty()
            && (FOREIGN_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
                || FOREIGN_UPPER_WORDS.contains(&word)
                || is_pair
                || (is_name_of_sign(word) && word.chars().all(|letter| letter.is_ascii_lowercase()))
                || (may_compare(word)
                    && after.starts_with(|next: char| next.is_ascii_digit() || "+-.'\"(".contains(next))));
        if !is_sign && !is_word {
            return Ok(());
        }
        self.fail(format!(
            "This seems to begin with an operator that does not exist here. The signs are {}, the keywords are {}. If the \
             text is a value, quote it.",
            Operator::sign_names(),
            keywords_and_states()
        ))
    }

    /// Refuses a bare text that seems to join two conditions, such as `A OR B`. If `and_joins` is true, each `AND` in
    /// upper case counts as a join. If it is false, an `AND` counts only if a keyword follows it.
    fn refuse_joined(&self, text: &str, and_joins: bool) -> Result<(), ExpressionError> {
        let joins = |at: usize, word: &str| match word {
            "OR" | "||" | "&&" => true,
            "AND" => {
                let after = text[at + word.len()..].trim_start();
                let begins =
                    |word: Option<&'static str>| word.is_some_and(|word| begins_with_word(after, word));
                and_joins || Operator::ALL.iter().any(|&operator| begins(word_of(operator)))
            }
            _ => false,
        };
        let mut from = 0;
        for part in text.split_whitespace() {
            let at = from + text[from..].find(part).unwrap_or(0);
            from = at + part.len();
            if at > 0 && !text[from..].trim().is_empty() && joins(at, part) {
                return Err(ExpressionError {
                    at: self.lexer.at + at,
                    detail: format!(
                        "An expression has one condition, but {part} seems to join two. If {part} is part of the value, \
                         quote the whole value. To combine conditions, use IN or a filter tree."
                    ),
                });
            }
        }
        Ok(())
    }

    fn build(
        &self,
        operator: Operator,
        start: usize,
        values: Vec<String>,
    ) -> Result<Filter, ExpressionError> {
        Filter::condition(self.column, operator, values)
            .map_err(|detail| ExpressionError { at: start, detail })
    }

    /// If the next word is `keyword`, ignoring case, skips this word and returns `true`. Otherwise returns `false`.
    fn keyword(&mut self, keyword: &str) -> bool {
        let found = begins_with_word(self.lexer.rest(), keyword);
        if found {
            self.lexer.skip(keyword.len());
        }
        found
    }

    /// Skips the next word if it belongs to an operator. Returns the operator and the word.
    fn next_word(
        &mut self,
        word_of: fn(Operator) -> Option<&'static str>,
    ) -> Option<(Operator, &'static str)> {
        let mut words = Operator::ALL.iter().filter_map(|&operator| Some((operator, word_of(operator)?)));
        words.find(|(operator, word)| {
            let is_value = *operator == Operator::On && !self.has_date_after(word);
            !is_value && self.keyword(word)
        })
    }

    /// Whether a digit or a quote follows the word at the current position.
    fn has_date_after(&self, word: &str) -> bool {
        let after = self.lexer.rest().get(word.len()..).unwrap_or_default().trim_start();
        after.starts_with(|next: char| next.is_ascii_digit() || matches!(next, '\'' | '"'))
    }

    fn expect_end(&self) -> Result<(), ExpressionError> {
        if self.lexer.is_at_end() {
            return Ok(());
        }
        self.fail(
            "The expression must end here. If the value contains quotes, commas or parentheses, put the value in \
             quotes and double each quote inside it.",
        )
    }

    fn fail<T>(&self, detail: impl Into<String>) -> Result<T, ExpressionError> {
        Err(ExpressionError { at: self.lexer.at, detail: detail.into() })
    }
}

/// Signs of operators in other languages.
const FOREIGN_SIGNS: [char; 9] = ['≥', '≤', '≠', '≈', '~', '∼', '≮', '≯', '∈'];
/// Words of operators in other languages. Upper and lower case mean the same.
const FOREIGN_WORDS: [&str; 16] = [
    "ILIKE",
    "RLIKE",
    "REGEXP",
    "GLOB",
    "ISNULL",
    "NOTNULL",
    "ISNOTNULL",
    "NEQ",
    "BEGINSWITH",
    "NOTLIKE",
    "NOTILIKE",
    "NOTCONTAINS",
    "NIN",
    "NOT_IN",
    "NOT_LIKE",
    "SOUNDEX",
];
/// Words of operators in other languages with which values often begin. So they are refused only in upper case.
const FOREIGN_UPPER_WORDS: [&str; 10] =
    ["STARTS", "ENDS", "BEGINS", "MATCH", "MATCHES", "SIMILAR", "EQUALS", "INCLUDES", "EXCLUDES", "HAS"];
/// Pairs of words with which operators of other languages begin.
const FOREIGN_PAIRS: [(&str, &str); 3] = [("DOES", "NOT"), ("GREATER", "THAN"), ("LESS", "THAN")];
/// Words of other languages that compare, if a number, a quote or a parenthesis follows them.
const FOREIGN_COMPARISONS: [&str; 10] =
    ["ge", "le", "greater", "less", "before", "after", "above", "below", "any", "all"];

/// Whether `word` compares if a value follows it.
fn may_compare(word: &str) -> bool {
    is_name_of_sign(word) || FOREIGN_COMPARISONS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether `word` is the name of an operator that expressions write with a sign.
fn is_name_of_sign(word: &str) -> bool {
    Operator::from_name(word).is_some_and(|operator| word_of(operator).is_none())
}

/// Whether `text` begins with `word`, ignoring case. The end of `text`, a blank, `(`, a quote or a sign must follow the
/// word.
fn begins_with_word(text: &str, word: &str) -> bool {
    let Some((head, tail)) = text.split_at_checked(word.len()) else { return false };
    head.eq_ignore_ascii_case(word)
        && tail
            .chars()
            .next()
            .is_none_or(|next| next.is_whitespace() || matches!(next, '(' | '\'' | '"') || begins_sign(next))
}

/// Whether `character` alone is a sign.
fn is_sign(character: char) -> bool {
    Operator::from_sign(character.encode_utf8(&mut [0; 4])).is_some()
}

fn keyword_of(operator: Operator) -> Option<&'static str> {
    match operator.syntax() {
        Syntax::Keyword(keyword) => Some(keyword),
        Syntax::Signs(_) | Syntax::Is(_) | Syntax::Unwritten => None,
    }
}

/// Returns the word that expressions can write before the values of an operator: its keyword, or its name if it has no
/// keyword. `None` if the operator has signs.
fn word_of(operator: Operator) -> Option<&'static str> {
    match operator.syntax() {
        Syntax::Signs(_) => None,
        Syntax::Keyword(keyword) => Some(keyword),
        Syntax::Is(_) | Syntax::Unwritten => Some(operator.name()),
    }
}

fn state_of(operator: Operator) -> Option<&'static str> {
    match operator.syntax() {
        Syntax::Is(state) => Some(state),
        Syntax::Signs(_) | Syntax::Keyword(_) | Syntax::Unwritten => None,
    }
}

/// Lists the keywords and states for messages: `CONTAINS, LIKE, …, IS EMPTY`.
fn keywords_and_states() -> String {
    let word = |&operator: &Operator| {
        keyword_of(operator).map(str::to_owned).or_else(|| Some(format!("IS {}", state_of(operator)?)))
    };
    Operator::ALL.iter().filter_map(word).collect::<Vec<_>>().join(", ")
}

/// Lists the texts that may follow `IS`, for messages: `EMPTY or NOT EMPTY`.
fn states() -> String {
    let states = Operator::ALL.iter().copied().filter_map(state_of);
    states.map(|state| format!("{state} or NOT {state}")).collect::<Vec<_>>().join(" or ")
}

/// Returns the offset of the first `word`, ignoring case, that is at the start of `text` or after a blank.
fn word(text: &str, word: &str) -> Option<usize> {
    let mut after_blank = true;
    for (at, character) in text.char_indices() {
        if after_blank && begins_with_word(&text[at..], word) {
            return Some(at);
        }
        after_blank = character.is_whitespace();
    }
    None
}
