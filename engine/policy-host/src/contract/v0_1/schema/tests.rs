use std::collections::BTreeSet;

use serde_json::{Value, json};
use wit_parser::{Type, TypeDefKind};

use super::*;

/// What the JSON form of a WIT type must be, as far as a schema says it.
struct Twin<'a> {
    contract: &'a Contract,
    definitions: &'a Map<String, Value>,
}

impl Twin<'_> {
    fn named(&self, name: &str) -> &Value {
        self.definitions
            .get(name)
            .unwrap_or_else(|| panic!("the schema has no {name}"))
    }

    /// Holds a schema against a type of the WIT.
    fn holds(&self, ty: &Type, schema: &Value, place: &str) {
        match ty {
            Type::Bool => assert_eq!(schema["type"], "boolean", "{place}"),
            Type::String => assert_eq!(schema["type"], "string", "{place}"),
            Type::U8 => self.is_integer(schema, 255, place),
            Type::U16 => self.is_integer(schema, 65535, place),
            Type::U32 | Type::U64 => {
                assert_eq!(
                    (&schema["type"], &schema["minimum"]),
                    (&json!("integer"), &json!(0)),
                    "{place}"
                );
            }
            Type::Id(id) => {
                let found = &self.contract.resolve.types[*id];
                match (&found.kind, &found.name) {
                    (TypeDefKind::Type(alias), _) => self.holds(alias, schema, place),
                    (TypeDefKind::List(item), _) if self.is_pair(item) => {
                        let text = json!({"type": "string"});
                        assert_eq!(
                            (&schema["type"], &schema["additionalProperties"]),
                            (&json!("object"), &text),
                            "{place}"
                        );
                    }
                    (TypeDefKind::List(item), _) => {
                        assert_eq!(schema["type"], "array", "{place}");
                        self.holds(item, &schema["items"], &format!("{place}[]"));
                    }
                    (TypeDefKind::Option(inner), _) => {
                        self.holds(inner, &without_null(schema), place)
                    }
                    (_, Some(name)) => {
                        let reference = format!("#/$defs/{}", upper_camel(name));
                        assert_eq!(schema["$ref"], reference.as_str(), "{place}");
                    }
                    (kind, None) => panic!("{place}: {kind:?}"),
                }
            }
            other => panic!("{place}: {other:?}"),
        }
    }

    fn is_integer(&self, schema: &Value, most: u64, place: &str) {
        assert_eq!(schema["type"], "integer", "{place}");
        assert!(
            schema["maximum"]
                .as_u64()
                .is_none_or(|maximum| maximum <= most),
            "{place}"
        );
    }

    fn is_pair(&self, ty: &Type) -> bool {
        let Type::Id(id) = ty else { return false };
        self.contract.resolve.types[*id].name.as_deref() == Some("pair")
    }

    fn is_option(&self, ty: &Type) -> bool {
        let Type::Id(id) = ty else { return false };
        matches!(
            self.contract.resolve.types[*id].kind,
            TypeDefKind::Option(_)
        )
    }

    /// The named type and its definition have the same fields or cases, of the same types.
    fn definition(&self, name: &str, kind: &TypeDefKind) {
        let schema = self.named(name);
        match kind {
            TypeDefKind::Record(record) => {
                let fields: BTreeSet<String> = record
                    .fields
                    .iter()
                    .map(|field| camel(&field.name))
                    .collect();
                assert_eq!(keys(&schema["properties"]), fields, "{name}");
                for field in &record.fields {
                    let property = camel(&field.name);
                    let place = format!("{name}.{property}");
                    self.holds(&field.ty, &schema["properties"][&property], &place);
                    let required = schema["required"]
                        .as_array()
                        .is_some_and(|all| all.contains(&json!(property)));
                    // What a policy writes it may leave out where that has a meaning: no arguments.
                    if place != "FixCall.args" {
                        assert_eq!(required, !self.is_option(&field.ty), "{place}");
                    }
                }
            }
            TypeDefKind::Enum(cases) => {
                let names = cases.cases.iter().map(|case| camel(&case.name)).collect();
                assert_eq!(plain_cases(schema), names, "{name}");
            }
            TypeDefKind::Variant(variant) => {
                let (plain, loaded): (Vec<_>, Vec<_>) =
                    variant.cases.iter().partition(|case| case.ty.is_none());
                assert_eq!(
                    plain_cases(schema),
                    plain.iter().map(|case| camel(&case.name)).collect(),
                    "{name}"
                );
                for case in &loaded {
                    let key = camel(&case.name);
                    let cases = schema["oneOf"].as_array().unwrap();
                    let found = cases
                        .iter()
                        .find(|one| one["properties"].get(&key).is_some());
                    let found = found.unwrap_or_else(|| panic!("{name} has no case {key}"));
                    assert_eq!(found["required"], json!([key]), "{name}");
                    self.holds(
                        case.ty.as_ref().unwrap(),
                        &found["properties"][&key],
                        &format!("{name}.{key}"),
                    );
                }
                let objects = schema["oneOf"].as_array().unwrap().iter();
                assert_eq!(
                    objects.filter(|one| one["type"] == "object").count(),
                    loaded.len(),
                    "{name}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn keys(object: &Value) -> BTreeSet<String> {
    object
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect()
}

/// The cases that are a bare string, whichever way the generator writes them.
fn plain_cases(schema: &Value) -> BTreeSet<String> {
    let strings = |list: &Value| -> Vec<String> {
        let texts = list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let mut cases: BTreeSet<String> = strings(&schema["enum"]).into_iter().collect();
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        cases.extend(one["const"].as_str().map(str::to_owned));
        cases.extend(strings(&one["enum"]));
    }
    cases
}

/// What an optional field is if it is there.
fn without_null(schema: &Value) -> Value {
    if let Some(one) = schema["anyOf"].as_array() {
        return one
            .iter()
            .find(|one| one["type"] != "null")
            .unwrap()
            .clone();
    }
    let mut schema = schema.clone();
    if let Some(types) = schema["type"].as_array() {
        schema["type"] = types.iter().find(|one| *one != "null").unwrap().clone();
    }
    schema
}

#[test]
fn the_json_form_has_the_types_fields_and_cases_of_the_wit() {
    let contract = Contract::parse().unwrap();
    let schemas = schemas().unwrap();
    let of = |wanted: &str| &schemas.iter().find(|(name, _)| *name == wanted).unwrap().1;
    let definitions = of("question")["$defs"].as_object().unwrap();
    let twin = Twin {
        contract: &contract,
        definitions,
    };
    let mut seen = BTreeSet::new();
    for (name, found) in contract.types() {
        // `seconds` is a number, `pair` an entry of an object, and what is written has its own document
        if matches!(name.as_str(), "Seconds" | "Pair" | "Decision" | "Level") {
            continue;
        }
        if seen.insert(name.clone()) && !matches!(found.kind, TypeDefKind::Type(_)) {
            twin.definition(&name, &found.kind);
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
    assert!(keys(&Value::Object(definitions.clone())).is_subset(&seen));

    let decision = contract
        .types()
        .find(|(name, _)| name == "Decision")
        .unwrap()
        .1;
    let TypeDefKind::Record(decision) = &decision.kind else {
        panic!()
    };
    let fields: BTreeSet<String> = decision
        .fields
        .iter()
        .map(|field| camel(&field.name))
        .collect();
    let written = keys(&of("answer")["properties"]);
    let more: Vec<_> = written.difference(&fields).collect();
    assert_eq!(more, ["apiVersion", "error"]);
    assert!(fields.is_subset(&written));
}

#[test]
fn a_fields_words_are_those_of_the_wit() {
    let schemas = schemas().unwrap();
    let question = &schemas[0].1;
    let held = &question["$defs"]["Condition"]["properties"]["held"]["description"];
    assert!(
        held.as_str()
            .unwrap()
            .starts_with("For how long the engine has seen it"),
        "{held}"
    );
}
