//! The names of a file's columns, and how requests refer to them.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// The column names of a file in order, as decoded text. Names may be empty or equal.
#[derive(Debug, Clone)]
pub struct Header {
    names: Vec<String>,
    /// Positions sorted by name; equal names are in file order.
    by_name: Vec<u32>,
    /// Positions sorted by the lower-case name; equal names are in file order.
    by_folded: Vec<u32>,
    /// The given names, sorted by name. They are computed when a reference first needs them.
    given: OnceLock<Vec<GivenName>>,
}

/// A name that Cutty gives to a column, because the name in the file is empty or equals the name of an earlier column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenName {
    /// Position of the column (from 0).
    pub position: usize,
    /// The name, such as `name_2` or `column_3`.
    pub name: String,
}

impl PartialEq for Header {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Eq for Header {}

/// A column reference that matches no column of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no column {reference:?}")]
pub struct UnknownColumn {
    /// The reference as the client wrote it.
    pub reference: String,
}

impl Header {
    /// Creates a header with these names, in file order.
    pub fn new(names: Vec<String>) -> Self {
        let positions = || (0u32..).take(names.len()).collect::<Vec<_>>();
        let (mut by_name, mut by_folded) = (positions(), positions());
        by_name.sort_by_key(|&position| &names[position as usize]);
        by_folded.sort_by_cached_key(|&position| names[position as usize].to_lowercase());
        Self { names, by_name, by_folded, given: OnceLock::new() }
    }

    /// Creates the header for a file that has none. The names are `column_1`, `column_2`, …
    pub fn numbered(columns: usize) -> Self {
        Self::new((1..=columns).map(|number| format!("column_{number}")).collect())
    }

    /// Returns the names, in file order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the names, in file order.
    pub fn into_names(self) -> Vec<String> {
        self.names
    }

    /// Returns the approximate memory of the header, in bytes.
    pub fn memory_bytes(&self) -> usize {
        // For each name, the header holds its bytes, a `String`, the overhead of an allocation, and two positions.
        let place = size_of::<String>() + 2 * size_of::<usize>() + 2 * size_of::<u32>();
        self.names.iter().map(|name| name.capacity() + place).sum()
    }

    /// Returns the number of columns.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether the file has no columns: it is empty or has only blank lines.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the position (from 0) of the column that `reference` names. Looks for the exact name first, then for a
    /// given name such as `name_2` or `column_3` ([`given_names`]), then for a name that differs only in case, and then
    /// for a number: `#3` is the third column. If several columns have the same name, the first of these columns
    /// matches.
    ///
    /// # Errors
    /// [`UnknownColumn`] if no column matches.
    pub fn resolve(&self, reference: &str) -> Result<usize, UnknownColumn> {
        self.find_exact(reference)
            .or_else(|| self.find_given(reference))
            .or_else(|| self.find_ignoring_case(&reference.to_lowercase()))
            .or_else(|| self.find_by_number(reference))
            .ok_or_else(|| UnknownColumn { reference: reference.to_owned() })
    }

    fn find_given(&self, name: &str) -> Option<usize> {
        let given = self.given.get_or_init(|| {
            let mut given = given_names(self.names.iter().map(String::as_str));
            given.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            given
        });
        let found = given.binary_search_by(|given| given.name.as_str().cmp(name)).ok()?;
        Some(given[found].position)
    }

    fn find_exact(&self, name: &str) -> Option<usize> {
        let named = |position: &u32| self.names[*position as usize].as_str();
        let first = self.by_name.partition_point(|position| named(position) < name);
        self.by_name.get(first).filter(|position| named(position) == name).map(|&position| position as usize)
    }

    fn find_ignoring_case(&self, folded: &str) -> Option<usize> {
        let named = |position: &u32| self.names[*position as usize].to_lowercase();
        let first = self.by_folded.partition_point(|position| named(position).as_str() < folded);
        self.by_folded
            .get(first)
            .filter(|position| named(position) == folded)
            .map(|&position| position as usize)
    }

    fn find_by_number(&self, reference: &str) -> Option<usize> {
        let digits = reference.strip_prefix('#')?;
        let number: usize =
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        (1..=self.names.len()).contains(&number).then(|| number - 1)
    }

    /// Returns a unique name for each of `columns` (positions from 0), because the names in a JSON object must
    /// be unique. A column has its name in the file or its given name ([`given_names`]). The name of a column does not
    /// depend on which other columns are picked. If a column is picked twice, the second pick gets another suffix.
    pub fn unique_names(&self, columns: &[usize]) -> Vec<String> {
        let mut in_file = self.names.clone();
        for given in given_names(self.names.iter().map(String::as_str)) {
            in_file[given.position] = given.name;
        }
        let mut picked = Namer::new(in_file.iter().map(String::as_str));
        columns
            .iter()
            .map(|&column| {
                let name = in_file.get(column).map_or("", String::as_str);
                picked.given_name(name, true).unwrap_or_else(|| name.to_owned())
            })
            .collect()
    }
}

/// Returns the names that Cutty gives to columns, in file order. A column gets a given name if its name in the file is
/// empty or equals the name of an earlier column. If the third column has no name, its given name is `column_3`. The
/// given name of the second column called `name` is `name_2`. If another column has this name, Cutty chooses a name
/// that no column has.
pub fn given_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<GivenName> {
    let mut namer = Namer::new(names.clone());
    let mut given = Vec::new();
    for (position, name) in names.enumerate() {
        let new = match name {
            "" => {
                let numbered = format!("column_{}", position + 1);
                Some(namer.given_name(&numbered, false).unwrap_or(numbered))
            }
            name => namer.given_name(name, true),
        };
        given.extend(new.map(|name| GivenName { position, name }));
    }
    given
}

/// Assigns unique names.
struct Namer<'a> {
    /// The names in the file. If columns have equal names, the first of them keeps the name. No other column may get
    /// one of these names.
    reserved: HashSet<&'a str>,
    /// The names in the file whose first column was already handled. Each later column with the name gets a given name.
    kept: HashSet<&'a str>,
    /// The names that were given to columns so far.
    given: HashSet<String>,
    /// The next suffix to try for a name. Without this map, many equal names would take quadratic time.
    next_suffix: HashMap<String, usize>,
}

impl<'a> Namer<'a> {
    fn new(names: impl Iterator<Item = &'a str>) -> Self {
        Self {
            reserved: names.collect(),
            kept: HashSet::new(),
            given: HashSet::new(),
            next_suffix: HashMap::new(),
        }
    }

    /// Returns the name that the next column gets, or `None` if this column keeps `name`. `is_original` is `true` if
    /// `name` is one of the names that [`Namer::new`] got.
    fn given_name(&mut self, name: &str, is_original: bool) -> Option<String> {
        match self.reserved.get(name).copied() {
            Some(reserved) if is_original && self.kept.insert(reserved) => return None,
            None if self.given.insert(name.to_owned()) => {
                return (!is_original).then(|| name.to_owned());
            }
            _ => {}
        }
        let mut suffix = self.next_suffix.get(name).copied().unwrap_or(2);
        let mut unique = format!("{name}_{suffix}");
        while self.reserved.contains(unique.as_str()) || self.given.contains(&unique) {
            suffix += 1;
            unique = format!("{name}_{suffix}");
        }
        self.next_suffix.insert(name.to_owned(), suffix + 1);
        self.given.insert(unique.clone());
        Some(unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Header {
        Header::new(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn a_reference_is_an_exact_name_a_given_name_a_name_in_any_case_or_a_number() {
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
            ("name_2", 5),
            ("column_5", 4),
        ] {
            assert_eq!(header.resolve(reference), Ok(position), "{reference:?}");
        }
        for unknown in [
            "name_3",
            "NAME_2",
            "column_1",
            "nam",
            "#0",
            "#9",
            "#",
            "#+1",
            "#99999999999999999999",
            " Name",
            "toString",
        ] {
            assert_eq!(header.resolve(unknown), Err(UnknownColumn { reference: unknown.to_owned() }));
        }
    }

    #[test]
    fn equal_and_empty_names_become_unique() {
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
            for (position, name) in unique.iter().enumerate() {
                assert_eq!(header.resolve(name), Ok(position), "{name} in {names:?}");
            }
        }
    }

    #[test]
    fn the_name_of_a_column_does_not_depend_on_the_other_picked_columns() {
        let header = header(&["name", "name", ""]);
        assert_eq!(header.unique_names(&[1]), ["name_2"]);
        assert_eq!(header.unique_names(&[2, 1, 0]), ["column_3", "name_2", "name"]);
        assert_eq!(header.unique_names(&[0, 0]), ["name", "name_3"]);
    }

    #[test]
    fn ten_thousand_equal_names_are_numbered() {
        let header = Header::new(vec!["x".to_owned(); 10_000]);
        let unique = header.unique_names(&(0..10_000).collect::<Vec<_>>());
        assert_eq!(unique.last().map(String::as_str), Some("x_10000"));
    }
}
