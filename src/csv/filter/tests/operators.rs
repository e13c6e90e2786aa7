//! Tests of every operator in the table. If you add an operator to the table, these tests also test the new operator.
//! You only have to add its definition to [`super::definitions`].

#![allow(clippy::panic)]

use proptest::prelude::*;

use super::definitions::is_kept;
use super::*;

/// Texts that are used both as values and as cells. Each operator must keep some of the cells and drop others. If a new
/// operator keeps all cells or drops all cells, add texts.
#[rustfmt::skip]
const TEXTS: &[&str] = &[
    "", " ", "\0", "x\ny",
    "0", "-0", "1", "1.0", "01", "+1", "9", "10", "9.5", "-1.5", " 7", "7\t", "7", ".5", "5.", "1e3", "1000", "1E-3", "0.001",
    "9007199254740993", "9007199254740992", "1,234", "NaN", "2024",
    "2024-01-31", "2024-01-31T00:00Z", "2024-01-30 23:30-0030", "2024-01-31T00:00:00.000000001", "2024-02-30",
    "1999-12-31 23:59:59.5", "2024-01-31t23:59:59,999z", "2024-02-01 01:00 +02", "2024-02-01 00:00:00 UTC", "^a.b$", "(?i)é|b+",
    "a", "A", "ab", "aB", "AB", "b", "ba", "bab", "a\0", "abcdefgh", "ABCDEFGHI",
    "é", "É", "éa", "k", "K", "\u{212a}", "s", "\u{17f}", "ß", "ss", "Σς",
    "%", "_", "a%", "%B", "_b", "%a_", "\\%", "a_b",
];

fn cells() -> impl Iterator<Item = &'static [u8]> {
    let others: [&[u8]; 4] = [b"\xff", b"A\xff", b"\xc3", b"\xe2\x82B"];
    TEXTS.iter().map(|text| text.as_bytes()).chain(others)
}

/// Returns valid values for the operator: each text, each pair of texts, or lists of one to three texts.
fn samples(operator: Operator) -> Vec<Vec<String>> {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let all: Vec<Vec<String>> = match operator.arity() {
        Arity::None => vec![Vec::new()],
        Arity::One => TEXTS.iter().map(|text| owned(&[text])).collect(),
        Arity::Two => TEXTS.iter().flat_map(|low| TEXTS.iter().map(|high| owned(&[low, high]))).collect(),
        Arity::Many => (1..4).flat_map(|length| TEXTS.windows(length).map(owned)).collect(),
    };
    let taken = all.into_iter().filter(|values| operator.comparison(values.clone()).is_ok());
    taken.collect()
}

/// Returns the key and the value of the condition in the query form. Two or more values become one CSV record in which
/// every value is quoted.
fn pair(operator: Operator, values: &[String]) -> (String, String) {
    let quoted = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
    let value = match operator.arity() {
        Arity::None | Arity::One => values.concat(),
        Arity::Two | Arity::Many => values.iter().map(quoted).collect::<Vec<_>>().join(","),
    };
    (format!("x__{}", operator.name()), value)
}

fn borrowed(values: &[String]) -> Vec<&str> {
    values.iter().map(String::as_str).collect()
}

#[test]
fn every_operator_agrees_with_its_definition() {
    for &operator in Operator::ALL {
        let (mut kept, mut dropped) = (0, 0);
        for values in samples(operator) {
            let predicate = bound(&Filter::condition("x", operator, values.clone()).unwrap());
            let values = borrowed(&values);
            for cell in cells() {
                let is_kept = is_kept(operator, &values, cell);
                let text = String::from_utf8_lossy(cell);
                assert_eq!(
                    predicate.matches(&Row(vec![cell.to_vec()])),
                    is_kept,
                    "{text:?} {operator:?} {values:?}"
                );
                *if is_kept { &mut kept } else { &mut dropped } += 1;
            }
        }
        assert!(
            kept > 0 && dropped > 0,
            "add texts to TEXTS: {operator:?} keeps {kept} cells and drops {dropped}"
        );
    }
}

#[test]
fn every_form_of_a_condition_parses_to_the_same_condition() {
    for &operator in Operator::ALL {
        for values in samples(operator) {
            let filter = Filter::condition("x", operator, values.clone()).unwrap();
            let rendered = tree::render(&filter);
            assert_eq!(rendered["op"], operator.name(), "{operator:?} is rendered as {rendered}");
            assert_eq!(tree::parse(&rendered, ""), Ok(filter.clone()), "{rendered}");
            let (key, value) = pair(operator, &values);
            assert_eq!(query::parse(&key, &value), Ok(filter.clone()), "{key}={value}");
            for text in ['\'', '"'].iter().flat_map(|&quote| written(operator, &values, quote)) {
                assert_eq!(expression::parse("x", &text), Ok(Some(filter.clone())), "{text}");
            }
        }
    }
}

#[test]
fn a_comparison_returns_its_operator_and_values() {
    for &operator in Operator::ALL {
        let positive = operator.positive().unwrap_or(operator);
        assert_eq!(positive.positive(), None, "{operator:?} negates a negative operator");
        assert_eq!(
            positive.arity(),
            operator.arity(),
            "{operator:?} takes a different number of values than {positive:?}"
        );
        for values in samples(operator) {
            let comparison = operator.comparison(values.clone()).unwrap();
            assert_eq!(comparison.operator(), positive);
            assert_eq!(comparison.values(), borrowed(&values));
            assert_eq!(positive.comparison(values), Ok(comparison));
        }
    }
}

#[test]
fn every_name_every_sign_and_every_keyword_is_unique_and_valid() {
    let mut seen = vec!["NOT", "IS", "AND", "OR", "NULL"];
    for &operator in Operator::ALL {
        let name = operator.name();
        assert!(name.chars().all(|letter| letter.is_ascii_lowercase()), "{name}");
        let words = match operator.syntax() {
            Syntax::Signs(signs) => signs,
            Syntax::Keyword(word) | Syntax::Is(word) => &[word],
            Syntax::Unwritten => &[],
        };
        assert!(!seen.contains(&name), "{name} is used twice");
        seen.push(name);
        for word in words {
            assert!(!seen.contains(word), "{word} is used twice");
            seen.push(word);
            let is_word = word.chars().all(|letter| letter.is_ascii_uppercase());
            let is_sign =
                word.chars().all(|letter| letter.is_ascii_punctuation() && !"'\"(),".contains(letter));
            let wanted = if matches!(operator.syntax(), Syntax::Signs(_)) { is_sign } else { is_word };
            assert!(wanted && !word.is_empty(), "{word}");
        }
    }
}

/// The public documentation of the operators.
const API_DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md"));

/// Returns the section of `docs/api.md` on filters, joined into one line.
fn documentation() -> String {
    let section = API_DOCUMENT.split("\n### ").find(|section| section.starts_with("Filters\n"));
    let section = section.expect("docs/api.md has a section Filters");
    section.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_operator_is_documented() {
    let text = documentation();
    let spans: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let after = |wanted: &str| {
        let at = spans.iter().position(|span| span.starts_with(wanted));
        spans[at.unwrap_or_else(|| panic!("docs/api.md has no list after {wanted:?}")) + 1]
    };
    assert_eq!(after("column__op"), Operator::names(), "docs/api.md: the operators' names");
    assert_eq!(after("\"whereFilters\""), Operator::sign_names(), "docs/api.md: the operators' signs");
    for &operator in Operator::ALL {
        let form = match operator.syntax() {
            Syntax::Keyword(keyword) => keyword.to_owned(),
            Syntax::Is(state) => format!("IS {state}"),
            Syntax::Signs(_) | Syntax::Unwritten => continue,
        };
        let example = spans.iter().find(|span| **span == form || span.starts_with(&format!("{form} ")));
        let example = example.unwrap_or_else(|| panic!("docs/api.md has no example of {form}"));
        let Filter::Condition(condition) = expression(example) else { panic!("{example}: no condition") };
        assert_eq!(condition.comparison.operator(), operator, "{example}");
    }
}

/// Generates texts from a few different letters and digits, so that a value and a cell are often similar.
fn similar_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abAÉé]{0,5}",
        "[abAkK%_\\\\\u{212a}]{0,4}",
        "[+-]?[0-9]{0,2}[.]?[0-9]{0,2}(e-?[0-9])?",
        "[1-9][0-9]{14,20}",
        "20(23|24)-0[12]-(28|29|30)([T ](00|23):[0-5]0(:30([.][05]{1,3})?)?(Z| ?[+-]0[01](:?30)?| UTC)?)?",
        "[ -~]{0,9}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_condition_agrees_with_its_definition(
        (operator, values) in operator_with(similar_text()), cell in similar_text(), bytes in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let predicate = bound(&Filter::condition("x", operator, values.clone()).unwrap());
        let values = borrowed(&values);
        let variants = values.iter().flat_map(|value| [value.to_string(), value.to_uppercase(), format!("{value}{cell}")]);
        for cell in variants.chain([cell.clone()]).map(String::into_bytes).chain([bytes]) {
            let is_kept = is_kept(operator, &values, &cell);
            prop_assert_eq!(predicate.matches(&Row(vec![cell.clone()])), is_kept, "{:?}", String::from_utf8_lossy(&cell));
        }
    }
}
