//! The objects, in their order, and what has changed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::admission::Policy;
use super::apply::Writer;
use super::kind::Kind;
use super::label::is_in;
use super::object::metadata;
use crate::record::Record;
use crate::told::{Teller, Told};

/// Where an object is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) stored_as: String,
    /// Empty for what is the cluster's.
    pub(super) namespace: String,
    pub(super) name: String,
}

/// One change of one object.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) revision: u64,
    pub(super) key: Key,
    pub(super) before: Option<Arc<Value>>,
    /// `None`: it is gone. What it was last is `before`, with this revision.
    pub(super) after: Option<Arc<Value>>,
    /// `None`: nobody who manages fields.
    pub(super) by: Option<Arc<Writer>>,
}

/// Makes of a change what a watch is told of it, if that concerns it.
type Tells = Box<dyn Fn(&Change) -> Option<Bytes> + Send>;

/// A watch. It is asked here whether a change concerns it, so that those sleep on which it does not.
struct Listener {
    told: Tells,
    hears: UnboundedSender<(u64, Bytes)>,
}

/// The rest of a list that is read in pages, as it was when its first page was read.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) revision: u64,
    pub(super) items: VecDeque<Arc<Value>>,
}

/// The kinds whose changes kubelets and controllers act on. The others, Leases and Events above all, change more often than
/// these.
const OF_NATURE: [&str; 8] = [
    "configmaps",
    "daemonsets.apps",
    "deployments.apps",
    "namespaces",
    "nodes",
    "pods",
    "replicasets.apps",
    "secrets",
];

/// Whoever lives renews one every few seconds.
const HEARTBEATS: &str = "leases.coordination.k8s.io";

/// Lists that are read in pages at the same time; the oldest is forgotten, as after a compaction.
const PAGES: usize = 64;

pub(super) struct Store {
    pub(super) kinds: Vec<Arc<Kind>>,
    objects: BTreeMap<Key, Arc<Value>>,
    revision: u64,
    changes: VecDeque<Arc<Change>>,
    history: usize,
    /// Changes up to this one are forgotten.
    forgotten: u64,
    /// By kind.
    listeners: BTreeMap<String, Vec<Listener>>,
    /// Told of each change that kubelets and controllers care about.
    told: Teller,
    /// Told of each change of anything but a heartbeat.
    last: Teller,
    /// The budgets are counted up to this one.
    pub(super) settled: u64,
    /// By kind: the revision of its last change.
    latest: BTreeMap<String, u64>,
    pages: VecDeque<(String, Rest)>,
    pub(super) record: Record,
    /// What admission refuses.
    pub(super) policies: Vec<Policy>,
    /// Who writes now.
    pub(super) by: Option<Arc<Writer>>,
    chance: fastrand::Rng,
}

impl Store {
    /// As a new cluster is: with the namespaces that every one has.
    pub(super) fn new(history: usize, chance: fastrand::Rng) -> Self {
        let mut store = Self {
            kinds: Kind::built_in().into_iter().map(Arc::new).collect(),
            objects: BTreeMap::new(),
            // Not from 1, and not one by one: nobody may count on it.
            revision: 100,
            changes: VecDeque::new(),
            history,
            forgotten: 0,
            listeners: BTreeMap::new(),
            told: Teller::default(),
            last: Teller::default(),
            settled: 0,
            latest: BTreeMap::new(),
            pages: VecDeque::new(),
            record: Record::default(),
            policies: Vec::new(),
            by: None,
            chance,
        };
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            let key = Key {
                stored_as: "namespaces".to_owned(),
                namespace: String::new(),
                name: name.to_owned(),
            };
            let uid = store.uid();
            let object = json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": name, "uid": uid, "labels": {"kubernetes.io/metadata.name": name}},
                "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
            });
            store.put(key, object);
        }
        store
    }

    pub(super) fn kind(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        let is_it = |kind: &&Arc<Kind>| {
            kind.group == group && kind.version == version && kind.plural == plural
        };
        self.kinds.iter().find(is_it).cloned()
    }

    /// Is there any kind of this group and version?
    pub(super) fn serves(&self, group: &str, version: &str) -> bool {
        let is_of = |kind: &Arc<Kind>| kind.group == group && kind.version == version;
        self.kinds.iter().any(is_of)
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.objects.get(key).cloned()
    }

    /// Of one kind, by namespace and name.
    pub(super) fn all<'a>(
        &'a self,
        stored_as: &'a str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        let first = Key {
            stored_as: stored_as.to_owned(),
            namespace: namespace.unwrap_or_default().to_owned(),
            name: String::new(),
        };
        self.objects
            .range(first..)
            .take_while(move |(key, _)| key.stored_as == stored_as)
            .take_while(move |(key, _)| namespace.is_none_or(|wanted| key.namespace == wanted))
            .filter(move |(_, object)| is_in(object, namespace))
    }

    /// Stores it, under a new revision.
    pub(super) fn put(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        self.revise(&mut object);
        let object = Arc::new(object);
        let before = self.objects.insert(key.clone(), object.clone());
        self.changed(key, before, Some(object.clone()));
        object
    }

    /// Removes it; what it was last, under the revision of its removal.
    pub(super) fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        let mut last = self.objects.remove(key)?.as_ref().clone();
        self.revise(&mut last);
        let last = Arc::new(last);
        self.changed(key.clone(), Some(last.clone()), None);
        Some(last)
    }

    fn revise(&mut self, object: &mut Value) {
        self.revision += self.chance.u64(1..=3);
        let revision = Value::String(self.revision.to_string());
        metadata(object).insert("resourceVersion".to_owned(), revision);
    }

    fn changed(&mut self, key: Key, before: Option<Arc<Value>>, after: Option<Arc<Value>>) {
        if OF_NATURE.contains(&key.stored_as.as_str()) {
            self.told.tell();
        }
        if key.stored_as != HEARTBEATS {
            self.last.tell();
        }
        match self.latest.get_mut(&key.stored_as) {
            Some(latest) => *latest = self.revision,
            None => drop(self.latest.insert(key.stored_as.clone(), self.revision)),
        }
        self.record
            .object((&key.stored_as, &key.name), before.as_ref(), after.as_ref());
        let change = Arc::new(Change {
            revision: self.revision,
            key,
            before,
            after,
            by: self.by.clone(),
        });
        if let Some(listeners) = self.listeners.get_mut(&change.key.stored_as) {
            listeners.retain(|Listener { told, hears }| match told(&change) {
                Some(line) => hears.send((change.revision, line)).is_ok(),
                None => !hears.is_closed(),
            });
        }
        self.changes.push_back(change);
        while self.changes.len() > self.history {
            self.forget_one();
        }
    }

    fn forget_one(&mut self) {
        if let Some(change) = self.changes.pop_front() {
            self.forgotten = change.revision;
        }
    }

    pub(super) fn forget_history(&mut self) {
        while !self.changes.is_empty() {
            self.forget_one();
        }
        self.pages.clear();
    }

    pub(super) fn cut_watches(&mut self) {
        self.listeners.clear();
    }

    /// What is `told` of all changes of a kind from now on, each with its revision.
    pub(super) fn listen(
        &mut self,
        stored_as: String,
        told: Tells,
    ) -> UnboundedReceiver<(u64, Bytes)> {
        let (hears, heard) = unbounded_channel();
        let listeners = self.listeners.entry(stored_as).or_default();
        // Those who have gone are forgotten though nothing of their kind changes.
        listeners.retain(|listener| !listener.hears.is_closed());
        listeners.push(Listener { told, hears });
        heard
    }

    /// Each change that kubelets and controllers care about.
    pub(super) fn told(&self) -> Told {
        self.told.told()
    }

    /// Each change of anything but a heartbeat.
    pub(super) fn last(&self) -> Told {
        self.last.told()
    }

    /// The revision of the last change of these kinds.
    pub(super) fn latest(&self, kinds: &[&str]) -> u64 {
        let latest = kinds.iter().filter_map(|kind| self.latest.get(*kind));
        latest.max().copied().unwrap_or_default()
    }

    /// What has changed since; `None` if that is forgotten.
    pub(super) fn since(&self, revision: u64) -> Option<Vec<Arc<Change>>> {
        if revision < self.forgotten {
            return None;
        }
        let later = self
            .changes
            .iter()
            .filter(|change| change.revision > revision);
        Some(later.cloned().collect())
    }

    /// What is remembered of one object's changes, in their order.
    pub(super) fn history<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Change> {
        let changes = self.changes.iter().map(AsRef::as_ref);
        changes.filter(move |change| change.key == *key)
    }

    /// The few changes after a revision of a moment ago; `None` if that is forgotten.
    pub(super) fn changes_after(&self, revision: u64) -> Option<Vec<Arc<Change>>> {
        if revision < self.forgotten {
            return None;
        }
        let newest = self.changes.iter().rev();
        let later = newest.take_while(|change| change.revision > revision);
        Some(later.cloned().collect())
    }

    /// Keeps the rest of a list; by what it is asked for.
    pub(super) fn keep_rest(&mut self, rest: Rest) -> String {
        let token = format!("{:016x}", self.chance.u64(..));
        if self.pages.len() >= PAGES {
            self.pages.pop_front();
        }
        self.pages.push_back((token.clone(), rest));
        token
    }

    pub(super) fn rest(&mut self, token: &str) -> Option<Rest> {
        let at = self.pages.iter().position(|(known, _)| known == token)?;
        self.pages.remove(at).map(|(_, rest)| rest)
    }

    /// Five letters, as the API server appends them to a `generateName`.
    pub(super) fn suffix(&mut self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let letter = |_| char::from(LETTERS[self.chance.usize(..LETTERS.len())]);
        (0..5).map(letter).collect()
    }

    pub(super) fn uid(&mut self) -> String {
        let drawn = format!("{:032x}", self.chance.u128(..));
        let (a, b, c, d) = (&drawn[..8], &drawn[8..12], &drawn[13..16], &drawn[17..20]);
        format!("{a}-{b}-4{c}-8{d}-{}", &drawn[20..])
    }
}
