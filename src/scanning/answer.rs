//! The answer of the scanner.

use serde::Deserialize;

use crate::ports::ScanAnswer;

/// Maximum length of a signature that is shown or logged, in characters.
const MAX_SIGNATURE: usize = 100;

/// What the scanner says about the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanOutcome {
    /// The scanner found nothing.
    Clean,
    /// The scanner found something. The text is the name of the signature; empty if the scanner sent none.
    Infected(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Clean,
    Infected,
}

#[derive(Deserialize)]
struct Answer {
    verdict: Verdict,
    #[serde(default)]
    signature: Option<String>,
}

/// Parses an answer. Only the status 200 with a JSON object that has a known `verdict` is an answer. Other members are
/// ignored.
///
/// # Errors
/// The reason why the answer cannot be used, as a text for the log. It contains no text of the answer.
pub fn parse(answer: &ScanAnswer) -> Result<ScanOutcome, String> {
    if answer.status != 200 {
        return Err(format!("the scanner answered with the status {}", answer.status));
    }
    let parsed: Answer = serde_json::from_slice(&answer.body)
        .map_err(|_| "the scanner's answer is no JSON object with a known verdict".to_owned())?;
    Ok(match parsed.verdict {
        Verdict::Clean => ScanOutcome::Clean,
        Verdict::Infected => ScanOutcome::Infected(shown(&parsed.signature.unwrap_or_default())),
    })
}

/// Returns the visible ASCII characters of a signature, because the scanner may repeat bytes of the file in it.
fn shown(signature: &str) -> String {
    let visible = signature.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ');
    visible.take(MAX_SIGNATURE).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(status: u16, body: &str) -> Result<ScanOutcome, String> {
        parse(&ScanAnswer { status, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn an_answer_with_a_verdict_is_parsed() {
        let infected = |name: &str| Ok(ScanOutcome::Infected(name.to_owned()));
        for (body, wanted) in [
            (r#"{"verdict":"clean"}"#, Ok(ScanOutcome::Clean)),
            (r#" {"verdict": "clean", "signature": null, "engine": {"name": "x"}} "#, Ok(ScanOutcome::Clean)),
            (r#"{"verdict":"infected"}"#, infected("")),
            (r#"{"verdict":"infected","signature":"Win.Test-1"}"#, infected("Win.Test-1")),
            (r#"{"verdict":"infected","signature":" a\nb\u0000é "}"#, infected("ab")),
        ] {
            assert_eq!(parsed(200, body), wanted, "{body}");
        }
        let long = format!(r#"{{"verdict":"infected","signature":"{}"}}"#, "x".repeat(5_000));
        assert_eq!(parsed(200, &long), infected(&"x".repeat(MAX_SIGNATURE)));
    }

    #[test]
    fn every_other_answer_is_an_error_without_text_of_the_answer() {
        for (status, body) in [
            (200, ""),
            (200, "OK"),
            (200, "null"),
            (200, r#""clean""#),
            (200, "{}"),
            (200, r#"{"verdict":"CLEAN"}"#),
            (200, r#"{"verdict":"unknown"}"#),
            (200, r#"{"verdict":"infected","verdict":"clean"}"#),
            (200, r#"{"verdict":"clean"}{"verdict":"infected"}"#),
            (200, r#"{"verdict":"clean","signature":7}"#),
            (201, r#"{"verdict":"clean"}"#),
            (204, ""),
            (302, r#"{"verdict":"clean"}"#),
            (406, r#"{"verdict":"infected"}"#),
            (500, r#"{"verdict":"clean"}"#),
        ] {
            let error = parsed(status, body).unwrap_err();
            assert!(!error.contains("clean") && !error.contains("OK"), "{error}");
        }
    }
}
