//! Checks this reader against the test suites of other CSV readers: csv-core, papaparse and CPython. csv-core is the
//! parser of the `csv` crate, and `docs/csv.md` promises the results of this crate. We wrote the inputs: one or more
//! for each kind of behaviour that the suites cover. If the result of this reader differs from the result of a suite,
//! [`DEVIATIONS`] lists both results and the reason.
//!
//! The suites also have cases for features that this reader does not have: comments, escape characters, quotes other
//! than `"`, quoting without doubling, quotes that distinguish text from numbers, delimiters of several characters,
//! streaming interfaces and their errors. These cases are left out.

use super::tests::read;

type Records = &'static [&'static [&'static str]];

/// Each case has a name, a text and the records of this text. The delimiter is `,`.
const AGREED: &[(&str, &str, Records)] = &[
    // Cases of all three suites.
    ("one record, no line break", "x,yy,z", &[&["x", "yy", "z"]]),
    ("several records", "x,y\n1,2\n3,4", &[&["x", "y"], &["1", "2"], &["3", "4"]]),
    ("one field", "just words", &[&["just words"]]),
    ("no text", "", &[]),
    ("only a delimiter", ",", &[&["", ""]]),
    ("rows of only delimiters", ",,\n,\n", &[&["", "", ""], &["", ""]]),
    ("empty fields side by side", "x,,,y\n,,z,,", &[&["x", "", "", "y"], &["", "", "z", "", ""]]),
    ("a delimiter at the end", "x,\ny,\n", &[&["x", ""], &["y", ""]]),
    ("records of several lengths", "x\n1,2,3\ny,z\n", &[&["x"], &["1", "2", "3"], &["y", "z"]]),
    // Record ends. csv-core has cases for LF, CRLF, CR and a mix of them. CPython has cases for LF, CRLF and CR.
    // papaparse has cases for CR and CRLF.
    ("ends with LF", "x,y\n1,2\n", &[&["x", "y"], &["1", "2"]]),
    ("ends with CRLF", "x,y\r\n1,2\r\n", &[&["x", "y"], &["1", "2"]]),
    ("ends with CR", "x,y\r1,2\r", &[&["x", "y"], &["1", "2"]]),
    ("every kind of record end", "x\r\ny\nz\rw", &[&["x"], &["y"], &["z"], &["w"]]),
    ("a delimiter before every kind of record end", "x,\r\ny,\rz,\n", &[&["x", ""], &["y", ""], &["z", ""]]),
    // Blank lines. The results are those of csv-core.
    ("blank lines between records", "x\n\n\ny\r\n\r\nz\r\rw", &[&["x"], &["y"], &["z"], &["w"]]),
    ("blank lines at the start", "\r\n\n\rx\n", &[&["x"]]),
    ("only blank lines", "\n\r\n\r", &[]),
    ("a line of spaces", "x\n  \ny", &[&["x"], &["  "], &["y"]]),
    // Spaces.
    ("spaces around text stay", " x ,\ty\t, z", &[&[" x ", "\ty\t", " z"]]),
    ("spaces inside quotes stay", "x,\"  y \",z", &[&["x", "  y ", "z"]]),
    ("a quote after a space is text", "x, \"y\" ,z", &[&["x", " \"y\" ", "z"]]),
    // Quotes.
    ("a quoted field between unquoted ones", "x,\"y\",z", &[&["x", "y", "z"]]),
    ("first and last field quoted", "\"x\",y,\"z\"\n\"1\",2,\"3\"\n", &[&["x", "y", "z"], &["1", "2", "3"]]),
    ("all fields quoted", "\"x\",\"y\"\r\n\"1\",\"2\"", &[&["x", "y"], &["1", "2"]]),
    ("empty quoted fields", "\"\",x\ny,\"\"", &[&["", "x"], &["y", ""]]),
    ("an empty quoted field alone on a line", "x\n\"\"\ny", &[&["x"], &[""], &["y"]]),
    ("a delimiter in quotes", "x,\"y,y\",z", &[&["x", "y,y", "z"]]),
    ("line breaks in quotes", "x,\"1\n2\r\n3\r4\"\nz,w", &[&["x", "1\n2\r\n3\r4"], &["z", "w"]]),
    ("delimiter and line break in quotes", "x,\"y,\ny\"\n1,2", &[&["x", "y,\ny"], &["1", "2"]]),
    ("a quoted field, then an empty one", "x,\"y\"\n,\"z\"\n", &[&["x", "y"], &["", "z"]]),
    // Doubled quotes.
    ("doubled quotes in a quoted field", "\"x\"\"y\"\"z\"", &[&["x\"y\"z"]]),
    ("doubled quotes at both ends of a field", "w,\"\"\"x\"\"\",y", &[&["w", "\"x\"", "y"]]),
    ("only doubled quotes", "\"\"\"\",\"\"\"\"\"\"", &[&["\"", "\"\""]]),
    ("doubled quotes around a delimiter", "x,\"\"\",\"\"\",y", &[&["x", "\",\"", "y"]]),
    ("doubled quotes before a delimiter in a quoted field", "x,\"\"\",\",y", &[&["x", "\",", "y"]]),
    ("doubled quotes after a delimiter in a quoted field", "x,\",\"\"\",y", &[&["x", ",\"", "y"]]),
    ("several doubled quotes side by side", "\"k=\"\"\"\",n=\"\"\"\"\",2", &[&["k=\"\",n=\"\"", "2"]]),
    ("doubled quotes before a record end", "x,\"y\"\"\"\nz,w", &[&["x", "y\""], &["z", "w"]]),
    // Quotes that RFC 4180 does not allow. The results are those of csv-core, and of CPython without strict mode.
    ("a quote inside text", "x,y\"z,w", &[&["x", "y\"z", "w"]]),
    ("a quote at the end of text", "x,y\",z", &[&["x", "y\"", "z"]]),
    ("quoted words inside text", "x,say \"hi\",z", &[&["x", "say \"hi\"", "z"]]),
    ("doubled quotes in an unquoted field", "x,y\"\"z\"\",w", &[&["x", "y\"\"z\"\"", "w"]]),
    ("text after a closing quote", "\"x\"y,z", &[&["xy", "z"]]),
    ("quotes after a closing quote", "\"x\" \"y\",z", &[&["x \"y\"", "z"]]),
    ("an unclosed quote at the end", "x,\"", &[&["x", ""]]),
    ("a quoted field not closed before the end", "x,\"y,z\n1,2", &[&["x", "y,z\n1,2"]]),
    // Bytes.
    ("NUL", "x\0y,\0\n\"\0\",z", &[&["x\0y", "\0"], &["\0", "z"]]),
    ("ASCII separators are text", "x\u{1f}y\u{1e}z\n", &[&["x\u{1f}y\u{1e}z"]]),
    (
        "Unicode line separators are text",
        "x\u{2028}y,\u{85}z\u{b}\u{c}\n",
        &[&["x\u{2028}y", "\u{85}z\u{b}\u{c}"]],
    ),
    ("other alphabets", "é,日本\n\"ß,😀\",я", &[&["é", "日本"], &["ß,😀", "я"]]),
    // Characters that have a meaning in other dialects.
    ("a hash is no comment", "# x\ny,#z\n", &[&["# x"], &["y", "#z"]]),
    ("a backslash escapes nothing", "\"x\\\",y\n", &[&["x\\", "y"]]),
    ("an apostrophe quotes nothing", "'x,y'\n", &[&["'x", "y'"]]),
];

/// A case in which this reader and a suite differ. The items are: (1) the suite and the name of the case; (2) the text;
/// (3) the records that the suite expects; (4) the records that this reader returns; (5) the reason for the difference.
type Deviation = (&'static str, &'static str, Records, Records, &'static str);

const DEVIATIONS: &[Deviation] = &[
    (
        "papaparse: blank lines",
        "x\n\ny\n",
        &[&["x"], &[""], &["y"], &[""]],
        &[&["x"], &["y"]],
        "neither a blank line nor the end of the last line is a row (RFC 4180 allows a line break after the last record); \
         with the option skipEmptyLines, papaparse gives our result",
    ),
    (
        "CPython: blank lines",
        "x\n\ny\n",
        &[&["x"], &[], &["y"]],
        &[&["x"], &["y"]],
        "a table cannot have a record without fields",
    ),
    (
        "papaparse: spaces after a closing quote",
        "x,\"y\" ,z\n",
        &[&["x", "y", "z"]],
        &[&["x", "y ", "z"]],
        "spaces are text (RFC 4180 §2.4); nothing is dropped silently",
    ),
    (
        "papaparse: a quote that does not close",
        "x,\"y\"z,w\n1,2",
        &[&["x", "y\"z,w\n1,2"]],
        &[&["x", "yz", "w"], &["1", "2"]],
        "one stray quote must not turn the rest of the file into one field",
    ),
    (
        "papaparse: a quote inside a quoted field",
        "\"x,\"y,z\"\n1,2",
        &[&["x,\"y,z"], &["1", "2"]],
        &[&["x,y", "z\""], &["1", "2"]],
        "the field closes at the first quote that is not doubled; its end must not depend on later text",
    ),
    (
        "papaparse: record ends of two kinds",
        "x,y\n1,2\r3,4\n",
        &[&["x", "y"], &["1", "2\r3", "4"], &[""]],
        &[&["x", "y"], &["1", "2"], &["3", "4"]],
        "papaparse uses the first kind of record end for the whole file; a file that was joined from several files \
         can have several kinds of record ends",
    ),
    (
        "papaparse: a byte order mark before a quoted field",
        "\u{feff}\"x\",y\n",
        &[&["x", "y"]],
        &[&["\u{feff}\"x\"", "y"]],
        "the mark at the start of a file is removed when the file is opened, before this reader reads records",
    ),
];

fn values(records: Records) -> Vec<Vec<Vec<u8>>> {
    let owned = |record: &&[&str]| record.iter().map(|value| value.as_bytes().to_vec()).collect();
    records.iter().map(owned).collect()
}

/// Returns the records of `text`. Asserts that every split of the text into two pieces gives the same records.
fn ours(text: &str) -> Vec<Vec<Vec<u8>>> {
    let whole = read(&[text.as_bytes()], b',', usize::MAX).unwrap_or_default();
    for split in 0..=text.len() {
        let (one, other) = text.as_bytes().split_at(split);
        assert_eq!(read(&[one, other], b',', usize::MAX).as_ref(), Ok(&whole), "{text:?} split at {split}");
    }
    whole
}

#[test]
fn agreed_cases_give_the_records_that_the_suites_expect() {
    for (kind, text, records) in AGREED {
        assert_eq!(ours(text), values(records), "{kind}: {text:?}");
    }
}

#[test]
fn each_deviation_gives_the_records_that_are_listed_for_this_reader() {
    for (kind, text, theirs, expected, reason) in DEVIATIONS {
        assert_eq!(ours(text), values(expected), "{kind}: {text:?} ({reason})");
        assert_ne!(theirs, expected, "{kind}: {text:?} is no deviation, because both results are equal");
    }
}

#[test]
fn every_delimiter_is_read_like_a_comma() {
    for delimiter in [b';', b'\t', b'|', b'^', 0x1F] {
        for (kind, text, records) in AGREED {
            let is_delimiter = |byte: &u8| *byte == delimiter;
            if text.as_bytes().iter().any(is_delimiter) {
                continue;
            }
            let swap = |bytes: &[u8]| -> Vec<u8> {
                bytes.iter().map(|&byte| if byte == b',' { delimiter } else { byte }).collect()
            };
            let mut expected = values(records);
            expected.iter_mut().flatten().for_each(|value| *value = swap(value));
            assert_eq!(
                read(&[&swap(text.as_bytes())], delimiter, usize::MAX),
                Ok(expected),
                "{kind} with the delimiter {delimiter}"
            );
        }
    }
}
