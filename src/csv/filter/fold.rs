//! Case folding for the conditions that ignore case.
//!
//! To fold a character, this module maps the character to upper case, and then maps the result to lower case. Both
//! mappings are Unicode's simple (one to one) mappings. So `É` folds to `é`, `Σ` and `ς` fold to `σ`, and the Kelvin
//! sign folds to `k`. A mapping to several characters is not applied, so `ß` and `ss` stay different. The dotless `ı`
//! stays different from `i`, as in Unicode's table `CaseFolding.txt`. Rules that hold only in some languages are not
//! applied. Bytes that are not UTF-8 fold to themselves.

use std::cell::RefCell;

/// If a cell makes the buffer larger than this many bytes, the buffer is freed after this cell.
const MAX_KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static FOLDED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Folds `cell` into a buffer that is reused for every cell, and calls `f` with the folded bytes. `f` must not call
/// this function, because the buffer is in use.
#[inline]
pub(super) fn with_folded<T>(cell: &[u8], f: impl FnOnce(&[u8]) -> T) -> T {
    FOLDED.with_borrow_mut(|folded| {
        folded.clear();
        fold_into(cell, folded);
        let result = f(folded);
        if folded.capacity() > MAX_KEPT_BYTES {
            *folded = Vec::new();
        }
        result
    })
}

/// Returns `text` folded.
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

/// Folds one character.
pub(super) fn fold_character(character: char) -> char {
    match character {
        'ı' => character,
        _ if character.is_ascii() => character.to_ascii_lowercase(),
        _ => {
            let upper = single(character.to_uppercase()).unwrap_or(character);
            single(upper.to_lowercase()).unwrap_or(upper)
        }
    }
}

fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next()?;
    mapped.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_case_variants_of_a_character_fold_to_the_same_character() {
        for characters in ["Kk\u{212a}", "Ss\u{17f}", "ÉÉé", "Σσς", "Åå\u{212b}", "Жж", "µμΜ", "ßẞ", "ǄǅǆǄ"]
        {
            let folded: Vec<char> = characters.chars().map(fold_character).collect();
            assert!(folded.windows(2).all(|pair| pair[0] == pair[1]), "{characters} folds to {folded:?}");
        }
        for (one, other) in [('ı', 'i'), ('ß', 's'), ('İ', 'i'), ('é', 'e')] {
            assert_ne!(fold_character(one), fold_character(other));
        }
    }

    #[test]
    fn folding_is_idempotent() {
        for character in '\0'..=char::MAX {
            let once = fold_character(character);
            assert_eq!(fold_character(once), once, "{character:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_fold_to_themselves() {
        let folded = with_folded(b"A\xff\xc3\x89\xe2\x82B", <[u8]>::to_vec);
        assert_eq!(folded, b"a\xff\xc3\xa9\xe2\x82b");
    }
}
