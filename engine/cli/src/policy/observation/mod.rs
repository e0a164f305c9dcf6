//! Observations that say only what matters: laid over the one of a healthy node, changed step by step, and read at last
//! as the contract has it.

mod defaults;
mod flags;

use rectifier_core::policy::{Observation, Outcome, Remedy, SiteKind};
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;

pub(crate) use flags::ObservationArguments;

use super::tree::{Step, path};

/// An observation that can still be changed. Every list's items are whole; only the problem's kind may be missing.
#[derive(Debug, Clone)]
pub(crate) struct Draft(Value);

/// Why a draft is no observation, and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("observation.{}: {message}", path(way))]
pub(crate) struct Unfit {
    pub(crate) way: Vec<Step>,
    pub(crate) message: String,
}

impl Draft {
    /// A healthy node with a problem that nobody has named yet.
    pub(crate) fn healthy() -> Self {
        Self(defaults::observation())
    }

    /// What somebody has observed or written: the whole of it, or what differs from a healthy node.
    pub(crate) fn of(given: &Value) -> Self {
        match serde_json::from_value::<Observation>(given.clone()) {
            Ok(_) => Self(given.clone()),
            Err(_) => {
                let mut draft = Self::healthy();
                draft.change(given);
                draft
            }
        }
    }

    /// Lays a change over it: an object is merged, `null` takes away, all else (lists, too) stands instead of what was
    /// there.
    pub(crate) fn change(&mut self, change: &Value) {
        let mut change = change.clone();
        if let Some(site) = change.get_mut("site") {
            let moved = defaults::spell_out(site);
            if let Some(moved) = moved.filter(|site| *site != self.site()) {
                self.move_to(moved);
            }
        }
        let status = |value: &Value| value.pointer("/episode/problem/status").cloned();
        let turned = status(&change).is_some_and(|new| Some(new) != status(&self.0));
        merge(&mut self.0, &change);
        if turned
            && change.pointer("/episode/problem/held").is_none()
            && let Some(held) = self.0.pointer_mut("/episode/problem/held")
        {
            *held = json!(0);
        }
        defaults::complete(&mut self.0);
    }

    /// Which engine asks.
    pub(crate) fn site(&self) -> SiteKind {
        match self.0.pointer("/site/controlPlane") {
            Some(_) => SiteKind::ControlPlane,
            None => SiteKind::Node,
        }
    }

    /// To the other engine: it sees what it can see, and only its own attempts.
    fn move_to(&mut self, site: SiteKind) {
        let seen = defaults::at(site);
        merge(&mut self.0, &seen);
        self.0["site"] = seen["site"].clone();
        self.0["episode"]["attempts"] = json!([]);
    }

    /// Time goes by: whatever has an age grows older.
    pub(crate) fn pass(&mut self, seconds: u32) {
        defaults::pass(&mut self.0, seconds);
    }

    /// This remedy has just been begun.
    pub(crate) fn begin(&mut self, remedy: &Remedy) {
        let attempt =
            json!({"remedy": remedy, "age": 0, "outcome": Outcome::Running, "detail": ""});
        if let Some(attempts) = self.attempts() {
            attempts.insert(0, attempt);
            attempts.truncate(defaults::ATTEMPTS_SHOWN);
        }
    }

    /// What became of the newest attempt. False if there is none.
    pub(crate) fn end(&mut self, outcome: Outcome, detail: &str) -> bool {
        let newest = self.attempts().and_then(|attempts| attempts.first_mut());
        let Some(newest) = newest else { return false };
        newest["outcome"] = json!(outcome);
        newest["detail"] = json!(detail);
        true
    }

    /// A guard rail says no: to a unit or a fix that is there, `reboot` or `replace`. False if there is no such thing.
    pub(crate) fn close(&mut self, what: &str, rail: &str) -> bool {
        let closed = json!({ "closed": rail });
        let Some(view) = self.0["site"]
            .as_object_mut()
            .and_then(|site| site.values_mut().next())
        else {
            return false;
        };
        if let Some(gate) = view
            .get_mut(what)
            .filter(|_| ["reboot", "replace"].contains(&what))
        {
            *gate = closed;
            return true;
        }
        let lists = ["units", "fixes"]
            .into_iter()
            .filter_map(|list| view[list].as_array());
        let found = lists.flatten().any(|item| item["name"] == what);
        for list in ["units", "fixes"] {
            let items = view.get_mut(list).and_then(Value::as_array_mut);
            for item in items
                .into_iter()
                .flatten()
                .filter(|item| item["name"] == what)
            {
                item["gate"] = closed.clone();
            }
        }
        found
    }

    /// The observation, as the contract has it.
    ///
    /// # Errors
    /// A key or a value that the contract does not know, or no problem.
    pub(crate) fn finish(&self) -> Result<Observation, Unfit> {
        let mut whole = self.0.clone();
        if whole.pointer("/episode/problem/kind").is_none() {
            return Err(Unfit {
                way: ["episode", "problem", "kind"].map(key).into(),
                message: "which problem? It is the type of a node condition, as KubeletUnhealthy"
                    .to_owned(),
            });
        }
        let only_the_problem = whole.get("conditions").is_none();
        if only_the_problem {
            whole["conditions"] = json!([]);
        }
        let mut seen: Observation =
            serde_path_to_error::deserialize(&whole).map_err(|error| Unfit {
                way: error.path().iter().filter_map(step).collect(),
                message: error.inner().to_string(),
            })?;
        let read = serde_json::to_value(&seen).unwrap_or_default();
        match unknown(&whole, &read) {
            Some(mut way) => {
                way.reverse();
                let message = "the contract knows no such key (sdk/wit/policy.wit)".to_owned();
                Err(Unfit { way, message })
            }
            None if only_the_problem => {
                seen.conditions = vec![seen.episode.problem.clone()];
                Ok(seen)
            }
            None => Ok(seen),
        }
    }

    fn attempts(&mut self) -> Option<&mut Vec<Value>> {
        self.0.pointer_mut("/episode/attempts")?.as_array_mut()
    }
}

fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

fn step(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { variant } => Some(Step::Key(variant.clone())),
        Segment::Unknown => None,
    }
}

/// A key that was given and not read: the way to it, backwards.
fn unknown(given: &Value, read: &Value) -> Option<Vec<Step>> {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => given.iter().find_map(|(name, value)| {
            let inner = match read.get(name) {
                Some(read) => unknown(value, read),
                None => (!value.is_null()).then(Vec::new),
            };
            inner.map(|mut way| {
                way.push(key(name));
                way
            })
        }),
        (Value::Array(given), Value::Array(read)) => {
            given
                .iter()
                .zip(read)
                .enumerate()
                .find_map(|(at, (given, read))| {
                    let mut way = unknown(given, read)?;
                    way.push(Step::Index(at));
                    Some(way)
                })
        }
        _ => None,
    }
}

fn merge(base: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        base.clone_from(change);
        return;
    };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let Some(base) = base.as_object_mut() else {
        return;
    };
    for (key, value) in change {
        match (value, base.get_mut(key)) {
            (Value::Null, _) => {
                base.remove(key);
            }
            (value, Some(old)) => merge(old, value),
            (value, None) => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
