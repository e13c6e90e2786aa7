//! Checks whether a record is well-formed: its quotes and its number of fields.

use super::Record;
use crate::csv::error::Defect;
use crate::csv::scanner::Marks;
use std::cmp::Ordering;

/// The defects of a record: a stray or an unclosed quote, and a number of fields that is not the number of columns.
pub(in crate::csv) struct RecordForm {
    /// A stray or an unclosed quote; `None` if the record has neither.
    pub(in crate::csv) quotes: Option<Defect>,
    /// How the number of fields compares with the number of columns.
    pub(in crate::csv) field_count: Ordering,
    ragged: Defect,
}

impl RecordForm {
    /// Whether the record is certainly well-formed: it has as many fields as the header and no doubled, stray
    /// or unclosed quotes.
    #[inline(always)]
    pub(in crate::csv) fn is_plain(record: &Record<'_>, columns: usize) -> bool {
        record.fields == columns && !record.marks.has(Marks::ESCAPES)
    }

    /// Checks a record that [`RecordForm::is_plain`] does not accept.
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

    /// Returns the reason why strict mode refuses the record; `None` if the record is well-formed.
    pub(in crate::csv) fn defect(&self) -> Option<Defect> {
        self.quotes.or((self.field_count != Ordering::Equal).then_some(self.ragged))
    }
}
