//! What a client wrote, as an error repeats it: the beginning, so that no answer is as long as the request it refuses.

/// The most characters of it.
const SHOWN_CHARACTERS: usize = 100;

/// The beginning of a long text; a short one whole.
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
    fn only_long_texts_lose_their_end() {
        let whole = "é".repeat(SHOWN_CHARACTERS);
        assert_eq!(shortened(&whole), whole);
        assert_eq!(shortened(&format!("{whole}x")), format!("{whole}…"));
        assert_eq!(shortened(""), "");
    }
}
