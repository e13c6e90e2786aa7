//! `Content-Disposition`: written for downloads (RFC 6266, RFC 8187), read from forms (RFC 7578 §4.2).

use std::fmt::Write as _;

use ::http::HeaderValue;
use percent_encoding::percent_decode_str;

use super::syntax::{self, BackslashRule};

/// What a browser is to do with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Save it.
    Attachment,
    /// Show it if it can.
    Inline,
}

impl Disposition {
    /// The header value that names the file `filename`, whatever characters that holds.
    ///
    /// A name of harmless ASCII stands in `filename="…"`. Any other gets there with `_` for what old
    /// clients misread (non-ASCII, controls, quote, backslash, percent: RFC 6266 appendix D) and is
    /// given exactly in `filename*` (RFC 8187), which current clients prefer.
    pub fn with_filename(self, filename: &str) -> HeaderValue {
        let kind = match self {
            Self::Attachment => "attachment",
            Self::Inline => "inline",
        };
        let is_plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%');
        let fallback: String = filename.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        let mut value = format!("{kind}; filename=\"{fallback}\"");
        if fallback != filename {
            value.push_str("; filename*=");
            value.push_str(&encode_ext_value(filename));
        }
        // Only visible ASCII and spaces are left, which every header value may hold.
        HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
    }
}

/// RFC 8187 §3.2.1: `UTF-8''` and the text's bytes, percent-encoded unless they are `attr-char`.
fn encode_ext_value(text: &str) -> String {
    let mut value = String::from("UTF-8''");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            value.push(byte as char);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

/// The `Content-Disposition` of a form's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormDataDisposition {
    /// The field's name.
    pub name: String,
    /// The file's name as the client gave it, possibly a path; absent when the field is no file.
    pub filename: Option<String>,
}

/// A part's `Content-Disposition` that is none of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("each part of a form needs a header like: Content-Disposition: form-data; name=\"file\"")]
pub struct InvalidFormDataDisposition;

impl FormDataDisposition {
    /// Reads the header of a part. Names are UTF-8 (anything else becomes U+FFFD); quotes and line breaks
    /// in them may be written `%22`, `%0D`, `%0A` as browsers do, or with a backslash as older clients
    /// do. `filename*` is not for forms but is understood, and wins over `filename`.
    ///
    /// # Errors
    /// [`InvalidFormDataDisposition`] when the type is not `form-data` or there is no `name`.
    pub fn parse(value: &[u8]) -> Result<Self, InvalidFormDataDisposition> {
        let text = String::from_utf8_lossy(value);
        let (kind, parameters) = text.split_at(text.find(';').unwrap_or(text.len()));
        if !syntax::trim_ows(kind).eq_ignore_ascii_case("form-data") {
            return Err(InvalidFormDataDisposition);
        }
        let parameters = syntax::parse_parameters(parameters, BackslashRule::QuoteAndBackslash)
            .ok_or(InvalidFormDataDisposition)?;
        let find = |name| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let name = find("name").map(decode_form_escapes).ok_or(InvalidFormDataDisposition)?;
        let filename = find("filename*")
            .and_then(decode_ext_value)
            .or_else(|| find("filename").map(decode_form_escapes));
        Ok(Self { name, filename })
    }
}

/// Undoes what browsers escape in a form's names (WHATWG HTML, multipart/form-data encoding algorithm).
/// Other percent signs stand for themselves there.
fn decode_form_escapes(text: &str) -> String {
    let quotes_decoded = text.replace("%22", "\"");
    let returns_decoded = quotes_decoded.replace("%0D", "\r").replace("%0d", "\r");
    returns_decoded.replace("%0A", "\n").replace("%0a", "\n")
}

/// Reads an RFC 8187 `ext-value`: `UTF-8'en'%e2%82%ac`; also ISO-8859-1. `None` if it is malformed.
fn decode_ext_value(text: &str) -> Option<String> {
    let mut fields = text.splitn(3, '\'');
    let (charset, _language, encoded) = (fields.next()?, fields.next()?, fields.next()?);
    let bytes: Vec<u8> = percent_decode_str(encoded).collect();
    if charset.eq_ignore_ascii_case("utf-8") {
        String::from_utf8(bytes).ok()
    } else if charset.eq_ignore_ascii_case("iso-8859-1") {
        Some(bytes.into_iter().map(char::from).collect())
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attachment(filename: &str) -> String {
        Disposition::Attachment.with_filename(filename).to_str().unwrap().to_owned()
    }

    #[test]
    fn names_are_written_for_old_and_new_clients() {
        for (filename, expected) in [
            ("flights.csv", r#"attachment; filename="flights.csv""#),
            ("my report (1).csv", r#"attachment; filename="my report (1).csv""#),
            ("a;b,c.csv", r#"attachment; filename="a;b,c.csv""#),
            ("café.csv", r#"attachment; filename="caf_.csv"; filename*=UTF-8''caf%C3%A9.csv"#),
            ("€ 数.csv", r#"attachment; filename="_ _.csv"; filename*=UTF-8''%E2%82%AC%20%E6%95%B0.csv"#),
            ("a\"b\\c.csv", r#"attachment; filename="a_b_c.csv"; filename*=UTF-8''a%22b%5Cc.csv"#),
            ("50%25.csv", r#"attachment; filename="50_25.csv"; filename*=UTF-8''50%2525.csv"#),
            (
                "a\r\nSet-Cookie: x",
                r#"attachment; filename="a__Set-Cookie: x"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"#,
            ),
        ] {
            assert_eq!(attachment(filename), expected);
        }
        assert_eq!(Disposition::Inline.with_filename("a.csv"), r#"inline; filename="a.csv""#);
    }

    #[test]
    fn a_forms_parts_are_read_as_clients_write_them() {
        let parsed = |value: &str| FormDataDisposition::parse(value.as_bytes()).unwrap();
        for (value, name, filename) in [
            (r#"form-data; name="tags""#, "tags", None),
            (r#"Form-Data;name=file;filename=a.csv"#, "file", Some("a.csv")),
            (r#"form-data; name="file"; filename="café 数.csv""#, "file", Some("café 数.csv")),
            (r#"form-data; name="a%22b"; filename="%22x%22%0D%0A.csv""#, "a\"b", Some("\"x\"\r\n.csv")),
            (r#"form-data; name="file"; filename="a\"b.csv""#, "file", Some("a\"b.csv")),
            (r#"form-data; name="file"; filename="C:\dir\f.csv""#, "file", Some(r"C:\dir\f.csv")),
            (r#"form-data; name="file"; filename="100%.csv""#, "file", Some("100%.csv")),
            (r#"form-data; name="file"; filename="""#, "file", Some("")),
            (r#"form-data; name=f; filename="x"; filename*=UTF-8''%e2%82%ac.csv"#, "f", Some("€.csv")),
            (r#"form-data; name=f; filename*=iso-8859-1'en'%A3.csv"#, "f", Some("£.csv")),
            (r#"form-data; name=f; filename="x"; filename*=UTF-8''%ff"#, "f", Some("x")),
            (r#"form-data; name=f; filename="x"; filename*=utf-16''ab"#, "f", Some("x")),
        ] {
            let expected = FormDataDisposition { name: name.into(), filename: filename.map(str::to_owned) };
            assert_eq!(parsed(value), expected, "{value}");
        }
        let not_utf8 = FormDataDisposition::parse(b"form-data; name=f; filename=\"caf\xe9.csv\"").unwrap();
        assert_eq!(not_utf8.filename.as_deref(), Some("caf\u{fffd}.csv"));
    }

    #[test]
    fn a_part_without_a_name_is_refused() {
        for value in [
            "",
            "form-data",
            "attachment; name=a",
            "form-data; filename=a",
            "form-data; name=\"a",
            "form-data name=a",
        ] {
            assert_eq!(
                FormDataDisposition::parse(value.as_bytes()),
                Err(InvalidFormDataDisposition),
                "{value}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_name_makes_a_safe_header_that_reads_back(filename in any::<String>()) {
            let value = attachment(&filename);
            prop_assert!(value.bytes().all(|b| (b' '..=b'~').contains(&b)));
            let as_form = value.replacen("attachment", "form-data; name=f", 1);
            let parsed = FormDataDisposition::parse(as_form.as_bytes()).unwrap();
            prop_assert_eq!(parsed.filename, Some(filename));
        }

        #[test]
        fn no_bytes_panic(tail in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = FormDataDisposition::parse(&tail);
            let _ = FormDataDisposition::parse(&[b"form-data; name=a; filename*=", tail.as_slice()].concat());
        }
    }
}
