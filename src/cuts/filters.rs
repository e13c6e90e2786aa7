//! Checks a filter while somebody writes it.

use serde_json::Value;

use super::service::CutService;
use crate::csv::filter::text::{self, NamePlace, NextPart};
use crate::csv::filter::{Filter, FilterBuilder, FilterError, FilterLocation, tree};
use crate::csv::request::CutRequest;
use crate::csv::{Header, InputOptions, shortened};
use crate::error::Result;
use crate::storage::file::FileRow;

/// Maximum number of columns whose names are compared with an unknown name.
const MAX_COMPARED_NAMES: usize = 1_000;
/// Maximum length of a name that is compared, in characters.
const MAX_COMPARED_CHARACTERS: usize = 64;
/// A name is near to another name from this similarity on: from 0 (nothing in common) to 1 (equal).
const NEAR: f64 = 0.6;

/// A filter as a client wrote it.
pub enum Written<'a> {
    /// The text form.
    Text(&'a str),
    /// The JSON form.
    Tree(&'a Value),
}

/// What is known about a filter.
#[derive(Debug, Default)]
pub struct CheckedFilter {
    /// The filter; `None` if it cannot be parsed, or if its text is blank.
    pub filter: Option<Filter>,
    /// What is wrong with the filter.
    pub faults: Vec<FilterFault>,
}

/// Something wrong with a filter. Positions are in characters of the text from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterFault {
    /// Where the fault is in the text; `None` if the whole filter is at fault.
    pub position: Option<usize>,
    /// Number of characters at fault; 0 if something is missing at the position.
    pub length: usize,
    /// Where the fault is in the tree (RFC 6901), if the client sent a tree that cannot be parsed.
    pub pointer: Option<String>,
    /// What may stand at the position.
    pub expected: Vec<NextPart>,
    /// What is wrong and what to do next.
    pub detail: String,
    /// The name of the column that is most similar to an unknown name.
    pub nearest: Option<String>,
}

impl FilterFault {
    fn of_whole(detail: String) -> Self {
        Self { position: None, length: 0, pointer: None, expected: Vec::new(), detail, nearest: None }
    }
}

impl From<FilterError> for FilterFault {
    fn from(error: FilterError) -> Self {
        let pointer = match error.place {
            FilterLocation::Pointer(pointer) => Some(pointer),
            FilterLocation::Column(_) | FilterLocation::Parameter(_) | FilterLocation::Whole => None,
        };
        Self { position: error.position, pointer, ..Self::of_whole(error.detail) }
    }
}

/// Parses a filter. Returns the filter, and the places of its names in its text: the text that the client wrote, or the
/// text that [`text::render`] makes from a tree.
fn parse(written: Written<'_>) -> std::result::Result<(Option<Filter>, Vec<NamePlace>), FilterFault> {
    let parse_text = |text: &str| {
        text::parse(text).map_err(|error| FilterFault {
            position: Some(error.position),
            expected: error.expected,
            ..FilterFault::of_whole(error.detail)
        })
    };
    let (filter, names) = match written {
        Written::Text(text) => {
            let parsed = parse_text(text)?;
            (parsed.filter, parsed.names)
        }
        Written::Tree(tree) => {
            let filter = tree::parse(tree, "/tree")?;
            let names = parse_text(&text::render(&filter))?.names;
            (Some(filter), names)
        }
    };
    let mut builder = FilterBuilder::default();
    filter.into_iter().for_each(|filter| builder.add(filter));
    Ok((builder.finish()?, names))
}

/// Parses a filter without a file.
pub fn check_syntax(written: Written<'_>) -> (CheckedFilter, Vec<NamePlace>) {
    match parse(written) {
        Ok((filter, names)) => (CheckedFilter { filter, faults: Vec::new() }, names),
        Err(fault) => (CheckedFilter { filter: None, faults: vec![fault] }, Vec::new()),
    }
}

impl CutService {
    /// Checks a filter against a file: whether the file has the columns, and whether the operands suit them. Costs at
    /// most 1 R2 read.
    ///
    /// # Errors
    /// The errors of [`Self::columns`].
    pub async fn check_filter(&self, file: &FileRow, written: Written<'_>) -> Result<CheckedFilter> {
        let (mut checked, names) = check_syntax(written);
        let Some(filter) = checked.filter.clone() else { return Ok(checked) };
        checked.faults = self.unknown_columns(file, &names).await?;
        if checked.faults.is_empty() {
            let request = CutRequest { filter: Some(filter), ..CutRequest::default() };
            let profile = self.storage.profile(file).await?;
            if let Err(problem) = self.check_operands(file, &request, profile.as_deref()) {
                checked.faults.push(FilterFault::of_whole(problem.detail().to_owned()));
            }
        }
        Ok(checked)
    }

    /// Returns a fault for each name that no column of the file has. The lease for the columns ends with this function,
    /// because the caller needs one for the profile, and no request may hold both.
    async fn unknown_columns(&self, file: &FileRow, names: &[NamePlace]) -> Result<Vec<FilterFault>> {
        let columns = self.columns(file, InputOptions::default()).await?.columns;
        let header = Header::new(columns.iter().map(|(name, _)| name.into_owned()).collect());
        let unknown = names.iter().filter(|place| header.resolve(&place.name).is_err());
        Ok(unknown.map(|place| unknown_column(place, &header)).collect())
    }
}

fn unknown_column(place: &NamePlace, header: &Header) -> FilterFault {
    let nearest = nearest(&place.name, header);
    let advice = match &nearest {
        Some(nearest) => format!("The nearest name is {nearest:?}."),
        None => format!("The file has {} columns.", header.len()),
    };
    FilterFault {
        position: Some(place.position),
        length: place.length,
        expected: vec![NextPart::Name],
        detail: format!("There is no column {:?}. {advice}", shortened(&place.name)),
        pointer: None,
        nearest,
    }
}

/// Returns the name that is most similar to `name`, ignoring case; `None` if no name is similar.
fn nearest(name: &str, header: &Header) -> Option<String> {
    let is_short = |text: &str| text.chars().nth(MAX_COMPARED_CHARACTERS).is_none();
    let wanted = name.to_lowercase();
    if !is_short(&wanted) {
        return None;
    }
    let names = header.names().iter().take(MAX_COMPARED_NAMES).filter(|known| is_short(known));
    let rated = names.map(|known| {
        let folded = known.to_lowercase();
        let begins = !wanted.is_empty() && folded.starts_with(&wanted);
        (if begins { 1.0 } else { strsim::normalized_damerau_levenshtein(&wanted, &folded) }, known)
    });
    rated
        .filter(|(rating, _)| *rating >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_similar() {
        let header =
            Header::new(["first name", "City", "age", "postcode", "Ort"].map(str::to_owned).to_vec());
        for (name, found) in [
            ("citty", Some("City")),
            ("firstname", Some("first name")),
            ("post", Some("postcode")),
            ("ages", Some("age")),
            ("salary", None),
            ("", None),
            (&"x".repeat(100), None),
        ] {
            assert_eq!(nearest(name, &header).as_deref(), found, "{name}");
        }
    }
}
