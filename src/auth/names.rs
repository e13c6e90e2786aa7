//! The rules for usernames and email addresses.

use crate::error::{Code, Problem, Result};

const USERNAME_CHARACTERS: usize = 64;
/// RFC 5321 §4.5.3.1 allows 256 bytes, including the two angle brackets around the address.
const EMAIL_BYTES: usize = 254;
const MAILBOX_BYTES: usize = 64;

/// Checks a username and removes surrounding white space. A name is ASCII, because the database ignores the case of
/// ASCII letters only. A name contains no `@` and no `:`, so that it cannot look like an email address or like the name
/// of a provisioned account.
///
/// # Errors
/// `bad_request` with the rules for a name.
pub fn parse_username(text: &str) -> Result<&str> {
    let name = text.trim();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    let usable = (1..=USERNAME_CHARACTERS).contains(&name.len())
        && name.bytes().all(allowed)
        && name.as_bytes()[0].is_ascii_alphanumeric();
    if usable {
        return Ok(name);
    }
    let detail =
        "A username has 1 to 64 letters (a to z), digits and . _ + -, and begins with a letter or digit.";
    Err(Problem::new(Code::BadRequest, detail).with("field", "username"))
}

/// Checks an email address and returns it in lower case, or `None` for empty text. The check finds typing mistakes. It
/// does not check all rules of RFC 5322, because only a delivered message proves that an address exists.
///
/// # Errors
/// `bad_request` if the text is not an email address.
pub fn parse_email(text: &str) -> Result<Option<String>> {
    let email = text.trim().to_ascii_lowercase();
    if email.is_empty() {
        return Ok(None);
    }
    let plausible = email.len() <= EMAIL_BYTES
        && email
            .split_once('@')
            .is_some_and(|(mailbox, domain)| is_plausible_mailbox(mailbox) && is_plausible_domain(domain));
    if plausible {
        return Ok(Some(email));
    }
    let detail = "This is not an email address. Send an address of the form name@example.com, in ASCII.";
    Err(Problem::new(Code::BadRequest, detail).with("field", "email"))
}

/// Whether the text can be an unquoted local part (RFC 5321 §4.1.2 `Dot-string`).
fn is_plausible_mailbox(mailbox: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    mailbox.len() <= MAILBOX_BYTES
        && mailbox.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(allowed))
}

fn is_plausible_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn user_names_are_ascii_and_cannot_look_like_emails_or_names_of_provisioned_accounts() {
        for name in ["a", "Ada.Lovelace", "x_y+z-1", "42", &"n".repeat(64)] {
            assert_eq!(parse_username(name).unwrap(), name);
        }
        assert_eq!(parse_username("  ada ").unwrap(), "ada");
        for name in ["", "  ", "a b", "ada@example.com", "user:42", "ädä", ".a", "-a", "a\n", &"n".repeat(65)]
        {
            let refused = name != "a\n";
            assert_eq!(parse_username(name).is_err(), refused, "{name:?}");
        }
    }

    #[test]
    fn emails_are_checked_and_converted_to_lower_case() {
        assert_eq!(parse_email(" Ada@Example.COM ").unwrap().as_deref(), Some("ada@example.com"));
        assert_eq!(parse_email("  ").unwrap(), None);
        for good in ["a.b+c@x.co", "o'neil@mail.example.org", "1@2.34"] {
            assert!(parse_email(good).unwrap().is_some(), "{good}");
        }
        let long_mailbox = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}.com", "a.".repeat(126));
        let bad =
            ["a", "a@", "@b.c", "a@b", "a@b..c", "a@@b.c", "a@b.c@d.e", ".a@b.c", "a.@b.c", "a..b@c.de"];
        let more =
            ["a b@c.de", "a@-b.c", "a@b-.c", "ä@b.c", "a@bü.de", "\"a\"@b.c", "<a@b.c>", "a@b.c\r\nx: y"];
        for email in bad.into_iter().chain(more).chain([long_mailbox.as_str(), long.as_str()]) {
            assert_eq!(parse_email(email).unwrap_err().code(), Code::BadRequest, "{email:?}");
        }
    }
}
