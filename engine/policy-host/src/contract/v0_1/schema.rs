//! JSON Schemas of all that people and programs write or read around a policy. Their shape is what serde makes of the
//! Rust types; the words of the contract's fields are those of the WIT, so that a rule is written down once. A test holds
//! the one against the other.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use wit_parser::{Resolve, TypeDef, TypeDefKind};

use super::json::{Answer, Question, SettingsQuestion};
use crate::{Metadata, Sidecar};

const WIT: &str = include_str!("../../../../../sdk/wit/policy.wit");

/// Every schema, by its name: `question` and `settings-question` are what a command reads, `answer` what it writes,
/// `metadata` the custom section, `sidecar` the operator's file.
///
/// # Errors
/// The contract's WIT cannot be parsed: a defect.
pub fn schemas() -> Result<Vec<(&'static str, Value)>, String> {
    let contract = Contract::parse()?;
    let of = |mut schema: Value| {
        contract.put_words(&mut schema);
        schema
    };
    Ok(vec![
        ("question", of(schema::<Question>())),
        ("settings-question", of(schema::<SettingsQuestion>())),
        ("answer", of(schema::<Answer>())),
        ("metadata", schema::<Metadata>()),
        ("sidecar", schema::<Sidecar>()),
    ])
}

fn schema<T: schemars::JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

/// The types of the WIT package.
struct Contract {
    resolve: Resolve,
}

impl Contract {
    fn parse() -> Result<Self, String> {
        let mut resolve = Resolve::default();
        resolve
            .push_source("policy.wit", WIT)
            .map_err(|error| format!("{error:#}"))?;
        Ok(Self { resolve })
    }

    /// The named types, by the name that their Rust twin has in a schema.
    fn types(&self) -> impl Iterator<Item = (String, &TypeDef)> {
        self.resolve
            .types
            .iter()
            .filter_map(|(_, found)| Some((upper_camel(found.name.as_deref()?), found)))
    }

    /// Takes the descriptions of types, fields and cases from the WIT.
    fn put_words(&self, schema: &mut Value) {
        let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) else {
            return;
        };
        for (name, found) in self.types() {
            let Some(definition) = definitions.get_mut(&name).and_then(Value::as_object_mut) else {
                continue;
            };
            describe(definition, found.docs.contents.as_deref());
            match &found.kind {
                TypeDefKind::Record(record) => {
                    for field in &record.fields {
                        let property = camel(&field.name);
                        if let Some(property) = member(definition, "properties", &property) {
                            describe(property, field.docs.contents.as_deref());
                        }
                    }
                }
                TypeDefKind::Variant(variant) => {
                    for case in &variant.cases {
                        self.put_case(definition, &case.name, case.docs.contents.as_deref());
                    }
                }
                TypeDefKind::Enum(cases) => {
                    for case in &cases.cases {
                        self.put_case(definition, &case.name, case.docs.contents.as_deref());
                    }
                }
                _ => {}
            }
        }
    }

    fn put_case(&self, definition: &mut Map<String, Value>, name: &str, words: Option<&str>) {
        let name = camel(name);
        let Some(cases) = definition.get_mut("oneOf").and_then(Value::as_array_mut) else {
            return;
        };
        let is_it = |case: &Value| {
            case["const"] == name.as_str() || case["properties"].get(&name).is_some()
        };
        if let Some(case) = cases
            .iter_mut()
            .find(|case| is_it(case))
            .and_then(Value::as_object_mut)
        {
            describe(case, words);
        }
    }
}

fn member<'a>(
    object: &'a mut Map<String, Value>,
    of: &str,
    name: &str,
) -> Option<&'a mut Map<String, Value>> {
    object.get_mut(of)?.get_mut(name)?.as_object_mut()
}

/// In one line; what the WIT has no words for has none.
fn describe(schema: &mut Map<String, Value>, words: Option<&str>) {
    match words {
        Some(words) => {
            let words: Vec<&str> = words.split_whitespace().collect();
            schema.insert("description".to_owned(), words.join(" ").into());
        }
        None => {
            schema.remove("description");
        }
    }
}

/// `minute-of-day` as `MinuteOfDay`.
fn upper_camel(kebab: &str) -> String {
    let upper = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    kebab.split('-').map(upper).collect()
}

/// `minute-of-day` as `minuteOfDay`.
fn camel(kebab: &str) -> String {
    let name = upper_camel(kebab);
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests;
