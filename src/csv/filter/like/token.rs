//! The tokens of a pattern, and the division of a text into characters.

/// A token of a segment.
#[derive(Debug, Clone)]
pub(super) enum PatternToken {
    /// Text that the folded cell must have at this place. This text is folded too.
    Text(Vec<u8>),
    /// This number of consecutive `_`. Each `_` matches one character.
    Any(usize),
}

/// Returns the length of the first character in bytes; `None` if `text` is empty. A byte that is not part of valid
/// UTF-8 counts as one character.
pub(super) fn character_bytes(text: &[u8]) -> Option<usize> {
    let claimed = match text.first()? {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some(1),
    };
    let whole = text.get(..claimed).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok());
    Some(if whole { claimed } else { 1 })
}
