//! Shortens text from a request before an error message repeats the text. So a long request does not cause a long
//! response.

/// Maximum number of characters that a message repeats.
const SHOWN_CHARACTERS: usize = 100;

/// Returns `text` if it has at most 100 characters. Otherwise returns the first 100 characters and `…`.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_of_more_than_a_hundred_characters_are_shortened() {
        let whole = "é".repeat(SHOWN_CHARACTERS);
        assert_eq!(shortened(&whole), whole);
        assert_eq!(shortened(&format!("{whole}x")), format!("{whole}…"));
        assert_eq!(shortened(""), "");
    }
}
