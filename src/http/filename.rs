//! Filenames as users see them.
//!
//! Unicode is kept unchanged, without normalization.
//!
//! - Refused: control characters and line separators (they can break headers, logs and terminals), path separators,
//!   `.` and `..`, empty names, and more than 255 bytes.
//! - Removed: bidirectional overrides, embeddings and isolates, other characters that are never visible, such as U+200B
//!   (all of them can make a name look like another name), and blanks at both ends.
//!
//! A filename is never part of an object key.

use std::fmt;

use percent_encoding::percent_decode;

/// A filename: not empty, at most 255 bytes of UTF-8, one line, not a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filename(String);

/// Reason why a filename is refused. The message also says what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilenameError {
    /// The name is empty after blanks and invisible characters were removed.
    #[error("the filename is empty: name the file, for example data.csv")]
    Empty,
    /// The name is `.` or `..`.
    #[error("a file cannot be named '.' or '..': choose another name")]
    Dots,
    /// The name has more than [`Filename::MAX_BYTES`] bytes.
    #[error("the filename has {bytes} bytes of UTF-8, but at most 255 are allowed: shorten it")]
    TooLong {
        /// Length of the name in bytes.
        bytes: usize,
    },
    /// The name contains a control character, or a Unicode line or paragraph separator.
    #[error("the filename contains the control character U+{code:04X}: remove it")]
    ControlCharacter {
        /// Code point of the character.
        code: u32,
    },
    /// The name contains `/` or `\`.
    #[error("the filename contains a path separator (/ or \\): send the name without its folder")]
    PathSeparator,
    /// A `%` in `X-File-Name` is not followed by two hexadecimal digits.
    #[error("X-File-Name must be percent-encoded: write a percent sign as %25")]
    BadPercentEncoding,
    /// The decoded bytes are not UTF-8.
    #[error("the filename must be UTF-8: send it percent-encoded in X-File-Name")]
    NotUtf8,
}

/// Returns a text without blanks at both ends, bidirectional controls and characters that are never visible.
///
/// # Errors
/// The code point of a control character, or of a Unicode line or paragraph separator.
pub fn visible_line(text: &str) -> Result<String, u32> {
    let visible: String = text.chars().filter(|c| !is_bidi_control(*c) && !is_never_visible(*c)).collect();
    let line = visible.trim();
    match line.chars().find(|c| is_line_or_control(*c)) {
        Some(control) => Err(u32::from(control)),
        None => Ok(line.to_owned()),
    }
}

impl Filename {
    /// Maximum length of a name in bytes, the limit of common file systems.
    pub const MAX_BYTES: usize = 255;

    /// Parses a name that a user chose for a file or for a saved cut. A name with a path separator is refused. If Cutty
    /// kept only the last component, the user would lose a part of the name.
    ///
    /// # Errors
    /// [`FilenameError`].
    pub fn parse(text: &str) -> Result<Self, FilenameError> {
        if text.contains(['/', '\\']) {
            return Err(FilenameError::PathSeparator);
        }
        let name = visible_line(text).map_err(|code| FilenameError::ControlCharacter { code })?;
        match name.as_str() {
            "" => Err(FilenameError::Empty),
            "." | ".." => Err(FilenameError::Dots),
            _ if name.len() > Self::MAX_BYTES => Err(FilenameError::TooLong { bytes: name.len() }),
            _ => Ok(Self(name)),
        }
    }

    /// Parses the filename of a form part. Some clients send the whole path of the file on their disk. Only the last
    /// component of such a path is used (RFC 7578 §4.2).
    ///
    /// # Errors
    /// [`FilenameError`].
    pub fn from_client_path(path: &str) -> Result<Self, FilenameError> {
        Self::parse(path.rsplit(['/', '\\']).next().unwrap_or_default())
    }

    /// Parses the name in an `X-File-Name` header: UTF-8 text in which any byte may be percent-encoded.
    ///
    /// # Errors
    /// [`FilenameError`].
    pub fn from_header(value: &[u8]) -> Result<Self, FilenameError> {
        let is_escape = |at: usize| {
            value.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        if memchr::memchr_iter(b'%', value).any(|at| !is_escape(at)) {
            return Err(FilenameError::BadPercentEncoding);
        }
        Self::parse(&percent_decode(value).decode_utf8().map_err(|_| FilenameError::NotUtf8)?)
    }

    /// Returns the default name of a derived file, such as the result of a cut. With the suffix `cut` and the extension
    /// `csv`, `flights.csv` becomes `flights-cut.csv`. If the new name would be too long, its stem is shortened.
    pub fn derived(&self, suffix: &str, extension: &str) -> Self {
        let tail = format!("-{suffix}.{extension}");
        let room = Self::MAX_BYTES.saturating_sub(tail.len());
        let stem = self.stem();
        let end = (0..=room.min(stem.len())).rev().find(|at| stem.is_char_boundary(*at)).unwrap_or(0);
        Self(format!("{}{tail}", &stem[..end]))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text after the last dot. Returns `None` if this text does not start with an ASCII letter, or is not
    /// 1 to 8 ASCII letters and digits. A name such as `.csv` has no extension.
    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = self.0.rsplit_once('.')?;
        let starts_with_letter = extension.starts_with(|c: char| c.is_ascii_alphabetic());
        let alphanumeric = extension.bytes().all(|b| b.is_ascii_alphanumeric());
        (!stem.is_empty() && starts_with_letter && alphanumeric && extension.len() <= 8).then_some(extension)
    }

    /// Returns the extension as operating systems see it: the text after the last dot. Dots and blanks at the end of
    /// the name do not count, because Windows ignores them. In contrast to [`Self::extension`], this function returns
    /// an extension for `.htaccess`.
    ///
    /// Joiners, marks of direction and variation selectors do not count either, because they are not visible.
    ///
    /// Returns `None` if the name has no dot. Also returns `None` if the text after the last dot has no ASCII letter
    /// (`v1.2`), or has a character that is not visible ASCII, such as the blank in `Dr. Who`. No known format has an
    /// extension of this kind.
    pub fn system_extension(&self) -> Option<String> {
        let visible: String = self.0.chars().filter(|c| !is_formatting(*c)).collect();
        let (_, extension) = visible.trim_end_matches(['.', ' ']).rsplit_once('.')?;
        let is_printable = extension.bytes().all(|b| b.is_ascii_graphic());
        let has_letter = extension.bytes().any(|b| b.is_ascii_alphabetic());
        (is_printable && has_letter).then(|| extension.to_owned())
    }

    /// Returns the name without its extension.
    pub fn stem(&self) -> &str {
        let extension_length = self.extension().map_or(0, |extension| extension.len() + 1);
        &self.0[..self.0.len() - extension_length]
    }
}

impl fmt::Display for Filename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the character is a bidirectional embedding, override or isolate (Unicode Bidirectional Algorithm §2). Such a
/// character changes the order of displayed text. The result is `false` for the marks U+200E and U+200F, because
/// right-to-left names need them.
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether the character is invisible and has no use in a name: soft hyphen, fillers, zero-width space, word joiner,
/// invisible operators, byte order mark, old shaping controls, and language tags.
fn is_never_visible(character: char) -> bool {
    matches!(
        character,
        '\u{AD}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180E}' | '\u{200B}' | '\u{2060}'..='\u{2065}'
            | '\u{206A}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E001F}'
    )
}

/// Whether the character is invisible but has a use in names: joiners, marks of direction, variation selectors, and the
/// tags of flags.
fn is_formatting(character: char) -> bool {
    matches!(
        character,
        '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180F}' | '\u{200C}'..='\u{200F}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{E0020}'..='\u{E0FFF}'
    )
}

fn is_line_or_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unicode_names_are_kept_unchanged() {
        for name in [
            "flights.csv",
            "Übersicht 2024 – final (v1.2).csv",
            "数据.csv",
            "cafe\u{301}.csv",
            "שלום\u{200f}.csv",
            "👩‍🔬.csv",
            ".csv",
            "…",
        ] {
            assert_eq!(Filename::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn invisible_characters_and_outer_blanks_are_removed() {
        for (text, expected) in [
            ("a.csv\u{200b}", "a.csv"),
            ("\u{e0001}x\u{ad}.c\u{feff}sv", "x.csv"),
            ("  a.csv\t", "a.csv"),
            ("\u{202e}vsc.exe", "vsc.exe"),
            ("a\u{2066}b\u{2069}.csv", "ab.csv"),
        ] {
            assert_eq!(Filename::parse(text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn bad_names_are_refused_with_the_reason() {
        for (text, expected) in [
            ("", FilenameError::Empty),
            (" \u{202e} ", FilenameError::Empty),
            (".", FilenameError::Dots),
            (" .. ", FilenameError::Dots),
            ("a\0b", FilenameError::ControlCharacter { code: 0 }),
            ("a\r\nb", FilenameError::ControlCharacter { code: 13 }),
            ("a\u{85}b", FilenameError::ControlCharacter { code: 0x85 }),
            ("a\u{2028}b", FilenameError::ControlCharacter { code: 0x2028 }),
            ("a/b.csv", FilenameError::PathSeparator),
            ("..\\b.csv", FilenameError::PathSeparator),
        ] {
            assert_eq!(Filename::parse(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn the_limit_of_a_filename_counts_bytes_and_not_characters() {
        assert!(Filename::parse(&"x".repeat(255)).is_ok());
        assert_eq!(Filename::parse(&"é".repeat(128)), Err(FilenameError::TooLong { bytes: 256 }));
    }

    #[test]
    fn the_last_component_of_a_path_in_a_form_becomes_the_filename() {
        for (path, expected) in [
            ("C:\\fakepath\\a.csv", Ok("a.csv")),
            ("../../etc/a.csv", Ok("a.csv")),
            ("a.csv", Ok("a.csv")),
            ("dir/", Err(FilenameError::Empty)),
            ("../..", Err(FilenameError::Dots)),
        ] {
            assert_eq!(
                Filename::from_client_path(path),
                expected.map(|name| Filename(name.to_owned())),
                "{path}"
            );
        }
    }

    #[test]
    fn the_header_is_decoded_as_percent_encoded_utf8() {
        for (value, expected) in [
            (&b"caf%C3%A9%20+.csv"[..], Ok("café +.csv")),
            ("café.csv".as_bytes(), Ok("café.csv")),
            (b"100%25.csv", Ok("100%.csv")),
            (b"100%.csv", Err(FilenameError::BadPercentEncoding)),
            (b"a%2", Err(FilenameError::BadPercentEncoding)),
            (b"caf%E9.csv", Err(FilenameError::NotUtf8)),
            (b"caf\xe9.csv", Err(FilenameError::NotUtf8)),
            (b"a%00.csv", Err(FilenameError::ControlCharacter { code: 0 })),
            (b"..%2Fa.csv", Err(FilenameError::PathSeparator)),
        ] {
            assert_eq!(Filename::from_header(value), expected.map(|name| Filename(name.to_owned())));
        }
    }

    #[test]
    fn a_derived_name_keeps_the_stem() {
        for (name, expected) in [
            ("flights.csv", "flights-cut.csv"),
            ("a.b.TSV", "a.b-cut.csv"),
            ("flights", "flights-cut.csv"),
            ("data v1.2", "data v1.2-cut.csv"),
            (".csv", ".csv-cut.csv"),
            ("a.", "a.-cut.csv"),
        ] {
            assert_eq!(Filename::parse(name).unwrap().derived("cut", "csv").as_str(), expected);
        }
    }

    proptest! {
        #[test]
        fn accepted_and_derived_names_are_valid(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let results = [Filename::parse(&text), Filename::from_client_path(&text), Filename::from_header(&bytes)];
            for name in results.into_iter().flatten() {
                prop_assert_eq!(Filename::parse(name.as_str()), Ok(name.clone()));
                let derived = name.derived("cut", "csv");
                prop_assert_eq!(Filename::parse(derived.as_str()), Ok(derived.clone()));
            }
        }

        #[test]
        fn a_name_derived_from_a_long_name_fits_the_limit(text in "[aé数👩]{50,80}") {
            if let Ok(name) = Filename::parse(&text) {
                let derived = name.derived("filtered", "tsv");
                prop_assert!(derived.as_str().len() <= Filename::MAX_BYTES);
                prop_assert!(derived.as_str().ends_with("-filtered.tsv"));
            }
        }
    }
}
