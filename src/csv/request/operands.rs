//! Checks that the operands of a filter can be compared with the columns of a profiled file.
//!
//! Without this check, `n > 1,000` on a column of numbers would compare texts, because `1,000` is not a number. The
//! result would look right, but it would have the wrong rows.

use super::error::RequestError;
use super::{CutRequest, shortened};
use crate::csv::filter::{
    Comparison, Condition, FilterError, FilterLocation, Instant, OperandReading, nearest_double,
};
use crate::csv::profile::{ColumnStatistics, ColumnType, Profile};

/// The kind of operand that a column needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OperandKind {
    Number,
    Date,
}

impl CutRequest {
    /// Checks the operands of ordering operators against a profile of the file. Columns that the file does not have are
    /// not checked; [`CutRequest::plan`] refuses them.
    ///
    /// # Errors
    /// [`RequestError::BadFilter`] if a column holds numbers and an operand is not a number, or if a column holds dates
    /// and an operand is not a date.
    pub fn check_operands(&self, profile: &Profile) -> Result<(), RequestError> {
        let Some(filter) = self.filter.as_ref().filter(|_| self.operands == OperandReading::ByForm) else {
            return Ok(());
        };
        let header = profile.header();
        filter.try_for_each(&mut |condition| {
            let column =
                header.resolve(&condition.column).ok().and_then(|column| profile.columns.get(column));
            let Some(statistics) = column.and_then(|column| column.statistics.as_ref()) else {
                return Ok(());
            };
            check_condition(condition, statistics)
        })
    }
}

fn check_condition(condition: &Condition, statistics: &ColumnStatistics) -> Result<(), RequestError> {
    let kind = match statistics.column_type {
        ColumnType::Integer | ColumnType::Decimal => OperandKind::Number,
        ColumnType::Date | ColumnType::Datetime => OperandKind::Date,
        ColumnType::Empty | ColumnType::Boolean | ColumnType::Categorical | ColumnType::Text => return Ok(()),
    };
    let orders = matches!(condition.comparison, Comparison::Compares(..) | Comparison::Between(..));
    let wrong = condition.comparison.values().into_iter().find(|operand| !kind.includes(operand));
    match wrong.filter(|_| orders) {
        None => Ok(()),
        Some(operand) => Err(RequestError::BadFilter(FilterError {
            place: FilterLocation::Column(shortened(&condition.column)),
            position: None,
            detail: detail(kind, &condition.column, operand, statistics),
        })),
    }
}

impl OperandKind {
    fn includes(self, operand: &str) -> bool {
        match self {
            Self::Number => nearest_double(operand.as_bytes()).is_some(),
            Self::Date => Instant::parse(operand.as_bytes()).is_some(),
        }
    }
}

fn detail(kind: OperandKind, column: &str, operand: &str, statistics: &ColumnStatistics) -> String {
    let (kinds, one, form) = match kind {
        OperandKind::Number => ("numbers", "a number", "a number with digits and a decimal point"),
        OperandKind::Date => ("dates", "a date", "a date as 2024-01-31, or a time as 2024-01-31T12:00:00Z"),
    };
    let mut examples: Vec<&str> = statistics.min.iter().chain(&statistics.max).map(String::as_str).collect();
    examples.dedup();
    let examples = match examples.join(" and ") {
        none if none.is_empty() => none,
        examples => format!(", such as {examples}"),
    };
    let plus = match kind {
        OperandKind::Date if has_lost_plus(operand) => " In a URL, write the plus sign of an offset as %2B.",
        OperandKind::Date | OperandKind::Number => "",
    };
    format!(
        "The column {:?} holds {kinds}{examples}. {:?} is not {one}. Write {form}, or add as=text to compare texts.{plus}",
        shortened(column),
        shortened(operand)
    )
}

/// Whether the operand would be a date if its last blank were a plus sign. In the query of a URL, a plus sign means a
/// blank.
fn has_lost_plus(operand: &str) -> bool {
    operand
        .rsplit_once(' ')
        .is_some_and(|(time, offset)| Instant::parse(format!("{time}+{offset}").as_bytes()).is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::csv::profile::Profiler;

    fn profile(file: &str) -> Profile {
        let mut profiler = Profiler::new(1 << 20);
        profiler.push(file.as_bytes());
        profiler.finish()
    }

    fn refusal(file: &str, query: &str) -> Option<String> {
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
        let request = CutRequest::from_query(pairs).unwrap();
        request.check_operands(&profile(file)).err().map(|error| error.to_string())
    }

    const FILE: &str = "n,d,t,m,na\n2,2023-05-01,a,1,5\n5,2024-05-01T10:00,b,x,NA\n999,2024-05-02 11:00+02,c,2024-01-01,7\n1500,2024-06-01,d,y,n/a\n";

    #[test]
    fn an_operand_of_another_kind_is_refused_with_examples() {
        for (query, parts) in [
            ("n__gt=1,000", ["\"n\" holds numbers, such as 2 and 1500", "\"1,000\" is not a number"]),
            ("n__lte=2024-01-01", ["holds numbers", "\"2024-01-01\" is not a number"]),
            ("n__between=1,x", ["holds numbers", "\"x\" is not a number"]),
            ("na__lt=NA", ["holds numbers, such as 5 and 7", "as=text"]),
            (
                "d__lt=31.12.2023",
                ["\"d\" holds dates, such as 2023-05-01 and 2024-06-01", "\"31.12.2023\" is not a date"],
            ),
            ("d__gt=2024", ["holds dates", "\"2024\" is not a date"]),
            ("d__gte=2024-02-30", ["holds dates", "2024-01-31"]),
            ("d__gte=2024-5-1", ["holds dates", "2024-01-31"]),
            ("d__gte=2024-05-01T10:00 02:00", ["holds dates", "%2B"]),
            ("D__notbetween=2024-01-01,12/31/2024", ["\"D\" holds dates", "12/31/2024"]),
        ] {
            let detail = refusal(FILE, query).unwrap();
            assert!(parts.iter().all(|part| detail.contains(part)), "{query}: {detail}");
        }
    }

    #[test]
    fn operands_that_can_be_compared_are_accepted() {
        for query in [
            "n__gt=1000",
            "n__gt= 1e3 ",
            "n__eq=1,000",
            "n__contains=x",
            "n__in=a,b",
            "n__gt=1,000&as=text",
            "d__lt=2024-01-01",
            "d__lt=2024-01-01T00:00:00,5+02",
            "t__gt=b",
            "t__gt=5",
            "m__gt=2024-01-01",
            "m__gt=x",
            "unknown__gt=x",
        ] {
            assert_eq!(refusal(FILE, query), None, "{query}");
        }
    }
}
