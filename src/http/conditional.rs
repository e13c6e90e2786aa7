//! Conditional requests (RFC 9110 §13), evaluated in the order of §13.2.2.

use ::http::Method;
use ::http::header::{self, HeaderMap, HeaderName};
use chrono::{DateTime, Utc};

use super::date;
use super::etag::{EntityTag, EntityTags};

/// Validators of the current representation. The default is a representation without validators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// Entity tag that responses to GET have.
    pub etag: Option<EntityTag>,
    /// Entity tag that a client may have from the response to another method, or from a related resource. For example,
    /// a file has one tag for its bytes and one tag for its metadata. This tag counts in `If-Match`. In
    /// `If-None-Match`, it counts for every method except GET and HEAD. A client may have this tag but not the
    /// representation. So this tag must not cause the response 304 to GET or HEAD.
    pub other_etag: Option<EntityTag>,
    /// Name of the current revision. In `If-Match`, and in `If-None-Match` of a change, a tag with this name before its
    /// first dot counts as a tag of the representation.
    pub revision: Option<String>,
    /// Time of the last change; compared in whole seconds.
    pub last_modified: Option<DateTime<Utc>>,
}

impl Validators {
    fn all_etags(&self) -> impl Iterator<Item = &EntityTag> {
        self.etag.iter().chain(&self.other_etag)
    }

    /// Whether the tag names the current revision.
    fn is_of_revision(&self, tag: &EntityTag) -> bool {
        self.revision.is_some() && self.revision.as_deref() == tag.opaque().split('.').next()
    }

    /// Whether `If-Match` has a tag of this representation.
    fn are_in_strongly(&self, tags: &EntityTags) -> bool {
        let is_of_revision = |tag: &EntityTag| !tag.is_weak() && self.is_of_revision(tag);
        tags.contain_strongly(self.all_etags()) || tags.listed().iter().any(is_of_revision)
    }

    /// Whether `If-None-Match` of a change has a tag of this representation.
    fn are_in_weakly(&self, tags: &EntityTags) -> bool {
        let is_of_revision = |tag: &EntityTag| self.is_of_revision(tag);
        tags.contain_weakly(self.all_etags()) || tags.listed().iter().any(is_of_revision)
    }
}

/// The conditions that count for every method. If one of them is false, a request that changes something fails.
const GUARDS: [HeaderName; 3] = [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_UNMODIFIED_SINCE];

/// Whether a request that changes something has a condition. `If-Modified-Since` does not count here, because it is a
/// condition of GET and HEAD only (RFC 9110 §13.1.3).
pub fn guards_a_change(headers: &HeaderMap) -> bool {
    GUARDS.iter().any(|name| headers.contains_key(name))
}

/// Result of evaluating the conditions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreconditionOutcome {
    /// Perform the method.
    Proceed {
        /// Whether to use the `Range` header: only for GET, and only if `If-Range` is absent or matches.
        honour_range: bool,
    },
    /// Respond 304 without a body.
    NotModified,
    /// Respond 412 and change nothing.
    PreconditionFailed,
}

/// Whether `If-None-Match` lists this tag. `*` lists no tag.
pub fn lists_tag(headers: &HeaderMap, tag: &EntityTag) -> bool {
    match list_condition(headers, header::IF_NONE_MATCH) {
        EtagCondition::Given(tags) => tags.listed().iter().any(|listed| listed.weakly_equals(tag)),
        EtagCondition::Absent | EtagCondition::Malformed => false,
    }
}

/// Evaluates the conditions of a request against an existing representation.
///
/// `now` decides the century of two-digit years in old HTTP-dates.
///
/// The RFC does not say how to treat malformed lists of entity tags. Here a malformed `If-Match` is false for every
/// method. A malformed `If-None-Match` is false for every method except GET and HEAD. So a client that wants to protect
/// a write does not lose this protection. For GET and HEAD, a malformed `If-None-Match` is true, so the response
/// has the representation and not status 304. Malformed dates are ignored, as the RFC says.
pub fn evaluate(
    method: &Method,
    headers: &HeaderMap,
    current: &Validators,
    now: DateTime<Utc>,
) -> PreconditionOutcome {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let last_modified = current.last_modified.map(date::truncate_to_second);

    // Steps 1 and 2: If-Unmodified-Since counts only if If-Match is absent.
    match list_condition(headers, header::IF_MATCH) {
        EtagCondition::Given(tags) if !current.are_in_strongly(&tags) => {
            return PreconditionOutcome::PreconditionFailed;
        }
        EtagCondition::Malformed => return PreconditionOutcome::PreconditionFailed,
        EtagCondition::Given(_) => {}
        EtagCondition::Absent => {
            let since = date_condition(headers, header::IF_UNMODIFIED_SINCE, now);
            if last_modified.zip(since).is_some_and(|(modified, since)| modified > since) {
                return PreconditionOutcome::PreconditionFailed;
            }
        }
    }

    // Steps 3 and 4: If-Modified-Since counts only if If-None-Match is absent.
    match list_condition(headers, header::IF_NONE_MATCH) {
        EtagCondition::Given(tags) if is_read && tags.contain_weakly(&current.etag) => {
            return PreconditionOutcome::NotModified;
        }
        EtagCondition::Given(tags) if !is_read && current.are_in_weakly(&tags) => {
            return PreconditionOutcome::PreconditionFailed;
        }
        EtagCondition::Malformed if !is_read => return PreconditionOutcome::PreconditionFailed,
        EtagCondition::Given(_) | EtagCondition::Malformed => {}
        EtagCondition::Absent if is_read => {
            let since = date_condition(headers, header::IF_MODIFIED_SINCE, now);
            if last_modified.zip(since).is_some_and(|(modified, since)| modified <= since) {
                return PreconditionOutcome::NotModified;
            }
        }
        EtagCondition::Absent => {}
    }

    // Step 5: If-Range decides whether the Range header is used.
    let honour_range = *method == Method::GET && if_range_holds(headers, current, now);
    PreconditionOutcome::Proceed { honour_range }
}

/// Whether `If-Range` is absent or names the current representation (RFC 9110 §13.1.5). `If-Range` names the
/// representation by an equal strong tag, or by a date that equals `Last-Modified`. The date is a strong validator,
/// because the stored bytes of a file never change. So a file never has two representations with the same date.
fn if_range_holds(headers: &HeaderMap, current: &Validators, now: DateTime<Utc>) -> bool {
    let Some(text) = joined(headers, header::IF_RANGE) else { return true };
    match EntityTag::parse(text.trim()) {
        Some(tag) => current.etag.as_ref().is_some_and(|etag| tag.strongly_equals(etag)),
        None => {
            let date = date::parse_http_date(text.trim(), now);
            date.is_some() && date == current.last_modified.map(date::truncate_to_second)
        }
    }
}

/// Error: a list of entity tags is malformed. Holds the name of the header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header {0} is malformed: send *, or entity tags in double quotes with commas between them")]
pub struct MalformedList(HeaderName);

impl MalformedList {
    /// Returns the name of the header.
    pub fn header(&self) -> &str {
        self.0.as_str()
    }
}

/// Checks the grammar of `If-Match` and `If-None-Match`. A client that wants to protect a write must learn that its
/// condition cannot be read.
///
/// # Errors
/// [`MalformedList`].
pub fn check_lists(headers: &HeaderMap) -> Result<(), MalformedList> {
    for name in [header::IF_MATCH, header::IF_NONE_MATCH] {
        if matches!(list_condition(headers, name.clone()), EtagCondition::Malformed) {
            return Err(MalformedList(name));
        }
    }
    Ok(())
}

enum EtagCondition {
    Absent,
    Malformed,
    Given(EntityTags),
}

fn list_condition(headers: &HeaderMap, name: HeaderName) -> EtagCondition {
    match joined(headers, name) {
        None => EtagCondition::Absent,
        Some(text) => EntityTags::parse(&text).map_or(EtagCondition::Malformed, EtagCondition::Given),
    }
}

/// Parses a condition that is a date. Returns `None` if the date is absent, repeated or malformed. A malformed date is
/// ignored (RFC 9110 §13.1.3).
fn date_condition(headers: &HeaderMap, name: HeaderName, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    date::parse_http_date(joined(headers, name)?.trim(), now)
}

/// Joins all lines of a field into one list (RFC 9110 §5.3). Each byte that is not ASCII becomes one character, because
/// an entity tag may contain such bytes. Returns `None` if the field is absent.
fn joined(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let mut lines = headers.get_all(name).iter().map(|value| value.as_bytes().iter().map(|&b| b as char));
    let mut text: String = lines.next()?.collect();
    for line in lines {
        text.push_str(", ");
        text.extend(line);
    }
    Some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ::http::HeaderValue;
    use chrono::{TimeZone, Timelike};
    use proptest::prelude::*;

    const BEFORE: &str = "Mon, 06 May 2024 07:08:08 GMT";
    const EXACT: &str = "Mon, 06 May 2024 07:08:09 GMT";
    const AFTER: &str = "Mon, 06 May 2024 07:08:10 GMT";

    fn current() -> Validators {
        let time = Utc.with_ymd_and_hms(2024, 5, 6, 7, 8, 9).unwrap().with_nanosecond(999_000_000);
        let tag = |text| Some(EntityTag::strong(text).unwrap());
        Validators {
            etag: tag("v1"),
            other_etag: tag("r1.9f"),
            revision: Some("r1".into()),
            last_modified: time,
        }
    }

    fn outcome(method: Method, fields: &[(&str, &str)]) -> PreconditionOutcome {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        evaluate(&method, &headers, &current(), Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap())
    }

    const PART: PreconditionOutcome = PreconditionOutcome::Proceed { honour_range: true };
    const WHOLE: PreconditionOutcome = PreconditionOutcome::Proceed { honour_range: false };

    #[test]
    fn conditions_of_a_read_are_evaluated_in_the_order_of_the_rfc() {
        use PreconditionOutcome::{NotModified, PreconditionFailed};
        let table: &[(&[(&str, &str)], PreconditionOutcome)] = &[
            (&[], PART),
            (&[("if-match", "\"v1\"")], PART),
            (&[("if-match", "*")], PART),
            (&[("if-match", "\"r1\"")], PART),
            (&[("if-match", "W/\"r1\"")], PreconditionFailed),
            (&[("if-none-match", "\"r1\"")], PART),
            (&[("if-match", "\"v0\", \"v1\"")], PART),
            (&[("if-match", "\"v0\""), ("if-match", "\"v1\"")], PART),
            (&[("if-match", "W/\"v1\"")], PreconditionFailed),
            (&[("if-match", "\"v0\"")], PreconditionFailed),
            (&[("if-match", "v1")], PreconditionFailed),
            (&[("if-unmodified-since", BEFORE)], PreconditionFailed),
            (&[("if-unmodified-since", EXACT)], PART),
            (&[("if-unmodified-since", "garbage")], PART),
            (&[("if-match", "\"v1\""), ("if-unmodified-since", BEFORE)], PART),
            (&[("if-none-match", "\"v1\"")], NotModified),
            (&[("if-none-match", "W/\"v1\"")], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"v0\"")], PART),
            (&[("if-none-match", "v1")], PART),
            (&[("if-modified-since", EXACT)], NotModified),
            (&[("if-modified-since", AFTER)], NotModified),
            (&[("if-modified-since", BEFORE)], PART),
            (&[("if-modified-since", AFTER), ("if-modified-since", AFTER)], PART),
            (&[("if-none-match", "\"v0\""), ("if-modified-since", AFTER)], PART),
            (&[("if-none-match", "\"v1\""), ("if-modified-since", BEFORE)], NotModified),
            (&[("if-match", "\"v0\""), ("if-none-match", "\"v1\"")], PreconditionFailed),
            (&[("if-match", "\"v1\""), ("if-none-match", "\"v1\"")], NotModified),
            (&[("if-range", "\"v1\"")], PART),
            (&[("if-range", "W/\"v1\"")], WHOLE),
            (&[("if-range", "\"v0\"")], WHOLE),
            (&[("if-range", EXACT)], PART),
            (&[("if-range", AFTER)], WHOLE),
            (&[("if-range", "garbage")], WHOLE),
            (&[("if-none-match", "\"v1\""), ("if-range", "\"v1\"")], NotModified),
        ];
        for (fields, expected) in table {
            assert_eq!(outcome(Method::GET, fields), *expected, "GET {fields:?}");
            let head = if *expected == PART { WHOLE } else { *expected };
            assert_eq!(outcome(Method::HEAD, fields), head, "HEAD {fields:?}");
        }
    }

    #[test]
    fn a_write_with_a_false_condition_gets_412_and_never_304() {
        use PreconditionOutcome::PreconditionFailed;
        for (fields, expected) in [
            (("if-none-match", "*"), PreconditionFailed),
            (("if-none-match", "\"v1\""), PreconditionFailed),
            (("if-none-match", "W/\"r1\""), PreconditionFailed),
            (("if-match", "\"r1\""), WHOLE),
            (("if-none-match", "garbage"), PreconditionFailed),
            (("if-none-match", "\"v0\""), WHOLE),
            (("if-match", "\"v0\""), PreconditionFailed),
            (("if-match", "garbage"), PreconditionFailed),
            (("if-match", "\"v1\""), WHOLE),
            (("if-modified-since", AFTER), WHOLE),
            (("if-unmodified-since", BEFORE), PreconditionFailed),
        ] {
            assert_eq!(outcome(Method::PATCH, &[fields]), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_malformed_list_of_entity_tags_is_an_error_that_names_the_header() {
        for name in [header::IF_MATCH, header::IF_NONE_MATCH] {
            let check = |values: &[&str]| {
                let line = |value: &&str| (name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
                check_lists(&values.iter().map(line).collect())
            };
            for values in [&[][..], &["*"], &["\"a\""], &["\"a\", W/\"b\""], &["\"a\"", "\"b\""]] {
                assert_eq!(check(values), Ok(()), "{values:?}");
            }
            for values in
                [&[""][..], &["a"], &["\"a"], &["*, \"a\""], &["\"a\"", "b"], &["w/\"a\""], &["*", "*"]]
            {
                assert_eq!(check(values), Err(MalformedList(name.clone())), "{values:?}");
            }
        }
    }

    #[test]
    fn a_date_condition_is_ignored_if_last_modified_is_unknown() {
        let validators = Validators { last_modified: None, ..current() };
        for name in ["if-modified-since", "if-unmodified-since"] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_static(BEFORE));
            assert_eq!(evaluate(&Method::GET, &headers, &validators, Utc.timestamp_nanos(0)), PART);
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_RANGE, HeaderValue::from_static("garbage"));
        assert_eq!(evaluate(&Method::GET, &headers, &validators, Utc.timestamp_nanos(0)), WHOLE);
    }

    #[test]
    fn without_validators_only_a_star_matches_and_dates_are_ignored() {
        use PreconditionOutcome::{NotModified, PreconditionFailed};
        for ((name, value), expected) in [
            (("if-match", "*"), PART),
            (("if-match", "\"v1\""), PreconditionFailed),
            (("if-none-match", "*"), NotModified),
            (("if-none-match", "\"v1\""), PART),
            (("if-range", "\"v1\""), WHOLE),
            (("if-modified-since", AFTER), PART),
            (("if-unmodified-since", BEFORE), PART),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_static(value));
            let outcome = evaluate(&Method::GET, &headers, &Validators::default(), Utc.timestamp_nanos(0));
            assert_eq!(outcome, expected, "{name}: {value}");
        }
    }

    proptest! {
        #[test]
        fn header_bytes_never_cause_a_panic(name in 0usize..5, value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let name = [
                header::IF_MATCH, header::IF_NONE_MATCH, header::IF_RANGE,
                header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE,
            ][name].clone();
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut headers = HeaderMap::new();
                headers.insert(name, value);
                evaluate(&Method::GET, &headers, &current(), Utc.timestamp_nanos(0));
            }
        }
    }
}
