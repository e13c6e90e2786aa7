//! `Content-Disposition`: rendered for downloads (RFC 6266, RFC 8187) and parsed from form parts (RFC 7578 §4.2).

use std::fmt::Write as _;

use ::http::HeaderValue;
use percent_encoding::percent_decode_str;

use super::syntax::{self, BackslashRule};

/// The action that a browser should take with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Save the response as a file.
    Attachment,
    /// Show the response if possible.
    Inline,
}

impl Disposition {
    /// Returns the header value for a file with this name. The name may contain any characters.
    ///
    /// Old clients misread characters outside ASCII, control characters, quotes, backslashes and percent signs (RFC
    /// 6266 appendix D). In `filename="…"`, `_` replaces these characters. If a character was replaced, the exact name
    /// follows in `filename*` (RFC 8187). Current clients prefer `filename*`.
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
        // The value consists of visible ASCII and spaces, so the conversion cannot fail.
        HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
    }
}

/// Encodes a text as `ext-value` (RFC 8187 §3.2.1): `UTF-8''`, followed by the bytes of the text. A byte that is not an
/// `attr-char` is percent-encoded.
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

/// The `Content-Disposition` of a form part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormDataDisposition {
    /// Name of the form field.
    pub name: String,
    /// Filename as sent, possibly a path; `None` if the form part is not a file.
    pub filename: Option<String>,
}

/// Reasons to refuse the `Content-Disposition` of a form part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFormDataDisposition {
    /// The header is missing or malformed, or has a parameter twice.
    #[error("each part of a form needs a header like: Content-Disposition: form-data; name=\"file\"")]
    Malformed,
    /// The name or the filename of the form part is not UTF-8.
    #[error("a name or filename of a part of the form is not UTF-8: encode it as UTF-8")]
    NotUtf8,
    /// `filename*` is malformed, or in a character set other than UTF-8 and ISO-8859-1.
    #[error("the filename* of a part of the form cannot be read: send filename=\"…\" in UTF-8 instead")]
    ExtendedFilename,
}

impl FormDataDisposition {
    /// Parses the header of a form part. Names are UTF-8. Browsers escape quotes and line breaks in a name as `%22`,
    /// `%0D` and `%0A`. Older clients escape quotes and backslashes with a backslash. Both kinds of escapes are
    /// decoded. A percent-encoded `filename` is decoded too (RFC 7578 §2), but only if it is ASCII and the decoded text
    /// is UTF-8 with characters outside ASCII. RFC 7578 does not allow `filename*` in forms, but this function reads it
    /// and prefers it to `filename`.
    ///
    /// # Errors
    /// [`InvalidFormDataDisposition`]. A header also counts as malformed if its type is not `form-data`, or if it has
    /// no `name`.
    pub fn parse(value: &[u8]) -> Result<Self, InvalidFormDataDisposition> {
        use InvalidFormDataDisposition::{ExtendedFilename, Malformed, NotUtf8};
        let text = std::str::from_utf8(value).map_err(|_| NotUtf8)?;
        let (kind, parameters) = text.split_at(text.find(';').unwrap_or(text.len()));
        if !syntax::trim_ows(kind).eq_ignore_ascii_case("form-data") {
            return Err(Malformed);
        }
        let parameters =
            syntax::parse_parameters(parameters, BackslashRule::QuoteAndBackslash).ok_or(Malformed)?;
        let find = |name| {
            let mut found = parameters.iter().filter(|(known, _)| known == name);
            match (found.next(), found.next()) {
                (first, None) => Ok(first.map(|(_, value)| value.as_str())),
                (_, Some(_)) => Err(Malformed),
            }
        };
        let name = find("name")?.map(decode_form_escapes).ok_or(Malformed)?;
        let plain =
            find("filename")?.map(|name| decode_percent(name).unwrap_or_else(|| decode_form_escapes(name)));
        let filename = match find("filename*")? {
            Some(extended) => Some(decode_ext_value(extended).ok_or(ExtendedFilename)?),
            None => plain,
        };
        Ok(Self { name, filename })
    }
}

/// Decodes a percent-encoded filename. Returns `None` if the text is not ASCII, if one of its percent signs begins no
/// escape, or if the decoded bytes are ASCII or not UTF-8. In these cases, the percent signs may belong to the name.
fn decode_percent(text: &str) -> Option<String> {
    let is_escape = |at: usize| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.is_ascii() || !text.match_indices('%').all(|(at, _)| is_escape(at)) {
        return None;
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (!decoded.is_ascii()).then(|| decoded.into_owned())
}

/// Decodes the three escapes that browsers use in names of form parts (WHATWG HTML, multipart/form-data encoding
/// algorithm). Other percent signs are not escapes.
fn decode_form_escapes(text: &str) -> String {
    let quotes_decoded = text.replace("%22", "\"");
    let returns_decoded = quotes_decoded.replace("%0D", "\r").replace("%0d", "\r");
    returns_decoded.replace("%0A", "\n").replace("%0a", "\n")
}

/// Decodes an `ext-value` (RFC 8187) in UTF-8 or ISO-8859-1, such as `UTF-8'en'%e2%82%ac`. Returns `None` if it is
/// malformed or in another character set.
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
    fn names_are_rendered_for_old_and_new_clients() {
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
    fn the_headers_of_form_parts_from_common_clients_are_parsed() {
        let parsed = |value: &str| FormDataDisposition::parse(value.as_bytes()).unwrap();
        for (value, name, filename) in [
            (r#"form-data; name="tags""#, "tags", None),
            (r#"Form-Data;name=file;filename=a.csv"#, "file", Some("a.csv")),
            (r#"form-data; name="file"; filename="café 数.csv""#, "file", Some("café 数.csv")),
            (r#"form-data; name="a%22b"; filename="%22x%22%0D%0A.csv""#, "a\"b", Some("\"x\"\r\n.csv")),
            (r#"form-data; name="file"; filename="a\"b.csv""#, "file", Some("a\"b.csv")),
            (r#"form-data; name="file"; filename="C:\dir\f.csv""#, "file", Some(r"C:\dir\f.csv")),
            (r#"form-data; name="file"; filename="100%.csv""#, "file", Some("100%.csv")),
            (r#"form-data; name="file"; filename="caf%C3%A9%20%22x%22.csv""#, "file", Some("café \"x\".csv")),
            (r#"form-data; name="file"; filename="100%25%20a.csv""#, "file", Some("100%25%20a.csv")),
            (r#"form-data; name="file"; filename="caf%E9.csv""#, "file", Some("caf%E9.csv")),
            (r#"form-data; name="file"; filename="caf%C3%A9 100%.csv""#, "file", Some("caf%C3%A9 100%.csv")),
            (r#"form-data; name="file"; filename="""#, "file", Some("")),
            (r#"form-data; name=f; filename="x"; filename*=UTF-8''%e2%82%ac.csv"#, "f", Some("€.csv")),
            (r#"form-data; name=f; filename*=iso-8859-1'en'%A3.csv"#, "f", Some("£.csv")),
        ] {
            let expected = FormDataDisposition { name: name.into(), filename: filename.map(str::to_owned) };
            assert_eq!(parsed(value), expected, "{value}");
        }
    }

    #[test]
    fn names_that_cannot_be_read_are_refused() {
        use InvalidFormDataDisposition::{ExtendedFilename, NotUtf8};
        let cases: [(&[u8], _); 6] = [
            (b"form-data; name=f; filename=\"caf\xe9.csv\"", NotUtf8),
            (b"form-data; name=\"ta\xffgs\"", NotUtf8),
            (b"form-data; name=f; other=\"\xe9\"", NotUtf8),
            (b"form-data; name=f; filename=\"x\"; filename*=UTF-8''%ff", ExtendedFilename),
            (b"form-data; name=f; filename=\"x\"; filename*=utf-16''ab", ExtendedFilename),
            (b"form-data; name=f; filename*=x.csv", ExtendedFilename),
        ];
        for (value, error) in cases {
            let shown = String::from_utf8_lossy(value);
            assert_eq!(FormDataDisposition::parse(value), Err(error), "{shown}");
        }
    }

    #[test]
    fn form_part_headers_that_are_malformed_or_have_no_name_are_refused() {
        for value in [
            "",
            "form-data",
            "attachment; name=a",
            "form-data; filename=a",
            "form-data; name=\"a",
            "form-data name=a",
            "form-data; name=a; name=b",
            "form-data; name=file; filename=a.csv; Filename=b.csv",
        ] {
            assert_eq!(
                FormDataDisposition::parse(value.as_bytes()),
                Err(InvalidFormDataDisposition::Malformed),
                "{value}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_name_is_rendered_in_ascii_and_parsed_back(filename in any::<String>()) {
            let value = attachment(&filename);
            prop_assert!(value.bytes().all(|b| (b' '..=b'~').contains(&b)));
            let as_form = value.replacen("attachment", "form-data; name=f", 1);
            let parsed = FormDataDisposition::parse(as_form.as_bytes()).unwrap();
            prop_assert_eq!(parsed.filename, Some(filename));
        }

        #[test]
        fn parsing_never_panics(tail in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = FormDataDisposition::parse(&tail);
            let _ = FormDataDisposition::parse(&[b"form-data; name=a; filename*=", tail.as_slice()].concat());
        }
    }
}
