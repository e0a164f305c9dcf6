//! What the watches tell, reduced to the few facts that decisions read, and since when each has been so.
//!
//! `lastTransitionTime` is written by whoever reports a condition, and some report it wrong; so "for how long" counts
//! from our own first sight. A restart of ours begins that count anew: it can only make us wait longer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use rectifier_api::RepairPool;
use rectifier_core::clock::seconds_between;
use rectifier_core::name::{ConditionKind, NodeName};
use rectifier_core::policy::{Seconds, Status};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Flight;
use rectifier_core::repair::drain::{HeldBack, PodSeen};
use tokio::sync::Notify;

use crate::observe::node::conditions;
use crate::retention::Kept;
use crate::turn::Turns;

/// One condition as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) status: Status,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// Since when we have seen this status without a break.
    pub(crate) since: Timestamp,
}

/// A node, slim.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeFacts {
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) conditions: BTreeMap<ConditionKind, Sight>,
}

/// What a watch has told of one kind of object. A list that is under way counts only when it is whole: half of the pools
/// would make two that select a node look like one.
struct Listed<K, V> {
    whole: BTreeMap<K, V>,
    /// A list that has not ended yet.
    listing: Option<BTreeMap<K, V>>,
    /// One has ended.
    complete: bool,
}

impl<K, V> Default for Listed<K, V> {
    fn default() -> Self {
        Self {
            whole: BTreeMap::new(),
            listing: None,
            complete: false,
        }
    }
}

impl<K: Ord, V> Listed<K, V> {
    fn begins(&mut self) {
        self.listing = Some(BTreeMap::new());
    }

    /// What it does not name is gone.
    fn ends(&mut self) {
        if let Some(list) = self.listing.take() {
            self.whole = list;
            self.complete = true;
        }
    }

    fn set(&mut self, key: K, value: Option<V>) {
        let now = self.listing.as_mut().unwrap_or(&mut self.whole);
        match value {
            Some(value) => now.insert(key, value),
            None => now.remove(&key),
        };
    }
}

/// A kind of object that is watched beside nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pool,
    Repair,
}

#[derive(Default)]
struct State {
    nodes: BTreeMap<NodeName, NodeFacts>,
    /// Nodes seen in a list that has not ended yet.
    listing: Option<BTreeSet<NodeName>>,
    /// A list of nodes has ended.
    nodes_complete: bool,
    pools: Listed<String, RepairPool>,
    repairs: Listed<NodeName, Flight>,
    /// Repairs that are over, by their names.
    archived: Listed<String, Kept>,
    turns: Turns,
    held_back: BTreeMap<NodeName, Vec<HeldBack>>,
    told: BTreeMap<NodeName, BTreeMap<(Reason, String), Timestamp>>,
}

/// The cluster as the watches show it.
#[derive(Default)]
pub(crate) struct Cluster {
    state: Mutex<State>,
    changed: Notify,
}

/// What was told of a node is told again after this: Events are kept for an hour, unless the API server is told otherwise.
const TELL_AGAIN: Seconds = 3600;

impl Cluster {
    fn state(&self) -> MutexGuard<'_, State> {
        // a panic elsewhere leaves plain data behind, which the next event overwrites
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has every watch told everything once? Before that nothing can be decided: what was not named yet is not absent.
    pub(crate) fn is_complete(&self) -> bool {
        let state = self.state();
        state.nodes_complete && state.pools.complete && state.repairs.complete
    }

    /// Takes a node as it was just read, by the watch or by a GET.
    pub(crate) fn see(&self, node: &Node, now: Timestamp) -> Option<NodeName> {
        let name = NodeName::parse(node.metadata.name.clone()?).ok()?;
        let mut state = self.state();
        if let Some(listing) = &mut state.listing {
            listing.insert(name.clone());
        }
        let facts = state.nodes.entry(name.clone()).or_default();
        facts.uid = node.metadata.uid.clone().unwrap_or_default();
        facts.labels = node.metadata.labels.clone().unwrap_or_default();
        let mut before = std::mem::take(&mut facts.conditions);
        for (kind, mut sight) in conditions(node, now) {
            if let Some(old) = before.remove(&kind)
                && old.status == sight.status
            {
                sight.since = old.since;
            }
            facts.conditions.insert(kind, sight);
        }
        drop(state);
        self.has_changed();
        Some(name)
    }

    pub(crate) fn forget(&self, node: &NodeName) {
        let mut state = self.state();
        state.nodes.remove(node);
        state.held_back.remove(node);
        state.told.remove(node);
        drop(state);
        self.has_changed();
    }

    /// A full list of nodes begins: what it does not name is gone when it ends.
    pub(crate) fn nodes_begin(&self) {
        self.state().listing = Some(BTreeSet::new());
    }

    pub(crate) fn nodes_end(&self) {
        let mut state = self.state();
        if let Some(named) = state.listing.take() {
            state.nodes.retain(|name, _| named.contains(name));
            state.nodes_complete = true;
        }
    }

    /// A full list of that kind begins.
    pub(crate) fn list_begins(&self, kind: Kind) {
        let mut state = self.state();
        match kind {
            Kind::Pool => state.pools.begins(),
            Kind::Repair => {
                state.repairs.begins();
                state.archived.begins();
            }
        }
    }

    /// It is whole, and replaces what was known.
    pub(crate) fn list_ends(&self, kind: Kind) {
        let mut state = self.state();
        match kind {
            Kind::Pool => state.pools.ends(),
            Kind::Repair => {
                state.repairs.ends();
                state.archived.ends();
            }
        }
        drop(state);
        self.has_changed();
    }

    /// Whether there is more in it than another status.
    pub(crate) fn see_pool(&self, name: String, pool: Option<RepairPool>) -> bool {
        let mut state = self.state();
        let rules = |pool: &RepairPool| (pool.spec.clone(), pool.metadata.annotations.clone());
        let before = state.pools.whole.get(&name).map(rules);
        let is_new = before != pool.as_ref().map(rules);
        state.pools.set(name, pool);
        drop(state);
        self.has_changed();
        is_new
    }

    pub(crate) fn see_repair(&self, node: NodeName, flight: Option<Flight>) {
        self.state().repairs.set(node, flight);
        self.has_changed();
    }

    pub(crate) fn see_archived(&self, name: String, kept: Option<Kept>) {
        self.state().archived.set(name, kept);
    }

    /// The repairs that are over.
    pub(crate) fn archived(&self) -> Vec<(String, Kept)> {
        let state = self.state();
        let all = state.archived.whole.iter();
        all.map(|(name, kept)| (name.clone(), kept.clone()))
            .collect()
    }

    /// Takes the turn of a pool for this node, or says who is before it.
    pub(crate) fn take_turn(
        &self,
        pool: &str,
        me: (Timestamp, &NodeName),
        now: Timestamp,
    ) -> Result<(), String> {
        let state = &mut *self.state();
        state.turns.take(pool, me, &state.repairs.whole, now)
    }

    /// This node's repair is over, or wants to begin no more.
    pub(crate) fn leave_turn(&self, node: &NodeName) {
        self.state().turns.leave(node);
    }

    /// The nodes whose repairs are in flight.
    pub(crate) fn in_flight(&self, now: Timestamp) -> Vec<NodeName> {
        let state = self.state();
        let all = state.repairs.whole.iter();
        let own = all.filter(|(_, flight)| flight.counts(now));
        own.map(|(node, _)| node.clone()).collect()
    }

    /// Something was told that a pool's status may rest on.
    pub(crate) fn has_changed(&self) {
        self.changed.notify_one();
    }

    /// Waits until something is.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The nodes that have an open repair.
    pub(crate) fn in_repair(&self) -> Vec<NodeName> {
        self.state().repairs.whole.keys().cloned().collect()
    }

    /// All pools, in the order of their names.
    pub(crate) fn pools(&self) -> Vec<RepairPool> {
        self.state().pools.whole.values().cloned().collect()
    }

    /// Keeps what the API server said of the pods that it now refused to evict, in a repair of this node. Of those that were not
    /// asked for it keeps what it said before.
    pub(crate) fn hold_back(&self, node: &NodeName, asked: &[PodSeen], refused: Vec<HeldBack>) {
        let mut state = self.state();
        let held = state.held_back.entry(node.clone()).or_default();
        held.retain(|held| asked.iter().all(|pod| pod.uid != held.pod));
        held.extend(refused);
    }

    /// Forgets what it said of pods that are not there any more.
    pub(crate) fn let_go(&self, node: &NodeName, pods: &[PodSeen]) {
        let mut state = self.state();
        if let Some(held) = state.held_back.get_mut(node) {
            held.retain(|held| pods.iter().any(|pod| pod.uid == held.pod));
        }
    }

    /// See [`Self::hold_back`].
    pub(crate) fn held_back(&self, node: &NodeName) -> Vec<HeldBack> {
        let state = self.state();
        state.held_back.get(node).cloned().unwrap_or_default()
    }

    /// Is this news about the node, which has no repair that would remember what was told? If so, it is told now.
    pub(crate) fn is_news(
        &self,
        node: &NodeName,
        reason: Reason,
        detail: &str,
        now: Timestamp,
    ) -> bool {
        let mut state = self.state();
        let told = state.told.entry(node.clone()).or_default();
        told.retain(|_, at| seconds_between(*at, now) < TELL_AGAIN);
        let words = (reason, detail.to_owned());
        let known = told.contains_key(&words);
        told.entry(words).or_insert(now);
        !known
    }

    /// It could not be told after all: the next time it is news again.
    pub(crate) fn was_not_told(&self, node: &NodeName, reason: Reason, detail: &str) {
        if let Some(told) = self.state().told.get_mut(node) {
            told.remove(&(reason, detail.to_owned()));
        }
    }

    /// All nodes with their facts.
    pub(crate) fn nodes(&self) -> Vec<(NodeName, NodeFacts)> {
        self.state()
            .nodes
            .iter()
            .map(|(name, facts)| (name.clone(), facts.clone()))
            .collect()
    }

    pub(crate) fn facts(&self, node: &NodeName) -> Option<NodeFacts> {
        self.state().nodes.get(node).cloned()
    }

    /// For how long a condition has been seen with its present status.
    pub(crate) fn held(
        &self,
        node: &NodeName,
        kind: &str,
        now: Timestamp,
    ) -> Option<(Status, Seconds)> {
        let state = self.state();
        let kind = ConditionKind::parse(kind).ok()?;
        let sight = state.nodes.get(node)?.conditions.get(&kind)?;
        Some((sight.status, seconds_between(sight.since, now)))
    }
}

#[cfg(test)]
mod tests {
    use rectifier_api::RepairPoolSpec;

    use super::*;

    fn pool(name: &str) -> (String, Option<RepairPool>) {
        let spec: RepairPoolSpec =
            serde_json::from_value(serde_json::json!({"nodeSelector": {}})).unwrap();
        (name.to_owned(), Some(RepairPool::new(name, spec)))
    }

    fn names(cluster: &Cluster) -> Vec<String> {
        cluster
            .pools()
            .into_iter()
            .filter_map(|pool| pool.metadata.name)
            .collect()
    }

    fn list(cluster: &Cluster, pools: &[&str]) {
        cluster.list_begins(Kind::Pool);
        for name in pools {
            let (name, pool) = pool(name);
            cluster.see_pool(name, pool);
        }
    }

    #[test]
    fn a_pool_that_was_deleted_while_the_watch_was_cut_is_gone() {
        let cluster = Cluster::default();
        list(&cluster, &["one", "two"]);
        cluster.list_ends(Kind::Pool);
        assert_eq!(names(&cluster), ["one", "two"]);
        list(&cluster, &["two"]);
        cluster.list_ends(Kind::Pool);
        assert_eq!(names(&cluster), ["two"]);
    }

    #[test]
    fn half_a_list_is_no_list() {
        let cluster = Cluster::default();
        list(&cluster, &["one", "two"]);
        cluster.list_ends(Kind::Pool);
        list(&cluster, &["one"]);
        assert_eq!(names(&cluster), ["one", "two"], "until it is whole");
        // it broke off, and begins again
        list(&cluster, &["three"]);
        cluster.list_ends(Kind::Pool);
        assert_eq!(names(&cluster), ["three"]);
    }

    #[test]
    fn a_repair_that_ended_while_the_watch_was_cut_is_none() {
        let cluster = Cluster::default();
        let node = NodeName::parse("worker-1").unwrap();
        let flight = Flight::of(&rectifier_core::repair::Record::default());
        cluster.see_repair(node.clone(), Some(flight));
        assert_eq!(cluster.in_repair(), [node]);
        cluster.list_begins(Kind::Repair);
        cluster.list_ends(Kind::Repair);
        assert!(cluster.in_repair().is_empty());
    }

    #[test]
    fn nothing_is_decided_before_every_watch_has_told_everything() {
        let cluster = Cluster::default();
        cluster.nodes_begin();
        cluster.nodes_end();
        list(&cluster, &["one"]);
        cluster.list_begins(Kind::Repair);
        cluster.list_ends(Kind::Repair);
        assert!(!cluster.is_complete());
        cluster.list_ends(Kind::Pool);
        assert!(cluster.is_complete());
    }

    #[test]
    fn what_was_told_is_told_again_when_it_changes_or_is_forgotten_by_the_api_server() {
        let cluster = Cluster::default();
        let node = NodeName::parse("worker-1").unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let news = |reason, second| cluster.is_news(&node, reason, "ProxyUnhealthy", at(second));
        assert!(news(Reason::NoPool, 0));
        assert!(!news(Reason::NoPool, 10));
        assert!(news(Reason::TwoPools, 20));
        assert!(!news(Reason::TwoPools, 30));
        assert!(news(Reason::TwoPools, 20 + i64::from(TELL_AGAIN)));
    }
}
