//! What a pattern is made of, and what counts as a character of a text.

/// Part of a stretch.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// This text, folded.
    Text(Vec<u8>),
    /// This many characters, whatever they are.
    Any(usize),
}

/// How many bytes the first character takes; `None` when there is none.
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
