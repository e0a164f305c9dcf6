//! Objects that were there before the world began, as they were: with their UIDs, times and status.

use serde_json::{Map, Value, json};

use super::object::{map_of, meta, metadata};
use super::store::Key;
use super::{ApiServer, eviction};
use crate::landing::lock;

impl ApiServer {
    /// Another one as soon as an object of these kinds is made, changed or gone: how many there are, and the newest revision.
    pub fn mark(&self, kinds: &[&str]) -> (usize, u64) {
        let objects = kinds.iter().flat_map(|kind| self.objects(kind));
        let revision = |object: &Value| meta(object, "resourceVersion").parse().unwrap_or(0);
        objects.fold((0, 0), |(count, newest), object| {
            (count + 1, newest.max(revision(&object)))
        })
    }

    /// Puts an object of that kind where it is to be; its namespace is made if need be. One without a UID gets one.
    pub(crate) fn give(&self, qualified: &str, mut object: Value) {
        let namespace = meta(&object, "namespace").to_owned();
        if !namespace.is_empty() {
            self.make("namespaces", None, json!({"metadata": {"name": namespace}}));
        }
        let mut store = lock(&self.inner.store);
        let mut kinds = store.kinds.iter();
        let Some(kind) = kinds.find(|kind| kind.qualified() == qualified).cloned() else {
            return;
        };
        let uid = store.uid();
        let fields: &mut Map<String, Value> = map_of(&mut object);
        fields.insert("apiVersion".to_owned(), kind.api_version().into());
        fields.insert("kind".to_owned(), kind.kind.clone().into());
        metadata(&mut object)
            .entry("uid")
            .or_insert_with(|| uid.into());
        let key = Key {
            stored_as: qualified.to_owned(),
            namespace,
            name: meta(&object, "name").to_owned(),
        };
        store.put(key, object);
    }

    /// Counts what the budgets of these namespaces allow, when all of their pods are there.
    pub(crate) fn settle_budgets<'a>(&self, namespaces: impl IntoIterator<Item = &'a str>) {
        let mut store = lock(&self.inner.store);
        for namespace in namespaces {
            store.settled = 0;
            eviction::settle(&mut store, namespace);
        }
    }
}
