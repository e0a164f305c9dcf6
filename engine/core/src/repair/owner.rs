//! Whose node it is. Clusters are also kept by others, and two who repair one node undo each other's work: what another
//! keeps is left alone, for as long as its sign is there.
//!
//! Signs are what the others themselves write on a Node, each with where it is written down:
//!
//! | owner | sign | source |
//! |---|---|---|
//! | Cluster API | annotation `cluster.x-k8s.io/machine` | cluster-api, `api/core/*/machine_types.go`: `MachineAnnotation` |
//! | OpenShift's Machine API | annotation `machine.openshift.io/machine` | machine-api-operator, `pkg/controller/nodelink` |
//! | Gardener's machine-controller-manager | label `node.gardener.cloud/machine-name` (from 0.53) | `pkg/util/provider/machineutils/utils.go`: `MachineLabelKey` |
//! | the same, older | annotation `node.machine.sapcloud.io/last-applied-anno-labels-taints` | there: `LastAppliedALTAnnotation` |
//! | Magnum | labels `magnum.openstack.org/nodegroup`, `magnum.openstack.org/role` | magnum's kubernetes drivers: the kubelets' `--node-labels` |
//! | Karpenter | label `karpenter.sh/nodepool`, before 0.32 `karpenter.sh/provisioner-name` | karpenter, `pkg/apis/v1/labels.go`: `NodePoolLabelKey` |
//! | cluster-autoscaler, deleting | taint `ToBeDeletedByClusterAutoscaler` | autoscaler, `cluster-autoscaler/utils/taints`: `ToBeDeletedTaint` |
//! | kured, rebooting | annotation `weave.works/kured-reboot-in-progress` | kured, `cmd/kured/main.go`: with `--annotate-nodes` |
//!
//! `DeletionCandidateOfClusterAutoscaler` is no sign: it is a soft mark (`PreferNoSchedule`) of a node that is little used, is
//! taken back as often as not, and nothing is done to the node under it. The Bottlerocket update operator, and kured
//! without that option, write nothing on the Node that says so while they reboot it; both cordon it first, and somebody's
//! cordon is left alone anyway.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::NodeSeen;

/// Who keeps a node.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum NodeOwner {
    /// Cluster API: its Machine is the node's, and its MachineHealthCheck replaces it.
    ClusterApi,
    /// OpenShift's Machine API.
    MachineApi,
    /// Gardener's machine-controller-manager.
    MachineControllerManager,
    /// OpenStack Magnum: Heat or Cluster API behind it make and count its servers.
    Magnum,
    /// Karpenter.
    Karpenter,
    /// cluster-autoscaler is draining and deleting it.
    ClusterAutoscaler,
    /// kured is rebooting it.
    Kured,
}

impl NodeOwner {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            NodeOwner::ClusterApi => "Cluster API",
            NodeOwner::MachineApi => "the Machine API",
            NodeOwner::MachineControllerManager => "the machine-controller-manager",
            NodeOwner::Magnum => "Magnum",
            NodeOwner::Karpenter => "Karpenter",
            NodeOwner::ClusterAutoscaler => "cluster-autoscaler, which deletes it",
            NodeOwner::Kured => "kured, which reboots it",
        }
    }
}

/// Where an owner leaves its mark.
#[derive(Debug, Clone, Copy)]
enum Sign {
    Annotation(&'static str),
    Label(&'static str),
    Taint(&'static str),
}

const SIGNS: [(NodeOwner, Sign); 10] = [
    (
        NodeOwner::ClusterApi,
        Sign::Annotation("cluster.x-k8s.io/machine"),
    ),
    (
        NodeOwner::MachineApi,
        Sign::Annotation("machine.openshift.io/machine"),
    ),
    (
        NodeOwner::MachineControllerManager,
        Sign::Label("node.gardener.cloud/machine-name"),
    ),
    (
        NodeOwner::MachineControllerManager,
        Sign::Annotation("node.machine.sapcloud.io/last-applied-anno-labels-taints"),
    ),
    (
        NodeOwner::Magnum,
        Sign::Label("magnum.openstack.org/nodegroup"),
    ),
    (NodeOwner::Magnum, Sign::Label("magnum.openstack.org/role")),
    (NodeOwner::Karpenter, Sign::Label("karpenter.sh/nodepool")),
    (
        NodeOwner::Karpenter,
        Sign::Label("karpenter.sh/provisioner-name"),
    ),
    (
        NodeOwner::ClusterAutoscaler,
        Sign::Taint("ToBeDeletedByClusterAutoscaler"),
    ),
    (
        NodeOwner::Kured,
        Sign::Annotation("weave.works/kured-reboot-in-progress"),
    ),
];

/// The annotations of a Node by which an owner is known.
pub fn owner_annotations() -> impl Iterator<Item = &'static str> {
    SIGNS.into_iter().filter_map(|(_, sign)| match sign {
        Sign::Annotation(key) => Some(key),
        Sign::Label(_) | Sign::Taint(_) => None,
    })
}

/// The other who keeps this node, and by which sign, if there is one beside those that the pool ignores.
pub(super) fn owner(node: &NodeSeen, ignored: &[NodeOwner]) -> Option<(NodeOwner, &'static str)> {
    let bears = |sign: Sign| match sign {
        Sign::Annotation(key) => node.annotations.contains_key(key).then_some(key),
        Sign::Label(key) => node.labels.contains_key(key).then_some(key),
        Sign::Taint(key) => {
            let is_it = |taint: &String| taint.split(['=', ':']).next() == Some(key);
            node.taints.iter().any(is_it).then_some(key)
        }
    };
    SIGNS
        .into_iter()
        .filter(|(owner, _)| !ignored.contains(owner))
        .find_map(|(owner, sign)| bears(sign).map(|key| (owner, key)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::node;
    use super::*;

    /// A node that bears that one sign.
    fn bearing(sign: Sign) -> NodeSeen {
        let mut node = node();
        match sign {
            Sign::Annotation(key) => drop(node.annotations.insert(key.into(), "x".into())),
            Sign::Label(key) => drop(node.labels.insert(key.into(), "x".into())),
            Sign::Taint(key) => node.taints.push(format!("{key}=1767225600:NoSchedule")),
        }
        node
    }

    #[test]
    fn every_sign_names_its_owner() {
        assert_eq!(owner(&node(), &[]), None);
        for (wanted, sign) in SIGNS {
            let found = owner(&bearing(sign), &[]);
            assert_eq!(found.map(|(owner, _)| owner), Some(wanted), "{sign:?}");
            assert_eq!(owner(&bearing(sign), &[wanted]), None, "ignored");
        }
    }

    #[test]
    fn the_annotations_that_are_watched_are_those_that_are_signs() {
        let annotations: Vec<&str> = owner_annotations().collect();
        assert_eq!(
            annotations,
            [
                "cluster.x-k8s.io/machine",
                "machine.openshift.io/machine",
                "node.machine.sapcloud.io/last-applied-anno-labels-taints",
                "weave.works/kured-reboot-in-progress",
            ]
        );
    }

    #[test]
    fn a_sign_where_its_owner_does_not_leave_it_is_none() {
        let mut other = node();
        other
            .labels
            .insert("cluster.x-k8s.io/machine".into(), "x".into());
        other
            .annotations
            .insert("karpenter.sh/nodepool".into(), "x".into());
        other
            .taints
            .push("DeletionCandidateOfClusterAutoscaler:PreferNoSchedule".into());
        other
            .taints
            .push("ToBeDeletedByClusterAutoscalerSoon:NoSchedule".into());
        assert_eq!(owner(&other, &[]), None);
    }
}
