//! Common syntax of header values (RFC 9110 §5.6): tokens, quoted strings, parameters.

/// Whether a token may contain `byte` (RFC 9110 §5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `text` is a token: one or more token characters and nothing else.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Removes optional whitespace (space and tab) at both ends (RFC 9110 §5.6.3).
pub(super) fn trim_ows(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Meaning of a backslash in a quoted string.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BackslashRule {
    /// A backslash escapes any character (RFC 9110 §5.6.4).
    AnyCharacter,
    /// A backslash escapes only `"` and `\`. So `C:\dir\f.csv`, which old browsers send, keeps its backslashes.
    QuoteAndBackslash,
}

/// Parses `name=value` parameters, each after a `;` (RFC 9110 §5.6.6). Returns the parameters in the order of the text,
/// each name in lower case and each value without quotes. Empty parameters (`;;`, a trailing `;`) are skipped.
///
/// Returns `None` if the text is malformed.
pub(super) fn parse_parameters(text: &str, escapes: BackslashRule) -> Option<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    let mut rest = trim_ows(text);
    while !rest.is_empty() {
        rest = trim_ows(rest.strip_prefix(';')?);
        if rest.is_empty() || rest.starts_with(';') {
            continue;
        }
        let (name, after_name) = rest.split_once('=')?;
        if !is_token(name) {
            return None;
        }
        let (value, after_value) = parse_value(after_name, escapes)?;
        parameters.push((name.to_ascii_lowercase(), value));
        rest = trim_ows(after_value);
    }
    Some(parameters)
}

/// Parses a token or a quoted string at the start of `text`. Returns the parsed value and the rest of the text.
fn parse_value(text: &str, escapes: BackslashRule) -> Option<(String, &str)> {
    match text.strip_prefix('"') {
        Some(quoted) => parse_quoted(quoted, escapes),
        None => {
            let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
            let (token, rest) = text.split_at(end);
            is_token(token).then(|| (token.to_owned(), rest))
        }
    }
}

/// Parses a quoted string after its opening quote. Returns the parsed value and the text after the closing quote.
fn parse_quoted(text: &str, escapes: BackslashRule) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => {
                let next = characters.peek().map(|&(_, next)| next)?;
                if escapes == BackslashRule::AnyCharacter || matches!(next, '"' | '\\') {
                    value.push(next);
                    characters.next();
                } else {
                    value.push('\\');
                }
            }
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Vec<(String, String)>> {
        parse_parameters(text, BackslashRule::AnyCharacter)
    }

    #[test]
    fn the_value_of_a_parameter_may_be_a_token_or_a_quoted_string() {
        let expected = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x;\"y\"".to_owned())];
        assert_eq!(parse("; A=1 ;; b=\"x;\\\"y\\\"\" ;"), Some(expected));
        assert_eq!(parse(""), Some(vec![]));
    }

    #[test]
    fn malformed_parameters_are_refused() {
        for text in
            ["a=1", "; a", "; =1", "; a=", "; a=\"open", "; a=\"x\\", "; a=\"x\"y", "; a b=1", "; a=(1)"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_windows_path_keeps_its_backslashes() {
        let parsed = parse_parameters(r#"; f="C:\dir\a\"b.csv""#, BackslashRule::QuoteAndBackslash).unwrap();
        assert_eq!(parsed[0].1, r#"C:\dir\a"b.csv"#);
    }
}
