//! Whether a client accepts gzip (`Accept-Encoding`, RFC 9110 §12.5.3).

use super::syntax;

/// Error: the header is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the header Accept-Encoding is malformed: send content codings with commas between them, such as gzip;q=0.5, br"
)]
pub struct MalformedAcceptEncoding;

/// Whether an `Accept-Encoding` header accepts gzip: the header names `gzip`, `x-gzip` or `*` with a weight above zero.
/// Returns `false` if the header is absent. The RFC allows any coding if the header is absent, but Cutty sends plain
/// bytes to a client that did not ask for gzip.
///
/// # Errors
/// [`MalformedAcceptEncoding`].
pub fn accepts_gzip(header: Option<&str>) -> Result<bool, MalformedAcceptEncoding> {
    let Some(header) = header else { return Ok(false) };
    match header.split(',').all(is_coding) {
        true => Ok(names_gzip(header)),
        false => Err(MalformedAcceptEncoding),
    }
}

/// Whether an element of the list is empty, or a coding with at most one weight: from 0 to 1, with at most three digits
/// after the dot (RFC 9110 §12.4.2).
fn is_coding(element: &str) -> bool {
    let mut parts = element.split(';').map(syntax::trim_ows);
    let (name, weight, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let is_name = syntax::is_token(name) || (name.is_empty() && weight.is_none());
    is_name && weight.is_none_or(is_weight) && more.is_none()
}

fn is_weight(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else { return false };
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let is_fraction = fraction.len() <= 3
        && match whole {
            "0" => fraction.bytes().all(|byte| byte.is_ascii_digit()),
            "1" => fraction.bytes().all(|byte| byte == b'0'),
            _ => false,
        };
    name.eq_ignore_ascii_case("q") && is_fraction
}

fn names_gzip(header: &str) -> bool {
    let mut any = false;
    for coding in header.split(',') {
        let mut parts = coding.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let accepted = parts.all(|parameter| !is_zero_weight(parameter));
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            return accepted;
        }
        any |= name == "*" && accepted;
    }
    any
}

fn is_zero_weight(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("q") && weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_accepted_only_with_a_weight_above_zero() {
        for accepted in ["gzip", "br, gzip;q=0.5", "GZIP", "x-gzip", "*", "identity, *;q=0.1", "gzip ; q=1"] {
            assert_eq!(accepts_gzip(Some(accepted)), Ok(true), "{accepted}");
        }
        for refused in ["", "br", "identity", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "deflate"] {
            assert_eq!(accepts_gzip(Some(refused)), Ok(false), "{refused}");
        }
        assert_eq!(accepts_gzip(None), Ok(false));
    }

    #[test]
    fn empty_elements_and_every_weight_of_the_rfc_are_accepted() {
        for header in ["", " ", ",", "gzip,", ", br ,, gzip", "br;q=0, gzip;q=1.000", "*;Q=0.123", "x!y"] {
            assert!(accepts_gzip(Some(header)).is_ok(), "{header}");
        }
    }

    #[test]
    fn a_malformed_header_is_an_error() {
        for header in [
            "gzip br",
            "gzip;q",
            "gzip;q=x",
            "gzip;q=1.5",
            "gzip;q=-1",
            "gzip;q=1;q=1",
            ";q=1",
            "\"gzip\"",
            "é",
        ] {
            assert_eq!(accepts_gzip(Some(header)), Err(MalformedAcceptEncoding), "{header}");
        }
    }
}
