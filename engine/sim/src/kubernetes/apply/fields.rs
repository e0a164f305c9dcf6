//! Sets of an object's fields, and `FieldsV1`, the form in which the object carries them.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use serde_json::{Map, Value};

/// One step down into an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Field(String),
    /// The item of a list whose key fields are these, as JSON.
    Key(String),
    /// This item of a list that is a set, as JSON.
    Item(String),
}

/// From an object down to a field.
pub(super) type Path = Vec<Step>;

/// Fields, each by its path. One that is in it says nothing of what lies below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeSet<Path>);

impl Fields {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        self.0.contains(path)
    }

    /// Is anything in it that lies below this?
    pub(super) fn has_below(&self, path: &Path) -> bool {
        let mut later = self.0.range(path.clone()..);
        later
            .find(|next| *next != path)
            .is_some_and(|next| next.starts_with(path))
    }

    /// False: it was there before.
    pub(super) fn insert(&mut self, path: Path) -> bool {
        self.0.insert(path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Path> {
        self.0.iter()
    }

    pub(super) fn keep(&mut self, is_kept: impl Fn(&Path) -> bool) {
        self.0.retain(is_kept);
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    pub(super) fn but(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// As managedFields have it.
    pub(super) fn to_v1(&self) -> Value {
        let mut root = Value::Object(Map::new());
        for path in &self.0 {
            let mut place = &mut root;
            for step in path {
                place = &mut place[step.to_v1()];
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
            }
            if self.has_below(path) {
                place["."] = Value::Object(Map::new());
            }
        }
        root
    }

    /// What cannot be read is left out.
    pub(super) fn of_v1(value: &Value) -> Self {
        let mut fields = Self::default();
        read(value, &mut Vec::new(), &mut fields);
        fields
    }
}

fn read(value: &Value, path: &mut Path, into: &mut Fields) {
    let Some(below) = value.as_object() else {
        return;
    };
    if !path.is_empty() && (below.is_empty() || below.contains_key(".")) {
        into.insert(path.clone());
    }
    for (key, value) in below {
        if let Some(step) = Step::of_v1(key) {
            path.push(step);
            read(value, path, into);
            path.pop();
        }
    }
}

impl Step {
    pub(super) fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    fn to_v1(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => format!("k:{keys}"),
            Self::Item(item) => format!("v:{item}"),
        }
    }

    fn of_v1(text: &str) -> Option<Self> {
        let (what, rest) = text.split_once(':')?;
        match what {
            "f" => Some(Self::field(rest)),
            "k" => Some(Self::Key(rest.to_owned())),
            "v" => Some(Self::Item(rest.to_owned())),
            _ => None,
        }
    }
}

/// `.status.conditions[type="Ready"].status`
pub(super) fn told(path: &Path) -> String {
    let mut text = String::new();
    for step in path {
        // Writing to a text cannot fail.
        let _: fmt::Result = match step {
            Step::Field(name) => write!(text, ".{name}"),
            Step::Item(item) => write!(text, "[={item}]"),
            Step::Key(keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let keys: Vec<_> = keys.iter().map(|(key, is)| format!("{key}={is}")).collect();
                write!(text, "[{}]", keys.join(","))
            }
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_survive_their_way_through_an_object() {
        let written = json!({
            "f:metadata": {"f:finalizers": {"v:\"a.b/c\"": {}}, "f:labels": {".": {}, "f:l": {}}},
            "f:status": {"f:conditions": {"k:{\"type\":\"A\"}": {".": {}, "f:status": {}, "f:type": {}}}},
        });
        let fields = Fields::of_v1(&written);
        assert_eq!(fields.to_v1(), written);
        let told: Vec<String> = fields.iter().map(told).collect();
        let expected = [
            ".metadata.finalizers[=\"a.b/c\"]",
            ".metadata.labels",
            ".metadata.labels.l",
            ".status.conditions[type=\"A\"]",
            ".status.conditions[type=\"A\"].status",
            ".status.conditions[type=\"A\"].type",
        ];
        assert_eq!(told, expected);
    }
}
