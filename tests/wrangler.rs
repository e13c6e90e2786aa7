//! `wrangler.toml`: environments inherit no binding and no variable, so each repeats all of them; and what it says agrees
//! with the code.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use cutty::config::Config;
use cutty::ports::{ObjectClass, RateLimit};
use toml::{Table, Value};

/// What an environment inherits from the top level, and so must not repeat.
const INHERITED: [&str; 8] =
    ["name", "main", "compatibility_date", "build", "triggers", "limits", "observability", "env"];

/// What differs from environment to environment: names of resources, and what names them elsewhere.
const OWN: [&str; 8] = [
    "name",
    "bucket_name",
    "preview_bucket_name",
    "database_name",
    "database_id",
    "queue",
    "dead_letter_queue",
    "namespace_id",
];

/// Variables whose values may differ.
const OWN_VARIABLES: [&str; 1] = ["ALLOWED_ORIGINS"];

fn wrangler() -> Table {
    include_str!("../wrangler.toml").parse().unwrap()
}

/// A configuration without what may differ, so that two can be compared.
fn shape(value: &Value) -> Value {
    match value {
        Value::Table(table) => {
            let kept = table.iter().filter(|(key, _)| !OWN.contains(&key.as_str()));
            Value::Table(
                kept.map(|(key, value)| match OWN_VARIABLES.contains(&key.as_str()) {
                    true => (key.clone(), Value::Boolean(true)),
                    false => (key.clone(), shape(value)),
                })
                .collect(),
            )
        }
        Value::Array(values) => Value::Array(values.iter().map(shape).collect()),
        other => other.clone(),
    }
}

/// What an environment must repeat: bindings, variables, queues, limits, migrations.
fn repeated(table: &Table) -> BTreeMap<String, Value> {
    let kept = table.iter().filter(|(key, _)| !INHERITED.contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), shape(value))).collect()
}

/// Where an environment differs from the top level.
fn differences(top: &Table, environment: &Table) -> Vec<String> {
    let (wanted, found) = (repeated(top), repeated(environment));
    let keys = wanted.keys().chain(found.keys().filter(|key| !wanted.contains_key(*key)));
    keys.filter(|key| wanted.get(*key) != found.get(*key)).cloned().collect()
}

fn environments(top: &Table) -> impl Iterator<Item = (&String, &Table)> {
    top["env"].as_table().unwrap().iter().map(|(name, table)| (name, table.as_table().unwrap()))
}

fn environments_and_top_level(top: &Table) -> impl Iterator<Item = (&str, &Table)> {
    environments(top).map(|(name, table)| (name.as_str(), table)).chain([("the top level", top)])
}

#[test]
fn every_environment_repeats_what_it_does_not_inherit() {
    let top = wrangler();
    let names: Vec<_> = environments(&top).map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["production", "staging"]);
    for (name, environment) in environments(&top) {
        assert_eq!(differences(&top, environment), Vec::<String>::new(), "[env.{name}] differs");
    }
}

#[test]
fn an_environment_that_lacks_something_is_found() {
    let top = wrangler();
    let staging = top["env"]["staging"].as_table().unwrap();
    for key in ["r2_buckets", "d1_databases", "queues", "ratelimits", "durable_objects", "migrations", "vars"]
    {
        let mut without = staging.clone();
        without.remove(key).unwrap();
        assert_eq!(differences(&top, &without), [key]);
    }
    let mut other = staging.clone();
    other["vars"].as_table_mut().unwrap().remove("CACHE_TTL");
    other["queues"]["consumers"][0].as_table_mut().unwrap().insert("max_retries".to_owned(), 3.into());
    assert_eq!(differences(&top, &other), ["queues", "vars"]);
}

#[test]
fn no_two_environments_share_a_store_but_production_and_the_top_level() {
    let top = wrangler();
    let resources = |table: &Table| {
        vec![
            table["r2_buckets"][0]["bucket_name"].clone(),
            table["d1_databases"][0]["database_name"].clone(),
            table["queues"]["producers"][0]["queue"].clone(),
        ]
    };
    let staging = resources(top["env"]["staging"].as_table().unwrap());
    for other in [&top, top["env"]["production"].as_table().unwrap()] {
        assert!(resources(other).iter().all(|resource| !staging.contains(resource)));
    }
}

/// The shortest time between two tries of a message, and for how long a message is tried at least, in seconds.
const LEAST_RETRY_DELAY_S: i64 = 60;
const LEAST_TIME_OF_RETRIES_S: i64 = 6 * 60 * 60;

#[test]
fn every_consumer_retries_a_message_for_hours() {
    let top = wrangler();
    for (name, table) in environments_and_top_level(&top) {
        for consumer in table["queues"]["consumers"].as_array().unwrap() {
            let number = |key: &str| consumer.get(key).and_then(Value::as_integer).unwrap_or_default();
            let (retries, delay_s) = (number("max_retries"), number("retry_delay"));
            assert!(delay_s >= LEAST_RETRY_DELAY_S, "{name}: retry_delay is {delay_s} s");
            assert!(
                retries * delay_s >= LEAST_TIME_OF_RETRIES_S,
                "{name}: {retries} retries, {delay_s} s apart"
            );
        }
    }
}

#[test]
fn every_environment_has_variables_that_can_be_used() {
    let top = wrangler();
    for (name, table) in environments_and_top_level(&top) {
        let text = |variable: &str| match variable {
            "JWT_SECRET" => Some(SECRET.to_owned()),
            variable => table["vars"].get(variable).map(|value| value.as_str().unwrap().to_owned()),
        };
        Config::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

const SECRET: &str = "a secret of tests, 32 bytes or more";
/// Secrets, and what only goes with one that is being changed: no file of ours has them.
const NOT_IN_FILE: [&str; 5] =
    ["JWT_SECRET", "JWT_PREVIOUS_SECRET", "OPERATOR_TOKEN", "JWT_KEY_ID", "JWT_PREVIOUS_KEY_ID"];
/// Variables that nothing reads yet.
const NOT_READ: [&str; 1] = ["SIGNED_URL_EXPIRY"];

/// The names that the configuration asks for, where `text` answers.
fn asked_for(text: impl Fn(&str) -> Option<String>) -> (BTreeSet<String>, Config) {
    let asked = RefCell::new(BTreeSet::new());
    let config = Config::parse(&|name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        if name == "JWT_SECRET" { Some(SECRET.to_owned()) } else { text(name) }
    });
    (asked.into_inner(), config.unwrap())
}

#[test]
fn the_file_has_every_variable_with_its_default_and_no_other() {
    let top = wrangler();
    let vars = top["vars"].as_table().unwrap();
    let (asked, of_file) = asked_for(|name| vars.get(name).map(|value| value.as_str().unwrap().to_owned()));
    let (_, of_nothing) = asked_for(|_| None);
    assert_eq!(
        format!("{of_file:?}"),
        format!("{of_nothing:?}"),
        "the file says other defaults than the code"
    );
    let in_file = vars.keys().map(String::as_str).filter(|name| !NOT_READ.contains(name));
    let in_code = asked.iter().map(String::as_str).filter(|name| !NOT_IN_FILE.contains(name));
    assert_eq!(in_file.collect::<BTreeSet<_>>(), in_code.collect::<BTreeSet<_>>());
}

#[test]
fn the_settings_are_documented() {
    let (asked, _) = asked_for(|_| None);
    let page = include_str!("../docs/operations.md");
    for name in asked {
        assert!(page.contains(&format!("| `{name}` |")), "docs/operations.md has no line for {name}");
    }
}

#[test]
fn the_rate_limits_have_the_numbers_that_the_code_tells_clients() {
    let top = wrangler();
    let limits = top["ratelimits"].as_array().unwrap();
    assert_eq!(limits.len(), RateLimit::ALL.len());
    for limit in RateLimit::ALL {
        let bound = limits.iter().find(|bound| bound["name"].as_str() == Some(limit.binding())).unwrap();
        assert_eq!(bound["simple"]["limit"].as_integer(), Some(limit.per_window().into()), "{limit:?}");
        assert_eq!(bound["simple"]["period"].as_integer(), Some(limit.window_s().into()), "{limit:?}");
    }
}

#[test]
fn every_class_of_named_objects_is_bound_and_migrated() {
    let top = wrangler();
    let (class, binding) = ObjectClass::UploadSession.names();
    let bound = &top["durable_objects"]["bindings"][0];
    assert_eq!((bound["class_name"].as_str(), bound["name"].as_str()), (Some(class), Some(binding)));
    assert_eq!(top["migrations"][0]["new_sqlite_classes"][0].as_str(), Some(class));
}
