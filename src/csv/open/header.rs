//! The names of a file's columns and how a request refers to them.

use std::collections::{HashMap, HashSet};

/// The header of a file: its column names in order, as decoded text. Names may be empty or repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    names: Vec<String>,
    /// Positions sorted by name, equal names by position.
    by_name: Vec<u32>,
    /// Positions sorted by the name in lower case, equal ones by position.
    by_folded: Vec<u32>,
}

/// A reference to a column that names none of the file's columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no column {reference:?}")]
pub struct UnknownColumn {
    /// The reference as the client wrote it.
    pub reference: String,
}

impl Header {
    /// A header of these names, in file order.
    pub fn new(names: Vec<String>) -> Self {
        let positions = || (0u32..).take(names.len()).collect::<Vec<_>>();
        let (mut by_name, mut by_folded) = (positions(), positions());
        by_name.sort_by_key(|&position| &names[position as usize]);
        by_folded.sort_by_cached_key(|&position| names[position as usize].to_lowercase());
        Self { names, by_name, by_folded }
    }

    /// The header of a file that has none: `column_1`, `column_2`, …
    pub fn numbered(columns: usize) -> Self {
        Self::new((1..=columns).map(|number| format!("column_{number}")).collect())
    }

    /// The names in file order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The names alone.
    pub fn into_names(self) -> Vec<String> {
        self.names
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether the file has no columns at all: it is empty or holds only blank lines.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The position (from 0) of the column `reference` names: an exact name first, then a name that
    /// differs only in case, then `#3` for the third column. Of columns that share a name the first is
    /// meant; the others have their positions.
    ///
    /// # Errors
    /// [`UnknownColumn`] when no column is meant.
    pub fn resolve(&self, reference: &str) -> Result<usize, UnknownColumn> {
        self.exact(reference)
            .or_else(|| self.folded(&reference.to_lowercase()))
            .or_else(|| self.numbered_by(reference))
            .ok_or_else(|| UnknownColumn { reference: reference.to_owned() })
    }

    fn exact(&self, name: &str) -> Option<usize> {
        let named = |position: &u32| self.names[*position as usize].as_str();
        let first = self.by_name.partition_point(|position| named(position) < name);
        self.by_name.get(first).filter(|position| named(position) == name).map(|&position| position as usize)
    }

    fn folded(&self, folded: &str) -> Option<usize> {
        let named = |position: &u32| self.names[*position as usize].to_lowercase();
        let first = self.by_folded.partition_point(|position| named(position).as_str() < folded);
        self.by_folded
            .get(first)
            .filter(|position| named(position) == folded)
            .map(|&position| position as usize)
    }

    fn numbered_by(&self, reference: &str) -> Option<usize> {
        let digits = reference.strip_prefix('#')?;
        let number: usize =
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        (1..=self.names.len()).contains(&number).then(|| number - 1)
    }

    /// A name of its own for each of `columns` (positions from 0), as objects need: an empty name becomes
    /// `column_3`, the second column called `name` becomes `name_2`. A column keeps the name the whole file
    /// gives it, whichever others are picked; one picked twice is numbered on.
    pub fn unique_names(&self, columns: &[usize]) -> Vec<String> {
        let mut file = Namer::reserving(self.names.iter());
        let in_file: Vec<String> = self
            .names
            .iter()
            .enumerate()
            .map(|(position, name)| match name.as_str() {
                "" => file.name_of_its_own(&format!("column_{}", position + 1), false),
                name => file.name_of_its_own(name, true),
            })
            .collect();
        let mut picked = Namer::reserving(in_file.iter());
        columns
            .iter()
            .map(|&column| picked.name_of_its_own(in_file.get(column).map_or("", String::as_str), true))
            .collect()
    }
}

/// Gives out names, each once.
struct Namer<'a> {
    /// Names that columns have of their own; only the first such column gets it unchanged.
    reserved: HashSet<&'a str>,
    given: HashSet<String>,
    /// The next suffix to try for a name, so that many equal names take no quadratic time.
    next_suffix: HashMap<String, usize>,
}

impl<'a> Namer<'a> {
    fn reserving(names: impl Iterator<Item = &'a String>) -> Self {
        Self {
            reserved: names.map(String::as_str).collect(),
            given: HashSet::new(),
            next_suffix: HashMap::new(),
        }
    }

    fn name_of_its_own(&mut self, name: &str, is_own: bool) -> String {
        let free = |namer: &Self, name: &str| !namer.given.contains(name) && !namer.reserved.contains(name);
        let mut unique = name.to_owned();
        if self.given.contains(name) || (!is_own && self.reserved.contains(name)) {
            let mut suffix = self.next_suffix.get(name).copied().unwrap_or(2);
            unique = format!("{name}_{suffix}");
            while !free(self, &unique) {
                suffix += 1;
                unique = format!("{name}_{suffix}");
            }
            self.next_suffix.insert(name.to_owned(), suffix + 1);
        }
        self.given.insert(unique.clone());
        unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Header {
        Header::new(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn a_column_is_found_by_exact_name_then_any_case_then_position() {
        let header = header(&["Name", "name", "AGE", "#1", "", "name", "constructor", "ÄRGER"]);
        for (reference, position) in [
            ("Name", 0),
            ("name", 1),
            ("NAME", 0),
            ("age", 2),
            ("#1", 3),
            ("#2", 1),
            ("#6", 5),
            ("", 4),
            ("constructor", 6),
            ("ärger", 7),
        ] {
            assert_eq!(header.resolve(reference), Ok(position), "{reference:?}");
        }
        for unknown in ["nam", "#0", "#9", "#", "#+1", "#99999999999999999999", " Name", "toString"] {
            assert_eq!(header.resolve(unknown), Err(UnknownColumn { reference: unknown.to_owned() }));
        }
    }

    #[test]
    fn repeated_and_empty_names_get_suffixes_that_meet_no_other_name() {
        for (names, unique) in [
            (&["a", "b"][..], &["a", "b"][..]),
            (&["name", "name", "name"], &["name", "name_2", "name_3"]),
            (&["a", "", ""], &["a", "column_2", "column_3"]),
            (&["name", "name", "name_2"], &["name", "name_3", "name_2"]),
            (&["", "column_1"], &["column_1_2", "column_1"]),
            (&["x", "x", "x_2", "x_2"], &["x", "x_3", "x_2", "x_2_2"]),
        ] {
            let header = header(names);
            assert_eq!(header.unique_names(&(0..names.len()).collect::<Vec<_>>()), unique, "{names:?}");
        }
    }

    #[test]
    fn a_column_has_the_same_name_whichever_others_are_picked() {
        let header = header(&["name", "name", ""]);
        assert_eq!(header.unique_names(&[1]), ["name_2"]);
        assert_eq!(header.unique_names(&[2, 1, 0]), ["column_3", "name_2", "name"]);
        assert_eq!(header.unique_names(&[0, 0]), ["name", "name_3"]);
    }

    #[test]
    fn ten_thousand_equal_names_are_numbered_without_quadratic_work() {
        let header = Header::new(vec!["x".to_owned(); 10_000]);
        let unique = header.unique_names(&(0..10_000).collect::<Vec<_>>());
        assert_eq!(unique.last().map(String::as_str), Some("x_10000"));
    }
}
