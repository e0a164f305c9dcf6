//! How the world's own parts, kubelets and controllers, read and write: at once, without a request.

use std::sync::Arc;

use rectifier_core::clock::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::store::Store;
use super::verb::{Part, Verb};
use super::{ApiServer, eviction};
use crate::landing::lock;
use crate::told::Told;

/// An object as it is stored.
pub(crate) type Object = Arc<Value>;

impl ApiServer {
    /// The world's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Told of every change of a kind that kubelets and controllers act on.
    pub(crate) fn listen(&self) -> Told {
        lock(&self.inner.store).told()
    }

    /// Told of every change of anything but a Lease, without a request. Who waits for something need not look
    /// while there is none.
    pub fn changes(&self) -> Told {
        lock(&self.inner.store).last()
    }

    /// The revision of the last change of these kinds.
    pub(crate) fn latest(&self, qualified: &[&str]) -> u64 {
        lock(&self.inner.store).latest(qualified)
    }

    /// All objects of a kind, by its qualified plural (`noderepairs.rectifier.dev`), as they are at this moment, without a
    /// request. What is no `K` is left out.
    pub fn all<K: DeserializeOwned>(&self, qualified: &str) -> Vec<K> {
        let store = lock(&self.inner.store);
        let kind = store
            .kinds
            .iter()
            .find(|kind| kind.qualified() == qualified);
        let Some(kind) = kind else {
            return Vec::new();
        };
        let stored_as = kind.stored_as();
        let objects = store.all(&stored_as, None);
        let typed = objects.map(|(_, object)| K::deserialize(&*kind.shown(object)));
        typed.filter_map(Result::ok).collect()
    }

    /// All objects of a kind, by its qualified plural.
    pub(crate) fn objects(&self, qualified: &str) -> Vec<Object> {
        let store = lock(&self.inner.store);
        store
            .all(qualified, None)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Makes an object, unless it may not be made (its namespace is going, its name is taken).
    pub(crate) fn make(&self, qualified: &str, namespace: Option<&str>, object: Value) {
        self.act(qualified, namespace, Part::Main, |verb| {
            drop(verb.create(namespace, object));
        });
    }

    /// Changes an object, if it is still there: the status half, or the main one.
    pub(crate) fn change(
        &self,
        qualified: &str,
        object: &Value,
        is_status: bool,
        change: impl FnOnce(&mut Value),
    ) {
        let part = match is_status {
            true => Part::Status,
            false => Part::Main,
        };
        let (namespace, name) = place(object);
        self.act(qualified, namespace, part, |verb| {
            let patch = |object: &mut Value| {
                change(object);
                // Whatever was written since it was read stays.
                Ok(())
            };
            drop(verb.patch(namespace, name, patch, part));
        });
    }

    /// A pod has ended: its kubelet removes it.
    pub(crate) fn end(&self, pod: &Value) {
        let (namespace, name) = place(pod);
        self.act("pods", namespace, Part::Main, |verb| {
            drop(verb.delete(namespace, name, &json!({"gracePeriodSeconds": 0})));
        });
    }

    /// Removes an object, if it is still the same as when it was read.
    pub(crate) fn remove(&self, qualified: &str, object: &Value) {
        let (namespace, name) = place(object);
        let of = &object["metadata"];
        let same =
            json!({"preconditions": {"uid": of["uid"], "resourceVersion": of["resourceVersion"]}});
        self.act(qualified, namespace, Part::Main, |verb| {
            drop(verb.delete(namespace, name, &same));
        });
    }

    fn act(
        &self,
        qualified: &str,
        namespace: Option<&str>,
        part: Part,
        act: impl FnOnce(&mut Verb<'_>),
    ) {
        let mut store = lock(&self.inner.store);
        let store: &mut Store = &mut store;
        let found = store
            .kinds
            .iter()
            .find(|kind| kind.qualified() == qualified);
        let Some(kind) = found.cloned() else {
            return;
        };
        store.by = Some(self.inner.nature[usize::from(part == Part::Status)].clone());
        act(&mut Verb {
            kind,
            who: self.inner.itself.clone(),
            now: self.inner.clock.now(),
            dry: false,
            strict: false,
            store,
        });
        if let Some(namespace) = namespace {
            eviction::settle(store, namespace);
        }
    }
}

fn place(object: &Value) -> (Option<&str>, &str) {
    let metadata = &object["metadata"];
    (
        metadata["namespace"].as_str(),
        metadata["name"].as_str().unwrap_or_default(),
    )
}
