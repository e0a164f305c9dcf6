//! Every value of an observation as a line: the names of the contract's JSON form joined by dots, and the value as text.

use rectifier_policy::prelude::*;
use serde_json::Value;

pub fn of_observation(seen: &Observation) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    put(&seen.to_json(), "", &mut lines);
    lines
}

/// A list that is empty is told apart from one that is not there.
fn put(value: &Value, place: &str, lines: &mut Vec<(String, String)>) {
    let below = |name: &str| match place {
        "" => name.to_owned(),
        place => format!("{place}.{name}"),
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                put(item, &below(&at.to_string()), lines);
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                put(field, &below(name), lines);
            }
        }
        Value::String(text) => lines.push((place.to_owned(), text.clone())),
        other => lines.push((place.to_owned(), other.to_string())),
    }
}
