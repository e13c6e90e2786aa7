//! How well a candidate fits the sample.

use super::preamble::Preamble;
use super::reading::{Reading, SampleRecord};

/// How well a candidate fits the sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    /// Whether the candidate splits the header.
    pub(super) splits_header: bool,
    /// Share of the records that have the width of the table and no stray quote.
    pub(super) share: f64,
    /// Share of the records that have the width of the table, with or without stray quotes.
    pub(super) width_share: f64,
    /// `share`, changed by what speaks for or against the candidate.
    pub(super) score: f64,
    /// Share of the records that have the most frequent number of fields above one.
    pub(super) split_share: f64,
    pub(super) columns: usize,
    pub(super) max_fields: usize,
    /// Number of records with a stray or an unclosed quote.
    pub(super) malformed: usize,
}

impl Fit {
    /// Computes the fit of a reading whose table begins below the preamble.
    pub(super) fn of(reading: &Reading, preamble: &Preamble) -> Self {
        let records = &reading.records[preamble.records.min(reading.records.len())..];
        let Some(header) = records.first() else {
            return Self {
                splits_header: false,
                share: 1.0,
                width_share: 1.0,
                score: 0.0,
                split_share: 0.0,
                columns: 0,
                max_fields: 0,
                malformed: 0,
            };
        };
        let width = match preamble.records {
            0 if reading.width() < 2 => header.fields,
            0 => reading.width(),
            _ => preamble.width,
        };
        let share_of = |count: usize| count as f64 / records.len() as f64;
        let has_width = |record: &&SampleRecord| record.fields == width;
        let fitting = records.iter().filter(has_width).filter(|record| !record.is_malformed).count();
        let share = share_of(fitting);
        // A single record that does not fit may be damaged, so it counts half.
        let score = share + if fitting < records.len() { 0.5 / records.len() as f64 } else { 0.0 };
        let max_fields = records.iter().map(|record| record.fields).max().unwrap_or(0);
        Self {
            splits_header: header.fields > 1,
            share,
            width_share: share_of(records.iter().filter(has_width).count()),
            score,
            split_share: share_of(most_frequent_split(records)),
            columns: width.max(header.fields),
            max_fields,
            malformed: records.iter().filter(|record| record.is_malformed).count(),
        }
    }

    /// Compares two fits. The greater one fits better.
    pub(super) fn order(&self, other: &Self) -> std::cmp::Ordering {
        let key = |fit: &Self| (fit.splits_header, fit.score);
        let ((own_split, own_score), (other_split, other_score)) = (key(self), key(other));
        own_split
            .cmp(&other_split)
            .then(own_score.total_cmp(&other_score))
            .then(self.columns.cmp(&other.columns))
    }
}

/// Returns how many records have the most frequent number of fields above one.
fn most_frequent_split(records: &[SampleRecord]) -> usize {
    let mut widths: Vec<usize> =
        records.iter().map(|record| record.fields).filter(|fields| *fields > 1).collect();
    widths.sort_unstable();
    widths.chunk_by(|one, other| one == other).map(<[usize]>::len).max().unwrap_or(0)
}
