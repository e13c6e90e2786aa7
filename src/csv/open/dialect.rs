//! Detects the delimiter of a file from its first records.
//!
//! The sample is read as a table once for each candidate. This gives the candidate's share: the share of the records
//! that have as many fields as the first record. The candidate with the largest share wins. A candidate must split the
//! first record: a character that does not separate the names in the header is text in the other records too. If two
//! candidates have equal shares, the candidate with more columns wins. If the numbers of columns are equal too, the
//! more common candidate wins. A file with one column is read as comma-separated.

use crate::csv::scanner::walk::Wanted;
use crate::csv::scanner::{Flow, Marks, Scanner};
use std::convert::Infallible;

/// Candidates for the delimiter, the most common first.
const DELIMITERS: [u8; 4] = *b",;\t|";
/// Maximum number of records that are read. More records would rarely change the result.
const SAMPLE_RECORDS: usize = 1000;

/// Returns the delimiter of a file that starts with `sample`. `whole` is `true` if the sample is the whole file.
pub(in crate::csv) fn detect_delimiter(sample: &[u8], whole: bool) -> u8 {
    let mut best = (Agreement { matching: 0, total: 1, columns: 1 }, b',');
    for delimiter in DELIMITERS {
        let agreement = agreement(sample, whole, delimiter);
        if agreement.columns > 1 && agreement.is_better_than(&best.0) {
            best = (agreement, delimiter);
        }
    }
    best.1
}

/// Counts that show how well one candidate splits the sample into a table.
struct Agreement {
    /// Records without stray quotes that have as many fields as the first record.
    matching: usize,
    /// All records read.
    total: usize,
    /// Fields of the first record.
    columns: usize,
}

impl Agreement {
    fn is_better_than(&self, other: &Self) -> bool {
        let (own, others) = (self.matching * other.total, other.matching * self.total);
        own > others || (own == others && self.columns > other.columns)
    }
}

fn agreement(sample: &[u8], whole: bool, delimiter: u8) -> Agreement {
    let mut scanner = Scanner::new(delimiter, Wanted::first(0));
    let mut agreement = Agreement { matching: 0, total: 0, columns: 0 };
    let mut count = |fields: usize, is_well_formed: bool| {
        if agreement.total == 0 {
            agreement.columns = fields;
        }
        agreement.total += 1;
        agreement.matching += usize::from(is_well_formed && fields == agreement.columns);
        if agreement.total < SAMPLE_RECORDS { Flow::Continue } else { Flow::Pause }
    };
    let fed = scanner
        .feed(sample, |found| Ok::<_, Infallible>(count(found.fields, !found.marks.has(Marks::STRAY))));
    let Ok(fed) = fed;
    let unfinished_fields = scanner.open_fields() + 1;
    let has_unfinished = !fed.paused && scanner.open_bytes() > 0;
    if has_unfinished && (whole || agreement.total == 0) {
        count_last_record(&mut agreement, unfinished_fields);
    }
    agreement
}

/// Counts the last record of the sample if no line break ends this record. Either the file ends here, or the first
/// record is longer than the sample.
fn count_last_record(agreement: &mut Agreement, fields: usize) {
    if agreement.total == 0 {
        agreement.columns = fields;
    }
    agreement.total += 1;
    agreement.matching += usize::from(fields == agreement.columns);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_of_common_tables_is_detected() {
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
            assert_eq!(detect_delimiter(sample.as_bytes(), true) as char, delimiter as char, "{sample:?}");
        }
    }

    #[test]
    fn an_unfinished_record_counts_only_if_it_is_the_first_record() {
        assert_eq!(detect_delimiter(b"a;b,c;d\n1;2,3;4\n5;6,7", false), b';');
        assert_eq!(detect_delimiter(b"a first record; longer than the sample; with, both", false), b';');
    }
}
