//! The kinds of characters that the guess distinguishes.

/// The kind of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Lower,
    Upper,
    /// A letter without case.
    Caseless,
    Digit,
    /// Any other ASCII character, such as a blank or punctuation. The start and the end of a cell count as an edge too.
    Edge,
    /// Any other character that is not ASCII, such as `£`.
    Symbol(char),
    /// A control character from U+0080 to U+009F, a private character, or a byte that the encoding does not use.
    Invalid,
}

impl Kind {
    pub(super) fn of(character: char) -> Self {
        match character {
            '\u{FFFD}' | '\u{80}'..='\u{9F}' | '\u{E000}'..='\u{F8FF}' => Self::Invalid,
            'ª' | 'º' | 'µ' | 'ƒ' | 'ˆ' | 'ˇ' => Self::Symbol(character),
            // Vowel signs and tone marks of Thai, Vietnamese, Hebrew and Arabic.
            '\u{E30}'..='\u{E4E}' | '\u{300}'..='\u{36F}' | '\u{5B0}'..='\u{5C7}' | '\u{640}'..='\u{65F}' => {
                Self::Caseless
            }
            _ if character.is_lowercase() => Self::Lower,
            _ if character.is_uppercase() => Self::Upper,
            _ if character.is_alphabetic() => Self::Caseless,
            _ if character.is_ascii_digit() => Self::Digit,
            _ if character.is_ascii() => Self::Edge,
            _ => Self::Symbol(character),
        }
    }

    pub(super) fn is_letter(self) -> bool {
        matches!(self, Self::Lower | Self::Upper | Self::Caseless)
    }
}
