//! Shortens text from a request before an error message repeats it, so that a response is never as long as the
//! request.

/// The most characters that are repeated.
const SHOWN_CHARACTERS: usize = 100;

/// Returns `text`, cut after 100 characters.
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
    fn only_texts_of_more_than_a_hundred_characters_are_cut() {
        let whole = "é".repeat(SHOWN_CHARACTERS);
        assert_eq!(shortened(&whole), whole);
        assert_eq!(shortened(&format!("{whole}x")), format!("{whole}…"));
        assert_eq!(shortened(""), "");
    }
}
