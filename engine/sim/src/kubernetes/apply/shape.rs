//! Which parts of an object are one whole, and which are merged field by field or item by item.
//!
//! A CRD's schema says it (`x-kubernetes-list-type`, `-list-map-keys`, `-map-type`). Of the built-in kinds it is said here by the
//! field's name alone: in the kinds that are served no name means two things.

use serde_json::Value;

use super::super::kind::Kind;

/// How a value is merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How<'a> {
    /// As one: a number, a text, an atomic list or map.
    Whole,
    /// A map, field by field.
    Fields,
    /// A list whose items have keys.
    Keyed(Vec<&'a str>),
    /// A list whose items are their own keys.
    Set,
}

/// What is known of a place in an object.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape<'a> {
    /// A custom object itself.
    Custom(&'a Value),
    /// Something in a custom object.
    Schema(&'a Value),
    /// Something in a built-in object, or in anybody's metadata.
    BuiltIn(BuiltIn),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BuiltIn {
    /// A map field by field, a list as one.
    Usual,
    Whole,
    Set,
    Keyed(&'static [&'static str]),
    /// The same, each item as one.
    KeyedWholes(&'static [&'static str]),
}

const FIELDS: [(&str, BuiltIn); 31] = [
    ("addresses", BuiltIn::Keyed(&["type"])),
    ("conditions", BuiltIn::Keyed(&["type"])),
    ("configMapKeyRef", BuiltIn::Whole),
    ("containers", BuiltIn::Keyed(&["name"])),
    ("env", BuiltIn::Keyed(&["name"])),
    ("ephemeralContainers", BuiltIn::Keyed(&["name"])),
    ("fieldRef", BuiltIn::Whole),
    ("finalizers", BuiltIn::Set),
    ("hostAliases", BuiltIn::Keyed(&["ip"])),
    ("imagePullSecrets", BuiltIn::KeyedWholes(&["name"])),
    ("initContainers", BuiltIn::Keyed(&["name"])),
    ("involvedObject", BuiltIn::Whole),
    ("labelSelector", BuiltIn::Whole),
    ("namespaceSelector", BuiltIn::Whole),
    ("nodeSelector", BuiltIn::Whole),
    ("ownerReferences", BuiltIn::KeyedWholes(&["uid"])),
    ("podCIDRs", BuiltIn::Set),
    ("podIPs", BuiltIn::Keyed(&["ip"])),
    ("ports", BuiltIn::Keyed(&["containerPort", "protocol"])),
    ("regarding", BuiltIn::Whole),
    ("related", BuiltIn::Whole),
    (
        "requiredDuringSchedulingIgnoredDuringExecution",
        BuiltIn::Whole,
    ),
    ("resourceFieldRef", BuiltIn::Whole),
    ("schedulingGates", BuiltIn::Keyed(&["name"])),
    ("secretKeyRef", BuiltIn::Whole),
    ("secretRef", BuiltIn::Whole),
    ("selector", BuiltIn::Whole),
    (
        "topologySpreadConstraints",
        BuiltIn::Keyed(&["topologyKey", "whenUnsatisfiable"]),
    ),
    ("volumeDevices", BuiltIn::Keyed(&["devicePath"])),
    ("volumeMounts", BuiltIn::Keyed(&["mountPath"])),
    ("volumes", BuiltIn::Keyed(&["name"])),
];

impl<'a> Shape<'a> {
    pub(super) fn of(kind: &'a Kind) -> Self {
        match &kind.schema {
            Some(schema) => Self::Custom(schema.root()),
            None => Self::BuiltIn(BuiltIn::Usual),
        }
    }

    pub(super) fn how(self, value: &Value) -> How<'a> {
        match (self, value) {
            (Self::BuiltIn(BuiltIn::Whole), _) => How::Whole,
            (Self::Schema(schema), Value::Object(_)) => {
                match schema["x-kubernetes-map-type"] == "atomic" {
                    true => How::Whole,
                    false => How::Fields,
                }
            }
            (_, Value::Object(_)) => How::Fields,
            (Self::BuiltIn(BuiltIn::Set), Value::Array(_)) => How::Set,
            (Self::BuiltIn(BuiltIn::Keyed(keys) | BuiltIn::KeyedWholes(keys)), Value::Array(_)) => {
                How::Keyed(keys.to_vec())
            }
            (Self::Schema(schema), Value::Array(_)) => {
                match schema["x-kubernetes-list-type"].as_str() {
                    Some("set") => How::Set,
                    Some("map") => {
                        let keys = schema["x-kubernetes-list-map-keys"].as_array();
                        let keys = keys.into_iter().flatten().filter_map(Value::as_str);
                        How::Keyed(keys.collect())
                    }
                    Some(_) | None => How::Whole,
                }
            }
            (_, _) => How::Whole,
        }
    }

    pub(super) fn field(self, name: &str) -> Self {
        match self {
            Self::Custom(schema) if !["metadata", "apiVersion", "kind"].contains(&name) => {
                Self::Schema(below(schema, name))
            }
            Self::Schema(schema) => Self::Schema(below(schema, name)),
            Self::Custom(_) | Self::BuiltIn(_) => {
                let known = FIELDS.iter().find(|(known, _)| *known == name);
                Self::BuiltIn(known.map_or(BuiltIn::Usual, |(_, is)| *is))
            }
        }
    }

    pub(super) fn item(self) -> Self {
        match self {
            Self::Custom(schema) | Self::Schema(schema) => Self::Schema(&schema["items"]),
            Self::BuiltIn(BuiltIn::KeyedWholes(_)) => Self::BuiltIn(BuiltIn::Whole),
            Self::BuiltIn(_) => Self::BuiltIn(BuiltIn::Usual),
        }
    }

    /// It has this field by name; a map has an entry of that key.
    pub(super) fn names(self, field: &str) -> bool {
        match self {
            Self::Schema(schema) => schema["properties"].get(field).is_some(),
            Self::Custom(_) | Self::BuiltIn(_) => true,
        }
    }
}

/// Of no schema nothing is known.
fn below<'a>(schema: &'a Value, name: &str) -> &'a Value {
    let fields = &schema["properties"];
    fields.get(name).unwrap_or(&schema["additionalProperties"])
}

/// What a key field is that an item leaves out.
pub(super) fn key_by_default(name: &str) -> Value {
    match name {
        "protocol" => "TCP".into(),
        _ => "".into(),
    }
}
