//! Checks that each environment in `wrangler.toml` repeats all bindings and variables, because an environment does not
//! inherit them. Also checks that the values of bindings and variables agree with the code.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use cutty::config::Config;
use cutty::ports::{ObjectClass, RateLimit};
use toml::{Table, Value};

/// Keys that an environment inherits from the top level, so that it need not repeat them.
const INHERITED: [&str; 9] =
    ["name", "main", "compatibility_date", "build", "assets", "triggers", "limits", "observability", "env"];

/// Members that differ between environments: names of resources, and references to them.
const DIFFERING: [&str; 8] = [
    "name",
    "bucket_name",
    "preview_bucket_name",
    "database_name",
    "database_id",
    "queue",
    "dead_letter_queue",
    "namespace_id",
];

/// Variables whose values may differ between environments.
const DIFFERING_VARIABLES: [&str; 4] = ["ALLOWED_ORIGINS", "HSTS_MAX_AGE", "PUBLIC_URL", "EMAIL_FROM"];

fn wrangler() -> Table {
    include_str!("../wrangler.toml").parse().unwrap()
}

/// Returns a configuration without the members that may differ, so that two environments can be compared.
fn shape(value: &Value) -> Value {
    match value {
        Value::Table(table) => {
            let kept = table.iter().filter(|(key, _)| !DIFFERING.contains(&key.as_str()));
            Value::Table(
                kept.map(|(key, value)| match DIFFERING_VARIABLES.contains(&key.as_str()) {
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

/// Returns the keys that an environment must repeat: bindings, variables, queues, limits, migrations.
fn repeated(table: &Table) -> BTreeMap<String, Value> {
    let kept = table.iter().filter(|(key, _)| !INHERITED.contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), shape(value))).collect()
}

/// Returns the members in which an environment differs from the top level.
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
fn every_environment_repeats_the_keys_that_it_does_not_inherit() {
    let top = wrangler();
    let names: Vec<_> = environments(&top).map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["production", "staging"]);
    for (name, environment) in environments(&top) {
        assert_eq!(
            differences(&top, environment),
            Vec::<String>::new(),
            "[env.{name}] must repeat these keys of the top level, because it does not inherit them"
        );
    }
}

#[test]
fn an_incomplete_environment_is_found() {
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

/// Keys of `wrangler.toml` whose values name a resource of one environment, each with the kind of that resource.
const RESOURCES: [(&str, &str); 6] = [
    ("bucket_name", "bucket"),
    ("database_name", "database"),
    ("database_id", "database"),
    ("queue", "queue"),
    ("dead_letter_queue", "queue"),
    ("namespace_id", "rate limit"),
];

/// The id of a database that is not created yet.
const NO_DATABASE: &str = "00000000-0000-0000-0000-000000000000";

/// Returns every resource that a configuration names in any section, except in its environments.
fn resources(value: &Value) -> Vec<(&'static str, String)> {
    match value {
        Value::Table(table) => table
            .iter()
            .filter(|(key, _)| *key != "env")
            .flat_map(|(key, value)| match (RESOURCES.iter().find(|(name, _)| name == key), value.as_str()) {
                (Some(_), Some(NO_DATABASE)) => Vec::new(),
                (Some((_, kind)), Some(name)) => vec![(*kind, name.to_owned())],
                _ => resources(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(resources).collect(),
        _ => Vec::new(),
    }
}

/// Returns the resources that two configurations share.
fn shared(one: &Table, other: &Table) -> Vec<(&'static str, String)> {
    let others = resources(&Value::Table(other.clone()));
    let mut shared = resources(&Value::Table(one.clone()));
    shared.retain(|resource| others.contains(resource));
    shared
}

/// Returns the mistakes in the queues and the rate limits of one environment.
fn wrong_bindings(table: &Table) -> Vec<String> {
    let produced = &table["queues"]["producers"][0]["queue"];
    let consumers = table["queues"]["consumers"].as_array().unwrap();
    let of_another = consumers.iter().filter(|consumer| consumer["queue"] != *produced);
    let of_another =
        of_another.map(|consumer| format!("{:?} is not the producer's queue", consumer["queue"]));
    let into_itself = consumers.iter().filter(|consumer| consumer["dead_letter_queue"] == consumer["queue"]);
    let into_itself =
        into_itself.map(|consumer| format!("{:?} is its own dead letter queue", consumer["queue"]));
    let limits = table["ratelimits"].as_array().unwrap();
    let ids: BTreeSet<_> = limits.iter().map(|limit| limit["namespace_id"].as_str().unwrap()).collect();
    let counted_together = (ids.len() < limits.len()).then(|| "two rate limits share a counter".to_owned());
    of_another.chain(into_itself).chain(counted_together).collect()
}

#[test]
fn staging_shares_no_resource_with_production_or_the_top_level() {
    let top = wrangler();
    let staging = top["env"]["staging"].as_table().unwrap();
    for other in [&top, top["env"]["production"].as_table().unwrap()] {
        assert_eq!(shared(staging, other), []);
        assert!(resources(&Value::Table(other.clone())).len() >= 7, "{other:?}");
    }
    for (name, table) in environments_and_top_level(&top) {
        assert_eq!(wrong_bindings(table), Vec::<String>::new(), "{name}");
    }
}

/// Returns the value at a path of keys and indexes.
fn at<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Value {
    path.iter().fold(value, |value, key| match key.parse::<usize>() {
        Ok(index) => value.get_mut(index).unwrap(),
        Err(_) => value.get_mut(*key).unwrap(),
    })
}

#[test]
fn a_resource_of_another_environment_is_found() {
    let top = wrangler();
    let (staging, production) = (&top["env"]["staging"], &top["env"]["production"]);
    for path in [
        &["r2_buckets", "0", "bucket_name"][..],
        &["d1_databases", "0", "database_name"],
        &["queues", "producers", "0", "queue"],
        &["queues", "consumers", "0", "queue"],
        &["queues", "consumers", "0", "dead_letter_queue"],
        &["ratelimits", "0", "namespace_id"],
        &["ratelimits", "1", "namespace_id"],
    ] {
        let mut planted = staging.clone();
        *at(&mut planted, path) = at(&mut production.clone(), path).clone();
        let found = shared(planted.as_table().unwrap(), production.as_table().unwrap());
        assert_eq!(found.len(), 1, "{path:?}: {found:?}");
    }
    let mut planted = staging.clone();
    planted["queues"]["consumers"][0]["queue"] = "cutty-jobs-staging-dead".into();
    planted["ratelimits"][0]["namespace_id"] = planted["ratelimits"][1]["namespace_id"].clone();
    assert_eq!(wrong_bindings(planted.as_table().unwrap()).len(), 3);
}

/// Minimum time between two tries of a message, in seconds.
const LEAST_RETRY_DELAY_S: i64 = 60;

/// Minimum time from the first try of a message to its last try, in seconds.
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
fn production_allows_the_origins_of_the_bucket_and_no_local_page() {
    let top = wrangler();
    let origins = top["env"]["production"]["vars"]["ALLOWED_ORIGINS"].as_str().unwrap();
    let origins: Vec<_> = origins.split(',').collect();
    let bucket: serde_json::Value = serde_json::from_str(include_str!("../cors-config.json")).unwrap();
    assert_eq!(serde_json::json!(origins), bucket["rules"][0]["allowed"]["origins"]);
    for origin in origins {
        assert!(origin.starts_with("https://") && !origin.contains("localhost"), "{origin}");
    }
}

#[test]
fn production_and_no_other_environment_demands_https() {
    let top = wrangler();
    for (name, table) in environments_and_top_level(&top) {
        let seconds: u32 = table["vars"]["HSTS_MAX_AGE"].as_str().unwrap().parse().unwrap();
        assert_eq!(seconds > 0, name == "production", "{name}");
    }
}

#[test]
fn every_environment_has_valid_variables() {
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
/// Secrets, and the settings that are needed only while a secret is rotated. No committed file contains them.
const NOT_IN_FILE: [&str; 9] = [
    "SIGNING_SECRET",
    "SIGNING_PREVIOUS_SECRET",
    "JWT_SECRET",
    "JWT_PREVIOUS_SECRET",
    "OPERATOR_TOKEN",
    "OPERATOR_TOKEN_NEXT",
    "SCAN_TOKEN",
    "JWT_KEY_ID",
    "JWT_PREVIOUS_KEY_ID",
];
/// Parses a configuration whose values `text` supplies. Returns the names of the variables that the parser reads, and
/// the configuration.
fn asked_for(text: impl Fn(&str) -> Option<String>) -> (BTreeSet<String>, Config) {
    let asked = RefCell::new(BTreeSet::new());
    let config = Config::parse(&|name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        if name == "JWT_SECRET" { Some(SECRET.to_owned()) } else { text(name) }
    });
    (asked.into_inner(), config.unwrap())
}

#[test]
fn wrangler_toml_lists_exactly_the_variables_and_defaults_of_the_code() {
    let top = wrangler();
    let vars = top["vars"].as_table().unwrap();
    let (asked, of_file) = asked_for(|name| vars.get(name).map(|value| value.as_str().unwrap().to_owned()));
    let (_, of_nothing) = asked_for(|_| None);
    assert_eq!(
        format!("{of_file:?}"),
        format!("{of_nothing:?}"),
        "wrangler.toml and the code have different defaults"
    );
    let in_file = vars.keys().map(String::as_str);
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
fn the_rate_limits_match_the_limits_in_the_code() {
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
    for (place, class) in ObjectClass::ALL.into_iter().enumerate() {
        let (class, binding) = class.names();
        let bound = &top["durable_objects"]["bindings"][place];
        assert_eq!((bound["class_name"].as_str(), bound["name"].as_str()), (Some(class), Some(binding)));
        assert_eq!(top["migrations"][place]["new_sqlite_classes"][0].as_str(), Some(class));
    }
    assert_eq!(top["migrations"].as_array().unwrap().len(), ObjectClass::ALL.len());
}
