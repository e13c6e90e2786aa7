//! Reads a file with the `csv` crate, as an oracle for tests.
#![allow(clippy::unwrap_used)]

/// Returns the fields of every record, the header included. Records may have any number of fields.
pub(super) fn read_with_csv_crate(text: &[u8], delimiter: u8) -> Vec<Vec<Vec<u8>>> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text)
        .byte_records()
        .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
        .collect()
}
