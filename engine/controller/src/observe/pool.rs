//! What the rules of a node's pool are.

use std::sync::Arc;

use kube::ResourceExt;
use rectifier_api::{Mode, Provisioning, RepairPool};
use rectifier_core::name::{ConditionKind, NodeName};
use rectifier_core::policy::Seconds;
use rectifier_core::repair::drain::DrainRules;
use rectifier_core::repair::{NoCapacity, NoRules, PAUSED, Record, Rules};
use rectifier_core::standing::NOT_READY;

use crate::cluster::Cluster;

/// The rules for a node, and how its pool makes replacements.
pub(crate) fn of(
    cluster: &Cluster,
    node: &NodeName,
) -> (Result<Rules, NoRules>, Option<Provisioning>) {
    told(cluster.pool_of(node))
}

/// The same for a repair: when its Node is gone, or there is no way back, the pool by whose rules it began says how it ends.
pub(crate) fn of_repair(
    cluster: &Cluster,
    node: &NodeName,
    record: &Record,
) -> (Result<Rules, NoRules>, Option<Provisioning>) {
    match gone(cluster, node, record) {
        Some(pool) => told(Ok(pool)),
        None => of(cluster, node),
    }
}

/// The pool by whose rules a repair began, if its Node is gone, or there is no way back: whatever a Node says that came in its place.
fn gone(cluster: &Cluster, node: &NodeName, record: &Record) -> Option<Arc<RepairPool>> {
    let began = record.pool.as_deref().and_then(|pool| cluster.pool(pool));
    let stays = record.side().is_past_return() || cluster.facts(node).is_none();
    began.filter(|_| stays)
}

/// The pool whose rules are a repair's.
pub(crate) fn object(
    cluster: &Cluster,
    node: &NodeName,
    record: &Record,
) -> Option<Arc<RepairPool>> {
    gone(cluster, node, record).or_else(|| cluster.pool_of(node).ok())
}

fn told(pool: Result<Arc<RepairPool>, NoRules>) -> (Result<Rules, NoRules>, Option<Provisioning>) {
    match pool {
        Ok(pool) => (Ok(rules(&pool)), pool.spec.provisioning.clone()),
        Err(none) => (Err(none), None),
    }
}

/// Why it is paused, if it is.
pub(crate) fn paused(pool: &RepairPool) -> Option<String> {
    pool.annotations().get(PAUSED).cloned()
}

pub(crate) fn rules(pool: &RepairPool) -> Rules {
    let timing = &pool.spec.timing;
    Rules {
        name: pool.name_any(),
        acts: match pool.spec.mode {
            Mode::Observe => false,
            Mode::Approve | Mode::Auto => true,
        },
        approves: pool.spec.mode == Mode::Approve,
        ignores: pool.spec.ignore_owners.clone(),
        provisions: pool.spec.provisioning.is_some(),
        without: pool
            .spec
            .provisioning
            .as_ref()
            .map_or(Vec::new(), |how| how.without.clone()),
        zones: pool
            .spec
            .provisioning
            .as_ref()
            .map_or(Vec::new(), |how| how.zones.clone()),
        no_capacity: pool
            .spec
            .provisioning
            .as_ref()
            .map_or(NoCapacity::Wait, |how| how.when_no_capacity),
        drain: DrainRules {
            unmanaged_pods: pool.spec.drain.unmanaged_pods,
            local_data: pool.spec.drain.local_data,
            node_volumes: pool.spec.drain.node_volumes,
        },
        drain_within: timing.drain,
        last_resort: pool.spec.drain.last_resort,
        owners: timing.owners,
        balancers: timing.load_balancers,
        ignore_taints: pool
            .spec
            .provisioning
            .as_ref()
            .map_or(Vec::new(), |how| how.ignore_taints.clone()),
        grant: timing.grant,
        reboot: timing.reboot,
        power: timing.power,
        settle: timing.settle,
        ready: timing.ready,
        join: timing.join,
        create_settle: timing.create_settle,
    }
}

/// A problem of this kind is judged by the control plane after so many seconds, if nobody else took it up.
pub(crate) fn grace(pool: &RepairPool, kind: &ConditionKind) -> Seconds {
    let timing = &pool.spec.timing;
    match kind.as_str() == NOT_READY {
        true => timing.unready,
        false => timing.agent_grace,
    }
}
