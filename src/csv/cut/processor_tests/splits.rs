//! Files that come in pieces: wherever they are cut, the output is the same.

use super::{Trial, numbers, utf16};
use crate::csv::SAMPLE_BYTES;
use crate::csv::cut::processor::Tally;
use crate::csv::scanner::block::BLOCK_BYTES;
use crate::csv::scanner::block::WINDOW_BLOCKS;
use crate::csv::write::options::{OutputFormat, OutputOptions};
use proptest::prelude::*;

/// Files that hold everything that is odd, small enough to be split everywhere.
fn odd_files() -> Vec<Vec<u8>> {
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

fn odd_trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for format in [OutputFormat::Csv, OutputFormat::Tsv, OutputFormat::Json, OutputFormat::Ndjson] {
        for flag in [false, true] {
            let mut trial = Trial::format(format);
            trial.output = OutputOptions { spreadsheet_safe: flag, typed: flag, bom: flag, ..trial.output };
            trial.input.header = !flag;
            trial.limit = flag.then_some(3);
            trial.offset = u64::from(flag);
            trial.output_target_bytes = flag.then_some(1);
            trials.push(trial);
        }
    }
    trials.push(Trial { strict: true, ..Trial::default() });
    trials
}

#[test]
fn every_split_of_every_odd_file_gives_the_same_output() {
    for (file, sample_bytes) in odd_files().iter().flat_map(|file| [(file, 4), (file, SAMPLE_BYTES)]) {
        for mut trial in odd_trials() {
            trial.sample_bytes = Some(sample_bytes);
            let run = |pieces: &[&[u8]]| {
                // How many bytes were needed depends on the pieces when a limit ends the reading.
                trial
                    .run(pieces.iter().copied())
                    .map(|(out, tally)| (out, Tally { bytes_in: 0, bytes_scanned: 0, ..tally }))
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

/// Whether rows written in parts, of about so many bytes, are the same as rows written at once.
fn parts_change_nothing(file: &[u8], enough: usize) {
    let mut trials = odd_trials();
    trials.extend([
        Trial { columns: Some(vec!["#1"]), ..Trial::default() },
        Trial { columns: Some(vec!["#1", "#1"]), ..Trial::format(OutputFormat::Ndjson) },
        Trial { columns: Some(vec![]), ..Trial::format(OutputFormat::Json) },
    ]);
    for mut trial in trials {
        trial.output_target_bytes = None;
        let Ok(whole) = trial.run([file]) else { continue };
        (trial.long_record_bytes, trial.output_target_bytes) = (Some(0), Some(enough));
        let (output, tally) = trial.run([file]).unwrap();
        let expected = String::from_utf8_lossy(&whole.0);
        assert_eq!(String::from_utf8_lossy(&output), expected, "{:?}, {enough}", trial.output);
        // How far the file was read when a limit ended the reading is another matter.
        let read = |tally| Tally { bytes_in: 0, bytes_scanned: 0, ..tally };
        assert_eq!(read(tally), read(whole.1));
    }
}

#[test]
fn rows_written_in_parts_are_those_written_at_once() {
    let mark_in_first_cell = "a,b\n\u{FEFF}1,2\n\u{FEFF}3,4\n".as_bytes().to_vec();
    for file in odd_files().iter().chain([&numbers(), &mark_in_first_cell]) {
        for enough in [1, 2, 3, 7, 20, 100] {
            parts_change_nothing(file, enough);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn rows_of_any_bytes_are_written_in_parts_as_at_once(
        cells in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![
                Just(b'"'), Just(b'='), Just(0xC3), Just(0xA9), Just(0xF0), Just(0x9F), Just(0x98), Just(0x80), any::<u8>(),
            ], 0..12), 1..12),
        enough in 1usize..40,
    ) {
        let file = [b"a,b\n".to_vec(), cells.join(&b','), b"\n\"".to_vec(), cells.join(&b"\"\""[..]), b"\",x\n".to_vec()];
        parts_change_nothing(&file.concat(), enough);
    }

    #[test]
    fn no_bytes_and_no_pieces_make_it_panic(
        file in proptest::collection::vec(any::<u8>(), 0..300), piece_bytes in 1usize..100,
    ) {
        for trial in odd_trials() {
            let _ = trial.run(file.chunks(piece_bytes));
        }
    }
}

#[test]
fn splits_round_the_edges_of_blocks_and_batches_change_no_format() {
    let batch = WINDOW_BLOCKS * BLOCK_BYTES;
    let file = numbers().repeat(batch / numbers().len() + 1);
    assert!(file.len() > batch + 130);
    for mut trial in odd_trials() {
        trial.sample_bytes = Some(4);
        trial.filter = Some(">= 550");
        let run = |pieces: &[&[u8]]| {
            trial
                .run(pieces.iter().copied())
                .map(|(out, tally)| (out, Tally { bytes_in: 0, bytes_scanned: 0, ..tally }))
        };
        let whole = run(&[&file]);
        for split in (0..=130).chain(batch - 130..=batch + 130) {
            let (one, other) = file.split_at(split);
            assert!(run(&[one, other]) == whole, "split at {split}");
        }
        let file = numbers();
        let whole = run(&[&file]);
        for piece_bytes in 1..=130 {
            let pieces: Vec<&[u8]> = file.chunks(piece_bytes).collect();
            assert!(run(&pieces) == whole, "pieces of {piece_bytes}");
        }
    }
}
