//! What DELETE means: preconditions, finalizers, the grace of pods.

use rectifier_core::clock::Timestamp;
use serde_json::{Value, json};

use super::{Done, Part, Verb};
use crate::kubernetes::admission::Operation;
use crate::kubernetes::answer::Refusal;
use crate::kubernetes::kind::{Kind, POD};
use crate::kubernetes::object::{at, finalizers, is_being_deleted, meta, metadata, stamp};

impl Verb<'_> {
    pub(in crate::kubernetes) fn delete(
        &mut self,
        namespace: Option<&str>,
        name: &str,
        options: &Value,
    ) -> Result<Done, Refusal> {
        let key = self.key(namespace, name);
        let before = self.found(&key)?;
        for (field, told) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
            let (wanted, is) = (&options["preconditions"][field], meta(&before, field));
            if let Some(wanted) = wanted.as_str().filter(|wanted| *wanted != is) {
                let why = format!(
                    "Precondition failed: {told} in precondition: {wanted}, {told} in object meta: {is}"
                );
                return Err(Refusal::conflict(&self.kind.qualified(), name, &why));
            }
        }
        if let Some(policy @ ("Foreground" | "Orphan")) = options["propagationPolicy"].as_str() {
            return Err(Refusal::bad_request(format!(
                "the world knows no propagation {policy}"
            )));
        }
        self.admit(Operation::Delete, Part::Main, [&before, &Value::Null])?;
        let grace = self.grace(&before, options);
        if finalizers(&before).is_empty() && grace == 0 {
            let last = match self.dry {
                true => before,
                false => self.store.remove(&key).unwrap_or(before),
            };
            return Ok(Done::Gone(last));
        }
        if is_being_deleted(&before) {
            let left = before["metadata"]["deletionGracePeriodSeconds"].as_u64();
            if left.is_some_and(|left| left <= grace) {
                return Ok(Done::Is(before));
            }
        }
        // Nobody's field.
        self.store.by = None;
        let mut after = before.as_ref().clone();
        let fields = metadata(&mut after);
        fields.insert("deletionTimestamp".to_owned(), stamp(self.later(grace)));
        fields.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
        if let Some(generation) = fields.get("generation").and_then(Value::as_u64) {
            fields.insert("generation".to_owned(), (generation + 1).into());
        }
        Ok(Done::Is(self.put(key, after)))
    }

    fn later(&self, seconds: u64) -> Timestamp {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let second = self.now.as_second().saturating_add(seconds);
        Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
    }

    /// How long it may take to end. Only what runs on a node needs time.
    fn grace(&self, object: &Value, options: &Value) -> u64 {
        let is_over = ["Succeeded", "Failed"].contains(
            &at(object, &["status", "phase"])
                .as_str()
                .unwrap_or_default(),
        );
        let is_placed = at(object, &["spec", "nodeName"])
            .as_str()
            .is_some_and(|node| !node.is_empty());
        if !self.kind.is(POD) || is_over || !is_placed {
            return 0;
        }
        let usual = at(object, &["spec", "terminationGracePeriodSeconds"]).as_u64();
        options["gracePeriodSeconds"]
            .as_u64()
            .or(usual)
            .unwrap_or(30)
    }
}

/// Kinds that are answered with the object that is gone, as their registries have it; the others with a word.
const RETURNED: [&str; 4] = [POD, "PersistentVolume", "PersistentVolumeClaim", "CSINode"];

/// How a deletion is answered: with what is still there, or with a word.
pub(in crate::kubernetes) fn told_of_deletion(kind: &Kind, done: &Done) -> Value {
    match done {
        Done::Is(object) | Done::Made(object) => object.as_ref().clone(),
        Done::Gone(object) if RETURNED.iter().any(|one| kind.is(one)) => object.as_ref().clone(),
        Done::Gone(object) => {
            let mut status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {"name": meta(object, "name"), "kind": kind.plural, "uid": meta(object, "uid")},
            });
            if !kind.group.is_empty() {
                status["details"]["group"] = kind.group.clone().into();
            }
            status
        }
    }
}
