//! Reads words, signs and quoted texts. The expression form and the text form of filters have them in common.

use super::Operator;

/// A text, and the place of the next character to read.
pub(super) struct Lexer<'a> {
    pub(super) text: &'a str,
    /// Offset of the next byte to read; always the start of a character.
    pub(super) at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Returns the text that is not read yet.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Returns the number of characters before an offset.
    pub(super) fn characters_before(&self, at: usize) -> usize {
        self.text[..at].chars().count()
    }

    pub(super) fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Returns the next character if it is a quote.
    pub(super) fn quote(&self) -> Option<char> {
        self.rest().chars().next().filter(|character| matches!(character, '\'' | '"'))
    }

    /// If the next character is `mark`, skips it and the blanks after it, and returns `true`.
    pub(super) fn mark(&mut self, mark: char) -> bool {
        let found = self.rest().starts_with(mark);
        if found {
            self.skip(mark.len_utf8());
        }
        found
    }

    /// Skips `length` bytes, and the blanks after them.
    pub(super) fn skip(&mut self, length: usize) {
        self.at += length;
        self.skip_blanks();
    }

    /// Skips the sign at the current position and returns its operator. If several signs fit, takes the longest.
    pub(super) fn sign(&mut self) -> Option<Operator> {
        let fitting = Operator::signs().filter(|(_, sign)| self.rest().starts_with(sign));
        let (operator, sign) = fitting.max_by_key(|(_, sign)| sign.len())?;
        self.skip(sign.len());
        Some(operator)
    }

    /// Reads the text between two quotes, in which a quote is doubled. Returns `None` and reads nothing if the quote is
    /// never closed.
    pub(super) fn quoted(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut rest = self.rest()[quote.len_utf8()..].char_indices().peekable();
        while let Some((offset, character)) = rest.next() {
            if character != quote {
                text.push(character);
            } else if rest.next_if(|(_, next)| *next == quote).is_some() {
                text.push(quote);
            } else {
                self.at += offset + 2 * quote.len_utf8();
                return Some(text);
            }
        }
        None
    }
}

/// Whether any sign begins with `character`.
pub(super) fn begins_sign(character: char) -> bool {
    Operator::signs().any(|(_, sign)| sign.starts_with(character))
}
