//! Reading and writing fields of objects.

use rectifier_core::clock::Timestamp;
use serde_json::{Map, Value};

/// A field below `object`, by its path; `Null` where there is none.
pub(super) fn at<'a>(object: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(object, |value, key| &value[*key])
}

/// A field of the metadata, if it is a text.
pub(super) fn meta<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"][key].as_str().unwrap_or_default()
}

/// The metadata, made if need be.
pub(super) fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    map(map_of(object).entry("metadata").or_insert_with(empty))
}

/// The object's own fields.
pub(super) fn map_of(object: &mut Value) -> &mut Map<String, Value> {
    map(object)
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// What is no map becomes an empty one.
fn map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = empty();
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made one"),
    }
}

/// As the API server writes it.
pub(super) fn stamp(moment: Timestamp) -> Value {
    let seconds = Timestamp::from_second(moment.as_second()).unwrap_or(moment);
    Value::String(seconds.to_string())
}

pub(super) fn finalizers(object: &Value) -> Vec<&str> {
    let list = object["metadata"]["finalizers"].as_array();
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

pub(super) fn is_being_deleted(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}
