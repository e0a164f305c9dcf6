//! Server-side apply, and the book that is kept of who says what.
//!
//! The real server keeps that book of every object. Here it is kept of an object from its first apply on, since nothing reads it
//! before: whoever never applies pays nothing for it. At the first apply it is made up of what is remembered of the object's
//! changes; what is older is `before-first-apply`'s, as the real server calls who wrote what it has no book of.
//!
//! Not here: the ten updating managers at most that the real server tells apart; what a write itself says of managedFields,
//! but that they be forgotten; refusing fields that a built-in kind does not have, since of these no schema is known.

mod fields;
mod managers;
mod merge;
mod shape;

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Refusal;
use super::kind::Kind;
use super::object::{meta, metadata, stamp};
use super::store::Key;
use super::verb::{Done, Part, Verb};
use managers::{Managers, changes, says};
pub(super) use managers::{Operation, Writer};
use merge::{fields_of, merge, with_named, without};
use shape::Shape;

/// What a request asks for besides the configuration that it applies.
pub(super) struct Wish {
    pub(super) manager: String,
    pub(super) force: bool,
}

impl Wish {
    pub(super) fn of(manager: Option<&str>, force: Option<&str>) -> Result<Self, Refusal> {
        let manager = manager
            .ok_or_else(|| refused("fieldManager: Required value: is required for apply patch"))?;
        Ok(Self {
            manager: Self::checked(manager)?.to_owned(),
            force: force == Some("true"),
        })
    }

    /// A manager's name, if it can be one.
    pub(super) fn checked(manager: &str) -> Result<&str, Refusal> {
        if manager.len() > 128 {
            return Err(refused(
                "fieldManager: Too long: may not be more than 128 bytes",
            ));
        }
        if manager.chars().any(char::is_control) {
            return Err(refused("fieldManager: Invalid value: invalid character"));
        }
        Ok(manager)
    }

    pub(super) fn is_no_apply() -> Refusal {
        refused("force: Forbidden: may not be specified for non-apply patch")
    }
}

fn refused(why: &str) -> Refusal {
    Refusal::invalid("PatchOptions.meta.k8s.io", "", why)
}

/// What is applied: YAML, of which JSON is a part.
pub(super) fn configuration(body: &[u8]) -> Result<Value, Refusal> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let text = String::from_utf8_lossy(body);
    serde_saphyr::from_str(&text)
        .map_err(|error| Refusal::bad_request(format!("error decoding YAML: {error}")))
}

impl Verb<'_> {
    /// Makes the object, or merges the configuration into it.
    pub(super) fn apply(
        &mut self,
        namespace: Option<&str>,
        name: &str,
        mut config: Value,
        wish: &Wish,
        part: Part,
    ) -> Result<Done, Refusal> {
        let key = self.key(namespace, name);
        let before = self.store.get(&key);
        if before.is_none() && part == Part::Status {
            return Err(Refusal::not_found(&self.kind.qualified(), name));
        }
        self.may_be_applied(&config, name)?;
        self.settle_namespace(namespace, &mut config)?;
        let version = meta(&config, "resourceVersion").to_owned();
        let stored = before
            .as_ref()
            .map(|before| meta(before, "resourceVersion"));
        if stored.is_some_and(|stored| !version.is_empty() && stored != version) {
            return Err(Refusal::stale(&self.kind.qualified(), name));
        }
        let kind = self.kind.clone();
        let by = Arc::new(Writer::new(Operation::Apply, &wish.manager, part));
        let time = stamp(self.now);
        let live = match &before {
            Some(before) => kind.shown(before).into_owned(),
            None => empty(&kind),
        };
        let mut managers = match &before {
            Some(before) => self.managers(&key, before),
            None => Managers::default(),
        };

        let shape = Shape::of(&kind);
        let last = managers.fields_of(&by);
        let said = says(&config, &kind, &by).map_err(untyped)?;
        managers.set(&by, said, &time);
        let merged = merge(&live, &config, shape);
        let after = pruned(merged, &last, &managers, shape).map_err(untyped)?;
        let changes = changes([&live, &after], &kind, &by);
        if !wish.force
            && let Some(refusal) = managers.conflicts(&by, &changes, &kind)
        {
            return Err(refusal);
        }
        managers.overwrite(&by, &changes);
        let managed = managers.to_value(&kind);
        self.store.by = Some(by);
        match before {
            Some(before) => self.write(key, &before, after, part, Some(managed)),
            None => {
                let mut after = after;
                metadata(&mut after).remove("resourceVersion");
                self.make(namespace, after, Some(managed))
            }
        }
    }

    fn may_be_applied(&self, config: &Value, name: &str) -> Result<(), Refusal> {
        let is = |key: &str, wanted: &str| config[key].as_str() == Some(wanted);
        if !is("apiVersion", &self.kind.api_version()) || !is("kind", &self.kind.kind) {
            let why = format!(
                "invalid object type: {}, Kind={}",
                config["apiVersion"], config["kind"]
            );
            return Err(Refusal::bad_request(why));
        }
        self.is_of_kind(config)?;
        if !config["metadata"]["managedFields"].is_null() {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        self.is_named(config, name)?;
        let schema = self.kind.schema.as_ref();
        match schema.and_then(|schema| schema.untyped(config)) {
            Some(why) => Err(untyped(why)),
            None => Ok(()),
        }
    }

    /// Whose its fields are: as it says, or as it has come about.
    fn managers(&self, key: &Key, object: &Value) -> Managers {
        let own = Managers::of(object);
        if !own.is_empty() {
            return own;
        }
        let (time, none) = (stamp(self.now), empty(&self.kind));
        let mut managers = Managers::default();
        let mut changes = self.store.history(key).peekable();
        let begun = match changes.peek() {
            Some(change) => change.before.as_deref(),
            None => Some(object),
        };
        if let Some(object) = begun {
            let by = Writer::new(Operation::Update, "before-first-apply", Part::Main);
            managers.update(&Arc::new(by), [&none, object], &self.kind, &time);
        }
        for change in changes {
            match (&change.after, &change.by) {
                (None, _) => managers = Managers::default(),
                (Some(after), Some(by)) => {
                    let before = change.before.as_deref().unwrap_or(&none);
                    managers.update(by, [before, after], &self.kind, &time);
                }
                (Some(_), None) => {}
            }
        }
        managers
    }

    /// What is to stand in an object's book after a write that is no apply. `None`: it has no book.
    pub(super) fn book(&self, before: &Value, after: &Value) -> Option<Value> {
        let kept = &before["metadata"]["managedFields"];
        if !kept.is_array() {
            return None;
        }
        let asked = after["metadata"]["managedFields"].as_array();
        if asked.is_some_and(|entries| entries.is_empty() || *entries == [json!({})]) {
            return None;
        }
        let Some(by) = &self.store.by else {
            return Some(kept.clone());
        };
        let mut managers = Managers::of(before);
        managers.update(by, [before, after], &self.kind, &stamp(self.now));
        Some(managers.to_value(&self.kind))
    }
}

/// An object of which nothing has been said yet. Built-in kinds have their halves from the beginning.
fn empty(kind: &Kind) -> Value {
    match kind.is_custom() {
        true => json!({}),
        false => json!({"metadata": {}, "spec": {}, "status": {}}),
    }
}

/// Takes out what the applier said before and says no longer, unless somebody else does.
fn pruned(
    merged: Value,
    last: &fields::Fields,
    managers: &Managers,
    shape: Shape<'_>,
) -> Result<Value, String> {
    if last.is_empty() {
        return Ok(merged);
    }
    let all = |object: &Value| Ok::<_, String>(with_named(&fields_of(object, shape)?, shape));
    let (last, there) = (with_named(last, shape), all(&merged)?);
    // What stands without the applier's former fields, or is managed.
    let stays = all(&without(&merged, &last, shape))?.or(&with_named(&managers.all(), shape));
    // Of what then goes, only what was the applier's.
    let left = all(&without(&merged, &there.but(&stays), shape))?;
    let gone = there.but(&left).and(&last);
    Ok(without(&merged, &gone, shape))
}

fn untyped(why: String) -> Refusal {
    Refusal::new(
        500,
        "",
        format!("failed to create typed patch object: {why}"),
    )
}
