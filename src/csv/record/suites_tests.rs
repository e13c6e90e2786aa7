//! What the test suites of other CSV readers ask for, asked of ours: csv-core's (whose reading is the documented one),
//! papaparse's and CPython's. The inputs are our own, one or more for each kind of behaviour those suites cover. Where
//! we read otherwise, [`DEVIATIONS`] says what they read, what we read, and why.
//!
//! Left out is what our reader has no option for: comments, escape characters, other quotes than `"`, doubling switched
//! off, quoting that makes numbers, separators of several characters, streaming interfaces and their errors.

use super::tests::read;

type Records = &'static [&'static [&'static str]];

/// Kind of behaviour, text, records. `;` delimits where the kind says so, else `,`.
const AGREED: &[(&str, &str, Records)] = &[
    // All three.
    ("one record, no line break", "x,yy,z", &[&["x", "yy", "z"]]),
    ("several records", "x,y\n1,2\n3,4", &[&["x", "y"], &["1", "2"], &["3", "4"]]),
    ("one field", "just words", &[&["just words"]]),
    ("no text at all", "", &[]),
    ("nothing but a delimiter", ",", &[&["", ""]]),
    ("rows of nothing but delimiters", ",,\n,\n", &[&["", "", ""], &["", ""]]),
    ("empty fields side by side", "x,,,y\n,,z,,", &[&["x", "", "", "y"], &["", "", "z", "", ""]]),
    ("a delimiter at the end", "x,\ny,\n", &[&["x", ""], &["y", ""]]),
    ("records of several lengths", "x\n1,2,3\ny,z\n", &[&["x"], &["1", "2", "3"], &["y", "z"]]),
    // Line ends: csv-core's LF, CRLF, CR and mixed; CPython's ends of lines; papaparse's CR and CRLF.
    ("ends with LF", "x,y\n1,2\n", &[&["x", "y"], &["1", "2"]]),
    ("ends with CRLF", "x,y\r\n1,2\r\n", &[&["x", "y"], &["1", "2"]]),
    ("ends with CR", "x,y\r1,2\r", &[&["x", "y"], &["1", "2"]]),
    ("ends with each of them", "x\r\ny\nz\rw", &[&["x"], &["y"], &["z"], &["w"]]),
    ("trailing delimiters before each", "x,\r\ny,\rz,\n", &[&["x", ""], &["y", ""], &["z", ""]]),
    // Blank lines: csv-core's.
    ("blank lines between", "x\n\n\ny\r\n\r\nz\r\rw", &[&["x"], &["y"], &["z"], &["w"]]),
    ("blank lines in front", "\r\n\n\rx\n", &[&["x"]]),
    ("nothing but blank lines", "\n\r\n\r", &[]),
    ("a line of blanks", "x\n  \ny", &[&["x"], &["  "], &["y"]]),
    // Blanks.
    ("blanks around text stay", " x ,\ty\t, z", &[&[" x ", "\ty\t", " z"]]),
    ("blanks inside quotes stay", "x,\"  y \",z", &[&["x", "  y ", "z"]]),
    ("a blank before a quote: text", "x, \"y\" ,z", &[&["x", " \"y\" ", "z"]]),
    // Quotes.
    ("quoted among plain", "x,\"y\",z", &[&["x", "y", "z"]]),
    ("quoted first and last", "\"x\",y,\"z\"\n\"1\",2,\"3\"\n", &[&["x", "y", "z"], &["1", "2", "3"]]),
    ("all quoted", "\"x\",\"y\"\r\n\"1\",\"2\"", &[&["x", "y"], &["1", "2"]]),
    ("empty quotes", "\"\",x\ny,\"\"", &[&["", "x"], &["y", ""]]),
    ("empty quotes alone on a line", "x\n\"\"\ny", &[&["x"], &[""], &["y"]]),
    ("a delimiter in quotes", "x,\"y,y\",z", &[&["x", "y,y", "z"]]),
    ("line breaks in quotes", "x,\"1\n2\r\n3\r4\"\nz,w", &[&["x", "1\n2\r\n3\r4"], &["z", "w"]]),
    ("delimiter and line break in quotes", "x,\"y,\ny\"\n1,2", &[&["x", "y,\ny"], &["1", "2"]]),
    ("a quoted field, then an empty one", "x,\"y\"\n,\"z\"\n", &[&["x", "y"], &["", "z"]]),
    // Doubled quotes.
    ("doubled inside", "\"x\"\"y\"\"z\"", &[&["x\"y\"z"]]),
    ("doubled at the edges", "w,\"\"\"x\"\"\",y", &[&["w", "\"x\"", "y"]]),
    ("doubled and nothing else", "\"\"\"\",\"\"\"\"\"\"", &[&["\"", "\"\""]]),
    ("doubled around a delimiter", "x,\"\"\",\"\"\",y", &[&["x", "\",\"", "y"]]),
    ("doubled before a delimiter in quotes", "x,\"\"\",\",y", &[&["x", "\",", "y"]]),
    ("doubled behind a delimiter in quotes", "x,\",\"\"\",y", &[&["x", ",\"", "y"]]),
    ("many in a row", "\"k=\"\"\"\",n=\"\"\"\"\",2", &[&["k=\"\",n=\"\"", "2"]]),
    ("doubled before a line end", "x,\"y\"\"\"\nz,w", &[&["x", "y\""], &["z", "w"]]),
    // Quotes where RFC 4180 has none: csv-core and CPython not strict.
    ("a quote inside text", "x,y\"z,w", &[&["x", "y\"z", "w"]]),
    ("a quote at the end of text", "x,y\",z", &[&["x", "y\"", "z"]]),
    ("quoted words inside text", "x,say \"hi\",z", &[&["x", "say \"hi\"", "z"]]),
    ("doubled quotes inside text", "x,y\"\"z\"\",w", &[&["x", "y\"\"z\"\"", "w"]]),
    ("text behind a closing quote", "\"x\"y,z", &[&["xy", "z"]]),
    ("quotes behind a closing quote", "\"x\" \"y\",z", &[&["x \"y\"", "z"]]),
    ("left open, and nothing follows", "x,\"", &[&["x", ""]]),
    ("left open to the end", "x,\"y,z\n1,2", &[&["x", "y,z\n1,2"]]),
    // Bytes.
    ("NUL", "x\0y,\0\n\"\0\",z", &[&["x\0y", "\0"], &["\0", "z"]]),
    ("separators of ASCII are text", "x\u{1f}y\u{1e}z\n", &[&["x\u{1f}y\u{1e}z"]]),
    (
        "line separators of Unicode are text",
        "x\u{2028}y,\u{85}z\u{b}\u{c}\n",
        &[&["x\u{2028}y", "\u{85}z\u{b}\u{c}"]],
    ),
    ("any alphabet", "é,日本\n\"ß,😀\",я", &[&["é", "日本"], &["ß,😀", "я"]]),
    // Marks that other dialects give a meaning.
    ("a hash is no comment", "# x\ny,#z\n", &[&["# x"], &["y", "#z"]]),
    ("a backslash escapes nothing", "\"x\\\",y\n", &[&["x\\", "y"]]),
    ("an apostrophe quotes nothing", "'x,y'\n", &[&["'x", "y'"]]),
];

/// Suite and kind of behaviour, text, how they read it, how we do, why.
type Deviation = (&'static str, &'static str, Records, Records, &'static str);

const DEVIATIONS: &[Deviation] = &[
    (
        "papaparse: blank lines",
        "x\n\ny\n",
        &[&["x"], &[""], &["y"], &[""]],
        &[&["x"], &["y"]],
        "a blank line and the end of the last line are no rows (RFC 4180 ends the last record with or without one); \
         its own option skipEmptyLines reads as we do",
    ),
    (
        "CPython: blank lines",
        "x\n\ny\n",
        &[&["x"], &[], &["y"]],
        &[&["x"], &["y"]],
        "a record without fields cannot stand in a table",
    ),
    (
        "papaparse: blanks behind a closing quote",
        "x,\"y\" ,z\n",
        &[&["x", "y", "z"]],
        &[&["x", "y ", "z"]],
        "blanks are text (RFC 4180 §2.4); nothing is dropped in silence",
    ),
    (
        "papaparse: a quote that does not close",
        "x,\"y\"z,w\n1,2",
        &[&["x", "y\"z,w\n1,2"]],
        &[&["x", "yz", "w"], &["1", "2"]],
        "one stray quote must not swallow the rest of the file",
    ),
    (
        "papaparse: a quote inside a quoted field",
        "\"x,\"y,z\"\n1,2",
        &[&["x,\"y,z"], &["1", "2"]],
        &[&["x,y", "z\""], &["1", "2"]],
        "the field closes at the first quote that is not doubled; where it ends must not depend on what comes later",
    ),
    (
        "papaparse: line ends of two kinds",
        "x,y\n1,2\r3,4\n",
        &[&["x", "y"], &["1", "2\r3", "4"], &[""]],
        &[&["x", "y"], &["1", "2"], &["3", "4"]],
        "it takes the first kind it sees for all of the file; files put together from several have several",
    ),
    (
        "papaparse: a byte order mark alone in quotes",
        "\u{feff}\"x\",y\n",
        &[&["x", "y"]],
        &[&["\u{feff}\"x\"", "y"]],
        "the mark at the start of a file is taken off when the file is opened, before its records are read",
    ),
];

fn values(records: Records) -> Vec<Vec<Vec<u8>>> {
    let owned = |record: &&[&str]| record.iter().map(|value| value.as_bytes().to_vec()).collect();
    records.iter().map(owned).collect()
}

/// What the reader makes of the text, which must not depend on the pieces it comes in.
fn ours(text: &str) -> Vec<Vec<Vec<u8>>> {
    let whole = read(&[text.as_bytes()], b',', usize::MAX).unwrap_or_default();
    for split in 0..=text.len() {
        let (one, other) = text.as_bytes().split_at(split);
        assert_eq!(read(&[one, other], b',', usize::MAX).as_ref(), Ok(&whole), "{text:?} split at {split}");
    }
    whole
}

#[test]
fn what_other_suites_ask_for_is_read_alike() {
    for (kind, text, records) in AGREED {
        assert_eq!(ours(text), values(records), "{kind}: {text:?}");
    }
}

#[test]
fn deviations_are_those_that_are_written_down() {
    for (kind, text, theirs, expected, reason) in DEVIATIONS {
        assert_eq!(ours(text), values(expected), "{kind}: {text:?} ({reason})");
        assert_ne!(theirs, expected, "{kind}: {text:?} deviates no longer");
    }
}

#[test]
fn any_delimiter_is_read_like_a_comma() {
    for delimiter in [b';', b'\t', b'|', b'^', 0x1F] {
        for (kind, text, records) in AGREED {
            let is_taken = |byte: &u8| *byte == delimiter;
            if text.as_bytes().iter().any(is_taken) {
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
                "{kind} by {delimiter}"
            );
        }
    }
}
