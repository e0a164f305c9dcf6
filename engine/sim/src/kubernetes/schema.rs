//! What a CRD's schema does to an object: prunes what it does not know, fills in defaults, refuses what is wrong.

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::{Map, Value};

use super::rules::{Rule, UnknownRule, rule};

/// The schema of one version.
#[derive(Debug)]
pub(super) struct Schema {
    root: Value,
    rules: Vec<Placed>,
}

/// A CEL rule about a field.
#[derive(Debug)]
struct Placed {
    path: Vec<String>,
    rule: Rule,
    /// With what it was: then it says nothing of an object that is made.
    compares: bool,
    message: String,
}

impl Schema {
    /// # Errors
    /// A CEL rule is not known.
    pub(super) fn new(schema: &JSONSchemaProps) -> Result<Self, UnknownRule> {
        let root = serde_json::to_value(schema).unwrap_or_default();
        let mut rules = Vec::new();
        collect(&root, &mut Vec::new(), &mut rules)?;
        Ok(Self { root, rules })
    }

    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// Removes what is not known; its paths.
    pub(super) fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut unknown = Vec::new();
        if let (Some(fields), Some(known)) =
            (object.as_object_mut(), self.root["properties"].as_object())
        {
            fields.retain(|key, value| {
                let Some(schema) = known.get(key) else {
                    return ["apiVersion", "kind", "metadata"].contains(&key.as_str());
                };
                if key != "metadata" {
                    prune(schema, value, Path::Root(key), &mut unknown);
                }
                true
            });
        }
        unknown
    }

    /// Why an object cannot be of these types at all: a field that is not known, or of another type.
    pub(super) fn untyped(&self, object: &Value) -> Option<String> {
        let unknown = self.prune(&mut object.clone());
        if let Some(field) = unknown.first() {
            return Some(format!(".{field}: field not declared in schema"));
        }
        ["spec", "status"].iter().find_map(|half| {
            let schema = &self.root["properties"][half];
            untyped(schema, object.get(half)?, Path::Root(half))
        })
    }

    /// Makes of `object` what would be stored. Returns the paths of what was pruned.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn accept(
        &self,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<Vec<String>, String> {
        let unknown = self.prune(object);
        if let (Some(fields), Some(known)) =
            (object.as_object_mut(), self.root["properties"].as_object())
        {
            for (key, schema) in known {
                fill_in(schema, fields, key);
            }
        }
        let mut wrong = Vec::new();
        for key in ["spec", "status"] {
            let schema = &self.root["properties"][key];
            if let Some(value) = object.get(key).filter(|_| schema.is_object()) {
                check(schema, value, Path::Root(key), &mut wrong);
            }
        }
        for required in texts(&self.root["required"]) {
            if object.get(required).is_none() {
                wrong.push(format!("{required}: Required value"));
            }
        }
        if wrong.is_empty() {
            let broken = self.rules.iter().filter(|rule| !rule.holds(object, old));
            wrong.extend(broken.map(|Placed { path, message, .. }| {
                format!("{}: Invalid value: {message}", path.join("."))
            }));
        }
        match wrong.is_empty() {
            true => Ok(unknown),
            false => Err(wrong.join(", ")),
        }
    }
}

impl Placed {
    fn holds(&self, object: &Value, old: Option<&Value>) -> bool {
        let field = |object| {
            let mut path = self.path.iter();
            path.try_fold(object, |value: &Value, key| value.get(key))
        };
        match (field(object), old.and_then(field)) {
            (Some(new), Some(old)) => (self.rule)(new, old),
            (Some(new), None) => self.compares || (self.rule)(new, &Value::Null),
            (None, _) => true,
        }
    }
}

fn collect(
    schema: &Value,
    path: &mut Vec<String>,
    rules: &mut Vec<Placed>,
) -> Result<(), UnknownRule> {
    for placed in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = placed["rule"].as_str().unwrap_or_default();
        rules.push(Placed {
            path: path.clone(),
            rule: rule(text)?,
            compares: text.contains("oldSelf"),
            message: placed["message"].as_str().unwrap_or(text).to_owned(),
        });
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        path.push(key.clone());
        collect(schema, path, rules)?;
        path.pop();
    }
    Ok(())
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// The schema of a field: by its name, or that of any field.
fn below<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let any = &schema["additionalProperties"];
    schema["properties"]
        .get(key)
        .or(any.is_object().then_some(any))
}

/// Where a field is; put into words only when something is wrong with it.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root(&'a str),
    Key(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Path::Root(key) => f.write_str(key),
            Path::Key(above, key) => write!(f, "{above}.{key}"),
            Path::Item(above, at) => write!(f, "{above}[{at}]"),
        }
    }
}

/// Removes what the schema does not know, and nulls where there can be none.
fn prune(schema: &Value, value: &mut Value, path: Path<'_>, unknown: &mut Vec<String>) {
    let keeps_all = schema["x-kubernetes-preserve-unknown-fields"] == true
        || schema["additionalProperties"] == true;
    match value {
        Value::Object(fields) => fields.retain(|key, value| {
            let path = Path::Key(&path, key);
            match below(schema, key) {
                Some(schema) if value.is_null() => schema["nullable"] == true,
                Some(schema) => {
                    prune(schema, value, path, unknown);
                    true
                }
                None if keeps_all => true,
                None => {
                    unknown.push(path.to_string());
                    false
                }
            }
        }),
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                prune(&schema["items"], item, Path::Item(&path, at), unknown);
            }
        }
        _ => {}
    }
}

fn fill_in(schema: &Value, fields: &mut Map<String, Value>, key: &str) {
    if let (None, Some(default)) = (fields.get(key), schema.get("default")) {
        fields.insert(key.to_owned(), default.clone());
    }
    if let Some(value) = fields.get_mut(key) {
        fill_in_below(schema, value);
    }
}

fn fill_in_below(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
                fill_in(schema, fields, key);
            }
            if schema["additionalProperties"].is_object() {
                for value in fields.values_mut() {
                    fill_in_below(&schema["additionalProperties"], value);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                fill_in_below(&schema["items"], item);
            }
        }
        _ => {}
    }
}

fn is_of_type(schema: &Value, value: &Value) -> bool {
    match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some(_) | None => true,
    }
}

/// The first field of another type than its own.
fn untyped(schema: &Value, value: &Value, path: Path<'_>) -> Option<String> {
    if value.is_null() {
        return None;
    }
    if !is_of_type(schema, value) {
        let wanted = schema["type"].as_str().unwrap_or_default();
        return Some(format!(".{path}: expected {wanted}, got {value}"));
    }
    let fields = value.as_object().into_iter().flatten();
    let items = value.as_array().into_iter().flatten();
    fields
        .filter_map(|(key, value)| untyped(below(schema, key)?, value, Path::Key(&path, key)))
        .chain(items.filter_map(|item| untyped(&schema["items"], item, path)))
        .next()
}

fn check(schema: &Value, value: &Value, path: Path<'_>, wrong: &mut Vec<String>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    let mut refuse = |why: String| wrong.push(format!("{path}: Invalid value: {why}"));
    if !is_of_type(schema, value) {
        refuse(format!("it must be of type {}", schema["type"]));
        return;
    }
    if let Some(known) = schema["enum"].as_array()
        && !known.contains(value)
    {
        wrong.push(format!("{path}: Unsupported value: {value}"));
        return;
    }
    match value {
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            if schema["minimum"]
                .as_f64()
                .is_some_and(|least| number < least)
            {
                refuse(format!("it must be at least {}", schema["minimum"]));
            }
            if schema["maximum"].as_f64().is_some_and(|most| number > most) {
                refuse(format!("it must be at most {}", schema["maximum"]));
            }
        }
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if let Some(why) = out_of_bounds(schema, length, ["minLength", "maxLength"], "chars") {
                refuse(why);
            }
            if schema["format"] == "date-time" && text.parse::<Timestamp>().is_err() {
                refuse("it must be a date and time".to_owned());
            }
        }
        Value::Array(items) => {
            let length = items.len() as u64;
            if let Some(why) = out_of_bounds(schema, length, ["minItems", "maxItems"], "items") {
                refuse(why);
            }
            for (at, item) in items.iter().enumerate() {
                check(&schema["items"], item, Path::Item(&path, at), wrong);
            }
        }
        Value::Object(fields) => {
            for required in texts(&schema["required"]) {
                if !fields.contains_key(required) {
                    wrong.push(format!("{path}.{required}: Required value"));
                }
            }
            for (key, value) in fields {
                if let Some(schema) = below(schema, key) {
                    check(schema, value, Path::Key(&path, key), wrong);
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Why a value of so many of these is too short or too long.
fn out_of_bounds(
    schema: &Value,
    length: u64,
    [least, most]: [&str; 2],
    what: &str,
) -> Option<String> {
    let (least, most) = (schema[least].as_u64(), schema[most].as_u64());
    match (least, most) {
        (Some(least), _) if length < least => Some(format!("it must have at least {least} {what}")),
        (_, Some(most)) if length > most => Some(format!("it must have at most {most} {what}")),
        _ => None,
    }
}
