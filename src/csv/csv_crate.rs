//! How the `csv` crate reads a file: what the tests compare with.
#![allow(clippy::unwrap_used)]

/// The fields of every record, the header too; records may be of any width.
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
