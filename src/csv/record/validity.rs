//! What is unsound about the form of a record: its quotes, or its number of fields.

use super::Record;
use crate::csv::error::Defect;
use crate::csv::scanner::Marks;
use std::cmp::Ordering;

/// The form of a record in a file of so many columns.
pub(in crate::csv) struct RecordForm {
    /// A stray quote, or one left open.
    pub(in crate::csv) quotes: Option<Defect>,
    /// How its number of fields compares with the columns.
    pub(in crate::csv) field_count: Ordering,
    ragged: Defect,
}

impl RecordForm {
    /// Whether nothing about the record's form needs a second look.
    #[inline(always)]
    pub(in crate::csv) fn is_plain(record: &Record<'_>, columns: usize) -> bool {
        record.fields == columns && !record.marks.has(Marks::ESCAPES)
    }

    /// The form of a record that is not simply sound.
    pub(in crate::csv) fn new(fields: usize, marks: Marks, columns: usize) -> Self {
        let quotes = if marks.has(Marks::STRAY) {
            Some(Defect::StrayQuote)
        } else if marks.has(Marks::UNCLOSED) {
            Some(Defect::UnclosedQuote)
        } else {
            None
        };
        let ragged = Defect::Ragged { expected: columns, found: fields };
        Self { quotes, field_count: fields.cmp(&columns), ragged }
    }

    /// What strict mode refuses it for.
    pub(in crate::csv) fn defect(&self) -> Option<Defect> {
        self.quotes.or((self.field_count != Ordering::Equal).then_some(self.ragged))
    }
}
