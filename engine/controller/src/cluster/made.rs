//! Which repair made a node.

use jiff::Timestamp;
use rectifier_api::NodeRepair;
use rectifier_core::name::{NodeName, ServerId};
use rectifier_core::repair::Lineage;

use crate::slim::SlimRepair;

/// A node that takes another's place, from the commit on: its repair may be open yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Its own name, and its server's id.
    node: String,
    server: Option<String>,
    /// It was made in another zone.
    is_elsewhere: bool,
    /// The node whose place it took, and what that had.
    instead_of: String,
    problem: String,
    committed: Timestamp,
}

impl Made {
    /// As [`of`](Self::of), of the whole object.
    pub(super) fn new(repair: &NodeRepair) -> Option<Self> {
        let record = repair.status.as_ref()?;
        let replacement = record.replacement.as_ref()?;
        Some(Self {
            node: replacement.name.clone(),
            server: replacement.server_id.clone(),
            is_elsewhere: replacement.zone.is_some(),
            instead_of: repair.spec.node_name.clone(),
            problem: repair.spec.problem.kind.clone(),
            committed: record.committed_at?,
        })
    }

    /// `None`: nothing was committed.
    pub(crate) fn of(repair: &SlimRepair) -> Option<Self> {
        let replacement = repair.status.replacement.as_ref()?;
        Some(Self {
            node: replacement.name.clone(),
            server: replacement.server_id.clone(),
            is_elsewhere: replacement.zone.is_some(),
            instead_of: repair.spec.node_name.clone(),
            problem: repair.spec.problem.kind.clone(),
            committed: repair.status.committed_at?,
        })
    }

    /// The node that stands where the one was whose place it took; `None`: it does not.
    pub(super) fn in_its_zone(&self) -> Option<NodeName> {
        let node = NodeName::parse(&self.node).ok();
        node.filter(|_| !self.is_elsewhere)
    }

    /// Is it this node? A name may be given again: with another server it is another node.
    pub(super) fn lineage(&self, node: &NodeName, server: Option<&ServerId>) -> Option<Lineage> {
        let is_it =
            self.node == node.as_str() && self.server.as_deref() == server.map(ServerId::as_str);
        is_it.then(|| Lineage {
            node: self.instead_of.clone(),
            problem: self.problem.clone(),
            committed: self.committed,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(phase: &str, committed: Option<&str>) -> Option<Made> {
        let repair = json!({
            "metadata": {"name": "worker-1.repair", "uid": "u"},
            "spec": {"nodeName": "worker-1", "problem": {"kind": "ProxyUnhealthy"}},
            "status": {
                "phase": phase, "since": "2026-01-01T00:00:00Z", "committedAt": committed,
                "replacement": {"name": "worker-1-r1", "serverId": "new"},
            },
        });
        Made::of(&serde_json::from_value(repair).unwrap())
    }

    #[test]
    fn a_node_is_of_the_repair_that_committed_its_server() {
        let node = |name: &str| NodeName::parse(name).unwrap();
        let server = |id: &str| ServerId::parse(id).unwrap();
        let committed = Some("2026-01-01T00:00:00Z");
        for phase in ["Draining", "NeedsHuman", "Replaced"] {
            let made = made(phase, committed).unwrap();
            let lineage = made.lineage(&node("worker-1-r1"), Some(&server("new")));
            let lineage = lineage.unwrap();
            assert_eq!(
                (lineage.node.as_str(), lineage.problem.as_str()),
                ("worker-1", "ProxyUnhealthy")
            );
            for (name, id) in [("worker-1-r1", "newer"), ("worker-1", "new")] {
                assert!(made.lineage(&node(name), Some(&server(id))).is_none());
            }
            assert!(made.lineage(&node("worker-1-r1"), None).is_none());
        }
        assert_eq!(made("Joining", None), None);
    }
}
