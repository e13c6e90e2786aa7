//! Tests of the form reader. A well-formed form must give the same form parts if its body is split at any byte.

#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

/// A form part with its whole content.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ReadPart {
    part: FormPart,
    content: Vec<u8>,
}

fn part(name: &str, filename: Option<&str>, content_type: Option<&str>, content: &[u8]) -> ReadPart {
    let part = FormPart {
        name: name.into(),
        filename: filename.map(str::to_owned),
        content_type: content_type.map(str::to_owned),
    };
    ReadPart { part, content: content.to_vec() }
}

/// Reads a body that arrives as `pieces`, and checks the order of the events.
fn read<'b>(boundary: &str, pieces: impl IntoIterator<Item = &'b [u8]>) -> Result<Vec<ReadPart>, FormError> {
    let mut reader = FormReader::new(&Boundary::new(boundary).unwrap());
    let mut done: Vec<ReadPart> = Vec::new();
    let mut open: Option<ReadPart> = None;
    for piece in pieces {
        let mut input = piece;
        loop {
            match reader.read_event(&mut input)? {
                Event::PartStart(part) => {
                    assert!(open.is_none(), "a part starts inside a part");
                    open = Some(ReadPart { part, content: vec![] });
                }
                Event::Data(bytes) => {
                    assert!(!bytes.is_empty(), "empty data");
                    open.as_mut().expect("data outside a part").content.extend_from_slice(bytes);
                }
                Event::PartEnd => done.push(open.take().expect("a part ends outside a part")),
                Event::NeedInput | Event::End => break,
            }
        }
        assert!(input.is_empty(), "the reader asks for more input, but the last piece is not consumed");
    }
    reader.finish()?;
    assert!(open.is_none(), "the form ended inside a part");
    Ok(done)
}

fn read_whole(boundary: &str, body: &[u8]) -> Result<Vec<ReadPart>, FormError> {
    read(boundary, [body])
}

/// A form with contents that almost match the delimiter at many places.
const TRICKY: &[u8] = b"preamble --B not at the start of a line\n--B\r\n--B \t\r\n\
Content-Disposition: form-data; name=\"tags\"\r\n\r\n\
a, b\r\n--B\r\n\
content-disposition: form-data;\r\n name=\"file\"; filename=\"caf\xc3\xa9.csv\"\r\n\
Content-Type: text/csv; charset=utf-8\r\nX-Other: 1\r\n\r\n\
x,y\r\n\r\n1,2\r\n-3\r\n--\r\n--A\r\r\n--\r\n\r\n\r\n--B\r\n\
Content-Disposition: form-data; name=empty\r\n\r\n\
\r\n--B--\r\nepilogue\r\n--B\r\n";

fn tricky_parts() -> Vec<ReadPart> {
    vec![
        part("tags", None, None, b"a, b"),
        part(
            "file",
            Some("café.csv"),
            Some("text/csv; charset=utf-8"),
            b"x,y\r\n\r\n1,2\r\n-3\r\n--\r\n--A\r\r\n--\r\n\r\n",
        ),
        part("empty", None, None, b""),
    ]
}

#[test]
fn a_form_gives_the_same_parts_if_it_is_split_into_two_pieces() {
    let body = TRICKY;
    for at in 0..=body.len() {
        let (left, right) = body.split_at(at);
        assert_eq!(read("B", [left, right]), Ok(tricky_parts()), "split at {at}");
    }
}

#[test]
fn a_form_gives_the_same_parts_if_it_is_split_into_three_pieces() {
    let body = TRICKY;
    for first in 0..body.len() {
        for length in 1..8.min(body.len() - first) {
            let pieces = [&body[..first], &body[first..first + length], &body[first + length..]];
            assert_eq!(read("B", pieces), Ok(tricky_parts()), "split at {first}, and {length} bytes later");
        }
    }
}

#[test]
fn a_form_gives_the_same_parts_for_every_piece_size() {
    let body = TRICKY;
    for size in 1..40 {
        assert_eq!(read("B", body.chunks(size)), Ok(tricky_parts()), "{size}-byte pieces");
    }
}

#[test]
fn a_form_from_curl_is_read() {
    let boundary = "------------------------d74496d66958873e";
    let body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\
         Content-Type: application/octet-stream\r\n\r\na,b\n1,2\n\r\n--{boundary}--\r\n"
    );
    let expected = vec![part("file", Some("a.csv"), Some("application/octet-stream"), b"a,b\n1,2\n")];
    assert_eq!(read_whole(boundary, body.as_bytes()), Ok(expected));
}

#[test]
fn a_form_without_parts_is_read() {
    assert_eq!(read_whole("B", b"--B--"), Ok(vec![]));
    assert_eq!(read_whole("B", b"\r\n--B--\r\n"), Ok(vec![]));
}

#[test]
fn every_truncated_form_is_refused() {
    let body = TRICKY;
    let close = memmem::find(body, b"--B--").unwrap() + b"--B--".len();
    for end in 0..close {
        assert_eq!(read_whole("B", &body[..end]), Err(FormError::Truncated), "truncated at {end}");
    }
    assert_eq!(read_whole("B", &body[..close]), Ok(tricky_parts()));
}

#[test]
fn content_is_returned_as_slices_of_the_input() {
    let mut reader = FormReader::new(&Boundary::new("B").unwrap());
    let mut head: &[u8] = b"--B\r\nContent-Disposition: form-data; name=f\r\n\r\n";
    assert!(matches!(reader.read_event(&mut head), Ok(Event::PartStart(_))));
    let piece = b"1,2,3\r\n".repeat(40_000);
    let mut input = piece.as_slice();
    let Ok(Event::Data(bytes)) = reader.read_event(&mut input) else { unreachable!("no data") };
    assert_eq!(bytes.as_ptr(), piece.as_ptr());
    assert_eq!(bytes.len(), piece.len() - 2, "the last line break may be the start of the delimiter");
    assert_eq!(reader.read_event(&mut input), Ok(Event::NeedInput));
    let mut more: &[u8] = b"4";
    assert_eq!(reader.read_event(&mut more), Ok(Event::Data(b"\r\n")));
    assert_eq!(reader.read_event(&mut more), Ok(Event::Data(b"4")));
}

#[test]
fn malformed_parts_are_refused() {
    let form = |headers: &str| format!("--B\r\n{headers}\r\n\r\nx\r\n--B--");
    let disposition = "Content-Disposition: form-data; name=f";
    for (headers, expected) in [
        ("Content-Type: text/csv".to_owned(), FormError::Disposition(InvalidFormDataDisposition::Malformed)),
        ("".to_owned(), FormError::Disposition(InvalidFormDataDisposition::Malformed)),
        (
            "Content-Disposition: attachment; name=f".to_owned(),
            FormError::Disposition(InvalidFormDataDisposition::Malformed),
        ),
        (format!("{disposition}\r\nnot a header"), FormError::MalformedHeader),
        (
            format!("{disposition}\r\nContent-Transfer-Encoding: base64"),
            FormError::TransferEncoding { encoding: "base64".into() },
        ),
    ] {
        assert_eq!(read_whole("B", form(&headers).as_bytes()), Err(expected), "{headers}");
    }
    let binary = form(&format!("{disposition}\r\nContent-Transfer-Encoding: Binary"));
    assert!(read_whole("B", binary.as_bytes()).is_ok());
}

#[test]
fn a_boundary_without_a_line_break_after_it_is_refused() {
    let padding = " ".repeat(2000);
    for tail in ["x", "-x", "\rx", " -", " x", "\n", &padding] {
        let body = format!("--B{tail}");
        assert_eq!(read_whole("B", body.as_bytes()), Err(FormError::MalformedDelimiter), "{tail:?}");
    }
}

#[test]
fn headers_over_the_limit_are_refused_for_every_piece_size() {
    let body = |length: usize| {
        let start = "Content-Disposition: form-data; name=f\r\nX: ";
        let filler = "x".repeat(length - start.len() - 4);
        format!("--B\r\n{start}{filler}\r\n\r\nx\r\n--B--").into_bytes()
    };
    let (fits, exceeds) = (body(MAX_HEADER_BYTES), body(MAX_HEADER_BYTES + 1));
    for size in [1, 7, 4096, 100_000] {
        assert!(read("B", fits.chunks(size)).is_ok(), "{size}-byte pieces");
        assert_eq!(read("B", exceeds.chunks(size)), Err(FormError::HeadersTooLarge), "{size}-byte pieces");
    }
}

#[test]
fn a_form_with_more_than_64_parts_is_refused() {
    let form = |count| "--B\r\nContent-Disposition: form-data; name=f\r\n\r\nx\r\n".repeat(count) + "--B--";
    assert_eq!(read_whole("B", form(MAX_PARTS).as_bytes()).unwrap().len(), MAX_PARTS);
    assert_eq!(read_whole("B", form(MAX_PARTS + 1).as_bytes()), Err(FormError::TooManyParts));
}

/// Splits `body` into pieces. Each number in `split_points` gives one piece of `number % (bytes left + 1)` bytes. The
/// last piece is the rest of the body.
fn pieces<'b>(body: &'b [u8], split_points: &[usize]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    let mut rest = body;
    for at in split_points {
        let (piece, after) = rest.split_at(at % (rest.len() + 1));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

proptest! {
    #[test]
    fn contents_that_resemble_the_delimiter_are_read_unchanged(
        contents in proptest::collection::vec("[\r\n\\-Ba]{0,30}", 0..4),
        split_points in proptest::collection::vec(0usize..200, 0..12),
    ) {
        prop_assume!(!contents.iter().any(|content| format!("\r\n{content}").contains("\r\n--Ba-B")));
        let mut body = String::new();
        for (index, content) in contents.iter().enumerate() {
            body += &format!("--Ba-B\r\nContent-Disposition: form-data; name=\"{index}\"\r\n\r\n{content}\r\n");
        }
        body += "--Ba-B--\r\n";
        let expected: Vec<_> = contents
            .iter()
            .enumerate()
            .map(|(index, content)| part(&index.to_string(), None, None, content.as_bytes()))
            .collect();
        prop_assert_eq!(read("Ba-B", pieces(body.as_bytes(), &split_points)), Ok(expected));
    }

    #[test]
    fn malformed_input_causes_no_panic_and_gives_the_same_result_whole_and_in_pieces(
        body in "(--B|\r\n|-|B| |:|Content-Disposition: form-data; name=f|x){0,40}",
        split_points in proptest::collection::vec(0usize..100, 0..12),
    ) {
        prop_assert_eq!(read("B", pieces(body.as_bytes(), &split_points)), read_whole("B", body.as_bytes()));
    }

    #[test]
    fn parsing_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_whole("B", &[b"--B\r\n".as_slice(), &body].concat());
    }
}
