//! Reads the few facts of a Node object that decisions rest on.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use rectifier_api::CORDONED_BY;
use rectifier_core::name::{BootId, InvalidName, NodeName, ServerId, Uid};
use rectifier_core::policy::Status;
use rectifier_core::repair::NodeSeen;
use rectifier_core::repair::drain::{Owner, PodSeen};

use crate::cluster::Cluster;
use crate::slim::SlimNode;

/// `openstack:///ID` and `openstack://REGION/ID`, as the cloud provider writes it.
const PROVIDER: &str = "openstack://";

/// The node, with what the watch knows of how long it has been Ready.
pub(crate) fn seen(
    node: &SlimNode,
    cluster: &Cluster,
    now: Timestamp,
) -> Result<NodeSeen, InvalidName> {
    let name = NodeName::parse(node.metadata.name.clone().unwrap_or_default())?;
    let (ready, ready_held) = cluster
        .held(&name, "Ready", now)
        .unwrap_or((Status::Unknown, 0));
    let spec = &node.spec;
    let mark = node
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(CORDONED_BY));
    Ok(NodeSeen {
        uid: Uid::parse(node.metadata.uid.clone().unwrap_or_default())?,
        boot_id: BootId::parse(&node.status.node_info.boot_id).ok(),
        ready,
        ready_held,
        unschedulable: spec.unschedulable,
        cordoned_by: mark.and_then(|uid| Uid::parse(uid).ok()),
        server: spec.provider_id.as_deref().and_then(server_of),
        taints: spec
            .taints
            .iter()
            .map(|taint| match taint.value.as_str() {
                "" => format!("{}:{}", taint.key, taint.effect),
                value => format!("{}={value}:{}", taint.key, taint.effect),
            })
            .collect(),
        labels: node.metadata.labels.clone().unwrap_or_default(),
        name,
    })
}

/// The server that a providerID names.
pub(crate) fn server_of(provider_id: &str) -> Option<ServerId> {
    let (_, id) = provider_id.strip_prefix(PROVIDER)?.split_once('/')?;
    ServerId::parse(id).ok()
}

/// A pod as the drain sees it.
pub(crate) fn pod(pod: &Pod) -> Result<PodSeen, InvalidName> {
    let meta = &pod.metadata;
    let mirror = meta
        .annotations
        .as_ref()
        .is_some_and(|all| all.contains_key("kubernetes.io/config.mirror"));
    let controller = meta
        .owner_references
        .iter()
        .flatten()
        .find(|owner| owner.controller == Some(true));
    let owner = match controller {
        _ if mirror => Owner::Mirror,
        Some(owner) if owner.kind == "DaemonSet" => Owner::DaemonSet,
        Some(_) => Owner::Controller,
        None => Owner::Nobody,
    };
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    Ok(PodSeen {
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        uid: Uid::parse(meta.uid.clone().unwrap_or_default())?,
        owner,
        finished: matches!(phase, Some("Succeeded" | "Failed")),
        leaving: meta.deletion_timestamp.as_ref().map(|time| time.0),
        local_data: volumes.into_iter().any(|volume| volume.empty_dir.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_id_of_another_cloud_names_no_server() {
        assert_eq!(server_of("openstack:///8c1f").unwrap().as_str(), "8c1f");
        assert_eq!(
            server_of("openstack://RegionOne/8c1f").unwrap().as_str(),
            "8c1f"
        );
        for other in ["", "aws:///eu-1/i-0", "openstack:///", "kind://x/y"] {
            assert_eq!(server_of(other), None, "{other}");
        }
    }
}
