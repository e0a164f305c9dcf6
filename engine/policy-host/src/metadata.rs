//! What a policy says about itself: JSON in a custom section, read without running a byte of it.
//!
//! The section may stand at the outermost level, or in a module inside a component (where a guest's linker puts it).

use std::collections::BTreeSet;
use std::ops::Range;

use rectifier_core::name::{ConditionKind, FixName, PolicyName, UnitName};
use rectifier_core::policy::{FailureClass, Observation, Site, SiteKind};
use schemars::JsonSchema;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wasmparser::{Encoding, Parser, Payload};

use crate::Failure;
use crate::contract::Version;

/// The custom section's name.
const SECTION: &str = "rectifier:policy";

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

/// How a policy speaks the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The typed world of `sdk/wit`.
    Component,
    /// JSON on standard input and output, for languages without tools for components.
    Command,
}

/// Reads what a policy says about itself, from its bytes.
///
/// # Errors
/// [`FailureClass::Load`]: the bytes are no policy, or their metadata are absent, double or unusable.
pub fn read(bytes: &[u8]) -> Result<Metadata, Failure> {
    let json = section(bytes)?.ok_or_else(|| {
        refuse(format!(
            "it has no custom section {SECTION} that says what it handles: write one with \
             `rectifier policy annotate` (sdk/README.md)"
        ))
    })?;
    let metadata: Metadata = serde_json::from_slice(json)
        .map_err(|error| refuse(format!("its custom section {SECTION} is unusable: {error}")))?;
    if Version::from_label(&metadata.contract).is_none() {
        let (theirs, served) = (&metadata.contract, Version::labels());
        return Err(refuse(format!(
            "it speaks contract {theirs}; this engine serves {served}"
        )));
    }
    Ok(metadata)
}

/// Writes metadata into a policy's bytes, in place of those that stand there at the outermost level. (What a guest's
/// linker put further inside stays, and counts no more.)
///
/// # Errors
/// [`FailureClass::Load`]: the bytes are no WebAssembly.
pub fn annotate(bytes: &[u8], metadata: &Metadata) -> Result<Vec<u8>, Failure> {
    let json = serde_json::to_vec(metadata)
        .map_err(|error| refuse(format!("metadata cannot be written: {error}")))?;
    let mut annotated = bytes.to_vec();
    for found in sections(bytes)?
        .iter()
        .rev()
        .filter(|found| found.depth == 0)
    {
        annotated.drain(found.range.clone());
    }
    let mut name = Vec::new();
    leb128(&mut name, SECTION.len());
    name.extend_from_slice(SECTION.as_bytes());
    annotated.push(0);
    leb128(&mut annotated, name.len() + json.len());
    annotated.extend_from_slice(&name);
    annotated.extend_from_slice(&json);
    Ok(annotated)
}

/// A length as WebAssembly writes it: seven bits a byte, the last one without the high bit.
fn leb128(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push((length & 0x7f) as u8);
}

/// The JSON of the metadata. What stands at the outermost level counts before what a linker left further inside.
fn section(bytes: &[u8]) -> Result<Option<&[u8]>, Failure> {
    let found = sections(bytes)?;
    let Some(depth) = found.iter().map(|found| found.depth).min() else {
        return Ok(None);
    };
    let mut nearest = found.iter().filter(|found| found.depth == depth);
    match (nearest.next(), nearest.next()) {
        (Some(_), Some(_)) => Err(refuse(format!("it has two custom sections {SECTION}"))),
        (only, _) => Ok(only.map(|found| found.json)),
    }
}

struct Found<'a> {
    /// 0 for the outermost level.
    depth: usize,
    /// The whole section's bytes.
    range: Range<usize>,
    json: &'a [u8],
}

/// All of the metadata's sections, in the order in which they stand.
fn sections(bytes: &[u8]) -> Result<Vec<Found<'_>>, Failure> {
    let (mut found, mut depth, mut outermost) = (Vec::new(), 0_usize, true);
    // Where the section before ended: a custom section's own range begins behind its header.
    let mut end = 8;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| refuse(format!("it is no WebAssembly: {error}")))?;
        match &payload {
            Payload::Version { encoding, .. } if std::mem::take(&mut outermost) => {
                if *encoding == Encoding::Module && !has_start(bytes)? {
                    return Err(refuse(
                        "it is a core module without _start: neither a component nor a WASI command"
                            .to_owned(),
                    ));
                }
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if section.name() == SECTION => found.push(Found {
                depth,
                range: end..section.range().end,
                json: section.data(),
            }),
            _ => {}
        }
        end = end_of(&payload).unwrap_or(end);
    }
    Ok(found)
}

/// Where a payload that is a whole section ends.
fn end_of(payload: &Payload<'_>) -> Option<usize> {
    match payload {
        Payload::Version { range, .. } => Some(range.end),
        Payload::End(at) => Some(*at),
        Payload::CodeSectionEntry(body) => Some(body.range().end),
        Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => None,
        other => other.as_section().map(|(_, range)| range.end),
    }
}

/// Is it a component, or a command?
///
/// # Errors
/// [`FailureClass::Load`]: neither.
pub(crate) fn form(bytes: &[u8]) -> Result<Form, Failure> {
    if Parser::is_component(bytes) {
        return Ok(Form::Component);
    }
    if Parser::is_core_wasm(bytes) {
        return Ok(Form::Command);
    }
    Err(refuse("it is no WebAssembly".to_owned()))
}

/// Does a core module export the entry point of a WASI command?
fn has_start(bytes: &[u8]) -> Result<bool, Failure> {
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| refuse(format!("it is no WebAssembly: {error}")))?;
        if let Payload::ExportSection(exports) = payload {
            return Ok(exports
                .into_iter()
                .flatten()
                .any(|export| export.name == "_start"));
        }
    }
    Ok(false)
}

fn refuse(why: String) -> Failure {
    Failure::new(FailureClass::Load, why)
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

    #[test]
    fn what_is_no_component_or_says_nothing_of_itself_is_refused() {
        let message = |bytes: &[u8]| read(bytes).unwrap_err().message;
        assert!(message(b"").contains("no WebAssembly"));
        assert!(message(b"rubbish").contains("no WebAssembly"));
        assert!(message(b"\0asm\x01\0\0\0").contains("core module without _start"));
        assert!(message(b"\0asm\x0d\0\x01\0").contains("custom section"));
    }

    #[test]
    fn what_is_written_into_a_policy_is_read_from_it_and_replaces_what_was_there() {
        let metadata = |name: &str| Metadata {
            name: PolicyName::parse(name).unwrap(),
            version: "1.0.0".to_owned(),
            contract: "0.1".to_owned(),
            handles: vec![Handles {
                conditions: vec![Pattern::try_from("Frequent*".to_owned()).unwrap()],
                sites: BTreeSet::from([SiteKind::Node]),
            }],
            needs: Needs {
                units: Needed::All,
                // long enough for a length of two bytes
                facts: Needed::Only((0..50).map(|n| format!("fact-{n}")).collect()),
                ..Needs::default()
            },
        };
        let inner =
            wat::parse_str("(component (core module (@custom \"rectifier:policy\" \"{}\")))");
        for bare in [b"\0asm\x0d\0\x01\0".to_vec(), inner.unwrap()] {
            let once = annotate(&bare, &metadata("first")).unwrap();
            assert_eq!(read(&once).unwrap(), metadata("first"));
            let twice = annotate(&once, &metadata("second")).unwrap();
            assert_eq!(read(&twice).unwrap(), metadata("second"));
            let lengthened = "second".len() - "first".len();
            assert_eq!(twice.len(), once.len() + lengthened);
        }
        let command = wat::parse_str(r#"(module (func (export "_start")))"#).unwrap();
        let annotated = annotate(&command, &metadata("command")).unwrap();
        assert_eq!(read(&annotated).unwrap(), metadata("command"));
    }

    #[test]
    fn two_sections_side_by_side_are_refused() {
        let section = r#"(@custom "rectifier:policy" "{}")"#;
        let bytes = wat::parse_str(format!("(component {section} {section})")).unwrap();
        assert!(
            read(&bytes)
                .unwrap_err()
                .message
                .contains("two custom sections")
        );
    }
}
