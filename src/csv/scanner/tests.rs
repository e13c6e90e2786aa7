//! Compares the results of the block scanner with those of an independent state machine that reads byte by byte. The
//! block scanner runs with both walks and every block implementation.

use super::block::Swar;
use super::*;
use proptest::prelude::*;
use std::convert::Infallible;

/// A record as the scanner reports it. Positions count from the start of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ScannedRecord {
    start: usize,
    ends: Vec<u32>,
    fields: usize,
    marks: Marks,
    line: u64,
}

/// State of the byte-by-byte reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    RecordStart,
    FieldStart,
    /// In an unquoted field, or in text that follows a closing quote. Quotes have no meaning until the field ends.
    Unquoted,
    Quoted,
    /// Directly after a quote that may close the field. If the next byte is a quote too, both together are a doubled
    /// quote, and the field is not closed.
    QuoteClosed,
}

/// Reads the text byte by byte.
fn byte_wise(text: &[u8], delimiter: u8) -> Vec<ScannedRecord> {
    let fresh =
        |start, line| ScannedRecord { start, ends: Vec::new(), fields: 0, marks: Marks::default(), line };
    let (mut records, mut state, mut line) = (Vec::new(), State::RecordStart, 1);
    let mut record = fresh(0, 1);
    for (at, &byte) in text.iter().enumerate() {
        let is_break = byte == b'\r' || byte == b'\n';
        let ends_line = is_break && !(byte == b'\n' && at > 0 && text[at - 1] == b'\r');
        line += u64::from(ends_line);
        state = match (state, byte) {
            (State::Quoted, b'"') => State::QuoteClosed,
            (State::Quoted, _) => State::Quoted,
            (State::RecordStart | State::FieldStart, b'"') => State::Quoted,
            (State::QuoteClosed, b'"') => {
                record.marks.set_if(true, Marks::ESCAPES);
                State::Quoted
            }
            (_, _) if byte == delimiter => {
                record.ends.push((at - record.start) as u32);
                State::FieldStart
            }
            (State::RecordStart, _) if is_break => {
                record = fresh(at + 1, line);
                State::RecordStart
            }
            (_, _) if is_break => {
                record.ends.push((at - record.start) as u32);
                records.push(std::mem::replace(&mut record, fresh(at + 1, line)));
                State::RecordStart
            }
            (State::QuoteClosed, _) | (State::Unquoted, b'"') => {
                record.marks.set_if(true, Marks::STRAY);
                State::Unquoted
            }
            _ => State::Unquoted,
        };
    }
    if state != State::RecordStart {
        record.marks.set_if(state == State::Quoted, Marks::UNCLOSED);
        record.ends.push((text.len() - record.start) as u32);
        records.push(record);
    }
    records.iter_mut().for_each(|record| record.fields = record.ends.len());
    records
}

/// How a test runs the scanner.
#[derive(Debug, Clone, Copy)]
struct Variant {
    walk_kind: WalkKind,
    implementation: Implementation,
    pause_every: usize,
}

#[derive(Debug, Clone, Copy)]
enum Implementation {
    Plain,
    Vectors,
    /// 256-bit vectors if the CPU has them, else the detected implementation.
    Avx2,
    Detected,
}

const VARIANTS: [Variant; 8] = {
    const fn variant(walk_kind: WalkKind, implementation: Implementation) -> Variant {
        Variant { walk_kind, implementation, pause_every: usize::MAX }
    }
    [
        variant(WalkKind::Positions, Implementation::Plain),
        variant(WalkKind::Positions, Implementation::Vectors),
        variant(WalkKind::Positions, Implementation::Avx2),
        variant(WalkKind::Positions, Implementation::Detected),
        variant(WalkKind::Sparse, Implementation::Plain),
        variant(WalkKind::Sparse, Implementation::Vectors),
        variant(WalkKind::Sparse, Implementation::Avx2),
        variant(WalkKind::Sparse, Implementation::Detected),
    ]
};

/// Stands for a field end that no wanted field needs. A wanted field needs its own end and the end of the field before
/// it.
const UNKNOWN: u32 = u32::MAX;

/// Returns `ends` up to the last wanted field. [`UNKNOWN`] replaces each end that no wanted field needs.
fn only_wanted(ends: &[u32], wanted: &[usize]) -> Vec<u32> {
    let slots = wanted.iter().max().map_or(0, |last| last + 1).min(ends.len());
    let is_wanted = |field: &usize| wanted.contains(field) || wanted.contains(&(field + 1));
    (0..slots).map(|field| if is_wanted(&field) { ends[field] } else { UNKNOWN }).collect()
}

fn scanned_record(found: &FoundRecord<'_>, before: usize, wanted: &[usize]) -> ScannedRecord {
    let start = found.lines.start_of(found.carried, found.from);
    let origin = found.origin.wrapping_add(start as u32).wrapping_sub(found.carried as u32);
    let ends: Vec<u32> = found.ends.iter().map(|end| end.wrapping_sub(origin)).collect();
    ScannedRecord {
        start: before + start - found.carried,
        ends: only_wanted(&ends, wanted),
        fields: found.fields,
        marks: found.marks,
        line: found.lines.line_of(found.carried, found.from),
    }
}

/// Reads the pieces of a text with the block scanner.
fn block_wise(pieces: &[&[u8]], delimiter: u8, wanted: &[usize], variant: Variant) -> Vec<ScannedRecord> {
    let mut scanner = Scanner::new(delimiter, Wanted::fields(wanted.iter().copied()));
    let (mut records, mut before) = (Vec::new(), 0);
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let on_record = |found: FoundRecord<'_>| {
                records.push(scanned_record(&found, before, wanted));
                let pause = records.len().is_multiple_of(variant.pause_every);
                Ok::<_, Infallible>(if pause { Flow::Pause } else { Flow::Continue })
            };
            let fed = match variant.implementation {
                Implementation::Plain => scanner.scan::<Swar, _>(variant.walk_kind, rest, on_record),
                Implementation::Vectors => scanner.scan::<Baseline, _>(variant.walk_kind, rest, on_record),
                #[cfg(target_arch = "x86_64")]
                Implementation::Avx2
                    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("pclmulqdq") =>
                {
                    scanner.scan::<crate::csv::scanner::block::Avx2, _>(variant.walk_kind, rest, on_record)
                }
                Implementation::Avx2 | Implementation::Detected => {
                    scanner.walk_kind = Some(variant.walk_kind);
                    scanner.feed(rest, on_record)
                }
            };
            let Ok(fed) = fed;
            before += fed.consumed;
            rest = &rest[fed.consumed..];
            if !fed.paused {
                break;
            }
        }
    }
    records.extend(scanner.finish(|found| scanned_record(&found, before, wanted)));
    records
}

fn structural_text(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    const ALPHABET: &[u8; 10] = b"aaaa\"\",,\n\r";
    proptest::collection::vec((0..ALPHABET.len()).prop_map(|index| ALPHABET[index]), 0..longest)
}

/// Generates text in which most records are well-formed. So long quoted fields cross the edges of blocks.
fn well_formed_text() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        6 => "[a-z ]{0,20}",
        3 => "\"([a-z,\r\n]|\"\"){0,80}\"",
        1 => "[a-z\"]{0,6}",
    ];
    let record = (proptest::collection::vec(field, 1..6), prop_oneof!["\n", "\r\n", "\r", "\n\n"])
        .prop_map(|(fields, end)| fields.join(",") + &end);
    proptest::collection::vec(record, 0..12).prop_map(|records| records.concat().into_bytes())
}

fn pieces<'a>(text: &'a [u8], split_points: &[usize]) -> Vec<&'a [u8]> {
    let mut split_points: Vec<usize> = split_points.iter().map(|at| at % (text.len() + 1)).collect();
    split_points.sort_unstable();
    let mut start = 0;
    let mut pieces: Vec<&[u8]> = Vec::new();
    for at in split_points {
        pieces.push(&text[start..at]);
        start = at;
    }
    pieces.push(&text[start..]);
    pieces
}

fn expected(text: &[u8], delimiter: u8, wanted: &[usize]) -> Vec<ScannedRecord> {
    let mut records = byte_wise(text, delimiter);
    records.iter_mut().for_each(|record| record.ends = only_wanted(&record.ends, wanted));
    records
}

fn any_wanted() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just((0..1000).collect()),
        (0usize..5).prop_map(|count| (0..count).collect()),
        proptest::collection::vec(0usize..8, 0..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_block_scanner_finds_the_same_records_as_the_byte_reader(
        text in prop_oneof![structural_text(300), well_formed_text()],
        split_points in proptest::collection::vec(any::<usize>(), 0..5),
        wanted in any_wanted(),
        pause_every in prop_oneof![Just(usize::MAX), 1usize..4],
    ) {
        let expected = expected(&text, b',', &wanted);
        for variant in VARIANTS {
            let variant = Variant { pause_every, ..variant };
            let records = block_wise(&pieces(&text, &split_points), b',', &wanted, variant);
            prop_assert_eq!(&records, &expected, "{:?}", variant);
        }
    }

    #[test]
    fn both_walks_find_the_same_records_as_the_byte_reader_if_records_have_many_fields(
        fields in proptest::collection::vec(0usize..3000, 1..6),
        wanted in proptest::collection::vec(0usize..2500, 0..5),
        split_points in proptest::collection::vec(any::<usize>(), 0..5),
    ) {
        let text: Vec<u8> = fields.iter().flat_map(|&count| ",".repeat(count).into_bytes().into_iter().chain(*b"x\n")).collect();
        let expected = expected(&text, b',', &wanted);
        for variant in VARIANTS {
            let records = block_wise(&pieces(&text, &split_points), b',', &wanted, variant);
            prop_assert_eq!(&records, &expected, "{:?}", variant);
        }
    }
}

#[test]
fn the_sparse_walk_is_chosen_for_wide_records_with_few_wanted_fields() {
    let wide = ["field"; 40].join(",") + "\n";
    let short = "a,b,c,d\n".repeat(20);
    let walk_kind = |text: &str, wanted: &[usize]| {
        WalkKind::choose(text.as_bytes(), b',', &Wanted::fields(wanted.iter().copied()))
    };
    assert_eq!(walk_kind(&wide.repeat(10), &[3, 17]), WalkKind::Sparse);
    assert_eq!(walk_kind(&wide.repeat(10), &(0..40).collect::<Vec<_>>()), WalkKind::Positions);
    assert_eq!(walk_kind(&short, &[1, 2]), WalkKind::Positions);
    assert_eq!(walk_kind("", &[1, 2]), WalkKind::Positions);
}

/// All fields. No record in the following tests has more fields.
const ALL: [usize; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

#[test]
fn every_short_text_is_read_correctly_at_every_split() {
    // The loops build all texts of up to 6 bytes from the alphabet. So in every state, the reader gets every byte of
    // the alphabet.
    let alphabet = *b"a\",\r\n";
    for length in 0..=6u32 {
        for number in 0..alphabet.len().pow(length) {
            let text: Vec<u8> = (0..length)
                .map(|digit| alphabet[number / alphabet.len().pow(digit) % alphabet.len()])
                .collect();
            let expected = byte_wise(&text, b',');
            for split in 0..=text.len() {
                let (one, other) = text.split_at(split);
                for variant in [VARIANTS[3], VARIANTS[7]] {
                    let records = block_wise(&[one, other], b',', &ALL, variant);
                    assert_eq!(records, expected, "{text:?} at {split} {variant:?}");
                }
            }
        }
    }
}

#[test]
fn quotes_delimiters_and_record_ends_are_found_at_every_position_of_a_block() {
    for shift in 0..130 {
        let mut text = vec![b'x'; shift];
        text.extend_from_slice(b",\"a\"\"b,\r\n\",12\" x,\"c\"d\r\n\r\n\"\",,\r\"open\n");
        let expected = byte_wise(&text, b',');
        assert_eq!(expected.len(), 3);
        let single: Vec<&[u8]> = text.chunks(1).collect();
        for variant in VARIANTS {
            for split in 0..=text.len() {
                let (one, other) = text.split_at(split);
                assert_eq!(
                    block_wise(&[one, other], b',', &ALL, variant),
                    expected,
                    "{shift} {split} {variant:?}"
                );
            }
            assert_eq!(
                block_wise(&single, b',', &ALL, variant),
                expected,
                "{shift} byte by byte {variant:?}"
            );
        }
    }
}
