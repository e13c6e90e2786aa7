//! Tests of every operator in every form, of syntax errors, and of the limits.

#![allow(clippy::unwrap_used)]

pub(in crate::csv) mod definitions;
mod operators;
mod text;

use crate::csv::cell::Cells;
use crate::csv::open::header::Header;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::operator::Syntax;
use super::*;

struct Row(Vec<Vec<u8>>);

impl Cells for Row {
    fn cell(&self, column: usize) -> &[u8] {
        self.0.get(column).map_or(&[], Vec::as_slice)
    }
}

fn bound(filter: &Filter) -> Predicate {
    filter.compile(&Header::new(vec!["x".to_owned()])).unwrap()
}

fn keeps(filter: &Filter, cell: impl AsRef<[u8]>) -> bool {
    bound(filter).matches(&Row(vec![cell.as_ref().to_vec()]))
}

fn expression(text: &str) -> Filter {
    expression::parse("x", text).unwrap().unwrap()
}

fn query(operator: &str, value: &str) -> Filter {
    query::parse(&format!("x__{operator}"), value).unwrap()
}

fn tree(op: &str, value: Value) -> Filter {
    tree::parse(&json!({"column": "x", "op": op, "value": value}), "").unwrap()
}

fn refused(text: &str) -> usize {
    let error = expression::parse("x", text).expect_err(text);
    assert_eq!(error.place, FilterLocation::Column("x".to_owned()));
    assert!(!error.detail.is_empty());
    error.position.unwrap()
}

/// A condition as an expression, a query and a tree, and its expected results. The items are:
///
/// 1. the expression; `None` to test only the other two forms;
/// 2. the operator (in all forms), and the value of the query parameter;
/// 3. the value in a tree;
/// 4. cells that the condition keeps;
/// 5. cells that the condition drops.
type Case = (
    Option<&'static str>,
    (&'static str, &'static str),
    Value,
    &'static [&'static str],
    &'static [&'static str],
);

fn cases() -> Vec<Case> {
    vec![
        (Some("= a b"), ("eq", "a b"), json!("a b"), &["a b"], &["", "A B", "a", " a b", "a b "]),
        (Some("a b"), ("eq", "a b"), json!("a b"), &["a b"], &["a"]),
        (Some("== 30"), ("eq", "30"), json!(30), &["30"], &["30.0", "=30", "= 30", "+30"]),
        (Some("= ''"), ("eq", ""), json!(""), &[""], &[" ", "''"]),
        (Some("!= a"), ("ne", "a"), json!("a"), &["A", "", "b"], &["a"]),
        (
            Some("> 9"),
            ("gt", "9"),
            json!(9),
            &["10", "9.5", "1e1", " 11 "],
            &["9", "9.0", "", "ten", "1,234"],
        ),
        (Some(">= 9"), ("gte", "9"), json!(9), &["9", "9.0", "10"], &["8.99", "-10", "x", "2024-01-01"]),
        (Some("< -1.5"), ("lt", "-1.5"), json!(-1.5), &["-2", "-1.6"], &["-1.5", "0", "", "-"]),
        (Some("<= 0"), ("lte", "0"), json!(0), &["-0", "0.0", "-1"], &["1e-9", "NaN", ""]),
        (Some("> m"), ("gt", "m"), json!("m"), &["n", "ma", "é"], &["m", "M", "30", ""]),
        (
            Some(">= 2024-01-31"),
            ("gte", "2024-01-31"),
            json!("2024-01-31"),
            &["2024-01-31", "2024-01-31T00:00Z", "2024-01-30 23:30-01:00", "2025-01-01"],
            &["2024-01-30", "2024-02-30", "2025", "20250101", "3000", "tomorrow", ""],
        ),
        (Some("CONTAINS Åb"), ("contains", "Åb"), json!("Åb"), &["xåBx", "åb"], &["", "ab", "å b"]),
        (None, ("ncontains", "k"), json!("k"), &["", "abc"], &["OK", "\u{212a}"]),
        (Some("STARTSWITH Ab"), ("startswith", "Ab"), json!("Ab"), &["ab", "ABC"], &["", "a", "xab"]),
        (Some("NOT STARTSWITH Ab"), ("nstartswith", "Ab"), json!("Ab"), &["", "a", "xab"], &["ab", "ABC"]),
        (Some("ENDSWITH Ab"), ("endswith", "Ab"), json!("Ab"), &["ab", "xAB"], &["", "b", "abx"]),
        (Some("nendswith Ab"), ("nendswith", "Ab"), json!("Ab"), &["", "b", "abx"], &["ab", "xAB"]),
        (Some("LIKE '%é_'"), ("like", "%é_"), json!("%é_"), &["caÉs", "éé"], &["é", "e1", "ésx", ""]),
        (Some("NOT LIKE '%é_'"), ("nlike", "%é_"), json!("%é_"), &["é", "e1", "ésx", ""], &["caÉs", "éé"]),
        (Some("IEQ Éa"), ("ieq", "Éa"), json!("Éa"), &["éA", "Éa"], &["", "éab", "ea", " éa"]),
        (Some("NOT IEQ ok"), ("ine", "ok"), json!("ok"), &["", "okay"], &["OK", "o\u{212a}"]),
        (
            Some("NUMEQ 5"),
            ("numeq", "5"),
            json!(5),
            &["5", "5.00", " +5", "0.5e1"],
            &["", "50", "5 kg", "five"],
        ),
        (Some("NOT NUMEQ 5"), ("numne", "5"), json!(5), &["", "50", "5 kg"], &["5", "5.00"]),
        (
            Some("ON 2024-05-01"),
            ("on", "2024-05-01"),
            json!("2024-05-01"),
            &["2024-05-01", "2024-05-01T23:59:59.9", "2024-05-01 00:30+00", "2024-05-02 01:30 +0200"],
            &["2024-05-02", "2024-04-30T23:59", "2024-05-01T01:00+02:00", "2024-05", ""],
        ),
        (
            Some("NOT ON '2024-05-01'"),
            ("noton", "2024-05-01"),
            json!("2024-05-01"),
            &["", "x"],
            &["2024-05-01"],
        ),
        (
            Some("REGEX ^a[0-9]+$"),
            ("regex", "^a[0-9]+$"),
            json!("^a[0-9]+$"),
            &["a1", "a123"],
            &["", "A1", "a", "xa1", "a1\n"],
        ),
        (Some("NOT REGEX '(?i)ß|é'"), ("nregex", "(?i)ß|é"), json!("(?i)ß|é"), &["", "ss"], &["É", "aß"]),
        (Some("IIN (a, É)"), ("iin", "a, É"), json!(["a", "É"]), &["A", "é"], &["", "e", "a,"]),
        (Some("NOT IIN (a)"), ("notiin", "a"), json!(["a"]), &["", "b"], &["A"]),
        (Some("NOT BETWEEN 1 AND 2"), ("notbetween", "1, 2"), json!([1, 2]), &["", "3", "x"], &["1", "1.5"]),
        (
            Some("> 2024-12-31"),
            ("gt", "2024-12-31"),
            json!("2024-12-31"),
            &["2025-01-01", "2025-01-01T00:00"],
            &["2024-12-31", "2024-12-31T23:59:59.999999999", "2024-12-31 12:00", ""],
        ),
        (
            Some("<= 2024-12-31"),
            ("lte", "2024-12-31"),
            json!("2024-12-31"),
            &["2024-12-31", "2024-12-31T23:59:59.999999999", "2024-12-31 12:00"],
            &["2025-01-01", "2025-01-01T00:00", ""],
        ),
        (
            Some("< 2024-12-31"),
            ("lt", "2024-12-31"),
            json!("2024-12-31"),
            &["2024-12-30T23:59"],
            &["2024-12-31"],
        ),
        (
            Some("IN (a, 'b, c', \"d)\", O'Brien, '')"),
            ("in", " a ,\"b, c\", \"d)\" ,O'Brien,"),
            json!(["a", "b, c", "d)", "O'Brien", ""]),
            &["a", "b, c", "d)", "O'Brien", ""],
            &["A", "b", "c", "d", "a, b", "'b, c'"],
        ),
        (Some("NOT IN (1,2)"), ("notin", "1,2"), json!([1, 2]), &["", "3", "1.0"], &["1", "2"]),
        (
            Some("BETWEEN 9 AND 10.5"),
            ("between", "9,10.5"),
            json!([9, 10.5]),
            &["9", "9.00", "10", "10.5"],
            &["8", "11", "", "x", "1e1000"],
        ),
        (
            Some("between '2024-01-01' and 2024-01-31"),
            ("between", "2024-01-01,2024-01-31"),
            json!(["2024-01-01", "2024-01-31"]),
            &["2024-01-01", "2024-01-15T12:00", "2024-01-31", "2024-01-31T23:59:59"],
            &["2024-02-01", "2023-12-31T23:59:59", "2024", ""],
        ),
        (
            Some("BETWEEN 1 AND b"),
            ("between", "1,b"),
            json!([1, "b"]),
            &["1", "9", "B", "b"],
            &["0", "ba", ""],
        ),
        (Some("IS EMPTY"), ("isempty", ""), Value::Null, &[""], &[" ", "0"]),
        (Some("IS NOT EMPTY"), ("notempty", ""), Value::Null, &[" ", "0"], &[""]),
    ]
}

#[test]
fn every_operator_means_the_same_in_every_form() {
    for (text, (operator, value), json, kept, dropped) in cases() {
        let filter = query(operator, value);
        assert_eq!(tree(operator, json), filter, "{operator}={value}");
        if let Some(text) = text {
            assert_eq!(expression(text), filter, "{text}");
        }
        for cell in kept {
            assert!(keeps(&filter, cell), "{operator}={value} must keep {cell:?}");
            assert!(!keeps(&filter.clone().complement(), cell));
        }
        for cell in dropped {
            assert!(!keeps(&filter, cell), "{operator}={value} must drop {cell:?}");
            assert!(keeps(&filter.clone().complement(), cell));
        }
    }
    let covered: Vec<&str> = cases().iter().map(|case| case.1.0).collect();
    for operator in Operator::ALL {
        assert!(covered.contains(&operator.name()), "cases() has no row for {operator:?}");
    }
}

#[test]
fn a_tree_accepts_signs_as_operators() {
    for (operator, sign) in Operator::signs() {
        assert_eq!(tree(sign, json!("v")), tree(operator.name(), json!("v")));
    }
    assert_eq!(tree("GTE", json!(1)), tree("gte", json!(1)));
    assert_eq!(tree("eq", json!(true)), query("eq", "true"));
}

#[test]
fn equivalent_spellings_parse_to_the_same_filter() {
    for (one, other) in [
        ("JFK", "= JFK"),
        ("  JFK  ", "=JFK"),
        ("'JFK'", "==\"JFK\""),
        ("'it''s'", "= it's"),
        ("\"say \"\"hi\"\"\"", "= 'say \"hi\"'"),
        ("contains x", "CONTAINS 'x'"),
        ("Like'x'", "LIKE x"),
        ("in(a,b)", "IN ( 'a' , \"b\" )"),
        ("BETWEEN '1' AND '2'", "between 1 and 2"),
        ("not = a", "!= a"),
        ("NOT 'a'", "!= a"),
        ("NOT != a", "a"),
        ("NOT not NOT 'a'", "!= a"),
        ("NOT IS EMPTY", "is not empty"),
        ("NOT>=3", "NOT >= 3"),
        ("<> a", "!= a"),
        ("IS NULL", "IS EMPTY"),
        ("is not null", "IS NOT EMPTY"),
        ("ISEMPTY", "IS EMPTY"),
        ("notempty", "IS NOT EMPTY"),
        ("NOTIN (a, b)", "NOT IN (a, b)"),
        ("ncontains x", "NOT CONTAINS x"),
        ("on '2024-05-01'", "ON 2024-05-01"),
        (">=3", ">= '3'"),
    ] {
        assert_eq!(expression(one), expression(other), "{one} and {other}");
    }
}

#[test]
fn a_blank_expression_is_no_filter() {
    for text in ["", " ", "\t\n"] {
        assert_eq!(expression::parse("x", text), Ok(None));
    }
}

#[test]
fn text_that_only_looks_like_a_keyword_is_a_value() {
    let texts = [
        "INDIA",
        "in-progress",
        "Island",
        "Notting Hill",
        "likely",
        "and",
        "or",
        "betweenness",
        "!x",
        "-5",
        "a = b",
        "on",
        "On hold",
        "LT",
        "NE",
        "Lt Smith",
        "OR",
        "Portland or Salem",
        "Matches played",
        "Match 5",
        "regexp",
        "STARTSWITHOUT",
    ];
    for text in texts {
        assert_eq!(expression(text), query("eq", text), "{text}");
    }
    assert_eq!(expression("= IN progress"), query("eq", "IN progress"));
    assert_eq!(expression("'IN progress'"), query("eq", "IN progress"));
    assert_eq!(expression("!= not started"), query("ne", "not started"));
    assert_eq!(
        expression("CONTAINS research AND <development>"),
        query("contains", "research AND <development>")
    );
}

#[test]
fn a_syntax_error_in_an_expression_has_a_position() {
    for (text, position) in [
        ("=", 1),
        ("  >= ", 5),
        ("===5", 2),
        ("=>5", 1),
        ("<>=5", 2),
        ("≥ 5", 0),
        ("≥5", 0),
        ("≠ a", 0),
        ("~ a", 0),
        ("!~ a", 0),
        ("ILIKE x", 0),
        ("ilike 'x'", 0),
        ("STARTS WITH x", 0),
        ("MATCHES x", 0),
        ("gte 5", 0),
        ("NE 'a'", 0),
        ("NOT ILIKE x", 4),
        ("eq abc", 0),
        ("ge 5", 0),
        ("LE 5", 0),
        ("GREATER THAN 5", 0),
        ("less than 5", 0),
        ("BEFORE 5", 0),
        ("BEGINSWITH a", 0),
        ("NOTLIKE a%", 0),
        ("NOT_IN (abc)", 0),
        ("NIN (abc)", 0),
        ("DOES NOT CONTAIN a", 0),
        ("ANY (a,b)", 0),
        ("SOUNDEX a", 0),
        ("=~ a", 1),
        ("BETWEEN SYMMETRIC 9 AND 5", 18),
        ("A OR B", 2),
        ("A AND B", 2),
        ("a || b", 2),
        ("CONTAINS A OR B", 11),
        ("CONTAINS a AND CONTAINS b", 11),
        ("ON 2024-05", 3),
        ("ON 2024-05-01T10:00", 3),
        ("NUMEQ five", 6),
        ("REGEX (", 6),
        ("REGEX [a-z]{1000}{1000}", 6),
        ("= !=x", 2),
        (">= 3 AND < 5", 5),
        ("> 3 or 5", 4),
        (">3<5", 2),
        ("= 'a", 2),
        ("'a' b", 4),
        ("IN", 2),
        ("IN progress", 3),
        ("IN ()", 4),
        ("IN (a,,b)", 6),
        ("IN (a, b", 8),
        ("IN ('a'b)", 7),
        ("IN (a (b), c)", 6),
        ("IN (a) x", 7),
        ("IN ('é', 'b)", 9),
        ("BETWEEN", 7),
        ("BETWEEN 1", 9),
        ("BETWEEN 1 AND", 13),
        ("BETWEEN AND 2", 8),
        ("BETWEEN 1 AND 2 AND 3", 16),
        ("BETWEEN > 1 AND 2", 8),
        ("BETWEEN 'a' b AND c", 12),
        ("CONTAINS", 8),
        ("CONTAINS ''", 9),
        ("> ''", 2),
        ("LIKE ", 5),
        ("IS", 2),
        ("IS NUL", 3),
        ("is it", 3),
        ("IS EMPTY x", 9),
        ("NOT", 3),
        ("Not started", 4),
        ("NOT NOT", 7),
    ] {
        assert_eq!(refused(text), position, "{text}");
    }
}

#[test]
fn a_query_key_is_split_at_its_last_double_underscore() {
    let filter = query::parse("a__b__eq", "1").unwrap();
    assert!(matches!(filter, Filter::Condition(Condition { column, .. }) if column == "a__b"));
    for (key, value, position) in [
        ("x__above", "1", None),
        ("x__", "1", None),
        ("x", "1", None),
        ("x__isempty", "true", Some(0)),
        ("x__gt", "", Some(0)),
        ("x__contains", "", Some(0)),
        ("x__in", "", Some(0)),
        ("x__in", "a,\"b", Some(2)),
        ("x__between", "1", Some(0)),
        ("x__between", "1,2,3", Some(0)),
    ] {
        let error = query::parse(key, value).expect_err(key);
        assert_eq!((error.place, error.position), (FilterLocation::Parameter(key.to_owned()), position));
    }
    let unknown = query::parse("x__above", "1").unwrap_err().detail;
    assert!(Operator::ALL.iter().all(|operator| unknown.contains(operator.name())), "{unknown}");
}

#[test]
fn an_error_in_a_tree_has_a_pointer() {
    let condition = |value: Value| json!({"and": [{"column": "x", "op": "isempty"}, value]});
    for (value, pointer) in [
        (json!("x"), ""),
        (json!({}), ""),
        (json!({"and": {}}), "/and"),
        (json!({"or": []}), "/or"),
        (json!({"and": [], "or": []}), "/and"),
        (json!({"a/b~": 1}), "/a~1b~0"),
        (json!({"not": [1]}), "/not"),
        (condition(json!({"op": "eq", "value": 1})), "/and/1"),
        (condition(json!({"column": 1, "op": "eq", "value": 1})), "/and/1/column"),
        (condition(json!({"column": "x", "value": 1})), "/and/1"),
        (condition(json!({"column": "x", "op": "above", "value": 1})), "/and/1/op"),
        (condition(json!({"column": "x", "op": "eq"})), "/and/1"),
        (condition(json!({"column": "x", "op": "eq", "value": null})), "/and/1/value"),
        (condition(json!({"column": "x", "op": "eq", "value": [1]})), "/and/1/value"),
        (condition(json!({"column": "x", "op": "in", "value": "a,b"})), "/and/1/value"),
        (condition(json!({"column": "x", "op": "in", "value": []})), "/and/1/value"),
        (condition(json!({"column": "x", "op": "in", "value": [1, {}]})), "/and/1/value/1"),
        (condition(json!({"column": "x", "op": "between", "value": [1]})), "/and/1/value"),
        (condition(json!({"column": "x", "op": "isempty", "value": true})), "/and/1/value"),
        (
            condition(json!({"column": "x", "op": "eq", "value": 12_345_678_901_234_567_890_123.0})),
            "/and/1/value",
        ),
    ] {
        let error = tree::parse(&value, "/filter").expect_err(&value.to_string());
        assert_eq!(error.place, FilterLocation::Pointer(format!("/filter{pointer}")), "{value}");
        assert_eq!(error.position, None);
    }
}

#[test]
fn logical_nodes_combine_conditions() {
    let tree = |value: Value| tree::parse(&value, "").unwrap();
    let a = || json!({"column": "x", "op": "contains", "value": "a"});
    let b = || json!({"column": "x", "op": "contains", "value": "b"});
    let kept = |filter: Filter| {
        ["", "a", "b", "ab"].into_iter().filter(|cell| keeps(&filter, cell)).collect::<Vec<_>>()
    };
    assert_eq!(kept(tree(json!({"and": [a(), b()]}))), ["ab"]);
    assert_eq!(kept(tree(json!({"or": [a(), b()]}))), ["a", "b", "ab"]);
    assert_eq!(kept(tree(json!({"not": {"or": [a(), b()]}}))), [""]);
    assert_eq!(kept(tree(json!({"and": [a(), {"not": b()}]}))), ["a"]);
    assert_eq!(kept(tree(json!({"and": []}))).len(), 4);
    assert_eq!(kept(tree(json!({"not": {"and": []}}))).len(), 0);
}

#[test]
fn a_search_keeps_the_rows_in_which_at_least_one_column_contains_the_text() {
    let header = Header::new(["a", "b"].map(str::to_owned).to_vec());
    let keeps = |filter: &Filter, row: [&str; 2]| {
        let cells = row.map(|cell| cell.as_bytes().to_vec()).to_vec();
        filter.compile(&header).unwrap().matches(&Row(cells))
    };
    let filter = tree::parse(&json!({"q": "É"}), "").unwrap();
    assert_eq!(filter.compile(&header).unwrap().columns(), [0, 1]);
    for (row, wanted) in [(["xéx", ""], true), (["", "É"], true), (["e", "x"], false), (["", ""], false)] {
        assert_eq!(keeps(&filter, row), wanted, "{row:?}");
        assert_eq!(keeps(&filter.clone().complement(), row), !wanted, "{row:?}");
    }
    let mut builder = FilterBuilder::default();
    builder.any_contains("q", "É").unwrap();
    assert_eq!(builder.finish().unwrap(), Some(filter));
    assert!(FilterBuilder::default().any_contains("q", "").is_err());
    assert_eq!(
        tree::parse(&json!({"q": ""}), "").unwrap_err().place,
        FilterLocation::Pointer("/q".to_owned())
    );
}

#[test]
fn cells_of_another_kind_than_the_operand_are_counted() {
    for (text, cells, wanted) in [
        ("> 5", &["6", "", " ", "n/a", "1,000", "2024-01-01", "7.5"][..], 3),
        ("BETWEEN 1 AND 2", &["x", "1", "3", "y"], 2),
        ("ON 2024-01-01", &["2024-01-01", "01.01.2024", ""], 1),
        ("NOT < 2024-01-01", &["2024", "2024-01-01"], 1),
        ("NUMEQ 5", &["5", "five"], 1),
        ("> m", &["5", "x"], 0),
        ("= 5", &["x"], 0),
    ] {
        let predicate = bound(&expression(text));
        for cell in cells {
            predicate.matches(&Row(vec![cell.as_bytes().to_vec()]));
        }
        assert_eq!(predicate.incomparable(), wanted, "{text}");
    }
}

#[test]
fn operands_that_are_read_as_text_are_compared_by_their_bytes() {
    let header = Header::new(vec!["x".to_owned()]);
    for (text, kept, dropped) in
        [("> 10", "9", "1"), ("BETWEEN 1 AND 3", "20", "4"), ("<= 2024-12-31", "2024-1", "2024-12-31T00:00")]
    {
        let predicate = expression(text).compile_with(&header, OperandReading::Text).unwrap();
        assert!(predicate.matches(&Row(vec![kept.as_bytes().to_vec()])), "{kept} {text}");
        assert!(!predicate.matches(&Row(vec![dropped.as_bytes().to_vec()])), "{dropped} {text}");
        assert_eq!(predicate.incomparable(), 0);
    }
}

#[test]
fn filters_that_exceed_a_limit_are_refused() {
    let condition = json!({"column": "x", "op": "eq", "value": 1});
    let many = |count: usize| json!({ "or": vec![condition.clone(); count] });
    assert!(tree::parse(&many(MAX_CONDITIONS), "").is_ok());
    assert!(tree::parse(&many(MAX_CONDITIONS + 1), "").is_err());

    let deep = |levels: usize| (1..levels).fold(condition.clone(), |inner, _| json!({ "or": [inner] }));
    assert!(tree::parse(&deep(MAX_DEPTH), "").is_ok());
    assert!(tree::parse(&deep(MAX_DEPTH + 1), "").is_err());
    let mut builder = FilterBuilder::default();
    builder.tree(&deep(MAX_DEPTH), "").unwrap();
    builder.pair("x__eq", "1").unwrap();
    assert_eq!(builder.finish().unwrap_err().place, FilterLocation::Whole);

    let mut builder = FilterBuilder::default();
    (0..=MAX_CONDITIONS).for_each(|_| builder.pair("x__eq", "1").unwrap());
    assert!(builder.finish().is_err());

    let regexes = |count: usize| {
        let mut builder = FilterBuilder::default();
        (0..count).for_each(|_| builder.pair("x__nregex", "a+").unwrap());
        builder.finish()
    };
    assert!(regexes(MAX_REGEXES).is_ok() && regexes(MAX_REGEXES + 1).is_err());
    assert!(query::parse("x__regex", &format!("{}a{}", "(".repeat(50), ")".repeat(50))).is_err());
    assert!(query::parse("x__regex", "\\w+@[a-z.]+|[0-9]{4}-\\d{2}").is_ok());

    assert!(query::parse("x__in", &"v,".repeat(MAX_LIST_VALUES - 1)).is_ok());
    assert!(query::parse("x__in", &"v,".repeat(MAX_LIST_VALUES)).is_err());
    assert!(query::parse("x__like", &"%".repeat(MAX_PATTERN_BYTES)).is_ok());
    assert!(query::parse("x__like", &"%".repeat(MAX_PATTERN_BYTES + 1)).is_err());
    assert!(expression::parse("x", &format!("{}'a'", "NOT ".repeat(100_001))).is_ok());
}

#[test]
fn columns_are_found_by_name_and_unknown_columns_are_refused() {
    let header = Header::new(["id", "constructor", "__proto__", "Age"].map(str::to_owned).to_vec());
    let mut builder = FilterBuilder::default();
    builder.expression("constructor", "x").unwrap();
    builder.pair("__proto____ne", "y").unwrap();
    builder.expression("age", ">= 18").unwrap();
    builder.expression("constructor", "CONTAINS x").unwrap();
    builder.expression("id", "").unwrap();
    let predicate = builder.finish().unwrap().unwrap().compile(&header).unwrap();
    assert_eq!(predicate.columns(), [1, 2, 3]);
    let row = |cells: [&str; 4]| Row(cells.map(|cell| cell.as_bytes().to_vec()).to_vec());
    assert!(predicate.matches(&row(["", "x", "", "18"])));
    assert!(!predicate.matches(&row(["", "", "", "18"])));
    assert!(!predicate.matches(&row(["", "x", "y", "18"])));

    for unknown in ["toString", "", "#5", "age "] {
        let filter = expression::parse(unknown, "x").unwrap().unwrap();
        assert_eq!(filter.compile(&header).unwrap_err().reference, unknown);
    }
}

#[test]
fn a_text_that_starts_with_a_number_is_not_a_number() {
    for (text, cell) in
        [("> 0", "1,234"), ("> 0", "5 apples"), (">= 2000", "2024-01-01"), ("BETWEEN 1 AND 3", "2nd")]
    {
        assert!(!keeps(&expression(text), cell), "{cell} {text}");
        assert!(keeps(&expression(&format!("NOT {text}")), cell), "{cell} NOT {text}");
    }
}

#[test]
fn cells_that_are_not_utf_8_are_compared_byte_for_byte() {
    assert!(keeps(&expression("CONTAINS B"), b"\xffab"));
    assert!(!keeps(&expression("= \u{fffd}"), b"\xff"));
    assert!(keeps(&expression("> z"), b"\xff"));
    assert!(!keeps(&expression("> 0"), b"1\xff"));
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~é]{1,8}", "-?[0-9]{1,3}([.][0-9])?", "20[0-9]{2}-0[1-9]-[0-2][1-9]", "[aAbB%_]{1,4}"]
}

/// Returns the first items of `values`, as many as the operator takes. If the operator takes a list, returns all items
/// except the last one. `values` must have at least two items.
pub(in crate::csv) fn values_for(operator: Operator, values: &[String]) -> Vec<String> {
    let count = match operator.arity() {
        Arity::None => 0,
        Arity::One => 1,
        Arity::Two => 2,
        Arity::Many => values.len() - 1,
    };
    values[..count].to_vec()
}

/// Generates an operator with valid values.
pub(in crate::csv) fn operator_with(
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = (Operator, Vec<String>)> {
    (prop::sample::select(Operator::ALL), prop::collection::vec(value, 2..6))
        .prop_map(|(operator, values)| (operator, values_for(operator, &values)))
        .prop_filter("the operator accepts the values", |(operator, values)| {
            operator.comparison(values.clone()).is_ok()
        })
}

/// Generates a condition on a column, with any operator.
pub(in crate::csv) fn any_condition(
    column: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = Filter> {
    (column, operator_with(value))
        .prop_map(|(column, (operator, values))| Filter::condition(&column, operator, values).unwrap())
}

/// Generates a filter on the column `x`.
pub(in crate::csv) fn any_filter() -> impl Strategy<Value = Filter> {
    let value = prop_oneof![1 => Just(String::new()), 9 => value()];
    let search = "[a-zé]{1,3}".prop_map(Filter::AnyContains);
    prop_oneof![9 => any_condition(Just("x".to_owned()), value), 1 => search].prop_recursive(
        4,
        16,
        4,
        |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
                prop::collection::vec(inner.clone(), 1..4).prop_map(Filter::Or),
                inner.prop_map(Filter::complement),
            ]
        },
    )
}

/// Returns one expression that means this condition, with quotes around every value.
pub(in crate::csv) fn as_expression(operator: Operator, values: &[String]) -> String {
    written(operator, values, '"').into_iter().next().unwrap()
}

/// Returns all expressions that mean this condition, with `quote` around every value. Returns an empty list if no
/// expression has this meaning.
fn written(operator: Operator, values: &[String], quote: char) -> Vec<String> {
    let quoted =
        |value: &String| format!("{quote}{}{quote}", value.replace(quote, &format!("{quote}{quote}")));
    let values: Vec<String> = values.iter().map(quoted).collect();
    let values = match operator.arity() {
        Arity::None | Arity::One => values.concat(),
        Arity::Two => values.join(" AND "),
        Arity::Many => format!("({})", values.join(",")),
    };
    let forms = |operator: Operator, not: &str| match operator.syntax() {
        Syntax::Signs(signs) => signs.iter().map(|sign| format!("{not}{sign}{values}")).collect(),
        Syntax::Keyword(keyword) => vec![format!("{not}{keyword} {values}")],
        Syntax::Is(state) => vec![format!("IS {not}{state}"), format!("{not}{}", operator.name())],
        Syntax::Unwritten => vec![format!("{not}{} {values}", operator.name())],
    };
    let negated = operator.positive().map(|positive| forms(positive, "NOT "));
    [forms(operator, ""), negated.unwrap_or_default()].concat()
}

proptest! {
    #[test]
    fn parsing_an_expression_never_panics(text in any::<String>(), tail in "(NOT|IN|BETWEEN|IS|AND|[(,)'\"=<>! aé])*") {
        for text in [&text, &tail, &format!("{tail}{text}"), &format!("= {text}")] {
            if let Err(error) = expression::parse("x", text) {
                prop_assert!(error.position.unwrap() <= text.chars().count());
            }
        }
    }

    #[test]
    fn parsing_a_pair_never_panics(key in any::<String>(), value in any::<String>()) {
        let _ = query::parse(&key, &value);
        for operator in Operator::ALL {
            let _ = query::parse(&format!("{key}__{}", operator.name()), &value);
        }
    }

    #[test]
    fn a_written_expression_parses_to_the_same_filter(
        (operator, values) in operator_with(value()), quote in prop_oneof![Just('\''), Just('"')],
    ) {
        let wanted = Filter::condition("x", operator, values.clone()).unwrap();
        for text in written(operator, &values, quote) {
            prop_assert_eq!(expression::parse("x", &text), Ok(Some(wanted.clone())), "{}", text);
            let complement = wanted.clone().complement();
            prop_assert_eq!(expression::parse("x", &format!("NOT {text}")), Ok(Some(complement)), "NOT {}", text);
        }
    }

    #[test]
    fn a_rendered_tree_parses_to_the_same_filter(filter in any_filter()) {
        let rendered = tree::render(&filter);
        prop_assert_eq!(tree::parse(&rendered, ""), Ok(filter.clone()), "{}", rendered);
    }

    #[test]
    fn the_complement_keeps_exactly_the_cells_that_the_filter_drops(
        filter in any_filter(), cell in prop::collection::vec(any::<u8>(), 0..6), text in value(),
    ) {
        for cell in [cell.as_slice(), text.as_bytes(), b""] {
            prop_assert_ne!(keeps(&filter, cell), keeps(&filter.clone().complement(), cell));
        }
    }

    #[test]
    fn a_filter_is_the_logical_combination_of_its_conditions(filter in any_filter(), cell in value()) {
        fn logic(filter: &Filter, cell: &str) -> bool {
            match filter {
                Filter::And(parts) => parts.iter().all(|part| logic(part, cell)),
                Filter::Or(parts) => parts.iter().any(|part| logic(part, cell)),
                Filter::Not(inner) => !logic(inner, cell),
                condition @ (Filter::Condition(_) | Filter::AnyContains(_)) => keeps(condition, cell),
            }
        }
        prop_assert_eq!(keeps(&filter, &cell), logic(&filter, &cell));
    }
}
