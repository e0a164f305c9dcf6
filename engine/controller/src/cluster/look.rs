//! What is asked of all nodes together, answered from what is kept of those that ail.

use std::collections::BTreeSet;
use std::sync::Arc;

use rectifier_api::RepairPool;
use rectifier_core::name::{ConditionKind, NodeName};
use rectifier_core::policy::{Group, SiteKind, Status};
use rectifier_core::reason::Reason;
use rectifier_core::repair::{NoRules, Phase, Short};
use rectifier_core::standing::{Look, standing};
use rectifier_policy_host::Set;

use super::Cluster;
use super::node::Kept;

/// A node with a problem, or in repair, and the one reason that stands on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sick {
    /// Which.
    pub node: NodeName,
    /// Its pool; empty if it is in no one pool.
    pub pool: String,
    /// Its repair's phase, if it has an open one.
    pub phase: Option<Phase>,
    /// Why it is being repaired, or is not.
    pub reason: Reason,
}

impl Cluster {
    /// The nodes that have to be looked at at all: those with a problem, and those in repair.
    pub(crate) fn concerned(&self) -> Vec<NodeName> {
        let state = self.state();
        let all: BTreeSet<&NodeName> = state
            .sick
            .iter()
            .chain(state.repairs.whole.keys())
            .collect();
        all.into_iter().cloned().collect()
    }

    /// The one pool that selects the node.
    pub(crate) fn pool_of(&self, node: &NodeName) -> Result<Arc<RepairPool>, NoRules> {
        let state = self.state();
        let kept = state.nodes.get(node).ok_or(NoRules::NoPool)?;
        let name = kept.place.pool.as_ref().map_err(|none| *none)?;
        let pool = state.pools.whole.get(&**name).ok_or(NoRules::NoPool)?;
        Ok(pool.object.clone())
    }

    /// The pool of this name.
    pub(crate) fn pool(&self, name: &str) -> Option<Arc<RepairPool>> {
        let state = self.state();
        Some(state.pools.whole.get(name)?.object.clone())
    }

    /// Another node of the pool whose server has gone first, and whose replacement is not there yet.
    pub(crate) fn short(&self, pool: &str, but: &NodeName) -> Option<Short> {
        self.state().short(pool, but)
    }

    /// The node's pool, its zone within it, and the nodes of it with this problem.
    pub(crate) fn groups(&self, node: &NodeName, problem: &str) -> [Group; 3] {
        let state = self.state();
        let [mut pool, mut zone, mut same] = [Group::default(); 3];
        let Some(own) = state.nodes.get(node) else {
            return [pool, zone, same];
        };
        let Ok(name) = &own.place.pool else {
            return [pool, zone, same];
        };
        (pool.nodes, zone.nodes) = state.members.count(name, &own.place.zone);
        let in_pool = |name: &NodeName| {
            let kept = state.nodes.get(name)?;
            (kept.place.pool == own.place.pool).then_some(kept)
        };
        let has = |kept: &Kept| matches!(kept.held(problem), Some((Status::Yes, _)));
        for kept in state.sick.iter().filter_map(in_pool) {
            pool.sick += 1;
            zone.sick += u32::from(kept.place.zone == own.place.zone);
            same.sick += u32::from(has(kept));
        }
        same.nodes = same.sick;
        for kept in state.repairs.whole.keys().filter_map(in_pool) {
            pool.repairing += 1;
            zone.repairing += u32::from(kept.place.zone == own.place.zone);
            same.repairing += u32::from(has(kept));
        }
        [pool, zone, same]
    }

    /// Every node with a problem or in repair, each with its one reason.
    pub(crate) fn sick(&self, policies: &Set) -> Vec<Sick> {
        let state = self.state();
        let all: BTreeSet<&NodeName> = state
            .sick
            .iter()
            .chain(state.repairs.whole.keys())
            .collect();
        let handles = |kind: &str| {
            let kind = ConditionKind::parse(kind);
            kind.is_ok_and(|kind| policies.handles(&kind, SiteKind::ControlPlane))
        };
        let stands = |name: &NodeName| {
            let kept = state.nodes.get(name);
            let pool = kept.map_or(Err(NoRules::NoPool), |kept| kept.place.pool.clone());
            let stands = standing(&Look {
                repair: state
                    .repairs
                    .whole
                    .get(name)
                    .map(|open| (open.flight.phase, open.reason)),
                sick: state.sick.contains(name),
                handled: kept.is_some_and(|kept| kept.problems().any(handles)),
                pool: pool.as_ref().map(drop).map_err(|none| *none),
                held: state.held.get(name).copied(),
            })?;
            Some(Sick {
                node: name.clone(),
                pool: pool.map(|pool| pool.to_string()).unwrap_or_default(),
                phase: stands.phase,
                reason: stands.reason,
            })
        };
        all.into_iter().filter_map(stands).collect()
    }
}
