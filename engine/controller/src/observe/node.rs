//! Reads the few facts of a Node object that decisions rest on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use rectifier_api::{CORDONED_BY, NOT_READY};
use rectifier_core::name::{BootId, ConditionKind, InvalidName, NodeName, ServerId, Uid};
use rectifier_core::policy::Status;
use rectifier_core::repair::NodeSeen;
use rectifier_core::repair::drain::{Owner, PodSeen};

use crate::cluster::{Cluster, Sight};

/// `openstack:///ID` and `openstack://REGION/ID`, as the cloud provider writes it.
const PROVIDER: &str = "openstack://";

fn status(text: &str) -> Status {
    match text {
        "True" => Status::Yes,
        "False" => Status::No,
        // the API allows nothing else, and what we do not know is unknown
        _ => Status::Unknown,
    }
}

/// The node's conditions, as seen now for the first time.
pub(crate) fn conditions(node: &Node, now: Timestamp) -> BTreeMap<ConditionKind, Sight> {
    let all = node
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let mut found = BTreeMap::new();
    for condition in all {
        let Ok(kind) = ConditionKind::parse(&condition.type_) else {
            continue;
        };
        let sight = Sight {
            status: status(&condition.status),
            reason: condition.reason.clone().unwrap_or_default(),
            message: condition.message.clone().unwrap_or_default(),
            since: now,
        };
        if condition.type_ == "Ready"
            && let Ok(kind) = ConditionKind::parse(NOT_READY)
        {
            // False, and not to be heard of, are both an illness, and one
            let status = match sight.status {
                Status::Yes => Status::No,
                Status::No | Status::Unknown => Status::Yes,
            };
            found.insert(
                kind,
                Sight {
                    status,
                    ..sight.clone()
                },
            );
        }
        // a detector's condition of that name is not ours
        if condition.type_ != NOT_READY {
            found.insert(kind, sight);
        }
    }
    found
}

/// The node, with what the watch knows of how long it has been Ready.
pub(crate) fn seen(
    node: &Node,
    cluster: &Cluster,
    now: Timestamp,
) -> Result<NodeSeen, InvalidName> {
    let name = NodeName::parse(node.metadata.name.clone().unwrap_or_default())?;
    let (ready, ready_held) = cluster
        .held(&name, "Ready", now)
        .unwrap_or((Status::Unknown, 0));
    let spec = node.spec.clone().unwrap_or_default();
    let info = node
        .status
        .as_ref()
        .and_then(|status| status.node_info.as_ref());
    let mark = node
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(CORDONED_BY));
    Ok(NodeSeen {
        uid: Uid::parse(node.metadata.uid.clone().unwrap_or_default())?,
        // a kubelet that has not reported yet leaves it empty
        boot_id: info.and_then(|info| BootId::parse(&info.boot_id).ok()),
        ready,
        ready_held,
        unschedulable: spec.unschedulable.unwrap_or(false),
        cordoned_by: mark.and_then(|uid| Uid::parse(uid).ok()),
        server: spec.provider_id.as_deref().and_then(server),
        taints: spec
            .taints
            .iter()
            .flatten()
            .map(|taint| match taint.value.as_deref() {
                None | Some("") => format!("{}:{}", taint.key, taint.effect),
                Some(value) => format!("{}={value}:{}", taint.key, taint.effect),
            })
            .collect(),
        volumes: node
            .status
            .iter()
            .flat_map(|status| status.volumes_attached.iter().flatten())
            .map(|volume| volume.name.clone())
            .collect(),
        labels: node.metadata.labels.clone().unwrap_or_default(),
        annotations: node.metadata.annotations.clone().unwrap_or_default(),
        name,
    })
}

fn server(provider_id: &str) -> Option<ServerId> {
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
        ready: pod
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten())
            .any(|condition| condition.type_ == "Ready" && condition.status == "True"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_id_of_another_cloud_names_no_server() {
        assert_eq!(server("openstack:///8c1f").unwrap().as_str(), "8c1f");
        assert_eq!(
            server("openstack://RegionOne/8c1f").unwrap().as_str(),
            "8c1f"
        );
        for other in ["", "aws:///eu-1/i-0", "openstack:///", "kind://x/y"] {
            assert_eq!(server(other), None, "{other}");
        }
    }
}
