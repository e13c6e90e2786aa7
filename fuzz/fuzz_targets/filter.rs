//! Parses filters and requests from arbitrary text. Checks that the parsers never panic. Also makes the recipe of each
//! parsed request, and checks that parsing the recipe gives the same request.

#![no_main]

use cutty::csv::filter::{expression, query, tree};
use cutty::csv::request::CutRequest;
use cutty::csv::{CsvOpener, Header, InputOptions};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (first, rest) = text.split_once('\n').unwrap_or(("column", text));
    let _ = expression::parse(first, rest);
    let _ = query::split(first);
    let _ = query::parse(first, rest);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    if let Ok(request) = CutRequest::from_query(pairs) {
        reads_back(&request);
    }
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let _ = tree::parse(&value, "/filter");
        if let Ok(request) = CutRequest::from_json(&value) {
            reads_back(&request);
        }
    }
});

/// Asserts that parsing the recipe of a request gives a request with the same recipe.
fn reads_back(request: &CutRequest) {
    let recipe = request.recipe();
    let again = CutRequest::from_json(&recipe).expect("a recipe must be a valid request");
    assert_eq!(again.recipe(), recipe);
    let _ = request.plan(&header());
}

fn header() -> Header {
    let mut opening = CsvOpener::new(InputOptions::default(), 1000).expect("the default options are valid");
    let _ = opening.push(b"column,a,b,name,age\n");
    opening.finish().expect("the file has a header").header
}
