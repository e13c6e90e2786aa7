//! Tests requests as query strings and as JSON bodies: their meaning, their errors, and their recipes.

#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::csv::cell::Cells;
use crate::csv::dialect::Delimiter;
use crate::csv::filter::tests::{as_expression, operator_with};
use crate::csv::filter::{Arity, text};
use crate::csv::open::options::InputOptions;
use crate::csv::write::options::{Newline, OutputFormat};

fn query(text: &str) -> Result<CutRequest, RequestError> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    CutRequest::from_query(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))))
}

fn body(value: Value) -> Result<CutRequest, RequestError> {
    CutRequest::from_json(&value)
}

#[test]
fn an_empty_request_has_the_defaults() {
    assert_eq!(query(""), Ok(CutRequest::default()));
    assert_eq!(body(json!({})), Ok(CutRequest::default()));
    assert_eq!(body(json!({"limit": null, "filter": null, "tags": null})), Ok(CutRequest::default()));
    let request = CutRequest::default();
    assert!(request.streaming && request.input.has_header() && request.output.header && !request.strict);
}

#[test]
fn every_option_has_the_same_effect_in_a_query_string_and_in_a_json_body() {
    for (text, json) in [
        ("columns=a,\"b, c\"", json!({"columns": ["a", "b, c"]})),
        ("columns=a", json!({"selectedColumns": ["a"]})),
        ("format=ndjson", json!({"format": "ndjson"})),
        ("format=tsv", json!({"outputFormat": "tsv"})),
        ("limit=10", json!({"limit": 10})),
        ("limit=18446744073709551615", json!({"limit": u64::MAX})),
        ("offset=7", json!({"offset": 7})),
        ("header=false", json!({"header": false})),
        ("inputHeader=false", json!({"inputHeader": false})),
        ("delimiter=;", json!({"delimiter": "semicolon"})),
        ("delimiter=tab", json!({"delimiter": "\t"})),
        ("delimiter=|", json!({"delimiter": "pipe"})),
        ("delimiter=comma", json!({"delimiter": ","})),
        ("delimiter=||", json!({"delimiter": "||"})),
        ("delimiter=none", json!({"delimiter": "none"})),
        ("quote='", json!({"quote": "'"})),
        ("escape=backslash", json!({"escape": "backslash"})),
        ("skipRows=3", json!({"skipRows": 3})),
        ("skipFooter=1", json!({"skipFooter": 1})),
        ("comment=#", json!({"comment": "#"})),
        ("comment=none", json!({"comment": "none"})),
        ("trim=cells", json!({"trim": "cells"})),
        ("nullValues=NA,\"\"", json!({"nullValues": ["NA", ""]})),
        ("ragged=pad", json!({"ragged": "pad"})),
        ("outDelimiter=;", json!({"outDelimiter": "semicolon"})),
        ("outQuote=all", json!({"outQuote": "all"})),
        ("encoding=latin1", json!({"encoding": "windows-1252"})),
        ("encoding=MacRoman", json!({"encoding": "macintosh"})),
        ("bom=true", json!({"bom": true})),
        ("newline=crlf", json!({"newline": "crlf"})),
        ("strict=true", json!({"strict": true})),
        ("spreadsheetSafe=true", json!({"spreadsheetSafe": true})),
        ("format=json&typed=true", json!({"outputFormat": "json", "typed": true})),
        ("compress=gzip", json!({"compress": "gzip"})),
        ("streaming=false", json!({"streaming": false})),
        ("as=text", json!({"as": "text"})),
        ("q=Smith", json!({"q": "Smith"})),
        ("q=Smith", json!({"filter": {"q": "Smith"}})),
        ("filter=age>30 OR age<3", json!({"filter": "age > 30 OR age < 3"})),
        ("age__gte=30", json!({"whereFilters": {"age": ">= 30"}})),
        ("age__eq=30", json!({"whereFilters": {"age": 30}})),
        ("age__eq=30", json!({"filter": {"column": "age", "op": "eq", "value": 30}})),
        (
            "age__gte=30&age__lt=40",
            json!({"whereFilters": {"age": ">= 30"}, "filter": {"and": [{"column": "age", "op": "<", "value": 40}]}}),
        ),
    ] {
        let (from_query, from_body) = (query(text).unwrap(), body(json.clone()).unwrap());
        assert_ne!(from_query, CutRequest::default(), "{text}");
        // The query string and the body give the conditions in different orders, so the test compares only the number
        // of conditions.
        if text.contains("&age") {
            assert_eq!(
                from_query.filter.unwrap().condition_count(),
                from_body.filter.unwrap().condition_count()
            );
        } else {
            assert_eq!(from_query, from_body, "{text} and {json}");
        }
    }
    for name in CutOption::names() {
        let result = query(&format!("{name}=no such value"));
        assert!(
            matches!(
                result,
                Ok(_)
                    | Err(RequestError::BadOption { .. }
                        | RequestError::NoEffect { .. }
                        | RequestError::BadFilter(_))
            ),
            "{name}"
        );
    }
}

#[test]
fn each_option_sets_its_field_of_the_request() {
    let request =
        query("format=tsv&newline=crlf&delimiter=tab&limit=3&offset=2&encoding=utf-16&header=false").unwrap();
    assert_eq!(request.output.format, OutputFormat::Tsv);
    assert_eq!(request.output.newline, Newline::Crlf);
    assert!(!request.output.header && request.input.has_header());
    assert_eq!(request.input.delimiter, Some(Delimiter::of(b'\t')));
    assert_eq!(request.input.encoding, Some(encoding_rs::UTF_16LE.into()));
    assert_eq!((request.limit, request.offset), (Some(3), 2));
}

#[test]
fn a_json_body_can_set_the_filename_the_tags_and_the_metadata_of_a_saved_cut() {
    let request = body(json!({"filename": "jfk.csv", "tags": ["a", "b"], "metadata": {"k": [1]}})).unwrap();
    assert_eq!(request.filename.as_deref(), Some("jfk.csv"));
    assert_eq!(request.tags, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(request.metadata.unwrap()["k"], json!([1]));
}

#[test]
fn an_unknown_option_is_refused_and_the_known_options_are_listed() {
    for result in [query("colums=a"), query("filename=x"), query("Limit=1"), query("=1"), query("age=30")] {
        let error = result.unwrap_err();
        assert_eq!(error.code(), "unknown_option");
        assert!(
            error.to_string().contains("spreadsheetSafe") && error.to_string().contains("column__operator")
        );
    }
    for result in [body(json!({"where": {}})), body(json!({"age__gte": 30})), body(json!({"colums": null}))] {
        let error = result.unwrap_err();
        assert_eq!(error.code(), "unknown_option");
        assert!(error.to_string().contains("whereFilters"), "{error}");
    }
}

#[test]
fn an_invalid_value_is_refused_and_the_valid_values_are_named() {
    for (result, name, allowed) in [
        (query("format=xml"), "format", "csv or tsv or json or ndjson"),
        (query("limit=-1"), "limit", "whole number"),
        (query("limit=+1"), "limit", "whole number"),
        (query("limit="), "limit", "whole number"),
        (query("limit=1e3"), "limit", "whole number"),
        (query("limit=18446744073709551616"), "limit", "whole number"),
        (query("bom=yes"), "bom", "true or false"),
        (query("delimiter=12345"), "delimiter", "comma, semicolon, tab, pipe"),
        (query("delimiter=\""), "delimiter", "comma, semicolon, tab, pipe"),
        (query("quote=x"), "quote", "none"),
        (query("escape=x"), "escape", "double or backslash"),
        (query("skipRows=10001"), "skipRows", "from 0 to 10000"),
        (query("skipFooter=101"), "skipFooter", "from 0 to 100"),
        (query("comment=ab"), "comment", "one ASCII punctuation character"),
        (query("trim=all"), "trim", "none or header or cells"),
        (query("ragged=drop"), "ragged", "keep or refuse or pad"),
        (body(json!({"nullValues": ["x".repeat(65)]})), "nullValues", "at most 64 bytes"),
        (query("outDelimiter=ab"), "outDelimiter", "comma, semicolon"),
        (query("outQuote=x"), "outQuote", "minimal or all or none"),
        (query("encoding=klingon"), "encoding", "WHATWG"),
        (query("encoding=replacement"), "encoding", "WHATWG"),
        (query("columns="), "columns", "at least one"),
        (query("columns=\"a"), "columns", "CSV record"),
        (query("compress=zip"), "compress", "gzip"),
        (body(json!({"limit": 1.5})), "limit", "whole number"),
        (body(json!({"limit": "10"})), "limit", "whole number"),
        (body(json!({"limit": -1})), "limit", "whole number"),
        (body(json!({"strict": "true"})), "strict", "true or false"),
        (body(json!({"outputFormat": 1})), "outputFormat", "csv"),
        (body(json!({"selectedColumns": []})), "selectedColumns", "at least one"),
        (body(json!({"selectedColumns": "a,b"})), "selectedColumns", "array of strings"),
        (body(json!({"columns": [1]})), "columns", "array of strings"),
        (body(json!({"whereFilters": []})), "whereFilters", "object"),
        (body(json!({"filename": 1})), "filename", "string"),
        (body(json!({"tags": "a"})), "tags", "array of strings"),
        (body(json!({"metadata": []})), "metadata", "object"),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.code(), "bad_request");
        assert!(error.to_string().starts_with(name) && error.to_string().contains(allowed), "{error}");
    }
    let long = query(&format!("format={}", "é".repeat(100_000))).unwrap_err().to_string();
    assert!(long.len() < 500, "{long}");
}

#[test]
fn an_option_that_changes_nothing_in_the_requested_format_is_refused() {
    for text in [
        "format=json&newline=crlf",
        "bom=true&format=ndjson",
        "format=json&header=false",
        "format=json&outQuote=all",
        "format=ndjson&spreadsheetSafe=true",
        "format=tsv&outDelimiter=;",
        "typed=true",
        "format=tsv&typed=true",
    ] {
        let error = query(text).unwrap_err();
        assert!(matches!(error, RequestError::NoEffect { .. }), "{text}: {error}");
        assert_eq!(error.code(), "bad_request");
    }
}

#[test]
fn the_stored_options_of_a_file_are_parsed_and_rendered() {
    let json =
        json!({"delimiter": "semicolon", "skipRows": 3, "headerRow": false, "comment": "none", "trim": null});
    let input = InputOptions::from_json(&json).unwrap();
    assert_eq!((input.header, input.skip_rows, input.comment), (Some(false), Some(3), Some(None)));
    assert_eq!(InputOptions::from_json(&input.to_json()).unwrap(), input);
    for bad in [
        json!([]),
        json!({"format": "csv"}),
        json!({"headerRow": true, "inputHeader": true}),
        json!({"quote": 1}),
    ] {
        assert!(InputOptions::from_json(&bad).is_err(), "{bad}");
    }
}

#[test]
fn an_option_given_twice_is_refused() {
    for result in [query("limit=1&limit=2"), body(json!({"columns": ["a"], "selectedColumns": ["a"]}))] {
        assert!(matches!(result, Err(RequestError::RepeatedOption { .. })));
    }
}

#[test]
fn a_body_that_is_not_an_object_is_refused() {
    for value in [json!([]), json!("x"), json!(null), json!(1)] {
        assert!(matches!(body(value), Err(RequestError::NotAnObject { .. })));
    }
}

#[test]
fn an_invalid_filter_is_refused() {
    for (result, location) in [
        (query("age__above=1"), FilterLocation::Parameter("age__above".to_owned())),
        (query("age__=1"), FilterLocation::Parameter("age__".to_owned())),
        (body(json!({"whereFilters": {"age": ">= "}})), FilterLocation::Column("age".to_owned())),
        (
            body(json!({"whereFilters": {"a/b": null}})),
            FilterLocation::Pointer("/whereFilters/a~1b".to_owned()),
        ),
        (body(json!({"filter": {"and": [1]}})), FilterLocation::Pointer("/filter/and/0".to_owned())),
        (body(json!({"filter": {}})), FilterLocation::Pointer("/filter".to_owned())),
    ] {
        let Err(RequestError::BadFilter(error)) = result else { panic!("{result:?} is not a filter error") };
        assert_eq!(error.place, location);
    }
}

#[test]
fn an_empty_expression_adds_no_filter() {
    assert_eq!(body(json!({"whereFilters": {"age": " "}})).unwrap().filter, None);
    assert_eq!(body(json!({"whereFilters": {}})).unwrap().filter, None);
}

struct Row([&'static str; 3]);

impl Cells for Row {
    fn cell(&self, column: usize) -> &[u8] {
        self.0[column].as_bytes()
    }
}

#[test]
fn a_plan_resolves_column_names_to_positions() {
    let header = Header::new(["id", "Name", "constructor"].map(str::to_owned).to_vec());
    let plan =
        query("columns=constructor,NAME,#1&id__gt=5&limit=2&strict=true").unwrap().plan(&header).unwrap();
    assert_eq!(plan.columns, [2, 1, 0]);
    assert_eq!((plan.limit, plan.strict), (Some(2), true));
    let predicate = plan.predicate.unwrap();
    assert_eq!(predicate.columns(), [0]);
    assert!(predicate.matches(&Row(["6", "", ""])) && !predicate.matches(&Row(["5", "", ""])));
    let all = CutRequest::default().plan(&header).unwrap();
    assert_eq!(all.columns, [0, 1, 2]);
    assert!(all.predicate.is_none());
}

#[test]
fn json_rows_with_more_than_a_mebibyte_of_names_are_refused() {
    let header = Header::new(vec!["n".repeat(400_000), "m".to_owned()]);
    for (text, is_planned) in [
        ("columns=%231,%231", true),
        ("columns=#1,#1,m&format=ndjson", true),
        ("columns=#1,#1,#1&format=csv", true),
        ("columns=#1,#1,#1&format=ndjson", false),
        ("columns=#1,#1,#1&format=json", false),
    ] {
        let request = query(&text.replace("%23", "#")).unwrap();
        assert_eq!(request.plan(&header).is_ok(), is_planned, "{text}");
    }
}

#[test]
fn a_column_can_be_picked_at_most_four_times() {
    let header = Header::new(["id", "name"].map(str::to_owned).to_vec());
    let plan = |columns: &[&str]| query(&format!("columns={}", columns.join(",")))?.plan(&header);
    assert_eq!(plan(&["id", "name", "#1", "ID", "id"]).unwrap().columns, [0, 1, 0, 0, 0]);
    for columns in [&["id", "name", "#1", "ID", "id", "id"][..], &["unknown"; 5]] {
        let error = plan(columns).unwrap_err();
        assert!(error.to_string().contains("no column more than 4 times"), "{error}");
        assert_eq!(error.code(), "bad_request");
    }
}

#[test]
fn an_unknown_column_is_refused_and_the_known_columns_are_listed() {
    let header = Header::new((1..=60).map(|number| format!("c{number}")).collect());
    for text in ["columns=c1,toString", "toString__eq=1"] {
        let error = query(text).unwrap().plan(&header).unwrap_err();
        assert_eq!(error.code(), "unknown_column");
        let RequestError::UnknownColumn { reference, known, total } = &error else { panic!("{error:?}") };
        assert_eq!((reference.as_str(), known.len(), *total), ("toString", 50, 60));
        assert!(error.to_string().ends_with("c49, c50, …."), "{error}");
    }
}

#[test]
fn a_recipe_leaves_out_defaults() {
    let request =
        query("columns=carrier,flight&origin__eq=JFK&dep_delay__gt=60&format=csv&limit=5&bom=true").unwrap();
    assert_eq!(
        request.recipe(),
        json!({
            "bom": true,
            "columns": ["carrier", "flight"],
            "filter": {"and": [
                {"column": "origin", "op": "eq", "value": "JFK"},
                {"column": "dep_delay", "op": "gt", "value": "60"},
            ]},
            "limit": 5,
        })
    );
    assert_eq!(CutRequest::default().recipe(), json!({}));
}

fn pair() -> impl Strategy<Value = (String, String)> {
    let choice = |name: &'static str, values: &'static [&'static str]| {
        prop::sample::select(values).prop_map(move |value| (name.to_owned(), value.to_owned()))
    };
    const FLAGS: [&str; 7] =
        ["header", "inputHeader", "bom", "strict", "spreadsheetSafe", "typed", "streaming"];
    prop_oneof![
        (prop::sample::select(&FLAGS[..]), any::<bool>())
            .prop_map(|(name, flag)| (name.to_owned(), flag.to_string())),
        any::<u64>().prop_map(|limit| ("limit".to_owned(), limit.to_string())),
        any::<u64>().prop_map(|offset| ("offset".to_owned(), offset.to_string())),
        choice("format", &["csv", "tsv", "json", "ndjson"]),
        choice("newline", &["lf", "crlf"]),
        choice("delimiter", &[",", ";", "\t", "|", "tab"]),
        choice("encoding", &["utf-8", "utf-16be", "latin1", "macintosh", "gb18030", "x-user-defined"]),
        choice("compress", &["gzip"]),
        choice("as", &["text"]),
        choice("q", &["x", "é y"]),
        "[a-z#1-9]{1,3}(,[a-z]{1,3}){0,2}".prop_map(|columns| ("columns".to_owned(), columns)),
        "[ -~]{1,4}".prop_map(|value| ("x__ne".to_owned(), value)),
    ]
}

proptest! {
    #[test]
    fn parsing_the_recipe_of_a_request_gives_this_request(
        pairs in prop::collection::btree_map("[a-z]{0,3}", pair(), 0..12),
        filter in prop::option::of(crate::csv::filter::tests::any_filter()),
    ) {
        let pairs: std::collections::BTreeMap<String, String> = pairs.into_values().collect();
        let Ok(mut request) = CutRequest::from_query(pairs) else { return Ok(()) };
        request.filter = filter.or(request.filter);
        let recipe = request.recipe();
        prop_assert_eq!(CutRequest::from_json(&recipe).unwrap(), request, "{}", recipe);
    }

    #[test]
    fn a_filter_means_the_same_in_all_four_forms(
        conditions in prop::collection::btree_map(
            "[a-c]{1,2}", operator_with(prop_oneof!["[ -~é]{1,8}", "-?[0-9]{1,3}[.]?[0-9]{0,2}", "2024-0[1-9]-1[0-9]"]), 1..4),
    ) {
        let mut pairs = Vec::new();
        let (mut expressions, mut nodes) = (json!({}), Vec::new());
        for (column, (operator, values)) in &conditions {
            let quoted = values.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\"")));
            let value = match operator.arity() {
                Arity::None | Arity::One => values.concat(),
                Arity::Two | Arity::Many => quoted.collect::<Vec<_>>().join(" , "),
            };
            pairs.push((format!("{column}__{}", operator.name()), value));
            expressions[column] = json!(as_expression(*operator, values));
            let mut node = json!({"column": column, "op": operator.name()});
            match operator.arity() {
                Arity::None => {}
                Arity::One => node["value"] = json!(values[0]),
                Arity::Two | Arity::Many => node["value"] = json!(values),
            }
            nodes.push(node);
        }
        let tree = if nodes.len() == 1 { nodes.remove(0) } else { json!({"and": nodes}) };
        let wanted = body(json!({"filter": tree}));
        prop_assert_eq!(&CutRequest::from_query(pairs), &wanted);
        prop_assert_eq!(&body(json!({"whereFilters": expressions})), &wanted);
        prop_assert!(wanted.is_ok());
        let text = text::render(&wanted.clone().unwrap().filter.unwrap());
        prop_assert_eq!(&CutRequest::from_query([("filter", &text)]), &wanted);
        prop_assert_eq!(&body(json!({"filter": text})), &wanted);
    }

    #[test]
    fn parsing_pairs_never_panics(pairs in prop::collection::vec((any::<String>(), any::<String>()), 0..4), value in any::<String>()) {
        let _ = CutRequest::from_query(pairs);
        for name in CutOption::names() {
            let _ = CutRequest::from_query([(name, &value)]);
        }
    }
}
