//! The expression form of a filter: text about one column.
//!
//! ```text
//! expression = [ "NOT" ] test | value              a blank one is no filter
//! test       = sign value                          >= 30
//!            | keyword value                       CONTAINS x
//!            | keyword "(" value { "," value } ")" IN (a, b)
//!            | keyword value "AND" value           BETWEEN 1 AND 2
//!            | keyword
//!            | "IS" [ "NOT" ] state                IS NOT EMPTY
//! value      = "'" … "'" | '"' … '"' | bare text, trimmed
//! ```
//!
//! The table of operators declares the signs, keywords and states, and how many values each takes. Keywords
//! and states may be in any case. A quote inside quotes is doubled. What begins with an operator, a keyword
//! or a quote must be a complete expression: a value that merely looks like one is quoted, or written after
//! `=`, where keywords mean nothing (`= IN progress`). After `NOT` a value must be quoted (`NOT 'JFK'`), so
//! that a cell text such as "Not started" is an error and not silently a complement.
//!
//! Where a bare value could hide a mistake it is refused: one that begins with a comparison sign
//! (`=>5`, `===5`), and one that goes on like a second test (`>= 3 AND < 5`).

use super::operator::Syntax;
use super::{Arity, Filter, FilterError, Operator, RequestPlace};
use crate::csv::shortened;

/// The filter that `text` means for `column`, or `None` when it is blank.
///
/// # Errors
/// [`FilterError`] with the position in `text`, in characters from 0.
pub fn parse(column: &str, text: &str) -> Result<Option<Filter>, FilterError> {
    let mut parser = Parser { column, text, at: 0 };
    parser.filter().map_err(|fault| FilterError {
        place: RequestPlace::Column(shortened(column)),
        position: Some(text[..fault.at].chars().count()),
        detail: fault.detail,
    })
}

/// What is wrong, and at which byte of the text.
struct Fault {
    at: usize,
    detail: String,
}

/// Where a bare value ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// At the end of the text.
    End,
    /// At a comma or closing parenthesis.
    ListMark,
    /// At the word `AND`.
    And,
}

struct Parser<'a> {
    column: &'a str,
    text: &'a str,
    /// The next byte to read; always the start of a character.
    at: usize,
}

impl<'a> Parser<'a> {
    fn filter(&mut self) -> Result<Option<Filter>, Fault> {
        self.skip_blanks();
        if self.at_end() {
            return Ok(None);
        }
        let mut negations = 0_usize;
        while self.keyword("NOT") {
            negations += 1;
        }
        let filter = self.test(negations > 0)?;
        Ok(Some(if negations % 2 == 1 { filter.complement() } else { filter }))
    }

    fn test(&mut self, after_not: bool) -> Result<Filter, Fault> {
        if let Some(operator) = self.sign() {
            return self.signed(operator);
        }
        if let Some((operator, keyword)) = self.next_word(keyword_of) {
            return match operator.arity() {
                Arity::None => self.on_nothing(operator),
                Arity::One => self.on_value(operator),
                Arity::Two => self.on_two_values(operator, keyword),
                Arity::Many => self.on_list(operator, keyword),
            };
        }
        if self.keyword("IS") {
            return self.state();
        }
        if after_not && self.quote().is_none() {
            return self.fail(format!(
                "After NOT comes an operator, {} or a quoted value; \
                 to mean a text that begins with \"not\", quote all of it.",
                keywords_and_states()
            ));
        }
        self.on_value(Operator::Equal)
    }

    fn signed(&mut self, operator: Operator) -> Result<Filter, Fault> {
        let start = self.at;
        // Texts that hold AND or a sign are common after = and !=; after > or < they are mistakes.
        let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        if self.quote().is_none() {
            let rest = self.rest();
            if Operator::signs().any(|(_, sign)| rest.starts_with(sign)) {
                return self.fail(format!(
                    "A value cannot begin with a comparison sign unless it is quoted. The signs are {}.",
                    Operator::sign_names()
                ));
            }
            if !equality {
                self.refuse_second_test(rest)?;
            }
        }
        let value = self.last_value()?;
        self.make(operator, start, vec![value])
    }

    fn on_nothing(&mut self, operator: Operator) -> Result<Filter, Fault> {
        let start = self.at;
        self.expect_end()?;
        self.make(operator, start, Vec::new())
    }

    fn on_value(&mut self, operator: Operator) -> Result<Filter, Fault> {
        let start = self.at;
        let value = self.last_value()?;
        self.make(operator, start, vec![value])
    }

    fn on_two_values(&mut self, operator: Operator, keyword: &str) -> Result<Filter, Fault> {
        let start = self.at;
        if self.quote().is_none() {
            let rest = self.rest();
            self.refuse_second_test(&rest[..word(rest, "AND").unwrap_or(rest.len())])?;
        }
        let low = self.value(Until::And)?;
        if !self.keyword("AND") {
            return self.fail(format!(
                "{keyword} takes two values: {keyword} a AND b. Quote a value that holds the word AND."
            ));
        }
        if self.quote().is_none() {
            self.refuse_second_test(self.rest())?;
        }
        let high = self.last_value()?;
        self.make(operator, start, vec![low, high])
    }

    /// What comes after `IS`.
    fn state(&mut self) -> Result<Filter, Fault> {
        let is_negated = self.keyword("NOT");
        let Some((operator, _)) = self.next_word(state_of) else {
            return self.fail(format!("After IS comes {}; quote the text if it is a value.", states()));
        };
        let filter = self.on_nothing(operator)?;
        Ok(if is_negated { filter.complement() } else { filter })
    }

    fn on_list(&mut self, operator: Operator, keyword: &str) -> Result<Filter, Fault> {
        let start = self.at;
        if !self.eat('(') {
            return self.fail(format!(
                "{keyword} takes a list in parentheses: {keyword} (a, 'b, c'). Quote the text if it is a value."
            ));
        }
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            values.push(self.value(Until::ListMark)?);
            if self.eat(')') {
                break;
            }
            if !self.eat(',') {
                return self.fail("A comma or a closing parenthesis is missing here.");
            }
        }
        self.expect_end()?;
        self.make(operator, start, values)
    }

    /// A value that must reach to the end of the text.
    fn last_value(&mut self) -> Result<String, Fault> {
        let value = self.value(Until::End)?;
        self.expect_end()?;
        Ok(value)
    }

    /// A quoted or bare value, and the blanks after it.
    fn value(&mut self, until: Until) -> Result<String, Fault> {
        let value = match self.quote() {
            Some(quote) => self.quoted(quote)?,
            None => self.bare(until)?.to_owned(),
        };
        self.skip_blanks();
        Ok(value)
    }

    fn quoted(&mut self, quote: char) -> Result<String, Fault> {
        let opened = self.at;
        let mut value = String::new();
        let mut rest = self.rest()[1..].char_indices().peekable();
        while let Some((offset, character)) = rest.next() {
            if character != quote {
                value.push(character);
            } else if rest.next_if(|(_, next)| *next == quote).is_some() {
                value.push(quote);
            } else {
                self.at = opened + 1 + offset + 1;
                return Ok(value);
            }
        }
        self.fail(
            "This quote is never closed. A value that holds a quote is put in quotes and the quote doubled.",
        )
    }

    fn bare(&mut self, until: Until) -> Result<&'a str, Fault> {
        let rest = self.rest();
        let end = match until {
            Until::End => rest.len(),
            Until::ListMark => rest.find([',', ')']).unwrap_or(rest.len()),
            Until::And => word(rest, "AND").unwrap_or(rest.len()),
        };
        let value = rest[..end].trim_end();
        if value.is_empty() {
            return self.fail("A value is missing here; write '' for the empty text.");
        }
        if until == Until::ListMark
            && let Some(offset) = value.find('(')
        {
            self.at += offset;
            return self.fail("Quote a value that holds a parenthesis.");
        }
        self.at += end;
        Ok(value)
    }

    /// Refuses a bare operand that reads on like another test, which would be compared as one long text.
    fn refuse_second_test(&self, operand: &str) -> Result<(), Fault> {
        let sign = operand.find(is_sign);
        let joined = [word(operand, "AND"), word(operand, "OR")].into_iter().flatten().min();
        match joined.or(sign) {
            None => Ok(()),
            Some(offset) => Err(Fault {
                at: self.at + offset,
                detail: "An expression holds one test. Quote the value if this is part of it, \
                         or combine tests with BETWEEN or a filter tree."
                    .to_owned(),
            }),
        }
    }

    fn make(&self, operator: Operator, start: usize, values: Vec<String>) -> Result<Filter, Fault> {
        Filter::test(self.column, operator, values).map_err(|detail| Fault { at: start, detail })
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// The quote that comes next, if one does.
    fn quote(&self) -> Option<char> {
        self.rest().chars().next().filter(|character| matches!(character, '\'' | '"'))
    }

    fn eat(&mut self, mark: char) -> bool {
        let found = self.rest().starts_with(mark);
        if found {
            self.at += mark.len_utf8();
            self.skip_blanks();
        }
        found
    }

    /// Steps over `keyword`, in any case, if it comes next as a word of its own.
    fn keyword(&mut self, keyword: &str) -> bool {
        let found = begins_with_word(self.rest(), keyword);
        if found {
            self.at += keyword.len();
            self.skip_blanks();
        }
        found
    }

    /// Steps over the word of an operator that comes next, if one does.
    fn next_word(
        &mut self,
        word_of: fn(Operator) -> Option<&'static str>,
    ) -> Option<(Operator, &'static str)> {
        let mut words = Operator::ALL.iter().filter_map(|&operator| Some((operator, word_of(operator)?)));
        words.find(|(_, word)| self.keyword(word))
    }

    /// Steps over the sign that comes next, if one does: the longest that fits.
    fn sign(&mut self) -> Option<Operator> {
        let fitting = Operator::signs().filter(|(_, sign)| self.rest().starts_with(sign));
        let (operator, sign) = fitting.max_by_key(|(_, sign)| sign.len())?;
        self.at += sign.len();
        self.skip_blanks();
        Some(operator)
    }

    fn expect_end(&self) -> Result<(), Fault> {
        if self.at_end() {
            return Ok(());
        }
        self.fail(
            "The expression should end here. Put a value that holds quotes, commas or parentheses in quotes \
             and double the quotes inside.",
        )
    }

    fn fail<T>(&self, detail: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { at: self.at, detail: detail.into() })
    }
}

/// Whether `text` begins with `word`, in any case, followed by something that ends a word.
fn begins_with_word(text: &str, word: &str) -> bool {
    let Some((head, tail)) = text.split_at_checked(word.len()) else { return false };
    head.eq_ignore_ascii_case(word)
        && tail
            .chars()
            .next()
            .is_none_or(|next| next.is_whitespace() || matches!(next, '(' | '\'' | '"') || begins_sign(next))
}

/// Whether some sign begins with `character`.
fn begins_sign(character: char) -> bool {
    Operator::signs().any(|(_, sign)| sign.starts_with(character))
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

fn state_of(operator: Operator) -> Option<&'static str> {
    match operator.syntax() {
        Syntax::Is(state) => Some(state),
        Syntax::Signs(_) | Syntax::Keyword(_) | Syntax::Unwritten => None,
    }
}

/// `CONTAINS, LIKE, …, IS EMPTY`, for messages.
fn keywords_and_states() -> String {
    let word = |&operator: &Operator| {
        keyword_of(operator).map(str::to_owned).or_else(|| Some(format!("IS {}", state_of(operator)?)))
    };
    Operator::ALL.iter().filter_map(word).collect::<Vec<_>>().join(", ")
}

/// `EMPTY or NOT EMPTY`, for messages.
fn states() -> String {
    let states = Operator::ALL.iter().copied().filter_map(state_of);
    states.map(|state| format!("{state} or NOT {state}")).collect::<Vec<_>>().join(" or ")
}

/// The byte where `word` stands between blanks (or at an end of `text`), in any case.
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
