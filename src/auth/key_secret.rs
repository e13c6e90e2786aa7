//! The secret of an API key: `cutty_`, 30 random characters, and 6 characters of a checksum, all in base62.
//!
//! The random characters have 178 bits. The checksum is the CRC-32 of the random characters. With the checksum, the
//! service refuses a mistyped secret without a call to the database, and programs that look for secrets in source code
//! find no false ones. The checksum protects nothing else: anybody can compute it.

use std::fmt;

use flate2::Crc;

use super::token::Keyring;
use crate::error::Result;
use crate::ports::Random;

/// Each secret begins with this text.
pub const PREFIX: &str = "cutty_";
/// Number of random characters.
const RANDOM_CHARACTERS: usize = 30;
/// Number of characters of the checksum: 62⁶ is greater than 2³².
const CHECKSUM_CHARACTERS: usize = 6;
/// Number of characters by which a user recognizes a secret.
const HINT_CHARACTERS: usize = 4;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The secret of an API key, with a right checksum. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret(String);

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(…)")
    }
}

/// The hashes of a secret: each is the HMAC-SHA-256 in hex, with one of the keys that sign tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretHashes {
    /// With the current key. New secrets are stored with this hash.
    pub current: String,
    /// With the previous key; `None` if there is no previous key.
    pub older: Option<String>,
}

impl KeySecret {
    /// Makes a new secret.
    pub fn fresh(random: &dyn Random) -> Self {
        let mut text = PREFIX.to_owned();
        let mut bytes = [0; 64];
        while text.len() < PREFIX.len() + RANDOM_CHARACTERS {
            random.fill(&mut bytes);
            let left = PREFIX.len() + RANDOM_CHARACTERS - text.len();
            // 248 is the greatest multiple of 62 in a byte. So each character is equally likely.
            let digits = bytes.iter().filter(|byte| **byte < 248).map(|byte| digit(u32::from(*byte)));
            text.extend(digits.take(left));
        }
        text.extend(checksum(text.get(PREFIX.len()..).unwrap_or_default()));
        Self(text)
    }

    /// Parses a secret. Returns `None` if the text has not the form of a secret, or if its checksum is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let is_base62 = rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if rest.len() != RANDOM_CHARACTERS + CHECKSUM_CHARACTERS || !is_base62 {
            return None;
        }
        let (random, sent) = rest.split_at_checked(RANDOM_CHARACTERS)?;
        sent.chars().eq(checksum(random)).then(|| Self(text.to_owned()))
    }

    /// Returns the text of the secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last four characters, by which a user recognizes the secret.
    pub fn hint(&self) -> &str {
        self.0.get(self.0.len() - HINT_CHARACTERS..).unwrap_or_default()
    }

    /// Returns the hashes under which the secret may be stored.
    ///
    /// # Errors
    /// `internal` if no key is configured.
    pub fn hashes(&self, keys: &Keyring<'_>) -> Result<SecretHashes> {
        // No JSON Web Token and no ticket begins with this text, so no hash is the signature of one of these.
        let mut hashes = keys.signatures(&format!("k1.{}", self.0))?.into_iter().map(hex::encode);
        let current = hashes.next().ok_or_else(|| crate::error::Problem::internal("no key to sign with"))?;
        Ok(SecretHashes { current, older: hashes.next() })
    }
}

fn digit(number: u32) -> char {
    char::from(BASE62[(number % 62) as usize])
}

/// Returns the CRC-32 of the random characters in base62, with leading zeros.
fn checksum(random: &str) -> impl Iterator<Item = char> + use<> {
    let mut crc = Crc::new();
    crc.update(random.as_bytes());
    let sum = crc.sum();
    (0..CHECKSUM_CHARACTERS as u32).rev().map(move |place| digit(sum / 62_u32.pow(place)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// A secret that was written down. Later versions must accept it.
    const KNOWN: &str = "cutty_0123456789ABCDEFGHIJKLMNOPQRST4PMbyp";

    /// Fills bytes with consecutive numbers.
    struct Counting(AtomicU8);

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Returns bytes one after the other, again and again.
    struct Given(Vec<u8>, AtomicU8);

    impl Random for Given {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0[usize::from(self.1.fetch_add(1, Ordering::Relaxed)) % self.0.len()];
            }
        }
    }

    #[test]
    fn the_form_of_secrets_is_stable() {
        let secret = KeySecret::fresh(&Counting(AtomicU8::new(0)));
        assert_eq!(secret.as_str(), KNOWN);
        assert_eq!(KeySecret::parse(KNOWN), Some(secret.clone()));
        assert_eq!(secret.hint(), &KNOWN[KNOWN.len() - 4..]);
        assert_eq!(format!("{secret:?}"), "KeySecret(…)");
    }

    #[test]
    fn the_checksum_is_the_crc_32_in_base62() {
        // The check value of CRC-32 (ISO-HDLC) for the digits 1 to 9 is cbf43926.
        let text: String = checksum("123456789").collect();
        let number = text.bytes().fold(0_u64, |sum, byte| {
            sum * 62 + BASE62.iter().position(|known| *known == byte).unwrap() as u64
        });
        assert_eq!(number, 0xcbf4_3926);
    }

    #[test]
    fn texts_of_another_form_are_no_secrets() {
        let long = format!("{KNOWN}0");
        let spaced = format!(" {KNOWN}");
        let other_prefix = KNOWN.replace("cutty_", "CUTTY_");
        let short = &KNOWN[..KNOWN.len() - 1];
        let umlaut = KNOWN.replacen("01", "ä", 1);
        for text in ["", "cutty_", &long, &spaced, &other_prefix, short, &umlaut, "eyJ0eXAi.e30.x"] {
            assert_eq!(KeySecret::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_new_secret_can_be_parsed(bytes in proptest::collection::vec(any::<u8>(), 64)) {
            prop_assume!(bytes.iter().any(|byte| *byte < 248));
            let secret = KeySecret::fresh(&Given(bytes, AtomicU8::new(0)));
            prop_assert_eq!(KeySecret::parse(secret.as_str()), Some(secret.clone()));
            prop_assert_eq!(secret.as_str().len(), 42);
        }

        #[test]
        fn a_secret_with_a_wrong_character_or_two_swapped_characters_is_refused(
            bytes in proptest::collection::vec(0_u8..248, 64), at in 6_usize..42, to in 0_usize..62, with in 6_usize..42,
        ) {
            let secret = KeySecret::fresh(&Given(bytes, AtomicU8::new(0)));
            let right = secret.as_str().as_bytes();
            let mut wrong = right.to_vec();
            wrong[at] = BASE62[to];
            let mut swapped = right.to_vec();
            swapped.swap(at, with);
            for text in [wrong, swapped] {
                let is_right = text == right;
                let text = String::from_utf8(text).unwrap();
                prop_assert_eq!(KeySecret::parse(&text).is_some(), is_right, "{}", text);
            }
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}", tail in "[0-9A-Za-zé]{36}") {
            let _ = KeySecret::parse(&text);
            let _ = KeySecret::parse(&format!("cutty_{tail}"));
        }
    }
}
