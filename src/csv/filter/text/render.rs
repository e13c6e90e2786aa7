//! Writes the text form of a filter.

use crate::csv::filter::operator::Syntax;
use crate::csv::filter::{Arity, Condition, Filter, Operator};

/// The words that join conditions. As names or values they must be quoted.
pub(super) const JOINS: [&str; 3] = ["AND", "OR", "NOT"];
/// Stands for any column.
pub(super) const ANY: char = '*';

/// Writes a filter as a text.
pub fn render(filter: &Filter) -> String {
    let mut text = String::new();
    write(filter, &mut text);
    text
}

fn write(filter: &Filter, text: &mut String) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => match parts.as_slice() {
            [] => text.push_str("()"),
            [part] => write(part, text),
            parts => {
                let join = if matches!(filter, Filter::And(_)) { " AND " } else { " OR " };
                for (index, part) in parts.iter().enumerate() {
                    text.push_str(if index > 0 { join } else { "" });
                    write_part(part, text);
                }
            }
        },
        Filter::Not(inner) => match (&**inner, inner.negative()) {
            (Filter::AnyContains(wanted), _) => write_any(wanted, "NOT ", text),
            (_, Some((operator, condition))) => write_condition(condition, Some(operator), text),
            (inner, None) => {
                text.push_str("NOT ");
                write_part(inner, text);
            }
        },
        Filter::Condition(condition) => write_condition(condition, None, text),
        Filter::AnyContains(wanted) => write_any(wanted, "", text),
    }
}

/// Writes a part of a list, in parentheses if it is a list itself.
fn write_part(part: &Filter, text: &mut String) {
    match part {
        Filter::And(parts) | Filter::Or(parts) => match parts.as_slice() {
            [only] => write_part(only, text),
            [] => write(part, text),
            _ => {
                text.push('(');
                write(part, text);
                text.push(')');
            }
        },
        _ => write(part, text),
    }
}

fn write_any(wanted: &str, negation: &str, text: &mut String) {
    text.push(ANY);
    text.push(' ');
    text.push_str(negation);
    text.push_str("CONTAINS ");
    write_value(wanted, text);
}

/// Writes a condition. `negative` is the operator that negates its operator, if the condition is negated.
fn write_condition(condition: &Condition, negative: Option<Operator>, text: &mut String) {
    write_name(&condition.column, text);
    text.push(' ');
    let positive = condition.comparison.operator();
    let operator = negative.unwrap_or(positive);
    let not = if negative.is_some() { "NOT " } else { "" };
    match (operator.syntax(), positive.syntax()) {
        (Syntax::Signs([sign, ..]), _) => text.push_str(sign),
        (_, Syntax::Is(state)) => {
            text.push_str("IS ");
            text.push_str(not);
            text.push_str(state);
        }
        _ => {
            text.push_str(not);
            text.push_str(&positive.name().to_ascii_uppercase());
        }
    }
    let values = condition.comparison.values();
    let (before, between, after) = match positive.arity() {
        Arity::None => return,
        Arity::One => (" ", "", ""),
        Arity::Two => (" ", " AND ", ""),
        Arity::Many => (" (", ", ", ")"),
    };
    text.push_str(before);
    for (index, value) in values.into_iter().enumerate() {
        text.push_str(if index > 0 { between } else { "" });
        write_value(value, text);
    }
    text.push_str(after);
}

fn write_name(name: &str, text: &mut String) {
    write_quoted(name, '"', text);
}

fn write_value(value: &str, text: &mut String) {
    write_quoted(value, '\'', text);
}

/// Writes a name or a value, in quotes if it is not a word or a number.
fn write_quoted(written: &str, quote: char, text: &mut String) {
    let is_plain = |character: char| character.is_alphanumeric() || "_.:+-#@/%".contains(character);
    let is_join = JOINS.iter().any(|join| join.eq_ignore_ascii_case(written));
    if !written.is_empty() && written.chars().all(is_plain) && !is_join {
        return text.push_str(written);
    }
    text.push(quote);
    for character in written.chars() {
        if character == quote {
            text.push(quote);
        }
        text.push(character);
    }
    text.push(quote);
}
