//! What the watches tell, reduced to the few facts that decisions read, and since when each has been so.
//!
//! `lastTransitionTime` is written by whoever reports a condition, and some report it wrong; so "for how long" counts
//! from our own first sight. A restart of ours begins that count anew: it can only make us wait longer.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use rectifier_api::RepairPool;
use rectifier_core::clock::seconds_between;
use rectifier_core::name::{ConditionKind, NodeName};
use rectifier_core::policy::{Seconds, Status};

use crate::observe::node::conditions;

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
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) conditions: BTreeMap<ConditionKind, Sight>,
}

#[derive(Default)]
struct State {
    nodes: BTreeMap<NodeName, NodeFacts>,
    /// Nodes seen in a list that has not ended yet.
    listing: Option<Vec<NodeName>>,
    pools: BTreeMap<String, RepairPool>,
    repairs: BTreeMap<NodeName, String>,
}

/// The cluster as the watches show it.
#[derive(Default)]
pub(crate) struct Cluster {
    state: Mutex<State>,
}

impl Cluster {
    fn state(&self) -> MutexGuard<'_, State> {
        // a panic elsewhere leaves plain data behind, which the next event overwrites
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a node as it was just read, by the watch or by a GET.
    pub(crate) fn see(&self, node: &Node, now: Timestamp) -> Option<NodeName> {
        let name = NodeName::parse(node.metadata.name.clone()?).ok()?;
        let mut state = self.state();
        if let Some(listing) = &mut state.listing {
            listing.push(name.clone());
        }
        let facts = state.nodes.entry(name.clone()).or_default();
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
        Some(name)
    }

    pub(crate) fn forget(&self, node: &NodeName) {
        self.state().nodes.remove(node);
    }

    /// A full list begins: what it does not name is gone when it ends.
    pub(crate) fn list_begins(&self) {
        self.state().listing = Some(Vec::new());
    }

    pub(crate) fn list_ends(&self) {
        let mut state = self.state();
        if let Some(named) = state.listing.take() {
            state.nodes.retain(|name, _| named.contains(name));
        }
    }

    pub(crate) fn see_pool(&self, name: String, pool: Option<RepairPool>) {
        match pool {
            Some(pool) => self.state().pools.insert(name, pool),
            None => self.state().pools.remove(&name),
        };
    }

    pub(crate) fn see_repair(&self, node: NodeName, phase: Option<String>) {
        match phase {
            Some(phase) => self.state().repairs.insert(node, phase),
            None => self.state().repairs.remove(&node),
        };
    }

    /// The nodes that have an open repair.
    pub(crate) fn in_repair(&self) -> Vec<NodeName> {
        self.state().repairs.keys().cloned().collect()
    }

    /// All pools, in the order of their names.
    pub(crate) fn pools(&self) -> Vec<RepairPool> {
        self.state().pools.values().cloned().collect()
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
