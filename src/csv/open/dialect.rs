//! Which delimiter a file uses, judged by its first records.
//!
//! Each candidate reads the sample as a table. The one under which most records agree on a number of
//! columns wins, and it must split the first record: a delimiter that the header lacks is text. Between
//! equals the one with more columns wins, then the more usual one. A file of one column is comma-separated.

use crate::csv::scanner::walk::Wanted;
use crate::csv::scanner::{Flow, Marks, Scanner};
use std::convert::Infallible;

/// Candidates, the most usual first.
const DELIMITERS: [u8; 4] = *b",;\t|";
/// Records that are looked at; agreement does not get clearer with more.
const SAMPLE_RECORDS: usize = 1000;

/// The delimiter of a file that starts with `sample`; `whole` says that the file ends there.
pub(in crate::csv) fn sniff(sample: &[u8], whole: bool) -> u8 {
    let mut best = (Agreement { records: 0, of: 1, columns: 1 }, b',');
    for delimiter in DELIMITERS {
        let agreement = agreement(sample, whole, delimiter);
        if agreement.columns > 1 && agreement.is_better_than(&best.0) {
            best = (agreement, delimiter);
        }
    }
    best.1
}

/// How well a sample reads as a table.
struct Agreement {
    /// Records with the number of columns of the first, and sound quotes.
    records: usize,
    /// Records in all.
    of: usize,
    /// Columns of the first record.
    columns: usize,
}

impl Agreement {
    fn is_better_than(&self, other: &Self) -> bool {
        let (own, others) = (self.records * other.of, other.records * self.of);
        own > others || (own == others && self.columns > other.columns)
    }
}

fn agreement(sample: &[u8], whole: bool, delimiter: u8) -> Agreement {
    let mut scanner = Scanner::new(delimiter, Wanted::first(0));
    let mut agreement = Agreement { records: 0, of: 0, columns: 0 };
    let mut count = |fields: usize, sound: bool| {
        if agreement.of == 0 {
            agreement.columns = fields;
        }
        agreement.of += 1;
        agreement.records += usize::from(sound && fields == agreement.columns);
        if agreement.of < SAMPLE_RECORDS { Flow::Continue } else { Flow::Pause }
    };
    let fed = scanner
        .feed(sample, |found| Ok::<_, Infallible>(count(found.fields, !found.marks.has(Marks::STRAY))));
    let Ok(fed) = fed;
    let open_fields = scanner.open_fields() + 1;
    let has_open = !fed.paused && scanner.open_bytes() > 0;
    if has_open && (whole || agreement.of == 0) {
        agreement_of_open(&mut agreement, open_fields);
    }
    agreement
}

/// Counts a last record without a line break: the file's end, or a first record longer than the sample.
fn agreement_of_open(agreement: &mut Agreement, fields: usize) {
    if agreement.of == 0 {
        agreement.columns = fields;
    }
    agreement.of += 1;
    agreement.records += usize::from(fields == agreement.columns);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_that_makes_a_table_is_found() {
        for (sample, delimiter) in [
            ("a,b,c\n1,2,3\n", b','),
            ("a;b;c\n1;2;3\n", b';'),
            ("a\tb\tc\n1\t2\t3\n", b'\t'),
            ("a|b|c\r\n1|2|3\r\n", b'|'),
            ("price;sum\n1,5;2,5\n3,5;4,5\n", b';'),
            ("id|text\n1|a, b, c\n2|d, e\n3|f\n", b'|'),
            ("id,tags\n1,a|b\n2,c|d\n", b','),
            ("id,tags;more\n1,a;b\n2,c;d\n", b','),
            ("\"a,x\";\"b,y\"\n\"1,5\";\"2,5\"\n", b';'),
            ("a;b\n\"1\n,2,\n,3\";4\n", b';'),
            ("name\nAnna\nBo, Jr.\n", b','),
            ("one column\n", b','),
            ("", b','),
            ("\n\r\n", b','),
            ("a;b", b';'),
            ("a;b\n1;2\n3,4,5;6", b';'),
        ] {
            assert_eq!(sniff(sample.as_bytes(), true) as char, delimiter as char, "{sample:?}");
        }
    }

    #[test]
    fn a_record_cut_by_the_end_of_the_sample_does_not_count() {
        assert_eq!(sniff(b"a;b,c;d\n1;2,3;4\n5;6,7", false), b';');
        assert_eq!(sniff(b"a first record; longer than the sample; with, both", false), b';');
    }
}
