//! The block scanner against a byte-wise state machine that knows nothing of blocks.

use super::*;
use proptest::prelude::*;
use std::convert::Infallible;

/// A record as a scanner reports it, in positions of the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    start: usize,
    ends: Vec<u32>,
    fields: usize,
    marks: Marks,
    line: u64,
}

/// The same by one look at each byte in turn.
fn byte_wise(text: &[u8], delimiter: u8) -> Vec<Seen> {
    let fresh = |start, line| Seen { start, ends: Vec::new(), fields: 0, marks: Marks::default(), line };
    let (mut records, mut state, mut line) = (Vec::new(), State::RecordStart, 1);
    let mut record = fresh(0, 1);
    for (at, &byte) in text.iter().enumerate() {
        let is_break = byte == b'\r' || byte == b'\n';
        let ends_line = is_break && !(byte == b'\n' && at > 0 && text[at - 1] == b'\r');
        line += u64::from(ends_line);
        record.marks.quotes |= byte == b'"' && !(is_break && state != State::Quoted);
        state = match (state, byte) {
            (State::Quoted, b'"') => State::QuoteClosed,
            (State::Quoted, _) => State::Quoted,
            (State::RecordStart | State::FieldStart, b'"') => State::Quoted,
            (State::QuoteClosed, b'"') => {
                record.marks.escapes = true;
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
                record.marks = Marks { escapes: true, stray: true, ..record.marks };
                State::Unquoted
            }
            _ => State::Unquoted,
        };
    }
    if state != State::RecordStart {
        record.marks.unclosed = state == State::Quoted;
        record.marks.escapes |= record.marks.unclosed;
        record.ends.push((text.len() - record.start) as u32);
        records.push(record);
    }
    records.iter_mut().for_each(|record| record.fields = record.ends.len());
    records
}

/// The block scanner's answer to a text that comes in pieces, stopping behind every `pause_every`-th record.
fn block_wise(pieces: &[&[u8]], delimiter: u8, located: usize, pause_every: usize) -> Vec<Seen> {
    let mut scanner = Scanner::new(delimiter, located);
    let (mut seen, mut before) = (Vec::new(), 0);
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let fed = scanner.feed(rest, |found| {
                seen.push(Seen {
                    start: before + found.start - found.carried,
                    ends: found.ends.to_vec(),
                    fields: found.fields,
                    marks: found.marks,
                    line: found.line,
                });
                let pause = seen.len().is_multiple_of(pause_every);
                Ok::<_, Infallible>(if pause { Flow::Pause } else { Flow::Continue })
            });
            let Ok(fed) = fed;
            before += fed.consumed;
            rest = &rest[fed.consumed..];
            if !fed.paused {
                break;
            }
        }
    }
    if let Some(found) = scanner.finish() {
        let (ends, fields, marks, line) = (found.ends.to_vec(), found.fields, found.marks, found.line);
        seen.push(Seen { start: before - found.carried, ends, fields, marks, line });
    }
    seen
}

fn structural_text(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    const ALPHABET: &[u8; 10] = b"aaaa\"\",,\n\r";
    proptest::collection::vec((0..ALPHABET.len()).prop_map(|index| ALPHABET[index]), 0..longest)
}

/// Text whose quotes are mostly sound, so that long quoted fields cross blocks.
fn sound_text() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        6 => "[a-z ]{0,20}",
        3 => "\"([a-z,\r\n]|\"\"){0,80}\"",
        1 => "[a-z\"]{0,6}",
    ];
    let record = (proptest::collection::vec(field, 1..6), prop_oneof!["\n", "\r\n", "\r", "\n\n"])
        .prop_map(|(fields, end)| fields.join(",") + &end);
    proptest::collection::vec(record, 0..12).prop_map(|records| records.concat().into_bytes())
}

fn pieces<'a>(text: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    cuts.sort_unstable();
    let mut start = 0;
    let mut pieces: Vec<&[u8]> = Vec::new();
    for cut in cuts {
        pieces.push(&text[start..cut]);
        start = cut;
    }
    pieces.push(&text[start..]);
    pieces
}

fn truncated(mut records: Vec<Seen>, located: usize) -> Vec<Seen> {
    records.iter_mut().for_each(|record| record.ends.truncate(located));
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn blocks_see_what_single_bytes_show(
        text in prop_oneof![structural_text(300), sound_text()],
        cuts in proptest::collection::vec(any::<usize>(), 0..5),
        located in prop_oneof![Just(1000usize), 0usize..4],
        pause_every in prop_oneof![Just(usize::MAX), 1usize..4],
    ) {
        let expected = truncated(byte_wise(&text, b','), located);
        prop_assert_eq!(block_wise(&pieces(&text, &cuts), b',', located, pause_every), expected);
    }
}

#[test]
fn every_short_text_is_read_right_however_it_is_split() {
    // All texts of up to 6 of the bytes that matter: each state meets each byte in each order.
    let alphabet = *b"a\",\r\n";
    for length in 0..=6u32 {
        for number in 0..alphabet.len().pow(length) {
            let text: Vec<u8> = (0..length)
                .map(|digit| alphabet[number / alphabet.len().pow(digit) % alphabet.len()])
                .collect();
            let expected = byte_wise(&text, b',');
            for split in 0..=text.len() {
                let (one, other) = text.split_at(split);
                assert_eq!(block_wise(&[one, other], b',', 9, usize::MAX), expected, "{text:?} at {split}");
            }
        }
    }
}

#[test]
fn structure_at_every_place_of_a_block_is_seen() {
    for shift in 0..130 {
        let mut text = vec![b'x'; shift];
        text.extend_from_slice(b",\"a\"\"b,\r\n\",12\" x,\"c\"d\r\n\r\n\"\",,\r\"open\n");
        let expected = byte_wise(&text, b',');
        assert_eq!(expected.len(), 3);
        for split in 0..=text.len() {
            let (one, other) = text.split_at(split);
            assert_eq!(block_wise(&[one, other], b',', 9, usize::MAX), expected, "{shift} {split}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(block_wise(&single, b',', 9, usize::MAX), expected, "{shift} byte by byte");
    }
}
