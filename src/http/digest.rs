//! `Repr-Digest` and `Content-Digest` (RFC 9530). Their values are dictionaries of structured fields (RFC 9651).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// A SHA-256 digest.
pub type Sha256 = [u8; 32];

/// Base64 without padding, or with non-zero trailing bits, is accepted, as RFC 9651 §4.2.7 recommends for parsers.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Error of a digest header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The value is not a dictionary.
    #[error("the digest header is malformed: send sha-256=:base64:")]
    Malformed,
    /// The dictionary has digests of other algorithms only.
    #[error("the digest header has no sha-256, the only digest that is checked: send sha-256=:base64:")]
    NoSha256,
    /// The value of `sha-256` is not 32 bytes in base64 between colons.
    #[error(
        "the sha-256 of the digest header must be 32 bytes in base64 between colons: send sha-256=:base64:"
    )]
    InvalidSha256,
}

/// Returns the header value for this digest: `sha-256=:…:`.
pub fn render(digest: &Sha256) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest))
}

/// Parses a digest header and returns its SHA-256. Returns `None` for an empty value. Digests of other algorithms in
/// the same header are ignored. If a key is repeated, its last value is used (RFC 9651 §4.2.2).
///
/// # Errors
/// [`DigestError`] if the header is malformed or has no SHA-256. RFC 9530 §2 allows a recipient to ignore such a
/// header, but a client that sends a digest wants it to be checked.
pub fn parse(value: &str) -> Result<Option<Sha256>, DigestError> {
    let mut digest = None;
    if value.trim_matches(' ').is_empty() {
        return Ok(None);
    }
    let mut reader = DigestParser { rest: value.trim_matches(' ') };
    while !reader.rest.is_empty() {
        let (key, item) = reader.member().ok_or(DigestError::Malformed)?;
        if key == "sha-256" {
            digest = Some(item);
        }
        reader.next_member().ok_or(DigestError::Malformed)?;
    }
    match digest {
        None => Err(DigestError::NoSha256),
        Some(Item::Bytes(bytes)) => bytes.try_into().map(Some).map_err(|_| DigestError::InvalidSha256),
        Some(Item::Other) => Err(DigestError::InvalidSha256),
    }
}

enum Item {
    Bytes(Vec<u8>),
    Other,
}

/// Parser of a structured field. Each method consumes the start of `rest`, and returns `None` if the syntax is wrong.
struct DigestParser<'a> {
    rest: &'a str,
}

impl<'a> DigestParser<'a> {
    /// Parses `key`, `key=item` or `key=(…)`, each with parameters.
    fn member(&mut self) -> Option<(&'a str, Item)> {
        let key = self.key()?;
        let item = match self.skip('=') {
            true if self.rest.starts_with('(') => self.inner_list()?,
            true => self.item()?,
            false => Item::Other,
        };
        self.parameters()?;
        Some((key, item))
    }

    /// Skips the comma between members. The list must not end with a comma.
    fn next_member(&mut self) -> Option<()> {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        if self.rest.is_empty() {
            return Some(());
        }
        self.skip(',').then_some(())?;
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        (!self.rest.is_empty()).then_some(())
    }

    fn key(&mut self) -> Option<&'a str> {
        self.rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '*').then_some(())?;
        Some(self.take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.*".contains(c)))
    }

    fn inner_list(&mut self) -> Option<Item> {
        self.skip('(').then_some(())?;
        loop {
            self.rest = self.rest.trim_start_matches(' ');
            if self.skip(')') {
                return Some(Item::Other);
            }
            self.item()?;
            self.parameters()?;
            self.rest.starts_with([' ', ')']).then_some(())?;
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.skip(';') {
            self.rest = self.rest.trim_start_matches(' ');
            self.key()?;
            if self.skip('=') {
                self.item()?;
            }
        }
        Some(())
    }

    fn item(&mut self) -> Option<Item> {
        match self.rest.chars().next()? {
            ':' => self.byte_sequence().map(Item::Bytes),
            '"' => self.string().map(|()| Item::Other),
            '?' => {
                self.rest = self.rest.strip_prefix("?0").or_else(|| self.rest.strip_prefix("?1"))?;
                Some(Item::Other)
            }
            '@' => {
                self.skip('@');
                self.number().map(|()| Item::Other)
            }
            '-' | '0'..='9' => self.number().map(|()| Item::Other),
            c if c.is_ascii_alphabetic() || c == '*' => {
                self.take_while(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c));
                Some(Item::Other)
            }
            _ => None,
        }
    }

    fn byte_sequence(&mut self) -> Option<Vec<u8>> {
        let (encoded, rest) = self.rest.strip_prefix(':')?.split_once(':')?;
        self.rest = rest;
        LENIENT.decode(encoded).ok()
    }

    fn string(&mut self) -> Option<()> {
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(());
                }
                '\\' => matches!(characters.next()?.1, '"' | '\\').then_some(())?,
                ' '..='~' => {}
                _ => return None,
            }
        }
        None
    }

    /// Parses an integer of at most 15 digits, or a decimal of at most 12 digits before the point and 3 after it.
    fn number(&mut self) -> Option<()> {
        self.skip('-');
        let whole = self.take_while(|c| c.is_ascii_digit()).len();
        if self.skip('.') {
            let fraction = self.take_while(|c| c.is_ascii_digit()).len();
            ((1..=12).contains(&whole) && (1..=3).contains(&fraction)).then_some(())
        } else {
            (1..=15).contains(&whole).then_some(())
        }
    }

    fn skip(&mut self, character: char) -> bool {
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (matched, rest) = self.rest.split_at(end);
        self.rest = rest;
        matched
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SHA-256 of the example of RFC 9530: `{"hello": "world"}` and a line feed.
    const EXAMPLE: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";

    #[test]
    fn the_example_of_the_rfc_is_parsed_and_rendered() {
        let digest = parse(EXAMPLE).unwrap().unwrap();
        assert_eq!(hex::encode(digest), "44aff4ab2d7c3250525675a08f0cfa9591168cffe51791c5f5bbc417c15a6c38");
        assert_eq!(render(&digest), EXAMPLE);
    }

    #[test]
    fn sha_256_is_found_among_other_members() {
        let digest = parse(EXAMPLE).unwrap();
        for value in [
            format!("{EXAMPLE}, unixsum=30637"),
            format!("sha-512=:AAAA:,\t{EXAMPLE};q=1;x=\"a\\\"b\""),
            format!("a=(1 \"x\" tok;p=?1), b, c=?0, d=-1.5, e=@1659578233, *f=*tok/x, {EXAMPLE}"),
            format!("sha-256=:AAAA:, {EXAMPLE}"),
        ] {
            assert_eq!(parse(&value), Ok(digest), "{value}");
        }
    }

    #[test]
    fn a_header_without_sha_256_is_an_error() {
        for value in ["sha-512=:AAAA:", "md5=:AAAA:, unixsum=1", "sha=:AAAA:", "sha-2567=1", "zzz"] {
            assert_eq!(parse(value), Err(DigestError::NoSha256), "{value}");
        }
        assert_eq!((parse(""), parse(" ")), (Ok(None), Ok(None)));
    }

    #[test]
    fn a_malformed_header_is_an_error() {
        for value in [
            "sha-256=:!!:",
            "sha-256=:AAAA",
            "SHA-256=:AAAA:",
            "sha-256=:AAAA:,",
            ",",
            "sha-256 =:AAAA:",
            "sha-256=",
            "sha-256=:AAAA: x",
            "a=1234567890123456",
            "a=1.2345",
            "a=(1",
            "a=(1\"x\")",
            "a=\"x",
            "a=\"\\x\"",
            "a=?2",
            "a=é",
            "sha-512=:A:",
            "a;=1",
            "44aff4ab2d7c3250",
        ] {
            assert_eq!(parse(value), Err(DigestError::Malformed), "{value}");
        }
        for value in
            ["sha-256=:AAAA:", "sha-256=44aff4", "sha-256", "sha-256=\"x\"", "sha-256=(:AAAA:)", "sha-256=::"]
        {
            let expected =
                if value == "sha-256=44aff4" { DigestError::Malformed } else { DigestError::InvalidSha256 };
            assert_eq!(parse(value), Err(expected), "{value}");
        }
    }

    proptest! {
        #[test]
        fn every_digest_round_trips(digest in any::<[u8; 32]>()) {
            prop_assert_eq!(parse(&render(&digest)), Ok(Some(digest)));
        }

        #[test]
        fn no_input_panics(text in "\\PC{0,40}", shaped in "[a*=:;,()\"\\\\?@. 0-9A-]{0,40}") {
            let _ = parse(&text);
            let _ = parse(&shaped);
        }
    }
}
