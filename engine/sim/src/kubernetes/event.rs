//! Events: one store, seen in two shapes. They are kept in the core one, as the real server keeps them.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::kind::Kind;
use super::object::{at, map_of, meta};

/// The group of the newer shape.
const NEWER: &str = "events.k8s.io";

/// What the newer shape calls other than the core one does.
const NAMES: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

impl Kind {
    fn is_newer_event(&self) -> bool {
        self.group == NEWER
    }

    /// Under which name its objects are kept.
    pub(super) fn stored_as(&self) -> String {
        match self.is_newer_event() {
            true => self.plural.clone(),
            false => self.qualified(),
        }
    }

    /// As it is kept.
    pub(super) fn to_stored(&self, object: &mut Value) {
        if self.is_newer_event() {
            rename(object, "v1", NAMES.iter().copied());
        }
    }

    /// As whoever asks by this kind sees it.
    pub(super) fn shown<'a>(&self, object: &'a Value) -> Cow<'a, Value> {
        if !self.is_newer_event() {
            return Cow::Borrowed(object);
        }
        let mut object = object.clone();
        let back = NAMES.iter().map(|(newer, core)| (*core, *newer));
        rename(&mut object, &self.api_version(), back);
        Cow::Owned(object)
    }

    /// Where the kept object has a field of this one.
    pub(super) fn stored_field<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let known = NAMES.iter().find(|(newer, _)| *newer == first);
        match known.filter(|_| self.is_newer_event()) {
            Some((_, core)) if rest.is_empty() => Cow::Borrowed(core),
            Some((_, core)) => Cow::Owned(format!("{core}.{rest}")),
            None => Cow::Borrowed(path),
        }
    }

    /// Why an Event, as it is kept, may not be written so; of anything else nothing is said.
    pub(super) fn wrong_with_event(&self, event: &Value, old: Option<&Value>) -> Option<String> {
        if !self.is("Event") {
            return None;
        }
        let text = |path: &[&str]| at(event, path).as_str().unwrap_or_default();
        let is_newer = !text(&["eventTime"]).is_empty();
        let (namespace, of) = (
            meta(event, "namespace"),
            text(&["involvedObject", "namespace"]),
        );
        let fits = match (of, is_newer) {
            ("", false) => namespace == "default",
            ("", true) => ["default", "kube-system"].contains(&namespace),
            (of, false) => of == namespace,
            (_, true) => true,
        };
        if !fits {
            let why = "does not match event.namespace";
            return Some(format!(
                "involvedObject.namespace: Invalid value: {of:?}: {why}"
            ));
        }
        let needed = [
            "reportingComponent",
            "reportingInstance",
            "action",
            "reason",
        ];
        let missing = needed.iter().find(|field| text(&[field]).is_empty());
        if let Some(missing) = missing.filter(|_| is_newer) {
            return Some(format!("{missing}: Required value"));
        }
        match old.filter(|_| self.is_newer_event()) {
            Some(old) => immutable(event, old),
            None if self.is_newer_event() => old_fashioned(event, is_newer),
            None => None,
        }
    }
}

/// By the newer shape only what counts repetitions is changed.
fn immutable(event: &Value, old: &Value) -> Option<String> {
    let others = [
        "reason",
        "type",
        "eventTime",
        "action",
        "related",
        "reportingInstance",
    ];
    let fields = NAMES.iter().map(|(_, core)| *core).chain(others);
    let changed = fields
        .into_iter()
        .find(|field| event[*field] != old[*field]);
    changed.map(|field| format!("{field}: Invalid value: field is immutable"))
}

/// Nor is an Event made by it as they were once.
fn old_fashioned(event: &Value, is_newer: bool) -> Option<String> {
    if !is_newer {
        return Some("eventTime: Required value".to_owned());
    }
    if !["Normal", "Warning"].contains(&event["type"].as_str().unwrap_or_default()) {
        return Some("type: Invalid value: has to be Normal or Warning".to_owned());
    }
    let is_set = |value: &Value| ![Value::Null, json!(0), json!({})].contains(value);
    let old = ["source", "firstTimestamp", "lastTimestamp", "count"];
    let set = old.iter().find(|field| is_set(&event[**field]));
    set.map(|field| format!("{field}: Invalid value: needs to be unset"))
}

fn rename<'a>(object: &mut Value, version: &str, names: impl Iterator<Item = (&'a str, &'a str)>) {
    let fields = map_of(object);
    if fields.contains_key("apiVersion") {
        fields.insert("apiVersion".to_owned(), version.into());
    }
    for (from, to) in names {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    }
}
