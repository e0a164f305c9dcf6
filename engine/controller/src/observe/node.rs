//! Reads the few facts of a Node object, and of a pod, that decisions rest on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use rectifier_api::{CORDONED_BY, PROVISIONAL_TAINT};
use rectifier_core::name::{BootId, InvalidName, NodeName, ServerId, Uid};
use rectifier_core::policy::Status;
use rectifier_core::repair::NodeSeen;
use rectifier_core::repair::drain::{Owner, PodSeen};
use rectifier_core::repair::owners::OwnerRef;

use super::quantity::thousandths;
use crate::cluster::Cluster;
use crate::slim::{Address, SlimNode};

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
    let provider = spec.provider_id.as_deref();
    let mark = node
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(CORDONED_BY));
    Ok(NodeSeen {
        uid: Uid::parse(node.metadata.uid.clone().unwrap_or_default())?,
        version: node.metadata.resource_version.clone().unwrap_or_default(),
        boot_id: BootId::parse(&node.status.node_info.boot_id).ok(),
        ready,
        ready_held,
        unschedulable: spec.unschedulable,
        cordoned_by: mark.and_then(|uid| Uid::parse(uid).ok()),
        server: provider.and_then(server_of),
        region: provider.and_then(region_of),
        twin: provider
            .and_then(server_of)
            .and_then(|server| cluster.twin(&name, &server)),
        addresses: internal(&node.status.addresses),
        network_unavailable: cluster
            .held(&name, "NetworkUnavailable", now)
            .is_some_and(|(status, _)| status == Status::Yes),
        allocatable: resources(&node.status.allocatable),
        capacity: resources(&node.status.capacity),
        attached: attached(node),
        taints: spec
            .taints
            .iter()
            .map(|taint| match taint.value.as_str() {
                "" => format!("{}:{}", taint.key, taint.effect),
                value => format!("{}={value}:{}", taint.key, taint.effect),
            })
            .collect(),
        volumes: node
            .status
            .volumes_attached
            .iter()
            .map(|volume| volume.name.clone())
            .collect(),
        labels: node.metadata.labels.clone().unwrap_or_default(),
        annotations: node.metadata.annotations.clone().unwrap_or_default(),
        name,
    })
}

/// The server that a providerID names.
pub(crate) fn server_of(provider_id: &str) -> Option<ServerId> {
    let (_, id) = provider_id.strip_prefix(PROVIDER)?.split_once('/')?;
    ServerId::parse(id).ok()
}

/// The region that a providerID names, which is not always there.
fn region_of(provider_id: &str) -> Option<String> {
    let (region, _) = provider_id.strip_prefix(PROVIDER)?.split_once('/')?;
    (!region.is_empty()).then(|| region.to_owned())
}

fn internal(addresses: &[Address]) -> Vec<IpAddr> {
    let internal = addresses
        .iter()
        .filter(|address| address.kind == "InternalIP");
    internal
        .filter_map(|address| address.address.parse().ok())
        .collect()
}

/// Those that decisions read: the machine's own, and what plugins add, which is named after a domain.
fn resources(all: &BTreeMap<String, Quantity>) -> BTreeMap<String, u64> {
    let is_read = |name: &str| ["cpu", "memory", "pods"].contains(&name) || name.contains('/');
    all.iter()
        .filter(|(name, _)| is_read(name))
        .filter_map(|(name, amount)| Some((name.clone(), thousandths(&amount.0)?)))
        .collect()
}

/// A CSI volume that is attached is called `kubernetes.io/csi/DRIVER^HANDLE`.
fn attached(node: &SlimNode) -> Vec<String> {
    let volumes = node.status.volumes_attached.iter();
    let driver = |name: &str| {
        let (driver, _) = name.strip_prefix("kubernetes.io/csi/")?.split_once('^')?;
        Some(driver.to_owned())
    };
    let mut drivers: Vec<String> = volumes.filter_map(|volume| driver(&volume.name)).collect();
    drivers.sort();
    drivers.dedup();
    drivers
}

fn owner_of(namespace: &str, owner: &OwnerReference) -> OwnerRef {
    OwnerRef {
        namespace: namespace.to_owned(),
        api_version: owner.api_version.clone(),
        kind: owner.kind.clone(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
    }
}

/// Whoever manages this object, if anybody does.
pub(crate) fn controller(meta: &ObjectMeta) -> Option<OwnerRef> {
    let mut owners = meta.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.controller == Some(true))?;
    Some(owner_of(
        meta.namespace.as_deref().unwrap_or_default(),
        owner,
    ))
}

/// Does it let a pod onto a replacement that is not committed yet?
fn tolerates_provisional(toleration: &Toleration) -> bool {
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let key = toleration.key.as_deref().unwrap_or_default();
    let is_any = toleration.operator.as_deref() == Some("Exists");
    let value = toleration.value.as_deref().unwrap_or_default();
    ["", "NoSchedule"].contains(&effect)
        && match key {
            "" => is_any,
            key => key == PROVISIONAL_TAINT && (is_any || value.is_empty()),
        }
}

/// A pod as the drain sees it.
pub(crate) fn pod(pod: &Pod) -> Result<PodSeen, InvalidName> {
    let meta = &pod.metadata;
    let mirror = meta
        .annotations
        .as_ref()
        .is_some_and(|all| all.contains_key("kubernetes.io/config.mirror"));
    let controller = controller(meta);
    let owner = match &controller {
        _ if mirror => Owner::Mirror,
        Some(owner) if owner.kind == "DaemonSet" => Owner::DaemonSet,
        Some(_) => Owner::Controller,
        None => Owner::Nobody,
    };
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let spec = pod.spec.as_ref();
    let volumes = spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let tolerations = spec
        .iter()
        .flat_map(|spec| spec.tolerations.iter().flatten());
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    Ok(PodSeen {
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        uid: Uid::parse(meta.uid.clone().unwrap_or_default())?,
        owner,
        controller,
        priority: spec.and_then(|spec| spec.priority).unwrap_or(0),
        ready: conditions
            .into_iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        finished: matches!(phase, Some("Succeeded" | "Failed")),
        leaving: meta.deletion_timestamp.as_ref().map(|time| time.0),
        local_data: volumes
            .into_iter()
            .any(|volume| volume.empty_dir.is_some() || volume.ephemeral.is_some()),
        node_volume: None,
        tolerates_provisional: tolerations.into_iter().any(tolerates_provisional),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_toleration_lets_a_pod_onto_a_provisional_node_as_the_scheduler_has_it() {
        let tolerates = |toleration: serde_json::Value| {
            tolerates_provisional(&serde_json::from_value(toleration).unwrap())
        };
        for lets in [
            json!({"operator": "Exists"}),
            json!({"operator": "Exists", "effect": "NoSchedule"}),
            json!({"key": PROVISIONAL_TAINT, "operator": "Exists"}),
            json!({"key": PROVISIONAL_TAINT, "effect": "NoSchedule"}),
        ] {
            assert!(tolerates(lets.clone()), "{lets}");
        }
        for keeps_off in [
            json!({"operator": "Exists", "effect": "NoExecute"}),
            json!({"key": "node.kubernetes.io/not-ready", "operator": "Exists"}),
            json!({"key": PROVISIONAL_TAINT, "value": "other"}),
        ] {
            assert!(!tolerates(keeps_off.clone()), "{keeps_off}");
        }
    }

    #[test]
    fn what_a_node_has_is_read_in_any_of_the_ways_to_write_it() {
        let node: SlimNode = serde_json::from_value(json!({"metadata": {"name": "n"}, "status": {
            "allocatable": {"cpu": "3920m", "memory": "16Gi", "example.com/gpu": "2", "ephemeral-storage": "1Gi"},
            "volumesAttached": [
                {"name": "kubernetes.io/csi/cinder.csi.openstack.org^v1", "devicePath": ""},
                {"name": "kubernetes.io/csi/cinder.csi.openstack.org^v2", "devicePath": ""},
                {"name": "kubernetes.io/nfs/x", "devicePath": ""},
            ],
        }}))
        .unwrap();
        let read = resources(&node.status.allocatable);
        let wanted = [
            ("cpu", 3920),
            ("memory", 17_179_869_184_000),
            ("example.com/gpu", 2000),
        ];
        assert_eq!(read, wanted.map(|(name, n)| (name.to_owned(), n)).into());
        assert_eq!(attached(&node), ["cinder.csi.openstack.org"]);
    }

    #[test]
    fn a_provider_id_of_another_cloud_names_no_server() {
        assert_eq!(server_of("openstack:///8c1f").unwrap().as_str(), "8c1f");
        assert_eq!(region_of("openstack:///8c1f"), None);
        assert_eq!(
            region_of("openstack://RegionOne/8c1f").unwrap(),
            "RegionOne"
        );
        assert_eq!(
            server_of("openstack://RegionOne/8c1f").unwrap().as_str(),
            "8c1f"
        );
        for other in ["", "aws:///eu-1/i-0", "openstack:///", "kind://x/y"] {
            assert_eq!(server_of(other), None, "{other}");
        }
    }
}
