//! The problems of cuts.

use crate::csv::CsvError;
use crate::csv::filter::FilterError;
use crate::csv::request::RequestError;
use crate::error::{Code, Problem, sentence};

/// Returns the problem for an error in a request for a cut.
pub fn request_problem(error: RequestError) -> Problem {
    let detail = error.to_string();
    match error {
        RequestError::BadFilter(error) => filter_problem(&error),
        RequestError::UnknownColumn { reference, known, total } => Problem::new(Code::UnknownColumn, detail)
            .with("column", reference)
            .with("known", known)
            .with("total", total),
        RequestError::UnknownOption { name, known, .. } => {
            Problem::new(Code::UnknownOption, detail).with("option", name).with("known", known)
        }
        RequestError::BadOption { .. }
        | RequestError::NoEffect { .. }
        | RequestError::RepeatedOption { .. }
        | RequestError::NotAnObject { .. } => Problem::new(Code::BadRequest, detail),
    }
}

fn filter_problem(error: &FilterError) -> Problem {
    let problem = Problem::new(Code::BadFilter, error.to_string()).with("where", error.place.to_string());
    match error.position {
        Some(position) => problem.with("position", position),
        None => problem,
    }
}

/// Returns the problem for a file that cannot be read as CSV.
pub fn csv_problem(error: CsvError) -> Problem {
    match error {
        CsvError::Malformed(fault) => Problem::new(
            Code::MalformedCsv,
            format!("{} Repair the file and upload it again.", sentence(&fault)),
        )
        .with("record", fault.record)
        .with("line", fault.line)
        .with("byte", fault.byte),
        CsvError::BadEncoding(_) => Problem::new(Code::BadRequest, sentence(&error)),
    }
}
