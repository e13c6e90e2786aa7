//! Measures how often Cutty detects the encoding of a file. The results must not be worse than the committed table.
//!
//! `tests/encodings/` has two lists of words, with no common word in any language. `tuning.txt` was used to tune the
//! guess. `test.txt` was not, so it shows how good the guess is. The part `capitals` has the words of `test.txt` in upper
//! case, in the first column only. A file is a hit if Cutty decodes it to the text that the test encoded. The table is `tests/encodings/hits.txt`: for each list and encoding, the share of hits in percent,
//! by the number of cells in a file. Every run measures the first column, with few files and only for `test.txt`. A run
//! with `LONG=1` measures all columns for both lists. `LONG=1 HITS=write` replaces the table with the measured one.

#![allow(clippy::unwrap_used)]

#[path = "encodings/corpus.rs"]
mod corpus;

use corpus::{ENCODINGS, Random, Words, csv};
use cutty::csv::{CsvOpener, FileEncoding, InputOptions, OpeningStatus};
use encoding_rs::{
    BIG5, EUC_KR, Encoding, GBK, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1251,
    WINDOWS_1252, WINDOWS_1253, WINDOWS_1254,
};
use std::fmt::Write;

const TEST: &str = include_str!("encodings/test.txt");
const TUNING: &str = include_str!("encodings/tuning.txt");
/// Names of the parts of the table, the list of words of each part, and whether the words are in upper case.
const LISTS: [(&str, &str, bool); 3] =
    [("test", TEST, false), ("capitals", TEST, true), ("tuning", TUNING, false)];
const HITS: &str = include_str!("encodings/hits.txt");
/// For each column of the table: the number of cells in a file, and the number of files for each language and each of
/// the [`SHARES`].
const SIZES: [(usize, usize); 5] = [(200, 2), (20, 16), (200, 16), (2_000, 4), (20_000, 1)];
/// Shares of the cells in a file that have a word of the language, in percent.
const SHARES: [usize; 2] = [3, 40];

fn detected(file: &[u8]) -> &'static Encoding {
    let mut opener = CsvOpener::new(InputOptions::default(), 1 << 22).unwrap();
    let encoding = match opener.push(file).unwrap() {
        OpeningStatus::Ready(opened) => opened.dialect.encoding,
        OpeningStatus::NeedMore => opener.finish().unwrap().dialect.encoding,
    };
    match encoding {
        FileEncoding::Standard(encoding) => encoding,
        FileEncoding::CodePage(page) => unreachable!("{page:?} is never detected"),
    }
}

/// Makes `files` files of `cells` cells for each language and each of the [`SHARES`]. Returns the number of hits and
/// the number of files.
fn count(
    words: Words<'_>,
    encoding: &'static Encoding,
    languages: &[&str],
    cells: usize,
    files: usize,
) -> (u32, u32) {
    let (mut hits, mut all) = (0, 0);
    for language in languages {
        for share in SHARES {
            for seed in 0..files {
                let mut random = Random((seed * 1_000 + cells + share) as u64);
                let Some(file) = csv(words, language, encoding, cells, share, &mut random) else { continue };
                let text = |encoding: &'static Encoding| encoding.decode_without_bom_handling(&file).0;
                let read_as = detected(&file);
                all += 1;
                hits += u32::from(read_as == encoding || text(read_as) == text(encoding));
            }
        }
    }
    (hits, all)
}

fn is_long() -> bool {
    std::env::var_os("LONG").is_some_and(|value| value == "1")
}

/// Returns the figures of one line of the table: the share of hits in percent for each size.
fn figures(words: Words<'_>, encoding: &'static Encoding, languages: &[&str]) -> Vec<f64> {
    let mut figures = Vec::new();
    // Most files are measured only with `LONG=1`, so that the test is fast.
    let has_all_sizes = is_long() && !words.in_capitals;
    for (cells, files) in SIZES.into_iter().take(if has_all_sizes { SIZES.len() } else { 1 }) {
        let (hits, all) = count(words, encoding, languages, cells, files);
        figures.push(f64::from(hits) * 100.0 / f64::from(all));
    }
    figures
}

#[test]
fn every_encoding_is_detected_at_least_as_often_as_the_committed_table_says() {
    let mut table = String::from("list encoding 200 LONG: 20 200 2000 20000\n");
    let mut sunk = Vec::new();
    for (name, list, in_capitals) in LISTS.into_iter().take(if is_long() { LISTS.len() } else { 2 }) {
        let words = Words { list, in_capitals };
        for (encoding, languages) in ENCODINGS {
            let row = format!("{name} {}", encoding.name());
            let figures = figures(words, encoding, languages);
            let text: Vec<String> = figures.iter().map(|figure| format!("{figure:.1}")).collect();
            writeln!(table, "{row} {}", text.join(" ")).unwrap();
            let committed = HITS.lines().find_map(|line| line.strip_prefix(&format!("{row} ")));
            let committed = committed
                .unwrap_or("100 100 100 100 100")
                .split(' ')
                .map(|text| text.parse::<f64>().unwrap());
            for ((figure, committed), (cells, _)) in figures.iter().zip(committed).zip(SIZES) {
                if *figure < committed - 0.06 {
                    sunk.push(format!("{row}, {cells} cells: {figure:.1} % instead of {committed} %"));
                }
                if cells >= 200 && !in_capitals && *figure < floor(encoding) {
                    sunk.push(format!("{row}, {cells} cells: {figure:.1} % is below the floor"));
                }
            }
        }
    }
    if std::env::var_os("HITS").is_some_and(|value| value == "write") {
        assert!(is_long(), "the table has all sizes, so it needs LONG=1");
        std::fs::write("tests/encodings/hits.txt", table).unwrap();
    }
    assert!(sunk.is_empty(), "{}", sunk.join("\n"));
}

/// Returns the least share of hits that this encoding may have, in percent, for files of 200 cells or more.
fn floor(encoding: &'static Encoding) -> f64 {
    match encoding {
        _ if [UTF_8, UTF_16LE, UTF_16BE, WINDOWS_1252].contains(&encoding) => 99.0,
        _ if [WINDOWS_1250, WINDOWS_1251, WINDOWS_1253, WINDOWS_1254].contains(&encoding) => 95.0,
        _ if [SHIFT_JIS, EUC_KR, GBK, BIG5].contains(&encoding) => 95.0,
        _ => 0.0,
    }
}

#[test]
fn the_lists_for_tuning_and_for_the_test_have_no_word_in_common() {
    let words = |list: &'static str| -> Vec<(&str, &str)> {
        let lines = list.lines().filter_map(|line| line.split_once(": "));
        lines.flat_map(|(language, words)| words.split(' ').map(move |word| (language, word))).collect()
    };
    let tuning = words(TUNING);
    let both: Vec<_> = words(TEST).into_iter().filter(|word| tuning.contains(word)).collect();
    assert_eq!(both, []);
}

/// A UTF-8 file with one damaged place is detected as UTF-8 if it has more than 20 bytes that are not ASCII.
#[test]
fn damaged_utf8_is_read_as_utf8() {
    for (language, seed) in ["de", "fr", "pl", "ru", "el", "ja", "ko", "zh"].iter().zip(1..) {
        let mut random = Random(seed);
        let file =
            csv(Words { list: TEST, in_capitals: false }, language, UTF_8, 200, 40, &mut random).unwrap();
        let high: Vec<usize> = (0..file.len()).filter(|&at| !file[at].is_ascii()).collect();
        for _ in 0..8 {
            let at = high[random.below(high.len())];
            let mut lost = file.clone();
            lost.remove(at);
            let mut replaced = file.clone();
            replaced[at] = 0xE9;
            let mut surrogates = file.clone();
            surrogates.splice(0..0, *b"\xED\xA0\xBD\xED\xB8\x80,");
            for damaged in [lost, replaced, surrogates, file[..=at].to_vec()] {
                if damaged.iter().filter(|byte| !byte.is_ascii()).count() > 20 {
                    assert_eq!(
                        detected(&damaged),
                        UTF_8,
                        "{language}: {}",
                        String::from_utf8_lossy(&damaged)
                    );
                }
            }
        }
    }
}
