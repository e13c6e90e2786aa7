//! Byte ranges (RFC 9110 §14): parses the `Range` header and plans `multipart/byteranges` bodies.

use std::fmt::Write as _;

use super::boundary::Boundary;
use super::syntax;

/// Maximum number of ranges in one response. If a header has more ranges, the response is the whole file. Players and
/// spreadsheet tools ask for one or two ranges. RFC 9110 §17.15 warns that a long list of ranges can be an attack.
pub const MAX_RANGES: usize = 16;

/// Maximum number of overlapping pairs of ranges. RFC 9110 §14.2 names more than two overlapping ranges as a reason to
/// ignore the header.
const MAX_OVERLAPS: usize = 2;

/// A byte range inside a representation: `start ≤ end_inclusive < size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    start: u64,
    end_inclusive: u64,
}

/// How to respond to a `Range` header, for a representation of known size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ranges {
    /// Respond 200 with all bytes and ignore the header. [`parse`] lists the reasons.
    Whole,
    /// Respond 416: the header is well-formed, but every range lies after the end of the representation.
    Unsatisfiable,
    /// Respond 206 with these 1 to [`MAX_RANGES`] ranges, in the client's order.
    Satisfiable(Vec<ByteRange>),
}

impl ByteRange {
    /// Makes a range from its first and last offset, both included. Returns `None` if `start > end_inclusive`.
    pub fn new(start: u64, end_inclusive: u64) -> Option<Self> {
        (start <= end_inclusive).then_some(Self { start, end_inclusive })
    }

    /// Returns the offset of the first byte, counted from 0.
    pub fn start(self) -> u64 {
        self.start
    }

    /// Returns the offset of the last byte.
    pub fn end_inclusive(self) -> u64 {
        self.end_inclusive
    }

    /// Returns the length of the range in bytes, at least 1.
    pub fn len_bytes(self) -> u64 {
        self.end_inclusive - self.start + 1
    }

    /// Returns the `Content-Range` of a 206 response: `bytes 0-99/1234` (RFC 9110 §14.4).
    pub fn content_range(self, size_bytes: u64) -> String {
        format!("bytes {}-{}/{size_bytes}", self.start, self.end_inclusive)
    }

    fn overlaps(self, other: Self) -> bool {
        self.start <= other.end_inclusive && other.start <= self.end_inclusive
    }
}

/// Returns the `Content-Range` of a 416 response: `bytes */1234` (RFC 9110 §14.4).
pub fn unsatisfied_content_range(size_bytes: u64) -> String {
    format!("bytes */{size_bytes}")
}

/// Parses a `Range` header for a representation of `size_bytes`.
///
/// If only a part of a range is inside the representation, the result has only this part. A number too large for 64
/// bits is read as 2⁶⁴ − 1.
///
/// Returns [`Ranges::Whole`], as RFC 9110 §14.2 allows, for:
/// - a malformed header, or a unit other than `bytes`,
/// - ranges with more bytes in total than the representation has,
/// - more than [`MAX_RANGES`] ranges, or more than two overlapping pairs,
/// - a suffix range (`-5`) of an empty representation, because `Content-Range` cannot describe a range without bytes.
pub fn parse(header: &str, size_bytes: u64) -> Ranges {
    let Some(specs) = parse_specs(header) else { return Ranges::Whole };
    let ranges: Vec<_> = specs.iter().filter_map(|spec| spec.resolve(size_bytes)).collect();
    if size_bytes == 0 && specs.iter().any(|spec| matches!(spec, Spec::Suffix(1..))) {
        return Ranges::Whole;
    }
    if ranges.is_empty() {
        return Ranges::Unsatisfiable;
    }
    if is_abusive(&ranges, size_bytes) { Ranges::Whole } else { Ranges::Satisfiable(ranges) }
}

#[derive(Clone, Copy)]
enum Spec {
    /// `first-last` or `first-`.
    From { first: u64, last: Option<u64> },
    /// `-length`.
    Suffix(u64),
}

impl Spec {
    fn resolve(self, size: u64) -> Option<ByteRange> {
        let end = size.checked_sub(1)?;
        match self {
            Self::From { first, last } => (first <= end)
                .then(|| ByteRange { start: first, end_inclusive: last.map_or(end, |last| last.min(end)) }),
            Self::Suffix(length) => {
                (length > 0).then(|| ByteRange { start: size.saturating_sub(length), end_inclusive: end })
            }
        }
    }
}

/// Parses `bytes=…`. Returns `None` if the text is malformed, has another unit, or lists more than [`MAX_RANGES`]
/// ranges.
fn parse_specs(header: &str) -> Option<Vec<Spec>> {
    let (unit, set) = syntax::trim_ows(header).split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = Vec::new();
    for element in set.split(',').map(syntax::trim_ows).filter(|element| !element.is_empty()) {
        if specs.len() == MAX_RANGES {
            return None;
        }
        specs.push(parse_spec(element)?);
    }
    (!specs.is_empty()).then_some(specs)
}

fn parse_spec(text: &str) -> Option<Spec> {
    let (first, last) = text.split_once('-')?;
    if first.is_empty() {
        return Some(Spec::Suffix(parse_position(last)?));
    }
    let first = parse_position(first)?;
    let last = if last.is_empty() { None } else { Some(parse_position(last)?) };
    let backwards = last.is_some_and(|last| last < first);
    (!backwards).then_some(Spec::From { first, last })
}

/// Parses a number that is written in digits only. A number too large for 64 bits becomes `u64::MAX`.
fn parse_position(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn is_abusive(ranges: &[ByteRange], size: u64) -> bool {
    let total = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.len_bytes()));
    let overlaps = ranges
        .iter()
        .enumerate()
        .flat_map(|(at, left)| ranges[at + 1..].iter().filter(|right| left.overlaps(**right)))
        .count();
    total > size || overlaps > MAX_OVERLAPS
}

/// A segment of a `multipart/byteranges` body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangesSegment {
    /// Delimiters and part headers, sent unchanged.
    Framing(String),
    /// A byte range of the representation.
    Bytes(ByteRange),
}

/// The plan of a `multipart/byteranges` body (RFC 9110 §14.6), without the bytes of the representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipartByteRanges {
    /// `Content-Type` of the response.
    pub content_type: String,
    /// Segments of the body, in order.
    pub segments: Vec<RangesSegment>,
    /// `Content-Length` of the response.
    pub length_bytes: u64,
}

/// Plans the body of a response with several ranges. `content_type` is the type of the representation. The caller draws
/// `boundary` at random, so that the bytes of the file do not contain the boundary.
pub fn multipart_byte_ranges(
    ranges: &[ByteRange],
    size_bytes: u64,
    content_type: &str,
    boundary: &Boundary,
) -> MultipartByteRanges {
    let delimiter = boundary.as_str();
    let mut segments = Vec::with_capacity(2 * ranges.len() + 1);
    let mut line_break = "";
    for range in ranges {
        let content_range = range.content_range(size_bytes);
        let mut head = format!("{line_break}--{delimiter}\r\n");
        // Writing to a String cannot fail.
        let _ = write!(head, "Content-Type: {content_type}\r\nContent-Range: {content_range}\r\n\r\n");
        segments.push(RangesSegment::Framing(head));
        segments.push(RangesSegment::Bytes(*range));
        line_break = "\r\n";
    }
    segments.push(RangesSegment::Framing(format!("{line_break}--{delimiter}--\r\n")));
    let length_bytes = segments.iter().map(RangesSegment::len_bytes).fold(0, u64::saturating_add);
    let content_type = format!("multipart/byteranges; boundary={}", boundary.as_parameter());
    MultipartByteRanges { content_type, segments, length_bytes }
}

impl RangesSegment {
    /// Returns the number of bytes that the segment adds to the body.
    pub fn len_bytes(&self) -> u64 {
        match self {
            Self::Framing(text) => text.len() as u64,
            Self::Bytes(range) => range.len_bytes(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn satisfiable(ranges: &[(u64, u64)]) -> Ranges {
        let range = |&(start, end_inclusive): &(u64, u64)| ByteRange { start, end_inclusive };
        Ranges::Satisfiable(ranges.iter().map(range).collect())
    }

    #[test]
    fn well_formed_ranges_are_reduced_to_the_bytes_of_the_file() {
        for (header, expected) in [
            ("bytes=0-0", vec![(0, 0)]),
            ("bytes=0-", vec![(0, 99)]),
            ("bytes=99-", vec![(99, 99)]),
            ("bytes=10-500", vec![(10, 99)]),
            ("bytes=-1", vec![(99, 99)]),
            ("bytes=-500", vec![(0, 99)]),
            ("BYTES= 1-2 ,, 5-6 ,", vec![(1, 2), (5, 6)]),
            ("bytes=90-99,0-9", vec![(90, 99), (0, 9)]),
            ("bytes=0-9,200-300", vec![(0, 9)]),
            ("bytes=0-99999999999999999999999999", vec![(0, 99)]),
            ("bytes=-99999999999999999999999999", vec![(0, 99)]),
            ("bytes=0-5,3-8", vec![(0, 5), (3, 8)]),
        ] {
            assert_eq!(parse(header, 100), satisfiable(&expected), "{header}");
        }
        assert_eq!(
            parse("bytes=18446744073709551614-", u64::MAX),
            satisfiable(&[(u64::MAX - 1, u64::MAX - 1)])
        );
    }

    #[test]
    fn ranges_after_the_end_are_unsatisfiable() {
        for header in
            ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999999-", "bytes=-0,100-"]
        {
            assert_eq!(parse(header, 100), Ranges::Unsatisfiable, "{header}");
        }
        assert_eq!(parse("bytes=0-", 0), Ranges::Unsatisfiable);
        assert_eq!(unsatisfied_content_range(100), "bytes */100");
    }

    #[test]
    fn malformed_headers_and_other_units_are_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes 0-1",
            "bytes=1",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=0-1-2",
            "bytes=0 -1",
            "bytes=+0-1",
            "bytes=0x1-2",
            "bytes=0-1;2-3",
            "rows=0-1",
            "bytes=0-1, x",
            "bytes =0-1",
            "bytes=0-1, bytes=2-3",
            "bytes=--1",
            "bytes=٣-",
        ] {
            assert_eq!(parse(header, 100), Ranges::Whole, "{header}");
        }
        assert_eq!(parse("bytes=-5", 0), Ranges::Whole);
    }

    #[test]
    fn too_many_ranges_or_too_many_overlaps_or_too_many_bytes_select_the_whole_file() {
        let list = |count: u64| {
            let specs: Vec<_> = (0..count).map(|n| format!("{}-{}", n * 2, n * 2)).collect();
            format!("bytes={}", specs.join(","))
        };
        assert!(matches!(parse(&list(16), 100), Ranges::Satisfiable(ranges) if ranges.len() == 16));
        for header in [list(17).as_str(), "bytes=0-,0-", "bytes=0-3,1-4,2-5", "bytes=0-99,0-0"] {
            assert_eq!(parse(header, 100), Ranges::Whole, "{header}");
        }
    }

    #[test]
    fn a_multipart_body_has_the_framing_of_the_rfc() {
        let Ranges::Satisfiable(ranges) = parse("bytes=1-2,5-6", 10) else { unreachable!("satisfiable") };
        let plan = multipart_byte_ranges(&ranges, 10, "text/csv", &Boundary::new("B").unwrap());
        let data = "0123456789";
        let body: String = plan
            .segments
            .iter()
            .map(|segment| match segment {
                RangesSegment::Framing(text) => text.clone(),
                RangesSegment::Bytes(r) => data[r.start() as usize..=r.end_inclusive() as usize].to_owned(),
            })
            .collect();
        let expected = "--B\r\nContent-Type: text/csv\r\nContent-Range: bytes 1-2/10\r\n\r\n12\
            \r\n--B\r\nContent-Type: text/csv\r\nContent-Range: bytes 5-6/10\r\n\r\n56\r\n--B--\r\n";
        assert_eq!(body, expected);
        assert_eq!(plan.length_bytes, expected.len() as u64);
        assert_eq!(plan.content_type, "multipart/byteranges; boundary=B");
    }

    proptest! {
        #[test]
        fn every_satisfiable_range_lies_inside_the_file(header in "bytes=[0-9, -]{0,60}", size in any::<u64>(), small in 0u64..50) {
            for size in [size, small] {
                if let Ranges::Satisfiable(ranges) = parse(&header, size) {
                    prop_assert!((1..=MAX_RANGES).contains(&ranges.len()));
                    for range in ranges {
                        prop_assert!(range.start() <= range.end_inclusive() && range.end_inclusive() < size);
                        prop_assert!((1..=size).contains(&range.len_bytes()));
                    }
                }
            }
        }

        #[test]
        fn parsing_never_panics(header in "\\PC{0,60}", size in any::<u64>()) {
            let _ = parse(&header, size);
        }
    }
}
