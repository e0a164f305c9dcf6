//! What the rules of a node's pool are.

use rectifier_api::{Mode, Provisioning, RepairPool};
use rectifier_core::name::NodeName;
use rectifier_core::repair::drain::DrainRules;
use rectifier_core::repair::{NoRules, Rules};

use crate::cluster::Cluster;

/// The rules for a node, and how its pool makes replacements.
pub(crate) fn of(
    cluster: &Cluster,
    node: &NodeName,
) -> (Result<Rules, NoRules>, Option<Provisioning>) {
    match cluster.pool_of(node) {
        Ok(pool) => (Ok(rules(&pool)), pool.spec.provisioning.clone()),
        Err(none) => (Err(none), None),
    }
}

pub(crate) fn rules(pool: &RepairPool) -> Rules {
    let timing = &pool.spec.timing;
    Rules {
        acts: match pool.spec.mode {
            Mode::Observe => false,
            Mode::Auto => true,
        },
        provisions: pool.spec.provisioning.is_some(),
        drain: DrainRules {
            unmanaged_pods: pool.spec.drain.unmanaged_pods,
            local_data: pool.spec.drain.local_data,
        },
        drain_within: timing.drain,
        grant: timing.grant,
        reboot: timing.reboot,
        settle: timing.settle,
        ready: timing.ready,
        join: timing.join,
        create_settle: timing.create_settle,
    }
}
