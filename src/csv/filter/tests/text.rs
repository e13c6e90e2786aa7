//! Tests of the text form of filters.

use super::super::text::{NamePlace, NextPart, parse, render};
use super::*;

/// Pairs of a tree and its text, which the tests of the page use too.
const PAIRS: &str = include_str!("../../../../tests/filters.json");

fn filter(text: &str) -> Filter {
    parse(text).unwrap().filter.unwrap()
}

/// Replaces each list with one part by this part, as the text form does.
fn without_single_parts(filter: Filter) -> Filter {
    let each = |parts: Vec<Filter>| parts.into_iter().map(without_single_parts).collect::<Vec<_>>();
    match filter {
        Filter::And(parts) | Filter::Or(parts) if parts.len() == 1 => {
            each(parts).pop().unwrap_or(Filter::And(Vec::new()))
        }
        Filter::And(parts) => Filter::And(each(parts)),
        Filter::Or(parts) => Filter::Or(each(parts)),
        Filter::Not(inner) => without_single_parts(*inner).complement(),
        other => other,
    }
}

#[test]
fn the_listed_trees_and_texts_are_the_same_filters() {
    let pairs: Vec<Value> = serde_json::from_str(PAIRS).unwrap();
    assert!(pairs.len() >= 20);
    for pair in pairs {
        let text = pair["text"].as_str().unwrap();
        let tree = tree::parse(&pair["tree"], "").unwrap();
        assert_eq!(render(&tree), text);
        assert_eq!(filter(text), tree, "{text}");
        assert_eq!(tree::render(&tree), pair["tree"], "{text}");
    }
}

#[test]
fn a_filter_can_be_written_in_several_ways() {
    for (text, canonical) in [
        ("age>=30", "age >= 30"),
        ("age gte 30", "age >= 30"),
        ("age == 30 and not city=Bern", "age = 30 AND city != Bern"),
        ("city <> Bern", "city != Bern"),
        ("NOT NOT city = Bern", "city = Bern"),
        ("((city = Bern))", "city = Bern"),
        ("a = 1 OR b = 2 AND c = 3", "a = 1 OR (b = 2 AND c = 3)"),
        ("NOT (a = 1 OR b = 2)", "NOT (a = 1 OR b = 2)"),
        ("email is null", "email IS EMPTY"),
        ("email NOTEMPTY", "email IS NOT EMPTY"),
        ("email NOT isempty", "email IS NOT EMPTY"),
        ("city in(Bern,'New York' , \"x\")", "city IN (Bern, 'New York', x)"),
        ("city notin (a)", "city NOT IN (a)"),
        ("age NOT BETWEEN 1 AND 2 AND b = 1", "age NOT BETWEEN 1 AND 2 AND b = 1"),
        ("NOT age > 5", "NOT age > 5"),
        ("\"first name\" = 'Zoë O''Hara'", "\"first name\" = 'Zoë O''Hara'"),
        ("'and' = \"or\"", "\"and\" = 'or'"),
        ("* contains bern", "* CONTAINS bern"),
        ("NOT * CONTAINS 'a b'", "* NOT CONTAINS 'a b'"),
        ("*x = 1", "\"*x\" = 1"),
        ("in IN (in)", "in IN (in)"),
        ("#3 = -1.5e3", "#3 = -1.5e3"),
        ("a = b=c", "a = 'b=c'"),
        ("x = ''", "x = ''"),
        ("()", "()"),
    ] {
        let parsed = filter(text);
        assert_eq!(render(&parsed), canonical, "{text}");
        assert_eq!(filter(canonical), parsed, "{canonical}");
    }
    assert_eq!(parse(" \n").unwrap().filter, None);
}

#[test]
fn the_error_says_where_the_text_is_wrong_and_what_may_stand_there() {
    use NextPart::*;
    for (text, position, expected) in [
        ("=", 0, &[Name][..]),
        ("age", 3, &[Operator]),
        ("age ~ 5", 4, &[Operator]),
        ("é ILIKE x", 2, &[Operator]),
        ("first name = x", 6, &[Operator]),
        ("age NOT > 5", 8, &[Operator]),
        ("age >=", 6, &[Value]),
        ("age = >5", 6, &[Value]),
        ("state = OR", 8, &[Value]),
        ("city = New York", 11, &[And, Or, End]),
        ("a = 1 && b = 2", 6, &[And, Or, End]),
        ("name = O'Brien", 8, &[And, Or, End]),
        ("name = 'O", 7, &[Value]),
        ("a = 1 AND", 9, &[Name]),
        ("a >= 3 AND < 5", 11, &[Name]),
        ("a BETWEEN 1", 11, &[And]),
        ("a IN b", 5, &[Opening]),
        ("a IN ()", 6, &[Value]),
        ("a IN (b c)", 8, &[Comma, Closing]),
        ("(a = 1", 6, &[And, Or, Closing]),
        ("a = 1)", 5, &[And, Or, End]),
        ("a IS 5", 5, &[Empty]),
        ("* = 5", 2, &[Contains]),
        ("a numeq x", 8, &[Value]),
        ("a contains ''", 11, &[Value]),
        ("Ä = 1 AND ISEMPTY", 17, &[Operator]),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(
            (error.position, error.expected.as_slice()),
            (position, expected),
            "{text}: {}",
            error.detail
        );
        assert!(error.detail.ends_with('.'), "{}", error.detail);
    }
    let nested = format!("{}a = 1{}", "(".repeat(MAX_DEPTH + 1), ")".repeat(MAX_DEPTH + 1));
    assert_eq!(parse(&nested).unwrap_err().expected, [Less]);
    let many = vec!["a = 1"; MAX_CONDITIONS + 1].join(" OR ");
    assert_eq!(parse(&many).unwrap_err().expected, [Less]);
    assert!(parse(&"NOT ".repeat(100_000)).is_err());
}

#[test]
fn the_places_of_the_names_are_known() {
    let names = parse("é = 1 AND (\"a b\" IS EMPTY OR * CONTAINS x)").unwrap().names;
    let place = |name: &str, position, length| NamePlace { name: name.to_owned(), position, length };
    assert_eq!(names, [place("é", 0, 1), place("a b", 11, 5)]);
}

proptest! {
    #[test]
    fn a_rendered_text_parses_to_the_same_filter(filter in any_filter()) {
        let wanted = without_single_parts(filter);
        prop_assume!(wanted.depth() < MAX_DEPTH);
        let text = render(&wanted);
        prop_assert_eq!(parse(&text).unwrap().filter, Some(wanted), "{}", text);
    }

    #[test]
    fn names_and_values_of_any_characters_are_written_so_that_they_can_be_read(
        name in any::<String>(), value in any::<String>(),
    ) {
        let filter = Filter::condition(&name, Operator::Equal, vec![value]).unwrap();
        let text = render(&filter);
        prop_assert_eq!(parse(&text).unwrap().filter, Some(filter), "{}", text);
    }

    #[test]
    fn parsing_a_text_never_panics(text in any::<String>(), tail in "(NOT|IN|BETWEEN|IS|AND|OR|[(,)'\"=<>! aé*])*") {
        for text in [&text, &tail, &format!("a = {tail}{text}")] {
            if let Err(error) = parse(text) {
                prop_assert!(error.position <= text.chars().count());
            }
        }
    }
}
