//! What a policy says about itself: JSON in a custom section, read without running a byte of it.
//!
//! The section may stand at the outermost level, or in a module inside a component (where a guest's linker puts it).

use std::collections::BTreeSet;

use rectifier_core::name::{ConditionKind, FixName, PolicyName, UnitName};
use rectifier_core::policy::{Observation, Site, SiteKind};
use schemars::JsonSchema;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A policy's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Its name; also of the decisions that it makes.
    pub name: PolicyName,
    /// Its own version, for people.
    pub version: String,
    /// The version of the WIT package, major and minor: `0.1`.
    pub contract: String,
    /// What it answers for.
    pub handles: Vec<Handles>,
    /// What its observations must contain.
    #[serde(default)]
    pub needs: Needs,
}

/// Conditions and the sites at which a policy answers for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Handles {
    /// Which conditions.
    pub conditions: Vec<Pattern>,
    /// Where.
    pub sites: BTreeSet<SiteKind>,
}

/// A condition's kind, or the beginning of one: `KernelDeadlock`, `Frequent*`, `*`. The longer it is, the more
/// specific; one that names the whole kind is the most specific.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Pattern {
    /// Every kind that begins so.
    Prefix(String),
    /// This kind.
    Exactly(ConditionKind),
}

impl Pattern {
    /// Does it cover this kind?
    pub fn covers(&self, kind: &ConditionKind) -> bool {
        match self {
            Pattern::Exactly(own) => own == kind,
            Pattern::Prefix(prefix) => kind.as_str().starts_with(prefix.as_str()),
        }
    }

    /// Orders the patterns that cover one kind: the greatest is the most specific.
    pub(crate) fn specificity(&self) -> usize {
        match self {
            Pattern::Exactly(_) => usize::MAX,
            Pattern::Prefix(prefix) => prefix.len(),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_suffix('*') {
            Some("") => Ok(Pattern::Prefix(String::new())),
            // A prefix is a kind that need not be whole.
            Some(prefix) => match ConditionKind::parse(format!("{prefix}x")) {
                Ok(_) => Ok(Pattern::Prefix(prefix.to_owned())),
                Err(error) => Err(error.to_string()),
            },
            None => ConditionKind::parse(text)
                .map(Pattern::Exactly)
                .map_err(|error| error.to_string()),
        }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.to_string()
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Pattern::Prefix(prefix) => write!(f, "{prefix}*"),
            Pattern::Exactly(kind) => write!(f, "{kind}"),
        }
    }
}

/// What fills a policy's observations. Whatever it does not need it is not shown, so that its answer cannot depend
/// on which other policies are loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Needs {
    /// systemd units.
    #[serde(default, skip_serializing_if = "Needed::is_nothing")]
    pub units: Needed<UnitName>,
    /// Fixes.
    #[serde(default, skip_serializing_if = "Needed::is_nothing")]
    pub fixes: Needed<FixName>,
    /// Facts.
    #[serde(default, skip_serializing_if = "Needed::is_nothing")]
    pub facts: Needed<String>,
}

impl Needs {
    /// What a policy with these needs is shown of an observation.
    #[must_use]
    pub fn show(&self, mut seen: Observation) -> Observation {
        if let Site::Node(view) = &mut seen.site {
            view.units
                .retain(|unit| self.units.contains(unit.name.as_str()));
            view.fixes
                .retain(|fix| self.fixes.contains(fix.name.as_str()));
        }
        seen.facts.retain(|name, _| self.facts.contains(name));
        seen
    }

    /// What either needs.
    #[must_use]
    pub fn union(self, other: &Needs) -> Needs {
        Needs {
            units: self.units.union(&other.units),
            fixes: self.fixes.union(&other.fixes),
            facts: self.facts.union(&other.facts),
        }
    }
}

/// `"all"`, or a list of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needed<T> {
    /// Whatever the operator allows.
    All,
    /// These, as far as the operator allows them.
    Only(BTreeSet<T>),
}

impl<T> Default for Needed<T> {
    fn default() -> Self {
        Needed::Only(BTreeSet::new())
    }
}

impl<T> Needed<T> {
    fn is_nothing(&self) -> bool {
        matches!(self, Needed::Only(names) if names.is_empty())
    }
}

impl<T: Serialize> Serialize for Needed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Needed::All => "all".serialize(serializer),
            Needed::Only(names) => names.serialize(serializer),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Needed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("NeededOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = generator.subschema_for::<BTreeSet<T>>();
        schemars::json_schema!({"anyOf": [{"const": "all"}, names]})
    }
}

impl<T: Ord + Clone + AsRef<str>> Needed<T> {
    /// Is the one of this name needed?
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Needed::All => true,
            Needed::Only(names) => names.iter().any(|needed| needed.as_ref() == name),
        }
    }

    fn union(self, other: &Self) -> Self {
        match (self, other) {
            (Needed::Only(own), Needed::Only(others)) => {
                Needed::Only(own.union(others).cloned().collect())
            }
            (Needed::All, _) | (_, Needed::All) => Needed::All,
        }
    }
}

impl<'de, T: Deserialize<'de> + Ord> Deserialize<'de> for Needed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllOrNames<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Ord> Visitor<'de> for AllOrNames<T> {
            type Value = Needed<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"all\" or a list of names")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                match text {
                    "all" => Ok(Needed::All),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Self::Value, A::Error> {
                let mut names = BTreeSet::new();
                while let Some(name) = seq.next_element()? {
                    if !names.insert(name) {
                        return Err(A::Error::custom("a name stands twice in the list"));
                    }
                }
                Ok(Needed::Only(names))
            }
        }
        deserializer.deserialize_any(AllOrNames(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> ConditionKind {
        ConditionKind::parse(text).unwrap()
    }

    #[test]
    fn a_whole_kind_is_more_specific_than_any_prefix() {
        let pattern = |text: &str| Pattern::try_from(text.to_owned()).unwrap();
        let [all, some, one] = [
            pattern("*"),
            pattern("Frequent*"),
            pattern("FrequentKubeletRestart"),
        ];
        for pattern in [&all, &some, &one] {
            assert!(pattern.covers(&kind("FrequentKubeletRestart")), "{pattern}");
        }
        assert!(all.specificity() < some.specificity() && some.specificity() < one.specificity());
        assert!(
            !some.covers(&kind("KernelDeadlock")) && !one.covers(&kind("FrequentKubeletRestart2"))
        );
        assert!(Pattern::try_from("a b*".to_owned()).is_err());
        assert!(Pattern::try_from(String::new()).is_err());
    }

    #[test]
    fn needs_are_all_or_a_list_and_the_union_of_both_is_all() {
        let read = |json: &str| serde_json::from_str::<Needs>(json);
        let some = read(r#"{"units": ["a.service"]}"#).unwrap();
        assert!(some.units.contains("a.service") && !some.units.contains("b.service"));
        assert!(!some.fixes.contains("any"));
        let all = read(r#"{"units": "all", "facts": ["agent"]}"#).unwrap();
        let both = some.clone().union(&all);
        assert!(both.units.contains("b.service") && both.facts.contains("agent"));
        for wrong in [
            r#"{"units": "some"}"#,
            r#"{"units": ["a.service", "a.service"]}"#,
            r#"{"unit": []}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
