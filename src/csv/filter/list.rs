//! Parses a list in a query value. The list is one CSV record (RFC 4180): values with commas between them and optional
//! `"` around each value.

/// The error for a list that is not one CSV record. `position` is in characters from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::csv) struct ListError {
    pub(in crate::csv) position: usize,
    pub(in crate::csv) detail: &'static str,
}

/// Parses one CSV record into its values. Nothing is trimmed. An empty text is a list without values; `""` is a list
/// with one empty value.
///
/// # Errors
/// [`ListError`] for a quote that is not closed, text after a closing quote, and a line end outside quotes.
pub(in crate::csv) fn parse_list(text: &str) -> Result<Vec<String>, ListError> {
    parse(text, Blanks::Kept)
}

/// Does the same as [`parse_list`], but removes the blanks around each value and around its quotes. Blanks inside
/// quotes stay. So a list in a query has the same values as the same list in an expression.
pub(super) fn parse_values(text: &str) -> Result<Vec<String>, ListError> {
    parse(text, Blanks::Removed)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Blanks {
    Kept,
    Removed,
}

fn parse(text: &str, blanks: Blanks) -> Result<Vec<String>, ListError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let mut characters = text.chars().enumerate().peekable();
    let skip_blanks = |characters: &mut Characters<'_>| {
        let is_blank = |character: char| blanks == Blanks::Removed && matches!(character, ' ' | '\t');
        while characters.next_if(|(_, character)| is_blank(*character)).is_some() {}
    };
    loop {
        skip_blanks(&mut characters);
        let quote = characters.next_if(|(_, character)| *character == '"');
        let value = match quote {
            Some((opened, _)) => quoted(&mut characters, opened)?,
            None => {
                let value = bare(&mut characters)?;
                match blanks {
                    Blanks::Kept => value,
                    Blanks::Removed => value.trim_end_matches([' ', '\t']).to_owned(),
                }
            }
        };
        skip_blanks(&mut characters);
        values.push(value);
        match characters.next() {
            None => return Ok(values),
            Some((_, ',')) => {}
            Some((position, _)) => {
                let detail = "After a closing quote, write a comma or end the list. Double a quote that is part of the value.";
                return Err(ListError { position, detail });
            }
        }
    }
}

type Characters<'a> = std::iter::Peekable<std::iter::Enumerate<std::str::Chars<'a>>>;

fn quoted(characters: &mut Characters<'_>, opened: usize) -> Result<String, ListError> {
    let mut value = String::new();
    while let Some((_, character)) = characters.next() {
        if character != '"' {
            value.push(character);
        } else if characters.next_if(|(_, next)| *next == '"').is_some() {
            value.push('"');
        } else {
            return Ok(value);
        }
    }
    Err(ListError { position: opened, detail: "This quote is never closed." })
}

fn bare(characters: &mut Characters<'_>) -> Result<String, ListError> {
    let mut value = String::new();
    while let Some((position, character)) = characters.next_if(|(_, character)| *character != ',') {
        if matches!(character, '\n' | '\r') {
            let detail = "The list is one CSV record. Put a value that contains a line end in double quotes.";
            return Err(ListError { position, detail });
        }
        value.push(character);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_one_csv_record() {
        for (text, wanted) in [
            ("", &[] as &[&str]),
            ("a", &["a"]),
            ("a,b", &["a", "b"]),
            ("a, b ", &["a", " b "]),
            ("a,,b,", &["a", "", "b", ""]),
            (r#""""#, &[""]),
            (r#""a,b",c"#, &["a,b", "c"]),
            (r#""say ""hi""",O'Brien,12" x"#, &[r#"say "hi""#, "O'Brien", r#"12" x"#]),
            ("\"two\nlines\",(b)", &["two\nlines", "(b)"]),
        ] {
            assert_eq!(parse_list(text).as_deref(), Ok(wanted.map_owned().as_slice()), "{text}");
        }
    }

    #[test]
    fn the_values_of_a_filter_have_no_blanks_around_them() {
        for (text, wanted) in [
            ("1, 2", &["1", "2"] as &[&str]),
            (" a b ,\tc", &["a b", "c"]),
            (r#" "a, b" , " c " "#, &["a, b", " c "]),
            ("a, ,b", &["a", "", "b"]),
        ] {
            assert_eq!(parse_values(text).as_deref(), Ok(wanted.map_owned().as_slice()), "{text}");
        }
        assert_eq!(parse_values(r#"a, "b" c"#).map_err(|error| error.position), Err(7));
    }

    #[test]
    fn the_error_for_a_malformed_list_has_a_position() {
        for (text, position) in [(r#"a,"b"#, 2), (r#""a"b"#, 3), ("é,a\nb", 3), ("a\r", 1)] {
            assert_eq!(parse_list(text).map_err(|error| error.position), Err(position), "{text}");
        }
    }

    trait MapOwned {
        fn map_owned(&self) -> Vec<String>;
    }

    impl MapOwned for &[&str] {
        fn map_owned(&self) -> Vec<String> {
            self.iter().map(|&text| text.to_owned()).collect()
        }
    }
}
