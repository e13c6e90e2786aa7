//! Tests that the output does not depend on the positions at which a file is split into pieces.

use super::{TestCut, number_rows, utf16};
use crate::csv::SAMPLE_BYTES;
use crate::csv::cut::processor::CutCounts;
use crate::csv::scanner::block::BLOCK_BYTES;
use crate::csv::scanner::block::WINDOW_BLOCKS;
use crate::csv::write::options::{OutputFormat, OutputOptions};
use proptest::prelude::*;

/// Returns files with unusual structures. The files are small, because the tests split each file at every byte.
fn unusual_files() -> Vec<Vec<u8>> {
    let long = "x".repeat(70);
    let mut files: Vec<Vec<u8>> = [
        format!(
            "\u{FEFF}a;b;{long}\r\n1;\"2\r\n;\"\"\";3\r\r\n\n12\" x;\"ab\"cd;{long}\n4\n1;2;3;4\n\"open;é"
        ),
        format!("a,\"b\"\"c\",{long}\r1,\"{long}\",\"\"\r\n,,\n\"\"\n\"x\"y\"z,\n"),
        "one\n\"\"\n\n\"a\n\"\nb".to_owned(),
        "a\tb\n=1\t-2\n\"=x\"\t\"a\tb\"\n".to_owned(),
    ]
    .map(String::into_bytes)
    .into();
    let mut utf16_file = b"\xFF\xFE".to_vec();
    utf16_file.extend(utf16("ä;b\r\n😀;\"\r\n\"\r\n\"\"\"\";", u16::to_le_bytes));
    files.push(utf16_file);
    files.push(b"caf\xE9|b\n\xFF\xC3|1\n".to_vec());
    files
}

fn unusual_cuts() -> Vec<TestCut> {
    let mut cuts = Vec::new();
    for format in [OutputFormat::Csv, OutputFormat::Tsv, OutputFormat::Json, OutputFormat::Ndjson] {
        for flag in [false, true] {
            let mut cut = TestCut::format(format);
            cut.output = OutputOptions { spreadsheet_safe: flag, typed: flag, bom: flag, ..cut.output };
            cut.input.header = Some(!flag);
            cut.limit = flag.then_some(3);
            cut.offset = u64::from(flag);
            cut.output_target_bytes = flag.then_some(1);
            cuts.push(cut);
        }
    }
    cuts.push(TestCut { strict: true, ..TestCut::default() });
    cuts
}

#[test]
fn every_split_of_every_unusual_file_gives_the_same_output() {
    for (file, sample_bytes) in unusual_files().iter().flat_map(|file| [(file, 4), (file, SAMPLE_BYTES)]) {
        for mut cut in unusual_cuts() {
            cut.sample_bytes = Some(sample_bytes);
            let run = |pieces: &[&[u8]]| {
                // If the cut stops at its limit, the number of bytes that it has read depends on the pieces. So this
                // number is not compared.
                cut.run(pieces.iter().copied())
                    .map(|(out, tally)| (out, CutCounts { bytes_in: 0, bytes_scanned: 0, ..tally }))
            };
            let whole = run(&[file]);
            for split in 0..=file.len() {
                let (one, other) = file.split_at(split);
                assert_eq!(run(&[one, other]), whole, "split at {split}");
            }
            for piece_bytes in [1, 2, 3, 5, 63, 64, 65] {
                let pieces: Vec<&[u8]> = file.chunks(piece_bytes).collect();
                assert_eq!(run(&pieces), whole, "pieces of {piece_bytes}");
            }
        }
    }
}

/// Runs each cut twice: with rows that are written at once, and with rows that are written in parts of about
/// `target_bytes` bytes. Asserts that both runs give the same output and the same counts.
fn assert_parts_equal_whole_rows(file: &[u8], target_bytes: usize) {
    let mut cuts = unusual_cuts();
    cuts.extend([
        TestCut { columns: Some(vec!["#1"]), ..TestCut::default() },
        TestCut { columns: Some(vec!["#1", "#1"]), ..TestCut::format(OutputFormat::Ndjson) },
        TestCut { columns: Some(vec![]), ..TestCut::format(OutputFormat::Json) },
    ]);
    for mut cut in cuts {
        cut.output_target_bytes = None;
        let Ok(whole) = cut.run([file]) else { continue };
        (cut.long_record_bytes, cut.output_target_bytes) = (Some(0), Some(target_bytes));
        let (output, tally) = cut.run([file]).unwrap();
        let expected = String::from_utf8_lossy(&whole.0);
        assert_eq!(String::from_utf8_lossy(&output), expected, "{:?}, {target_bytes}", cut.output);
        // If both cuts stop at their limit, they may have read different numbers of bytes. So these numbers are not
        // compared.
        let read = |tally| CutCounts { bytes_in: 0, bytes_scanned: 0, ..tally };
        assert_eq!(read(tally), read(whole.1));
    }
}

#[test]
fn writing_rows_in_parts_does_not_change_the_output() {
    let mark_in_first_cell = "a,b\n\u{FEFF}1,2\n\u{FEFF}3,4\n".as_bytes().to_vec();
    for file in unusual_files().iter().chain([&number_rows(), &mark_in_first_cell]) {
        for target_bytes in [1, 2, 3, 7, 20, 100] {
            assert_parts_equal_whole_rows(file, target_bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn writing_rows_in_parts_does_not_change_the_output_for_cells_of_any_bytes(
        cells in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![
                Just(b'"'), Just(b'='), Just(0xC3), Just(0xA9), Just(0xF0), Just(0x9F), Just(0x98), Just(0x80), any::<u8>(),
            ], 0..12), 1..12),
        target_bytes in 1usize..40,
    ) {
        let file = [b"a,b\n".to_vec(), cells.join(&b','), b"\n\"".to_vec(), cells.join(&b"\"\""[..]), b"\",x\n".to_vec()];
        assert_parts_equal_whole_rows(&file.concat(), target_bytes);
    }

    #[test]
    fn a_cut_never_panics_on_any_bytes_in_any_pieces(
        file in proptest::collection::vec(any::<u8>(), 0..300), piece_bytes in 1usize..100,
    ) {
        for cut in unusual_cuts() {
            let _ = cut.run(file.chunks(piece_bytes));
        }
    }
}

#[test]
fn splits_near_the_ends_of_blocks_and_windows_do_not_change_the_output() {
    let window_bytes = WINDOW_BLOCKS * BLOCK_BYTES;
    let file = number_rows().repeat(window_bytes / number_rows().len() + 1);
    assert!(file.len() > window_bytes + 130);
    for mut cut in unusual_cuts() {
        cut.sample_bytes = Some(4);
        cut.filter = Some(">= 550");
        let run = |pieces: &[&[u8]]| {
            cut.run(pieces.iter().copied())
                .map(|(out, tally)| (out, CutCounts { bytes_in: 0, bytes_scanned: 0, ..tally }))
        };
        let whole = run(&[&file]);
        for split in (0..=130).chain(window_bytes - 130..=window_bytes + 130) {
            let (one, other) = file.split_at(split);
            assert!(run(&[one, other]) == whole, "split at {split}");
        }
        let file = number_rows();
        let whole = run(&[&file]);
        for piece_bytes in 1..=130 {
            let pieces: Vec<&[u8]> = file.chunks(piece_bytes).collect();
            assert!(run(&pieces) == whole, "pieces of {piece_bytes}");
        }
    }
}
