//! A YAML document in which every value knows where it stands, so that what is wrong with it can be shown there.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned};

/// One value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Location,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Plain(Value),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

/// One step of the way from a document's top to a value in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// As people write it: `episode.attempts[0].remedy`.
pub(crate) fn path(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Index(at) => text.push_str(&format!("[{at}]")),
        }
    }
    text
}

/// As an engine reads a sidecar: `yes` and `no` are words, such as a condition's status.
///
/// # Errors
/// It is no YAML, or not of that type.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(text, serde_saphyr::options! { strict_booleans: true })
}

impl Node {
    /// Without the places.
    pub(crate) fn value(&self) -> Value {
        match &self.kind {
            Kind::Plain(value) => value.clone(),
            Kind::List(items) => items.iter().map(Node::value).collect(),
            Kind::Map(entries) => {
                let entry =
                    |(key, node): &(Spanned<String>, Node)| (key.value.clone(), node.value());
                Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
            }
        }
    }

    /// The keys of a map, and where they stand.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, Location)> {
        let entries = match &self.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Plain(_) | Kind::List(_) => &[],
        };
        entries.iter().map(|(key, node)| {
            let known = key.referenced != Location::UNKNOWN;
            (
                key.value.as_str(),
                if known { key.referenced } else { node.at },
            )
        })
    }

    /// The value at a step.
    pub(crate) fn get(&self, step: &Step) -> Option<&Node> {
        match (&self.kind, step) {
            (Kind::Map(entries), Step::Key(wanted)) => entries
                .iter()
                .find_map(|(key, node)| (key.value == *wanted).then_some(node)),
            (Kind::List(items), Step::Index(at)) => items.get(*at),
            (Kind::Plain(_), _)
            | (Kind::Map(_), Step::Index(_))
            | (Kind::List(_), Step::Key(_)) => None,
        }
    }

    /// Where the last step of this way stands, as far as it leads; and how far that is.
    pub(crate) fn place(&self, way: &[Step]) -> (Location, usize) {
        let mut node = self;
        for (taken, step) in way.iter().enumerate() {
            match node.get(step) {
                Some(next) => node = next,
                None => return (node.at, taken),
            }
        }
        (node.at, way.len())
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self {
            at: spanned.referenced,
            kind: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Kind;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
                Ok(Kind::Plain(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
                Ok(Kind::Plain(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
                Ok(Kind::Plain(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
                Ok(Kind::Plain(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
                Ok(Kind::Plain(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Kind, E> {
                Ok(Kind::Plain(Value::Null))
            }

            fn visit_none<E>(self) -> Result<Kind, E> {
                Ok(Kind::Plain(Value::Null))
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Kind, D::Error> {
                Kind::deserialize(inner)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Kind::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Kind::Map(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "a: 1\nb:\n  c: [yes, {d: null}]\n  e: true\n";

    #[test]
    fn the_value_is_that_of_the_document_and_yes_is_a_word() {
        let node: Node = parse(TEXT).unwrap();
        let expected = json!({"a": 1, "b": {"c": ["yes", {"d": null}], "e": true}});
        assert_eq!(node.value(), expected);
    }

    #[test]
    fn every_value_and_key_knows_its_place() {
        let node: Node = parse(TEXT).unwrap();
        let key = |key: &str| Step::Key(key.to_owned());
        let way = [key("b"), key("c"), Step::Index(1), key("d")];
        assert_eq!(path(&way), "b.c[1].d");
        let (at, taken) = node.place(&way);
        assert_eq!((at.line(), at.column(), taken), (3, 16, 4));
        let (at, taken) = node.place(&[key("b"), key("unknown")]);
        assert_eq!((at.line(), taken), (3, 1));
        let keys: Vec<_> = node
            .keys()
            .map(|(key, at)| (key, at.line(), at.column()))
            .collect();
        assert_eq!(keys, [("a", 1, 1), ("b", 2, 1)]);
    }
}
