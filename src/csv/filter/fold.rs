//! Case folding, for the tests that ignore case.
//!
//! A character folds to the lower case of its upper case, as Unicode's simple (one to one) mappings give
//! them: `É` and `é`, `Σ`, `σ` and `ς`, `K` and the Kelvin sign fold alike. Where a mapping would give several
//! characters it is not applied, so `ß` and `ss` stay apart; the dotless `ı` stays apart from `i`, as in
//! Unicode's CaseFolding. No language's own rules apply. Bytes that are not UTF-8 fold to themselves.

use std::cell::RefCell;

/// A folded cell longer than this gives its memory back once it was looked at.
const KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static FOLDED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls `look` with `cell` folded, in a buffer that is reused from cell to cell. `look` must not fold.
#[inline]
pub(super) fn with_folded<T>(cell: &[u8], look: impl FnOnce(&[u8]) -> T) -> T {
    FOLDED.with_borrow_mut(|folded| {
        folded.clear();
        fold_into(cell, folded);
        let seen = look(folded);
        if folded.capacity() > KEPT_BYTES {
            *folded = Vec::new();
        }
        seen
    })
}

/// `text` folded.
pub(super) fn fold(text: &str) -> Box<[u8]> {
    let mut folded = Vec::with_capacity(text.len());
    fold_into(text.as_bytes(), &mut folded);
    folded.into_boxed_slice()
}

fn fold_into(text: &[u8], folded: &mut Vec<u8>) {
    if text.is_ascii() {
        folded.extend_from_slice(text);
        folded.make_ascii_lowercase();
        return;
    }
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            folded.extend_from_slice(fold_character(character).encode_utf8(&mut [0; 4]).as_bytes());
        }
        folded.extend_from_slice(chunk.invalid());
    }
}

/// One character folded.
pub(super) fn fold_character(character: char) -> char {
    match character {
        'ı' => character,
        _ if character.is_ascii() => character.to_ascii_lowercase(),
        _ => {
            let upper = only(character.to_uppercase()).unwrap_or(character);
            only(upper.to_lowercase()).unwrap_or(upper)
        }
    }
}

fn only(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next()?;
    mapped.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_differ_in_case_fold_alike() {
        for alike in ["Kk\u{212a}", "Ss\u{17f}", "ÉÉé", "Σσς", "Åå\u{212b}", "Жж", "µμΜ", "ßẞ", "ǄǅǆǄ"]
        {
            let folded: Vec<char> = alike.chars().map(fold_character).collect();
            assert!(folded.windows(2).all(|pair| pair[0] == pair[1]), "{alike} folds to {folded:?}");
        }
        for (one, other) in [('ı', 'i'), ('ß', 's'), ('İ', 'i'), ('é', 'e')] {
            assert_ne!(fold_character(one), fold_character(other));
        }
    }

    #[test]
    fn folding_twice_changes_nothing_more() {
        for character in '\0'..=char::MAX {
            let once = fold_character(character);
            assert_eq!(fold_character(once), once, "{character:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_stay() {
        let folded = with_folded(b"A\xff\xc3\x89\xe2\x82B", <[u8]>::to_vec);
        assert_eq!(folded, b"a\xff\xc3\xa9\xe2\x82b");
    }
}
