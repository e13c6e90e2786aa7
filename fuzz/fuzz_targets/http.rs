//! Parses headers and form bodies from arbitrary bytes. Checks that no parser panics, that parsed byte ranges are
//! inside the file, and that the result for a form does not depend on how its bytes are divided into pieces.

#![no_main]

use cutty::http::boundary::Boundary;
use cutty::http::disposition::FormDataDisposition;
use cutty::http::etag::{EntityTag, EntityTags};
use cutty::http::filename::Filename;
use cutty::http::form::{Event, FormError, FormReader};
use cutty::http::media_type::MediaType;
use cutty::http::range::{self, Ranges};
use cutty::http::{accept_encoding, date, digest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&size, rest)) = data.split_first() else { return };
    let _ = FormDataDisposition::parse(rest);
    let _ = Filename::from_header(rest);
    form(rest, usize::from(size) + 1);
    let Ok(text) = std::str::from_utf8(rest) else { return };
    ranges(text, u64::from(size));
    let _ = digest::parse(text);
    let _ = EntityTag::parse(text);
    let _ = EntityTags::parse(text);
    let _ = accept_encoding::accepts_gzip(Some(text));
    let _ = date::parse_http_date(text, Default::default());
    if let Ok(name) = Filename::from_client_path(text) {
        assert!(Filename::parse(name.as_str()).is_ok());
    }
    if let Ok(media_type) = MediaType::parse(text) {
        let _ = Boundary::from_media_type(&media_type);
    }
});

fn ranges(text: &str, size_bytes: u64) {
    if let Ranges::Satisfiable(ranges) = range::parse(text, size_bytes) {
        assert!(!ranges.is_empty() && ranges.len() <= range::MAX_RANGES);
        assert!(
            ranges
                .iter()
                .all(|range| range.start() <= range.end_inclusive() && range.end_inclusive() < size_bytes)
        );
    }
}

/// Asserts that the result of parsing a form does not depend on how its bytes are divided into pieces.
fn form(body: &[u8], piece_bytes: usize) {
    let boundary = Boundary::new("b").expect("the boundary is valid");
    assert_eq!(read(&boundary, body.chunks(piece_bytes)), read(&boundary, [body]));
}

fn read<'a>(boundary: &Boundary, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<String, FormError> {
    let mut reader = FormReader::new(boundary);
    let mut seen = String::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            match reader.read_event(&mut piece)? {
                Event::NeedInput => {}
                Event::PartStart(part) => seen.push_str(&format!("({part:?}")),
                Event::Data(bytes) => bytes.iter().for_each(|byte| seen.push_str(&format!(" {byte:02x}"))),
                Event::PartEnd => seen.push(')'),
                Event::End => break,
            }
        }
    }
    reader.finish()?;
    Ok(seen)
}
