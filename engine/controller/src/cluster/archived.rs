//! What is kept of the repairs that are over.

use jiff::Timestamp;
use kube::ResourceExt;
use rectifier_core::name::{NodeName, ServerId};
use rectifier_core::repair::{Lineage, Phase};

use crate::slim::SlimRepair;

/// A repair that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archived {
    pub(crate) uid: String,
    pub(crate) pool: Option<String>,
    pub(crate) ended: Timestamp,
    /// What it made, if it ended so.
    pub(crate) made: Option<Made>,
}

/// A node that took another's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Its own name, and its server's id.
    node: String,
    server: Option<String>,
    /// The node whose place it took, and what that had.
    instead_of: String,
    problem: String,
}

impl Archived {
    /// Of an archived copy; `None` if its status is not written yet.
    pub(crate) fn of(copy: &SlimRepair) -> Option<Self> {
        let status = Some(&copy.status).filter(|status| status.phase.is_final())?;
        Some(Self {
            uid: copy.uid()?,
            pool: status.pool.clone(),
            ended: status.since?,
            made: Self::made(copy),
        })
    }

    fn made(copy: &SlimRepair) -> Option<Made> {
        let is_replaced = copy.status.phase == Phase::Replaced;
        let replacement = copy.status.replacement.as_ref().filter(|_| is_replaced)?;
        Some(Made {
            node: replacement.name.clone(),
            server: replacement.server_id.clone(),
            instead_of: copy.spec.node_name.clone(),
            problem: copy.spec.problem.kind.clone(),
        })
    }

    /// Did it make this node? A name may be given again: with another server it is another node.
    pub(super) fn lineage(&self, node: &NodeName, server: Option<&ServerId>) -> Option<Lineage> {
        let made = self.made.as_ref()?;
        let is_it =
            made.node == node.as_str() && made.server.as_deref() == server.map(ServerId::as_str);
        is_it.then(|| Lineage {
            node: made.instead_of.clone(),
            problem: made.problem.clone(),
            ended: self.ended,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn copy(phase: &str) -> Archived {
        let copy = json!({
            "metadata": {"name": "worker-1.repair.1", "uid": "u"},
            "spec": {"nodeName": "worker-1", "problem": {"kind": "ProxyUnhealthy"}},
            "status": {
                "phase": phase, "since": "2026-01-01T00:00:00Z",
                "replacement": {"name": "worker-1-r1", "serverId": "new"},
            },
        });
        Archived::of(&serde_json::from_value(copy).unwrap()).unwrap()
    }

    #[test]
    fn a_node_is_of_the_repair_that_made_its_server() {
        let node = |name: &str| NodeName::parse(name).unwrap();
        let server = |id: &str| ServerId::parse(id).unwrap();
        let replaced = copy("Replaced");
        let lineage = replaced.lineage(&node("worker-1-r1"), Some(&server("new")));
        let lineage = lineage.unwrap();
        assert_eq!(
            (lineage.node.as_str(), lineage.problem.as_str()),
            ("worker-1", "ProxyUnhealthy")
        );
        for (name, id) in [("worker-1-r1", "newer"), ("worker-1", "new")] {
            assert!(replaced.lineage(&node(name), Some(&server(id))).is_none());
        }
        assert!(replaced.lineage(&node("worker-1-r1"), None).is_none());
        let cancelled = copy("Cancelled");
        let none = cancelled.lineage(&node("worker-1-r1"), Some(&server("new")));
        assert!(none.is_none());
    }
}
